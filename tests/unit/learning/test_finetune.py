"""Fine-tuning a checkpoint of two thousand weights: what is written, what is served, what is refused."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest
import typer
from typer.testing import CliRunner

from api.classifier import open_classifier
from api.commands.train import any_cloak, found_recipe, train
from learning.encoder import HARM_COLUMNS
from learning.training.finetune import finetune, read_finetune_recipe
from learning.training.sources import Roots
from learning.transformer import open_transformer, read_finetuned
from models.errors import ConfigurationError
from models.vocabulary import Category
from tests.support.bundles import WrittenBundle
from tests.support.tiny_transformer import write_tiny_transformer

# One process imports torch and teaches the tiny models; two would do it twice.
pytestmark = pytest.mark.xdist_group("learning")

RECIPE = """
kind = "finetune"
name = "tiny-tuned"
seed = 3
epochs = 15
batch = 16
learning_rate = 0.005
patience = 15
longest = 32
held = 0.25
ceiling = 0.7
[[sources]]
name = "tiny harms"
file = "harms.jsonl"
licence = "CC0"
use = "harms"
field = "category"
calibrates."*" = 1.0
labels."*" = ["="]
[[protected]]
name = "tiny protected"
file = "protected.jsonl"
licence = "CC0"
use = "what no head may be sure of"
"""
BESIDE = WrittenBundle(default={Category.SPAM: 0.25, Category.HATE: 0.125})
SPAM, HARASSMENT = HARM_COLUMNS.index(Category.SPAM), HARM_COLUMNS.index(Category.HARASSMENT)
QUIET = "这条路的灯坏了很久晚上走怕。"


def lines(rows: list[dict[str, object]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    draw = random.Random(5)  # noqa: S311 - no secret
    quiet, rude, advertised = list("宿舍热水能不延长到十一点"), list("你就是个废物滚出去"), list("加微信领取")
    rows: list[dict[str, object]] = []
    for _ in range(80):
        rows.append({"text": "".join(draw.choices(quiet, k=9)), "category": None})
        rows.append({"text": "".join(draw.choices(rude, k=9)), "category": "harassment"})
        rows.append({"text": "".join(draw.choices(advertised, k=9)), "category": "spam"})
    (folder / "harms.jsonl").write_bytes(lines(rows))
    (folder / "protected.jsonl").write_bytes(lines([{"text": "加微信领取"}]))
    (folder / "tiny.toml").write_text(RECIPE)
    return folder


def tuned(data: Path, base: Path, out: Path, **changes: object) -> Path:
    recipe, sha256 = read_finetune_recipe(data / "tiny.toml")
    roots = Roots(data=data, corpus=data, texts=data)
    recipe = recipe.model_copy(update=changes)
    finetune(recipe, sha256, base, roots, out, cloaked=any_cloak, tell=lambda _: None)
    return out


@pytest.fixture(scope="module")
def made(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = write_tiny_transformer(tmp_path_factory.mktemp("tiny"))
    return tuned(data, base, tmp_path_factory.mktemp("made") / "out")


def test_it_learns_what_the_texts_teach_and_serves_it_calibrated(made: Path) -> None:
    harms = open_transformer(made, {}, BESIDE).harms(
        ["你就是个废物滚出去", "宿舍热水能不延长到", "滚出去你就是个废物", "能不延长到十一点宿"]
    )

    assert harms[[0, 2], HARASSMENT].min() > 0.5 > harms[[1, 3], HARASSMENT].max()
    assert harms.min() >= 0.0
    assert harms.max() <= 1.0


def test_a_head_that_saw_too_few_examples_leaves_its_category_to_the_bundle_beside(made: Path) -> None:
    bundle = open_transformer(made, {}, BESIDE)

    assert bundle.harms([QUIET])[0, HARM_COLUMNS.index(Category.HATE)] == 0.125
    assert bundle.harms([QUIET])[0, SPAM] != 0.25
    assert set(bundle.columns.values()) == {Category.SPAM, Category.HARASSMENT}


def test_no_head_is_surer_of_a_protected_text_than_the_ceiling(made: Path) -> None:
    assert open_transformer(made, {}, BESIDE).harms(["加微信领取"])[0].max() <= 0.7 + 1e-3


def test_the_manifest_names_the_base_the_sources_and_the_figures(made: Path) -> None:
    manifest = read_finetuned(made)

    assert manifest.name == "tiny-tuned"
    assert [(source.name, source.licence) for source in manifest.sources] == [("tiny harms", "CC0")]
    assert manifest.scores["harassment"]["auroc"] > 0.9
    assert {"model.safetensors", "calibration.json", "config.json"} <= set(manifest.files)


def test_the_same_recipe_and_checkpoint_give_the_same_weights(data: Path, made: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    again = tuned(data, write_tiny_transformer(tmp_path / "base"), tmp_path / "again")

    assert (again / "model.safetensors").read_bytes() == (made / "model.safetensors").read_bytes()
    assert read_finetuned(again).files["calibration.json"] == read_finetuned(made).files["calibration.json"]


def test_teaching_stops_when_it_helps_no_more(data: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base, told = write_tiny_transformer(tmp_path / "base"), []
    recipe, sha256 = read_finetune_recipe(data / "tiny.toml")
    # So slow that no sum of four bytes moves: at 1e-9 equal scores changed places now and then, which helps.
    recipe = recipe.model_copy(update={"epochs": 9, "patience": 2, "learning_rate": 1e-30})
    roots = Roots(data=data, corpus=data, texts=data)
    finetune(recipe, sha256, base, roots, tmp_path / "out", cloaked=any_cloak, tell=told.append)

    assert len([line for line in told if line.startswith("epoch")]) == 3


def test_a_cloaked_copy_stands_beside_a_share_of_the_texts(data: Path, tmp_path: Path) -> None:
    copied: list[str] = []

    def note(text: str, rng: random.Random) -> str:
        copied.append(text)
        return any_cloak(text, rng)

    (tmp_path / "base").mkdir()
    base = write_tiny_transformer(tmp_path / "base")
    recipe, sha256 = read_finetune_recipe(data / "tiny.toml")
    roots = Roots(data=data, corpus=data, texts=data)
    once = recipe.model_copy(update={"epochs": 1, "cloaked": 0.5})
    finetune(once, sha256, base, roots, tmp_path / "out", cloaked=note, tell=lambda _: None)

    assert 0.3 < len(copied) / (240 * 0.75) < 0.7


def spoil_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def spoil_calibration(folder: Path) -> None:
    (folder / "calibration.json").unlink()


def spoil_labels(folder: Path) -> None:
    path = folder / "manifest.json"
    document = orjson.loads(path.read_bytes())
    document["labels"][0] = "opinion"
    path.write_bytes(orjson.dumps(document))


def spoil_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoil_weights, "differs from its hash"),
        (spoil_calibration, "lacks its file"),
        (spoil_labels, "another list of labels"),
        (spoil_manifest, "no manifest"),
    ],
)
def test_a_folder_that_is_not_what_its_manifest_says_is_refused(
    made: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    spoil(tmp_path)

    with pytest.raises(ConfigurationError, match=said):
        open_transformer(tmp_path, {}, BESIDE)


def test_a_folder_of_ours_needs_no_labels_on_the_command_line(made: Path) -> None:
    assert open_classifier(None, made).name == "tiny-tuned"


def test_a_checkpoint_that_is_not_there_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no checkpoint"):
        tuned(data, tmp_path, tmp_path / "out")


def test_texts_that_could_stop_nothing_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = write_tiny_transformer(tmp_path / "base")
    with pytest.raises(ConfigurationError, match="held back"):
        tuned(data, base, tmp_path / "out", held=1e-9)


def test_the_shipped_recipe_is_found_by_its_name_and_by_its_path() -> None:
    recipe, _ = read_finetune_recipe(found_recipe("finetune"))

    assert found_recipe("recipes/finetune.toml") == found_recipe("finetune")
    assert "COLD train" in {source.name for source in recipe.sources}


def test_the_command_fine_tunes_and_says_how_to_try_it(data: Path, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    base = write_tiny_transformer(tmp_path / "base")
    brief = tmp_path / "brief.toml"
    brief.write_text(RECIPE.replace("epochs = 15", "epochs = 2"))
    app = typer.Typer()
    app.command()(train)
    words = [
        str(brief),
        "--from",
        str(base),
        "--data",
        str(data),
        "--out",
        str(tmp_path / "out"),
    ]
    result = CliRunner().invoke(app, [*words, "--name", "named"])

    assert result.exit_code == 0, result.output
    assert "--transformer" in result.output
    assert read_finetuned(tmp_path / "out").name == "named"


def test_the_command_asks_for_a_checkpoint(data: Path) -> None:
    app = typer.Typer()
    app.command()(train)
    result = CliRunner().invoke(app, [str(data / "tiny.toml")])

    assert result.exit_code == 2
    assert "--from" in result.output


def test_vectors_come_from_the_tuned_model(made: Path) -> None:
    vectors = open_transformer(made, {}, BESIDE).encode(["宿舍热水", ""])

    assert vectors.shape == (2, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
