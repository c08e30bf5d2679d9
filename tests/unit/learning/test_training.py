"""Making a bundle from a few invented texts: the same bytes twice, and heads that learned something."""

import gzip
from pathlib import Path

import numpy as np
import orjson
import pytest

from learning.bundle import load_bundle
from learning.encoder import HARM_COLUMNS
from learning.manifest import read_manifest
from learning.training.fitting import platt, temperature
from learning.training.making import make_bundle
from learning.training.recipe import RECIPES, read_recipe
from learning.training.sources import Roots
from models.errors import ConfigurationError
from models.vocabulary import Category, Domain

RECIPE = """
name = "tiny"
seed = 3
hashing = {harms = {bits = 12, orders = 3}, reads = {bits = 12, orders = 2}, grams = {bits = 16, orders = 3}}
rarest = {harms = 1, reads = 1}
[harms]
penalty = 1.0
ceiling = 0.8
[[harms.sources]]
name = "tiny harms"
file = "harms.jsonl.gz"
licence = "CC0"
use = "harms"
field = "category"
calibrates."*" = 1.0
labels."*" = ["="]
[[harms.protected]]
name = "tiny protected"
file = "protected.jsonl"
licence = "CC0"
use = "harms"
[need]
penalty = 1.0
[[need.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "need"
field = "need"
calibrates."*" = 1.0
labels.true = ["need"]
[domain]
penalty = 1.0
[[domain.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "domain"
field = "domain"
calibrates."*" = 1.0
labels."*" = ["="]
[tone]
penalty = 1.0
[[tone.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "tone"
field = "tone"
calibrates."*" = 1.0
labels."*" = ["="]
[grams]
dimensions = 8
vocabulary = 200
rarest = 1
window = 3
weight_scale = 1e-3
shared = 1
[[grams.sources]]
name = "tiny needs"
file = "needs.jsonl"
licence = "CC0"
use = "vectors"
"""

NUMBERS = "零一二三四五六七八九"


def lines(rows: list[dict[str, object]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    words = [one + two for one in NUMBERS for two in NUMBERS[:6]]
    harms = [{"text": f"加微信买课{word}", "category": "spam"} for word in words[:30]]
    harms += [{"text": f"图书馆{word}点关门吗", "category": None} for word in words]
    domains = [domain.value for domain in Domain]
    tones = ["negative", "neutral", "positive"]
    needs: list[dict[str, object]] = [
        {
            "text": f"{domain}{tone}的事情{word}",
            "domain": domain,
            "tone": tone,
            "need": (place + step) % 2 == 0,
        }
        for place, domain in enumerate(domains)
        for step, tone in enumerate(tones)
        for word in words[:4]
    ]
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "harms.jsonl.gz").write_bytes(gzip.compress(lines(harms)))
    (folder / "needs.jsonl").write_bytes(lines(needs))
    (folder / "protected.jsonl").write_bytes(lines([{"text": "吉他社招新，加微信报名"}]))
    (folder / "tiny.toml").write_text(RECIPE)
    return folder


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


def test_every_shipped_recipe_can_be_read_and_reads_no_suite() -> None:
    for path in RECIPES.glob("*.toml"):
        recipe, _ = read_recipe(path.stem)
        groups = [recipe.harms, recipe.need, recipe.domain, recipe.tone, recipe.grams]
        files = [source.file for group in groups for source in group.sources]
        assert not [file for file in files if "chineseharm" in file or "suite" in file]


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
