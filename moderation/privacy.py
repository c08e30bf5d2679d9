"""Find contacts, identity numbers, addresses and links in a post, and tell whose they are.

A number is read through its disguises (Chinese, round and full-width digits, separators), but a
number that the author calls an order, a parcel, a book or a meter is none of ours. Whose it is
comes from the words around it: one's own (加我, 我电话), a public office's (12355, 客服, 020-… 转 8),
or somebody else's (她的, 姓名：). In doubt it is nobody's: `UNKNOWN`, and a rule decides.

What is found is a kind and a place, never a value: nothing here stores or logs what it read.

Neighbours: `normalise` makes the views; `rules` asks for detectors by name.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from moderation.links import links
from moderation.normalise import BARRIERS, Folded


class Owner(StrEnum):
    """Whose data it is, as far as the words around it tell."""

    OWN = "own"
    OTHER = "other"
    OFFICE = "office"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What a detector finds."""

    PHONE = "phone"
    WECHAT = "wechat"
    QQ = "qq"
    EMAIL = "email"
    ID_CARD = "id_card"
    BANK_CARD = "bank_card"
    ADDRESS = "address"
    DIGITS_RUN = "digits_run"
    LINK = "link"
    SHORT_LINK = "short_link"
    IP_LINK = "ip_link"
    LOOKALIKE_LINK = "lookalike_link"
    FILE_LINK = "file_link"


GROUPS: Final = {
    "contact": frozenset({Kind.PHONE, Kind.WECHAT, Kind.QQ, Kind.EMAIL}),
    "personal": frozenset({Kind.ID_CARD, Kind.BANK_CARD, Kind.PHONE, Kind.ADDRESS, Kind.WECHAT, Kind.QQ}),
}
"""Names that stand for several detectors."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `start` and `end` are offsets in the plain view."""

    kind: Kind
    start: int
    end: int
    owner: Owner


_GAP: Final = r"[^\w。！？!?；;\n，,、:：]{0,3}"
_NOT_IN: Final = r"(?<![0-9a-z])"
_PHONE: Final = re.compile(rf"{_NOT_IN}1{_GAP}[3-9](?:{_GAP}\d){{9}}(?![0-9a-z]|{_GAP}?\d{{5}})")
_PHONE_TIGHT: Final = re.compile(r"(?<![0-9])1[3-9]\d{9}(?![0-9])")
_ID_CARD: Final = re.compile(rf"{_NOT_IN}\d(?:{_GAP}\d){{16}}{_GAP}[\dx](?![0-9a-z])")
_BANK: Final = re.compile(rf"{_NOT_IN}[3-6](?:{_GAP}\d){{14,18}}(?![0-9a-z])")
_DIGIT_RUN: Final = re.compile(r"(?<![0-9a-z])\d(?:[ \-]?\d){6,}(?![0-9a-z])")
_EMAIL: Final = re.compile(
    r"[a-z0-9][\w.+-]{1,40}\s?(?:@|\(at\)|\[at\])\s?[a-z0-9-]{1,40}(?:\.[a-z0-9-]{2,20})+", re.ASCII
)
_QQ: Final = re.compile(
    rf"(?:(?<![a-z])q{{1,2}}(?![a-z])|扣扣|企鹅|扣(?=\d)|[群裙])[号群裙]?\s*[:：是为]?{_GAP}(?P<value>\d(?:{_GAP}\d){{4,11}})(?!\d)"
)
_GROUP_PARTS: Final = re.compile(
    rf"(?:君{_GAP}羊)[号]?[，,]?\s*[:：是为]?{_GAP}(?P<value>\d(?:{_GAP}\d){{4,11}})(?!\d)"
)
_WECHAT: Final = re.compile(
    r"(?:微信|薇信|威信|徽信|[微薇威徽]\W?[❤♥♡💗💓💕💖]|微心"
    r"|(?<![a-z])(?:weixin|wei xin|wechat|vx|wx|v信|v)(?![a-z])|(?<=[加＋+嘉佳])[微薇威徽v](?![a-z]))"
    r"号?\s*[:：是为]?\s*(?P<value>[a-z][a-z0-9_-]{4,24})",
)
_ADDRESS: Final = re.compile(
    r"[一-鿿]{1,8}(?:小区|花园|公寓|苑|湾|村|庄|街|路|巷|弄|里|镇|大道|宿舍|寝室|号楼|栋|座|幢|门外)[一-鿿]{0,4}?\s?"
    r"[0-9a-z]{1,5}\s?(?:号楼|栋|幢|座|号|巷|弄|单元|室|房)(?:[0-9a-z]{1,5}(?:号|栋|室|房|单元|楼|床)?){0,3}"
    r"|(?:小区|花园|公寓|宿舍|寝室|苑)\s?[0-9a-z]{1,5}(?:[-—][0-9]{1,5}){0,2}"
    r"|(?<![0-9a-z])[a-z0-9]{1,3}\s?(?:栋|座|幢|号楼)\s?[0-9]{2,5}\s?(?:室|房|寝|宿舍|床)?"
    r"|(?<![0-9a-z])[0-9]{3,4}\s?(?:寝室|宿舍|床|室)"
    r"|(?:家|住)[在于址:：\s]{1,3}[一-鿿]{1,8}\s?[0-9]{1,5}\s?(?:座|栋|幢|号|单元)"
)
_UNIT: Final = re.compile(r"[号栋幢座巷弄室房]|单元")
_ANYTHING: Final = re.compile(
    r"[0-9]\W{0,3}[0-9]|@|\[at\]|\(at\)|[a-z][a-z0-9_-]{4}|[a-z0-9]\s?[.点點。\[(【（]|[0-9]\s?[号栋幢座巷弄室房单]|[栋座幢][0-9]"
)
"""Without one of these no detector finds anything: a cheap look before the dear ones."""
_ANY_BEGINS: Final = re.compile(r"[0-9a-z@\[(栋座幢]")
"""What each of these begins with: a cheaper look before that one."""

_NUMBER_OF_A_THING: Final = re.compile(
    r"(?:订单|单号|运单|快递|物流|取件|流水|编号|学号|工号|考号|准考证|考生号|isbn|issn|读数|圆周率|版本|型号|货号|序列号|条码|验证码|案号|文号|"
    r"发票|车次|航班|座位|票号|报名号|受理号|工单|yt|sf|jd|zto|sto)[^，。！？；\n]{0,8}$"
)
_OFFICE: Final = re.compile(
    r"(?:热线|客服|办公室|总台|服务台|前台|咨询电话|服务电话|举报电话|值班电话|报警|急救|援助中心|中心电话|窗口|校医院|保卫处|学生处|教务处|"
    r"辅导站|团委|社区|居委|派出所|医院|法院|劳动监察|人社局|税务|官方|官网|公众号|政务)[^，。！？；\n]{0,16}$"
)
_OFFICE_NUMBERS: Final = re.compile(
    r"(?<!\d)(?:110|119|120|122|12\d{3}|96\d{3,4}|95\d{3}|400[- ]?\d{3}[- ]?\d{4}|0\d{2,3}[- ]?\d{7,8})(?!\d)"
)
_OWN: Final = re.compile(
    r"(?:我的?|本人的?|咱的?|俺的?|楼主的?|自己的?)(?:微信|电话|手机|号码|邮箱|qq|群|v|vx|手机号|联系方式|号)"
    r"|加我|联系我|找我|私我|私信我|打我|戳我|滴我|d我|q我|扣我|发我|发到我|发简历|报名|咨询|欢迎骚扰|请打|致电|拨打|来电|加群|进群|群号|招新|联系方式|联系|加微|加v|加q|速加|有意|下单"
)
_OTHER: Final = re.compile(
    r"[他她它](?:的|们|妈|爸|家|住|电话|手机|微信|号|qq|学号|身份证|叫|在)|[他她]\w{0,6}(?:电话|手机|微信|号码|住|学号|身份证)|(?:那|这|该)(?:个?人|女的|男的|家伙|女人|男人|渣|货|老赖|贱)"
    r"|渣[男女]|老赖|小三|骗子|贱人|某某?的|[张王李刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文]"
    r"[一-鿿]{1,2}(?:[:：的]|，?(?:电话|手机|身份证|住址|家住|学号))"
    r"|曝光|人肉|开盒|轰炸|骚扰[他她]|堵[他她]|大家打|去找|算账|收拾|机主|户主|全班同学|名单|谁要用|随便用|拿去|(?:名字|姓名|名)[叫是:：]|名叫|hr叫|(?<![0-9a-z])ta的"
)
_DATE: Final = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10x98765432"
_ID_LENGTH: Final = 18
_CARD_LENGTHS: Final = range(15, 20)
_FEWEST_DIGITS: Final = 4
"""A number of fewer different digits is a toy and no card."""
_SOMETHING_DIGITS: Final = re.compile(r"\D")
_AROUND: Final = 24


def valid_identity_number(digits: str) -> bool:
    """Tell whether 18 characters are a mainland identity number: a date and the right last character.

    Source
    ------
    GB 11643-1999: ISO 7064 MOD 11-2 over 17 digits.
    """
    if len(digits) != _ID_LENGTH or not digits[:17].isdigit() or not _DATE.fullmatch(digits[6:14]):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits, strict=False))
    return _CHECKS[total % 11] == digits[17]


def valid_card_number(digits: str) -> bool:
    """Tell whether 15 to 19 digits satisfy Luhn's check.

    Source
    ------
    ISO/IEC 7812-1, annex B.
    """
    if not _CARD_LENGTHS.start <= len(digits) < _CARD_LENGTHS.stop or len(set(digits)) < _FEWEST_DIGITS:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value // 10 + value % 10
    return total % 10 == 0


def _sentence(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the bounds of the sentence that a passage stands in."""
    first = max((text.rfind(mark, 0, start) for mark in BARRIERS), default=-1) + 1
    ends = [at for mark in BARRIERS if (at := text.find(mark, end)) >= 0]
    return first, min(ends, default=len(text))


def _owner(text: str, start: int, end: int) -> Owner:
    first, last = _sentence(text, start, end)
    before, after = text[first:start], text[end:last]
    if _OFFICE_NUMBERS.fullmatch(text, start, end) or _OFFICE.search(before):
        return Owner.OFFICE
    near = before[-_AROUND:]
    if _OTHER.search(near) or _OTHER.search(after[:_AROUND]):
        return Owner.OTHER
    if _OWN.search(near) or re.match(r"[^，。]{0,6}(?:找我|联系|加我|私我|咨询)", after):
        return Owner.OWN
    if _OTHER.search(before):
        return Owner.OTHER
    if _OWN.search(before):
        return Owner.OWN
    return Owner.UNKNOWN


_Found = Iterator[tuple[Kind, int, int]]


def _phones(plain: str, digits: str) -> _Found:
    for pattern in (_PHONE_TIGHT, _PHONE):
        seen = False
        for match in pattern.finditer(digits):
            if not _NUMBER_OF_A_THING.search(plain[max(0, match.start() - 16) : match.start()]):
                seen = True
                yield Kind.PHONE, *match.span()
        if seen:
            return


def _identities(plain: str, digits: str) -> _Found:
    for match in _ID_CARD.finditer(digits):
        value = re.sub(r"[^0-9x]", "", match[0])
        named = re.search(r"身份证|证号|护照", plain[max(0, match.start() - 16) : match.end() + 8])
        if valid_identity_number(value) or (named and _DATE.fullmatch(value[6:14])):
            yield Kind.ID_CARD, *match.span()
    for match in re.finditer(r"护照\D{0,3}(?P<value>[a-z]{1,2}\d{7,8})", plain):
        yield Kind.ID_CARD, *match.span("value")


def _cards(plain: str, digits: str) -> _Found:
    for match in _BANK.finditer(digits):
        value = _SOMETHING_DIGITS.sub("", match[0])
        named = re.search(r"卡号|银行卡|账号|账户|户名", plain[max(0, match.start() - 16) : match.end() + 8])
        thing = _NUMBER_OF_A_THING.search(plain[max(0, match.start() - 16) : match.start()])
        if (
            not thing
            and not valid_identity_number(value)
            and valid_card_number(value)
            and (named or value[0] == "6")
        ):
            yield Kind.BANK_CARD, *match.span()


def _handles(plain: str, digits: str) -> _Found:
    for match in _EMAIL.finditer(plain):
        yield Kind.EMAIL, *match.span()
    for match in _WECHAT.finditer(plain):
        yield Kind.WECHAT, *match.span("value")
    for pattern in (_QQ, _GROUP_PARTS):
        for match in pattern.finditer(digits):
            yield Kind.QQ, *match.span("value")


def _runs(plain: str, digits: str) -> _Found:
    for match in _DIGIT_RUN.finditer(digits):
        if not _NUMBER_OF_A_THING.search(plain[max(0, match.start() - 16) : match.start()]):
            yield Kind.DIGITS_RUN, *match.span()


def _addresses(plain: str, digits: str) -> _Found:
    for match in _ADDRESS.finditer(digits):
        written = plain[match.start() : match.end()]
        if _UNIT.search(written) or any(character in "0123456789" for character in written):
            yield Kind.ADDRESS, *match.span()


_DETECTORS: Final[tuple[Callable[[str, str], _Found], ...]] = (
    _phones,
    _identities,
    _cards,
    _handles,
    _addresses,
    _runs,
)


def findings(folded: Folded) -> tuple[Finding, ...]:
    """Return what the detectors find, in the order of the text, each with whose it is.

    A link to a public site is not found at all.
    """
    plain, digits = folded.plain, folded.digits
    begins = _ANY_BEGINS.search(digits)
    if begins is None or _ANYTHING.search(digits, begins.start()) is None:
        return ()
    found = {(Kind(name), start, end) for name, start, end in links(folded)}
    for detector in _DETECTORS:
        found.update(detector(plain, digits))
    return tuple(
        Finding(kind, start, end, _owner(plain, start, end))
        for kind, start, end in sorted(found, key=lambda item: (item[1], item[2], item[0]))
    )


def named(name: str) -> frozenset[Kind]:
    """Return the kinds that a detector's name stands for.

    Raises
    ------
    KeyError
        If there is no detector of that name.
    """
    if name in GROUPS:
        return GROUPS[name]
    try:
        return frozenset({Kind(name)})
    except ValueError:
        raise KeyError(name) from None
