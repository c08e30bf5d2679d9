"""Find the place that a post names, and which one it is.

A post says 番禺 or 东莞厚街 or 湖心校区. The gazetteer holds the divisions of the country down to
the street, under their official and their short names, and the names of the organisation tree.
Where a short name fits several divisions, the organisation that the post stands under decides;
where it is an ordinary word too (光明, 高明, 白云), it counts only beside a word that shows a place.

It refuses to guess: a name of another province without its suffix, or a street of another city, is
no place. It reads only what the post says, never where its author is.

Neighbours: `pipeline` asks it for every post; `scripts/compile_places.py` makes its table.
"""

import functools
import gzip
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ahocorasick_rs

from models.organisation import ancestors, is_under

TABLE: Final = Path(__file__).parent / "tables" / "divisions.tsv.gz"
HOME_PROVINCE: Final = "广东省"

PROVINCE, CITY, AREA, STREET = range(4)
SHORTEST: Final = 2
"""Characters that a name must have to be looked for."""

_SUFFIXES: Final = (
    ("特别行政区", "维吾尔自治区", "壮族自治区", "回族自治区", "自治区", "省", "市"),
    ("自治州", "地区", "林区", "盟", "市"),
    ("自治县", "自治旗", "新区", "矿区", "林区", "区", "县", "市", "旗"),
    ("街道办事处", "街道", "民族乡", "镇", "乡"),
)
_PEOPLES: Final = re.compile(
    "(?:壮族|瑶族|土家族|苗族|侗族|布依族|彝族|傣族|哈尼族|藏族|羌族|回族|朝鲜族|蒙古族?|哈萨克|柯尔克孜|"
    "白族|傈僳族|景颇族|满族|黎族|畲族|仡佬族|水族|纳西族|拉祜族|佤族|布朗族|毛南族|仫佬族|各族)+$"
)

_NOT_BEFORE: Final = (
    *("路", "大道", "街道办", "大街", "大学", "学院", "中学", "职院", "时间", "话", "腔", "菜", "拉面"),
    *("小吃", "小面", "米粉", "牛丸", "鸭", "鸡饭", "粥", "热干面", "烤鸭", "装", "式", "牌", "酒", "快车"),
    *("站", "塔", "号", "证券", "银行"),
)
"""What makes another word of the name before it: 中山大学, 北京时间, 广东话."""

_SHOWS_PLACE_AFTER: Final = re.compile(
    "这边|那边|这里|那里|这段|这条|这个|这家|这间|这几|本地|附近|哪里|哪个|哪儿|市区|城区|老城|新城|的(?:工|网友|同学|朋友)|"
    "校区|工业|园区|站|口岸|一带|北|南|东|西|有没|有哪|回|到|去|往"
)
_SHOWS_PLACE_BEFORE: Final = re.compile("(?:在|来|去|到|住|从|回|坐标|位于|老家|人在|往|离)$")

_CAMPUS: Final = re.compile(
    r"(?:^|(?<=[，。！？、；：,.!?\s])|(?<=我们)|(?<=[在到去从是同]))([\u4e00-\u9fff]{2}(?:校区|职院))"
)
_NO_CAMPUS: Final = re.compile(
    "^(?:我们|你们|他们|两个|一个|这个|那个|哪个|各个|整个|主|新|老|本|旧|东|西|南|北|外|隔壁|全|什么|多)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A place that a text names: where in the text, what it is officially, and what it lies in.

    `start` and `end` are offsets in the original text. `path` goes from the widest down and ends
    with `name`; it is the name alone for a campus.
    """

    start: int
    end: int
    name: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Meaning:
    """One division, or node of the tree, that a name may stand for."""

    path: tuple[str, ...]
    level: int
    whole: bool
    common: bool
    organisation: str | None = None


def short_name(name: str, level: int) -> str:
    """Return what people call the division: 番禺区 is 番禺. A name of one character stays whole."""
    for suffix in _SUFFIXES[level]:
        if name.endswith(suffix):
            short = name.removesuffix(suffix)
            short = short if level == PROVINCE else _PEOPLES.sub("", short)
            return short if len(short) >= SHORTEST else name
    return name


@dataclass(frozen=True)
class Gazetteer:
    """Names and what they may mean. Immutable; safe to use from any thread."""

    meanings: Mapping[str, Sequence[_Meaning]]
    regions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    home: str = HOME_PROVINCE
    _matcher: Any = field(init=False, repr=False)
    _names: Sequence[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        names = list(self.meanings)
        object.__setattr__(self, "_names", names)
        object.__setattr__(
            self,
            "_matcher",
            ahocorasick_rs.AhoCorasick(names, matchkind=ahocorasick_rs.MatchKind.LeftmostLongest),
        )

    def find(self, text: str, organisation: str | None = None) -> Place | None:
        """Return the first place that `text` names, or None.

        Names that follow one another and lie in one another (东莞厚街) are one place.

        Parameters
        ----------
        text
            The original text.
        organisation
            The path in the tree under which the post stands; it tells names apart.
        """
        region = self._region(organisation)
        found: Place | None = None
        for start, end, name in self._matches(text):
            if found is not None and start != found.end:
                break
            meaning = self._meant(text, (start, end), name, region, found)
            if meaning is not None:
                first = start if found is None else found.start
                found = Place(first, end, meaning.path[-1], meaning.path)
        return found or _campus(text)

    def _matches(self, text: str) -> Iterator[tuple[int, int, str]]:
        for index, start, end in self._matcher.find_matches_as_indexes(text):
            yield start, end, self._names[index]

    def _region(self, organisation: str | None) -> tuple[str, ...]:
        """Return the divisions that the organisation lies in, from the province down."""
        for path in ancestors(organisation) if organisation else ():
            if path in self.regions:
                return self.regions[path]
        return (self.home,)

    def _meant(
        self, text: str, span: tuple[int, int], name: str, region: tuple[str, ...], before: Place | None
    ) -> _Meaning | None:
        """Return which meaning of `name` this text has in mind, if it has a place in mind."""
        start, end = span
        possible = self.meanings[name]
        if before is not None:
            depth = len(before.path)
            inside = [meaning for meaning in possible if meaning.path[:depth] == before.path]
            return max(inside, key=lambda meaning: -meaning.level, default=None)
        own = [meaning for meaning in possible if meaning.organisation]
        if own:
            return own[0]
        if text.startswith(_NOT_BEFORE, end):
            return None
        shown = bool(_SHOWS_PLACE_AFTER.match(text, end)) or bool(
            _SHOWS_PLACE_BEFORE.search(text[max(0, start - 3) : start])
        )
        fitting = [meaning for meaning in possible if _fits(meaning, region, first=start == 0, shown=shown)]
        return max(fitting, key=lambda meaning: (_shared(meaning.path, region), -meaning.level), default=None)


def _shared(path: Sequence[str], region: Sequence[str]) -> int:
    """Return how many divisions two paths share from the top."""
    count = 0
    for left, right in zip(path, region, strict=False):
        if left != right:
            break
        count += 1
    return count


def _fits(meaning: _Meaning, region: tuple[str, ...], *, first: bool, shown: bool) -> bool:
    """Return whether a post under `region` may mean this when it says no more than the name.

    `first` tells that the name opens the text, `shown` that a word beside it shows a place.
    """
    near = _shared(meaning.path, region)
    own = near > 1
    if meaning.whole and meaning.level > CITY:
        # 东区, 城区 and 郊区 are official names too, and every town has one.
        return own or (len(meaning.path[-1]) > SHORTEST and (meaning.level == AREA or near > 0))
    if meaning.level <= CITY:
        return near > 0 or shown or not meaning.common
    if near == 0:
        return False
    if meaning.level == AREA:
        return own or shown or not meaning.common
    # A street of another town (热水镇, 平台镇, 车站街道) is never meant by an ordinary word.
    return (own and (shown or not meaning.common)) or (not meaning.common and (first or shown))


def _campus(text: str) -> Place | None:
    """Return a campus that the text names in the usual way (湖心校区), known or not."""
    for match in _CAMPUS.finditer(text):
        name = match.group(1)
        if not _NO_CAMPUS.match(name):
            return Place(match.start(1), match.end(1), name, (name,))
    return None


@functools.cache
def _divisions() -> dict[str, tuple[_Meaning, ...]]:
    """Return the meanings of every official and short name in the shipped table."""
    meanings: dict[str, list[_Meaning]] = {}
    with gzip.open(TABLE, "rt", encoding="utf-8") as lines:
        for line in lines:
            level, path, common = line.rstrip("\n").split("\t")
            divisions = tuple(path.split("/"))
            short = short_name(divisions[-1], int(level))
            for name in {divisions[-1], short}:
                if len(name) >= SHORTEST:
                    whole = name == divisions[-1]
                    meaning = _Meaning(divisions, int(level), whole, common == "1")
                    meanings.setdefault(name, []).append(meaning)
    return {name: tuple(found) for name, found in meanings.items()}


@functools.lru_cache(maxsize=8)
def _gazetteer(nodes: tuple[tuple[str, str, tuple[str, ...]], ...], home: str) -> Gazetteer:
    meanings: dict[str, tuple[_Meaning, ...]] = dict(_divisions())
    regions: dict[str, tuple[str, ...]] = {}
    for path, name, names in sorted(nodes):
        region = next((regions[above] for above in ancestors(path)[1:] if above in regions), (home,))
        known = [
            meaning
            for called in (name, *names)
            for meaning in _divisions().get(called, ())
            if _shared(meaning.path, region) == len(region) or meaning.level == PROVINCE
        ]
        if known:
            regions[path] = min(known, key=lambda meaning: len(meaning.path)).path
            continue
        for called in (name, *names):
            if len(called) >= SHORTEST:
                meanings[called] = (_Meaning((*region, name), AREA, True, False, organisation=path),)
    return Gazetteer(meanings, regions, home)


def load_gazetteer(
    organisations: Iterable[tuple[str, str, Sequence[str]]] = (), *, home: str = HOME_PROVINCE
) -> Gazetteer:
    """Return the gazetteer over the divisions and the nodes (path, name, other names) of a tree.

    A node that bears the name of a division is that division; another, such as a campus, is a
    place of its own.
    """
    return _gazetteer(tuple((path, name, tuple(names)) for path, name, names in organisations), home)


def common_place(places: Sequence[str | None], organisations: Sequence[str]) -> str | None:
    """Return the place that most of a demand's posts name, or None if they agree on none.

    As coarse as the group needs: a place is given only if at least three posts and half of those
    that name any name this one, or if nobody names another under one organisation.
    """
    named = [place for place in places if place]
    if not named:
        return None
    best = max(sorted(set(named)), key=named.count)
    together = any(all(is_under(other, path) for other in organisations) for path in organisations[:1])
    enough = named.count(best) >= 3 or together  # noqa: PLR2004 - three people are no coincidence
    return best if enough and 2 * named.count(best) >= len(named) else None
