"""Show the sample of a back-test to who may see posts. Each look is on the audit log, post by post.

Refuses: to say who wrote a post, and to show a later revision by the offsets of the one that was judged.

Neighbours: `backtest_counts` draws the sample, `backtest` keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from models import audit
from models.post import Post, PostRevision
from models.rulebook import Backtest
from models.vocabulary import PostState
from moderation.backtest_counts import SAMPLE, Tallies
from moderation.rules import Span


@dataclass(frozen=True, slots=True)
class Passage:
    """One post of a sample with its text, for who may see posts. Never who wrote it."""

    post_id: str
    organisation: str
    text: str
    spans: tuple[Span, ...]
    by: tuple[str, ...]
    change: str


def passages(
    session: Session,
    run: Backtest,
    may_see: Callable[[str], bool],
    *,
    actor: str,
    now: datetime,
    limit: int = SAMPLE,
) -> list[Passage]:
    """Return the sample's posts that somebody may see. The look is on the audit log, post by post."""
    sample = Tallies.of(run.tallies).sample[:limit]
    rows = {
        post.id: (post, text)
        for post, text in session.exec(
            select(Post, PostRevision.text)
            .join(
                PostRevision,
                (col(PostRevision.post_id) == col(Post.id))
                & (col(PostRevision.revision) == col(Post.revision)),
            )
            .where(col(Post.id).in_([one["post"] for one in sample]), col(Post.state) != PostState.DELETED)
        )
    }
    shown = []
    for one in sample:
        if one["post"] not in rows:
            continue
        post, text = rows[one["post"]]
        # Offsets are those of the revision that was judged; a later one is not shown by them.
        if text is None or post.revision != one["revision"] or not may_see(post.organisation):
            continue
        spans = tuple((int(start), int(end)) for start, end in one["spans"])
        shown.append(Passage(post.id, post.organisation, text, spans, tuple(one["by"]), one["change"]))
    if shown:
        audit.record(
            session,
            now,
            actor=actor,
            action="backtest.posts_viewed",
            subject=f"backtest:{run.id}",
            organisation=run.organisation,
            details={"posts": [one.post_id for one in shown]},
        )
    return shown
