import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.features import Hashing, folding_table, pieces

HASHING = Hashing(bits=12, orders=3, table=folding_table())
texts = st.lists(st.text(st.characters(), max_size=30), min_size=1, max_size=8)


def rows(hashing: Hashing, batch: list[str]) -> list[list[int]]:
    hashed = hashing.hash(batch)
    return [part.tolist() for part in np.split(hashed.buckets, hashed.starts[1:])]


@given(texts)
def test_a_text_has_the_same_n_grams_in_any_batch(batch: list[str]) -> None:
    together = rows(HASHING, batch)

    assert together == [rows(HASHING, [text])[0] for text in batch]


@given(texts)
def test_every_position_begins_one_n_gram_of_each_order(batch: list[str]) -> None:
    for text, row in zip(batch, rows(HASHING, batch), strict=True):
        assert len(row) == HASHING.orders * (len(HASHING.folded(text)) + 1)


def test_width_case_and_digits_are_folded() -> None:
    assert HASHING.folded("ＡｂＣ１２９　x") == "abc000 x"


def test_traditional_characters_are_folded_where_a_table_says_so() -> None:
    characters = [chr(code) for code in range(0x10000)]
    characters[ord("門")] = "门"
    hashing = Hashing(bits=12, orders=3, table=folding_table(characters))

    assert hashing.folded("開門") == "開门"


def test_a_run_of_one_character_is_cut_to_three() -> None:
    assert HASHING.folded("哈哈哈哈哈！！！！") == "哈哈哈!!!"


def test_runs_do_not_reach_over_the_border_of_two_texts() -> None:
    assert rows(HASHING, ["哈哈", "哈哈"])[1] == rows(HASHING, ["哈哈"])[0]


def test_a_lone_surrogate_is_a_character_like_others() -> None:
    assert len(rows(HASHING, ["\ud800a"])[0]) == 3 * 3


def test_pieces_cover_all_texts_in_order_without_gaps() -> None:
    batch = ["x" * 40, "", "y" * 5, "z" * 90]
    covered = [text for part in pieces(batch, characters=50) for text in batch[part]]

    assert covered == batch


@pytest.mark.parametrize(("bits", "orders"), [(4, 2), (30, 2), (12, 0), (12, 9)])
def test_a_hashing_out_of_bounds_is_refused(bits: int, orders: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        Hashing(bits=bits, orders=orders, table=folding_table())
