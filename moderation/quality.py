"""How good the machine and the officers are: blind samples are drawn here, and estimated from.

Of automatic removals and of automatic publishes a share is drawn by a keyed lot, and golden items, whose
answer is known, are put among them. They go through the queue as ordinary posts. From the answers come the
precision of removals by rule and category, the harm that was missed among published posts, an officer's
agreement with the golden items, and the agreement between officers.

The author of a published post notices nothing: the post stays up while it is read.

Refuses: a table of officers in any order but that of their names; and to draw a post about which a place
in the queue is open.

Neighbours: `blind` shows and takes the answers, `estimates` and `agreement` are the arithmetic, `outcomes`
hands the answers about removals to `automation`.
"""

import hashlib
import hmac
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
import yaml
from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from models import audit
from models.account import Account
from models.base import new_id
from models.database import Database
from models.errors import Conflict, InvalidInput, NotFound
from models.organisation import is_under, under
from models.post import Post, PostRevision
from models.quality import (
    GoldenItem,
    QualitySample,
    SampleAnswer,
    SampleCursor,
    SampleFrame,
    SampleTask,
    SecondReading,
)
from models.review import Decision, ReviewTask, Statement
from models.screening import Screening
from models.vocabulary import (
    HARMS,
    Action,
    Category,
    PostKind,
    PostState,
    SampleKind,
    SecondReason,
    TaskState,
    Verdict,
)
from moderation import exposure, knobs, second_reading
from moderation.agreement import krippendorff_alpha
from moderation.estimates import Missed, Stratum, missed_harm
from moderation.outcomes import Judgement, precisions
from moderation.precision import Precision
from moderation.screening import DUE_AFTER, RULE_NAME, URGENCY

BEHIND: Final = timedelta(minutes=2)
"""Screenings younger than this wait for the next round, so that none is passed over that is still written."""

BANDS: Final = ((0.05, "p<0.05"), (0.2, "p<0.20"), (0.5, "p<0.50"))
LAST_BAND: Final = "p>=0.50"
LIFT: Final[Mapping[str, int]] = MappingProxyType({"p<0.05": 1, "p<0.20": 10, "p<0.50": 30, LAST_BAND: 100})
"""How much oftener a published post is drawn than one of the lowest band."""

GOLDEN_SOURCE: Final = "tingjian.golden"
NEVER: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""When an invented text was screened: it never was, and no month counts it."""

AWAY: Final = timedelta(days=30)
SHIPPED: Final = Path(__file__).parent / "golden" / "items.yaml"
GOLDEN_AT_ONCE: Final = 3
_FRAME: Final = SampleFrame.__table__  # type: ignore[attr-defined]
_INSERTS: Final = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def lot(key: bytes, use: str, identifier: str) -> float:
    """Return a number in [0, 1) that hangs on the key, the use and the identifier alone."""
    digest = hmac.digest(key, f"{use}\x00{identifier}".encode(), "sha256")
    return int.from_bytes(digest[:8]) / 2**64


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
        golden = _put_golden(session, key, now)
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
    if locked is None or _waits(session, post.id):
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
    _place(session, sample, screening, now)
    return True


def _waits(session: Session, post_id: str) -> bool:
    return (
        session.exec(
            select(ReviewTask.id).where(
                col(ReviewTask.post_id) == post_id, col(ReviewTask.state) == TaskState.OPEN
            )
        ).first()
        is not None
    )


def _place(session: Session, sample: QualitySample, screening: Screening, now: datetime) -> ReviewTask:
    """Open a place in the queue that looks like any other."""
    category = _likeliest(sample, screening)
    rule = screening.reasons[0]["rule"] if screening.reasons else screening.bundle
    task = ReviewTask(
        post_id=sample.post_id,
        screening_id=screening.id,
        organisation=sample.organisation,
        category=category,
        urgency=URGENCY[category],
        rule=rule[:RULE_NAME] if rule else None,
        due_at=now + DUE_AFTER[URGENCY[category]],
        created_at=now,
    )
    session.add_all([sample, task])
    session.flush()
    session.add(SampleTask(task_id=task.id, sample_id=sample.id))
    session.flush()
    return task


def _likeliest(sample: QualitySample, screening: Screening) -> Category:
    """Return a category under which the post could wait: the machine's own, or the likeliest harm."""
    if screening.category in HARMS:
        return Category(screening.category)
    known = {word: screening.probabilities.get(word.value, 0.0) for word in HARMS}
    if any(known.values()):
        return max(HARMS, key=lambda word: known[word])
    number = int.from_bytes(hashlib.sha256(sample.post_id.encode()).digest()[:4])
    return HARMS[number % len(HARMS)]


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
    if _waits(session, post.id):
        return
    task = _place(session, sample, session.get_one(Screening, sample.screening_id), now)
    exposure.keep_from(session, task.id, answer.account_id, now + AWAY)


# Golden items


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
    if post is None or post.state is PostState.DELETED or not _reaches(scope, post.organisation):
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
    if item is None or not _reaches(scope, item.organisation):
        raise NotFound("there is no such golden item")
    if item.retired_at is None:
        item.retired_at = now
        session.add(item)
        session.flush()
        _note_golden(session, item, "golden.retired", actor, now)
    return item


def golden_items(session: Session, scope: Sequence[str]) -> list[GoldenItem]:
    """Return the golden items within the scope, newest first."""
    return list(
        session.exec(
            select(GoldenItem)
            .where(_within(GoldenItem.organisation, scope))
            .order_by(col(GoldenItem.added_at).desc(), col(GoldenItem.id).desc())
        )
    )


def _reaches(scope: Sequence[str], organisation: str) -> bool:
    return any(is_under(organisation, root) for root in scope)


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


def _put_golden(session: Session, key: bytes, now: datetime) -> int:
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
    free = [row for row in rows if not _waits(session, row[0].post_id)]
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
    task = _place(session, sample, screening, now)
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


# What the answers say


@dataclass(frozen=True, slots=True)
class Figures:
    """What the blind looks of a period say about a scope. No officer is named.

    `by_rule` and `by_category` are the precision of automatic removals. `missed` is None where nothing was
    published. `referrals` counts published samples in which an officer found a person in danger.
    `alpha` is over `alpha_posts` posts that at least two officers read.
    """

    since: datetime
    by_rule: Mapping[str, Precision]
    by_category: Mapping[Category, Precision]
    missed: Missed | None
    strata: tuple[Stratum, ...]
    referrals: int
    alpha: float | None
    alpha_posts: int
    waiting: int


def figures(session: Session, scope: Sequence[str], *, since: datetime, now: datetime) -> Figures:
    """Return the figures of the blind looks that were drawn since then."""
    answered = _answers(session, scope, since, now)
    removed = [
        (answer, sample, reasons, category)
        for answer, sample, reasons, category in answered
        if sample.kind is SampleKind.REMOVED
    ]
    first: dict[str, Any] = {}
    for row in removed:
        first.setdefault(row[1].id, row)
    judged = [
        Judgement(sample.post_id, sample.revision, answer.action, answer.category, tuple(reasons))
        for answer, sample, reasons, _ in first.values()
    ]
    by_category: dict[Category, Precision] = {}
    for judgement, (_, _, _, category) in zip(judged, first.values(), strict=True):
        right = judgement.is_right(category) if category else None
        if right is not None and category:
            by_category[category] = by_category.get(category, Precision()) + Precision(
                int(right), int(not right)
            )
    strata = _strata(session, scope, since)
    units = _units(answered)
    return Figures(
        since=since,
        by_rule=precisions(judged),
        by_category=by_category,
        missed=missed_harm(strata),
        strata=strata,
        referrals=len(
            {
                sample.id
                for answer, sample, *_ in answered
                if sample.kind is SampleKind.PUBLISHED and answer.action is Action.REFER
            }
        ),
        alpha=krippendorff_alpha(units),
        alpha_posts=sum(len(unit) > 1 for unit in units),
        waiting=_waiting(session, scope),
    )


def _within(column: Any, scope: Sequence[str]) -> sa.ColumnElement[bool]:  # noqa: ANN401 - a mapped column
    return sa.or_(sa.false(), *(under(column, root) for root in scope))


def _answers(
    session: Session, scope: Sequence[str], since: datetime, now: datetime
) -> list[tuple[SampleAnswer, QualitySample, list[dict[str, Any]], Category | None]]:
    """Return the answers that can no longer be undone, the earliest first."""
    return [
        tuple(row)  # type: ignore[misc]
        for row in session.exec(
            select(SampleAnswer, QualitySample, Screening.reasons, Screening.category)
            .join(QualitySample, col(QualitySample.id) == col(SampleAnswer.sample_id))
            .join(Screening, col(Screening.id) == col(QualitySample.screening_id))
            .where(
                _within(QualitySample.organisation, scope),
                col(QualitySample.drawn_at) >= since,
                col(SampleAnswer.leaves_at) <= now,
            )
            .order_by(col(SampleAnswer.answered_at), col(SampleAnswer.id))
        )
    ]


def _strata(session: Session, scope: Sequence[str], since: datetime) -> tuple[Stratum, ...]:
    """Return how many posts were published in each band, how many of them were judged, and found harmful."""
    posts = dict(
        session.exec(
            select(SampleFrame.stratum, func.sum(SampleFrame.verdicts))
            .where(
                _within(SampleFrame.organisation, scope),
                col(SampleFrame.kind) == SampleKind.PUBLISHED,
                col(SampleFrame.day) >= exposure.day_of(since),
            )
            .group_by(col(SampleFrame.stratum))
        ).all()
    )
    judged: Counter[str] = Counter()
    harmful: Counter[str] = Counter()
    for stratum, was_harmful, count in session.exec(
        select(QualitySample.stratum, QualitySample.harmful, func.count())
        .where(
            _within(QualitySample.organisation, scope),
            col(QualitySample.kind) == SampleKind.PUBLISHED,
            col(QualitySample.drawn_at) >= since,
            col(QualitySample.harmful).is_not(None),
        )
        .group_by(col(QualitySample.stratum), col(QualitySample.harmful))
    ).all():
        judged[stratum] += count
        harmful[stratum] += count if was_harmful else 0
    return tuple(
        Stratum(name, max(int(posts.get(name, 0)), judged[name]), judged[name], harmful[name])
        for name in LIFT
        if posts.get(name) or judged[name]
    )


def _units(answered: Iterable[tuple[Any, ...]]) -> list[list[str]]:
    """Return the answers about each post, each officer's first."""
    by_post: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for answer, sample, *_ in answered:
        said = f"{answer.action.value}:{answer.category.value if answer.category else ''}"
        by_post[sample.post_id].setdefault(answer.account_id, said)
    return [list(one.values()) for one in by_post.values()]


def _waiting(session: Session, scope: Sequence[str]) -> int:
    return session.exec(
        select(func.count())
        .select_from(SampleTask)
        .join(ReviewTask, col(ReviewTask.id) == col(SampleTask.task_id))
        .where(col(ReviewTask.state) == TaskState.OPEN, _within(ReviewTask.organisation, scope))
    ).one()


@dataclass(frozen=True, slots=True)
class OfficerGolden:
    """How often one officer's answers were those of the golden items."""

    account_id: str
    name: str
    agreed: Precision


def golden_agreement(
    session: Session,
    *,
    since: datetime,
    now: datetime,
    officer: str | None = None,
    scope: Sequence[str] | None = None,
) -> list[OfficerGolden]:
    """Return officers' agreement with the golden items, in the order of names; of one, or of a scope."""
    wanted = [
        col(QualitySample.kind) == SampleKind.GOLDEN,
        col(SampleAnswer.answered_at) >= since,
        col(SampleAnswer.leaves_at) <= now,
    ]
    if officer is not None:
        wanted.append(col(SampleAnswer.account_id) == officer)
    if scope is not None:
        wanted.append(_within(QualitySample.organisation, scope))
    found: dict[tuple[str, str], Precision] = {}
    for answer, sample, name in session.exec(
        select(SampleAnswer, QualitySample, Account.name)
        .join(QualitySample, col(QualitySample.id) == col(SampleAnswer.sample_id))
        .join(Account, col(Account.id) == col(SampleAnswer.account_id))
        .where(*wanted)
    ):
        right = answer.action is sample.expected and (
            answer.action is not Action.REMOVE or answer.category is sample.expected_category
        )
        key = (name, answer.account_id)
        found[key] = found.get(key, Precision()) + Precision(int(right), int(not right))
    return [OfficerGolden(account, name, agreed) for (name, account), agreed in sorted(found.items())]
