"""Bad input: each gets RFC 9457 with a stable code and the field, and no text in the answer or the log."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from models.database import Database
from tests.support.posting import fields
from tests.support.services import Platform

SECRET_WORDS = "只有我知道的话"


BAD_FIELDS: list[tuple[dict[str, Any], str, str]] = [
    ({"text": SECRET_WORDS * 3_000}, "too_long", "/text"),
    ({"text": ""}, "empty", "/text"),
    ({"text": "  \n"}, "empty", "/text"),
    ({"text": SECRET_WORDS + "\x00"}, "control_character", "/text"),
    ({"author": "a\x07"}, "control_character", "/author"),
    ({"text": 12}, "wrong_type", "/text"),
    ({"revision": "1"}, "wrong_type", "/revision"),
    ({"likes": -1}, "out_of_range", "/likes"),
    ({"organisation": "gd/nowhere"}, "unknown_organisation", "/organisation"),
    ({"kind": "essay"}, "unknown_word", "/kind"),
    ({"nickname": SECRET_WORDS}, "unknown_field", "/nickname"),
    ({"created_at": "2026-03-16T12:00:00"}, "time_without_offset", "/created_at"),
    ({"created_at": SECRET_WORDS}, "not_a_time", "/created_at"),
    ({"author": None}, "required", "/author"),
]
BAD_BODIES = [
    (b"", "malformed_body"),
    (b"{", "malformed_body"),
    (b'{"text": NaN}', "malformed_body"),
    (b'{"text": 1} trailing', "malformed_body"),
    (b'{"text": ' + b"9" * 5_000 + b"}", "malformed_body"),
    (b"\xff\xfe", "malformed_body"),
    (b"source=forum&text=1", "malformed_body"),
    (b"[" * 33 + b"]" * 33, "too_deep"),
    (b'{"a":' * 100_000, "too_deep"),
    (b"[" * 400_000, "too_deep"),
]


@pytest.fixture
def platform(database: Database, now: datetime) -> Platform:
    return Platform(database, now)


def check(answer: Any, status: int, code: str, field: str | None = None) -> None:
    found = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, found["status"], found["code"]) == (status, status, code)
    assert found.get("field") == field
    assert found["type"] == "about:blank"
    assert found["title"]
    assert found["detail"]
    assert SECRET_WORDS not in answer.text


def test_a_bad_field_is_named(platform: Platform, now: datetime) -> None:
    for changes, code, field in BAD_FIELDS:
        answer = platform.forum.post("/v1/posts", json=fields(now, **changes))

        check(answer, 422, code, field)


def test_a_time_in_the_future_is_refused(platform: Platform, now: datetime) -> None:
    answer = platform.forum.post(
        "/v1/posts", json=fields(now, created_at=(now + timedelta(hours=1)).isoformat())
    )

    check(answer, 422, "time_in_future", "/created_at")


def test_a_lone_surrogate_is_refused(platform: Platform, now: datetime) -> None:
    body = orjson.dumps(fields(now, text="TEXT")).replace(b"TEXT", b"\\udc00")

    check(platform.forum.post("/v1/posts", content=body), 422, "lone_surrogate", "/text")


def test_a_body_that_is_no_json_or_too_deep_is_refused(platform: Platform) -> None:
    for body, code in BAD_BODIES:
        check(platform.forum.post("/v1/posts", content=body), 400, code)


def test_a_body_that_is_no_object_is_refused(platform: Platform) -> None:
    for body in (b"[]", b'"text"', b"7", b"null"):
        check(platform.forum.post("/v1/posts", content=body), 422, "wrong_type", "")


def test_a_batch_that_is_no_array_is_refused(platform: Platform) -> None:
    for body in (b"{}", b'"text"', b"7", b"null"):
        check(platform.forum.post("/v1/posts:batch", content=body), 422, "wrong_type", "")


def test_a_body_of_very_many_values_is_refused_before_it_is_built(platform: Platform) -> None:
    for body in (b"[" + b"[]," * 1_000_000 + b"[]]", b"[" + b"1," * 2_000_000 + b"1]"):
        check(platform.forum.post("/v1/posts:batch", content=body), 413, "too_many_values")


def test_a_text_may_have_as_many_commas_as_it_likes(platform: Platform, now: datetime) -> None:
    items = [fields(now, external_id=str(number), text='你,[{"好\\' * 2_000) for number in range(30)]

    results = platform.forum.post("/v1/posts:batch", json=items).json()["results"]

    assert {one["status"] for one in results} == {201}


def test_a_deep_post_in_a_batch_spoils_only_itself(platform: Platform, now: datetime) -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = [deep]

    answer = platform.forum.post(
        "/v1/posts:batch", json=[fields(now, text=deep), fields(now, external_id="2")]
    )

    assert [one["status"] for one in answer.json()["results"]] == [400, 201]
    assert answer.json()["results"][0]["code"] == "too_deep"


def test_a_body_over_the_limit_is_refused_before_it_is_read(platform: Platform) -> None:
    announced = platform.forum.post("/v1/posts", content=b" " * 1_100_000)

    def parts() -> Iterator[bytes]:
        for _ in range(12):
            yield b" " * 100_000

    check(announced, 413, "too_large")
    check(platform.forum.post("/v1/posts", content=parts()), 413, "too_large")


def test_what_is_not_there_and_what_may_not_be_done_are_problems_too(platform: Platform) -> None:
    check(platform.forum.get("/v1/nothing"), 404, "not_found")
    check(platform.forum.delete("/v1/posts"), 405, "method_not_allowed")
    check(platform.forum.get("/v1/posts/forum/1"), 404, "not_found")
    check(platform.nobody.get("/v1/posts/forum/1"), 401, "not_authenticated")
    assert platform.forum.delete("/v1/posts").headers["allow"] == "POST"
    assert platform.nobody.get("/v1/posts/forum/1").headers["www-authenticate"] == "Bearer"


def test_a_bad_query_names_its_field(platform: Platform) -> None:
    officer = platform.officer()

    check(officer.get("/v1/reviews?limit=0"), 422, "out_of_range", "/limit")
    check(officer.get("/v1/reviews?category=opinion"), 422, "unknown_word", "/category")


def test_what_nobody_foresaw_is_told_without_details(platform: Platform, now: datetime) -> None:
    class Broken:
        def screen(self, texts: Any) -> Any:
            raise RuntimeError(texts[0])

    platform.service.screener = Broken()
    # Caught, because a terminal's log would spend seconds on drawing the values of every frame.
    with capture_logs() as logged:
        answer = platform.forum.post("/v1/posts", json=fields(now, text=SECRET_WORDS))

    check(answer, 500, "internal_error")
    assert "RuntimeError" not in answer.text
    assert "unforeseen" in [entry["event"] for entry in logged]


def test_a_zero_byte_in_an_address_finds_nothing(platform: Platform) -> None:
    for address in ("/v1/statements/%00", "/v1/posts/%00/1", "/v1/posts/forum/%00"):
        answer = platform.nobody.get(address) if "statements" in address else platform.forum.get(address)

        assert answer.status_code in {403, 404, 422}
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_surrogate_in_an_address_finds_nothing(platform: Platform) -> None:
    answer = platform.forum.get("/v1/posts/forum/%ED%A0%80")

    assert answer.status_code in {404, 422}
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["%00", "a%09b", "x" * 5_000])
def test_an_id_that_cannot_be_is_refused_in_an_address(platform: Platform, now: datetime, name: str) -> None:
    sent = fields(now)
    del sent["source"], sent["external_id"]

    put = platform.forum.put(f"/v1/posts/forum/{name}", json=sent)

    assert put.status_code == 422
    assert put.json()["field"] == "/external_id"
    assert platform.forum.get(f"/v1/posts/forum/{name}").status_code == 404
    assert platform.forum.delete(f"/v1/posts/forum/{name}").status_code == 404
