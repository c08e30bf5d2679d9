"""An incident as a Common Alerting Protocol 1.2 message, in Chinese and English.

It says what happened, where, since when and what is being done, and nothing about a person. What it may
say of numbers is what a report has told: none at all for an incident that went the restricted way. The
message is for offices (`scope` Restricted), and not for the public.

Pure: an incident gives a document. The same incident in the same state gives the same bytes.

Neighbours: `feeds` and the route of an event hand it out.
Source: OASIS Common Alerting Protocol 1.2, 1 July 2010.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from models.errors import NotFound
from models.event import Event, Report
from models.organisation import Organisation
from models.vocabulary import DOMAIN_WORDS, Domain, EventKind, EventState

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
MEDIA_TYPE: Final = "application/cap+xml"
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
KINDS: Final = frozenset({EventKind.SAFETY_INCIDENT})
LASTS: Final = timedelta(hours=24)
CATEGORIES: Final[Mapping[Domain, str]] = MappingProxyType(
    {
        Domain.HEALTH: "Health",
        Domain.TRANSPORT: "Transport",
        Domain.ENVIRONMENT: "Env",
        Domain.HOUSING: "Infra",
        Domain.CAMPUS_LIFE: "Infra",
    }
)
RESTRICTION: Final = "offices at and above the place / 事发地及以上各级单位"
EVENT: Final = {"zh-CN": "安全事件", "en-US": "Safety incident"}
SENDER: Final = {"zh-CN": "听见 · {office}", "en-US": "Tingjian, {office}"}
HEADLINE: Final = {"zh-CN": "{office}：{title}", "en-US": "{office}: {title}"}
DESCRIPTION: Final = {
    "zh-CN": "多人反映同一安全问题，领域：{domain}。状态：{state}。不含任何个人信息。",
    "en-US": "Several people report one danger. Domain: {domain}. State: {state}. Nothing about a person.",
}
INSTRUCTION: Final = {
    "zh-CN": "请登录平台查看处置记录并签收。",
    "en-US": "Sign in, read the disposal record and sign for it.",
}
STATES: Final[Mapping[EventState, tuple[str, str]]] = MappingProxyType(
    {
        EventState.VERIFIED: ("已核实", "verified"),
        EventState.REPORTED: ("已上报", "reported"),
        EventState.ACTING: ("处置中", "being acted on"),
        EventState.FED_BACK: ("已反馈", "fed back"),
        EventState.CLOSED: ("已办结", "closed"),
    }
)
UNSAFE: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Incident:
    """What a message is made of. `sent` holds the moments of the reports, oldest first, at least one."""

    event_id: str
    title: str
    domain: Domain
    state: EventState
    office: str
    office_en: str
    place: str | None
    sent: Sequence[datetime]
    host: str


def incident_of(session: Session, event: Event, host: str) -> Incident:
    """Return an event as what a message is made of.

    Parameters
    ----------
    host
        The name under which the service is reached; it makes identifiers unique in the world.

    Raises
    ------
    NotFound
        If it is no incident, or was not reported yet.
    """
    moments = session.exec(
        select(Report.reported_at).where(col(Report.event_id) == event.id).order_by(col(Report.sequence))
    ).all()
    if event.kind not in KINDS or not moments:
        raise NotFound("no such incident, or none that was reported")
    office = session.get(Organisation, event.organisation)
    name = office.name if office else event.organisation
    english = office.name_en if office and office.name_en else name
    return Incident(
        event.id, event.title, event.domain, event.state, name, english, event.place, list(moments), host
    )


def document(incident: Incident) -> bytes:
    """Return the message as XML, its elements in the order that the standard asks for."""
    root = ET.Element("alert", {"xmlns": NAMESPACE})
    newest = len(incident.sent)
    message = "Alert" if newest == 1 else "Update"
    for name, value in (
        ("identifier", _identifier(incident, newest)),
        ("sender", incident.host),
        ("sent", _moment(incident.sent[-1])),
        ("status", "Actual"),
        ("msgType", message),
        ("scope", "Restricted"),
        ("restriction", RESTRICTION),
    ):
        _add(root, name, value)
    if newest > 1:
        earlier = (
            f"{incident.host},{_identifier(incident, number)},{_moment(at)}"
            for number, at in enumerate(incident.sent[:-1], start=1)
        )
        _add(root, "references", " ".join(earlier))
    for language in ("zh-CN", "en-US"):
        info = ET.SubElement(root, "info")
        for name, value in _info(incident, language):
            _add(info, name, value)
        area = ET.SubElement(info, "area")
        office = incident.office if language == "zh-CN" else incident.office_en
        _add(area, "areaDesc", f"{office} {incident.place}" if incident.place else office)
    return HEAD + bytes(ET.tostring(root, encoding="utf-8"))


def _info(incident: Incident, language: str) -> Iterator[tuple[str, str]]:
    chinese = language == "zh-CN"
    office = incident.office if chinese else incident.office_en
    domain, state = DOMAIN_WORDS[incident.domain], STATES.get(incident.state, ("处理中", "open"))
    yield "language", language
    yield "category", CATEGORIES.get(incident.domain, "Safety")
    yield "event", EVENT[language]
    yield "responseType", "AllClear" if incident.state is EventState.CLOSED else "Assess"
    yield "urgency", "Past" if incident.state is EventState.CLOSED else "Immediate"
    yield "severity", "Severe"
    yield "certainty", "Observed"
    yield "effective", _moment(incident.sent[-1])
    yield "expires", _moment(incident.sent[-1] + LASTS)
    yield "senderName", SENDER[language].format(office=office)
    yield "headline", HEADLINE[language].format(office=office, title=incident.title)
    yield (
        "description",
        DESCRIPTION[language].format(
            domain=domain.zh if chinese else domain.en, state=state[0] if chinese else state[1]
        ),
    )
    yield "instruction", INSTRUCTION[language]


def _add(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = UNSAFE.sub("", value)


def _identifier(incident: Incident, number: int) -> str:
    return f"{incident.event_id}-{number}"


def _moment(at: datetime) -> str:
    """Return a time as the standard writes it: seconds, and a zone in numbers."""
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds")
