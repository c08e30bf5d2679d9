import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from api.commands import rulebook as rulebook_commands
from api.commands.evaluate_screening import screening
from api.commands.rows import LONGEST_TEXT, lines, open_rows
from api.commands.screen import screen
from models.errors import InvalidInput
from tests.support.rulebooks import rule, write_pack

RUNNER = CliRunner()
screening_of_files = typer.Typer()
screening_of_files.command()(screen)
evaluate = typer.Typer()
evaluate.command()(screening)

ADVERT = rule(id="operator.advert", any=["独家祖传秘方壮阳膏"], tests={"hit": ["独家祖传秘方壮阳膏"]})


def jsonl(path: Path, *rows: Any) -> Path:
    content = b"".join(row if isinstance(row, bytes) else orjson.dumps(row) + b"\n" for row in rows)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("name", ["posts.jsonl", "posts.jsonl.gz"])
def test_a_file_is_screened_row_by_row_and_bad_lines_are_reported(tmp_path: Path, name: str) -> None:
    file = jsonl(
        tmp_path / name,
        {"id": "x", "text": "今天食堂的菜不错"},
        b"not json\n",
        b"\n",
        {"id": "y"},
        {"text": "独*家*祖*传*秘*方*壮*阳*膏"},
    )
    out = tmp_path / "out.jsonl"
    packs = write_pack(tmp_path / "packs", ADVERT, pack="operator")

    result = RUNNER.invoke(screening_of_files, [str(file), "--out", str(out), "--rulebooks", str(packs)])

    assert result.exit_code == 0, result.stderr
    first, second = (orjson.loads(line) for line in out.read_bytes().splitlines())
    assert set(first) == {"id", "verdict", "category", "probabilities", "reasons", "rulebook", "bundle"}
    assert (first["id"], first["verdict"], first["reasons"]) == ("x", "publish", [])
    assert (second["id"], second["verdict"]) == (5, "hold")
    assert {
        "source": "rule",
        "rule": "operator.advert",
        "category": "spam",
        "span": [0, 17],
        "clause": "C1",
    } in second["reasons"]
    assert "posts.jsonl" in result.stderr
    assert "2: not JSON" in result.stderr
    assert "4: no text" in result.stderr
    assert "2 posts" in result.stderr


def test_many_rows_are_screened_by_two_processes_in_their_order(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "posts.jsonl",
        *({"text": f"第{number}条，图书馆几点开门" * 8} for number in range(3000)),
    )
    out = tmp_path / "out.jsonl"

    result = RUNNER.invoke(screening_of_files, [str(file), "--out", str(out)])

    assert result.exit_code == 0, result.stderr
    assert [orjson.loads(line)["id"] for line in out.read_bytes().splitlines()] == list(range(1, 3001))


def test_a_file_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    result = RUNNER.invoke(screening_of_files, [str(tmp_path / "nothing.jsonl")])

    assert isinstance(result.exception, InvalidInput)
    assert "cannot be read" in str(result.exception)


def test_a_suite_is_measured_with_the_figures_on_the_last_line(tmp_path: Path) -> None:
    file = jsonl(
        tmp_path / "suite.jsonl",
        {"text": "图书馆几点开门", "function": "question", "expect": "allow", "category": None},
        {"text": "独家祖传秘方壮阳膏", "function": "spam:plain", "expect": "act", "category": "spam"},
    )
    packs = write_pack(tmp_path / "packs", ADVERT, pack="operator")

    result = RUNNER.invoke(evaluate, [str(file), "--rulebooks", str(packs)])

    assert result.exit_code == 0, result.stderr
    found = orjson.loads(result.stdout.splitlines()[-1])
    assert found["expect"]["allow"]["published"] == 1.0
    assert found["category"]["spam"] == {"n": 1, "acted": 1.0, "right": 1.0}


def test_the_rules_can_be_checked_and_listed(tmp_path: Path) -> None:
    packs = write_pack(tmp_path / "packs", ADVERT, pack="operator")

    checked = RUNNER.invoke(rulebook_commands.app, ["check", str(packs)])
    listed = RUNNER.invoke(rulebook_commands.app, ["list", str(packs)], env={"COLUMNS": "200"})

    assert checked.exit_code == 0, checked.stderr
    assert "(0 fail)" in checked.stdout
    assert "operator.advert" in listed.stdout


def test_a_pack_that_fails_is_said_with_its_rule(tmp_path: Path) -> None:
    failing = rule(id="operator.advert", any=["甲"], tests={"hit": ["乙"]})
    packs = write_pack(tmp_path / "packs", failing, pack="operator")

    result = RUNNER.invoke(rulebook_commands.app, ["check", str(packs)])

    assert result.exit_code == 1
    assert "rule operator.advert must hit: 乙" in result.stderr


def test_a_line_longer_than_any_post_is_passed_over(tmp_path: Path) -> None:
    long = {"text": "长" * (LONGEST_TEXT + 1)}
    file = jsonl(tmp_path / "a.jsonl.gz", long, {"text": "x" * 3_000_000}, {"text": "好"})

    with open_rows(file) as stream:
        found = list(lines(stream))

    assert [line.problem is None for line in found] == [False, False, True]
    assert found[2].number == 3


def test_a_file_that_breaks_off_ends_with_a_bad_line(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"text": "good"}\n' * 10_000)
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])

    with open_rows(tmp_path / "a.jsonl.gz") as stream:
        assert list(lines(stream))[-1].problem == "the file cannot be unpacked any further"


def test_opening_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        open_rows(tmp_path)
