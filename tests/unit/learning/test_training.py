"""Making a bundle from a few invented texts: the same bytes twice, and heads that learned something."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from learning.bundle import load_bundle
from learning.encoder import HARM_COLUMNS
from learning.manifest import HeadEntry, JointEntry, read_manifest
from learning.training.fitting import platt, temperature
from learning.training.making import make_bundle
from learning.training.recipe import RECIPES, read_recipe
from learning.training.sources import Roots
from learning.training.writing import write_bundle
from models.errors import ConfigurationError
from models.vocabulary import Category
from tests.support.tiny_lessons import RECIPE, write_tiny_lessons

# One process imports torch and teaches the tiny models; two would do it twice.
pytestmark = pytest.mark.xdist_group("learning")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_tiny_lessons(tmp_path)


def make(data: Path, out: Path) -> Path:
    recipe, sha256 = read_recipe(str(data / "tiny.toml"))
    make_bundle(recipe, sha256, Roots(data=data, corpus=data, texts=data), out, lambda _: None)
    return out


def test_the_same_recipe_gives_the_same_bytes(data: Path, tmp_path: Path) -> None:
    first, second = make(data, tmp_path / "first"), make(data, tmp_path / "second")

    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


def test_what_was_taught_is_found_and_what_was_not_answers_nothing(data: Path, tmp_path: Path) -> None:
    bundle = load_bundle(make(data, tmp_path / "out"))
    harms = bundle.harms(["加微信买课七七", "图书馆七七点关门吗"])
    spam = HARM_COLUMNS.index(Category.SPAM)

    assert harms[0, spam] > 0.5 > harms[1, spam]
    assert (harms[:, [place for place in range(len(HARM_COLUMNS)) if place != spam]] == 0).all()


def test_heads_that_hear_find_what_was_taught_in_other_characters_of_the_same_sound(
    data: Path, tmp_path: Path
) -> None:
    deaf = load_bundle(make(data, tmp_path / "deaf"))
    recipe = RECIPE.replace("harms = {bits = 12, orders = 3}", "harms = {bits = 12, orders = 3, heard = 3}")
    recipe = recipe.replace("ceiling = 0.8", "ceiling = 0.8\nhomophones = {share = 0.3, weight = 0.4}")
    recipe = recipe.replace('use = "harms"\nfield', 'use = "harms"\nhomophones = true\nfield')
    (data / "tiny.toml").write_text(recipe)
    hearing = load_bundle(make(data, tmp_path / "hearing"))
    spam = HARM_COLUMNS.index(Category.SPAM)
    respelled = ["家威信麦科七七", "图书管七七典观门马"]
    found, before = hearing.harms(respelled)[:, spam], deaf.harms(respelled)[:, spam]

    assert found[0] > 0.5 > found[1]
    assert found[0] - found[1] > before[0] - before[1]


def test_heads_that_keep_few_n_grams_know_those_and_are_moved_by_no_other(data: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace('name = "tiny"', 'name = "tiny"\nkept = 60').replace(
        "{bits = 12, orders = 3},", "{bits = 20, orders = 3},", 1
    )
    (data / "tiny.toml").write_text(recipe)
    folder = make(data, tmp_path / "narrow")
    bundle = load_bundle(folder)
    spam = HARM_COLUMNS.index(Category.SPAM)
    known, strange, strangest = bundle.harms(["加微信买课七七", "鼉", "鼉龘靐齉"])[:, spam]
    keys = np.load(folder / "harm_keys.npy")

    assert len(keys) == 60
    assert (np.diff(keys.astype(np.int64)) > 0).all()
    assert np.load(folder / "harms.npy").shape == (61, len(HARM_COLUMNS) + 1)
    assert known > 0.5 > bundle.harms(["图书馆七七点关门吗"])[0, spam]
    assert strange == strangest


def test_keys_that_do_not_fit_their_table_are_refused(data: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace('name = "tiny"', 'name = "tiny"\nkept = 60')
    (data / "tiny.toml").write_text(recipe)
    folder = make(data, tmp_path / "narrow")
    keys = np.load(folder / "harm_keys.npy")
    said = read_manifest(folder).model_dump(exclude={"files"})
    arrays = {path.name: np.load(path) for path in folder.glob("*.npy")}
    write_bundle(folder, said, {**arrays, "harm_keys.npy": keys[:-1]})

    with pytest.raises(ConfigurationError, match="do not fit each other"):
        load_bundle(folder)


@pytest.mark.parametrize("upper", [-0.5, 1.5, float("nan")])
def test_a_head_that_would_be_lifted_or_turned_around_is_refused(upper: float) -> None:
    with pytest.raises(ValidationError):
        HeadEntry(bias=0.0, slope=1.0, offset=0.0, trained=True, upper=upper)
    with pytest.raises(ValidationError):
        JointEntry(linear=1.0, encoder=1.0, offset=0.0, trained=True, upper=upper)


def test_a_head_that_is_held_down_leaves_what_is_unlikely_as_it_was(data: Path, tmp_path: Path) -> None:
    free = RECIPE.replace("ceiling = 0.8", "ceiling = 1.0")
    held = load_bundle(make(data, tmp_path / "held"))
    (data / "tiny.toml").write_text(free.replace("ceiling = 1.0", "ceiling = 0.9999999"))
    loose = load_bundle(make(data, tmp_path / "loose"))
    spam = HARM_COLUMNS.index(Category.SPAM)
    texts = ["加微信买课七七", "吉他社招新，加微信报名", "图书馆七七点关门吗", "鼉"]
    after, before = held.harms(texts)[:, spam], loose.harms(texts)[:, spam]
    likely = before > 0.5

    assert likely.any()
    assert not likely.all()
    assert np.allclose(after[~likely], before[~likely], atol=1e-3)
    assert (after[likely] < before[likely]).all()
    assert (after[likely] >= 0.5).all()


def test_no_head_is_surer_of_a_protected_text_than_the_ceiling(data: Path, tmp_path: Path) -> None:
    bundle = load_bundle(make(data, tmp_path / "out"))

    assert bundle.harms(["吉他社招新，加微信报名"]).max() <= 0.8 + 5e-3


def test_the_manifest_names_every_source_with_its_licence(data: Path, tmp_path: Path) -> None:
    manifest = read_manifest(make(data, tmp_path / "out"))

    assert {source.use for source in manifest.sources} == {"harms", "need", "domain", "tone", "vectors"}
    assert all(source.rows > 0 and source.licence == "CC0" for source in manifest.sources)


def test_a_source_that_names_a_strange_head_is_refused(data: Path, tmp_path: Path) -> None:
    (data / "tiny.toml").write_text(RECIPE.replace('labels.true = ["need"]', 'labels.true = ["opinion"]'))

    with pytest.raises(ConfigurationError, match="opinion"):
        make(data, tmp_path / "out")


def test_a_source_that_is_not_there_is_refused(data: Path, tmp_path: Path) -> None:
    (data / "needs.jsonl").unlink()

    with pytest.raises(ConfigurationError, match="tiny needs"):
        make(data, tmp_path / "out")


@pytest.mark.parametrize("content", ["name = 1", "not toml =", 'opinions = "yes"'])
def test_what_is_no_recipe_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(content)

    with pytest.raises(ConfigurationError, match="recipe"):
        read_recipe(str(path))


def test_no_shipped_recipe_reads_a_suite_or_a_set_that_only_judges() -> None:
    def files(part: object) -> list[str]:
        if isinstance(part, list):
            return [file for one in part for file in files(one)]
        if not isinstance(part, dict):
            return []
        own = [part["file"]] if "file" in part else []
        return own + [file for one in part.values() for file in files(one)]

    for path in RECIPES.glob("*.toml"):
        named = files(tomllib.loads(path.read_text(encoding="utf-8")))
        assert not [file for file in named if "chineseharm" in file or "suites/" in file or "/test." in file]


def test_the_shipped_recipe_of_the_linear_bundle_can_be_read() -> None:
    assert read_recipe("linear")[0].name == "linear-2026.11.5"


def test_the_platt_line_finds_the_line_that_made_the_labels() -> None:
    generator = np.random.default_rng(5)
    scores = generator.normal(size=20_000)
    truth = generator.random(20_000) < 1 / (1 + np.exp(-(2.0 * scores - 1.0)))
    slope, offset = platt(scores, truth, np.ones(20_000))

    assert slope == pytest.approx(2.0, abs=0.1)
    assert offset == pytest.approx(-1.0, abs=0.1)


def test_the_temperature_flattens_classes_that_are_too_sure() -> None:
    generator = np.random.default_rng(5)
    truth = generator.integers(0, 3, size=5_000)
    scores = generator.normal(size=(5_000, 3))
    scores[np.arange(5_000), truth] += 1.0

    assert temperature(scores * 10.0, truth, np.ones(5_000)) == pytest.approx(0.1, abs=0.02)
