"""The official form, field by field."""

import pytest

from alerts.forms import COLLECTIVE_DEMAND, checked, sheet
from models.errors import InvalidInput
from models.vocabulary import CaseKind

KIND = CaseKind.COLLECTIVE_DEMAND


def test_the_form_has_every_official_field_in_the_official_order() -> None:
    assert [field.words.zh for field in COLLECTIVE_DEMAND] == [
        "行文日期",
        "反映诉求的青年群体",
        "统计时段",
        "主题帖数",
        "青年群体所在地",
        "诉求主题",
        "诉求详情及开发运维组拟办意见",
        "综合协调组意见",
        "办理结果反馈",
        "团省委领导批示",
    ]
    assert all(field.words.en for field in COLLECTIVE_DEMAND)


def test_the_printed_form_has_its_title_and_footer() -> None:
    shown = sheet(KIND, {"demand": "宿舍热水"})

    assert shown.title.zh == "集中诉求办理表"
    assert shown.footer.zh == "请退回综合协调组存档。"
    assert [line.value for line in shown.lines if line.key == "demand"] == ["宿舍热水"]


@pytest.mark.parametrize(
    ("values", "code", "where"),
    [
        ({"author": "x"}, "unknown_field", "/fields/author"),
        ({"demand": "x" * 201}, "too_long", "/fields/demand"),
        ({"demand": 5}, "wrong_type", "/fields/demand"),
        ({"demand": "a\x00b"}, "control_character", "/fields/demand"),
    ],
)
def test_a_wrong_field_is_named(values: dict[str, object], code: str, where: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(KIND, values)

    assert (refused.value.problem_code, refused.value.field) == (code, where)


def test_fields_that_are_left_out_are_empty() -> None:
    assert set(checked(KIND, {}).values()) == {""}
