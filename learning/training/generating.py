"""Make short texts of commercial harms, and their innocent twins, from grammars.

The grammars in `grammars/*.toml` are written for this project: patterns with slots, in the short
and broken manner of comments under posts. Everything in them is invented: handles and domains are
drawn letter by letter, QQ numbers begin with 0, phones with 1540000. A twin uses the words of a
harm to ask, to warn, to tell or to trade honestly, so that no word alone makes a text harmful.
Plain texts of other registers stand beside them: a formula or an encyclopaedia sells nothing.

The same seed gives the same bytes: `python -m learning.training.generating` writes the files that
ship, and a test makes them again. Nothing is read but the grammars, no data set and no suite.

Harms between people and danger to oneself have one grammar, with the cloaks of their own words; there the
twins matter most, for the same words quote, complain, joke and comfort. What is said quietly, without the
words of its kind, has a grammar of its own again: goodbyes, advertisements in a talk, threats with an if.

Neighbours: `sources` reads what is written here, as a recipe names it.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Final

import orjson

from models.errors import ConfigurationError
from models.vocabulary import Category

GRAMMARS: Final = Path(__file__).parent / "grammars"
TEXTS: Final = Path(__file__).parent / "texts"
SEED: Final = 20261121
PER_CATEGORY: Final = MappingProxyType(
    {
        Category.SPAM: 1200,
        Category.SCAM: 1200,
        Category.ILLEGAL_GOODS: 1300,
        Category.SEXUAL: 900,
        Category.MALICIOUS_LINK: 800,
    },
)
PEOPLE_PER_CATEGORY: Final = MappingProxyType(
    {
        Category.HATE: 1100,
        Category.HARASSMENT: 1000,
        Category.THREAT: 800,
        Category.SELF_HARM: 1100,
        Category.DOXXING: 600,
    },
)
VEILED_PER_CATEGORY: Final = MappingProxyType(
    {
        Category.SELF_HARM: 1300,
        Category.SPAM: 1000,
        Category.HATE: 700,
        Category.HARASSMENT: 600,
        Category.THREAT: 500,
        Category.DOXXING: 400,
        Category.SEXUAL: 400,
        Category.ILLEGAL_GOODS: 500,
        Category.SCAM: 500,
    },
)
LONGEST: Final = 80
"""Characters of the longest text that is kept: these are comments, not letters."""

SHARED, TWINS, ORDINARY = "shared", "twins", "ordinary"
PEOPLE, PEOPLE_TWINS = "people", "people_twins"
VEILED, VEILED_TWINS = "veiled", "veiled_twins"
REGISTERS: Final = ("knowledge", "sums", "instructions", "stories", "translations_and_goods")
PER_REGISTER: Final = 360
"""Plain texts of each register that is no comment at all."""

_SLOT: Final = re.compile(r"\{(\w+)\}")
_DRAWN: Final = re.compile(r"[#^]")
_STOPS: Final = re.compile("[，。]")
_LATIN: Final = re.compile(r"[A-Za-z0-9./:@]")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_DEPTH: Final = 8

# Shares of the texts. Innocents are cloaked now and then too, or a cloak alone would be a proof.
_HARMS_CLOAKED: Final = 0.35
_INNOCENTS_CLOAKED: Final = 0.06
_STOPS_DROPPED: Final = 0.3
_STOPS_SPACED: Final = 0.3
_TAILED: Final = 0.15

# How sellers write around filters. Kept to what readers still read at a glance.
_CLOAKS: Final = MappingProxyType(
    {
        "微信": ("薇信", "威❤", "V❤", "weixin", "徽信", "wx", "微.信"),
        "加": ("➕", "＋", "珈", "伽", "jia"),
        "群": ("裙", "羣", "qun", "君羊"),
        "视频": ("視頻", "sp", "视屏", "视💡", "shi频"),
        "兼职": ("兼Z", "jz", "兼🈂️", "兼値"),
        "日结": ("rj", "日洁", "曰结", "日桔", "ri结"),
        "点赞": ("点z", "点👍", "點贊", "dz"),
        "关注": ("関注", "关z", "gz", "關注"),
        "私": ("si", "厶", "思", "丝"),
        "钱": ("💰", "米", "qian", "錢"),
        "银行卡": ("银hang卡", "yhk", "银行ka", "銀行卡"),
        "贷款": ("贷kuan", "dai款", "袋款", "dk"),
        "征信": ("zx", "征x", "徵信", "正信"),
        "刷单": ("shua单", "刷d", "唰单"),
        "资源": ("zy", "资原", "資源", "滋源"),
        "福利": ("fl", "福力", "fu利", "福莉"),
        "彩金": ("cai金", "彩💰", "采金", "彩釒"),
        "首存": ("首🈷️", "首c", "首荐"),
        "六合": ("6合", "六和", "⑥合"),
        "答案": ("da案", "答⭕案", "答按"),
        "发票": ("fa票", "发嘌", "發票", "发🎫"),
        "代": ("dai", "带", "贷"),
        "外挂": ("wai挂", "外瓜", "wg"),
        "上门": ("尚门", "上men", "上🚪"),
        "裸聊": ("luo聊", "果聊", "裸l"),
        "约": ("yue", "約", "y"),
        "账号": ("zh", "帐号", "賬號", "账h"),
        "主页": ("煮页", "主頁", "zhu页", "主叶"),
        "简介": ("jj", "柬介", "簡介"),
        "佣金": ("yong金", "佣💰"),
        "电子烟": ("电z烟", "dzy", "電子煙", "电孑烟"),
        "代写": ("dai写", "代xie", "代寫"),
        "提现": ("t现", "提xian", "題现"),
        "链接": ("lian接", "鏈接", "链🔗"),
    },
)
_TAILS: Final = (
    "！", "！！", "~", "～", "。。", "…", "哦", "哈", "呀", "🔥", "💰", "👇", "😂", "🙏", "‼️", "[玫瑰]",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grammar:
    """Patterns by category or register, the slots that they name, and how tell-tale words are cloaked."""

    patterns: Mapping[str, tuple[str, ...]]
    slots: Mapping[str, tuple[str, ...]]
    cloaks: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _CLOAKS)

    def __post_init__(self) -> None:
        written = [text for group in (*self.patterns.values(), *self.slots.values()) for text in group]
        for text in written:
            for name in _SLOT.findall(text):
                if name not in self.slots:
                    raise ConfigurationError(f"a grammar names the slot {name}, which nothing fills")

    def speak(self, pattern: str, random: Random, depth: int = 0) -> str:
        """Return `pattern` with every slot filled and every # and ^ drawn."""
        if depth > _DEPTH:
            raise ConfigurationError("the slots of a grammar lead back to themselves")

        def fill(slot: re.Match[str]) -> str:
            return self.speak(random.choice(self.slots[slot.group(1)]), random, depth + 1)

        def sign(place: re.Match[str]) -> str:
            return str(random.randrange(10)) if place.group() == "#" else random.choice(_LETTERS)

        return _DRAWN.sub(sign, _SLOT.sub(fill, pattern))


@dataclass(frozen=True, slots=True)
class Made:
    """One text, its category, and whether it was written around a filter. No category: innocent."""

    text: str
    category: Category | None
    evading: bool

    def line(self) -> bytes:
        """Return the text as a line of the files that ship."""
        if self.category is None:
            return orjson.dumps({"text": self.text}) + b"\n"
        evasion = "evading" if self.evading else "plain"
        return orjson.dumps({"text": self.text, "category": self.category, "evasion": evasion}) + b"\n"


def read_grammar(name: str, folder: Path = GRAMMARS) -> Grammar:
    """Return the grammar `name` with the shared slots, its own winning.

    Raises
    ------
    ConfigurationError
        If patterns are of a category that is not on the closed list, or a slot is not filled.
    """
    shared = tomllib.loads((folder / f"{SHARED}.toml").read_text("utf-8"))
    own = tomllib.loads((folder / f"{name}.toml").read_text("utf-8"))
    slots = {key: tuple(str(value).split("|")) for key, value in {**shared["slots"], **own["slots"]}.items()}
    patterns = {key: tuple(str(value).split("\n")[:-1]) for key, value in own["patterns"].items()}
    if unknown := patterns.keys() - {*Category, *REGISTERS}:
        raise ConfigurationError(
            f"grammar {name}: neither a category nor a register: {', '.join(sorted(unknown))}"
        )
    cloaks = {key: tuple(str(value).split("|")) for key, value in own.get("cloaks", {}).items()}
    return Grammar(patterns=patterns, slots=slots, cloaks=cloaks or _CLOAKS)


def harms(seed: int) -> Iterator[Made]:
    """Yield the harmful texts, each once, in the order of the categories."""
    random = Random(seed)  # noqa: S311 - variety, not secrecy
    for category, count in PER_CATEGORY.items():
        grammar = read_grammar(category.value)
        make = partial(_harm, grammar, category, random)
        yield from _distinct(grammar.patterns[category], count, make)


def innocents(seed: int) -> Iterator[Made]:
    """Yield the innocent texts: as many twins as there are harms, then plain texts of other registers."""
    random = Random(seed)  # noqa: S311 - variety, not secrecy
    twins, ordinary = read_grammar(TWINS), read_grammar(ORDINARY)
    for category, count in PER_CATEGORY.items():
        yield from _distinct(twins.patterns[category], count, partial(_twin, twins, random))
    for register in REGISTERS:
        yield from _distinct(ordinary.patterns[register], PER_REGISTER, partial(_plain, ordinary, random))


def generated(seed: int = SEED) -> tuple[bytes, bytes]:
    """Return the two files, harms and innocents. The same seed gives the same bytes."""
    found = list(harms(seed))
    taken = {made.text for made in found}
    rest = [made for made in innocents(seed + 1) if made.text not in taken]
    return b"".join(made.line() for made in found), b"".join(made.line() for made in rest)


def people(seed: int = SEED) -> tuple[bytes, bytes]:
    """Return the two files of harms between people and their twins. The same seed gives the same bytes."""
    return _paired(PEOPLE, PEOPLE_TWINS, PEOPLE_PER_CATEGORY, seed)


def veiled(seed: int = SEED) -> tuple[bytes, bytes]:
    """Return the two files of harms said quietly and their twins. The same seed gives the same bytes."""
    return _paired(VEILED, VEILED_TWINS, VEILED_PER_CATEGORY, seed)


def _paired(name: str, twin: str, counts: Mapping[Category, int], seed: int) -> tuple[bytes, bytes]:
    random, other = Random(seed), Random(seed + 1)  # noqa: S311 - variety, not secrecy
    grammar, twins = read_grammar(name), read_grammar(twin)
    bad: list[Made] = []
    good: list[Made] = []
    for category, count in counts.items():
        bad += _distinct(grammar.patterns[category], count, partial(_harm, grammar, category, random))
        good += _distinct(twins.patterns[category], count, partial(_twin, twins, other))
    taken = {made.text for made in bad}
    rest = {made.text: made for made in good if made.text not in taken}
    return b"".join(made.line() for made in bad), b"".join(made.line() for made in rest.values())


def _distinct(patterns: tuple[str, ...], count: int, make: Callable[[str], Made]) -> Iterator[Made]:
    """Yield up to `count` texts that differ, going round the patterns so that each has its share.

    A pattern without slots is spent after a few rounds, so the number of rounds is bounded.
    """
    seen: set[str] = set()
    for place in range(20 * count):
        made = make(patterns[place % len(patterns)])
        bare = _bare(made.text)
        if bare in seen or len(made.text) > LONGEST:
            continue
        seen.add(bare)
        yield made
        if len(seen) == count:
            return


def _bare(text: str) -> str:
    """Return what tells texts apart: no stops, no tail."""
    return re.sub(r"[\W_]", "", text)


def _harm(grammar: Grammar, category: Category, random: Random, pattern: str) -> Made:
    text = grammar.speak(pattern, random)
    evading = random.random() < _HARMS_CLOAKED
    if evading:
        cloaked = _cloaked(text, random, grammar.cloaks)
        evading, text = cloaked != text, cloaked
    return Made(_roughened(text, random), category, evading)


def _twin(grammar: Grammar, random: Random, pattern: str) -> Made:
    text = grammar.speak(pattern, random)
    if random.random() < _INNOCENTS_CLOAKED:
        text = _cloaked(text, random, grammar.cloaks)
    return Made(_roughened(text, random), None, evading=False)


def _plain(grammar: Grammar, random: Random, pattern: str) -> Made:
    return Made(grammar.speak(pattern, random), None, evading=False)


def _cloaked(text: str, random: Random, cloaks: Mapping[str, tuple[str, ...]]) -> str:
    """Return `text` with one to three of its tell-tale words written another way."""
    words = [word for word in cloaks if word in text]
    random.shuffle(words)
    for word in words[: random.randint(1, 3)]:
        text = text.replace(word, random.choice(cloaks[word]), 1)
    return text


def _roughened(text: str, random: Random) -> str:
    """Return `text` with the punctuation and the ending of somebody in a hurry."""
    manner = random.random()
    if manner < _STOPS_DROPPED + _STOPS_SPACED:
        # Joined without a stop, a handle would run into the next one.
        between = "" if manner < _STOPS_DROPPED and not _LATIN.search(text) else " "
        text = _STOPS.sub(between, text)
    if random.random() < _TAILED:
        text += random.choice(_TAILS)
    return " ".join(text.split())


def write(folder: Path = TEXTS) -> None:
    """Write the files that ship."""
    for name, lines in zip(("generated_ads", "generated_benign"), generated(), strict=True):
        (folder / f"{name}.jsonl").write_bytes(lines)
    for name, lines in zip(("generated_people", "generated_people_benign"), people(), strict=True):
        (folder / f"{name}.jsonl").write_bytes(lines)
    for name, lines in zip(("generated_veiled", "generated_veiled_benign"), veiled(), strict=True):
        (folder / f"{name}.jsonl").write_bytes(lines)


if __name__ == "__main__":
    write()
