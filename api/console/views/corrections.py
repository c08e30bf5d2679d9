"""What belongs together: split, merge, move and rename on the card, take it back, settle contradictions.

One form does it all, by its buttons, so that the card works without scripts; `demands.js` adds the keys.
An act that a standing fact speaks against shows the card again with that fact, and a button to insist.

Neighbours: `sentiment/demand/corrections.py` acts; `demand_card` shows.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session, col, select

from alerts import events
from alerts.redaction import redact
from api.console import demand_card, page
from api.console.console import pages
from api.correcting import Correcting, Person
from api.dependencies import Reading, Transaction
from api.security import Permission, allows, authorise_found
from models.correction import DemandCorrection
from models.demand import Demand, DemandFact
from models.errors import Conflict, InvalidInput
from models.post import Post, PostRevision
from models.vocabulary import CorrectionKind
from sentiment.demand import corrections, facts, settling, undoing

router = pages()
LONGEST_REASON = 2_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the card's form asks for."""

    act: str
    posts: tuple[str, ...]
    to: str
    title: str
    reason: str
    version: int | None
    insists: bool


def asked(
    *,
    act: Annotated[str, Form(max_length=16)],
    posts: Annotated[list[str] | None, Form()] = None,
    to: Annotated[str, Form(max_length=32)] = "",
    title: Annotated[str, Form(max_length=events.TITLE)] = "",
    reason: Annotated[str, Form(max_length=LONGEST_REASON)] = "",
    version: Annotated[int | None, Form()] = None,
    insists: Annotated[bool, Form()] = False,
) -> Asked:
    """Return what a form asks for."""
    return Asked(act, tuple(posts or ()), to.strip(), title, reason, version, insists)


def carry_out(session: Session, demand_id: str, wanted: Asked, person: Correcting) -> DemandCorrection:
    """Do what the form asks for, all of it or nothing.

    Raises
    ------
    InvalidInput
        If it names no act, or no other demand where one is needed.
    """
    hand = person.hand(reason=wanted.reason, insists=wanted.insists, version=wanted.version)
    kind = CorrectionKind(wanted.act) if wanted.act in set(CorrectionKind) - {CorrectionKind.UNDO} else None
    if kind in {CorrectionKind.MERGE, CorrectionKind.MOVE} and not wanted.to:
        raise InvalidInput("choose the other demand", code="no_other_demand", field="/to")
    with session.begin_nested():
        if kind is CorrectionKind.CONFIRM:
            return corrections.confirm(session, demand_id, wanted.posts, hand)
        if kind is CorrectionKind.REJECT:
            return corrections.reject(session, demand_id, wanted.posts, hand)
        if kind is CorrectionKind.SPLIT:
            return corrections.split(session, demand_id, wanted.posts, hand)
        if kind is CorrectionKind.MOVE:
            return corrections.move(session, demand_id, wanted.posts, wanted.to, hand)
        if kind is CorrectionKind.MERGE:
            return corrections.merge(session, demand_id, wanted.to, hand)
        if kind is CorrectionKind.RENAME:
            return corrections.rename(session, demand_id, wanted.title, hand)
    raise InvalidInput("no such act", code="unknown_word", field="/act")


@router.post("/demands/{demand_id}/act")
def act(
    request: Request,
    demand_id: str,
    wanted: Annotated[Asked, Depends(asked)],
    person: Person,
    session: Transaction,
) -> Response:
    """Correct a demand; show it again where a standing fact speaks against that."""
    try:
        done = carry_out(session, demand_id, wanted, person)
    except Conflict as error:
        if error.problem_code != "contradicts":
            raise
        demand = events.demand_of(session, facts.follow(session, demand_id))
        authorise_found(person.principal, Permission.DEMANDS_READ, demand.organisation)
        against = {"wanted": wanted, "facts": error.extra["facts"]}
        return demand_card.show(
            request, session, person.principal, demand, person.now, against=against, status=409
        )
    return page.go(f"/demands/{done.demand_id}", f"demand_{done.kind.value}")


@router.post("/demand-corrections/{correction_id}/undo")
def undo(correction_id: str, person: Person, session: Transaction) -> Response:
    """Take an act back."""
    taken = undoing.undo(session, correction_id, person.hand())
    return page.go(f"/demands/{taken.demand_id}", "demand_undone")


@dataclass(frozen=True, slots=True)
class Differing:
    """A post about which people differ: its words, redacted, and what was said."""

    post_id: str
    text: str
    demands: list[Demand]
    said: list[DemandFact]


@router.get("/demand-contradictions")
def contradicting(request: Request, person: Person, session: Reading) -> Response:
    """List what cannot both hold, within reach; nothing settles it but a person."""
    return page.render(
        request,
        "demand_contradictions.html",
        principal=person.principal,
        found=_differing(session, person),
    )


def _differing(session: Session, person: Correcting) -> list[Differing]:
    found = facts.contradictions(session)
    named = {demand for one in found for demand in one.demands}
    demands = {one.id: one for one in session.exec(select(Demand).where(col(Demand.id).in_(named)))}
    told = {fact for one in found for fact in one.facts}
    said: dict[str, DemandFact] = {
        one.id: one for one in session.exec(select(DemandFact).where(col(DemandFact.id).in_(told)))
    }
    texts = {
        post: (organisation, text or "")
        for post, organisation, text in session.exec(
            select(Post.id, Post.organisation, PostRevision.text)
            .join(PostRevision, col(PostRevision.post_id) == col(Post.id))
            .where(
                col(Post.id).in_({one.post_id for one in found}),
                col(PostRevision.revision) == col(Post.revision),
            )
        )
    }
    shown = []
    for one in found:
        organisation, text = texts.get(one.post_id, ("", ""))
        within = all(person.reaches(demands[demand].organisation) for demand in one.demands)
        if within and allows(person.principal, Permission.POSTS_READ, organisation):
            shown.append(
                Differing(
                    one.post_id,
                    redact(text),
                    [demands[demand] for demand in one.demands],
                    [said[fact] for fact in one.facts],
                )
            )
    return shown


@router.post("/demand-contradictions/{disputed_id}")
def settle(
    disputed_id: str,
    person: Person,
    session: Transaction,
    demand: Annotated[str, Form(max_length=32)] = "",
) -> Response:
    """Say where a post belongs about which people differ; no demand is none of them."""
    settling.settle(session, disputed_id, demand or None, person.hand())
    return page.go("/demand-contradictions", "demand_settled")
