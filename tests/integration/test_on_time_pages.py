"""The pages and routes of clocks, dispatch, duty, experts and stations, acted through as people do."""

import re
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import icalendar
import pytest
from fastapi.testclient import TestClient
from sqlmodel import col, select

from alerts import dispatch, duty, escalation, gaps, questions
from api.wiring import Service
from models.audit import AuditEntry, first_break
from models.clock import Clock
from models.database import Database
from models.duty import DutyLayer
from models.organisation import Organisation
from models.outbox import OutboxMessage
from models.post import Post
from models.reading import Reading
from models.station import Booking, Station
from models.vocabulary import Domain, KeyScope, Role, Tone, Topic
from tests.support.posting import a_draft
from tests.support.screeners import ScriptedScreener
from tests.support.services import (
    Caller,
    client_of,
    make_account,
    make_key,
    make_service,
    plant,
    sign_in,
)

HOUR = timedelta(hours=1)
CITY = "gd/dongguan"


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    return furnished(database, now)


@pytest.fixture
def light(sqlite_template: Path, tmp_path: Path, now: datetime) -> Iterator[Service]:
    """The same on SQLite alone: the rooms' own tests ask both servers."""
    path = tmp_path / "light.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield furnished(database, now)
    database.close()


def furnished(database: Database, now: datetime) -> Service:
    plant(database, now)
    make_account(database, now, "chen", (Role.OFFICER, CITY))
    make_account(database, now, "lin", (Role.OFFICER, CITY))
    make_account(database, now, "province", (Role.OFFICER, "gd"), (Role.PROVINCIAL_OFFICE, "gd"))
    make_account(database, now, "station", (Role.STATION_MANAGER, CITY))
    return make_service(database, now)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        sign_in(client, "chen")
        yield client


@pytest.fixture
def officer(light: Service) -> Iterator[TestClient]:
    with client_of(light) as client:
        sign_in(client, "chen")
        yield client


def send(client: TestClient, to: str, /, **form: Any) -> Any:
    form["csrf"] = client.headers["x-csrf-token"]
    return client.post(to, data=form)


def ask(service: Service, now: datetime, number: str, organisation: str = CITY) -> str:
    """Let a young person ask something; return the id of its clock."""
    from moderation.intake import Caller as Source
    from moderation.intake import take

    draft = a_draft(now, external_id=number, organisation=organisation, created_at=now, author=number)
    (taken,) = take(
        service.database,
        ScriptedScreener(),
        [draft],
        caller=Source("forum", "key:test", ("gd",)),
        keys=service.keys,
        now=now,
    )
    assert taken.problem is None
    questions.watch_questions(service.database, now)
    with service.database.reading() as session:
        return session.exec(
            select(Clock.id)
            .join(Post, col(Post.id) == col(Clock.subject_id))
            .where(Post.external_id == number)
        ).one()


def done(answer: Any, what: str) -> None:
    assert answer.status_code == 303, answer.text
    assert f"done={what}" in answer.headers["location"], answer.headers["location"]


def test_a_question_is_called_for_shown_with_its_reason_invited_to_and_answered(
    service: Service, client: TestClient, now: datetime
) -> None:
    clock = ask(service, now, "q1")
    escalation.sweep_clocks(service.database, now + 2.5 * HOUR)
    for hours in (1.5, 2.5):  # a session without a request ends after two hours
        service.clock.now = now + hours * HOUR  # type: ignore[attr-defined]
        page = client.get("/clocks").text
    assert "还剩 0 小时 30 分" in page
    assert "3月16日（周一）是工作日，12:00 在 9:00 至 21:00 之间，3 小时内答复：3月16日 15:00 前。" in page
    call = re.search(r"/clocks/calls/([0-9a-f]{32})", page)
    assert call is not None
    done(send(client, f"/clocks/calls/{call[1]}"), "call_seen")
    assert "/clocks/calls/" not in client.get("/clocks").text
    done(
        send(client, "/experts", name="周律师", field="law", organisation=CITY, title="律师"), "expert_added"
    )
    card = client.get(f"/clocks/{clock}").text
    assert "食堂的热水什么时候能修好" in card
    expert = re.search(r'<option value="([0-9a-f]{32})">法律服务 · 周律师', card)
    assert expert is not None
    shown = send(client, f"/clocks/{clock}/invite", expert=expert[1])
    token = re.search(r"/invitations/([\w-]+)<", shown.text)
    assert token is not None
    with client_of(service) as stranger:
        page = stranger.get(f"/invitations/{token[1]}").text
        assert "食堂的热水" in page
        assert "周律师" in page
        done(
            stranger.post(f"/invitations/{token[1]}", data={"answered": "true"}),
            "invitation_answered",
        )
        assert "食堂的热水" not in stranger.get(f"/invitations/{token[1]}").text
        assert stranger.get("/invitations/guess").status_code == 404
    told = client.get(f"/v1/clocks/{clock}").json()
    assert told["clock"]["stopped_by"] == "expert"
    assert told["why_en"].startswith("Monday 16 March is a working day")
    assert client.get("/v1/experts").json()["figures"][0]["in_time"] == 1
    again = send(client, f"/clocks/{clock}/answer", by="duty_officer", version="2")
    assert again.status_code == 409
    with service.database.reading() as session:
        actions = set(session.exec(select(AuditEntry.action)).all())
        assert {"question.viewed", "clock.called", "expert.invited", "expert.answered"} <= actions
        assert first_break(session) is None


def test_a_provincial_question_is_proposed_handed_over_and_sent_back(
    light: Service, officer: TestClient, now: datetime
) -> None:
    clock = ask(light, now, "q1", "gd")
    assert officer.get(f"/clocks/{clock}").status_code == 404
    with light.database.transaction() as session:
        session.get_one(Organisation, CITY).names = ["东莞"]
        post = session.get_one(Post, session.get_one(Clock, clock).subject_id)
        session.add(
            Reading(
                post_id=post.id,
                revision=1,
                organisation="gd",
                is_need=True,
                need_probability=0.9,
                domain=Domain.HOUSING,
                domain_probability=0.9,
                tone=Tone.NEUTRAL,
                place="东莞",
                posted_at=now,
                read_at=now,
            )
        )
    dispatch.dispatch_due(light.database, now)
    with client_of(light) as province:
        sign_in(province, "province")
        found = re.search(r"/dispatch/([0-9a-f]{32})", province.get("/dispatch").text)
        assert found is not None
        assert province.get("/v1/dispatch").json()[0]["to_organisation"] == CITY
        done(send(province, f"/dispatch/{found[1]}", take="true"), "handed")
        card = officer.get(f"/clocks/{clock}").text
        assert "帖子提到这个地方" in card
        done(send(officer, f"/clocks/{clock}/return", reason="说的是省里的事", version="2"), "given_back")
        assert officer.get(f"/clocks/{clock}").status_code == 404
        assert "说的是省里的事" in province.get(f"/clocks/{clock}").text
        done(
            send(
                province,
                f"/clocks/{clock}/hand-over",
                organisation="gd/foshan",
                reason="佛山的事",
                version="3",
            ),
            "handed",
        )
        steps = province.get(f"/v1/clocks/{clock}").json()
        assert [one["state"] for one in steps["handovers"]] == ["handed", "returned", "handed"]
        assert steps["clock"]["due_at"].startswith("2026-03-16T07:00")


def test_a_platform_tells_of_an_answer_by_its_key(light: Service, now: datetime) -> None:
    ask(light, now, "board/1")
    key = make_key(light.database, now, KeyScope.ANSWERS_WRITE)
    with client_of(light) as client:
        caller = Caller(client.app, key)  # type: ignore[arg-type]
        body = {"answer": "a1", "by": "official_account", "answered_at": (now + HOUR).isoformat()}
        light.clock.now = now + 2 * HOUR  # type: ignore[attr-defined]
        answer = caller.post("/v1/questions/board/1/answers", json=body)
        assert (answer.status_code, answer.json()["stopped_by"]) == (201, "official_account")
        wrong = caller.post(
            "/v1/questions/board/1/answers", json=body | {"answered_at": "2026-03-16T13:00:00"}
        )
        assert (wrong.status_code, wrong.json()["field"]) == (422, "/answered_at")
        assert caller.post("/v1/questions/none/answers", json=body).status_code == 404


def test_a_roster_with_a_gap_is_filled_reported_and_followed_by_a_calendar(
    light: Service, officer: TestClient, now: datetime
) -> None:
    people = {
        name: str(identifier)
        for identifier, name in re.findall(
            r'name="people" value="([0-9a-f]{32})"> (\w+)', officer.get("/duty").text
        )
    }
    assert set(people) == {"chen", "lin", "station"}
    layer = {
        "organisation": CITY,
        "name": "工作日班",
        "people": [people["chen"], people["lin"]],
        "cover": "working_days",
        "turn_days": "1",
        "position": "1",
        "begins_on": "2026-03-16",
    }
    done(send(officer, "/duty/layers", **layer), "layer_made")
    gaps.find_gaps(light.database, now)
    page = officer.get("/duty?month=2026-04").text
    assert page.count("无人值班") >= 3
    assert "清明节" in page
    for day in ("2026-04-04", "2026-04-05", "2026-04-06"):
        with light.database.reading() as session:
            identifier = session.exec(select(DutyLayer.id)).one()
        done(
            send(
                officer,
                "/duty/override",
                layer=identifier,
                day=day,
                person=people["lin"],
                reason="清明值班",
            ),
            "overridden",
        )
    done(send(officer, "/duty/report", organisation=CITY, first_day="2026-04-04"), "holiday_reported")
    assert "已上报" in officer.get("/duty").text
    assert send(officer, "/duty/report", organisation=CITY, first_day="2026-04-04").status_code == 409
    with client_of(light) as province:
        sign_in(province, "province")
        report = province.get("/v1/duty/reports").json()[0]
        assert (report["holiday"], report["late"], len(report["turns"])) == ("清明节", False, 3)
        assert "东莞市" in province.get("/duty").text
    late = send(
        officer, "/duty/override", layer=identifier, day="2026-03-15", person=people["lin"], reason="补记"
    )
    assert late.status_code == 409
    assert "不能再改" in late.text
    shown = send(officer, "/duty/feeds", organisation=CITY)
    address = re.search(r"/v1/duty/feeds/[\w-]+\.ics", shown.text)
    assert address is not None
    with client_of(light) as stranger:
        answer = stranger.get(address[0])
        assert answer.headers["content-type"].startswith("text/calendar")
        assert len(icalendar.Calendar.from_ical(answer.content).walk("VEVENT")) > 30
        assert stranger.get("/v1/duty/feeds/guess.ics").status_code == 404
    assert duty.plan_due(light.database, now + timedelta(days=2)).frozen == 2
    roster = officer.get("/v1/duty?month=2026-03").json()
    assert [turn["day"] for turn in roster["turns"] if turn["frozen_at"]] == ["2026-03-16", "2026-03-17"]


def test_a_station_is_made_booked_by_a_platform_answered_and_rated(service: Service, now: datetime) -> None:
    with client_of(service) as client:
        sign_in(client, "station")
        assert client.get("/queue").status_code == 403
        form = {
            "name": "厚街青年之家",
            "address": "体育路 1 号",
            "hours": "1-5 09:00-18:00",
            "services": "法律咨询\n就业指导",
            "capacity": "1",
            "slot_minutes": "60",
            "latitude": "22.94",
            "longitude": "113.67",
        }
        assert send(client, "/stations", organisation=CITY, **form | {"hours": "9-5"}).status_code == 422
        made = send(client, "/stations", organisation=CITY, **form)
        done(made, "station_made")
        page = client.get("/stations").text
        assert "厚街青年之家" in page
        assert "现在开放" in page
        assert "<circle" in page
        with service.database.reading() as session:
            station = session.exec(select(Station)).one().id
        key = make_key(service.database, now, KeyScope.BOOKINGS_WRITE)
        caller = Caller(client.app, key)  # type: ignore[arg-type]
        free = caller.get(f"/v1/public/stations/{station}/slots?day=2026-03-17").json()
        assert len(free) == 9
        wish = {"key": "u1", "starts_at": free[0]["starts_at"], "service": "法律咨询"}
        booked = caller.post(f"/v1/stations/{station}/bookings", json=wish)
        assert (booked.status_code, booked.json()["state"]) == (201, "requested")
        assert caller.post(f"/v1/stations/{station}/bookings", json=wish).status_code == 200
        full = caller.post(f"/v1/stations/{station}/bookings", json=wish | {"key": "u2"})
        assert (full.status_code, full.json()["code"]) == (409, "slot_full")
        booking = booked.json()["id"]
        page = client.get(f"/stations/{station}?day=2026-03-17").text
        assert booked.json()["code"] in page
        assert "约满" in page
        done(send(client, f"/bookings/{booking}/decide", confirm="true", version="1"), "booking_confirmed")
        service.clock.now = datetime.fromisoformat("2026-03-17T10:00:00+08:00")  # type: ignore[attr-defined]
        sign_in(client, "station")
        done(
            send(client, f"/bookings/{booking}/settle", served="true", result="已解答", version="2"),
            "booking_settled",
        )
        assert caller.post(f"/v1/bookings/{booking}:rate", json={"stars": 5}).json()["rating"] == 5
        assert caller.post(f"/v1/bookings/{booking}:cancel").status_code == 409
        assert "评分 5" in client.get(f"/stations/{station}").text
        done(send(client, f"/stations/{station}", **form | {"capacity": "3"}, version="1"), "station_changed")
        assert caller.get("/v1/public/stations?place=gd/dongguan").json()[0]["capacity"] == 3
        with service.database.reading() as session:
            row = session.get_one(Booking, booking)
            told = session.exec(
                select(OutboxMessage).where(OutboxMessage.topic == Topic.BOOKING_DECIDED)
            ).all()
            assert (row.rating, told) == (5, [])
        done(send(client, f"/stations/{station}/end", version="2"), "station_ended")
        assert caller.get("/v1/public/stations").json() == []


def test_a_question_is_referred_to_a_station_from_its_card(
    light: Service, officer: TestClient, now: datetime
) -> None:
    clock = ask(light, now, "q1")
    with client_of(light) as manager:
        sign_in(manager, "station")
        plan = {
            "organisation": CITY,
            "name": "站",
            "address": "路",
            "hours": {"1": [["09:00", "18:00"]]},
            "services": ["法律咨询"],
        }
        made = manager.post("/v1/stations", json=plan)
        assert made.status_code == 201, made.text
    done(send(officer, f"/clocks/{clock}/refer", station=f"{made.json()['id']}:法律咨询"), "referred")
    assert "法律咨询" in officer.get(f"/clocks/{clock}").text
