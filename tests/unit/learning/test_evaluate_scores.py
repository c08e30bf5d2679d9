from pathlib import Path

import orjson
import pytest
import typer
from typer.testing import CliRunner

from api.commands.evaluate_scores import scores
from api.commands.train import train

ROWS = [
    ("你就是个废物，滚出去，大傻逼", "offensive"),
    ("今天图书馆几点关门", "safe"),
    ("滚，你这种垃圾不配活在群里", "offensive"),
    ("谢谢分享，学到了", "safe"),
]
MEASURES = {
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "macro_f1",
    "auroc",
    "average_precision",
}
JSON_MEMBERS = MEASURES | {
    "n",
    "threshold",
    "positive_share",
    "called_share",
    "f1_of_calling_all",
    "calibration_error",
    "intervals",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps({"text": text, "label": label}) + b"\n" for text, label in ROWS))
    return path


def run(command: object, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command)  # type: ignore[type-var]
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_the_last_line_is_one_json_object(file: Path) -> None:
    code, output = run(scores, str(file), "--positive", "offensive", "--categories", "harassment,hate")
    figures = orjson.loads(output.splitlines()[-1])

    assert code == 0
    assert set(figures) == JSON_MEMBERS
    assert figures["n"] == 4
    assert figures["threshold"] == 0.5
    assert figures["auroc"] == 1.0
    assert set(figures["intervals"]) == MEASURES
    assert all(lower <= figures[name] <= upper for name, (lower, upper) in figures["intervals"].items())


def test_the_threshold_comes_from_the_other_file(file: Path) -> None:
    _, output = run(
        scores,
        str(file),
        "--positive",
        "offensive",
        "--categories",
        "harassment",
        "--threshold-from",
        str(file),
    )

    assert orjson.loads(output.splitlines()[-1])["accuracy"] == 1.0


def test_all_but_one_label_can_be_what_is_to_be_found(file: Path) -> None:
    _, one = run(scores, str(file), "--positive", "offensive", "--categories", "all")
    _, other = run(scores, str(file), "--negative", "safe", "--categories", "all")

    assert orjson.loads(one.splitlines()[-1]) == orjson.loads(other.splitlines()[-1])
    assert "anything but safe" in other


def test_what_calling_all_rows_positive_would_get_stands_beside_f1(file: Path) -> None:
    _, output = run(scores, str(file), "--negative", "safe", "--categories", "all")
    figures = orjson.loads(output.splitlines()[-1])

    assert figures["positive_share"] == 0.5
    assert figures["f1_of_calling_all"] == pytest.approx(2 / 3)
    assert 0.0 <= figures["called_share"] <= 1.0


def test_screened_scores_are_those_without_the_disguise(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "disguised.jsonl"
    disguised = [(" * ".join(text), label) for text, label in ROWS]
    path.write_bytes(
        b"".join(orjson.dumps({"text": text, "label": label}) + b"\n" for text, label in disguised)
    )
    words = ("--positive", "offensive", "--categories", "harassment")
    plain = orjson.loads(run(scores, str(file), *words, "--screened")[1].splitlines()[-1])
    bare = orjson.loads(run(scores, str(path), *words)[1].splitlines()[-1])
    screened = orjson.loads(run(scores, str(path), *words, "--screened")[1].splitlines()[-1])

    assert screened["recall"] == plain["recall"] == 1.0
    assert screened["calibration_error"] == pytest.approx(plain["calibration_error"], abs=0.02)
    assert abs(bare["calibration_error"] - plain["calibration_error"]) > 0.02


def test_a_head_whose_word_is_a_label_is_drawn_beside_the_score(tmp_path: Path) -> None:
    path, drawing = tmp_path / "rows.jsonl", tmp_path / "drawn.svg"
    rows = [(text, "harassment" if label == "offensive" else "none") for text, label in ROWS]
    path.write_bytes(b"".join(orjson.dumps({"text": text, "category": word}) + b"\n" for text, word in rows))
    arguments = ("--positive", "harassment", "--categories", "harassment,hate", "--field", "category")
    code, _ = run(scores, str(path), *arguments, "--reliability", str(drawing))
    drawn = drawing.read_text(encoding="utf-8")

    assert code == 0
    assert "largest: ECE" in drawn
    assert "harassment: ECE" in drawn
    assert "hate: ECE" not in drawn


def test_a_limit_takes_rows_from_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "sorted.jsonl"
    rows = sorted(ROWS, key=lambda row: row[1]) * 10
    path.write_bytes(b"".join(orjson.dumps({"text": text, "label": label}) + b"\n" for text, label in rows))
    _, output = run(scores, str(path), "--positive", "offensive", "--categories", "all", "--limit", "10")
    figures = orjson.loads(output.splitlines()[-1])

    assert figures["n"] == 10
    assert 0.0 < figures["positive_share"] < 1.0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--positive", "offensive", "--categories", "opinion"),
        ("--categories", "hate"),
        ("--positive", "offensive", "--negative", "safe", "--categories", "hate"),
        ("--positive", "offensive", "--categories", "hate", "--labels", "rude=opinion"),
        ("--positive", "rude", "--categories", "hate"),
        ("--positive", "offensive", "--categories", "hate", "--bundle", "nowhere"),
    ],
)
def test_what_cannot_be_measured_ends_with_a_reason_and_two(file: Path, arguments: tuple[str, ...]) -> None:
    code, output = run(scores, str(file), *arguments)

    assert code == 2
    assert output.strip()


def test_a_broken_line_is_named_by_its_number_alone(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b'{"text": "secret words"}\n')
    code, output = run(scores, str(file), "--positive", "offensive", "--categories", "hate")

    assert code == 2
    assert "line 5" in output
    assert "secret" not in output


def test_training_without_its_data_ends_with_a_reason_and_two(tmp_path: Path) -> None:
    code, output = run(
        train, "linear", "--data", str(tmp_path), "--corpus", str(tmp_path), "--out", str(tmp_path / "b")
    )

    assert code == 2
    assert "cannot be read" in output
