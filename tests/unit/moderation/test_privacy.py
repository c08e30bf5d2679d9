import pytest

from moderation.normalise import ViewName, fold
from moderation.privacy import Kind, Owner, findings, named, valid_card_number, valid_identity_number


def kinds(text: str) -> set[Kind]:
    return {finding.kind for finding in findings(fold(text))} - {Kind.DIGITS_RUN}


def owner_of(text: str, kind: Kind = Kind.PHONE) -> set[Owner]:
    return {finding.owner for finding in findings(fold(text)) if finding.kind is kind}


@pytest.mark.parametrize(
    "written",
    [
        "15412345678",
        "154 1234 5678",
        "154-1234-5678",
        "１５４１２３４５６７８",
        "一五四一二三四五六七八",
        "①⑤④①②③④⑤⑥⑦⑧",
        "1*5*4*1*2*3*4*5*6*7*8",
        "壹伍肆1234伍陆柒8",
    ],
)
def test_a_phone_number_is_read_through_its_disguise(written: str) -> None:
    assert Kind.PHONE in kinds(f"有事打 {written} 找小吴")


@pytest.mark.parametrize(
    "text",
    [
        "订单号15412345678还没发货",
        "快递单号YT15412345678901",
        "准考证号 154123456789012",
        "圆周率3.14159265358979323846",
        "ISBN 978-7-1541-2345-6 哪里有二手",
        "电表读数 0015412345678",
        "他2019年毕业，月薪5000到8000",
        "比分15:20，第3节",
        "明天8:30在二楼集合",
    ],
)
def test_numbers_of_things_are_no_contacts(text: str) -> None:
    assert kinds(text) & {Kind.PHONE, Kind.ID_CARD, Kind.BANK_CARD, Kind.QQ} == set()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("加微信 abc_12345 聊", Kind.WECHAT),
        ("加V：shop888x", Kind.WECHAT),
        ("jia wei xin: demo_777", Kind.WECHAT),
        ("扣扣 12345678 进", Kind.QQ),
        ("Q群：998877665", Kind.QQ),
        ("力口君羊 998877665", Kind.QQ),
        ("写信到 someone@mail.example.org", Kind.EMAIL),
        ("家住白云路12号3栋", Kind.ADDRESS),
        ("她在B座507", Kind.ADDRESS),
        ("住址：河东村十二巷八号", Kind.ADDRESS),
    ],
)
def test_contacts_and_addresses_are_found(text: str, kind: Kind) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text", ["B站更新了第12集", "路过的3个人都笑了", "地铁3号线挤死了", "我住校三年了", "镇上有一家好店"]
)
def test_ordinary_talk_has_no_address(text: str) -> None:
    assert Kind.ADDRESS not in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "有问题加我微信 club_2026",
        "找不到的打我电话 15412345678",
        "捡到猫请打 15412345678",
        "报名联系 15412345678",
    ],
)
def test_the_authors_own_contact_is_known_as_such(text: str) -> None:
    assert owner_of(text) | owner_of(text, Kind.WECHAT) == {Owner.OWN}


@pytest.mark.parametrize(
    "text",
    [
        "她的手机号是15412345678",
        "渣男电话15412345678，大家打",
        "王某某：15412345678，去找他",
        "曝光这个人15412345678",
    ],
)
def test_somebody_elses_contact_is_known_as_such(text: str) -> None:
    assert owner_of(text) == {Owner.OTHER}


@pytest.mark.parametrize(
    "text", ["校医院总台 020-12345678 转 3", "客服热线 4001234567", "服务台电话 15412345678"]
)
def test_a_public_office_is_known_as_such(text: str) -> None:
    assert {finding.owner for finding in findings(fold(text))} <= {Owner.OFFICE}


def test_an_identity_number_needs_its_check_character() -> None:
    assert valid_identity_number("11010519491231002x")
    assert not valid_identity_number("110105194912310021")
    assert not valid_identity_number("110105194913310021")
    assert Kind.ID_CARD in kinds("号码11010519491231002X给你")
    assert Kind.ID_CARD not in kinds("流水110105194912310029给你")


def test_a_card_number_needs_its_check_digit() -> None:
    assert valid_card_number("6222021234567894") is (sum_of_luhn("6222021234567894") % 10 == 0)
    assert not valid_card_number("0000000000000000")
    assert Kind.BANK_CARD in kinds("打到卡号 4539148803436467 就行")
    assert Kind.BANK_CARD not in kinds("打到卡号 4539148803436468 就行")


def sum_of_luhn(digits: str) -> int:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value // 10 + value % 10 for value in doubled)


def test_a_finding_leads_back_to_the_original() -> None:
    text = "电话 一五四 1234 5678 找他"
    folded = fold(text)
    (phone,) = (finding for finding in findings(folded) if finding.kind is Kind.PHONE)

    first, last = folded.span(ViewName.PLAIN, phone.start, phone.end)

    assert text[first:last] == "一五四 1234 5678"


def test_detectors_have_names_and_groups() -> None:
    assert named("phone") == {Kind.PHONE}
    assert Kind.QQ in named("contact")
    with pytest.raises(KeyError):
        named("opinion")
