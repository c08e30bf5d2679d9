"""The command line: what it makes, what it refuses, and how its processes come and go."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from api import command_line
from models import guards
from models.account import Account, ApiKey
from models.audit import AuditEntry, first_break
from models.database import Database
from tests.support.services import TREE

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def environment(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    given = {
        "TINGJIAN_DATABASE_URL": database_url,
        "TINGJIAN_SECRET_FILE": str(tmp_path / "secret"),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **given}


@pytest.fixture
def cli(environment: dict[str, str], capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run one command in this process; return its status and what it wrote."""
    del environment

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command_line.main(words)
        written = capsys.readouterr()
        return int(ended.value.code or 0), written.out, written.err

    return run


@pytest.fixture
def tree(cli: Cli, tmp_path: Path) -> Path:
    file = tmp_path / "tree.json"
    file.write_text(json.dumps(TREE[::-1]))
    assert cli("organisation", "load", str(file))[0] == 0
    return file


@pytest.mark.parametrize("words", [["--help"], ["account", "--help"], ["evaluate", "--help"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys\nfrom api.command_line import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as end:\n"
        "    heavy = {'numpy', 'onnxruntime', 'uvicorn', 'jinja2', 'torch'} & set(sys.modules)\n"
        "    print('HEAVY', sorted(heavy), end.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY [] 0" if words == ["--help"] else " 0" in done.stdout
    assert "Usage: tingjian" in done.stdout


def _commands() -> list[list[str]]:
    found = []
    for name, entry in command_line.COMMANDS.items():
        if isinstance(entry, command_line.Command):
            found.append([name])
        else:
            found += [[name, inner] for inner in entry[1]]
    return found


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_every_command_is_there_and_says_what_it_does(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.main([*words, "--help"])
    assert ended.value.code == 0
    assert f"Usage: tingjian {' '.join(words)}" in capsys.readouterr().out


def test_an_account_is_made_changed_and_ended(cli: Cli, tree: Path, database: Database) -> None:
    del tree
    status, out, _ = cli("account", "create", "wang", "--grant", "officer@gd/dongguan", "--name", "王")
    assert status == 0
    one_time = out.rsplit("one-time password: ", 1)[1].strip()
    assert len(one_time) == 19
    assert cli("account", "grant", "wang", "auditor@gd")[0] == 0
    assert cli("account", "revoke", "wang", "officer@gd/dongguan")[0] == 0
    assert cli("account", "password", "wang")[1] != out
    assert cli("account", "disable", "wang")[0] == 0
    assert cli("account", "list")[1] == "wang\t王\tdisabled\tauditor@gd\n"
    with database.reading() as session:
        account = session.exec(select(Account)).one()
        actions = [entry.action for entry in session.exec(select(AuditEntry)) if entry.subject == account.id]
        actors = {entry.actor.split(":")[0] for entry in session.exec(select(AuditEntry))}
        assert first_break(session) is None
    assert one_time not in account.password
    assert actors == {"command"}
    assert actions == [
        "account.created",
        "role.granted",
        "role.granted",
        "role.revoked",
        "account.password_reset",
        "account.disabled",
    ]


def test_a_key_is_printed_once_and_revoked(cli: Cli, tree: Path, database: Database) -> None:
    del tree
    status, out, _ = cli("key", "create", "forum", "gd/dongguan", "--scope", "posts:write")
    assert status == 0
    assert out.startswith("tj_")
    with database.reading() as session:
        row = session.exec(select(ApiKey)).one()
    assert row.scopes == ["posts:write"]
    assert out.strip() not in row.key_hash
    assert cli("key", "revoke", row.id)[0] == 0
    assert "\trevoked\t" in cli("key", "list")[1]


def test_a_tree_is_loaded_in_any_order_and_twice(cli: Cli, tree: Path) -> None:
    assert cli("organisation", "load", str(tree))[1] == "0 added, 4 known already\n"
    assert [line.split("\t")[0] for line in cli("organisation", "list")[1].splitlines()] == [
        "gd",
        "gd/dongguan",
        "gd/dongguan/houjie",
        "gd/foshan",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["account", "create", "li", "--grant", "officer@nowhere"], "no such organisation"),
        (["account", "create", "li", "--grant", "emperor@gd"], "is not ROLE@PLACE"),
        (["account", "create", "L!", "--grant", "officer@gd"], "a login has"),
        (["account", "disable", "nobody"], "no account has the login"),
        (["key", "create", "a source", "gd"], "a source has"),
        (["key", "revoke", "nothing"], "no such key"),
        (["organisation", "add", "sz/futian", "福田", "--kind", "county"], "parent does not exist"),
        (["organisation", "add", "GD", "广东", "--kind", "province"], "a path has slugs"),
        (["organisation", "load", "/no/such/file"], "/no/such/file"),
        (
            ["setting", "set", "demand_min_authors", "4", "--organisation", "gd", "--reason", "x"],
            "at least 5",
        ),
        (
            ["setting", "set", "demand_min_authors", "6", "--organisation", "gd", "--reason", " "],
            "its reason",
        ),
        (["setting", "set", "bands", "1", "--organisation", "gd", "--reason", "x"], "no such setting"),
        (["serve", "--with-worker", "--workers", "2"], "goes with one process"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_what_is_refused_is_one_clear_line(cli: Cli, tree: Path, words: list[str], said: str) -> None:
    del tree
    status, out, err = cli(*words)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert said in err
    assert "Traceback" not in err


def test_an_unknown_word_is_a_usage_error(cli: Cli) -> None:
    status, _, err = cli("nonsense")
    assert status == 2
    assert "No such command" in err


def test_a_setting_is_changed_with_its_reason(cli: Cli, tree: Path) -> None:
    del tree
    words = ("setting", "set", "demand_min_authors", "6", "--organisation", "gd", "--reason", "小镇试点")
    assert cli(*words)[0] == 0
    line = cli("setting", "list")[1]
    assert "demand_min_authors\t6\tgd\tcommand:" in line
    assert "小镇试点" in line


def test_the_audit_log_is_proven_or_its_break_is_named(cli: Cli, tree: Path, database: Database) -> None:
    del tree
    held = "the audit log holds: 4 entries, no anchor yet\n"
    kept = "no post of a demand vanished without a record: 0 looked at\n"
    assert cli("audit", "verify") == (0, held + kept, "")
    with database.transaction() as session:
        guards.lift(session.connection())  # as the owner of the database can
        session.connection().exec_driver_sql("UPDATE auditentry SET actor = 'somebody' WHERE sequence = 3")
    status, _, err = cli("audit", "verify")
    assert status == 1
    assert "broken at entry 3 of 4" in err


def test_a_database_without_the_schema_is_refused_with_the_remedy(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINGJIAN_DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    status, _, err = cli("account", "list")
    assert status == 2
    assert "run `tingjian migrate`" in err
    assert cli("migrate")[1].startswith("schema ")
    assert cli("migrate")[1].endswith("already there\n")
    assert cli("account", "list") == (0, "", "")


def test_a_server_that_does_not_answer_is_one_clear_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINGJIAN_DATABASE_URL", "postgresql://user:hunter2@127.0.0.1:1/none")
    status, _, err = cli("account", "list")
    assert status == 2
    assert len(err.splitlines()) == 1
    assert "hunter2" not in err


def test_the_interface_is_described(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    assert cli("openapi", "--out", str(file))[0] == 0
    described = json.loads(file.read_text(encoding="utf-8"))
    assert described["openapi"].startswith("3.1")
    assert "/v1/posts:batch" in described["paths"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until(condition: Callable[[], object], seconds: float = 540.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def get(client: httpx.Client, path: str) -> str:
    """Return what the server answers, or nothing as long as it does not."""
    try:
        answer = client.get(path)
    except httpx.TransportError:
        return ""
    return answer.text if answer.status_code == 200 else ""


@pytest.fixture
def known(environment: dict[str, str], secret_file: Path) -> dict[str, str]:
    """An installation whose rules and bundle have passed the door, if this is not its first process."""
    return {**environment, "TINGJIAN_SECRET_FILE": str(secret_file)}


on_one_database = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what has nothing to do with the database: a server on the other comes and goes in the first test."""


def test_a_server_with_its_worker_comes_up_and_goes_down_cleanly(
    known: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    log = tmp_path / "log"
    command = [sys.executable, "-m", "api.command_line", "serve", "--with-worker", "--port", str(port)]
    with (
        log.open("w") as file,
        subprocess.Popen(command, env=known, stderr=file) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client,
    ):
        try:
            until(lambda: get(client, "/health/ready") or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            # The jobs run in another process, and the server tells of them.
            until(lambda: 'tingjian_job_runs_total{job="deliver"' in get(client, "/metrics"))
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) in {0, -signal.SIGTERM}
    events = [json.loads(line)["event"] for line in log.read_text().splitlines() if line.startswith("{")]
    told = [event for event in events if event != "request"]
    assert told[0] == "timetable.started"
    assert told[-1] == "timetable.stopped"
    assert "job.failed" not in told
    assert "worker.ended" not in told


@on_one_database
def test_a_worker_ends_when_it_is_told_to(known: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-m", "api.command_line", "worker"]
    with log.open("w") as file, subprocess.Popen(command, env=known, stderr=file) as process:
        try:
            until(lambda: "timetable.started" in log.read_text() or process.poll() is not None)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0, log.read_text()
    assert "timetable.stopped" in log.read_text()


@on_one_database
def test_a_port_that_is_taken_ends_the_server(known: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-m", "api.command_line", "serve", "--port", str(taken.getsockname()[1])]
        done = subprocess.run(command, env=known, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "address already in use" in done.stderr.lower()


def test_a_year_is_shown_and_confirmed_against_its_notice(
    cli: Cli, database: Database, tmp_path: Path
) -> None:
    status, out, _ = cli("calendar", "show", "2026")
    assert (status, out.splitlines()[0]) == (0, "2026\tconfirmed")
    assert "2026-02-14\tworking" in out
    assert "2026-10-01\toff\t国庆节" in out
    status, _, told = cli("calendar", "confirm", "2027", "--reason", "通知")
    assert (status, "--notice" in told) == (2, True)
    file = tmp_path / "notice.toml"
    file.write_text(
        '[2027]\nholidays = [{ name = "元旦", first = 2027-01-01, last = 2027-01-03 }]\n'
        "working = [2027-02-20]\n",
        encoding="utf-8",
    )
    confirm = ("calendar", "confirm", "2027", "--reason", "通知", "--notice", str(file))
    status, _, told = cli(*confirm)
    assert (status, "2027-02-20" in told) == (2, True)
    assert cli(*confirm, "--despite-library")[0] == 0
    assert cli("calendar", "show", "2027")[1].startswith("2027\tconfirmed\n2027-01-01\toff\t元旦")
    with database.reading() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "calendar.confirmed")).one()
        assert (entry.subject, "2027-02-20" in entry.details["differs"]) == ("year:2027", True)
