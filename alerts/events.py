"""Verify a demand, report it up, and keep the steps that follow on its disposal record.

Charter: nothing goes up about fewer than k people (5), nothing that no service domain can meet
(6), and nothing that leads to a person. The bounds are checked here, in the transaction that would
break them, from the posts themselves and not from a stored count.

Refuses: demands outside the actor's scope, not proposed, too small, or in no service domain;
titles that quote a post; steps out of order; a report in which nothing is new.

Neighbours: `reporting` reports up, `members` reads the posts, `disposal` keeps the record, `cases` opens
the form, `incidents` raises events that no demand stands behind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from alerts import disposal, lifecycle
from alerts.actor import Actor
from alerts.cases import open_form
from alerts.members import (
    Member,
    author_count,
    members_of,
    members_of_event,
    quotes_a_post,
)
from alerts.redaction import redact
from alerts.reporting import NO_WORDS, report_up, tell_sources
from models import audit
from models.demand import Demand
from models.errors import CharterViolation, Conflict, InvalidInput, NotFound, StaleVersion
from models.event import DisposalEntry, Event, Report, ReportExample
from models.organisation import within
from models.threshold import Threshold, threshold_for
from models.vocabulary import (
    DOMAIN_WORDS,
    DemandState,
    Domain,
    EventKind,
    EventState,
    Step,
)

TITLE: Final = 120
TEXT: Final = 2_000
FOUND: Final = "由系统从已发布的帖子中汇集，达到人数要求后提出。"


@dataclass(frozen=True, slots=True)
class EventCard:
    """One event with its reports and its record, for whoever may see it.

    `examples` are by report, in an officer's words.
    """

    event: Event
    reports: list[Report]
    examples: dict[str, list[str]]
    record: list[DisposalEntry]
    open_steps: list[Step]


def _words(text: str, field: str, *, limit: int = TEXT) -> str:
    cleaned = text.strip()
    if not cleaned:
        raise InvalidInput(f"{field} must not be empty", code="empty", field=f"/{field}")
    if len(cleaned) > limit:
        raise InvalidInput(f"{field} is longer than {limit} characters", code="too_long", field=f"/{field}")
    return cleaned


def _locked_demand(session: Session, demand_id: str, actor: Actor, version: int | None) -> Demand:
    demand = session.exec(select(Demand).where(col(Demand.id) == demand_id).with_for_update()).one_or_none()
    if demand is None or demand.state is DemandState.GATHERING:
        raise NotFound("no such demand, or none that you may see")
    actor.require(demand.organisation)
    if version is not None and demand.version != version:
        raise StaleVersion("the demand was changed meanwhile")
    if demand.state is not DemandState.PROPOSED:
        raise Conflict(f"the demand is {demand.state.value}", code="not_proposed")
    return demand


def verify_demand(
    session: Session,
    demand_id: str,
    actor: Actor,
    *,
    now: datetime,
    note: str,
    title: str | None = None,
    domain: Domain | None = None,
    version: int | None = None,
    report: bool = True,
    examples: Sequence[str] | None = None,
    paraphrases: Mapping[str, str] = NO_WORDS,
) -> Event:
    """Make a proposed demand an event; with `report`, report it up and open its form as well.

    Parameters
    ----------
    title, domain
        The officer's correction of what the machine proposed.
    version
        The version of the demand that the officer saw, if the caller knows it.
    examples, paraphrases
        Posts to tell of, and the actor's own words for each; without words nothing is told.

    Raises
    ------
    NotFound, Conflict, StaleVersion
        If there is no such demand in scope, or it is not waiting for verification any more.
    CharterViolation
        If fewer than k people voice it, or no service domain can meet it.
    """
    demand = _locked_demand(session, demand_id, actor, version)
    threshold = threshold_for(session, demand.organisation)
    members = members_of(session, demand.id)
    # Accounts that post in concert were folded when the demand was counted, and are no people here either.
    if author_count(members) - demand.in_concert < threshold.k:
        raise CharterViolation(f"fewer than {threshold.k} people voice this", code="too_few_authors")
    chosen = domain or demand.domain
    if chosen is Domain.NONE:
        raise CharterViolation("no service domain can meet this", code="no_service_domain")
    remark = _words(note, "note")
    demand.domain = chosen
    demand.title = _title(session, demand, members, given=title, threshold=threshold)
    demand.state, demand.verified_by, demand.verified_at = DemandState.VERIFIED, actor.account_id, now
    demand.version += 1
    event = Event(
        kind=EventKind.COLLECTIVE_DEMAND,
        organisation=demand.organisation,
        demand_id=demand.id,
        title=demand.title,
        domain=chosen,
        place=_coarse_place(demand, members, threshold),
        created_at=now,
        verified_at=now,
    )
    session.add_all([demand, event])
    session.flush()
    disposal.append(session, event, Step.COLLECT, FOUND, actor=None, now=now, at=demand.proposed_at)
    disposal.append(session, event, Step.VERIFY, remark, actor=actor, now=now)
    tell_sources(session, event, members, {"state": "verified"}, occurrence="verified", now=now)
    if report:
        report_up(session, event.id, actor, now=now, examples=examples, paraphrases=paraphrases)
        open_form(session, event.id, actor, now=now)
    session.flush()
    return event


def reject_demand(
    session: Session,
    demand_id: str,
    actor: Actor,
    *,
    now: datetime,
    reason: str,
    version: int | None = None,
) -> Demand:
    """Turn a proposed demand down, with the reason; its posts stay where they are.

    Raises
    ------
    NotFound, Conflict, StaleVersion
        As `verify_demand` does.
    """
    demand = _locked_demand(session, demand_id, actor, version)
    demand.state, demand.rejected_reason = DemandState.REJECTED, _words(reason, "reason")
    demand.version += 1
    session.add(demand)
    audit.record(
        session,
        now,
        actor=actor.audit_name,
        action="demand.rejected",
        subject=f"demand:{demand.id}",
        organisation=demand.organisation,
    )
    session.flush()
    return demand


def _title(
    session: Session, demand: Demand, members: Sequence[Member], *, given: str | None, threshold: Threshold
) -> str:
    """Return the officer's title, or the proposed one unless it repeats one person's words."""
    if given is not None:
        title = _words(given, "title", limit=TITLE)
        if quotes_a_post(title, session, members, threshold.k):
            raise InvalidInput("the title repeats a post", code="title_quotes_post", field="/title")
        return redact(title)
    if quotes_a_post(demand.title, session, members, threshold.k):
        return redact(f"{DOMAIN_WORDS[demand.domain].zh}：{'、'.join(demand.terms[:4])}".rstrip("："))
    return redact(demand.title)[:TITLE]


def _coarse_place(demand: Demand, members: Sequence[Member], threshold: Threshold) -> str | None:
    """Return the demand's place if k people name it; the organisation has to do otherwise."""
    named = [member for member in members if member.place == demand.place]
    return demand.place if demand.place and author_count(named) >= threshold.k else None


def take_step(
    session: Session,
    event_id: str,
    actor: Actor,
    step: Step,
    text: str,
    *,
    now: datetime,
    version: int | None = None,
) -> DisposalEntry:
    """Take one step by hand: act, tell the users, feed back up, feed back to the users, or a note.

    Telling and feeding back to the users goes to their platforms as a message with the officer's
    words; feeding back up reports again, so that the offices above see the result.

    Raises
    ------
    Conflict, StaleVersion
        If the step may not be taken now, or somebody changed the event meanwhile.
    InvalidInput
        If the step is not one that is taken by hand.
    """
    if step not in lifecycle.BY_HAND:
        raise InvalidInput("this step is not taken by hand", code="step", field="/step")
    event = disposal.locked(session, event_id, actor)
    if version is not None and event.version != version:
        raise StaleVersion("the event was changed meanwhile")
    words = _words(text, "text")
    entry = disposal.take(session, event, step, words, actor=actor, now=now)
    session.flush()
    if step in {Step.TELL_USERS, Step.FEED_BACK_USERS}:
        tell_sources(
            session,
            event,
            members_of_event(session, event),
            {"state": event.state.value, "step": step.value, "message": redact(words)},
            occurrence=entry.id,
            now=now,
            name_posts=True,
        )
    if step is Step.FEED_BACK_UP:
        report_up(session, event.id, actor, now=now, examples=())
    if event.state is EventState.CLOSED:
        _close_demand(session, event)
    session.flush()
    return entry


def _close_demand(session: Session, event: Event) -> None:
    demand = session.get(Demand, event.demand_id) if event.demand_id else None
    if demand is not None and demand.state is DemandState.VERIFIED:
        demand.state = DemandState.CLOSED
        demand.version += 1
        session.add(demand)


def act(session: Session, event_id: str, actor: Actor, text: str, *, now: datetime) -> DisposalEntry:
    """Record what is being done 处置."""
    return take_step(session, event_id, actor, Step.ACT, text, now=now)


def tell_users(session: Session, event_id: str, actor: Actor, text: str, *, now: datetime) -> DisposalEntry:
    """Tell the users what is being done."""
    return take_step(session, event_id, actor, Step.TELL_USERS, text, now=now)


def feed_back_up(session: Session, event_id: str, actor: Actor, text: str, *, now: datetime) -> DisposalEntry:
    """Feed the result back to the level above and the provincial office 反馈处理结果."""
    return take_step(session, event_id, actor, Step.FEED_BACK_UP, text, now=now)


def feed_back_users(
    session: Session, event_id: str, actor: Actor, text: str, *, now: datetime
) -> DisposalEntry:
    """Feed the result back to the users 向用户反馈结果; the event is closed."""
    return take_step(session, event_id, actor, Step.FEED_BACK_USERS, text, now=now)


def note(session: Session, event_id: str, actor: Actor, text: str, *, now: datetime) -> DisposalEntry:
    """Add a remark to the record."""
    return take_step(session, event_id, actor, Step.NOTE, text, now=now)


def list_events(
    session: Session,
    scope: Sequence[str],
    *,
    state: EventState | None = None,
    kind: EventKind | None = None,
    incidents: Sequence[str] = (),
    before: str | None = None,
    limit: int = 50,
) -> list[Event]:
    """Return events at and under the nodes of `scope`, newest first; `before` is the last one seen.

    Incidents of immediate danger are there only at and under the nodes of `incidents`.
    """
    visible = col(Event.immediate).is_(False) | within(Event.organisation, incidents)
    query = select(Event).where(within(Event.organisation, scope), visible)
    if kind is not None:
        query = query.where(col(Event.kind) == kind)
    if state is not None:
        query = query.where(col(Event.state) == state)
    if before is not None:
        query = query.where(col(Event.id) < before)
    return list(session.exec(query.order_by(col(Event.id).desc()).limit(limit)))


def event_card(session: Session, event_id: str) -> EventCard:
    """Return one event with its reports, their examples and its disposal record.

    An example that nobody paraphrased, from before this was asked for, is shown to nobody.

    Raises
    ------
    NotFound
        If there is no such event. The caller asks about the place.
    """
    event = session.get(Event, event_id)
    if event is None:
        raise NotFound("no such event, or none that you may see")
    reports = list(
        session.exec(select(Report).where(col(Report.event_id) == event_id).order_by(col(Report.sequence)))
    )
    examples: dict[str, list[str]] = {report.id: [] for report in reports}
    for row in session.exec(
        select(ReportExample)
        .where(col(ReportExample.report_id).in_(list(examples)), col(ReportExample.paraphrased).is_(True))
        .order_by(col(ReportExample.id))
    ):
        if row.text:
            examples[row.report_id].append(row.text)
    return EventCard(
        event, reports, examples, disposal.record_of(session, event_id), lifecycle.open_steps(event.state)
    )


def list_demands(
    session: Session,
    scope: Sequence[str],
    *,
    state: DemandState | None = None,
    domain: Domain | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Demand]:
    """Return demands in scope that enough people voice, newest first; gathering ones never."""
    if not scope:
        return []
    query = select(Demand).where(
        within(Demand.organisation, scope),
        col(Demand.state) != DemandState.GATHERING,
        col(Demand.merged_into).is_(None),
    )
    if state is not None:
        query = query.where(col(Demand.state) == state)
    if domain is not None:
        query = query.where(col(Demand.domain) == domain)
    if before is not None:
        query = query.where(col(Demand.id) < before)
    return list(session.exec(query.order_by(col(Demand.id).desc()).limit(limit)))


def demand_of(session: Session, demand_id: str) -> Demand:
    """Return one demand that enough people voice.

    Raises
    ------
    NotFound
        If there is none, or it is still gathering. The caller asks about the place.
    """
    demand = session.get(Demand, demand_id)
    if demand is None or demand.state is DemandState.GATHERING:
        raise NotFound("no such demand, or none that you may see")
    return demand
