"""`tingjian export`: where the posts under a place stand and what was decided, as JSONL.

No text, no author, no officer's name: identifiers that the platform knows, states, verdicts and
decisions. A deleted post is not in it. The export stands in the audit log.

Neighbours: `export_training` is the word `training` under this one, for rows that a bundle learns from.
"""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any, Final

import orjson
import typer
from sqlmodel import Session, col, select

from api.accounts import known_place
from api.commands.export_training import training
from api.commands.operator import operator
from api.wiring import open_service
from models import audit
from models.database import Database
from models.organisation import under
from models.post import Post
from models.review import Decision
from models.screening import Screening
from models.vocabulary import CLAUSES, PostState

PAGE: Final = 1_000


def exported(database: Database, organisation: str) -> Iterator[dict[str, Any]]:
    """Yield a row for every post at and under `organisation`, oldest first, in pages."""
    after = ""
    while True:
        with database.reading() as session:
            posts = session.exec(
                select(Post)
                .where(
                    under(Post.organisation, organisation),
                    col(Post.id) > after,
                    col(Post.state) != PostState.DELETED,
                )
                .order_by(col(Post.id))
                .limit(PAGE)
            ).all()
            yield from _page(session, posts)
        if len(posts) < PAGE:
            return
        after = posts[-1].id


def _page(session: Session, posts: Sequence[Post]) -> Iterator[dict[str, Any]]:
    ids = [post.id for post in posts]
    newest = {
        (one.post_id, one.revision): one
        for one in session.exec(
            select(Screening).where(col(Screening.post_id).in_(ids)).order_by(col(Screening.sequence))
        )
    }
    decisions: dict[str, list[Decision]] = {}
    for decision in session.exec(
        select(Decision)
        .where(col(Decision.post_id).in_(ids))
        .order_by(col(Decision.decided_at), col(Decision.id))
    ):
        decisions.setdefault(decision.post_id, []).append(decision)
    for post in posts:
        screening = newest.get((post.id, post.revision))
        yield {
            "source": post.source,
            "external_id": post.external_id,
            "revision": post.revision,
            "kind": post.kind,
            "organisation": post.organisation,
            "created_at": post.created_at,
            "state": post.state,
            "category": post.category,
            "clause": CLAUSES[post.category].number if post.category else None,
            "verdict": screening.verdict if screening else None,
            "rulebook": screening.rulebook if screening else None,
            "bundle": screening.bundle if screening else None,
            "screened_at": screening.screened_at if screening else None,
            "decisions": [
                {
                    "revision": one.revision,
                    "action": one.action,
                    "category": one.category,
                    "machine_verdict": one.machine_verdict,
                    "decided_at": one.decided_at,
                }
                for one in decisions.get(post.id, [])
            ],
        }


def write(database: Database, organisation: str, out: IO[bytes], *, actor: str, now: datetime) -> int:
    """Write the export to `out` and an entry to the audit log; return the number of rows.

    Raises
    ------
    InvalidInput
        If there is no such place.
    """
    with database.transaction() as session:
        known_place(session, organisation)
        audit.record(
            session,
            now,
            actor=actor,
            action="posts.exported",
            subject=f"organisation:{organisation}",
            organisation=organisation,
        )
    count = 0
    for row in exported(database, organisation):
        out.write(orjson.dumps(row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
        count += 1
    return count


app = typer.Typer(invoke_without_command=True)
app.command()(training)


@app.callback()
def export(
    context: typer.Context,
    organisation: Annotated[str, typer.Option(help="The place; what is under it comes too.")] = "",
    out: Annotated[Path | None, typer.Option(help="A file; standard output if none is given.")] = None,
) -> None:
    """Write where posts stand and what was decided, without texts and authors."""
    if context.invoked_subcommand is not None:
        return
    if not organisation:
        raise typer.BadParameter("name a place", param_hint="--organisation")
    with open_service() as service:
        now, actor = datetime.now(UTC), operator().name
        if out is None:
            count = write(service.database, organisation, sys.stdout.buffer, actor=actor, now=now)
            sys.stdout.buffer.flush()
        else:
            with out.open("wb") as file:
                count = write(service.database, organisation, file, actor=actor, now=now)
    typer.echo(f"{count} posts", err=True)
