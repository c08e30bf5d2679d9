import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from api.middleware import BodyLimit, RequestLog, SecurityHeaders


async def _reads_all(_: Any, receive: Any, send: Any) -> None:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RuntimeError("the client went away")
        body += message["body"]
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(len(body)).encode()})


def ask(app: Any, chunks: list[bytes], headers: dict[str, str] | None = None, path: str = "/v1/x") -> Any:
    sent: list[dict[str, Any]] = []
    waiting = [
        {"type": "http.request", "body": chunk, "more_body": index < len(chunks) - 1}
        for index, chunk in enumerate(chunks)
    ]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    # In a thread of its own: a browser under test in this process keeps a loop running in the main one.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    return (
        sent[0]["status"],
        {key.decode(): value.decode() for key, value in sent[0]["headers"]},
        b"".join(message.get("body", b"") for message in sent[1:]),
    )


LIMITED = BodyLimit(_reads_all, limit=10, larger={"/v1/posts:batch": 100})


def test_a_body_that_fits_comes_through_in_any_number_of_parts() -> None:
    status, _, body = ask(LIMITED, [b"12345", b"67890"])
    assert (status, body) == (200, b"10")


@pytest.mark.parametrize(
    ("chunks", "headers"),
    [
        ([b"x" * 11], {"content-length": "11"}),
        ([b"x"], {"content-length": "99999999999"}),
        ([b"x"], {"content-length": "-1"}),
        ([b"x" * 6, b"x" * 6, b"x" * 6], {"transfer-encoding": "chunked"}),
        ([b"x" * 11], {"content-length": "3"}),
    ],
)
def test_a_body_that_is_too_large_is_refused_announced_or_not(
    chunks: list[bytes], headers: dict[str, str]
) -> None:
    status, answered, body = ask(LIMITED, chunks, headers)
    assert status == 413
    assert answered["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == "too_large"


def test_a_batch_may_be_larger() -> None:
    status, _, body = ask(LIMITED, [b"x" * 60], path="/v1/posts:batch")
    assert (status, body) == (200, b"60")


def test_an_error_of_the_route_is_not_taken_for_a_large_body() -> None:
    async def fails(*_: Any) -> None:
        raise LookupError("of its own")

    with pytest.raises(LookupError):
        ask(BodyLimit(fails, limit=10, larger={}), [b"x"])


def test_answers_carry_the_headers_that_keep_other_sites_out() -> None:
    _, headers, _ = ask(SecurityHeaders(_reads_all, https=True), [b""])
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["strict-transport-security"]


def test_without_tls_nothing_is_promised_about_tls() -> None:
    _, headers, _ = ask(SecurityHeaders(_reads_all, https=False), [b""])
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(("given", "kept"), [("abc-123", True), ("a b\nc", False), ("x" * 65, False)])
def test_a_request_keeps_its_own_name_if_it_is_a_plain_one(given: str, *, kept: bool) -> None:
    _, headers, _ = ask(RequestLog(_reads_all), [b""], {"x-request-id": given})
    assert (headers["x-request-id"] == given) is kept
