"""What a disguise costs: the copies come from a seed, and the loss is told for each kind."""

from pathlib import Path

import numpy as np
import orjson
import pytest
import typer
from typer.testing import CliRunner

from api.commands.evaluate_cloaked import BARE, SCREENED, cloaked, cloaked_copies, losses
from api.labelled import columns_of, read_labelled
from learning.bundle import load_bundle
from moderation.cloaking import Cloak

ROWS = [
    ("你就是个废物，滚出去，大傻逼", "offensive"),
    ("今天图书馆几点关门", "safe"),
    ("滚，你这种垃圾不配活在群里", "offensive"),
    ("谢谢分享，学到了", "safe"),
    ("真恶心，你个蠢货赶紧闭嘴", "offensive"),
    ("食堂的热水什么时候能修好", "safe"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"".join(orjson.dumps({"text": text, "label": label}) + b"\n" for text, label in ROWS))
    return path


def test_a_copy_depends_on_its_seed_and_text_and_not_on_its_place() -> None:
    texts = [text for text, _ in ROWS]
    copies = cloaked_copies(texts, Cloak.HOMOPHONE, 1)

    assert cloaked_copies(texts[::-1], Cloak.HOMOPHONE, 1)[::-1] == copies
    assert cloaked_copies(texts, Cloak.HOMOPHONE, 2) != copies
    assert all(copy != text for copy, text in zip(copies, texts, strict=True))


def test_every_kind_is_told_for_both_ways_of_scoring(file: Path) -> None:
    rows = read_labelled(file, positive="offensive")
    found = losses(load_bundle(), rows, rows, columns_of("harassment,hate"))

    assert {(one.way, one.kind) for one in found} == {
        (way, kind.value) for way in (SCREENED, BARE) for kind in Cloak
    }
    for one in found:
        assert one.plain == 1.0
        assert np.isclose(one.lost.value, 100 * (one.plain - one.cloaked))
        assert one.lost.lower <= one.lost.value <= one.lost.upper


def test_the_service_loses_no_more_than_the_bundle_to_what_stands_between_characters(file: Path) -> None:
    rows = read_labelled(file, positive="offensive")
    found = {
        (one.way, one.kind): one.cloaked
        for one in losses(load_bundle(), rows, rows, columns_of("harassment"))
    }

    assert found[SCREENED, "inserted"] >= found[BARE, "inserted"]


def test_the_command_ends_with_one_json_object(file: Path) -> None:
    app = typer.Typer()
    app.command()(cloaked)
    words = [
        str(file),
        "--positive",
        "offensive",
        "--categories",
        "harassment",
        "--threshold-from",
        str(file),
    ]
    result = CliRunner().invoke(app, words)
    figures = orjson.loads(result.output.splitlines()[-1])

    assert result.exit_code == 0
    assert figures["n"] == len(ROWS)
    assert set(figures[SCREENED]) == {"plain", *(kind.value for kind in Cloak)}
    assert len(figures[BARE]["split"]["interval"]) == 2


def test_an_unknown_category_ends_with_a_reason_and_two(file: Path) -> None:
    app = typer.Typer()
    app.command()(cloaked)
    result = CliRunner().invoke(app, [str(file), "--positive", "offensive", "--categories", "opinion"])

    assert result.exit_code == 2
    assert "categories must be" in result.output
