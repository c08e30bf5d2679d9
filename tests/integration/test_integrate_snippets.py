"""The lines of docs/howto/integrate.md, run as they stand against a real server process.

Only the two ports are changed, so that the test can run beside a server.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.database import Database

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "integrate.md"
PATIENCE = 400.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def wait_for(what: Callable[[], Any], words: str) -> Any:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    return pytest.fail(f"waited in vain for {words}")


@pytest.fixture
def environment(database: Database, secret_file: Path, tmp_path: Path) -> dict[str, str]:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, words in (("tingjian", "-m api.command_line"), ("python", "")):
        (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {words} "$@"\n')
        (tools / name).chmod(0o755)
    known = {name: value for name, value in os.environ.items() if not name.startswith("TINGJIAN_")}
    return {
        **known,
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(PAGE.parents[2]),
        "TINGJIAN_DATABASE_URL": database.url,
        "TINGJIAN_SECRET_FILE": str(secret_file),
        "TINGJIAN_ALLOW_PRIVATE_WEBHOOKS": "true",
        "TINGJIAN_DELIVER_SECONDS": "1",
    }


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    base = f"http://127.0.0.1:{free_port()}"
    words = ["serve", "--port", base.rpartition(":")[2], "--with-worker"]
    log = (tmp_path / "server.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "api.command_line", *words],
        env=environment, cwd=tmp_path, stdout=log, stderr=log,
    )  # fmt: skip

    def answers(client: httpx.Client) -> bool:
        assert process.poll() is None, (tmp_path / "server.log").read_text()
        try:
            return client.get("/health/ready").is_success
        except httpx.TransportError:
            return False

    try:
        with httpx.Client(base_url=base, timeout=10, trust_env=False) as client:
            wait_for(lambda: answers(client), "the server")
        yield base
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()


def test_the_page_does_what_it_says(environment: dict[str, str], server: str, tmp_path: Path) -> None:
    text = PAGE.read_text().replace("http://127.0.0.1:8311", server)
    text = text.replace("9000", str(free_port()))
    for block in blocks(text, "python"):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name, "a Python snippet begins with the name of its file"
        (tmp_path / name[1]).write_text(block)
    script = ["set -euo pipefail", "trap 'kill $(jobs -p)' EXIT"]
    for number, block in enumerate(blocks(text, "bash")):
        script += [f"exec >out{number}", block]
    heard = tmp_path / "heard.jsonl"
    script += [f"for i in $(seq {int(PATIENCE * 5)}); do test -s {heard} && break; sleep 0.2; done"]

    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=550, check=False,
    )  # fmt: skip

    log = (tmp_path / "server.log").read_text()
    assert done.returncode == 0, f"{done.stderr}\n{log}"
    answers = {path.name: path.read_text() for path in sorted(tmp_path.glob("out*"))}
    decoder = json.JSONDecoder()
    first = next(json.loads(one) for one in answers.values() if '"thread/1"' in one)
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    edited, place = decoder.raw_decode(next(one for one in answers.values() if '"revision":2' in one))
    asked, _ = decoder.raw_decode(next(one for one in answers.values() if '"revision":2' in one)[place:])
    messages = [json.loads(line) for line in heard.read_text().splitlines()]
    shown = [json.loads(block) for block in blocks(text, "json")]

    assert (first["verdict"], first["state"]) == ("publish", "published")
    assert set(first) == set(shown[0])
    assert [one["status"] for one in results] == [201, 422]
    assert results[1] == shown[1]["results"][1]
    assert (edited["id"], asked["revision"]) == (first["id"], 2)
    assert json.loads((tmp_path / "deleted.json").read_text())["reached"]["revisions"] == 1
    assert any("keep it back: hold" in one or "keep it back: remove" in one for one in answers.values())
    assert set(messages[0]["data"]) == set(shown[2]["data"])
    assert (messages[0]["type"], messages[0]["data"]["external_id"]) == ("post.screened", "4")
    assert "刷单" not in heard.read_text()


def test_an_id_with_a_percent_sign_in_it_is_not_decoded_twice(
    environment: dict[str, str], server: str
) -> None:
    def tingjian(*words: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "api.command_line", *words],
            env=environment, capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip

    tingjian("organisation", "add", "gd", "广东省", "--kind", "province")
    key = tingjian("key", "create", "my-forum", "gd")
    with httpx.Client(base_url=server, headers={"authorization": f"Bearer {key}"}) as client:
        for written, external_id in (
            ("a%252Fb", "a%2Fb"),
            ("a%2Fb", "a/b"),
            ("%2E%2E", ".."),
            ("a%20b%3F", "a b?"),
        ):
            answer = client.put(
                f"/v1/posts/my-forum/{written}",
                json={
                    "kind": "question", "organisation": "gd", "author": "user-1", "text": "热水什么时候来",
                    "created_at": "2026-03-16T12:00:00+08:00",
                },
            )  # fmt: skip

            assert (answer.status_code, answer.json()["external_id"]) == (201, external_id)
            assert client.get(f"/v1/posts/my-forum/{written}").json()["external_id"] == external_id
