"""What an author lets a help case pass on: asked for through their platform, given, and taken back.

A name or a contact is sealed, shown to whoever works on the case, and told to the one unit that has it.
Taking it back empties the record, withdraws what waits in the outbox, empties what has left it, and tells
whoever got it to erase it.

Refuses: asking in a collective demand, or about a post that is gone; giving after the link ran out;
an empty or overlong value.

Neighbours: `helping` opens help cases, `handling` passes a case on, `forms` shows the name, `forgetting`
empties what nobody needs any more.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from sqlmodel import Session, col, select

from alerts import cases, disposal
from alerts.desks import Desk, Worker
from alerts.loop import Links, voices_of
from models import audit
from models.casework import CaseConsent
from models.errors import Conflict, InvalidInput, NotFound
from models.event import Case, DisposalEntry
from models.outbox import OutboxMessage, tell_office, tell_platform
from models.sealing import BrokenSeal, seal, unseal
from models.vocabulary import CaseKind, CaseState, ConsentItem, MessageState, Step, Topic, Words

ANSWER: Final = timedelta(days=30)
LIMIT: Final = 80
WORDING: Final = MappingProxyType(
    {
        ConsentItem.NAME: Words(
            "我同意把我的姓名告诉办理此事的单位，只用于办理此事。我可以随时用这个链接撤回。"
            "撤回后，姓名从办理表和记录中删去，还没有发出的不再发出，已经收到的单位会被要求删除。"
            "此事归档后，到期也同样删去。",
            "I agree that my name is told to the unit that handles this, for this alone. I can take it back"
            " with this link at any time: then it goes from the form and the records, what has not left yet"
            " stays, and the unit that has it is asked to erase it. The same happens some time after the"
            " matter is closed.",
        ),
        ConsentItem.CONTACT: Words(
            "我同意把我填写的联系方式告诉办理此事的单位，只用于就此事与我联系。我可以随时用这个链接撤回。"
            "撤回后，联系方式从记录中删去，还没有发出的不再发出，已经收到的单位会被要求删除。"
            "此事归档后，到期也同样删去。",
            "I agree that the contact I give is told to the unit that handles this, to reach me about this"
            " alone. I can take it back with this link at any time: then it goes from the records, what has"
            " not left yet stays, and the unit that has it is asked to erase it. The same happens some time"
            " after the matter is closed.",
        ),
    }
)
ITEM_WORDS: Final = MappingProxyType({ConsentItem.NAME: "姓名", ConsentItem.CONTACT: "联系方式"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What the author's page shows: what the case is about, and each thing that was asked for."""

    case: Case
    items: list[CaseConsent]
    may_give: bool


def ask(
    session: Session,
    case_id: str,
    worker: Worker,
    items: Sequence[ConsentItem],
    *,
    now: datetime,
    links: Links,
) -> str:
    """Ask the author of a help case, through the platform, what may be passed on; return their link.

    Raises
    ------
    NotFound, NotPermitted
        If the case is not theirs to see, or they do not sit at the operations team's desk.
    Conflict
        If it is no help case, is archived, its post is gone, or the author's word holds already.
    InvalidInput
        If nothing is asked for.
    """
    case = cases.locked_case(session, case_id)
    units = cases.names_of(cases.units_of(session, case.id))
    worker.require_desk(case, units, (Desk.OPERATIONS, Desk.COORDINATION))
    if case.kind is not CaseKind.HELP_CASE:
        raise Conflict("a collective demand names nobody", code="no_consent_here")
    if case.state is CaseState.ARCHIVED:
        raise Conflict("the case is archived", code="archived")
    members = voices_of(session, case)
    if not members:
        raise Conflict("the post is gone", code="author_gone")
    wanted = list(dict.fromkeys(items))
    if not wanted:
        raise InvalidInput("say what is asked for", code="empty", field="/items")
    token = secrets.token_urlsafe(24)
    for item in wanted:
        session.add(
            CaseConsent(
                case_id=case.id,
                item=item,
                token_hash=_hash(token),
                wording=WORDING[item].zh,
                asked_by=worker.account_id,
                asked_at=now,
                until=now + ANSWER,
            )
        )
    link = links.consent(token)
    tell_platform(
        session,
        members[0].source,
        Topic.CONSENT_ASKED,
        case.id,
        payload={
            "case": case.id,
            "post": members[0].external_id,
            "items": [item.value for item in wanted],
            "link": link,
        },
        now=now,
        occurrence=_hash(token)[:32],
    )
    audit.record(
        session,
        now,
        actor=worker.audit_name,
        action="consent.asked",
        subject=f"case:{case.id}",
        organisation=case.organisation,
        details={"items": [item.value for item in wanted]},
    )
    session.flush()
    return link


def asked(session: Session, token: str, now: datetime, *, lock: bool = False) -> Asked:
    """Return what was asked for with a link.

    Raises
    ------
    NotFound
        If there is no such link.
    """
    query = (
        select(CaseConsent).where(col(CaseConsent.token_hash) == _hash(token)).order_by(col(CaseConsent.id))
    )
    first = session.exec(query).first()
    if first is None:
        raise NotFound("no such link")
    if lock:
        case = cases.locked_case(session, first.case_id)
        session.expire_all()
    else:
        case = session.get_one(Case, first.case_id)
    items = list(session.exec(query))
    open_still = now <= first.until and case.state is not CaseState.ARCHIVED
    return Asked(case, items, open_still)


def give(
    session: Session,
    token: str,
    values: Mapping[ConsentItem, str],
    *,
    language: str,
    links: Links,
    now: datetime,
) -> Case:
    """Record what the author lets be passed on, in the words that they read; tell the unit, if there is one.

    Raises
    ------
    NotFound
        If there is no such link.
    Conflict
        If it has run out, or the case is archived.
    InvalidInput
        If nothing is given, something not asked for, or a value is too long.
    """
    found = asked(session, token, now, lock=True)
    if not found.may_give:
        raise Conflict("the link has run out", code="consent_over")
    given = {item: " ".join(value.split()) for item, value in values.items() if value.strip()}
    known = {one.item: one for one in found.items}
    if not given or not set(given) <= set(known):
        raise InvalidInput("nothing that was asked for is given", code="empty", field="/items")
    for item, value in given.items():
        if len(value) > LIMIT or any(ord(sign) < ord(" ") for sign in value):
            raise InvalidInput(f"at most {LIMIT} characters", code="too_long", field=f"/{item.value}")
        row = known[item]
        row.value = seal(links.key, value.encode(), _about(found.case, item))
        row.wording = WORDING[item].en if language == "en" else WORDING[item].zh
        row.given_at, row.revoked_at, row.forgotten_at = now, None, None
        session.add(row)
    session.flush()
    entry = disposal.append(
        session,
        found.case,
        Step.CONSENT,
        f"本人同意提供：{'、'.join(ITEM_WORDS[item] for item in given)}。",
        actor=None,
        now=now,
        details={"items": [item.value for item in given], "round": found.case.round},
    )
    pass_on(session, found.case, entry, links, now)
    session.flush()
    return found.case


def revoke(session: Session, token: str, *, now: datetime) -> Case:
    """Take back whatever was given with a link; the record, the form and the outbox forget it.

    Raises
    ------
    NotFound
        If there is no such link.
    Conflict
        If nothing given with it holds.
    """
    found = asked(session, token, now, lock=True)
    holding = [one for one in found.items if one.value is not None]
    if not holding:
        raise Conflict("nothing was given, or it is taken back already", code="nothing_given")
    forget(session, found.case, holding, now=now)
    return found.case


def forget(session: Session, case: Case, consents: Sequence[CaseConsent], *, now: datetime) -> None:
    """Empty consents wherever their values have come to, and say so on the record."""
    items = [one.item for one in consents]
    for one in consents:
        one.value, one.revoked_at = None, now
        session.add(one)
    offices = empty_messages(session, case, items, now)
    entry = disposal.append(
        session,
        case,
        Step.REVOKED,
        f"本人撤回同意：{'、'.join(ITEM_WORDS[item] for item in items)}。",
        actor=None,
        now=now,
        details={"items": [item.value for item in items], "round": case.round},
    )
    ask_to_erase(session, case, offices, items, occurrence=entry.id, now=now)
    session.flush()


def ask_to_erase(
    session: Session,
    case: Case,
    offices: Sequence[str],
    items: Sequence[ConsentItem],
    *,
    occurrence: str,
    now: datetime,
) -> None:
    """Ask offices that may have got a name or a contact to erase it."""
    for office in offices:
        tell_office(
            session,
            office,
            Topic.CONSENT_REVOKED,
            case.id,
            payload={"case": case.id, "erase": [item.value for item in items]},
            now=now,
            occurrence=occurrence,
        )


def empty_messages(session: Session, case: Case, items: Sequence[ConsentItem], now: datetime) -> list[str]:
    """Withdraw what waits and empty what has left; return the offices that may have got it.

    A message that is on its way this moment counts as having left.
    """
    reached: set[str] = set()
    for message in session.exec(
        select(OutboxMessage)
        .where(col(OutboxMessage.subject_id) == case.id, col(OutboxMessage.topic) == Topic.CASE_SHARED)
        .with_for_update()
        .execution_options(populate_existing=True)
    ):
        shared = {key: value for key, value in message.payload["shared"].items() if key not in items}
        if shared == message.payload["shared"]:
            continue
        if message.state is not MessageState.PENDING or message.attempts or message.lease is not None:
            reached.add(message.organisation)
        if message.state is MessageState.PENDING:
            message.state, message.settled_at = MessageState.WITHDRAWN, now
            message.lease = message.leased_until = None
        message.payload = {**message.payload, "shared": shared}
        session.add(message)
    return sorted(reached)


def shared(session: Session, case: Case, links: Links) -> dict[ConsentItem, str]:
    """Return what the author lets be passed on, as it holds now."""
    found: dict[ConsentItem, str] = {}
    for one in session.exec(
        select(CaseConsent)
        .where(col(CaseConsent.case_id) == case.id, col(CaseConsent.value).is_not(None))
        .order_by(col(CaseConsent.given_at))
    ):
        try:
            found[one.item] = unseal(links.key, one.value or "", _about(case, one.item)).decode()
        except BrokenSeal:
            continue  # sealed with an earlier secret: nobody can read it any more
    return found


def consents_of(session: Session, case_id: str) -> list[CaseConsent]:
    """Return everything that was asked for in a case, first asked first."""
    return list(
        session.exec(
            select(CaseConsent).where(col(CaseConsent.case_id) == case_id).order_by(col(CaseConsent.id))
        )
    )


def pass_on(session: Session, case: Case, entry: DisposalEntry, links: Links, now: datetime) -> None:
    """Tell the unit that has the case what the author lets it know, if there is both."""
    if case.lead is None or case.kind is not CaseKind.HELP_CASE:
        return
    values = shared(session, case, links)
    if not values:
        return
    payload: dict[str, Any] = {
        "case": case.id,
        "shared": {item.value: value for item, value in values.items()},
        "only_for": "handling this case",
    }
    tell_office(session, case.lead, Topic.CASE_SHARED, case.id, payload=payload, now=now, occurrence=entry.id)


def _about(case: Case, item: ConsentItem) -> str:
    return f"consent:{case.id}:{item.value}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
