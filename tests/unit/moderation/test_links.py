import pytest

from moderation.links import links
from moderation.normalise import fold


def kinds(text: str) -> set[str]:
    return {kind for kind, _, _ in links(fold(text))}


@pytest.mark.parametrize(
    "text",
    [
        "点 http://lingqu-butie.top/a 领取",
        "点 hxxp://lingqu[.]top/a 领取",
        "打开 h t t p : / / lingqu . top / a 领",
        "浏览器输 lingqu-butie.shop 就行",
        "浏览器输 lingqu点top/get",
        "ｈｔｔｐ：／／ｌｉｎｇｑｕ．ｔｏｐ",
        "进 anything-odd.zzz/x 看",
        "打开 l i n g q u . t o p / a 领",
        "打开 h*t*t*p*:*/*/*l*i*n*g*q*u*.*t*o*p 领",
    ],
)
def test_a_link_is_found_through_its_disguise(text: str) -> None:
    assert "link" in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "投诉走 www.12315.cn",
        "成绩在 cet.neea.edu.cn 查",
        "看 https://www.csls.cdb.com.cn 的说明",
        "登录 gjzwfw.gov.cn",
        "作业是 main.py 和 report.docx",
        "均分3.14，A.B两组",
        "邮箱 someone@school.org",
        "v1.2.3 版本",
        "他说:no.OK吧",
        "打卡8.30起",
        "选 A B C D E F G H 哪个",
    ],
)
def test_public_sites_files_and_numbers_are_no_findings(text: str) -> None:
    assert kinds(text) == set()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("http://10.20.30.40:8080/x 装证书", "ip_link"),
        ("http://dwz.cn/abc 看", "short_link"),
        ("http://12306-tuipiao.top 退票", "lookalike_link"),
        ("http://chsi-com-cn.top/renzheng", "lookalike_link"),
        ("http://www.alipay.com.pay-safe.top/x", "lookalike_link"),
        ("рortаl-xuefei.shop 返还入口", "lookalike_link"),
        ("http://anything.top/plugin.exe", "file_link"),
    ],
)
def test_what_is_suspicious_about_a_link_is_said(text: str, kind: str) -> None:
    assert kind in kinds(text)


def test_a_name_inside_another_word_is_no_lookalike() -> None:
    assert "lookalike_link" not in kinds("http://education-club.top/x")


def test_an_address_without_scheme_port_or_path_is_a_version_number() -> None:
    assert kinds("升级到 10.2.30.4 了") == set()
