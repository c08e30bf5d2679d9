"""The feed of an office and the message of an incident, read by parsers that others wrote."""

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from lxml import etree
from sqlmodel import select

from alerts.cap import Incident, document
from api.wiring import Service
from models.database import Database
from models.event import Event, Report
from models.office import FeedKey
from models.vocabulary import Domain, EventKind, EventState, Role
from tests.conftest import NOW
from tests.support import services

ATOM = {"a": "http://www.w3.org/2005/Atom"}
CAP = {"c": "urn:oasis:names:tc:emergency:cap:1.2"}
RESTATED = Path(__file__).parents[1] / "support" / "cap_1_2_restated.xsd"
NAME = re.compile(r"[^\s,<&]+")
"""What identifiers and senders are made of, and references of three such (section 3.2)."""


def schema() -> etree.XMLSchema:
    """Return the schema that OASIS publishes if `CAP_SCHEMA` says where it lies, or our restatement."""
    return etree.XMLSchema(etree.parse(os.environ.get("CAP_SCHEMA", RESTATED)))


def incident(**changes: object) -> Incident:
    values: dict[str, object] = {
        "event_id": "1" * 32,
        "title": "三号楼 <燃气> & 泄漏\x07",
        "domain": Domain.HOUSING,
        "state": EventState.REPORTED,
        "office": "东莞市",
        "office_en": "Dongguan",
        "place": "厚街",
        "sent": [NOW],
        "host": "tingjian.example",
    }
    return Incident(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("state", list(EventState))
def test_an_incident_in_every_state_and_domain_keeps_to_the_schema(state: EventState) -> None:
    keeps = schema()
    for domain in Domain:
        for sent in ([NOW], [NOW - timedelta(hours=2), NOW - timedelta(hours=1), NOW]):
            read = etree.fromstring(document(incident(state=state, domain=domain, sent=sent)))
            keeps.assertValid(read)
            named = [read.xpath(f"string(c:{name})", namespaces=CAP) for name in ("identifier", "sender")]
            told = read.xpath("string(c:references)", namespaces=CAP)
            parts = [part for one in told.split() for part in one.split(",")]
            assert len(parts) == 3 * (len(sent) - 1)
            assert all(NAME.fullmatch(one) for one in [*named, *parts])

    assert read.xpath("string(c:msgType)", namespaces=CAP) == "Update"
    assert len(read.xpath("string(c:references)", namespaces=CAP).split()) == 2
    assert read.xpath("c:info/c:language/text()", namespaces=CAP) == ["zh-CN", "en-US"]
    assert read.xpath("string(c:info[1]/c:headline)", namespaces=CAP) == "东莞市：三号楼 <燃气> & 泄漏"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<status>Actual</status>", b""),
        (b"<status>Actual</status>", b"<status>Real</status>"),
        (b"<scope>", b"<scope>Secret "),
        (b"<language>zh-CN</language>", b""),
        (b"+08:00</sent>", b"Z</sent>"),
        (b"<area>", b"<resource><resourceDesc>map</resourceDesc></resource><area>"),
        (b"</alert>", b"<note>last</note></alert>"),
    ],
)
def test_the_schema_refuses_what_the_standard_does(old: bytes, new: bytes) -> None:
    whole = document(incident())
    broken = whole.replace(old, new, 1)
    assert broken != whole
    if old.startswith(b"<language"):  # the standard gives a language by default: this one it takes
        schema().assertValid(etree.fromstring(broken))
    else:
        assert not schema().validate(etree.fromstring(broken))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            b"<area>",
            b"<resource><resourceDesc>map</resourceDesc><mimeType>image/png</mimeType></resource><area>",
        ),
        (b"</alert>", b'<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/></alert>'),
    ],
)
def test_the_schema_takes_what_the_standard_does(old: bytes, new: bytes) -> None:
    schema().assertValid(etree.fromstring(document(incident()).replace(old, new, 1)))


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    services.plant(database, now)
    return services.make_service(database, now, public_url="https://tingjian.example")


@pytest.fixture
def office(service: Service, now: datetime) -> Iterator[TestClient]:
    reporter = services.make_account(service.database, now, "office", (Role.PROVINCIAL_OFFICE, "gd"))
    with service.database.transaction() as session:
        for place, title, kind in (
            ("gd/dongguan", "热水停供", EventKind.COLLECTIVE_DEMAND),
            ("gd/foshan", "燃气泄漏", EventKind.SAFETY_INCIDENT),
        ):
            made = Event(
                kind=kind,
                organisation=place,
                title=title,
                domain=Domain.CAMPUS_LIFE,
                state=EventState.REPORTED,
                created_at=now,
            )
            session.add(made)
            session.flush()
            counts = {"posts": 40, "authors": 20}
            figures = {"title": title, "organisation": place, "names": {place: place}, "sequence": 1}
            session.add(
                Report(
                    event_id=made.id,
                    sequence=1,
                    figures={**figures, "counts": counts},
                    reported_by=reporter.id,
                    reported_at=now,
                )
            )
    with services.client_of(service) as client:
        services.sign_in(client, "office")
        yield client


def test_a_feed_tells_what_was_reported_to_whoever_has_its_key_until_it_is_revoked(
    service: Service, office: TestClient
) -> None:
    made = office.post("/v1/feed-keys", json={"organisation": "gd", "name": "大屏"}).json()
    address = made["url"].removeprefix("https://tingjian.example")
    with services.client_of(service) as stranger:
        first = stranger.get(address)
        again = stranger.get(address, headers={"if-none-match": first.headers["etag"]})
        guessed = stranger.get(address[:-6] + "x/atom")
        assert office.delete(f"/v1/feed-keys/{made['id']}").status_code == 204
        revoked = stranger.get(address)

    read = etree.fromstring(first.content)
    assert first.headers["content-type"].startswith("application/atom+xml")
    assert "no-referrer" in first.headers["referrer-policy"]
    assert (again.status_code, guessed.status_code, revoked.status_code) == (304, 404, 404)
    assert read.xpath("a:entry/a:title/text()", namespaces=ATOM) == ["热水停供"], "no incident unasked"
    assert "20" in read.xpath("string(a:entry/a:summary)", namespaces=ATOM)
    for required in ("a:id", "a:title", "a:updated", "a:entry/a:id", "a:entry/a:updated", "a:author/a:name"):
        assert read.xpath(required, namespaces=ATOM), required
    with service.database.reading() as session:
        kept = session.exec(select(FeedKey)).one()
    assert address.split("/")[3] not in kept.model_dump_json()
    assert "url" not in office.get("/v1/feed-keys").text


def test_a_feed_that_was_asked_for_incidents_links_to_their_messages(
    service: Service, office: TestClient
) -> None:
    made = office.post(
        "/v1/feed-keys", json={"organisation": "gd", "name": "值班室", "language": "en", "incidents": True}
    ).json()
    with services.client_of(service) as stranger:
        read = etree.fromstring(stranger.get(made["url"].removeprefix("https://tingjian.example")).content)
        (link,) = read.xpath("a:entry/a:link[@rel='enclosure']/@href", namespaces=ATOM)
        told = stranger.get(link.removeprefix("https://tingjian.example"))

    assert told.headers["content-type"] == "application/cap+xml"
    schema().assertValid(etree.fromstring(told.content))
    entry = read.xpath("a:entry[a:title='燃气泄漏']", namespaces=ATOM)[0]
    assert "20" not in entry.xpath("string(a:summary)", namespaces=ATOM), (
        "an incident is told without figures"
    )
    event = link.rpartition("/")[2]
    assert office.get(f"/v1/events/{event}/cap").content == told.content
