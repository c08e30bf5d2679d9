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
JSON_MEMBERS = {"n", "threshold", "accuracy", "macro_f1", "auroc", "average_precision"}


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


@pytest.mark.parametrize(
    "arguments",
    [
        ("--positive", "offensive", "--categories", "opinion"),
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
