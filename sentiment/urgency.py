"""How much do the words of a post say that it cannot wait? Pure.

Counted from what is said and nothing else: danger to health, something cut off, a term that runs out,
somebody who waits in need now. It is kept per post, for the heat of a demand. It refuses to read a
feeling: an angry post is not an urgent one.

Neighbours: `reading` keeps the figure with the reading; `demand/heat` means it over a demand.
"""

import re
from typing import Final

DANGER: Final = re.compile(
    r"晕倒|中毒|食物中毒|着火|起火|漏电|触电|煤气|塌|坠落|受伤|流血|急救|住院|危险|安全隐患|窒息|中暑|冻伤|发烧|腹泻"
)
CUT_OFF: Final = re.compile(
    r"停水|停电|断水|断电|断网|没水|没电|停暖|停气|进不去|出不来|没地方住|被赶|欠薪|拖欠|不发工资|没饭吃"
)
RUNS_OUT: Final = re.compile(
    r"(?:还有|只剩|剩下|不到)[一二两三四五六七1-7]天|(?:今天|今晚|明天|后天|本周|这周|月底).{0,6}(?:截止|到期|之前|前|过期)"
    r"|最后[一1]天|来不及了|马上(?:就)?要"
)
CALLS: Final = re.compile(r"紧急|急急|十万火急|加急|急需|急求|在线等|尽快|立刻|马上|救命|求救|快来人|火速")
WEIGHTS: Final = ((DANGER, 0.5), (CUT_OFF, 0.35), (RUNS_OUT, 0.35), (CALLS, 0.25))


def urgency(text: str) -> float:
    """Return the urgency of a text, in [0, 1]: what each kind of cue weighs, once, summed and cut at 1.

    Deterministic; an empty text gives 0.
    """
    return min(1.0, sum(weight for cue, weight in WEIGHTS if cue.search(text)))
