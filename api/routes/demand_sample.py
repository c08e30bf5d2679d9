"""The blind sample: officers say of a post whether it belongs to one of the demands shown, or to none.

An officer is shown the words, redacted, and a few demands; nothing says what the machine did. The
figure that comes of it, the share of demand posts that are on the board, is for everybody in scope.

Neighbours: `sentiment/demand/missed.py` draws, takes answers and estimates.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from sqlmodel import Session, col, select

from alerts.redaction import redact
from api.correcting import Correcting, Person
from api.dependencies import Now, Reading, Transaction, require
from api.schemas.alerts import Body, Identifier, Out
from api.security import Permission, Principal, allows
from models import audit
from models.correction import DemandProbe
from models.demand import Demand, DemandMember
from models.post import Post, PostRevision
from models.vocabulary import Domain, ProbeAnswer
from sentiment.demand import corrections, missed
from sentiment.demand.missed import Recall, week_of

router = APIRouter(prefix="/v1/demand-sample", tags=["demands"])
Reader = Annotated[Principal, Depends(require(Permission.DEMANDS_READ))]
WEEKS = 13
"""Weeks that the figure looks back."""


class CandidateOut(Out):
    """A demand that the post may belong to."""

    id: str
    title: str
    domain: Domain
    organisation: str


class ProbeOut(Out):
    """A post that waits for an answer."""

    id: str
    organisation: str
    text: str
    candidates: list[CandidateOut]


class SampleOut(Out):
    """How many wait, and the first of them."""

    waiting: int
    next: ProbeOut | None


class AnswerBody(Body):
    """What the officer says; with `belongs`, to which of the demands shown.

    With `put`, a post that stands in no demand is put there as well, by a correction that can be undone.
    """

    answer: ProbeAnswer
    demand: Identifier | None = None
    put: bool = False


class SideOut(Out):
    """Posts of one side of the board: how many, judged, and belonging."""

    posts: int
    judged: int
    belong: int


class RecallOut(Out):
    """The share of demand posts that are on the board, with its 95 % interval; null while unknown."""

    since: date
    outside: SideOut
    inside: SideOut
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A post of the sample as an officer sees it."""

    probe: DemandProbe
    text: str
    candidates: list[Demand]


def shown_next(session: Session, person: Correcting) -> tuple[int, Shown | None]:
    """Return how many wait for this person and the first of them; the look is on the audit log."""
    waiting = [
        one
        for one in missed.waiting(session, person.reaches)
        if allows(person.principal, Permission.POSTS_READ, one.organisation)
    ]
    for probe in waiting:
        text = session.exec(
            select(PostRevision.text)
            .join(Post, col(Post.id) == col(PostRevision.post_id))
            .where(PostRevision.post_id == probe.post_id, col(PostRevision.revision) == col(Post.revision))
        ).first()
        if not text:
            continue
        rows = {
            one.id: one for one in session.exec(select(Demand).where(col(Demand.id).in_(probe.candidates)))
        }
        candidates = [
            rows[one]
            for one in probe.candidates
            if one in rows and allows(person.principal, Permission.DEMANDS_READ, rows[one].organisation)
        ]
        audit.record(
            session,
            person.now,
            actor=person.principal.actor,
            action="demand.probe_viewed",
            subject=f"post:{probe.post_id}",
            organisation=probe.organisation,
            details={"probe": probe.id},
        )
        return len(waiting), Shown(probe, redact(text), candidates)
    return len(waiting), None


def recall_for(session: Session, principal: Principal, now: Now) -> tuple[date, Recall]:
    """Return the figure of the last quarter, of the posts within reach."""
    since = week_of(now) - timedelta(weeks=WEEKS)
    return since, missed.estimate(
        session, lambda path: allows(principal, Permission.DEMANDS_READ, path), since
    )


@router.get("")
def following(person: Person, session: Transaction) -> SampleOut:
    """Show the next post of the sample."""
    waiting, found = shown_next(session, person)
    if found is None:
        return SampleOut(waiting=waiting, next=None)
    return SampleOut(
        waiting=waiting,
        next=ProbeOut(
            id=found.probe.id,
            organisation=found.probe.organisation,
            text=found.text,
            candidates=[CandidateOut.model_validate(one) for one in found.candidates],
        ),
    )


@router.get("/recall")
def recall(principal: Reader, session: Reading, now: Now) -> RecallOut:
    """Give the share of demand posts that are on the board, as the samples of the last quarter say."""
    since, found = recall_for(session, principal, now)
    return RecallOut.model_validate({"since": since, **_sides(found)})


def _sides(found: Recall) -> dict[str, object]:
    return {
        "outside": SideOut.model_validate(found.outside),
        "inside": SideOut.model_validate(found.inside),
        "value": found.value,
        "low": found.low,
        "high": found.high,
    }


@router.post("/{probe_id}", status_code=204)
def answer(probe_id: Identifier, body: AnswerBody, person: Person, session: Transaction) -> None:
    """Take an officer's answer; one post takes one."""
    take(session, probe_id, body.answer, body.demand, person, put=body.put)


def take(
    session: Session,
    probe_id: str,
    said: ProbeAnswer,
    demand: str | None,
    person: Correcting,
    *,
    put: bool,
) -> None:
    """Take an answer, and put what was missed where it belongs if the officer wants that.

    The estimate is of the post as it was drawn, so putting it in place changes no figure.
    """
    probe = missed.answer(session, probe_id, said, demand, person.hand())
    stands = select(DemandMember.id).where(DemandMember.post_id == probe.post_id)
    if put and demand is not None and session.exec(stands).first() is None:
        corrections.put(session, probe.post_id, demand, person.hand())
