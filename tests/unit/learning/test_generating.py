"""Made texts: the same bytes from the same seed, wide enough to learn from, nobody's own."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import orjson
import pytest

from learning.training.generating import (
    GRAMMARS,
    LONGEST,
    PEOPLE,
    PEOPLE_PER_CATEGORY,
    PEOPLE_TWINS,
    PER_CATEGORY,
    TEXTS,
    VEILED,
    VEILED_PER_CATEGORY,
    VEILED_TWINS,
    generated,
    harms,
    innocents,
    people,
    read_grammar,
    veiled,
)
from models.errors import ConfigurationError
from models.vocabulary import Category

COMMERCIAL = tuple(PER_CATEGORY)
SHARED = '[slots]\nname = "甲|乙"\n'


def texts_of(name: str) -> list[str]:
    return [orjson.loads(line)["text"] for line in (TEXTS / name).read_bytes().splitlines()]


def grammar_folder(folder: Path, own: str) -> Path:
    (folder / "shared.toml").write_text(SHARED, "utf-8")
    (folder / "own.toml").write_text(own, "utf-8")
    return folder


def test_the_files_that_ship_are_what_the_grammars_make() -> None:
    bad, good = generated()

    assert (TEXTS / "generated_ads.jsonl").read_bytes() == bad
    assert (TEXTS / "generated_benign.jsonl").read_bytes() == good


def test_another_seed_makes_other_texts() -> None:
    assert generated(1) != generated(2)


def test_there_are_thousands_of_each_and_they_stay_small() -> None:
    bad, good = generated()

    assert len(bad.splitlines()) >= 4000
    assert len(good.splitlines()) >= 4000
    assert len(bad) + len(good) <= 1_500_000


def test_every_commercial_harm_has_its_share_and_both_ways_of_writing() -> None:
    made = list(harms(3))
    counted = Counter(one.category for one in made)

    assert dict(counted) == dict(PER_CATEGORY)
    assert {(one.category, one.evading) for one in made} == {
        (c, e) for c in COMMERCIAL for e in (True, False)
    }


def test_texts_are_distinct_short_and_filled() -> None:
    made = [one.text for one in (*harms(4), *innocents(5))]

    assert max(map(len, made)) <= LONGEST + 1
    assert not [text for text in made if re.search(r"[{}#^]|\s\s", text)]
    assert len({one.text for one in harms(4)}) == sum(PER_CATEGORY.values())


@pytest.mark.parametrize(
    ("name", "make", "counts"),
    [("people", people, PEOPLE_PER_CATEGORY), ("veiled", veiled, VEILED_PER_CATEGORY)],
)
def test_harms_ship_as_the_grammars_make_them_each_with_as_many_twins(
    name: str, make: Callable[[], tuple[bytes, bytes]], counts: Mapping[Category, int]
) -> None:
    bad, good = make()
    categories = Counter(orjson.loads(line)["category"] for line in bad.splitlines())
    made = [orjson.loads(line)["text"] for line in (*bad.splitlines(), *good.splitlines())]
    grammar, twins = read_grammar(name), read_grammar(f"{name}_twins")

    assert (TEXTS / f"generated_{name}.jsonl").read_bytes() == bad
    assert (TEXTS / f"generated_{name}_benign.jsonl").read_bytes() == good
    assert dict(categories) == dict(counts)
    assert len(good.splitlines()) >= 0.9 * len(bad.splitlines())
    assert len(made) == len(set(made))
    assert not [text for text in made if re.search(r"[{}#^]|\s\s", text)]
    assert grammar.patterns.keys() == twins.patterns.keys()


def test_no_text_is_taught_as_harm_and_as_innocent() -> None:
    names = [
        file.stem for file in TEXTS.glob("*.jsonl") if file.stem.startswith(("harms", "benign", "generated"))
    ]
    innocent = [name for name in names if "benign" in name]
    harmful = [name for name in names if name not in innocent]
    bad = {text for name in harmful for text in texts_of(f"{name}.jsonl")}
    good = {text for name in innocent for text in texts_of(f"{name}.jsonl")}

    assert len(innocent) >= 12
    assert len(bad) > 20_000
    assert not bad & good


def test_the_benchmarks_are_kept_out_of_training() -> None:
    files = (Path(__file__).parents[2] / "benchmark").glob("*2026_11*.jsonl")
    kept = {orjson.loads(line)["text"] for file in files for line in file.read_bytes().splitlines()}
    taught = {text for file in TEXTS.glob("*.jsonl") for text in texts_of(file.name)}

    assert len(kept) >= 900
    assert not kept & taught


@pytest.mark.parametrize("category", COMMERCIAL)
def test_each_harm_and_its_twins_have_many_patterns(category: Category) -> None:
    own = read_grammar(category.value).patterns[category]
    twins = read_grammar("twins").patterns[category]

    assert len(set(own)) >= 60
    assert len(set(twins)) >= len(set(own))


def test_phones_and_qq_numbers_are_of_series_that_nobody_holds() -> None:
    made = [one.text for one in (*harms(6), *innocents(7))]
    phones = [found for text in made for found in re.findall(r"(?<![0-9a-z.])1[3-9]\d{9}(?!\d)", text)]
    numbers = [found for text in made for found in re.findall(r"(?:扣扣|q|群|裙)(\d{9,10})(?!\d)", text)]

    assert phones
    assert all(phone.startswith("1540000") for phone in phones)
    assert numbers
    assert all(number.startswith("0") for number in numbers)


def test_bare_addresses_are_of_the_range_that_was_never_given_out() -> None:
    made = [one.text for one in harms(8)]
    found = {match for text in made for match in re.findall(r"(?<![\d.])(\d{1,3})\.\d{1,3}\.\d{1,3}\.", text)}

    assert found
    assert all(240 <= int(first) <= 249 for first in found)


def test_a_slot_that_nothing_fills_is_refused(tmp_path: Path) -> None:
    folder = grammar_folder(tmp_path, '[slots]\n[patterns]\nspam = """\n{nobody}\n"""\n')

    with pytest.raises(ConfigurationError, match="nobody"):
        read_grammar("own", folder)


def test_slots_that_lead_back_to_themselves_are_refused(tmp_path: Path) -> None:
    folder = grammar_folder(tmp_path, '[slots]\na = "{b}"\nb = "{a}"\n[patterns]\nspam = """\n{a}\n"""\n')
    grammar = read_grammar("own", folder)

    with pytest.raises(ConfigurationError, match="back to themselves"):
        grammar.speak("{a}", Random(1))  # noqa: S311 - a repeatable choice


def test_a_category_that_is_not_on_the_closed_list_is_refused(tmp_path: Path) -> None:
    folder = grammar_folder(tmp_path, '[slots]\n[patterns]\npolitics = """\n{name}\n"""\n')

    with pytest.raises(ConfigurationError, match="politics"):
        read_grammar("own", folder)


def test_every_grammar_that_lies_there_is_read() -> None:
    read = {"shared", "twins", "ordinary", PEOPLE, PEOPLE_TWINS, VEILED, VEILED_TWINS, *COMMERCIAL}

    assert {file.stem for file in GRAMMARS.glob("*.toml")} == read
