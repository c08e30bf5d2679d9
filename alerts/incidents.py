"""Events that no demand stands behind: a surge of a need, a safety incident, a wave against the platform.

The service or an officer proposes one with the posts that tell of it; an officer verifies or drops it; from
there it takes the same steps as every event. Danger to several people now does not wait for any of this: it
is verified and reported in one step, in the officer's own words, to those offices alone that ask for such
incidents, and without a number while fewer than k people tell of it. It never says who.

Refuses: words that quote a post or lead to a person, posts outside the officer's places, a domain that no
service can meet, a demand (that has its own way).

Neighbours: `reporting` reports up, `surges` proposes, `findings` names what is late.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from alerts import disposal
from alerts.actor import Actor
from alerts.members import members_of_event, repeats, texts_of
from alerts.redaction import redact
from alerts.reporting import report_up
from models.casework import EventPost
from models.errors import CharterViolation, InvalidInput, NotFound, StaleVersion
from models.event import Event
from models.organisation import Organisation
from models.post import Post
from models.vocabulary import Domain, EventKind, EventState, PostState, Step

TITLE: Final = 120
SUMMARY: Final = 1_000
POSTS: Final = 500
RAISED: Final = "由工作人员提出，待核实。"
FOUND: Final = "由系统发现，待核实。"
DANGER: Final = "情况紧急，核实后立即上报。"


@dataclass(frozen=True, slots=True)
class Draft:
    """What an event is about, in an officer's own words, and the posts that tell of it."""

    kind: EventKind
    organisation: str
    domain: Domain
    title: str
    summary: str = ""
    place: str | None = None
    posts: Sequence[str] = ()
    immediate: bool = False


def raise_event(session: Session, draft: Draft, actor: Actor, *, now: datetime) -> Event:
    """Propose an event; if it is immediate danger, verify and report it at once.

    Raises
    ------
    NotFound
        If the place or a post is outside the actor's scope.
    InvalidInput
        If words are missing, too long, quote a post or lead to a person; if another kind is immediate.
    CharterViolation
        If no service can act on it.
    """
    actor.require(draft.organisation)
    if session.get(Organisation, draft.organisation) is None:
        raise NotFound("no such organisation, or none that you may see")
    if draft.kind is EventKind.COLLECTIVE_DEMAND:
        raise InvalidInput("a demand is verified where it was found", code="kind", field="/kind")
    if draft.immediate and draft.kind is not EventKind.SAFETY_INCIDENT:
        raise InvalidInput("only a safety incident is immediate", code="kind", field="/immediate")
    if draft.domain is Domain.NONE:
        raise CharterViolation("no service domain can meet this", code="no_service_domain")
    event = propose(session, draft, now=now, actor=actor)
    texts = texts_of(session, members_of_event(session, event)).values()
    event.title = _own_words(draft.title, "title", TITLE, texts)
    event.summary = _own_words(draft.summary, "summary", SUMMARY, texts) if draft.summary.strip() else None
    if draft.immediate and event.summary is None:
        raise InvalidInput("say what has happened, and where", code="empty", field="/summary")
    session.add(event)
    if draft.immediate:
        disposal.take(session, event, Step.VERIFY, DANGER, actor=actor, now=now)
        event.verified_at = now
        session.flush()
        report_up(session, event.id, actor, now=now)
    session.flush()
    return event


def propose(session: Session, draft: Draft, *, now: datetime, actor: Actor | None) -> Event:
    """Add a proposed event with its posts; `actor` is None for the service itself."""
    event = Event(
        kind=draft.kind,
        organisation=draft.organisation,
        title=draft.title[:TITLE],
        domain=draft.domain,
        place=draft.place,
        state=EventState.PROPOSED,
        created_at=now,
        immediate=draft.immediate,
    )
    session.add(event)
    session.flush()
    _join(session, event, draft.posts, actor, now)
    disposal.append(session, event, Step.COLLECT, RAISED if actor else FOUND, actor=actor, now=now)
    session.flush()
    return event


def _join(session: Session, event: Event, posts: Sequence[str], actor: Actor | None, now: datetime) -> None:
    wanted = list(dict.fromkeys(posts))
    if len(wanted) > POSTS:
        raise InvalidInput(f"at most {POSTS} posts", code="too_many", field="/posts")
    known = session.exec(
        select(Post).where(col(Post.id).in_(wanted), col(Post.state) != PostState.DELETED)
    ).all()
    if len(known) != len(wanted):
        raise NotFound("no such post, or none that you may see")
    for post in known:
        if actor is not None:
            actor.require(post.organisation)
        session.add(EventPost(event_id=event.id, post_id=post.id, joined_at=now))
    session.flush()


def _own_words(text: str, name: str, limit: int, posts: Iterable[str]) -> str:
    """Return an officer's words, if they are theirs and tell of nobody."""
    words = " ".join(text.split())
    if not words or len(words) > limit:
        raise InvalidInput(f"1 to {limit} characters", code="empty", field=f"/{name}")
    if "【" in redact(words):
        raise InvalidInput("these words lead to a person", code="title_names_somebody", field=f"/{name}")
    if any(repeats(words, post) for post in posts):
        raise InvalidInput("these words repeat a post", code="title_quotes_post", field=f"/{name}")
    return words


def settle_proposal(
    session: Session,
    event_id: str,
    actor: Actor,
    step: Step,
    text: str,
    *,
    version: int,
    now: datetime,
) -> Event:
    """Verify a proposed event, or drop it, with what was found out.

    Raises
    ------
    NotFound, StaleVersion, Conflict
        If there is none in scope, somebody changed it, or it is proposed no more.
    InvalidInput
        If the words are missing, or it is another step.
    """
    if step not in {Step.VERIFY, Step.DROPPED}:
        raise InvalidInput("a proposal is verified or dropped", code="step", field="/step")
    event = disposal.locked(session, event_id, actor)
    if event.version != version:
        raise StaleVersion("the event was changed meanwhile")
    words = text.strip()
    if not words:
        raise InvalidInput("say what was found out", code="empty", field="/text")
    disposal.take(session, event, step, words, actor=actor, now=now)
    if step is Step.VERIFY:
        event.verified_at = now
    session.add(event)
    session.flush()
    return event
