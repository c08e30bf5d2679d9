"""Cloaked copies are made from the shipped tables, the same for the same seed."""

import random

import pytest

from moderation.cloaking import SHARE, Cloak, cloak
from moderation.normalise import fold

TEXT = "加我微信聊聊，带你做兼职赚钱，轻松月入过万，想来的朋友们快点发消息给我"


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - variety, not secrecy


@pytest.mark.parametrize("kind", Cloak)
def test_the_same_seed_makes_the_same_copy(kind: Cloak) -> None:
    assert cloak(TEXT, kind, _rng(7)) == cloak(TEXT, kind, _rng(7))


@pytest.mark.parametrize("kind", Cloak)
def test_every_kind_changes_a_chinese_text(kind: Cloak) -> None:
    for seed in range(20):
        assert cloak(TEXT, kind, _rng(seed)) != TEXT


@pytest.mark.parametrize("kind", Cloak)
@pytest.mark.parametrize("text", ["", "ok 123!", "。，"])
def test_what_cannot_be_cloaked_stays(kind: Cloak, text: str) -> None:
    assert cloak(text, kind, _rng(1)) == text


def test_a_homophone_sounds_like_what_it_stands_for() -> None:
    copy = cloak(TEXT, Cloak.HOMOPHONE, _rng(3))

    assert len(copy) == len(TEXT)
    assert fold(copy).pinyin == fold(TEXT).pinyin


@pytest.mark.parametrize(("kind", "view"), [(Cloak.TRADITIONAL, "plain"), (Cloak.INSERTED, "squeezed")])
def test_the_views_take_the_disguise_off_again(kind: Cloak, view: str) -> None:
    for seed in range(20):
        copy = fold(cloak("轻松赚钱", kind, _rng(seed)))

        assert getattr(copy, view) == "轻松赚钱"


def test_a_split_character_is_put_together_again() -> None:
    assert cloak("加", Cloak.SPLIT, _rng(1)) == "力口"


def test_about_three_characters_in_ten_are_cloaked() -> None:
    text = "马" * 2_000
    changed = sum(mark != "马" for mark in cloak(text, Cloak.EMOJI, _rng(5)))

    assert abs(changed / len(text) - SHARE) < 0.05
