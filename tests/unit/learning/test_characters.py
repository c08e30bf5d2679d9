"""Texts become rows of characters with their sounds, and no text is refused."""

import numpy as np
import pytest

from learning.characters import UNKNOWN, WINDOW, WINDOWS, Alphabet, padded
from learning.training.pretrain import fold_all, letters_of


@pytest.fixture(scope="module")
def alphabet() -> Alphabet:
    return letters_of(fold_all(["加微信领奖学金繁体字abc。"] * 6)).alphabet


def test_width_case_script_and_blanks_are_folded(alphabet: Alphabet) -> None:
    plain = alphabet.row("繁体字abc")

    assert np.array_equal(alphabet.row("繁 體\u200b字　ＡＢＣ"), plain)
    assert (plain[0] > UNKNOWN).all()


def test_a_character_outside_the_alphabet_keeps_its_sound(alphabet: Alphabet) -> None:
    known, stranger = alphabet.row("微"), alphabet.row("薇")

    assert stranger[0, 0] == UNKNOWN
    assert stranger[1, 0] == known[1, 0] > 0


def test_no_text_is_refused_and_none_is_without_a_row(alphabet: Alphabet) -> None:
    texts = ["", " \n", "\ud800", "\U0010ffff", "🏳️‍🌈", "\x00\u202e", "加" * 5000]
    windows, owners = alphabet.rows(texts)

    assert sorted(set(owners.tolist())) == list(range(len(texts)))
    assert all(1 <= window.shape[1] <= WINDOW for window in windows)
    assert int(np.sum(owners == len(texts) - 1)) == WINDOWS


def test_rows_of_a_step_are_filled_up_with_padding(alphabet: Alphabet) -> None:
    numbers, sounds = padded([alphabet.row("加微信"), alphabet.row("字")])

    assert numbers.shape == sounds.shape == (2, 3)
    assert (numbers[1, 1:] == 0).all()


def test_a_table_of_another_size_is_no_alphabet() -> None:
    with pytest.raises(ValueError, match="tables of an alphabet"):
        Alphabet(np.zeros(8, np.uint16), np.zeros(8, np.uint16))
