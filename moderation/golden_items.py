"""Golden items: posts whose right answer is known, put among the others to see how well officers read.

Some are posts that an administrator chose; the rest are invented texts that come with the service. Those
are of a source that no platform has, stand nowhere, and are screened by nothing.

Neighbours: `drawing` puts them in with every round, `sample_places` is where they wait, `quality` says how
often officers agreed with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import yaml
from sqlalchemy import func
from sqlmodel import Session, col, select

from models import audit
from models.base import new_id
from models.errors import Conflict, InvalidInput, NotFound
from models.organisation import reaches, within
from models.post import Post, PostRevision
from models.quality import GoldenItem, QualitySample, SampleAnswer
from models.review import Decision, ReviewTask
from models.screening import Screening
from models.vocabulary import HARMS, Action, Category, PostKind, PostState, SampleKind, Verdict
from moderation import exposure, knobs
from moderation.sample_places import AWAY, is_waiting, lot, place

GOLDEN_SOURCE: Final = "tingjian.golden"
NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""When an invented text was screened: it never was, and no month counts it."""

SHIPPED: Final = Path(__file__).parent / "golden" / "items.yaml"
GOLDEN_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Golden:
    """An invented text and its right answer."""

    text: str
    action: Action
    category: Category | None


@cache
def shipped() -> tuple[Golden, ...]:
    """Return the invented texts that come with the service."""
    entries = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    return tuple(
        Golden(
            one["text"],
            Action(one["action"]),
            Category(one["category"]) if one.get("category") else None,
        )
        for one in entries
    )


def add_golden(
    session: Session,
    post_id: str,
    expected: Action,
    category: Category | None,
    *,
    scope: Sequence[str],
    actor: str,
    now: datetime,
) -> GoldenItem:
    """Make a post a golden item with its right answer.

    Raises
    ------
    NotFound
        If there is no such post within the scope, or its text is gone.
    InvalidInput
        If a removal names no harm, or another answer names one.
    Conflict
        `golden_already`, if it is one.
    """
    if (expected is Action.REMOVE) != (category in HARMS):
        raise InvalidInput("a removal names a harm, and nothing else does", field="/category")
    post = session.get(Post, post_id)
    if post is None or post.state is PostState.DELETED or not reaches(scope, post.organisation):
        raise NotFound("there is no such post")
    if session.exec(select(GoldenItem.id).where(col(GoldenItem.post_id) == post.id)).first():
        raise Conflict("it is a golden item already", code="golden_already")
    item = GoldenItem(
        post_id=post.id,
        organisation=post.organisation,
        expected=expected,
        expected_category=category,
        added_by=actor,
        added_at=now,
    )
    session.add(item)
    session.flush()
    _note_golden(session, item, "golden.added", actor, now)
    return item


def retire_golden(
    session: Session, item_id: str, *, scope: Sequence[str], actor: str, now: datetime
) -> GoldenItem:
    """Put a golden item into the queue no more.

    Raises
    ------
    NotFound
        If there is none within the scope.
    """
    item = session.get(GoldenItem, item_id)
    if item is None or not reaches(scope, item.organisation):
        raise NotFound("there is no such golden item")
    if item.retired_at is None:
        item.retired_at = now
        session.add(item)
        session.flush()
        _note_golden(session, item, "golden.retired", actor, now)
    return item


def listed(session: Session, scope: Sequence[str]) -> list[GoldenItem]:
    """Return the golden items within the scope, newest first."""
    return list(
        session.exec(
            select(GoldenItem)
            .where(within(GoldenItem.organisation, scope))
            .order_by(col(GoldenItem.added_at).desc(), col(GoldenItem.id).desc())
        )
    )


def _note_golden(session: Session, item: GoldenItem, action: str, actor: str, now: datetime) -> None:
    audit.record(
        session,
        now,
        actor=actor,
        action=action,
        subject=f"post:{item.post_id}",
        organisation=item.organisation,
        details={
            "golden": item.id,
            "expected": item.expected.value,
            "category": item.expected_category.value if item.expected_category else None,
        },
    )


def put_golden(session: Session, key: bytes, now: datetime) -> int:
    """Put golden items among the posts of every place where officers decided today, as many as are asked."""
    midnight = now.astimezone(exposure.SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    today = midnight.astimezone(UTC)
    decided = session.exec(
        select(ReviewTask.organisation, func.count())
        .join(Decision, col(Decision.task_id) == col(ReviewTask.id))
        .where(col(Decision.decided_at) >= today)
        .group_by(col(ReviewTask.organisation))
        .order_by(col(ReviewTask.organisation))
    ).all()
    shares = knobs.recorded(session, knobs.GOLDEN)
    put = 0
    for organisation, decisions in decided:
        wanted = decisions * shares.value(knobs.GOLDEN, organisation) // 100
        have = session.exec(
            select(func.count())
            .select_from(QualitySample)
            .where(
                col(QualitySample.kind) == SampleKind.GOLDEN,
                col(QualitySample.organisation) == organisation,
                col(QualitySample.drawn_at) >= today,
            )
        ).one()
        for _ in range(min(wanted - have, GOLDEN_AT_ONCE)):
            put += _put_one(session, key, organisation, now)
    return put


def _put_one(session: Session, key: bytes, organisation: str, now: datetime) -> bool:
    """Put the item that was put longest ago; lots decide between those that never were."""
    plant_golden(session, organisation, now)
    last = (
        select(col(QualitySample.post_id), func.max(QualitySample.drawn_at).label("at"))
        .where(col(QualitySample.kind) == SampleKind.GOLDEN)
        .group_by(col(QualitySample.post_id))
        .subquery()
    )
    rows = session.exec(
        select(GoldenItem, Screening, last.c.at)
        .join(Post, col(Post.id) == col(GoldenItem.post_id))
        .join(
            Screening,
            (col(Screening.post_id) == col(Post.id)) & (col(Screening.revision) == col(Post.revision)),
        )
        .join(
            PostRevision,
            (col(PostRevision.post_id) == col(Post.id)) & (col(PostRevision.revision) == col(Post.revision)),
        )
        .outerjoin(last, last.c.post_id == col(GoldenItem.post_id))
        .where(
            col(GoldenItem.organisation) == organisation,
            col(GoldenItem.retired_at).is_(None),
            col(PostRevision.text).is_not(None),
        )
    ).all()
    free = [row for row in rows if not is_waiting(session, row[0].post_id)]
    if not free:
        return False
    item, screening, _ = min(
        free, key=lambda row: (row[2] or NEVER, lot(key, f"golden/{now.date()}", row[0].id))
    )
    sample = QualitySample(
        kind=SampleKind.GOLDEN,
        post_id=item.post_id,
        revision=screening.revision,
        screening_id=screening.id,
        organisation=organisation,
        stratum="golden",
        chance=1.0,
        expected=item.expected,
        expected_category=item.expected_category,
        drawn_at=now,
    )
    task = place(session, sample, screening, now)
    for account in session.exec(
        select(SampleAnswer.account_id)
        .join(QualitySample, col(QualitySample.id) == col(SampleAnswer.sample_id))
        .where(
            col(QualitySample.post_id) == item.post_id,
            col(QualitySample.kind) == SampleKind.GOLDEN,
            col(SampleAnswer.answered_at) > now - AWAY,
        )
        .distinct()
    ).all():
        exposure.keep_from(session, task.id, account, now + AWAY)
    return True


def plant_golden(session: Session, organisation: str, now: datetime) -> int:
    """Put the invented texts on record for a place, once; return how many were new.

    They are of a source that no platform has and stand nowhere: their state is that of a deleted post, so
    that nothing reads, counts or publishes them. They are screened by nothing.
    """
    if session.exec(
        select(Post.id)
        .where(col(Post.source) == GOLDEN_SOURCE, col(Post.organisation) == organisation)
        .limit(1)
    ).first():
        return 0
    for number, one in enumerate(shipped()):
        post = Post(
            source=GOLDEN_SOURCE,
            external_id=f"{organisation}:{number}"[-200:],
            revision=1,
            kind=PostKind.COMMENT,
            organisation=organisation,
            author="",
            state=PostState.DELETED,
            created_at=now,
            received_at=NEVER,
            read_revision=1,
        )
        session.add(post)
        session.flush()
        screening = Screening(
            post_id=post.id,
            revision=1,
            verdict=Verdict.HOLD,
            category=one.category,
            reasons=[],
            probabilities={},
            rulebook="golden",
            policy="golden",
            screened_at=NEVER,
        )
        session.add(screening)
        session.add(
            PostRevision(post_id=post.id, revision=1, text=one.text, fingerprint=new_id(), received_at=NEVER)
        )
        session.add(
            GoldenItem(
                post_id=post.id,
                organisation=organisation,
                expected=one.action,
                expected_category=one.category,
                added_by="shipped",
                added_at=now,
            )
        )
    session.flush()
    return len(shipped())
