"""Report an event up: the figures that `disclosure` allows, to each level above; and tell the platforms.

Charter, 5: a report carries needs and no people. The figures are all that goes out; examples stand in rows
of their own, in an officer's words, and in no message.

Refuses: a first report about fewer than k people, but for immediate danger; a report in which nothing is
new; an example in a post's own words.

Neighbours: `events` and `incidents` say when; `members` reads the posts; `inbox` shows the report.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sqlmodel import Session, col, select

from alerts import disposal, lifecycle
from alerts.actor import Actor
from alerts.disclosure import counted, release
from alerts.members import Member, chosen_examples, members_of_event
from alerts.redaction import redact
from models.errors import CharterViolation, Conflict
from models.event import DisposalEntry, Event, InboxItem, Report, ReportExample
from models.organisation import Organisation, ancestors
from models.outbox import tell_offices, tell_platform
from models.threshold import threshold_for
from models.vocabulary import EventState, Step, Topic

TOLD: Final = 1_000
REPORTED: Final = "已汇总上报，不含作者信息。"
NO_WORDS: Final[Mapping[str, str]] = MappingProxyType({})


def tell_sources(
    session: Session,
    event: Event,
    members: Sequence[Member],
    payload: Mapping[str, Any],
    *,
    occurrence: str,
    now: datetime,
    name_posts: bool = False,
) -> None:
    """Tell each platform whose posts are in the demand; its own posts by its own identifiers only."""
    for source in sorted({member.source for member in members}):
        told: dict[str, Any] = {"demand": event.demand_id, "event": event.id, **payload}
        if name_posts:
            told["posts"] = [one.external_id for one in members if one.source == source][:TOLD]
        tell_platform(
            session,
            source,
            Topic.DEMAND_UPDATED,
            event.demand_id or event.id,
            payload=told,
            now=now,
            occurrence=occurrence,
        )


def report_up(
    session: Session,
    event_id: str,
    actor: Actor,
    *,
    now: datetime,
    examples: Sequence[str] | None = None,
    paraphrases: Mapping[str, str] = NO_WORDS,
) -> Report:
    """Report an event to every level above it, the province always.

    The figures are all that goes out; examples stand in rows of their own, so that a deletion
    reaches them, and are in no message. A second report needs something new: enough new people,
    or a step taken since. An incident of immediate danger goes to offices that ask for such alone, without
    figures as long as fewer than k people tell of it.

    Parameters
    ----------
    examples, paraphrases
        Posts to tell of, and the actor's own words for each of them. Without words nothing is told.

    Raises
    ------
    Conflict
        If nothing is new, or the event is closed.
    CharterViolation
        If the first report would be about fewer than k people.
    InvalidInput
        If an example is not paraphrased, or its paraphrase repeats the post.
    """
    event = disposal.locked(session, event_id, actor)
    state = lifecycle.after(event.state, Step.REPORT_UP)
    last = session.exec(
        select(Report).where(col(Report.event_id) == event.id).order_by(col(Report.sequence).desc())
    ).first()
    members = members_of_event(session, event)
    figures = _figures(session, event, members, last.figures if last else None, state)
    repeated = figures["counts"] is None or figures["counts"]["repeated"]
    if last and repeated and not _stepped_since_report(session, event):
        raise Conflict("nothing is new since the last report", code="nothing_new")
    report = Report(
        event_id=event.id,
        sequence=figures["sequence"],
        figures=figures,
        reported_by=actor.account_id,
        reported_at=now,
    )
    session.add(report)
    session.flush()
    told = [] if event.immediate else chosen_examples(session, members, examples, paraphrases)
    for example in told:
        session.add(
            ReportExample(
                report_id=report.id,
                post_id=example.post_id,
                text=example.text,
                paraphrased=True,
                paraphrased_by=actor.account_id,
                paraphrased_at=now,
            )
        )
    offices = ancestors(event.organisation)[1:] or [event.organisation]
    for office in offices:
        session.add(
            InboxItem(
                organisation=office,
                report_id=report.id,
                event_id=event.id,
                title=event.title,
                arrived_at=now,
            )
        )
    disposal.take(
        session,
        event,
        Step.REPORT_UP,
        REPORTED,
        actor=actor,
        now=now,
        details={
            "report": report.id,
            "sequence": report.sequence,
            "offices": offices,
            "paraphrased": len(told),
        },
    )
    tell_offices(
        session,
        event.organisation,
        Topic.INCIDENT_REPORTED if event.immediate else Topic.EVENT_REPORTED,
        event.id,
        payload={"event": event.id, "report": report.id, "figures": figures},
        now=now,
        occurrence=f"report-{report.sequence}",
    )
    tell_sources(
        session,
        event,
        members,
        {"state": event.state.value},
        occurrence=f"report-{report.sequence}",
        now=now,
    )
    session.flush()
    return report


def _stepped_since_report(session: Session, event: Event) -> bool:
    """Return whether somebody took a step by hand after the last report."""
    record = disposal.record_of(session, event.id)
    last = max((entry.sequence for entry in record if entry.step is Step.REPORT_UP), default=0)
    return any(entry.sequence > last and entry.step in lifecycle.BY_HAND for entry in record)


def _figures(
    session: Session,
    event: Event,
    members: Sequence[Member],
    earlier: Mapping[str, Any] | None,
    state: EventState,
) -> dict[str, Any]:
    """Return everything a report says."""
    threshold = threshold_for(session, event.organisation)
    counts = earlier["counts"] if earlier else None
    if earlier:
        spread_by = str(earlier["spread_by"])
    else:
        spread_by = "organisation" if len({one.organisation for one in members}) > 1 else "place"
    fresh = [one for one in members if counts is None or one.joined_at > _moment(counts["as_of"])]
    added = release([one.voice(spread_by) for one in fresh], threshold)
    before = (
        set()
        if counts is None
        else {one.author for one in members if one.joined_at <= _moment(counts["authors_as_of"])}
    )
    new_authors = len({one.author for one in members} - before)
    as_of = max((one.joined_at for one in fresh), default=event.created_at)
    try:
        counts = counted(counts, added, new_authors, threshold, as_of)
    except CharterViolation:
        if not event.immediate:
            raise
        counts = None  # danger does not wait for a tenth person, and goes up without a number
    return {
        "event": event.id,
        "kind": event.kind.value,
        "sequence": (earlier["sequence"] if earlier else 0) + 1,
        "title": event.title,
        "domain": event.domain.value,
        "organisation": event.organisation,
        "place": event.place,
        "state": state.value,
        "doing": _doing(session, event),
        "summary": event.summary,
        "immediate": event.immediate,
        "spread_by": spread_by,
        "names": _names(session, event, counts, spread_by),
        "counts": counts,
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _doing(session: Session, event: Event) -> str | None:
    """Return what an officer last wrote about what is being done, redacted."""
    text = session.exec(
        select(DisposalEntry.text)
        .where(
            col(DisposalEntry.subject_id) == event.id,
            col(DisposalEntry.step).in_([Step.ACT, Step.FEED_BACK_UP]),
        )
        .order_by(col(DisposalEntry.sequence).desc())
    ).first()
    return redact(text) if text else None


def _names(
    session: Session, event: Event, counts: Mapping[str, Any] | None, spread_by: str
) -> dict[str, str]:
    """Return what people call the organisations that the figures name."""
    paths = {event.organisation}
    if counts is not None and spread_by == "organisation":
        paths |= {row["cell"] for row in counts["spread"] if row["cell"]}
    rows = session.exec(select(Organisation).where(col(Organisation.path).in_(sorted(paths)))).all()
    return {row.path: row.name for row in rows}
