"""Original and folded, lined up: what changed, where, and in what."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.alignment import changes
from moderation.normalise import fold


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("今天的菜不错", []),
        ("领資料", [("資", "资")]),
        ("加\u200b薇", [("\u200b", "")]),
        ("全部１２３都是", [("１２３", "123")]),
        ("哈哈哈哈哈啊", [("哈哈哈哈哈", "哈")]),
        ("\u202e倒着写\u202c", [("\u202e", ""), ("\u202c", "")]),
    ],
)
def test_only_what_folding_changed_is_shown(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(one.original, one.folded) for one in changes(text)] == expected


@given(st.text(max_size=60))
def test_the_changes_lie_in_the_original_in_order_and_lead_to_what_the_rules_read(text: str) -> None:
    found = changes(text, most=1_000)
    assert all(text[one.start : one.end] == one.original for one in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    rebuilt, at = "", 0
    for one in found:
        rebuilt += text[at : one.start] + one.folded
        at = one.end
    assert "".join((rebuilt + text[at:]).split()) == "".join(fold(text).joined.split())
