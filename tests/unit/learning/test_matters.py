"""Vectors of matters: what they promise, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest

from learning.bundle import MATTERS, load_bundle
from learning.cascade import CascadeBundle
from learning.matters import SAYS, TABLE, load_matters
from learning.training.matters import fit_matters, read_written, write_matters
from learning.training.months import COMMON, made_month
from models.errors import ConfigurationError

TEXTS = ["水龙头一滴都不出", "浴室又是冰水", "公交车九点就没了", "末班车太早"]
ABOUT = ["water", "water", "bus", "bus"]
FIRST = np.eye(4, 8, dtype=np.float32)


def test_the_shipped_bundle_gives_the_vectors_of_matters() -> None:
    bundle = load_bundle()
    table = load_matters(MATTERS)

    assert isinstance(bundle, CascadeBundle)
    assert bundle.matters is not None
    assert bundle.encode(TEXTS).shape == (4, table.weights.shape[1])


def test_texts_of_one_matter_are_nearer_than_texts_of_two() -> None:
    table = fit_matters("tiny", TEXTS, ABOUT, FIRST, FIRST[0])

    alike = table.encode(TEXTS, FIRST) @ table.encode(TEXTS, FIRST).T

    assert alike[0, 1] > alike[0, 2]
    assert alike[2, 3] > alike[1, 3]


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = fit_matters("tiny", TEXTS, ABOUT, FIRST, FIRST[0])
    write_matters(table, tmp_path)

    read = load_matters(tmp_path)

    assert read.name == "tiny"
    assert np.allclose(read.encode(TEXTS, FIRST), table.encode(TEXTS, FIRST), atol=0.02)


def test_a_table_that_differs_from_its_description_is_refused(tmp_path: Path) -> None:
    write_matters(fit_matters("tiny", TEXTS, ABOUT, FIRST, FIRST[0]), tmp_path)
    (tmp_path / TABLE).write_bytes((tmp_path / TABLE).read_bytes() + b"0")

    with pytest.raises(ConfigurationError):
        load_matters(tmp_path)
    (tmp_path / SAYS).unlink()
    with pytest.raises(ConfigurationError):
        load_matters(tmp_path)


def test_a_table_does_not_fit_another_first_stage() -> None:
    table = fit_matters("tiny", TEXTS, ABOUT, FIRST, FIRST[0])

    assert table.fits(lambda _: FIRST[:1])
    assert not table.fits(lambda _: FIRST[1:2])
    assert not table.fits(lambda _: np.ones((1, 3), dtype=np.float32))


def test_a_made_month_is_the_same_for_the_same_seed_and_holds_what_it_says() -> None:
    matters = [matter for matter in read_written() if matter.kind != "spread"][:6]

    month = made_month("m", matters, ["今天天气不错"], ["求推荐一家店"], 7)

    assert month == made_month("m", matters, ["今天天气不错"], ["求推荐一家店"], 7)
    assert [post.time for post in month] == sorted(post.time for post in month)
    assert not any("{" in post.text for post in month)
    assert {post.demand is None for post in month} == {True, False}
    for demand in {post.demand for post in month} - {None}:
        boards = {post.organisation for post in month if post.demand == demand} - {COMMON}
        assert len(boards) <= 1


def test_a_matter_that_goes_on_in_another_file_is_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    one.write_text("# transport place 末班车\n九点就没了\n# health spread 疫苗\n约不到\n", "utf-8")
    two.write_text("# transport spread 末班车\n能不能延到十点\n", "utf-8")

    bus, vaccine = read_written(one, two)

    assert (bus.kind, bus.texts) == ("place", ("九点就没了", "能不能延到十点"))
    assert vaccine.texts == ("约不到",)


def test_a_matter_with_many_texts_leaves_directions_to_the_others() -> None:
    many = [f"澡堂第{number}天没有热水" for number in range(40)]
    texts, about = [*many, *TEXTS[2:], "食堂涨价"], ["water"] * 40 + ["bus", "bus", "food"]
    first = np.zeros((len(texts), 8), dtype=np.float32)
    first[:, 0] = 1.0
    table = fit_matters("tiny", texts, about, first, first[0])

    alike = table.encode(texts, first) @ table.encode(texts, first).T

    assert alike[40, 41] > alike[40, 42]
