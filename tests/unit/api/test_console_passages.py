"""Passages are cut at code points, whatever the spans are."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api.console.passages import Segment, excerpt, pieces, segments

spans = st.lists(st.tuples(st.integers(-5, 60), st.integers(-5, 60)).map(list))


def test_a_passage_is_marked_exactly_also_behind_an_emoji() -> None:
    assert segments("好🙋加微信 abc", [[2, 5]]) == [
        Segment("好🙋", marked=False),
        Segment("加微信", marked=True),
        Segment(" abc", marked=False),
    ]


def test_overlapping_and_touching_passages_are_one() -> None:
    assert segments("abcdef", [[3, 4], [0, 2], [1, 3]]) == [
        Segment("abcd", marked=True),
        Segment("ef", marked=False),
    ]


@given(st.text(max_size=50), spans)
def test_the_segments_are_the_text_and_neighbours_differ(text: str, given_spans: list[list[int]]) -> None:
    found = segments(text, given_spans)
    assert "".join(one.text for one in found) == text
    assert all(one.text for one in found)
    assert all(one.marked is not other.marked for one, other in pairwise(found))


@given(st.text(max_size=50), spans)
def test_what_is_marked_is_what_the_spans_cover(text: str, given_spans: list[list[int]]) -> None:
    covered = {place for start, end in given_spans for place in range(max(0, start), min(len(text), end))}
    position, marked = 0, set()
    for one in segments(text, given_spans):
        if one.marked:
            marked |= set(range(position, position + len(one.text)))
        position += len(one.text)
    assert marked == covered


def test_an_excerpt_is_one_line_of_at_most_its_limit() -> None:
    assert excerpt("一\n二  三") == "一 二 三"
    assert excerpt("长" * 100, 10) == "长" * 9 + "…"


def test_what_nobody_can_see_is_named_and_pictures_stay_whole() -> None:
    family = "👨\u200d👩\u200d👧"
    found = pieces(f"看\u202e这{family}\n\u200b")
    assert [(one.text, one.control) for one in found] == [
        ("看", ""), ("", "U+202E"), (f"这{family}\n", ""), ("", "U+200B"),
    ]  # fmt: skip
