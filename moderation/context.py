"""Tell whether a post talks about harmful words rather than saying them.

Somebody who reports an insult, warns of a scam, asks whether something is lawful, answers hate or
denies having said it uses the very words. A classifier of surfaces cannot tell, so a probability alone
never holds such a post (`policy`); rules, which carry exceptions of their own, still may.

This looks at how a text is written and never at what it is about: no topic is protected by it and
none exposed.

Neighbours: `pipeline` asks it, `policy` heeds it.
"""

import re
from typing import Final

from moderation.normalise import Folded

_QUOTED: Final = re.compile(r"“[^”]{2,}”|「[^」]{2,}」|『[^』]{2,}』|\"[^\"]{2,}\"|‘[^’]{3,}’")
_REPORTS: Final = re.compile(
    r"[骂说喊叫笑吼]我|被\w{0,6}(?:骂|威胁|骗|歧视|骚扰|霸凌|欺负|诈|打|偷拍|孤立|造谣|开除|辞退|坑|拒)"
    r"|举报|投诉|截图|录音|报警|维权|反映|曝光一下|霸凌|歧视|偏见|地域黑|刻板印象|不礼貌|不尊重"
)
_WARNS: Final = re.compile(
    r"提醒|防骗|骗子|骗局|套路|别信|别上当|上当|当心|小心|警惕|千万别|不要相信|谣言|反诈|杀猪盘|抵制|反对|拒绝|不支持|不同意"
)
_ASKS: Final = re.compile(
    r"是不是(?:骗|假|违法|犯法|歧视|套路|真)|违法|犯法|判刑|坐牢|合法|真的吗|可信|靠谱吗|会不会被|请问|求助|怎么办|懂法|法律"
)
_DENIES: Final = re.compile(
    r"我(?:\w{0,2})?(?:没有?|从不|从没|绝不|绝对不|不会|不是|不觉得|不认为|可没|并没|并不)|并不是|不是说|不是所有|不代表|别误会|不要误会|别再|请不要|请别|不要再|能不能停|凭什么骂|抱歉"
)
_WORK: Final = re.compile(
    r"小说|剧本|台词|歌词|电影|剧情|论文|课上|辩论|新闻|报道|案子|案例|科普|纪录片|主角|反派|游戏|boss|副本"
)
_SIGNS: Final = (_QUOTED, _REPORTS, _WARNS, _ASKS, _DENIES, _WORK)


def talks_about_words(folded: Folded) -> bool:
    """Tell whether a post quotes, reports, warns, asks, denies or speaks of a work or the news."""
    return any(sign.search(folded.plain) for sign in _SIGNS)
