"""Draw blind samples of what the machine decided, and follow up what officers answered.

Of automatic removals and of automatic publishes a share is drawn by a keyed lot, and golden items, whose
answer is known, are put among them (`golden_items`). They go through the queue as ordinary posts. The
author of a published post notices nothing: the post stays up while it is read.

Refuses: to draw a post about which a place in the queue is open.

Neighbours: `blind` shows and takes the answers, `quality` says what they come to, `outcomes` hands the
answers about removals to `automation`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from models.database import Database
from models.post import Post
from models.quality import QualitySample, SampleAnswer, SampleCursor, SampleFrame, SampleTask, SecondReading
from models.review import ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import HARMS, Action, PostState, SampleKind, SecondReason, Verdict
from moderation import exposure, knobs, second_reading
from moderation.golden_items import put_golden
from moderation.sample_places import AWAY, is_waiting, lot, place

BEHIND: Final = timedelta(minutes=2)
"""Screenings younger than this wait for the next round, so that none is passed over that is still written."""

BANDS: Final = ((0.05, "p<0.05"), (0.2, "p<0.20"), (0.5, "p<0.50"))
LAST_BAND: Final = "p>=0.50"
LIFT: Final[Mapping[str, int]] = MappingProxyType({"p<0.05": 1, "p<0.20": 10, "p<0.50": 30, LAST_BAND: 100})
"""How much oftener a published post is drawn than one of the lowest band."""

_FRAME: Final = SampleFrame.__table__  # type: ignore[attr-defined]
_INSERTS: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def band(probabilities: Mapping[str, float]) -> str:
    """Return the band of the highest probability of a harm; without any, the last, where one looks most."""
    values = [value for name, value in probabilities.items() if name in set(HARMS)]
    if not values:
        return LAST_BAND
    return next((name for bound, name in BANDS if max(values) < bound), LAST_BAND)


def chance(kind: SampleKind, stratum: str, organisation: str, found: knobs.Knobs) -> float:
    """Return the probability with which a verdict is drawn, in [0, 1]."""
    if kind is SampleKind.REMOVED:
        return found.value(knobs.REMOVED, organisation) / 100
    return min(1.0, LIFT[stratum] * found.value(knobs.PUBLISHED, organisation) / 10_000)


@dataclass(frozen=True, slots=True)
class DrawReport:
    """What one round looked at, drew, followed up and put in."""

    looked_at: int
    drawn: int
    settled: int
    golden: int


def sample_due(database: Database, key: bytes, now: datetime, *, limit: int = 2_000) -> DrawReport:
    """Draw from what was screened since the last round, and follow up what was answered. Safe to run twice.

    `key` makes the lots: with it anybody can draw the same sample again, and without it nobody foresees it.
    """
    looked_at = drawn = 0
    while True:
        with database.transaction() as session:
            looked, some = _draw(session, key, now, limit)
        looked_at, drawn = looked_at + looked, drawn + some
        if looked < limit:
            break
    with database.transaction() as session:
        settled = _settle(session, now)
    with database.transaction() as session:
        golden = put_golden(session, key, now)
    return DrawReport(looked_at, drawn, settled, golden)


def _draw(session: Session, key: bytes, now: datetime, limit: int) -> tuple[int, int]:
    cursor = session.exec(select(SampleCursor).where(col(SampleCursor.id) == 1).with_for_update()).first()
    if cursor is None:
        cursor = SampleCursor(last="")
        session.add(cursor)
        session.flush()
    # A removal by a later screening of the same text counts where it wrote its own statement.
    own_statement = (
        select(Statement.id)
        .where(col(Statement.screening_id) == col(Screening.id))
        .correlate(Screening)
        .exists()
    )
    rows = session.exec(
        select(Screening, Post)
        .join(Post, col(Post.id) == col(Screening.post_id))
        .where(
            col(Screening.id) > cursor.last,
            col(Screening.screened_at) <= now - BEHIND,
            col(Screening.verdict).in_([Verdict.REMOVE, Verdict.PUBLISH]),
            (col(Screening.sequence) == 1) | own_statement,
        )
        .order_by(col(Screening.id))
        .limit(limit)
    ).all()
    if not rows:
        return 0, 0
    rates = knobs.recorded(session, knobs.REMOVED, knobs.PUBLISHED, knobs.TWICE)
    frame: Counter[tuple[Any, ...]] = Counter()
    chosen: list[tuple[Screening, Post, SampleKind, str, float]] = []
    for screening, post in rows:
        kind = SampleKind.REMOVED if screening.verdict is Verdict.REMOVE else SampleKind.PUBLISHED
        stratum = str(screening.category) if kind is SampleKind.REMOVED else band(screening.probabilities)
        frame[exposure.day_of(screening.screened_at), post.organisation, kind, stratum] += 1
        likely = chance(kind, stratum, post.organisation, rates)
        if lot(key, "draw", screening.id) < likely:
            chosen.append((screening, post, kind, stratum, likely))
    _count(session, frame)
    drawn = sum(
        _open(session, key, screening, post, kind, stratum=stratum, likely=likely, rates=rates, now=now)
        for screening, post, kind, stratum, likely in chosen
    )
    cursor.last = rows[-1][0].id
    session.add(cursor)
    session.flush()
    return len(rows), drawn


def _count(session: Session, frame: Mapping[tuple[Any, ...], int]) -> None:
    connection = session.connection()
    for (day, organisation, kind, stratum), verdicts in sorted(frame.items()):
        insert: Any = _INSERTS[connection.dialect.name](_FRAME).values(
            day=day, organisation=organisation, kind=kind, stratum=stratum, verdicts=verdicts
        )
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=["day", "organisation", "kind", "stratum"],
                set_={"verdicts": _FRAME.c.verdicts + verdicts},
            )
        )


def _open(
    session: Session,
    key: bytes,
    screening: Screening,
    post: Post,
    kind: SampleKind,
    *,
    stratum: str,
    likely: float,
    rates: knobs.Knobs,
    now: datetime,
) -> bool:
    """Put a drawn post into the queue; False if it changed meanwhile, or waits there already."""
    stands = PostState.REMOVED if kind is SampleKind.REMOVED else PostState.PUBLISHED
    locked = session.exec(
        select(Post)
        .where(
            col(Post.id) == post.id,
            col(Post.state) == stands,
            col(Post.revision) == screening.revision,
        )
        .with_for_update(skip_locked=True)
    ).first()
    if locked is None or is_waiting(session, post.id):
        return False
    sample = QualitySample(
        kind=kind,
        post_id=post.id,
        revision=screening.revision,
        screening_id=screening.id,
        organisation=post.organisation,
        stratum=stratum,
        chance=likely,
        twice=lot(key, "twice", screening.id) < rates.value(knobs.TWICE, post.organisation) / 100,
        drawn_at=now,
    )
    place(session, sample, screening, now)
    return True


def _settle(session: Session, now: datetime, *, limit: int = 500) -> int:
    """Follow up the answers that can no longer be undone."""
    rows = session.exec(
        select(SampleAnswer, QualitySample, ReviewTask)
        .join(QualitySample, col(QualitySample.id) == col(SampleAnswer.sample_id))
        .join(ReviewTask, col(ReviewTask.id) == col(SampleAnswer.task_id))
        .where(col(SampleAnswer.settled).is_(False), col(SampleAnswer.leaves_at) <= now)
        .order_by(col(QualitySample.post_id), col(SampleAnswer.answered_at))
        .limit(limit)
        .with_for_update(of=SampleAnswer, skip_locked=True)
    ).all()
    for answer, sample, task in rows:
        if sample.kind is SampleKind.PUBLISHED:
            _after_published(session, answer, sample, task, now)
        if sample.twice and sample.kind is not SampleKind.GOLDEN:
            _read_again(session, answer, sample, now)
        answer.settled = True
        session.add(answer)
    session.flush()
    return len(rows)


def _after_published(
    session: Session, answer: SampleAnswer, sample: QualitySample, task: ReviewTask, now: datetime
) -> None:
    if answer.action is not Action.REMOVE or answer.category is None:
        if sample.harmful is None:
            sample.harmful = False
            session.add(sample)
        return
    post = session.get_one(Post, sample.post_id)
    if post.state is not PostState.PUBLISHED or post.revision != sample.revision:
        return
    proposed = session.exec(
        select(SecondReading.id)
        .join(SampleTask, col(SampleTask.task_id) == col(SecondReading.task_id))
        .where(col(SampleTask.sample_id) == sample.id, col(SecondReading.why) == SecondReason.SAMPLED)
    ).first()
    if proposed is None:
        sample.harmful = None
        session.add(sample)
        second_reading.propose(
            session,
            task,
            answer.account_id,
            SecondReason.SAMPLED,
            category=answer.category,
            reason=answer.reason,
            now=now,
        )


def _read_again(session: Session, answer: SampleAnswer, sample: QualitySample, now: datetime) -> None:
    """Open the place for the second reader, and keep it from the first."""
    readings = session.exec(
        select(func.count()).select_from(SampleTask).where(col(SampleTask.sample_id) == sample.id)
    ).one()
    post = session.get_one(Post, sample.post_id)
    if readings > 1 or post.revision != sample.revision or post.state is PostState.DELETED:
        return
    if is_waiting(session, post.id):
        return
    task = place(session, sample, session.get_one(Screening, sample.screening_id), now)
    exposure.keep_from(session, task.id, answer.account_id, now + AWAY)
