"""Tell whether a post talks about harmful words rather than saying them.

Somebody who reports an insult, warns of a scam, asks whether something is lawful, answers hate,
denies having said it or argues against a generalisation uses the very words. A classifier of
surfaces cannot tell, so a probability alone never holds such a post (`policy`); rules, which carry
exceptions of their own, still may.

This looks at how a text is written and never at what it is about: no topic is protected by it and
none exposed.

Neighbours: `pipeline` asks it, `policy` heeds it.
"""

import re
from typing import Final

from moderation.finder import Finder
from moderation.normalise import Folded
from moderation.required import required_words

_QUOTED: Final = re.compile(r"“[^”]{2,}”|「[^」]{2,}」|『[^』]{2,}』|\"[^\"]{2,}\"|‘[^’]{3,}’")
_REPORTS: Final = re.compile(
    r"[骂说喊叫笑吼]我|被\w{0,6}(?:骂|威胁|骗|歧视|骚扰|霸凌|欺负|诈|打|偷拍|孤立|造谣|开除|辞退|坑|拒)"
    r"|(?<![敢再])举报(?!我|者|人姓|人住|到他|到她)|投诉|截图(?!给|发|附|贴|乐|在|账)|录音|(?<![敢许])报警(?!也|没用)|维权|反映|曝光一下|霸凌|歧视|偏见|地域黑|刻板印象|不礼貌|不尊重"
)
_WARNS: Final = re.compile(
    r"提醒|防骗|骗子|骗局|套路|别信|别上当|上当|当心|警惕|(?:大家|各位|同学们?|姐妹们?|朋友们|家人们|一定|务必|都要|请|得)小心"
    r"|小心(?:[，,！]|被|骗|诈|上当|陷阱|这|有人|冒充|翼翼)|千万别|不要相信|谣言|反诈|杀猪盘|抵制|反对|拒绝|不支持|不同意"
)
_ASKS: Final = re.compile(
    r"是不是(?:骗|假|违法|犯法|歧视|套路|真)|违法|犯法|判刑|坐牢|合法|真的吗|可信|靠谱吗|会不会被|请问|求助|怎么办|懂法|法律"
)
_DENIES: Final = re.compile(
    r"我(?:\w{0,2})?没有?(?:骂|说|要|想|打|卖|骗|针对|歧视|恶意|威胁|看不起|别的|那个|这个|觉得|收|做|干|参与|作弊|用|买|吸|碰|抄|偷)"
    r"|我(?:\w{0,2})?(?:从不|从没|绝不|绝对不|不会(?!放过|手软|客气|让你|害你)|不是(?!人)|不觉得|不认为|可没|并没|并不)|并不是|不是说|不是所有|不代表|别误会|不要误会|别再|请不要|请别|不要再|能不能停|凭什么骂|抱歉"
)
_WORK: Final = re.compile(
    r"小说|剧本|台词|歌词|电影|剧情|课上|辩论|新闻|报道|案子|案例|科普|纪录片|主角|反派|boss|副本"
    r"|^(?!.*(?:代写|代做|枪手|包过|查重)).*论文|^(?!.*(?:充值|返利|代练|陪玩|账号|外挂)).*游戏"
)
_ARGUES: Final = re.compile(
    r"[这的]逻辑|地图炮|难道|怎么就|这个说法|这种说法|重男轻女|男女平等|洗地|等同于|一个道理|黑女性|黑东北|看不起(?:外地|农村|女性)"
    r"|不对劲|感觉不对|有点慌|帮忙看看|核实"
)


class _AnyOf:
    """Patterns of which one is enough, each tried only where one of its required words stands."""

    def __init__(self, *patterns: re.Pattern[str]) -> None:
        self._always: set[re.Pattern[str]] = set()
        by_word: dict[str, set[re.Pattern[str]]] = {}
        for pattern in patterns:
            words = required_words(pattern.pattern)
            if words is None:
                self._always.add(pattern)
            for word in words or ():
                by_word.setdefault(word, set()).add(pattern)
        self._by_word = list(by_word.values())
        self._words = Finder(list(by_word))

    def found(self, text: str) -> bool:
        """Tell whether one of the patterns stands in a text."""
        words = self._words.indexes(text)
        if not words and not self._always:
            return False
        possible = self._always.union(*[self._by_word[word] for word in words])
        return any(pattern.search(text) for pattern in possible)


_SIGNS: Final = _AnyOf(_QUOTED, _REPORTS, _WARNS, _ASKS, _DENIES, _WORK, _ARGUES)

_LITTLE: Final = 9
"""Letters, digits and Chinese characters under which a classifier has too little to go by. Of 3,000 lines of
open small talk it took 39 for insults at 0.5, and 29 of these were shorter."""

_GATHERS: Final = _AnyOf(
    re.compile(
        r"招新|互勉|失主|失物|捡到|拾到|寻物|寻人|走失|集合(?!店)|徒步|夜跑|拼车|组队|队长|领养|公益|支教|志愿者|义卖|读书会|互助|合租|找室友"
        r"|搭子|缺[一两二三四几1-5]|校友|免费[，,的]|非中介|答疑|社团|合唱|排练|跳蚤市场|书市|勤工助学"
        r"|(?:办公室|派出所|户籍|窗口|服务大厅|服务台|值班室|校医院|教务处|保卫处|街道办|居委会|政务中心|行政中心|资助中心)\w{0,16}(?:电话|上班|可打|预约|拨打)"
        r"|(?<!\d)0\d{2,3}-\d{7,8}(?!\d)"
    )
)
_SELLS: Final = re.compile(
    r"优惠|打折|[一二三四五六七八九半]折|特价|批发|代理|包邮|下单|橱窗|加盟|厂家|工作室|接单|会员|课程|试听|秒[到发杀]|返现|返佣|佣金|日结"
)


def talks_about_words(folded: Folded) -> bool:
    """Tell whether a post quotes, reports, warns, asks, denies or speaks of a work or the news."""
    return _SIGNS.found(folded.plain)


def gathers(folded: Folded) -> bool:
    """Tell whether a post gathers people, gives away, looks for what was lost or says where an office is.

    It sells nothing and tells of nobody; it gives a contact as those do who do, and a classifier of
    surfaces takes it for one of theirs.
    """
    return _GATHERS.found(folded.plain) and not _SELLS.search(folded.plain)


def says_little(folded: Folded) -> bool:
    """Tell whether a post has so few characters that no surface of it can be judged alone."""
    plain = folded.plain
    if len(plain) >= _LITTLE and plain[:_LITTLE].isalnum():
        return False
    return sum(map(str.isalnum, plain)) < _LITTLE
