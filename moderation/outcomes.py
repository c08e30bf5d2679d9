"""What people decided about the posts that a rule spoke against: the evidence for and against the rule.

A rule is right about a post if a person removed it under the rule's own category (referred it, for
self-harm), and wrong if a person published it or removed it for something else. A referral says nothing
for or against a rule on harm. An objection that was granted makes every reason of the decision wrong;
one against a machine's removal that was turned down makes its reason right. A decision that can still be
undone is not counted yet.

Refuses: to know who decided, or who wrote. It counts posts by subject: a rule's id, or the probability of
a category (`policy.by_probability`).

Neighbours: `precision` turns counts into bounds; `automation`, `backtest` and the public list ask.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlmodel import Session, col, or_, select, true

from models.quality import QualitySample, SampleAnswer
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import Action, AppealState, Category, ReasonSource, SampleKind
from moderation.policy import by_probability
from moderation.precision import Precision


@dataclass(frozen=True, slots=True)
class Judgement:
    """What people finally said about one revision of a post, and the machine's reasons at that time.

    `category` is the clause of a removal; None where the post was published.
    """

    post_id: str
    revision: int
    action: Action
    category: Category | None
    reasons: tuple[Mapping[str, Any], ...]

    def is_right(self, category: Category) -> bool | None:
        """Tell whether a reason under `category` was right; None where the judgement does not say."""
        if self.action is Action.REFER:
            return True if category is Category.SELF_HARM else None
        return self.action is Action.REMOVE and self.category is category


Posts = Collection[str] | None
Source = Callable[[Session, datetime, datetime, Posts], Iterable[Judgement]]
"""Gives the judgements of a period, `since` inclusive to `now`, about some posts or about all.

A later source overrules an earlier one.
"""


def decided(session: Session, since: datetime, now: datetime, posts: Posts = None) -> Iterator[Judgement]:
    """Give what officers decided in the queue, later decisions after earlier ones."""
    rows = session.exec(
        select(Decision, Screening.reasons)
        .join(Screening, col(Screening.id) == col(Decision.screening_id))
        .where(
            col(Decision.decided_at) >= since,
            or_(col(Decision.leaves_at).is_(None), col(Decision.leaves_at) <= now),
            true() if posts is None else col(Decision.post_id).in_(posts),
        )
        .order_by(col(Decision.decided_at), col(Decision.id))
        .execution_options(yield_per=1_000)
    )
    for decision, reasons in rows:
        yield Judgement(
            decision.post_id, decision.revision, decision.action, decision.category, tuple(reasons)
        )


def appealed(session: Session, since: datetime, now: datetime, posts: Posts = None) -> Iterator[Judgement]:
    """Give what came of objections: all that were granted, and those against a machine's own removal."""
    del now  # an objection that is decided is final
    rows = session.exec(
        select(Statement, Appeal.state, Screening.reasons)
        .join(Appeal, col(Appeal.statement_id) == col(Statement.id))
        .join(Screening, col(Screening.id) == col(Statement.screening_id))
        .where(
            col(Appeal.decided_at) >= since,
            true() if posts is None else col(Statement.post_id).in_(posts),
        )
        .order_by(col(Appeal.decided_at), col(Appeal.id))
        .execution_options(yield_per=1_000)
    )
    for statement, state, reasons in rows:
        if state is AppealState.REVERSED:
            yield Judgement(statement.post_id, statement.revision, Action.PUBLISH, None, tuple(reasons))
        elif state is AppealState.UPHELD and statement.automated_decision and statement.category:
            yield Judgement(
                statement.post_id, statement.revision, Action.REMOVE, statement.category, tuple(reasons)
            )


def sampled(session: Session, since: datetime, now: datetime, posts: Posts = None) -> Iterator[Judgement]:
    """Give the removals by a machine that an officer, reading them blind, would have made as well.

    One that the officer would not have made was taken back by a decision, which `decided` gives.
    """
    rows = session.exec(
        select(SampleAnswer, QualitySample, Screening.reasons)
        .join(QualitySample, col(QualitySample.id) == col(SampleAnswer.sample_id))
        .join(Screening, col(Screening.id) == col(QualitySample.screening_id))
        .where(
            col(QualitySample.kind) == SampleKind.REMOVED,
            col(SampleAnswer.decision_id).is_(None),
            col(SampleAnswer.action) == Action.REMOVE,
            col(SampleAnswer.answered_at) >= since,
            col(SampleAnswer.leaves_at) <= now,
            true() if posts is None else col(QualitySample.post_id).in_(posts),
        )
        .order_by(col(SampleAnswer.answered_at).desc(), col(SampleAnswer.id).desc())
        .execution_options(yield_per=1_000)
    )
    overturned = {
        (one.post_id, one.revision)
        for one in decided(session, since, now, posts)
        if one.action is not Action.REMOVE
    }
    for answer, sample, reasons in rows:
        if (sample.post_id, sample.revision) not in overturned:
            yield Judgement(sample.post_id, sample.revision, Action.REMOVE, answer.category, tuple(reasons))


SOURCES: Final[tuple[Source, ...]] = (decided, sampled, appealed)
"""Where judgements come from. A further kind of review is a further function here."""


def judgements(
    session: Session,
    since: datetime,
    now: datetime,
    *,
    posts: Posts = None,
    sources: Iterable[Source] = SOURCES,
) -> dict[tuple[str, int], Judgement]:
    """Return the final judgement about each revision that people looked at since then."""
    found: dict[tuple[str, int], Judgement] = {}
    for source in sources:
        for judgement in source(session, since, now, posts):
            found[judgement.post_id, judgement.revision] = judgement
    return found


def subject_of(reason: Mapping[str, Any]) -> str | None:
    """Return what a recorded reason counts for or against; None for a reason that no rule gave."""
    source, category = reason.get("source"), reason.get("category")
    if category is None:
        return None
    if source in {ReasonSource.RULE, ReasonSource.BEHAVIOUR}:
        return str(reason["rule"])
    return by_probability(Category(category)) if source == ReasonSource.CLASSIFIER else None


def precisions(
    found: Iterable[Judgement], *, subjects: Collection[str] | None = None
) -> dict[str, Precision]:
    """Return counts by subject, for some subjects or for all. Each counts once for a revision."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for judgement in found:
        asked = {
            (subject, reason["category"])
            for reason in judgement.reasons
            if (subject := subject_of(reason)) is not None and (subjects is None or subject in subjects)
        }
        for subject, category in asked:
            right = judgement.is_right(Category(category))
            if right is not None:
                counts[subject][0 if right else 1] += 1
    return {subject: Precision(*pair) for subject, pair in counts.items()}
