"""The scoreboard on tiny sets: every table, the dash for what was not measured, the head that tells when."""

import gzip
from pathlib import Path

import numpy as np
import orjson
import pytest
import typer
from typer.testing import CliRunner

from api.commands import scoreboard as command
from api.scoreboard import Contestant, Result, Sets, judged, missing
from api.scoreboard_page import NOTHING, page
from learning.encoder import HARM_COLUMNS
from learning.training.baselines import make_subwords, make_tfidf
from learning.training.recipe import SourceEntry
from learning.training.sources import Roots, read_lessons
from models.vocabulary import Category
from tests.support.bundles import WrittenBundle

RUDE, QUIET = "这是一句很难听的话，第{}句", "这是一句平常的话，第{}句"
HEADS = tuple(word.value for word in Category)


def packed(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    place = tmp_path_factory.mktemp("sets")
    words = {
        "cold": ("offensive", "safe"),
        "swsr": ("sexist", "non_sexist"),
        "chineseharm": ("abuse", "normal"),
    }
    for name, (bad, good) in words.items():
        for half in ("dev", "test"):
            rows: list[dict[str, object]] = [{"text": RUDE.format(n), "label": bad} for n in range(6)]
            rows += [{"text": QUIET.format(n), "label": good} for n in range(4)]
            packed(place / "data" / name / f"{half}.jsonl.gz", rows)
    suites = place / "suites"
    packed(suites / "protected.jsonl", [{"text": QUIET.format(1), "function": "f", "expect": "allow"}])
    act = {"function": "harassment:plain", "expect": "act", "category": "harassment"}
    packed(suites / "violations.jsonl", [{"text": RUDE.format(n), **act} for n in range(3)])
    refer = {"text": "不想活了，没有意思", "function": "refer:x", "expect": "refer", "category": "self_harm"}
    packed(suites / "refer.jsonl", [refer, {"text": QUIET.format(2), "function": "n", "expect": "allow"}])
    needs = {"text": QUIET.format(3), "domain": "housing", "tone": "neutral", "need": False, "place": None}
    packed(suites / "needs.jsonl", [needs])
    return Sets(data=place / "data", suites=suites)


def a_bundle() -> WrittenBundle:
    rude = {Category.HARASSMENT: 0.99}
    return WrittenBundle({RUDE.format(number): rude for number in range(6)}, {Category.HARASSMENT: 0.01})


@pytest.fixture(scope="module")
def result(sets: Sets) -> Result:
    return judged(Contestant("written", a_bundle()), sets, lambda _: None)


def test_a_classifier_that_knows_the_answers_has_them_all(result: Result) -> None:
    assert result.cold["accuracy"].value == 1.0
    assert result.swsr["macro_f1"].value == 1.0
    assert result.harm["balanced_accuracy"].value == 1.0
    assert result.harm["called"].value == 0.6
    assert result.harm_of_all == pytest.approx(0.75)
    assert result.harm_acted["recall"].value == 1.0


def test_the_suites_are_judged_alone_and_with_the_rules(result: Result) -> None:
    assert result.alone is not None
    assert result.whole is not None
    assert result.alone.acted.value == result.alone.right.value == 1.0
    assert result.alone.referred.value == 0.0
    assert result.whole.referred.value == 1.0
    assert (result.whole.removed, result.whole.held, result.whole.protected) == (0, 0, 1)


def test_needs_are_told_only_of_who_reads_them(sets: Sets, result: Result) -> None:
    silent = judged(Contestant("silent", a_bundle(), reads=False), sets, lambda _: None)

    assert result.needs is not None
    assert result.needs["n"] == 1
    assert silent.needs is None


def test_the_page_has_every_table_and_stands_beside_the_protected_suite(result: Result) -> None:
    written = page([result, Result("unmeasured")], [], "Made today.")
    lines = written.splitlines()

    assert "Made today." in lines
    assert "| written | 1.000 (1.000 to 1.000)" in written
    assert "F1 **0.750**" in written
    assert sum(line.startswith("| unmeasured |") and NOTHING in line for line in lines) >= 2
    for line in lines:
        if line.startswith("| classifier") and "posts/s" not in line:
            assert "protected" in line
    rows = [line for line in lines if line.startswith("| ")]
    widths = {line.count("|") for line in rows if line.startswith("| written | 1.000")}
    assert len(widths) == 1


def test_what_is_not_there_is_named_and_left_out(sets: Sets, tmp_path: Path) -> None:
    partly = Sets(data=tmp_path, suites=sets.suites)
    absent = missing(partly)
    found = judged(Contestant("written", a_bundle()), partly, lambda _: None)

    assert len(absent) == 6
    assert found.cold == {}
    assert found.whole is not None
    assert "left out: `cold/dev.jsonl.gz`" in page([found], absent, "")


def test_the_command_writes_a_rehearsal_that_says_so(
    sets: Sets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_bundles", lambda _: iter([Contestant("written", a_bundle())]))
    app = typer.Typer()
    app.command()(command.scoreboard)
    out = tmp_path / "board.md"
    words = ["--out", str(out), "--no-baselines", "--half", "dev", "--limit", "5"]
    result = CliRunner().invoke(app, [*words, "--data", str(sets.data), "--suites", str(sets.suites)])
    written = out.read_text(encoding="utf-8")

    assert result.exit_code == 0, result.output
    assert "A rehearsal: at most 5 rows of each set, judged on the dev half" in written
    assert "revision " in written


def test_a_half_that_is_none_is_refused(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command.scoreboard)

    assert CliRunner().invoke(app, ["--out", str(tmp_path / "b.md"), "--half", "train"]).exit_code == 2


@pytest.mark.parametrize("make", [make_tfidf, make_subwords])
def test_a_baseline_learns_its_lessons_and_is_calibrated(make: object, tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"text": RUDE.format(n), "category": "harassment"} for n in range(900)]
    rows += [{"text": QUIET.format(n), "category": None} for n in range(900)]
    packed(tmp_path / "harms.jsonl", rows)
    source = SourceEntry(
        name="t", file="harms.jsonl", licence="CC0", use="t", field="category", labels={"*": ["="]}
    )
    lessons = read_lessons([source], HEADS, Roots(tmp_path, tmp_path, tmp_path), 1)
    baseline = make(lessons, WrittenBundle(), seed=1, tell=lambda _: None)  # type: ignore[operator]
    harms = baseline.harms([RUDE.format(1999), QUIET.format(1999)])
    column = HARM_COLUMNS.index(Category.HARASSMENT)

    assert harms.shape == (2, len(HARM_COLUMNS))
    assert harms[0, column] > harms[1, column] + 0.1
    assert harms[0, column] > 0.5 > harms[1, column]
    assert np.count_nonzero(harms[:, [place for place in range(10) if place != column]]) == 0
    assert baseline.harms([]).shape == (0, len(HARM_COLUMNS))
    assert np.array_equal(baseline.encode(["一"]), WrittenBundle().encode(["一"]))
