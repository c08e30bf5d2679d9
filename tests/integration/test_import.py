"""Files of posts, good and hostile: taken in by the same way as over HTTP, and resumed."""

import csv
import gzip
import io
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlmodel import func, select

from api import post_files
from api.commands.export import write
from api.commands.import_ import import_posts, rejects_path
from api.wiring import Service
from models.audit import AuditEntry
from models.database import Database
from models.errors import InvalidInput, TooLarge
from models.post import ImportRun, Post
from models.vocabulary import PostState
from moderation.deletion import delete
from tests.support import posting
from tests.support.posting import fields, send
from tests.support.screeners import ScriptedScreener
from tests.support.services import make_service


@pytest.fixture
def service(database: Database, now: datetime) -> Service:
    with database.transaction() as session:
        posting.plant(session, now)
    made = make_service(database, now)
    made.screener = ScriptedScreener()  # type: ignore[assignment]
    return made


def run(service: Service, file: Path, now: datetime, **changes: Any) -> ImportRun:
    return import_posts(service, file, "forum", actor="command:test", clock=lambda: now, **changes)


def posts(now: datetime, count: int, start: int = 0) -> list[dict[str, Any]]:
    found = [
        fields(now, external_id=str(number), text=f"第{number}个问题")
        for number in range(start, start + count)
    ]
    for one in found:
        del one["source"]
    return found


def jsonl(rows: list[Any]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


def table(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")


def rejects(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in rejects_path(file).read_bytes().splitlines()]


def count(database: Database) -> int:
    with database.reading() as session:
        return session.exec(select(func.count()).select_from(Post)).one()


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.jsonl.gz", "posts.csv", "posts.csv.gz"])
def test_a_file_is_taken_in_whatever_its_form(
    service: Service, now: datetime, tmp_path: Path, name: str
) -> None:
    rows = posts(now, 40)
    rows[7]["text"] = '两行，"引号"\n第二行'
    rows[9]["text"] = "先加薇"
    content = table(rows) if ".csv" in name else jsonl(rows)
    file = tmp_path / name
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    seen: list[int] = []

    done = run(service, file, now, progress=seen.append)

    assert (done.accepted, done.rejected, done.finished_at) == (40, 0, now)
    assert count(service.database) == 40
    assert not rejects_path(file).exists()
    assert seen[-1] == file.stat().st_size
    with service.database.reading() as session:
        assert session.exec(select(Post.state).where(Post.external_id == "9")).one() is PostState.HELD


def test_bad_lines_go_to_the_reject_file_without_their_text(
    service: Service, now: datetime, tmp_path: Path
) -> None:
    good = posts(now, 2)
    file = tmp_path / "posts.jsonl"
    file.write_bytes(
        jsonl(good[:1])
        + b'{"half": "\xe7\xa7\x98\xe5\xaf\x86"\n'
        + jsonl([{**good[0], "external_id": "x", "text": "秘密\x00"}])
        + b"\n"
        + jsonl([{**good[0], "external_id": "y", "organisation": "gd/nowhere"}, ["秘密"]])
        + b"[" * 100 + b"]" * 100 + b"\n"
        + b'{"text": "' + b"x" * 1_200_000 + b'"}\n'
        + jsonl([{**good[0], "external_id": "z", "source": "elsewhere"}])
        + jsonl(good[1:])
    )  # fmt: skip

    done = run(service, file, now)

    assert (done.accepted, done.rejected) == (2, 7)
    assert [(one["line"], one["code"], one["field"]) for one in rejects(file)] == [
        (2, "malformed_body", None),
        (3, "control_character", "/text"),
        (5, "unknown_organisation", "/organisation"),
        (6, "wrong_type", ""),
        (7, "too_deep", None),
        (8, "line_too_long", None),
        (9, "wrong_source", "/source"),
    ]
    assert "秘密" not in rejects_path(file).read_text()


def test_bad_rows_of_a_table_do_not_spoil_the_others(service: Service, now: datetime, tmp_path: Path) -> None:
    rows = posts(now, 3)
    lines = table(rows).split(b"\r\n")
    file = tmp_path / "posts.csv"
    broken = lines[2].replace("第1个问题".encode(), b"\xff\xfe")
    file.write_bytes(
        b"\r\n".join([*lines[:2], broken, lines[2] + b",one,too,many", b"x" * 1_200_000, lines[3], b""])
    )

    done = run(service, file, now)

    assert (done.accepted, done.rejected) == (2, 3)
    assert [(one["line"], one["code"]) for one in rejects(file)] == [
        (3, "lone_surrogate"),
        (4, "malformed_body"),
        (5, "line_too_long"),
    ]


def test_an_import_goes_on_where_it_stopped(service: Service, now: datetime, tmp_path: Path) -> None:
    rows = posts(now, 1_200)
    rows[3]["text"] = rows[1_100]["text"] = ""
    file = tmp_path / "posts.jsonl"
    file.write_bytes(jsonl(rows))
    steps = []

    class Stopped(Exception):  # noqa: N818 - it stands for a kill
        pass

    def stop(done: int) -> None:
        steps.append(done)
        if len(steps) == 2:
            raise Stopped

    with pytest.raises(Stopped):
        run(service, file, now, progress=stop)
    half = count(service.database)
    screened = len(service.screener.screened)  # type: ignore[union-attr]
    done = run(service, file, now)

    assert half == 999
    assert (done.accepted, done.rejected, count(service.database)) == (1_198, 2, 1_198)
    assert len(service.screener.screened) - screened == 199  # type: ignore[union-attr]
    assert [one["line"] for one in rejects(file)] == [4, 1_101]


def test_a_finished_file_is_not_read_again_unless_asked(
    service: Service, now: datetime, tmp_path: Path
) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(jsonl(posts(now, 3)))
    run(service, file, now)
    service.screener.screened.clear()  # type: ignore[union-attr]

    second = run(service, file, now + timedelta(days=1))
    third = run(service, file, now + timedelta(days=1), again=True)

    assert (second.accepted, second.finished_at) == (3, now)
    assert (third.accepted, third.finished_at) == (3, now + timedelta(days=1))
    assert count(service.database) == 3
    assert service.screener.screened == []  # type: ignore[union-attr]


def test_a_gzip_bomb_is_refused_and_what_stood_before_it_is_taken_in(
    service: Service, now: datetime, tmp_path: Path
) -> None:
    file = tmp_path / "posts.jsonl.gz"
    file.write_bytes(gzip.compress(jsonl(posts(now, 3)) + b" " * 200_000_000))

    with pytest.raises(TooLarge) as caught:
        run(service, file, now)

    assert caught.value.problem_code == "unpacks_to_too_much"
    assert file.stat().st_size < 300_000
    assert count(service.database) == 3


def test_a_file_that_unpacks_beyond_the_limit_is_refused(
    service: Service, now: datetime, tmp_path: Path
) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(jsonl(posts(now, 20)))

    with pytest.raises(TooLarge):
        run(service, file, now, limit=1_000)


def test_a_damaged_file_is_told_as_such(service: Service, now: datetime, tmp_path: Path) -> None:
    content = gzip.compress(os.urandom(100_000).hex().encode())
    for number, damaged in enumerate(
        [content[: len(content) // 2], b"no gzip at all", content[:300] + b"x" * 99]
    ):
        file = tmp_path / f"{number}.jsonl.gz"
        file.write_bytes(damaged)

        with pytest.raises(InvalidInput) as caught:
            run(service, file, now)
        assert caught.value.problem_code == "corrupt_file"


def test_an_empty_file_is_finished_at_once(service: Service, now: datetime, tmp_path: Path) -> None:
    for name in ("empty.jsonl", "empty.csv"):
        (tmp_path / name).write_bytes(b"")

        assert run(service, tmp_path / name, now).accepted == 0


def test_the_same_content_for_two_sources_are_two_imports(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(b"{}\n")

    assert post_files.digest(file, "one") != post_files.digest(file, "two")


def test_an_export_tells_states_and_decisions_and_no_texts_or_authors(
    service: Service, now: datetime
) -> None:
    database = service.database
    send(database, now, text="先加薇")
    send(database, now, external_id="2", organisation="gd/foshan")
    send(database, now, external_id="3")
    with database.transaction() as session:
        delete(session, "forum", "3", scope=None, deleted_by="key:1", now=now)
    out = io.BytesIO()

    written = write(database, "gd/dongguan", out, actor="command:test", now=now)

    rows = [orjson.loads(line) for line in out.getvalue().splitlines()]
    assert written == len(rows) == 1
    assert (rows[0]["external_id"], rows[0]["state"], rows[0]["clause"]) == ("1", "held", "C1")
    assert "author" not in rows[0]
    assert "加薇" not in out.getvalue().decode()
    with database.reading() as session:
        assert session.exec(select(AuditEntry.action)).all()[-1] == "posts.exported"
    with pytest.raises(InvalidInput):
        write(database, "gd/nowhere", out, actor="command:test", now=now)


@pytest.mark.usefixtures("service")
def test_the_commands_work_from_a_shell(
    database: Database, secret_file: Path, now: datetime, tmp_path: Path
) -> None:
    file = tmp_path / "posts.jsonl"
    file.write_bytes(jsonl([*posts(now, 30), {"text": ""}]))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TINGJIAN_")},
        "TINGJIAN_DATABASE_URL": database.url,
        "TINGJIAN_SECRET_FILE": str(secret_file),
    }

    def tingjian(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "api.command_line", *words],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip

    taken = tingjian("import", str(file), "--source", "forum")
    exported = tingjian("export", "--organisation", "gd")

    assert "30 taken in, 1 refused" in taken.stderr
    assert len(exported.stdout.splitlines()) == 30
