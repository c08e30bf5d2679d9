"""Posts over HTTP: verdicts, repeats, edits, batches, deletions, and who may do what."""

import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from sqlmodel import func, select

from models.database import Database
from models.post import Post
from models.vocabulary import KeyScope
from tests.support.posting import fields
from tests.support.services import Platform


@pytest.fixture
def platform(database: Database, now: datetime) -> Platform:
    return Platform(database, now)


def ndjson(items: list[Any]) -> bytes:
    return b"\n".join(orjson.dumps(item) for item in items)


def test_a_post_gets_its_verdict_with_all_that_led_to_it(platform: Platform, now: datetime) -> None:
    answer = platform.forum.post("/v1/posts", json=fields(now, text="先加薇再说"))

    assert answer.status_code == 201
    found = answer.json()
    assert found == {
        "id": found["id"],
        "source": "forum",
        "external_id": "1",
        "revision": 1,
        "verdict": "hold",
        "state": "held",
        "category": "spam",
        "reasons": [
            {
                "source": "rule",
                "rule": "test/spam",
                "category": "spam",
                "clause": "C1",
                "spans": [[1, 3]],
                "probability": None,
            }
        ],
        "probabilities": found["probabilities"],
        "rulebook": "test-1",
        "bundle": "scripted",
        "policy": "test",
        "screened_at": "2026-03-16T04:00:00Z",
    }
    assert len(found["probabilities"]) == 10


def test_sent_twice_it_is_one_post_with_one_answer(platform: Platform, now: datetime) -> None:
    first = platform.forum.post("/v1/posts", json=fields(now, text="先加薇再说"))
    platform.clock.now += timedelta(minutes=3)
    second = platform.forum.post("/v1/posts", json=fields(now, text="先加薇再说"))

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.content == second.content


def test_another_content_under_the_same_revision_is_a_conflict(platform: Platform, now: datetime) -> None:
    platform.forum.post("/v1/posts", json=fields(now))
    answer = platform.forum.post("/v1/posts", json=fields(now, text="别的"))

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "revision_conflict"


def test_a_verdict_of_refer_says_who_helps(platform: Platform, now: datetime) -> None:
    found = platform.forum.post("/v1/posts", json=fields(now, text="我不想活了")).json()

    assert (found["verdict"], found["state"]) == ("refer", "referred")
    assert found["help"]["lines"][0]["number"] == "12356"


@pytest.mark.parametrize("external_id", ["a/b", "帖子 1?x=1#y", "..", "100%", "x" * 200, "a+b", "😀"])
def test_an_id_may_have_any_characters(platform: Platform, now: datetime, external_id: str) -> None:
    address = f"/v1/posts/forum/{quote(external_id, safe='').replace('.', '%2E')}"
    sent = fields(now)
    del sent["source"], sent["external_id"]

    put = platform.forum.put(address, json=sent)
    got = platform.forum.get(address)
    deleted = platform.forum.delete(address)

    assert put.status_code == 201
    assert put.json()["external_id"] == external_id
    assert got.json()["id"] == put.json()["id"]
    assert deleted.json()["external_id"] == external_id


def test_an_edit_is_a_new_revision_and_is_screened_anew(platform: Platform, now: datetime) -> None:
    platform.forum.post("/v1/posts", json=fields(now))

    edit = platform.forum.put("/v1/posts/forum/1", json=fields(now, revision=2, text="先加薇再说"))
    stale = platform.forum.put("/v1/posts/forum/1", json=fields(now, revision=1, text="又改了"))
    now_there = platform.forum.get("/v1/posts/forum/1").json()

    assert (edit.status_code, edit.json()["verdict"]) == (201, "hold")
    assert stale.json()["code"] == "revision_conflict"
    assert (now_there["revision"], now_there["state"]) == (2, "held")


def test_the_address_and_the_body_must_agree(platform: Platform, now: datetime) -> None:
    answer = platform.forum.put("/v1/posts/forum/2", json=fields(now, external_id="1"))

    assert (answer.status_code, answer.json()["code"]) == (422, "address_mismatch")
    assert answer.json()["field"] == "/external_id"


def test_a_deleted_post_is_gone_and_the_proof_stays_the_same(platform: Platform, now: datetime) -> None:
    platform.forum.post("/v1/posts", json=fields(now))

    first = platform.forum.delete("/v1/posts/forum/1")
    platform.clock.now += timedelta(days=1)
    second = platform.forum.delete("/v1/posts/forum/1")

    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    assert first.json()["reached"]["revisions"] == 1
    assert platform.forum.get("/v1/posts/forum/1").status_code == 410
    assert platform.forum.post("/v1/posts", json=fields(now)).json()["code"] == "gone"
    assert platform.forum.delete("/v1/posts/forum/never").status_code == 404


@pytest.mark.parametrize("lines", [False, True])
def test_a_batch_answers_for_each_post_in_order(platform: Platform, now: datetime, lines: bool) -> None:  # noqa: FBT001 - a parameter
    items: list[Any] = [
        fields(now, external_id="a"),
        fields(now, external_id="b", text=""),
        fields(now, external_id="a"),
        fields(now, external_id="a", text="别的"),
        "no post",
        fields(now, external_id="c", text="先加薇再说"),
        fields(now, external_id="d", organisation="gd/nowhere"),
        fields(now, external_id="e", source="elsewhere"),
    ]
    answer = (
        platform.forum.post(
            "/v1/posts:batch", content=ndjson(items), headers={"content-type": "application/x-ndjson"}
        )
        if lines
        else platform.forum.post("/v1/posts:batch", json=items)
    )

    results = answer.json()["results"]
    assert answer.status_code == 200
    assert [one["index"] for one in results] == list(range(8))
    assert [one["status"] for one in results] == [201, 422, 200, 409, 422, 201, 422, 403]
    assert [one.get("code") for one in results] == [
        None, "empty", None, "revision_conflict", "wrong_type", None, "unknown_organisation", "wrong_source",
    ]  # fmt: skip
    assert results[0]["id"] == results[2]["id"]
    assert results[5]["verdict"] == "hold"


def test_one_bad_line_does_not_spoil_the_others(platform: Platform, now: datetime) -> None:
    good = orjson.dumps(fields(now, external_id="1"))
    deep = b'{"text": ' + b"[" * 5_000 + b"]" * 5_000 + b"}"
    body = (
        b"\xef\xbb\xbf"
        + good
        + b'\n{"half": \n\n\xff\xfe\n'
        + deep
        + b"\r\n"
        + ndjson([fields(now, external_id="2")])
    )

    answer = platform.forum.post(
        "/v1/posts:batch", content=body, headers={"content-type": "application/x-ndjson; charset=utf-8"}
    )

    results = answer.json()["results"]
    assert [one["status"] for one in results] == [201, 400, 400, 400, 201]
    assert [one.get("code") for one in results[1:4]] == ["malformed_body", "malformed_body", "too_deep"]


def test_a_lone_surrogate_or_a_wrong_byte_spoils_only_its_own_post(platform: Platform, now: datetime) -> None:
    good, escaped, raw = (orjson.dumps(fields(now, external_id=name, text="TEXT")) for name in "abc")
    body = (
        b"["
        + b",".join([good, escaped.replace(b"TEXT", b"\\ud800"), raw.replace(b"TEXT", b"\xed\xa0\x80")])
        + b"]"
    )

    results = platform.forum.post("/v1/posts:batch", content=body).json()["results"]

    assert [one["status"] for one in results] == [201, 422, 422]
    assert [(one["code"], one["field"]) for one in results[1:]] == [("lone_surrogate", "/text")] * 2


@pytest.mark.parametrize("count", [1_001, 10_001])
def test_a_batch_of_more_than_a_thousand_is_refused_whole(
    platform: Platform, database: Database, now: datetime, count: int
) -> None:
    answer = platform.forum.post("/v1/posts:batch", json=[fields(now)] * count)

    assert answer.status_code == 413
    assert (answer.json()["code"], answer.json()["limit"]) == ("too_large", 1_000)
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Post)).one() == 0


def test_an_empty_batch_is_answered_with_nothing(platform: Platform) -> None:
    assert platform.forum.post("/v1/posts:batch", json=[]).json() == {"results": []}


def test_a_key_reaches_only_its_source_its_place_and_its_scopes(platform: Platform, now: datetime) -> None:
    platform.forum.post("/v1/posts", json=fields(now))
    foshan = platform.with_key(organisation="gd/foshan")
    other = platform.with_key(source="other")
    reader = platform.with_key(KeyScope.POSTS_READ)

    assert (
        foshan.post("/v1/posts", json=fields(now, external_id="2")).json()["code"]
        == "organisation_not_permitted"
    )
    assert foshan.get("/v1/posts/forum/1").status_code == 404
    assert foshan.delete("/v1/posts/forum/1").status_code == 404
    assert other.get("/v1/posts/forum/1").json()["code"] == "wrong_source"
    assert other.delete("/v1/posts/forum/1").json()["code"] == "wrong_source"
    assert reader.get("/v1/posts/forum/1").status_code == 200
    assert reader.post("/v1/posts", json=fields(now)).status_code == 403
    assert reader.delete("/v1/posts/forum/1").status_code == 403
    assert platform.nobody.post("/v1/posts", json=fields(now)).json()["code"] == "not_authenticated"
    assert platform.officer().post("/v1/posts", json=fields(now)).status_code == 403
    assert platform.officer().get("/v1/posts/forum/1").status_code == 200


def test_requests_that_race_get_one_answer(platform: Platform, database: Database, now: datetime) -> None:
    answers: list[Any] = []
    barrier = threading.Barrier(6)

    def go() -> None:
        barrier.wait()
        answers.append(platform.forum.post("/v1/posts", json=fields(now, text="先加薇再说")))

    threads = [threading.Thread(target=go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(one.status_code for one in answers) == {201: 1, 200: 5}
    assert len({one.content for one in answers}) == 1
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Post)).one() == 1


def test_without_a_screener_nothing_is_taken_in(platform: Platform, now: datetime) -> None:
    platform.service.screener = None

    answer = platform.forum.post("/v1/posts", json=fields(now))

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
