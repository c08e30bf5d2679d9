"""Write what officers decided as rows that a bundle can learn from.

A place must consent first: the setting `learning_consent` is off everywhere until somebody turns it on
at a node, with a reason, and it holds for what lies under it unless a nearer node says otherwise. Of a
consenting place's posts a row has two things: the text with whatever leads to a person taken out, and
the category that people found, or none. Authors and officers are numbers within one file, drawn anew
each time, so that no two files can be laid side by side.

What counts is the last word: a decided objection overrides every decision before it. A post that was
decided both ways with no such word is left out, and so is a decision that can still be undone. A
deleted post is never written, nor are words that their author has edited away. A fifth of the authors,
by a keyed hash, is held back from teaching in every export alike.

Neighbours: `commands/export_training` calls this; `learning/training/officers` reads the rows;
`adjustments` changes the setting; `alerts/redaction` takes people out of texts.
"""

import hmac
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, or_, select

from alerts.redaction import redact
from api.accounts import known_place
from models import audit
from models.database import Database
from models.demand import Setting
from models.organisation import ancestors, under
from models.post import Post, PostRevision
from models.review import Appeal, Decision, Statement
from models.vocabulary import Action, AppealState, Category, PostState

CONSENT_KEY: Final = "learning_consent"
PAGE: Final = 500
HELD_BACK: Final = 0.2
"""Share of the authors whose posts never teach."""


@dataclass(frozen=True, slots=True)
class Word:
    """What one person found about one content of a post. `overrides`: it is a decided objection."""

    at: datetime
    officer: str
    category: Category | None
    overrides: bool = False


@dataclass(slots=True)
class Written:
    """How many rows were written, and how many posts were left out and why."""

    rows: int = 0
    contradicted: int = 0
    without_consent: int = 0


@dataclass
class _Pseudonyms:
    """Numbers for people within one file, in an order that says nothing about them."""

    salt: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    numbers: dict[str, int] = field(default_factory=dict)
    taken: set[int] = field(default_factory=set)

    def number(self, of: str) -> int:
        """Return the number of somebody, the same within this file."""
        if of not in self.numbers:
            number = int.from_bytes(hmac.digest(self.salt, of.encode(), "sha256")[:6], "big")
            while number in self.taken:
                number += 1
            self.numbers[of] = number
            self.taken.add(number)
        return self.numbers[of]


def last_word(words: Sequence[Word]) -> Word | None:
    """Return what people found in the end, or None if they contradict each other."""
    ordered = sorted(words, key=lambda word: word.at)
    begin = max((place for place, word in enumerate(ordered) if word.overrides), default=0)
    counting = ordered[begin:]
    return counting[-1] if len({word.category for word in counting}) == 1 else None


def consents(session: Session) -> dict[str, bool]:
    """Return what each node that has the setting says."""
    rows = session.exec(
        select(Setting).where(Setting.key == CONSENT_KEY).order_by(col(Setting.changed_at), col(Setting.id))
    )
    return {row.organisation: row.value == 1 for row in rows}


def has_consented(found: Mapping[str, bool], organisation: str) -> bool:
    """Return what holds at a place: the word of the nearest node that has one, and otherwise no."""
    return next((found[path] for path in ancestors(organisation) if path in found), False)


def is_held_back(key: bytes, author: str) -> bool:
    """Tell whether an author's posts only judge. The same in every export of this service."""
    drawn = int.from_bytes(hmac.digest(key, author.encode(), "sha256")[:4], "big")
    return drawn < HELD_BACK * 2**32


def training_rows(
    database: Database, organisation: str, *, key: bytes, now: datetime, written: Written
) -> Iterator[dict[str, Any]]:
    """Yield a row for every reviewed post at and under `organisation` that may be learnt from.

    `key` draws who is held back; `written` is counted up on the way.
    """
    people = _Pseudonyms()
    after = ""
    while True:
        with database.reading() as session:
            agreed = consents(session)
            posts = session.exec(
                select(Post)
                .where(
                    under(Post.organisation, organisation),
                    col(Post.id) > after,
                    col(Post.state) != PostState.DELETED,
                    or_(
                        col(Post.id).in_(select(Decision.post_id)),
                        col(Post.id).in_(
                            select(Statement.post_id)
                            .join(Appeal, col(Appeal.statement_id) == col(Statement.id))
                            .where(col(Appeal.state) != AppealState.OPEN)
                        ),
                    ),
                )
                .order_by(col(Post.id))
                .limit(PAGE)
            ).all()
            willing = [post for post in posts if has_consented(agreed, post.organisation)]
            written.without_consent += len(posts) - len(willing)
            for post, text, words in _reviewed(session, willing, now):
                word = last_word(words)
                if word is None:
                    written.contradicted += 1
                    continue
                written.rows += 1
                yield {
                    "text": redact(text),
                    "category": word.category,
                    "author": people.number(post.author),
                    "officer": people.number(word.officer),
                    "held_back": is_held_back(key, post.author),
                    "exported_at": now,
                }
        if len(posts) < PAGE:
            return
        after = posts[-1].id


def _reviewed(
    session: Session, posts: Sequence[Post], now: datetime
) -> Iterator[tuple[Post, str, list[Word]]]:
    """Yield each of these posts whose present content somebody judged, with what was said about it."""
    by_id = {post.id: post for post in posts}
    ids = list(by_id)
    said: defaultdict[tuple[str, int], list[Word]] = defaultdict(list)
    for decision in session.exec(
        select(Decision).where(
            col(Decision.post_id).in_(ids),
            or_(col(Decision.leaves_at).is_(None), col(Decision.leaves_at) <= now),
        )
    ):
        said[decision.post_id, decision.revision].append(
            Word(decision.decided_at, decision.account_id, _found(decision))
        )
    for appeal, statement in session.exec(
        select(Appeal, Statement)
        .join(Statement, col(Statement.id) == col(Appeal.statement_id))
        .where(col(Statement.post_id).in_(ids), col(Appeal.state) != AppealState.OPEN)
    ):
        # A hold that goes on without a rule says neither that there is a harm nor that there is none.
        says = appeal.state is AppealState.REVERSED or statement.category is not None
        if says and appeal.decided_at is not None and appeal.decided_by is not None:
            found = None if appeal.state is AppealState.REVERSED else statement.category
            said[statement.post_id, statement.revision].append(
                Word(appeal.decided_at, appeal.decided_by, found, overrides=True)
            )
    for revision in session.exec(
        select(PostRevision)
        .where(col(PostRevision.post_id).in_(ids))
        .order_by(col(PostRevision.post_id), col(PostRevision.revision))
    ):
        words = said.get((revision.post_id, revision.revision))
        post = by_id[revision.post_id]
        if words and revision.text and revision.revision == post.revision:
            yield post, revision.text, words


def _found(decision: Decision) -> Category | None:
    """Return what a decision says about the post; a publication says that there is no harm."""
    return None if decision.action is Action.PUBLISH else decision.category


def note_export(database: Database, organisation: str, *, actor: str, now: datetime) -> None:
    """Put the export on the audit log, before the first row of it.

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
            action="training_rows.exported",
            subject=f"organisation:{organisation}",
            organisation=organisation,
        )
