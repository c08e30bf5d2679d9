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


def sounds_of(syllables: dict[str, int]) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    table = np.zeros(0x10000, dtype=np.uint16)
    for characters, number in syllables.items():
        table[[ord(character) for character in characters]] = number
    return table


HEARING = Hashing(
    bits=12, orders=3, table=folding_table(), heard=3, sounds=sounds_of({"垃拉": 1, "圾鸡": 2, "分": 3})
)


@given(texts)
def test_a_text_has_the_same_n_grams_of_sounds_in_any_batch(batch: list[str]) -> None:
    together = rows(HEARING, batch)

    assert together == [rows(HEARING, [text])[0] for text in batch]
    assert all(
        len(row) == HEARING.grams * (len(HEARING.folded(text)) + 1)
        for text, row in zip(batch, together, strict=True)
    )


def test_homophones_change_the_n_grams_of_characters_and_not_those_of_sounds() -> None:
    plain, respelled = (np.array(rows(HEARING, [text])[0]).reshape(-1, 5) for text in ("垃圾分a", "拉鸡分a"))

    assert (plain[:, 3:] == respelled[:, 3:]).all()
    assert (plain[:, :3] != respelled[:, :3]).any()


def test_n_grams_of_characters_are_the_same_with_sounds_beside_them() -> None:
    heard = np.array(rows(HEARING, ["垃圾分类"])[0]).reshape(-1, 5)

    assert heard[:, :3].ravel().tolist() == rows(HASHING, ["垃圾分类"])[0]


def test_another_sound_gives_other_n_grams_of_sounds() -> None:
    plain, other = (np.array(rows(HEARING, [text])[0]).reshape(-1, 5) for text in ("垃圾", "垃分"))

    assert (plain[:, 3:] != other[:, 3:]).any()


@pytest.mark.parametrize("heard", [1, 4])
def test_an_order_of_sounds_out_of_bounds_is_refused(heard: int) -> None:
    with pytest.raises(ValueError, match="heard"):
        Hashing(bits=12, orders=3, table=folding_table(), heard=heard, sounds=sounds_of({}))


def test_n_grams_of_sounds_without_a_table_are_refused() -> None:
    with pytest.raises(ValueError, match="table"):
        Hashing(bits=12, orders=3, table=folding_table(), heard=2)


@pytest.mark.parametrize(("bits", "orders"), [(4, 2), (30, 2), (12, 0), (12, 9)])
def test_a_hashing_out_of_bounds_is_refused(bits: int, orders: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        Hashing(bits=bits, orders=orders, table=folding_table())
