"""The rulebook's life: its editions, packs that were proposed, what rules did, back-tests and notices.

An edition says what holds on top of the packs and the policy that are files: which rules run in shadow
or are retired, which proposed packs and thresholds hold, which rules lost or won the right to remove by
themselves. Editions are only ever added; the newest holds, and a screening names it.

Nothing here holds the text of a post. A sample is a bounded list of identifiers and offsets.
"""

from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.base import Record, body, document, moment, word
from models.organisation import place_in_tree
from models.vocabulary import BacktestState


class RulebookEdition(SQLModel, table=True):
    """One edition. `content` is all that holds, so that going back is one new row."""

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    content: dict[str, Any] = document()
    action: str = Field(max_length=32)
    subject: str = Field(max_length=120)
    actor: str = Field(max_length=120)
    reason: str = body()
    made_at: datetime = moment()


class ProposedPack(SQLModel, table=True):
    """The YAML of a pack that somebody proposed, under the SHA-256 of its bytes."""

    digest: str = Field(primary_key=True, max_length=64)
    name: str = Field(max_length=64)
    source: str = body()
    proposed_by: str = Field(max_length=120)
    proposed_at: datetime = moment()


class RuleTally(Record, table=True):
    """How often something hit on one day: one row for each batch, folded into one a day later.

    `subject` is a rule's id, or what else runs in shadow. `answers` counts, for a subject in shadow, what
    it would have turned into what ("publish>hold"). `sample` are post ids, a few.
    """

    __table_args__ = (sa.Index("ix_rule_tally", "subject", "silent", "day"),)

    subject: str = Field(max_length=120)
    day: date
    silent: bool = False
    posts: int = 0
    answers: dict[str, int] = document()
    sample: list[str] = document(factory=list)


class Backtest(Record, table=True):
    """A candidate run over stored posts: how far it has come, and what it would have done.

    `cursor` is the last post that was judged, so that a run goes on where it stopped. `tallies` holds
    counts and the sample: post ids, revisions and offsets.
    """

    __table_args__ = (sa.Index("ix_backtest_due", "state", "created_at"),)

    organisation: str = place_in_tree()
    proposal: dict[str, Any] = document()
    since: datetime = moment()
    until: datetime = moment()
    state: BacktestState = word(BacktestState, default=BacktestState.WAITING)
    posts: int = 0
    judged: int = 0
    cursor: str = Field(default="", max_length=32)
    tallies: dict[str, Any] = document()
    rulebook: str = Field(default="", max_length=64)
    requested_by: str = Field(max_length=120)
    created_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)
    lease: str | None = Field(default=None, max_length=32)
    leased_until: datetime | None = moment(nullable=True)
    problem: str | None = body(nullable=True)


class RuleNotice(Record, table=True):
    """Something that the operators must know about the rulebook, shown until somebody has seen it."""

    organisation: str = place_in_tree()
    subject: str = Field(max_length=120)
    text: str = body()
    details: dict[str, Any] = document()
    raised_at: datetime = moment()
    seen_at: datetime | None = moment(nullable=True)
    seen_by: str | None = Field(default=None, max_length=120)
