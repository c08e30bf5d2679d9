"""How good the machine and the officers are: what the answers about blind samples say.

From the answers come the precision of removals by rule and category, the harm that was missed among
published posts, an officer's agreement with the golden items, and the agreement between officers. Only
answers that can no longer be undone count.

Refuses: a table of officers in any order but that of their names.

Neighbours: `drawing` draws the samples, `blind` takes the answers, `estimates` and `agreement` are the
arithmetic.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from models.account import Account
from models.organisation import within
from models.quality import QualitySample, SampleAnswer, SampleFrame, SampleTask
from models.review import ReviewTask
from models.screening import Screening
from models.vocabulary import Action, Category, SampleKind, TaskState
from moderation import exposure
from moderation.agreement import krippendorff_alpha
from moderation.drawing import LIFT
from moderation.estimates import Missed, Stratum, missed_harm
from moderation.outcomes import Judgement, precisions
from moderation.precision import Precision


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
                within(QualitySample.organisation, scope),
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
                within(SampleFrame.organisation, scope),
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
            within(QualitySample.organisation, scope),
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
        .where(col(ReviewTask.state) == TaskState.OPEN, within(ReviewTask.organisation, scope))
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
        wanted.append(within(QualitySample.organisation, scope))
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
