"""Count what rules did, by rule and day, in the transaction that records the screenings.

A batch leaves one row for each rule that spoke, and for each thing that runs in shadow with what it
would have turned into what, and a few identifiers of posts. A job folds the rows of a day into one; so
no two batches wait for the same row. Samples are forgotten after a month, counts are kept for a year.

Refuses: to keep any text, author or place.

Neighbours: `screening` calls `note`, the timetable folds, the public list and `editions` read.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from models.base import new_id
from models.database import Database
from models.post import NewPost, Post
from models.prepared import Prepared
from models.rulebook import RuleTally
from models.vocabulary import PostState, ReasonSource
from moderation.pipeline import BANDS, BUNDLE, Outcome

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
SAMPLE: Final = 50
"""Posts that are kept of one subject and day."""

OF_A_BATCH: Final = 5
SAMPLES_KEPT: Final = timedelta(days=30)
COUNTS_KEPT: Final = timedelta(days=366)
WINDOW: Final = timedelta(days=30)
"""The time that published counts are of."""


_INSERT: Final = Prepared(sa.insert(SQLModel.metadata.tables["ruletally"]))
"""It goes with every batch in which a rule spoke."""


class Noted(Protocol):
    """A post with its outcome, as `screening` has them."""

    @property
    def post(self) -> Post | NewPost:
        """The post."""

    @property
    def outcome(self) -> Outcome:
        """What was said about it."""


def day_of(moment: datetime) -> date:
    """Return the day in Shanghai."""
    return moment.astimezone(SHANGHAI).date()


def note(session: Session, entries: Iterable[Noted], *, now: datetime) -> None:
    """Count what spoke in a batch, and what would have spoken."""
    posts: Counter[tuple[str, bool]] = Counter()
    answers: defaultdict[tuple[str, bool], Counter[str]] = defaultdict(Counter)
    samples: defaultdict[tuple[str, bool], list[str]] = defaultdict(list)
    for entry in entries:
        outcome = entry.outcome
        spoke = {
            reason.rule
            for reason in outcome.reasons
            if reason.source in {ReasonSource.RULE, ReasonSource.BEHAVIOUR}
        }
        posts.update((rule, False) for rule in spoke)
        for trial in outcome.trials:
            key = (trial.subject, True)
            posts[key] += 1
            changes = trial.verdict is not outcome.verdict
            if changes:
                answers[key][f"{outcome.verdict}>{trial.verdict}"] += 1
            if (changes or trial.subject not in {BANDS, BUNDLE}) and len(samples[key]) < OF_A_BATCH:
                samples[key].append(entry.post.id)
    if posts:
        day = day_of(now)
        _INSERT.write(
            session.connection(),
            [
                {
                    "id": new_id(),
                    "subject": subject,
                    "day": day,
                    "silent": silent,
                    "posts": count,
                    "answers": dict(answers.get((subject, silent), {})),
                    "sample": samples.get((subject, silent), []),
                }
                for (subject, silent), count in sorted(posts.items())
            ],
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What a subject did in a period. `answers` and `sample` are for what runs in shadow."""

    posts: int
    answers: Mapping[str, int]
    sample: tuple[str, ...]


def hits_since(session: Session, since: date) -> dict[str, int]:
    """Return how many posts each active rule spoke against since a day."""
    rows = session.exec(
        select(RuleTally.subject, func.sum(RuleTally.posts))
        .where(col(RuleTally.day) >= since, col(RuleTally.silent).is_(False))
        .group_by(col(RuleTally.subject))
    ).all()
    return {subject: int(count or 0) for subject, count in rows}


def silent_since(session: Session, since: date) -> dict[str, Tally]:
    """Return what everything in shadow would have done since a day; for thresholds, to all posts seen."""
    found: dict[str, list[RuleTally]] = defaultdict(list)
    for row in session.exec(
        select(RuleTally)
        .where(col(RuleTally.day) >= since, col(RuleTally.silent).is_(True))
        .order_by(col(RuleTally.day).desc(), col(RuleTally.id))
    ):
        found[row.subject].append(row)
    return {subject: Tally(*_together(rows)) for subject, rows in found.items()}


def _together(rows: Sequence[RuleTally]) -> tuple[int, dict[str, int], tuple[str, ...]]:
    answers: Counter[str] = Counter()
    sample: dict[str, None] = {}
    for row in rows:
        answers.update(row.answers)
        sample.update(dict.fromkeys(row.sample))
    return sum(row.posts for row in rows), dict(answers), tuple(sample)[:SAMPLE]


@dataclass(frozen=True, slots=True)
class FoldReport:
    """What one round did: rows made one, and rows forgotten."""

    folded: int
    forgotten: int


def fold_due(database: Database, now: datetime) -> FoldReport:
    """Fold the rows of every day that is over, and forget what is kept no longer. Safe to run twice."""
    today = day_of(now)
    with database.reading() as session:
        crowded = session.exec(
            select(RuleTally.subject, col(RuleTally.silent), col(RuleTally.day))
            .where(col(RuleTally.day) < today)
            .group_by(col(RuleTally.subject), col(RuleTally.silent), col(RuleTally.day))
            .having(func.count() > 1)
        ).all()
    folded = 0
    for subject, silent, day in crowded:
        with database.transaction() as session:
            folded += _fold(session, subject, day, silent=silent)
    with database.transaction() as session:
        forgotten = session.exec(
            sa.delete(RuleTally).where(col(RuleTally.day) < day_of(now - COUNTS_KEPT))
        ).rowcount
        stale = session.exec(
            select(RuleTally).where(
                col(RuleTally.day) < day_of(now - SAMPLES_KEPT), col(RuleTally.silent).is_(True)
            )
        ).all()
        for row in stale:
            if row.sample:
                row.sample = []
                session.add(row)
    return FoldReport(folded, int(forgotten))


def _fold(session: Session, subject: str, day: date, *, silent: bool) -> int:
    rows = session.exec(
        select(RuleTally)
        .where(
            col(RuleTally.subject) == subject, col(RuleTally.day) == day, col(RuleTally.silent).is_(silent)
        )
        .order_by(col(RuleTally.id))
        .with_for_update()
    ).all()
    if len(rows) < 2:  # noqa: PLR2004 - somebody else has folded them meanwhile
        return 0
    first, *rest = rows
    first.posts, answers, sample = _together(rows)
    first.answers, first.sample = answers, list(sample)
    session.add(first)
    for row in rest:
        session.delete(row)
    return len(rest)


def sample_posts(session: Session, posts: Sequence[str]) -> list[str]:
    """Return those of the posts that are still there, in the same order."""
    there = set(
        session.exec(
            select(Post.id).where(col(Post.id).in_(posts), col(Post.state) != PostState.DELETED)
        ).all()
    )
    return [post for post in posts if post in there]
