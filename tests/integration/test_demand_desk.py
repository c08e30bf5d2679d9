"""The desk of demands, over HTTP and in the console, on both databases."""

import re
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from api.wiring import Service
from models.audit import AuditEntry
from models.correction import DemandProbe, DemandSuggestion, DemandVoice
from models.database import Database
from models.demand import Demand, DemandFact, DemandMember
from models.post import Post
from models.vocabulary import DemandState, KeyScope, Role, SuggestionKind, SuggestionState
from sentiment.demand import suggestions
from sentiment.jobs import WarmthReport, count_due, draw_due, group_due, read_due, warm_due
from tests.support.services import Caller, client_of, make_account, make_key, make_service, sign_in
from tests.support.wording import ListeningBundle, plant_campus, publish, voice_water

HERE, THERE = "gd/campus-a", "gd/campus-b"
PEOPLE = {
    "officer": [(Role.OFFICER, "gd")],
    "here": [(Role.OFFICER, HERE)],
    "unit": [(Role.LEAD_UNIT, "gd")],
}


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    with database.transaction() as session:
        plant_campus(session, now, HERE, THERE)
        for place in (HERE, THERE):
            voice_water(session, now, 14, organisation=place)
    for login, grants in PEOPLE.items():
        make_account(database, now, login, *grants)
    made = make_service(database, now)
    made.bundle = ListeningBundle()
    run(made, now)
    return made


def run(service: Service, now: datetime) -> None:
    assert service.bundle is not None
    read_due(service.database, service.bundle, service.sentiment, now)
    group_due(service.database, service.bundle, service.sentiment, now)
    warm_due(service.database, now)
    count_due(service.database, now)


def demand_at(session: Session, place: str) -> Demand:
    return session.exec(
        select(Demand).where(Demand.organisation == place, Demand.state == DemandState.PROPOSED)
    ).one()


def posts_of(session: Session, demand: str) -> list[str]:
    return list(
        session.exec(
            select(DemandMember.post_id)
            .where(DemandMember.demand_id == demand)
            .order_by(col(DemandMember.post_id))
        )
    )


def ids(service: Service) -> tuple[str, str, list[str], list[str]]:
    with service.database.reading() as session:
        here, there = demand_at(session, HERE).id, demand_at(session, THERE).id
        return here, there, posts_of(session, here), posts_of(session, there)


def test_the_card_corrects_and_takes_back_without_scripts(service: Service) -> None:
    here, there, mine, _ = ids(service)
    with client_of(service) as client:
        csrf = sign_in(client, "officer")

        def act(demand: str, **form: object) -> object:
            return client.post(f"/demands/{demand}/act", data={"csrf": csrf, **form})

        board = client.get("/demands").text
        assert here in board
        assert there in board
        assert "热度" in board
        card = client.get(f"/demands/{here}").text
        assert card.count('name="posts"') == 14
        assert "是同一诉求的可能" in card
        assert "同一组织" in card or "少见词相同" in card
        without = client.get(f"/demands/{here}?without={mine[0]}").text
        assert "如果没有这一条" in without
        assert "还剩 13 人" in without

        split = act(here, act="split", posts=mine[:3], reason="另一件事")
        assert split.headers["location"] == f"/demands/{here}?done=demand_split"  # type: ignore[attr-defined]
        card = client.get(f"/demands/{here}").text
        assert "另一件事" in card
        undo = re.search(r'action="(/demand-corrections/\w+/undo)"', card)
        assert undo
        taken = client.post(undo[1], data={"csrf": csrf})
        assert taken.headers["location"].endswith("done=demand_undone")
        with service.database.reading() as session:
            assert posts_of(session, here) == mine
            assert session.exec(select(DemandFact)).first() is None

        assert act(here, act="confirm", posts=mine[:1]).status_code == 303  # type: ignore[attr-defined]
        refused = act(here, act="move", posts=mine[:2], to=there)
        assert refused.status_code == 409  # type: ignore[attr-defined]
        assert "有人说过相反的话" in refused.text  # type: ignore[attr-defined]
        with service.database.reading() as session:
            assert posts_of(session, here) == mine
        moved = act(here, act="move", posts=mine[:2], to=there, insists="true")
        assert moved.headers["location"].startswith(f"/demands/{here}")  # type: ignore[attr-defined]
        for wrong, form in (
            ("split", {"act": "split"}),
            ("merge", {"act": "merge"}),
            ("none", {"act": "undo"}),
            ("all", {"act": "split", "posts": mine[2:]}),
        ):
            assert act(here, **form).status_code == 422, wrong  # type: ignore[attr-defined]

        assert act(here, act="merge", to=there).status_code == 409  # type: ignore[attr-defined]
        assert act(here, act="merge", to=there, insists="true").status_code == 303  # type: ignore[attr-defined]
        followed = client.get(f"/demands/{there}")
        assert (followed.status_code, followed.headers["location"]) == (308, f"/demands/{here}")
        answer = client.get(f"/v1/demands/{there}")
        assert (answer.status_code, answer.headers["location"]) == (308, f"/v1/demands/{here}")
        assert act(there, act="rename", title="宿舍热水").status_code == 303  # type: ignore[attr-defined]
        assert "宿舍热水" in client.get(f"/demands/{here}").text
    with service.database.reading() as session:
        done = {
            entry.action
            for entry in session.exec(select(AuditEntry).where(col(AuditEntry.action).startswith("demand.")))
        }
    assert done >= {
        "demand.split",
        "demand.correction_undone",
        "demand.post_confirmed",
        "demand.posts_moved",
        "demand.merged",
        "demand.renamed",
        "demand.posts_viewed",
    }


def test_the_same_over_http_and_only_within_reach(service: Service) -> None:
    here, there, mine, others = ids(service)
    with client_of(service) as client:
        sign_in(client, "here")
        made = client.post(f"/v1/demands/{here}:split", json={"posts": mine[:4]})
        assert made.status_code == 201, made.text
        assert client.get(f"/v1/demands/{here}/corrections").json()[0]["id"] == made.json()["id"]
        undone = client.post(f"/v1/demand-corrections/{made.json()['id']}:undo")
        assert undone.json()["undoes"] == made.json()["id"]
        again = client.post(f"/v1/demand-corrections/{made.json()['id']}:undo")
        assert (again.status_code, again.json()["code"]) == (409, "undo_over")
        assert client.post(f"/v1/demands/{here}/posts:confirm", json={"posts": mine[:1]}).status_code == 201
        refused = client.post(f"/v1/demands/{here}/posts:remove", json={"posts": mine[:1]})
        assert (refused.status_code, refused.json()["code"]) == (409, "contradicts")
        assert refused.json()["facts"][0]["post"] == mine[0]
        for path, body in (
            (f"/v1/demands/{there}/posts:confirm", {"posts": others[:1]}),
            (f"/v1/demands/{here}:merge", {"other": there}),
            (f"/v1/demands/{here}/posts:move", {"posts": mine[1:2], "to": there}),
            (f"/v1/demands/{here}/posts:confirm", {"posts": others[:1]}),
        ):
            assert client.post(path, json=body).status_code == 404, path
        assert client.get("/v1/demand-contradictions").json() == []
        listed = client.get("/v1/demands?order=heat").json()["items"]
        assert [one["id"] for one in listed] == [here]
        assert listed[0]["heat"] > 0
        assert listed[0]["trend"] == "rising"
    with client_of(service) as client:
        sign_in(client, "unit")
        shown = client.get(f"/v1/demands/{here}").json()
        assert (shown["authors"], shown["heat_parts"], shown["heat"] % 5) == (10, None, 0)
        page = client.get(f"/demands/{here}").text
        assert 'name="posts"' not in page
        assert client.post(f"/v1/demands/{here}:split", json={"posts": mine[:4]}).status_code == 403


def test_what_people_say_differently_waits_for_a_third(service: Service, now: datetime) -> None:
    here, there, mine, _ = ids(service)
    with service.database.transaction() as session:
        for demand in (here, there):
            session.add(
                DemandFact(
                    demand_id=demand,
                    post_id=mine[0],
                    belongs=True,
                    reason="",
                    decided_by="account:x",
                    decided_at=now,
                )
            )
    with client_of(service) as client:
        csrf = sign_in(client, "officer")
        page = client.get("/demand-contradictions").text
        assert page.count("说过：属于") == 2
        told = client.get("/v1/demand-contradictions").json()
        assert [one["post_id"] for one in told] == [mine[0]]
        settled = client.post(f"/demand-contradictions/{mine[0]}", data={"csrf": csrf, "demand": there})
        assert settled.status_code == 303, settled.text
        assert "没有矛盾的说法" in client.get("/demand-contradictions").text
        assert client.post(f"/demand-contradictions/{mine[0]}", data={"csrf": csrf}).status_code == 404
    run(service, now + timedelta(minutes=1))
    with service.database.reading() as session:
        assert mine[0] in posts_of(session, there)


def test_a_suggestion_changes_nothing_until_it_is_accepted(service: Service, now: datetime) -> None:
    here, there, mine, _ = ids(service)
    with service.database.transaction() as session:
        why = {"between": 0.1, "within": 0.9, "parts": {"words": 1.5}}
        split = suggestions.Proposed(SuggestionKind.SPLIT, here, None, tuple(mine[:4]), 0.8, why)
        found = [split, suggestions.Proposed(SuggestionKind.MERGE, here, there, (), 0.7, why)]
        suggestions.keep(session, found, now)
        waiting = [one.id for one in suggestions.open_suggestions(session)]
    with client_of(service) as client:
        csrf = sign_in(client, "officer")
        page = client.get("/demand-suggestions").text
        assert page.count("data-suggestion") == 2
        assert len(client.get("/v1/demand-suggestions").json()) == 2
        dismissed = client.post(
            f"/demand-suggestions/{waiting[1]}", data={"csrf": csrf, "outcome": "dismiss"}
        )
        assert dismissed.headers["location"].endswith("suggestion_dismissed")
        done = client.post(f"/v1/demand-suggestions/{waiting[0]}:accept", json={"reason": "对"})
        assert (done.status_code, done.json()["kind"]) == (201, "split")
        assert client.post(f"/v1/demand-suggestions/{waiting[0]}:dismiss", json={}).status_code == 409
    with service.database.transaction() as session:
        assert suggestions.keep(session, found, now).made == 0
        states = {one.kind: one.state for one in session.exec(select(DemandSuggestion))}
        assert states == {
            SuggestionKind.SPLIT: SuggestionState.ACCEPTED,
            SuggestionKind.MERGE: SuggestionState.DISMISSED,
        }


def test_the_night_finds_what_a_free_run_would_do(service: Service, now: datetime) -> None:
    _, _, mine, _ = ids(service)
    with service.database.transaction() as session:
        # Somebody's mistake that nobody pinned: half of the posts were put beside another campus's.
        for row in session.exec(select(DemandMember).where(col(DemandMember.post_id).in_(mine[:6]))):
            row.demand_id = session.exec(select(Demand.id).where(Demand.organisation == THERE)).one()
            session.add(row)
    report = suggestions.suggest_due(service.database, now)
    assert report.made >= 1
    with service.database.reading() as session:
        found = suggestions.open_suggestions(session)
        split = next(one for one in found if one.kind is SuggestionKind.SPLIT)
        assert set(split.posts) <= set(mine[:6])
        assert {"between", "within", "parts"} <= set(split.reasons)
    assert suggestions.suggest_due(service.database, now).made == 0


def test_who_writes_hears_that_many_have_asked_and_may_join(service: Service, now: datetime) -> None:
    here, *_ = ids(service)
    key = make_key(service.database, now, organisation="gd")
    with service.database.transaction() as session:
        few = publish(session, "宿舍热水太贵了", "alone", now, organisation=HERE)
        few.source = "forum"
    with client_of(service) as app:
        forum = Caller(app.app, key)  # type: ignore[arg-type]
        body = {"text": "宿舍晚上没有热水，怎么洗澡", "organisation": HERE}
        told = forum.post("/v1/demands/similar", json=body)
        assert told.status_code == 200, told.text
        assert [(one["demand_id"], one["people"], one["verified"]) for one in told.json()] == [
            (here, 10, False)
        ]
        assert forum.post("/v1/demands/similar", json={**body, "text": "养了一只小乌龟"}).json() == []
        for number in range(8):
            joined = forum.post(f"/v1/demands/{here}/voices", json={"author": f"new-{number}"})
            assert (joined.status_code, joined.json()["changed"]) == (201, True)
        again = forum.post(f"/v1/demands/{here}/voices", json={"author": "new-0"}).json()
        assert (again["changed"], again["people"]) == (False, 20)
        unknown = forum.post(f"/v1/demands/{here}/voices", json={"author": "x", "external_id": "none"})
        assert unknown.status_code == 404
        left = forum.post(f"/v1/demands/{here}/voices:withdraw", json={"author": "new-0"}).json()
        assert left["changed"] is True
        warm_due(service.database, now)
        with service.database.transaction() as session:
            demand = session.get_one(Demand, here)
            assert demand.voices == 7
            assert len(session.exec(select(DemandVoice.author)).all()) == 7
            # Below the number nothing is said, however many have joined.
            for post in session.exec(select(Post).where(col(Post.id).in_(posts_of(session, here)[:5]))):
                post.state = "removed"  # type: ignore[assignment]
        assert forum.post("/v1/demands/similar", json=body).json() == []
        assert forum.post(f"/v1/demands/{here}/voices", json={"author": "late"}).status_code == 404
        gone = [forum.post(f"/v1/demands/{here}/voices:withdraw", json={"author": "new-1"}) for _ in "ab"]
        assert [one.status_code for one in gone] == [200, 404]
        assert (gone[0].json()["changed"], gone[0].json()["people"]) == (True, 0)
        elsewhere = Caller(app.app, make_key(service.database, now, organisation=THERE))  # type: ignore[arg-type]
        assert elsewhere.post("/v1/demands/similar", json=body).status_code == 403
        reader = Caller(app.app, make_key(service.database, now, KeyScope.POSTS_READ, organisation="gd"))  # type: ignore[arg-type]
        assert reader.post("/v1/demands/similar", json=body).status_code == 403


def test_a_trend_is_of_places_and_never_of_few(service: Service) -> None:
    with client_of(service) as client:
        sign_in(client, "officer")
        told = client.get("/v1/trends?organisation=gd&days=14").json()
        assert told["minimum"] == 0
        assert sum(one["authors"] for one in told["points"]) == 28
        assert client.get("/v1/trends?organisation=gd/campus-a&domain=campus_life").status_code == 200
        page = client.get("/trends?place=gd&domain=campus_life&days=28").text
        assert "data-chart" in page
    with client_of(service) as client:
        sign_in(client, "unit")
        guarded = client.get("/v1/trends?organisation=gd&days=14").json()
        assert guarded["minimum"] == 10
        assert {one["authors"] for one in guarded["points"]} <= {None, 10, 20}
    with client_of(service) as client:
        sign_in(client, "here")
        assert client.get("/v1/trends?organisation=gd").status_code == 404
        assert client.get("/trends?place=gd/campus-b").status_code == 404
        assert client.get("/v1/trends").json()["organisation"] == HERE


def test_the_blind_sample_says_how_much_is_missed(service: Service, now: datetime) -> None:
    later = now + timedelta(weeks=1)
    with service.database.transaction() as session:
        for number in range(6):
            publish(
                session, f"水费{number}怎么交", f"alone-{number}", now + timedelta(days=1), organisation=THERE
            )
    assert service.bundle is not None
    read_due(service.database, service.bundle, service.sentiment, now + timedelta(days=1))
    assert draw_due(service.database, b"secret", later).drawn > 0
    assert draw_due(service.database, b"secret", later).drawn == 0
    with service.database.reading() as session:
        drawn = session.exec(select(DemandProbe)).all()
        home = demand_at(session, THERE).id
        before = len(posts_of(session, home))
        assert {one.clustered for one in drawn} == {True, False}
    service.clock.turn(weeks=1)  # type: ignore[attr-defined]
    with client_of(service) as client:
        csrf = sign_in(client, "officer")
        placed = False
        for _ in drawn:
            shown = client.get("/v1/demand-sample").json()["next"]
            assert "clustered" not in shown
            page = client.get("/demand-sample").text
            assert shown["id"] in page
            assert (
                client.post(f"/v1/demand-sample/{shown['id']}", json={"answer": "belongs"}).status_code == 422
            )
            with service.database.reading() as session:
                own = session.get_one(DemandProbe, shown["id"]).demand_id
            shows_home = own is None and home in [one["id"] for one in shown["candidates"]]
            said = {"demand": home, "put": "true"} if shows_home and not placed else {"demand": own or "none"}
            placed = placed or shows_home
            answer = client.post(f"/demand-sample/{shown['id']}", data={"csrf": csrf, **said})
            assert answer.status_code == 303, answer.text
            assert client.post(f"/v1/demand-sample/{shown['id']}", json={"answer": "none"}).status_code == 409
        assert client.get("/v1/demand-sample").json() == {"waiting": 0, "next": None}
        told = client.get("/v1/demand-sample/recall").json()
        assert placed
        assert told["outside"] == {"posts": 6, "judged": 6, "belong": 1}
        assert told["low"] < told["value"] < 1
        with service.database.reading() as session:
            assert len(posts_of(session, home)) == before + 1
        assert "看板找到了多少" in client.get("/demand-sample").text


def test_where_nothing_was_said_there_is_nothing_to_warm(database: Database, now: datetime) -> None:
    assert warm_due(database, now) == WarmthReport(0, 0)
