"""Take out of an example whatever leads to a person.

Reaches: links, e-mail addresses, handles and mentions, long numbers (phone, identity card, bank
card, however they are spaced or written), number plates, student numbers, dormitory and room,
names after set phrases and before titles. It would rather take out too much: an example shows
what is asked, not who asks.

Refuses: nothing; what cannot be recognised is why an officer puts an example into their own words before a
report goes up.

Neighbours: `members` redacts those words too; they stand beside the report and never in it. Pure.
"""

import re
import unicodedata
from typing import Final

DIGIT = "[0-9〇零一二三四五六七八九十幺两壹贰叁肆伍陆柒捌玖]"
GAP = r"[\s\-_.,，。·•*~/\\|()、:：=+]{0,3}"
SURNAMES: Final = (
    "欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|司徒|"
    "[赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章云苏潘葛奚范彭郎鲁韦昌马苗凤花方"
    "俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹姚邵湛汪祁毛禹狄米贝明"
    "臧计伏成戴谈宋茅庞熊纪舒屈项祝董梁杜阮蓝闵席季麻强贾路娄危江童颜郭梅盛林刁钟徐邱骆高夏蔡田樊胡凌霍虞万支柯管卢莫"
    "房裘缪干解应宗丁宣邓郁单杭洪包诸左石崔吉钮龚程嵇邢裴陆荣翁荀羊惠甄曲家封芮靳汲邴糜松井段富巫乌焦巴弓车侯宓蓬全"
    "班仰秋仲伊宫宁仇栾暴甘厉戎祖武符刘景詹束龙叶幸司韶黎薄印宿白怀蒲邰从鄂索咸籍赖卓蔺屠蒙池乔阴胥能苍双闻莘党翟谭"
    "贡劳逄姬申扶堵冉宰郦雍桑桂濮牛寿通边扈燕冀浦尚农温别庄晏柴瞿阎充慕连茹习艾鱼容向古易慎戈廖庾终居衡步都耿满弘匡国"
    "文寇广禄阙东利师巩聂晁勾敖融冷辛阚那简饶曾沙丰关相查红游竺权盖益桓公岳帅佘肖付闫涂覃]"
)
INVISIBLE: Final = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
BETWEEN: Final = r"(?:号|群|id|是|为|加|联系|[\s:=➕+,、\-])"
HANDLE: Final = r"[a-z0-9_][a-z0-9_\-.]{3,}"
AMOUNT: Final = r"(?<!\d)\d{5,6}\s*(?:元|块|人|名|万|亿|字|次)"
CLOCK: Final = rf"(?<![\d:])\d{{1,2}}:\d\d(?:\s*[-~至到]\s*\d{{1,2}}:\d\d)?(?!{GAP}{DIGIT})"
NUMBER: Final = re.compile(rf"(?P<kept>{AMOUNT}|{CLOCK})|{DIGIT}(?:{GAP}{DIGIT}){{4,}}x?", re.IGNORECASE)
WIDE: Final = str.maketrans(",?!:;", "，？！：；")
NARROW: Final = re.compile(r"(?<=[\u4e00-\u9fff】])[,?!:;]|[,?!:;](?=[\u4e00-\u9fff【])")
END: Final = r"(?=[，。！？、,.!?;:\s()【】]|$|来自|就读|是|在|今年|的|和)"
SAYS: Final = (
    r"我叫|我名叫|名字叫做?|名字是|姓名(?:是|为|[:\s])*|联系人(?:是|为|[:\s])*|"
    r"本人(?:姓名|叫|是|[:\s])*|署名(?:是|为|[:\s])*"
)
UNIT: Final = r"(?:栋|幢|号楼|号院|公寓|宿舍楼)"
LETTERED: Final = r"(?:座|舍|斋|苑|#)"
ROOM: Final = (
    rf"(?:{DIGIT}{{1,2}}\s*(?:单元|楼|层))?\s*"
    rf"(?:[a-z]?{DIGIT}{{1,4}}\s*(?:室|房间?|号房?|寝室?|宿舍|床)?)"
)

PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    (r"(?:https?|ftp)\s*:\s*/\s*/\s*\S+|www\.\S+", "【链接】"),
    (
        r"[\w.+\-]+\s*(?:@|\(at\)|\[at\]|#at#)\s*[\w\-]+(?:\s*(?:\.|点|dot)\s*[\w\-]+)+",
        "【邮箱】",
    ),
    (
        r"(?<![\w@])(?:[a-z0-9\-]+\.)+(?:com|cn|net|org|top|xyz|cc|io|me|vip|shop|club|info|site)\b[^\s，。！？]*",
        "【链接】",
    ),
    (r"@\s?[^\s@，。！？,.!?:【】]{1,30}", "【某人】"),
    (
        (
            rf"(?:微\s*信|薇\s*信|威信|卫星号|v\s*信|扣扣|企鹅号|电报|微博|抖音|小红书|快手|b站|账号|帐号|加我|"
            rf"(?<![a-z])(?:vx|wx|wechat|q\s?q|telegram|whatsapp)){BETWEEN}*{HANDLE}"
        ),
        "【账号】",
    ),
    (rf"(?<![a-z])(?:v|q|tg|line|ig|ins){BETWEEN}+{HANDLE}", "【账号】"),
    (
        r"(?:学号|工号|准考证号?|考生号|身份证号?码?|护照号?)(?:是|为|号|[\s:=])*[a-z0-9\-]{3,}",
        "【证号】",
    ),
    (
        (
            r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
            r"[a-hj-np-z][\s·.]?[a-hj-np-z0-9]{5,6}(?![a-z0-9])"
        ),
        "【车牌】",
    ),
    (rf"(?:[a-z]|[东西南北中]区?|{DIGIT}{{1,3}})\s*{UNIT}\s*{ROOM}?", "【住处】"),
    (rf"(?:[a-z]|[东西南北中]区?|{DIGIT}{{1,3}})\s*{LETTERED}\s*{ROOM}", "【住处】"),
    (
        (
            rf"(?<![\d:]){DIGIT}{{1,2}}\s*-\s*[a-z]?{DIGIT}{{3,4}}(?![\d:])"
            rf"|[a-z]?{DIGIT}{{2,4}}\s*(?:寝室|宿舍|室|房间|号房|号床|床位)(?![友外内])"
        ),
        "【住处】",
    ),
    (
        rf"(?:宿舍|寝室|房间号?|门牌号?|住在?)\s*(?:是|为|:)?\s*[a-z]?-?{DIGIT}{{3,4}}(?!\s*(?:元|人|块|年|天|月))",
        "【住处】",
    ),
    (
        rf"(?P<lead>{SAYS}|我是)(?P<name>(?:{SURNAMES})[\u4e00-\u9fff]{{1,2}}?){END}",
        r"\g<lead>【姓名】",
    ),
    (
        rf"(?P<lead>我叫|我名叫|名字叫做?|名字是|姓名\s*:)\s*[\u4e00-\u9fffa-z·]{{2,8}}?{END}",
        r"\g<lead>【姓名】",
    ),
    (
        (
            rf"(?:{SURNAMES})[\u4e00-\u9fff]{{0,2}}?"
            r"(?=同学|老师|先生|女士|小姐|教授|辅导员|主任|经理|院长|校长|师傅|医生|律师)"
        ),
        "【姓名】",
    ),
)
NAMED: Final = next(place for place, (_, name) in enumerate(PATTERNS) if name == "【住处】")
"""Rules before this place know a number by the word beside it, and go before the rule for any number."""
RULES: Final = tuple((re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in PATTERNS)


def redact(text: str) -> str:
    """Return the text in normal form with everything recognised replaced by what it was.

    Amounts (15000元) and times of day (9:00-21:00) stay: they are part of what is asked.
    """
    plain = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    for pattern, replacement in RULES[:NAMED]:
        plain = pattern.sub(replacement, plain)
    plain = NUMBER.sub(lambda found: found["kept"] or "【号码】", plain)
    for pattern, replacement in RULES[NAMED:]:
        plain = pattern.sub(replacement, plain)
    return NARROW.sub(lambda found: found[0].translate(WIDE), " ".join(plain.split()))
