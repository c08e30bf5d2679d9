"""Ways to find demands, side by side, and the vectors of somebody else's encoder."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from api.commands import evaluate_demands
from api.commands.demand_methods import auc_of, compared_with, with_vectors_of
from models.errors import ConfigurationError
from sentiment.replay import Replayed
from tests.support.tiny_transformer import write_tiny_transformer
from tests.support.wording import ListeningBundle

# One process imports torch and teaches the tiny models; two would do it twice.
pytestmark = pytest.mark.xdist_group("learning")

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEXTS = [
    "宿舍热水太少了",
    "热水又停了",
    "热水能不能延长",
    "今天食堂的鱼好吃",
    "食堂关门太早",
    "食堂能不能晚点关",
]
ROWS = [
    (
        Replayed(f"p{number}", f"a{number}", "gd/campus-a", text, NOW + timedelta(hours=number)),
        "water" if "水" in text else "canteen",
    )
    for number, text in enumerate(TEXTS)
]


def test_an_operator_points_at_an_encoder_and_gets_its_vectors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "encoder").mkdir()
    folder = write_tiny_transformer(tmp_path / "encoder")
    bundle = with_vectors_of(folder, ListeningBundle(), TEXTS)

    vectors = bundle.encode(TEXTS)

    assert vectors.shape == (6, bundle.middle.shape[0])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert bundle.name.endswith("encoder")
    assert set(auc_of(ROWS, bundle)) == {"scorer", "vectors", "words"}

    file = tmp_path / "month.jsonl"
    rows = [
        {
            "id": post.key,
            "time": post.created_at.isoformat(),
            "author": post.author,
            "org": post.organisation,
            "text": post.text,
            "demand": demand,
        }
        for post, demand in ROWS
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    monkeypatch.setattr(evaluate_demands, "load_bundle", lambda _: ListeningBundle())
    evaluate_demands.demands(file, encoder=folder, nightly=True)

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["n"] == 6
    assert 0 <= figures["auc"]["vectors"] <= 1
    assert set(figures["ids"]) == {"kept", "posts"}


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        with_vectors_of(tmp_path, ListeningBundle(), TEXTS)


def test_methods_stand_in_one_table_and_one_that_is_not_installed_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bertopic", None)
    ours = {
        "bcubed": {"precision": 1.0, "recall": 1.0, "f1": 1.0},
        "pair": {"precision": 1.0},
        "event": {"precision": 1.0, "recall": 1.0},
    }

    table = compared_with(ROWS, ListeningBundle(), ours, 10)

    said = capsys.readouterr()
    assert [name.split(" (")[0] for name in table] == ["ours", "tf-idf first story", "HDBSCAN"]
    assert "BERTopic is left out" in said.err
    assert all(0 <= figures["f1"] <= 1 for figures in table.values())
