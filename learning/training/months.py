"""Make months of posts out of the written matters, to fit and to judge the grouping on.

A month deals matters to boards, so that a board carries several and some matters run at two places at
once; it draws when each post came (a burst, two peaks, slowly), lets a part stand on the common board,
lets people agree in a word or two, and puts other posts among them: chat, single questions, and single
posts about a matter that nobody else voices. So two demands of one board differ by what they say alone,
and two of one matter by where and when.

Every name of a place or campus is invented or public, every author a number. The same seed gives the
same month. No suite and no data set is read.

Neighbours: `matters` reads what is written; `scripts/fit_grouping.py` fits on what is made here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from learning.training.matters import PLACE, Written

COMMON: Final = "gd"
CAMPUSES: Final = (
    ("gd/campus/qinghe", "清河"), ("gd/campus/wenshan", "文山"), ("gd/campus/beihu", "北湖"),
    ("gd/campus/hailan", "海岚"), ("gd/campus/zhulin", "竹林"), ("gd/campus/yinshan", "银山"),
)  # fmt: skip
TOWNS: Final = (
    ("gd/huizhou/huiyang", "惠阳"), ("gd/foshan/nanhai", "南海"), ("gd/zhongshan/guzhen", "古镇"),
    ("gd/shantou/chenghai", "澄海"), ("gd/jiangmen/kaiping", "开平"), ("gd/shaoguan/lechang", "乐昌"),
    ("gd/guangzhou/zengcheng", "增城"), ("gd/zhanjiang/lianjiang", "廉江"), ("gd/yangjiang/yangchun", "阳春"),
)  # fmt: skip
AGREES: Final = (
    "同问", "顶", "+1", "我也是", "有没有人管", "支持", "一样", "算我一个", "有联名的吗", "这边也这样",
    "求解决", "到底什么时候能解决", "有回复了吗", "真的受够了", "已经反映过了没用", "有群吗", "希望重视",
)  # fmt: skip
ON_COMMON_BOARD: Final = 0.22
ELSEWHERE: Final = 0.12
"""Share of local matters that run at a second place in the same month."""

AGREEING: Final = 0.06
FEWEST: Final = 4
LEAST_SAID: Final = 0.6
"""Share of a matter's texts that a month says at least, so that some demands are large."""

DAYS: Final = 30
NOISE: Final = 0.55
"""Posts of no demand for each post of one: as in life, most boards carry more chat than needs."""

SINGLES: Final = 0.3
"""Share of them that speak of a matter nobody else voices."""


@dataclass(frozen=True, slots=True)
class Made:
    """One post of a made month; `demand` is None for one of no demand."""

    key: str
    author: str
    organisation: str
    time: datetime
    text: str
    demand: str | None


def made_month(
    name: str, matters: Sequence[Written], chat: Sequence[str], others: Sequence[str], seed: int
) -> list[Made]:
    """Return the posts of one month, in the order of time.

    Parameters
    ----------
    matters
        What is voiced in this month.
    chat, others
        Texts of no demand, and texts of matters that nobody else voices.
    """
    draw = Random(seed)  # noqa: S311 - drawn with a seed on purpose; nothing here is a secret
    begun = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=31 * draw.randrange(12))
    posts: list[Made] = []
    for matter in matters:
        texts = draw.sample(matter.texts, len(matter.texts))
        homes = _homes(matter, draw)
        for number, home in enumerate(homes):
            part = texts[number :: len(homes)]
            if len(homes) == 1:
                least = max(min(FEWEST, len(part)), int(LEAST_SAID * len(part)))
                part = part[: draw.randint(least, len(part))]
            posts += _voiced(f"{name}/{matter.title}/{number}", part, home, begun, draw)
    boards = [post.organisation for post in posts]
    for number in range(int(NOISE * len(posts))):
        text = draw.choice(others if draw.random() < SINGLES else chat)
        when = begun + timedelta(days=draw.uniform(0, DAYS))
        board = draw.choice(boards)
        posts.append(
            Made(f"{name}/noise/{number}", f"{name}-n{number}", board, when, text.replace(PLACE, ""), None)
        )
    return sorted(posts, key=lambda post: (post.time, post.key))


def _homes(matter: Written, draw: Random) -> list[tuple[str, str] | None]:
    """Return the boards of a matter: one, two that are far apart, or None for one on all boards."""
    if matter.kind == "spread":
        return [None]
    boards = CAMPUSES if matter.kind == "campus" else TOWNS
    twice = len(matter.texts) >= 2 * FEWEST and draw.random() < ELSEWHERE
    return list(draw.sample(boards, 2 if twice else 1))


def _voiced(
    demand: str, texts: Sequence[str], home: tuple[str, str] | None, begun: datetime, draw: Random
) -> list[Made]:
    """Return the posts of one demand."""
    said = list(texts)
    said += [draw.choice(AGREES) for _ in texts if draw.random() < AGREEING]
    times = _times(len(said), draw)
    posts = []
    for number, (text, day) in enumerate(zip(said, times, strict=True)):
        path, name = home or draw.choice([*CAMPUSES, *TOWNS])
        common = draw.random() < (0.4 if home is None else ON_COMMON_BOARD)
        shown = text.replace(PLACE, name if home else "")
        key = f"{demand}/{number}"
        author = f"a{draw.randrange(10**7)}-{number}"
        when = begun + timedelta(days=day)
        posts.append(Made(key, author, COMMON if common else path, when, shown, demand))
    return posts


def _times(count: int, draw: Random) -> list[float]:
    """Return days in the month: a burst, two peaks, or spread over all of it."""
    pattern = draw.choice(("burst", "burst", "slow", "two_peaks"))
    if pattern == "slow":
        return [draw.uniform(0, DAYS) for _ in range(count)]
    peaks = [draw.uniform(0, 24) for _ in range(1 if pattern == "burst" else 2)]
    return [min(DAYS - 0.01, draw.choice(peaks) + draw.expovariate(0.5)) for _ in range(count)]
