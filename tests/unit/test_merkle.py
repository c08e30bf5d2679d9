"""The tree over a day's entries: paths lead to its root, and nothing else does."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import merkle

leaves = st.lists(st.binary(max_size=40).map(merkle.leaf), min_size=1, max_size=70)


def by_definition(level: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if len(level) == 1:
        return level[0]
    half = 1
    while half * 2 < len(level):
        half *= 2
    left, right = by_definition(level[:half]), by_definition(level[half:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@settings(deadline=None)
@given(leaves)
def test_the_root_is_that_of_the_definition(level: list[bytes]) -> None:
    assert merkle.root(level) == by_definition(level)


@settings(deadline=None)
@given(leaves, st.data())
def test_every_path_leads_to_the_root_and_from_no_other_place(
    level: list[bytes], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(level) - 1))
    beside = merkle.path(level, index)

    assert merkle.follow(level[index], index, len(level), beside) == merkle.root(level)
    assert merkle.follow(merkle.leaf(b"another"), index, len(level), beside) != merkle.root(level)
    assert merkle.follow(level[index], len(level), len(level), beside) is None
    assert merkle.follow(level[index], index, len(level), [*beside, beside[0] if beside else b""]) is None
    if beside:
        assert merkle.follow(level[index], index, len(level), beside[:-1]) is None


def test_a_node_is_never_taken_for_a_leaf() -> None:
    one, two = merkle.leaf(b"1"), merkle.leaf(b"2")
    assert merkle.leaf(one, two) != merkle.root([one, two])


def test_nothing_has_a_root_and_no_path() -> None:
    assert merkle.root([]) == merkle.EMPTY
    with pytest.raises(IndexError):
        merkle.path([], 0)
