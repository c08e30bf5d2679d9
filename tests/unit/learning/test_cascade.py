"""A tiny cascade, made from invented texts from beginning to end: it learns, and it keeps its contract."""

import gzip
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from learning.bundle import load_bundle
from learning.cascade import CascadeBundle
from learning.encoder import HARM_COLUMNS
from learning.manifest import MANIFEST
from learning.training.encoding import UNSEEN, kept_scores, make_cascade
from learning.training.fusing import fused
from learning.training.making import make_bundle
from learning.training.multitask import answers, read_alphabet_rows
from learning.training.network import Shape
from learning.training.onward import make_onward
from learning.training.recipe import read_cascade_recipe, read_recipe
from learning.training.rejoining import rejoin
from learning.training.resuming import resumed_letters, resumed_reader
from learning.training.sources import Roots
from models.errors import ConfigurationError
from models.vocabulary import Category
from tests.support.tiny_lessons import write_tiny_lessons

RECIPE = """
kind = "cascade"
name = "tiny-cascade"
seed = 5
lessons = "tiny"
missed = 0.01
ceiling = 0.8
share = [1.0, 1.0]
[pretraining]
width = 32
layers = 1
attention = 2
inner = 64
minutes = 0
steps = 2
pace = 1e-3
[[pretraining.streams]]
name = "tiny needs"
root = "data"
file = "needs.jsonl"
licence = "CC0"
times = 8
[tuning]
parts = 2
teachers = 2
teacher_epochs = 4
epochs = 6
minutes = 0
soft = 0.3
vector = 16
pairs = "needs.jsonl"
pairs_field = "domain"
[tuning.readings]
"""
NEW_HARM = '{{"text": "情情情的事{}", "category": "spam"}}\n'
GOES_ON = """[tuning.onward]
epochs = 16
minutes = 0
others = 0.5
weight = 1.0
pace = 8e-3
soft = 0.3
[tuning.readings]"""
# Torch warns about its own parts while it is imported and while it writes a graph.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.xdist_group("learning"),  # one process imports torch and teaches; two would do it twice
]

SPAM = HARM_COLUMNS.index(Category.SPAM)


@dataclass(frozen=True)
class Made:
    folder: Path
    told: list[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    place = tmp_path_factory.mktemp("cascade")
    texts = write_tiny_lessons(place)
    (texts / "cascade.toml").write_text(RECIPE)
    lessons, sha256 = read_recipe(str(texts / "tiny.toml"))
    roots = Roots(data=texts, corpus=texts, texts=texts)
    make_bundle(lessons, sha256, roots, place / "tiny", lambda _: None)
    recipe, sha256 = read_cascade_recipe(str(texts / "cascade.toml"))
    told: list[str] = []
    make_cascade(
        recipe,
        sha256,
        lessons,
        place / "tiny",
        roots=roots,
        work=place / "work",
        out=place / "tiny-cascade",
        tell=told.append,
    )
    return Made(place / "tiny-cascade", told)


def test_both_stages_together_find_what_was_taught(made: Made) -> None:
    bundle = load_bundle(made.folder)
    harms = bundle.harms(["加微信买课七七", "图书馆七七点关门吗"])

    assert harms[0, SPAM] > 0.5 > harms[1, SPAM]


def test_a_new_first_stage_is_joined_to_the_encoder_that_is_there(made: Made, tmp_path: Path) -> None:
    data = next(made.folder.parent.rglob("tiny.toml")).parent
    recipe, sha256 = read_cascade_recipe(str(data / "cascade.toml"))
    lessons, lessons_sha256 = read_recipe(str(data / "tiny.toml"))
    roots = Roots(data=data, corpus=data, texts=data)
    first = tmp_path / "tiny"
    make_bundle(
        lessons.model_copy(update={"kept": 60}),
        lessons_sha256,
        roots,
        first,
        lambda _: None,
        kept=tmp_path / UNSEEN,
    )
    scores = kept_scores(tmp_path / UNSEEN, first)
    assert scores is not None
    told: list[str] = []
    rejoin(
        recipe.model_copy(update={"name": "tiny-again", "fresh": ["tiny harms"]}),
        sha256,
        lessons,
        first=first,
        scores=scores["harms"],
        present=made.folder,
        roots=roots,
        out=tmp_path / "tiny-again",
        tell=told.append,
    )
    bundle = load_bundle(tmp_path / "tiny-again")
    harms = bundle.harms(["加微信买课七七", "图书馆七七点关门吗"])

    assert (tmp_path / "tiny-again" / "encoder.onnx").read_bytes() == (
        made.folder / "encoder.onnx"
    ).read_bytes()
    assert harms[0, SPAM] > 0.5 > harms[1, SPAM]
    assert bundle.harms(["吉他社招新，加微信报名"]).max() <= recipe.ceiling + 5e-3


def test_weights_come_back_from_the_graph_that_ships(made: Made) -> None:
    bundle = load_bundle(made.folder)
    assert isinstance(bundle, CascadeBundle)
    letters = resumed_letters(made.folder)
    reader = resumed_reader(made.folder, attention=2)

    for text in ("加微信买课七七", "情情的事零一"):
        logits, _ = answers(reader, read_alphabet_rows(letters.alphabet, [text]))
        assert np.allclose(bundle.encoder.read([text])[0], logits, atol=0.05)
    assert {"的", "事", "情"} <= set(letters.characters)


def test_an_encoder_goes_on_with_lessons_that_it_had_not_seen(made: Made, tmp_path: Path) -> None:
    data = shutil.copytree(next(made.folder.parent.rglob("tiny.toml")).parent, tmp_path / "data")
    with gzip.open(data / "harms.jsonl.gz", "at", encoding="utf-8") as harms:
        harms.writelines(NEW_HARM.format(place) for place in range(60))
    (data / "cascade.toml").write_text(RECIPE.replace("[tuning.readings]", GOES_ON))
    recipe, sha256 = read_cascade_recipe(str(data / "cascade.toml"))
    lessons, lessons_sha256 = read_recipe(str(data / "tiny.toml"))
    roots = Roots(data=data, corpus=data, texts=data)
    first, work = tmp_path / "tiny", tmp_path / "work"
    make_bundle(lessons, lessons_sha256, roots, first, lambda _: None, kept=work / UNSEEN)
    scores = kept_scores(work / UNSEEN, first)
    assert scores is not None
    make_onward(
        recipe.model_copy(update={"fresh": ["tiny harms"]}),
        sha256,
        lessons,
        first=first,
        scores=scores["harms"],
        present=made.folder,
        roots=roots,
        work=work,
        out=tmp_path / "tiny-onward",
        tell=lambda _: None,
    )
    before, after = load_bundle(made.folder), load_bundle(tmp_path / "tiny-onward")
    assert isinstance(before, CascadeBundle)
    assert isinstance(after, CascadeBundle)
    new, old = "情情情的事", "加微信买课七七"

    assert after.encoder.read([new])[0][0, SPAM] > before.encoder.read([new])[0][0, SPAM] + 0.5
    assert after.harms([old])[0, SPAM] > 0.5 > after.harms(["图书馆七七点关门吗"])[0, SPAM]


def test_lessons_that_changed_since_their_scores_were_kept_are_refused(made: Made, tmp_path: Path) -> None:
    place = made.folder.parent
    data = next(place.rglob("tiny.toml")).parent
    recipe, sha256 = read_cascade_recipe(str(data / "cascade.toml"))
    lessons, _ = read_recipe(str(data / "tiny.toml"))

    with pytest.raises(ConfigurationError, match="have changed"):
        rejoin(
            recipe,
            sha256,
            lessons,
            first=place / "tiny",
            scores=np.zeros((3, len(HARM_COLUMNS)), dtype=np.float32),
            present=made.folder,
            roots=Roots(data=data, corpus=data, texts=data),
            out=tmp_path / "never",
            tell=lambda _: None,
        )

    assert not (tmp_path / "never").exists()


def test_plain_texts_are_settled_without_the_encoder(made: Made) -> None:
    bundle = load_bundle(made.folder)
    assert isinstance(bundle, CascadeBundle)
    texts = ["加微信买课七七", "图书馆七七点关门吗"]
    never = replace(bundle, plain=np.full_like(bundle.plain, np.inf))
    always = replace(bundle, plain=np.full_like(bundle.plain, -np.inf))

    assert np.array_equal(never.harms(texts), bundle.first.harms(texts))
    assert not np.allclose(always.harms(texts), bundle.first.harms(texts))


def test_a_text_is_read_the_same_in_every_company(made: Made) -> None:
    bundle = load_bundle(made.folder)
    texts = ["加微信买课七七", "长" * 700, "", "图书馆七七点关门吗"] * 5
    together = bundle.encode(texts)

    alone = np.concatenate([bundle.encode([text]) for text in texts])
    assert np.allclose(together, alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-4)


def test_a_cascade_whose_first_stage_was_replaced_is_refused(made: Made, tmp_path: Path) -> None:
    for name in ("tiny", "tiny-cascade"):
        shutil.copytree(made.folder.parent / name, tmp_path / name)
    manifest = tmp_path / "tiny" / MANIFEST
    manifest.write_bytes(manifest.read_bytes() + b"\n")

    with pytest.raises(ConfigurationError, match="not the one this cascade was made with"):
        load_bundle(tmp_path / "tiny-cascade")


def test_a_graph_that_differs_by_one_bit_is_refused(made: Made, tmp_path: Path) -> None:
    for name in ("tiny", "tiny-cascade"):
        shutil.copytree(made.folder.parent / name, tmp_path / name)
    graph = tmp_path / "tiny-cascade" / "encoder.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(bytes(content))

    with pytest.raises(ConfigurationError, match="differs from its hash"):
        load_bundle(tmp_path / "tiny-cascade")


def test_the_graph_that_ships_answers_as_the_network_that_was_exported(made: Made) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    bundle = load_bundle(made.folder)
    assert isinstance(bundle, CascadeBundle)
    whole = onnxruntime.InferenceSession(made.folder.parent / "work" / "whole.onnx")

    for text in ("加", "图书馆七七点关门吗", "加微信买课七七" * 12):
        row = bundle.encoder.alphabet.row(text)
        logits, _ = whole.run(None, {"numbers": row[:1], "sounds": row[1:]})
        assert np.allclose(bundle.encoder.read([text])[0], logits, atol=0.05)


def test_a_graph_of_another_network_is_not_fused(made: Made) -> None:
    onnx = pytest.importorskip("onnx")
    whole = onnx.load(made.folder.parent / "work" / "whole.onnx")

    with pytest.raises(ValueError, match="0 products are not those of 4 layers"):
        fused(whole, Shape(characters=10, sounds=10))


def test_the_encoder_is_spared_only_where_no_probability_reaches_its_bar(made: Made) -> None:
    bundle = load_bundle(made.folder)
    assert isinstance(bundle, CascadeBundle)
    always = replace(bundle, plain=np.full_like(bundle.plain, -np.inf))
    texts = ["加微信买课七七", "图书馆七七点关门吗", "七七课", "关门", "微信" * 90] * 3
    full = always.harms(texts)
    spared = 0
    for bar in (0.0, 0.05, 0.2, 0.5, 0.8, np.inf):
        found = always.harms_from(texts, np.full(full.shape, bar))
        exact = (found == full).all(axis=1)
        spared += int((~exact).sum())
        assert np.array_equal(found >= bar, full >= bar)
        assert exact[(full >= bar).any(axis=1)].all()
    assert spared


def test_what_the_encoder_says_beyond_all_it_ever_said_counts_as_the_most(made: Made) -> None:
    bundle = load_bundle(made.folder)
    assert isinstance(bundle, CascadeBundle)
    first = np.zeros((1, len(HARM_COLUMNS)), dtype=np.float32)
    highest = bundle.harm_heads.highest(first)

    assert highest is not None
    assert (bundle.harm_heads.logits(first, np.full_like(first, 1e6)) <= highest).all()
