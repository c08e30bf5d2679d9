"""Words are found where they stand, whatever their bytes look like between two characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.finder import Finder

# Their bytes are made of the same few, so that one also begins in the middle of another.
ALIKE = "中丯一䤭ⴭ丮䴮丠 -.😀🈭"
words = st.lists(st.text(ALIKE, min_size=1, max_size=3), min_size=1, max_size=8, unique=True)


@given(words, st.text(ALIKE, max_size=30))
def test_every_word_is_found_at_every_place_and_nothing_else_is(known: list[str], text: str) -> None:
    finder = Finder(known)
    places = {
        (number, start, start + len(word))
        for number, word in enumerate(known)
        for start in range(len(text))
        if text.startswith(word, start)
    }

    assert sorted(finder.find(text)) == sorted(places)
    assert finder.indexes(text) == {number for number, _, _ in places}


@pytest.mark.parametrize("text", ["", "中", "\ud800中"])
def test_no_words_are_found_nowhere(text: str) -> None:
    finder = Finder([])

    assert (bool(finder), finder.find(text), finder.indexes(text)) == (False, [], set())
