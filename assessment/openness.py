"""The public report (charter, 9): what was removed, by whom, who objected, what came of demands.

Gathers counts from the records of a period. It holds no author, no text and no account: only
counts per category, rule, outcome and state. What is not recorded is not reported.

Neighbours: `figures` turns counts into shares and durations, `replies` says how soon people got a reply;
`api/routes/public.py` publishes.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func
from sqlmodel import Session, col, select

from assessment.figures import Counted, Durations, Share, counted, durations, share
from assessment.replies import ReplyTime, reply_times
from models.demand import Demand
from models.review import Appeal, Decision, Statement
from models.screening import Screening
from models.vocabulary import Action, AppealState, Category, DemandState, Verdict


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What people decided about posts that one rule had spoken against."""

    rule: str
    reviewed: int
    upheld: Share


@dataclass(frozen=True, slots=True)
class Openness:
    """The figures of one period, `since` inclusive to `until` exclusive."""

    since: datetime
    until: datetime
    screened: Mapping[Verdict, int]
    removals_by_machine: Mapping[Category, int]
    removals_by_person: Mapping[Category, int]
    rules: tuple[RuleOutcome, ...]
    appeals: Mapping[AppealState, int]
    appeals_won: Share
    appeal_time: Durations
    review_time: Durations
    demands: Mapping[DemandState, int]
    detection_delay: Durations
    detection_delay_posts: Counted
    reply_times: tuple[ReplyTime, ...]


def report(session: Session, since: datetime, until: datetime, now: datetime | None = None) -> Openness:
    """Return the public figures of a period.

    `now` is when somebody asks, if the period is not over: what still has its time then is not late.

    Raises
    ------
    ValueError
        If the period is empty or runs backwards.
    """
    if since >= until:
        raise ValueError("the period must begin before it ends")
    machine, person = _removals(session, since, until)
    appeals, waited = _appeals(session, since, until)
    decided = appeals[AppealState.REVERSED] + appeals[AppealState.UPHELD]
    rules, reviewed_after = _reviews(session, since, until)
    demands, delays, behind = _demands(session, since, until)
    return Openness(
        since=since,
        until=until,
        screened=_screened(session, since, until),
        removals_by_machine=machine,
        removals_by_person=person,
        rules=rules,
        appeals=appeals,
        appeals_won=share(appeals[AppealState.REVERSED], decided),
        appeal_time=durations(waited),
        review_time=durations(reviewed_after),
        demands=demands,
        detection_delay=durations(delays),
        detection_delay_posts=counted(behind),
        reply_times=reply_times(session, since, until, until if now is None else now),
    )


def _screened(session: Session, since: datetime, until: datetime) -> Mapping[Verdict, int]:
    counted = session.exec(
        select(Screening.verdict, func.count())
        .where(col(Screening.screened_at) >= since, col(Screening.screened_at) < until)
        .group_by(col(Screening.verdict))
    ).all()
    found = dict(counted)
    return {verdict: found.get(verdict, 0) for verdict in Verdict}


def _removals(
    session: Session, since: datetime, until: datetime
) -> tuple[Mapping[Category, int], Mapping[Category, int]]:
    machine: Counter[Category] = Counter()
    person: Counter[Category] = Counter()
    for category, automated, count in session.exec(
        select(Statement.category, Statement.automated_decision, func.count())
        .where(
            col(Statement.restriction) == "removed",
            col(Statement.issued_at) >= since,
            col(Statement.issued_at) < until,
        )
        .group_by(col(Statement.category), col(Statement.automated_decision))
    ).all():
        if category is not None:
            (machine if automated else person)[Category(category)] += count
    return machine, person


def _reviews(
    session: Session, since: datetime, until: datetime
) -> tuple[tuple[RuleOutcome, ...], list[float]]:
    """Count, per rule, how often a person agreed that the post broke it, and how long review took."""
    reviewed: defaultdict[str, int] = defaultdict(int)
    agreed: defaultdict[str, int] = defaultdict(int)
    waited: list[float] = []
    rows = session.exec(
        select(Decision.action, Decision.decided_at, Screening.reasons, Screening.screened_at)
        .join(Screening, col(Screening.id) == col(Decision.screening_id))
        .where(col(Decision.decided_at) >= since, col(Decision.decided_at) < until)
    )
    for action, decided_at, reasons, screened_at in rows:
        waited.append(max(0.0, (decided_at - screened_at).total_seconds()))
        for rule in {reason["rule"] for reason in reasons if reason.get("rule")}:
            reviewed[rule] += 1
            agreed[rule] += action is not Action.PUBLISH
    outcomes = tuple(
        RuleOutcome(rule, count, share(agreed[rule], count)) for rule, count in sorted(reviewed.items())
    )
    return outcomes, waited


def _appeals(
    session: Session, since: datetime, until: datetime
) -> tuple[Mapping[AppealState, int], list[float]]:
    counted: Counter[AppealState] = Counter()
    waited: list[float] = []
    for state, submitted_at, decided_at in session.exec(
        select(Appeal.state, Appeal.submitted_at, Appeal.decided_at).where(
            col(Appeal.submitted_at) >= since, col(Appeal.submitted_at) < until
        )
    ).all():
        counted[AppealState(state)] += 1
        if decided_at is not None:
            waited.append((decided_at - submitted_at).total_seconds())
    return {state: counted[state] for state in AppealState}, waited


def _demands(
    session: Session, since: datetime, until: datetime
) -> tuple[Mapping[DemandState, int], list[float], list[int]]:
    """Count demands that became visible; a gathering one is below the limit and stays unpublished.

    The delays, in seconds and in posts, are those that were kept with the first proposal; a demand from
    before they were kept has the time between its two moments, and no posts.
    """
    states: Counter[DemandState] = Counter()
    delays: list[float] = []
    behind: list[int] = []
    for demand in session.exec(
        select(Demand).where(
            col(Demand.proposed_at) >= since,
            col(Demand.proposed_at) < until,
            col(Demand.merged_into).is_(None),
        )
    ).all():
        states[demand.state] += 1
        if demand.delay_seconds is not None:
            delays.append(demand.delay_seconds)
            behind.append(demand.delay_posts or 0)
        elif demand.tenth_author_at is not None and demand.proposed_at is not None:
            delays.append(max(0.0, (demand.proposed_at - demand.tenth_author_at).total_seconds()))
    published = [state for state in DemandState if state is not DemandState.GATHERING]
    return {state: states[state] for state in published}, delays, behind
