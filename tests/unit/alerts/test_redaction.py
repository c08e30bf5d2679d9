"""What an example loses, and what it keeps."""

import pytest

from alerts.redaction import redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("我叫周晓梅，食堂太贵了", "周晓梅"),
        ("我是陈建国。希望延长图书馆时间", "陈建国"),
        ("姓名：阿依古丽，来自喀什", "阿依古丽"),
        ("李老师说修不了", "李老师"),
        ("去找王辅导员没有用", "王辅导员"),
        ("打 138-0013-8000 没人接", "8000"),
        ("电话１３８００１３８０００", "００１３"),
        ("一三八零零一三八零零零可以问我", "零零一三八"),
        ("①③⑧⓪⓪①③⑧⓪⓪⓪", "⓪⓪"),
        ("座机020-87654321", "8765"),
        ("身份证44010119990101123X丢了", "1999"),
        ("卡号 6222 0212 3456 7890 123", "6222"),
        ("学号：2021-CS-0417", "0417"),
        ("加我微信 sunny_day88", "sunny"),
        ("VX：abc123456", "abc1"),
        ("QQ 1234567", "1234567"),
        ("邮箱 li.ming@stu.example.edu.cn", "li.ming"),
        ("邮箱 li.ming(at)example.com", "ming"),
        ("@热心同学 你也来说说", "热心同学"),
        ("看 https://example.com/u/123 这里", "example"),
        ("我住3栋502，没有热水", "502"),
        ("东区12号楼1单元305室漏水", "305"),
        ("A座1203的空调", "1203"),
        ("宿舍405停电", "405"),
        ("粤B12345 乱停车", "12345"),
        ("手\u200b机 1\u200b3800138000", "3800"),
    ],
)
def test_what_leads_to_a_person_is_taken_out(text: str, secret: str) -> None:
    assert secret not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "宿舍热水又停了，希望尽快修好",
        "实习工资拖了三个月，一共15000元",
        "图书馆能不能改成7:00-23:00开放？",
        "食堂一份菜涨到了18块，大家都觉得贵",
        "2026年3月起停了两次水",
        "公交末班车20:30就没了",
    ],
)
def test_what_is_asked_stays_word_for_word(text: str) -> None:
    assert redact(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    once = redact("我叫周晓梅，住3栋502，电话13800138000，微信 sunny_day88")

    assert redact(once) == once
