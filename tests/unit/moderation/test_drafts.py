from datetime import datetime, timedelta
from typing import Any

import pytest

from models.errors import InvalidInput
from moderation.drafts import draft
from tests.support.posting import fields

LONG = "长" * 20_001


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"text": ""}, "empty", "/text"),
        ({"text": " \n\t　"}, "empty", "/text"),
        ({"text": "\u200b\ufeff"}, "empty", "/text"),
        ({"text": None}, "required", "/text"),
        ({"text": LONG}, "too_long", "/text"),
        ({"text": "你\x00好"}, "control_character", "/text"),
        ({"text": "你\x1b[31m好"}, "control_character", "/text"),
        ({"text": "一行\r二行"}, "control_character", "/text"),
        ({"text": "你\x85好"}, "control_character", "/text"),
        ({"text": "你\ud83d好"}, "lone_surrogate", "/text"),
        ({"text": 7}, "wrong_type", "/text"),
        ({"text": ["你好"]}, "wrong_type", "/text"),
        ({"external_id": "x" * 201}, "too_long", "/external_id"),
        ({"external_id": "a\nb"}, "control_character", "/external_id"),
        ({"external_id": 17}, "wrong_type", "/external_id"),
        ({"author": " "}, "empty", "/author"),
        ({"author": None}, "required", "/author"),
        ({"author": "\udc80"}, "lone_surrogate", "/author"),
        ({"revision": 0}, "out_of_range", "/revision"),
        ({"revision": "1"}, "wrong_type", "/revision"),
        ({"revision": True}, "wrong_type", "/revision"),
        ({"revision": 1.5}, "wrong_type", "/revision"),
        ({"revision": 2**31}, "out_of_range", "/revision"),
        ({"likes": -1}, "out_of_range", "/likes"),
        ({"likes": 2**63}, "out_of_range", "/likes"),
        ({"kind": "essay"}, "unknown_word", "/kind"),
        ({"kind": 3}, "wrong_type", "/kind"),
        ({"organisation": "GD/Dongguan"}, "unknown_organisation", "/organisation"),
        ({"organisation": "gd//dongguan"}, "unknown_organisation", "/organisation"),
        ({"organisation": {"path": "gd"}}, "wrong_type", "/organisation"),
        ({"created_at": "yesterday"}, "not_a_time", "/created_at"),
        ({"created_at": "2026-02-30T10:00:00+08:00"}, "not_a_time", "/created_at"),
        ({"created_at": "2026-03-01"}, "not_a_time", "/created_at"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "not_a_time", "/created_at"),
        ({"created_at": "2026-03-01T10:00:00"}, "time_without_offset", "/created_at"),
        ({"created_at": "1999-12-31T23:59:59Z"}, "time_too_old", "/created_at"),
        ({"created_at": 1_772_000_000}, "wrong_type", "/created_at"),
        ({"parent": ""}, "empty", "/parent"),
        ({"place": "x" * 121}, "too_long", "/place"),
        ({"real_name": "someone"}, "unknown_field", "/real_name"),
    ],
)
def test_a_faulty_field_is_told_by_code_and_name(now: datetime, changes: Any, code: Any, field: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        draft(fields(now, **changes), now=now)

    assert (caught.value.problem_code, caught.value.field) == (code, field)


def test_no_value_is_repeated_in_an_error(now: datetime) -> None:
    with pytest.raises(InvalidInput) as caught:
        draft(fields(now, text="秘密\x00", **{"我的秘密日记，不要看": 1}), now=now)

    assert "秘密" not in str(caught.value) + repr(caught.value.extra)


@pytest.mark.parametrize(("ahead", "taken"), [(5, True), (6, False)])
def test_clocks_may_differ_by_five_minutes_and_no_more(now: datetime, ahead: Any, taken: Any) -> None:
    sent = fields(now, created_at=(now + timedelta(minutes=ahead)).isoformat())

    if taken:
        assert draft(sent, now=now).created_at == now + timedelta(minutes=5)
    else:
        with pytest.raises(InvalidInput, match="future"):
            draft(sent, now=now)


def test_every_fault_is_listed_and_the_first_leads(now: datetime) -> None:
    with pytest.raises(InvalidInput) as caught:
        draft(fields(now, text="", likes=-1, kind="essay"), now=now)

    assert [one["field"] for one in caught.value.extra["errors"]] == ["/kind", "/text", "/likes"]
    assert caught.value.field == "/kind"


def test_what_is_not_an_object_is_refused(now: datetime) -> None:
    for value in ("text", 3, None, ["a"]):
        with pytest.raises(InvalidInput, match="must be an object"):
            draft(value, now=now)


def test_what_may_be_left_out_has_its_default(now: datetime) -> None:
    sent = fields(now)
    del sent["revision"]

    found = draft({**sent, "parent": None, "likes": None}, now=now)

    assert (found.revision, found.likes, found.parent, found.place) == (1, 0, None, None)


def test_a_text_keeps_its_characters_and_its_lines(now: datetime) -> None:
    text = "第一行\r\n第二行\t😀"

    assert draft(fields(now, text=text), now=now).text == text
