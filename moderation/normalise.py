"""Fold a text into views in which a disguise falls away, and keep the way back to the original.

Each view is a string whose every character knows the span of the author's own characters that it
came from. So a hit in any view can be shown in the post as it was written.

- plain: compatibility forms, case, traditional characters and look-alike letters folded; invisible
  marks removed. Simplified text in ordinary punctuation passes unchanged.
- squeezed: what was inserted between characters is removed. A sentence end is never removed, nor a
  space or picture between two longer stretches of text, so that no hit spans two sentences.
- joined: squeezed, with split characters put together (力口 → 加), disguised names of the one
  messenger folded (v信 → 微信) and characters repeated three times or more written once.
- drawn: squeezed, with pictures that stand for characters read as those (🔪 → 刀).
- pinyin: one symbol for each syllable, so that homophones and Latin pinyin look the same.
- digits: plain, character for character, with Chinese and round digits as ASCII digits.

The module is pure and refuses nothing: every string of code points folds. Views cost nothing until
they are asked for, and the ways back nothing until a hit needs them.

Neighbours: `lexicon` and `privacy` search the views; `tables/` holds the data and its licences.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Final

import numpy as np
from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind


class ViewName(StrEnum):
    """The views that a rule may ask for; `initials` is a form of the term and not of the text."""

    PLAIN = "plain"
    SQUEEZED = "squeezed"
    JOINED = "joined"
    DRAWN = "drawn"
    PINYIN = "pinyin"
    INITIALS = "initials"


BARRIERS: Final = "。！？!?；;\n"
"""What ends a sentence for a reader. No view removes one of these."""

_COMMAS: Final = "，,、:：…“”\"'‘’「」『』《》()（）【】[]"
_KEPT: Final = frozenset("，！？；：（）…")
"""Punctuation of plain Chinese that NFKC would turn into its Latin cousin."""

_DROPPED_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_COMBINING: Final = (
    range(0x300, 0x370),
    range(0x20D0, 0x2100),
    range(0xFE00, 0xFE10),
    range(0xE0100, 0xE01F0),
)
_AS_WRITTEN: Final = {
    **dict.fromkeys("\u115f\u1160\u3164\uffa0\u2800\u034f\u180e", ""),
    **dict.fromkeys("\n\u2028\u2029\x0b\x0c\x85", "\n"),
    "\t": " ",
    **{mark: mark for mark in _KEPT},
}
"""Blanks that are letters to Unicode, ends of lines, and punctuation that stays."""

_PARTS: Final = dict(
    zip(
        "⺅⺡⺘⺾⺮⻌⻏⻖⺨⺙⺉⺊⺗⺌⺍⺕⺝⺼⻊⻋⻐⻗⻙⻜⻢⻥⻦⻩⻰氺飠釒糹訁",
        "亻氵扌艹竹辶阝阝犭攵刂卜忄小小彐月月足车钅雨韦飞马鱼鸟黄龙水饣钅纟讠",
        strict=True,
    )
)

PICTURES: Final = dict(
    zip(
        "🔪🗡🐴🐎🐔🐓🐶🐕🐷🐖🐢💊🌿🍃💰💵🏠🚗🔫💣🚬📱☎📞🧊❄🔞🐥🐱🐮🐂🐑🐟🐦🌸🔥💧🌙👂✋👄👣💩🍵🍺🚢⚽👻🌳⭐📖⚡☁🌧🚪🐒🐍🐰🐲🐯🐭🍬🍚🥚🥩🍉🦐👊💉",
        "刀刀马马鸡鸡狗狗猪猪龟药草叶钱钱房车枪弹烟机电电冰雪黄鸭猫牛牛羊鱼鸟花火水月耳手嘴脚屎茶酒船球鬼树星书电云雨门猴蛇兔龙虎鼠糖饭蛋肉瓜虾拳针",
        strict=True,
    )
)
"""Pictures that are written for a character, and the character."""
_HEARTS: Final = "❤♥💗💓💕💖💙💚💛💜🧡🖤🤍💘💝🩷♡"

_TABLES: Final = resources.files("moderation") / "tables"
_STORED: Final = 200_000
_STRETCH: Final = 4


def table_rows(name: str) -> list[str]:
    """Return the lines of a shipped table; `tables/README.md` says what a line of each is."""
    return (_TABLES / name).read_text(encoding="utf-8").splitlines()


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Return ordinary words of two to four characters."""
    return frozenset(gzip.decompress((_TABLES / "words.txt.gz").read_bytes()).decode().split("\n"))


class _PlainTable(dict[int, str]):
    """What each code point folds to, worked out when it is first met.

    A character folds to the same whatever stands beside it, so that folding is idempotent and the
    way back is a matter of lengths.
    """

    def __init__(self) -> None:
        super().__init__()
        self._singles: dict[str, str] = dict(_PARTS)
        for row in table_rows("confusables.txt"):
            target, _, alike = row.partition(" ")
            self._singles.update(dict.fromkeys(alike, target))
        for row in table_rows("traditional.txt"):
            self._singles[row[0]] = row[1]

    def __missing__(self, code: int) -> str:
        folded = self._fold(chr(code))
        if len(self) < _STORED:
            self[code] = folded
        return folded

    def _fold(self, text: str) -> str:
        for _ in range(4):
            before, text = text, "".join(self._step(character) for character in text)
            if text == before:
                break
        return text

    def _step(self, character: str) -> str:
        if character in _AS_WRITTEN:
            return _AS_WRITTEN[character]
        code = ord(character)
        marks = any(code in marks for marks in _COMBINING)
        if marks or unicodedata.category(character) in _DROPPED_CATEGORIES:
            return ""
        single = self._singles.get(character)
        if single is not None:
            return single
        digit = unicodedata.digit(character, None)
        if digit is not None:
            return str(digit)
        return unicodedata.normalize("NFKC", character).casefold()


_PLAIN: Final = _PlainTable()


def _usual() -> Iterator[str]:
    """Give the characters that most posts consist of and that fold to themselves."""
    for code in (*range(0x20, 0x7F), *range(0x3000, 0x3020), *range(0x4E00, 0x9FA6), *range(0xFF00, 0xFF60)):
        character = chr(code)
        if (code < 0x7F or character.encode("gb2312", "ignore")) and _PLAIN[code] == character:  # noqa: PLR2004
            yield character
    yield "\n"


_TO_FOLD: Final = re.compile(f"[^{re.escape(''.join(_usual()))}]")
"""What may fold to something else. Nine posts in ten have none of it, and looking is cheap."""

# Both begin with one set of characters, so that the engine finds at once where they may begin.
_SOFT: Final = re.compile(
    rf"[\W_](?<![{re.escape(BARRIERS + _COMMAS)}])(?:[^\w{re.escape(BARRIERS + _COMMAS)}]|_)*+"
)
_FOUR: Final = re.compile(r"[^\W_]{4}")
_NEVER_APART: Final = frozenset("*_^·•")
"""Marks that nobody puts between two sentences or two words."""
_BEFORE_ONE: Final = re.compile(rf"[{re.escape(_COMMAS)}][{re.escape(_COMMAS)}]*+(?=[^\W_](?![^\W_]))")
_MAYBE_DRAWN: Final = re.compile("[\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff]")
_DRAWN: Final = re.compile(f"[{''.join(PICTURES)}]")
_STAND_TABLE: Final = str.maketrans(PICTURES)
_BETWEEN: Final = rf"[^\w{re.escape(BARRIERS)}]?"
_HEART: Final = re.compile(rf"[微薇威徽v]{_BETWEEN}[{_HEARTS}]")
_MESSENGER_BEGINS: Final = re.compile("[vw薇徽微]")
_MESSENGER: Final = re.compile(
    rf"(?:(?<![a-z])(?:v{_BETWEEN}x|w{_BETWEEN}x|v信|v芯|wei{_BETWEEN}信|wei{_BETWEEN}xin|wechat)"
    r"|薇信|徽信|微芯|微心|微xin)(?![a-z])"
)
_MAYBE_REPEATED: Final = re.compile(r"(.)\1\1", re.DOTALL)
_REPEATED: Final = re.compile(r"([^\W\d_a-z])\1{2,}")
_WITH_H: Final = re.compile("^([zcs])h")
_LATIN: Final = re.compile(r"[a-z]+")

_DIGITS: Final = str.maketrans(
    "〇零一二三四五六七八九壹贰叁肆伍陆柒捌玖幺○◯⭕",
    "001234567891234567891000",
)


def _plainest() -> Iterator[str]:
    """Give the characters beside which no view differs from another, split and repeated ones apart."""
    for character in _usual():
        letter = character.isalnum() and not _MESSENGER_BEGINS.match(character)
        if (letter or character in BARRIERS) and character not in PICTURES:
            yield character


_ODD: Final = re.compile(
    rf"[^{re.escape(''.join(_plainest()))}](?:(?<![{re.escape(_COMMAS)}])|(?=[^\W_](?![^\W_])))"
)
"""What may make the plain, squeezed and drawn views differ from the text: any other character, and a comma
before a single letter. Three posts in four have none of it, and one look tells."""

_MAYBE_DIGIT: Final = re.compile(f"[{''.join(map(chr, _DIGITS))}]")


class _Layer:
    """A view made from another by cutting and replacing passages.

    `edits` are (start, end, replacement) in the coordinates of the view below, in order and apart.
    A replaced passage is one whole: each of its new characters has the span of all of it.
    """

    __slots__ = ("_bounds", "below", "edits", "text")

    def __init__(self, text: str, below: "_Layer | None", edits: Sequence[tuple[int, int, str]] = ()) -> None:
        self.text = text
        self.below = below
        self.edits = edits
        self._bounds: tuple[list[int], list[int]] | None = None

    @property
    def bounds(self) -> tuple[list[int], list[int]]:
        """Starts and ends in the original of each character of this view."""
        if self._bounds is None:
            self._bounds = self._find_bounds()
        return self._bounds

    def _find_bounds(self) -> tuple[list[int], list[int]]:
        below = self.below
        if below is None:
            raise NotImplementedError
        under_starts, under_ends = below.bounds
        starts: list[int] = []
        ends: list[int] = []
        at = 0
        for start, end, replacement in self.edits:
            starts += under_starts[at:start]
            ends += under_ends[at:start]
            if replacement:
                starts += [under_starts[start]] * len(replacement)
                ends += [under_ends[end - 1]] * len(replacement)
            at = end
        starts += under_starts[at:]
        ends += under_ends[at:]
        return starts, ends


class _Plain(_Layer):
    __slots__ = ("original",)

    def __init__(self, original: str, text: str) -> None:
        self.text = text
        self.below = None
        self.edits = ()
        self._bounds = None
        self.original = original

    def _find_bounds(self) -> tuple[list[int], list[int]]:
        """As above, from the length that each character folds to."""
        if self.text == self.original:
            return list(range(len(self.text))), list(range(1, len(self.text) + 1))
        starts: list[int] = []
        ends: list[int] = []
        for index, character in enumerate(self.original):
            length = len(_PLAIN[ord(character)])
            starts += [index] * length
            ends += [index + 1] * length
        return starts, ends


def _edited(layer: _Layer, edits: list[tuple[int, int, str]]) -> _Layer:
    if not edits:
        return layer
    pieces: list[str] = []
    at = 0
    for start, end, replacement in edits:
        pieces += (layer.text[at:start], replacement)
        at = end
    pieces.append(layer.text[at:])
    return _Layer("".join(pieces), layer, edits)


def _soft_runs(text: str) -> list[tuple[int, int, str]]:
    """Return what stands between characters, but not what may stand between two longer stretches of text."""
    found: list[tuple[int, int, str]] = []
    for match in _SOFT.finditer(text):
        start, end = match.span()
        if (
            start < _STRETCH
            or not _FOUR.match(text, start - _STRETCH)
            or not _FOUR.match(text, end)
            or _NEVER_APART.issuperset(match[0])
        ):
            found.append((start, end, ""))
    return found


def _lone_commas(text: str) -> list[tuple[int, int, str]]:
    """Return commas and the like that stand between two single characters."""
    return [
        (start, end, "")
        for start, end in map(re.Match.span, _BEFORE_ONE.finditer(text))
        if start and text[start - 1].isalnum() and (start == 1 or not text[start - 2].isalnum())
    ]


def _squeeze(layer: _Layer) -> _Layer:
    layer = _edited(layer, _soft_runs(layer.text))
    return _edited(layer, _lone_commas(layer.text))


class _Joins:
    """Pairs of parts that make a character, found in one pass."""

    def __init__(self) -> None:
        rows = table_rows("joins.txt")
        self.made = [row[2] for row in rows]
        # Over bytes, because the places are asked only of the few texts that have any.
        self.automaton = BytesAhoCorasick(
            [row[:2].encode() for row in rows],
            matchkind=MatchKind.LeftmostFirst,
            implementation=Implementation.DFA,
        )

    def stand_in(self, text: str) -> bool:
        """Tell whether there is anything to write for a pair of parts in the text."""
        return bool(self.automaton.find_matches_as_indexes(text.encode()))

    def edits(self, text: str) -> list[tuple[int, int, str]]:
        """Return what to write for each pair of parts in the text."""
        written = text.encode()
        found: list[tuple[int, int, str]] = []
        at = passed = 0
        for index, start, _ in self.automaton.find_matches_as_indexes(written):
            at += len(written[passed:start].decode())
            passed = start
            found.append((at, at + 2, self.made[index]))
        return found


def _as_in_the_south(syllable: str) -> str:
    """Return a syllable without the h of zh, ch and sh, which many speakers and most evaders drop.

    The commonest word of all (是) stays apart from the gravest (死).
    """
    return syllable if syllable == "shi" else _WITH_H.sub(r"\1", syllable)


class _Syllables:
    """Syllables as one symbol each, from a private area of the code."""

    BASE: Final = 0xE000

    def __init__(self) -> None:
        rows = [row.split(" ") for row in table_rows("syllables.txt")]
        own = {syllable: chr(self.BASE + index) for index, (syllable, _) in enumerate(rows)}
        self.symbols = {
            syllable: own.get(_as_in_the_south(syllable), symbol) for syllable, symbol in own.items()
        }
        # Of two bytes each, as are the characters: one step for a whole text, and small enough for the cache.
        self.table = np.arange(0x10000, dtype=np.uint16)
        for syllable, characters in rows:
            self.table[[ord(character) for character in characters]] = ord(self.symbols[syllable])
        self.written = {syllable: characters[0] for syllable, characters in rows}
        self.initials = {
            ord(character): syllable[0] for syllable, characters in rows for character in characters
        }

    def of(self, text: str) -> str:
        """Return a text with a symbol in the place of each character that has a syllable."""
        written = np.frombuffer(text.encode("utf-16-le", "surrogatepass"), dtype=np.uint16)
        return self.table.take(written).tobytes().decode("utf-16-le", "surrogatepass")

    def split(self, letters: str) -> list[str] | None:
        """Return the syllables of a run of letters, or None where it has letters left over."""
        reached: list[tuple[int, int] | None] = [None] * (len(letters) + 1)
        reached[0] = (0, 0)
        for end in range(1, len(letters) + 1):
            for start in range(max(0, end - 6), end):
                before = reached[start]
                if before is not None and letters[start:end] in self.symbols:
                    count = before[0] + 1
                    known = reached[end]
                    if known is None or count < known[0]:
                        reached[end] = (count, start)
        if reached[-1] is None:
            return None
        syllables: list[str] = []
        end = len(letters)
        while end:
            step = reached[end]
            if step is None:
                return None
            syllables.append(letters[step[1] : end])
            end = step[1]
        return syllables[::-1]


@lru_cache(maxsize=1)
def _joins() -> _Joins:
    return _Joins()


@lru_cache(maxsize=1)
def _syllables() -> _Syllables:
    return _Syllables()


_LONGEST_LATIN: Final = 40


def _with_messenger(layer: _Layer) -> _Layer:
    """Return a layer in which the one messenger has its own name, whatever it was called."""
    if _MESSENGER_BEGINS.search(layer.text) is None:
        return layer
    layer = _edited(layer, [(match.start() + 1, match.end(), "信") for match in _HEART.finditer(layer.text)])
    return _edited(layer, [(start, end, "微信") for start, end in _messengers(layer.text)])


def _messengers(text: str) -> Iterator[tuple[int, int]]:
    """Give the places of the messenger's other names: tried only where one of them may begin."""
    at = 0
    while (begins := _MESSENGER_BEGINS.search(text, at)) is not None:
        match = _MESSENGER.match(text, begins.start())
        if match is None:
            at = begins.end()
        else:
            yield match.span()
            at = match.end()


def _with_written_sounds(layer: _Layer) -> _Layer:
    """Return a layer in which syllables in Latin letters are characters that sound so."""
    syllables = _syllables()
    edits: list[tuple[int, int, str]] = []
    for match in _LATIN.finditer(layer.text):
        start, end = match.span()
        found = syllables.split(match[0]) if end - start <= _LONGEST_LATIN else None
        for syllable in found or ():
            edits.append((start, start + len(syllable), syllables.written[syllable]))
            start += len(syllable)
    return _edited(layer, edits)


class Folded:
    """One text and its views. Equal texts fold equally; nothing here is shared between texts.

    `plain` is the plain view; the others are worked out when they are asked for.
    """

    __slots__ = (
        "_digits_",
        "_drawn_",
        "_is_even",
        "_joined_",
        "_pinyin_",
        "_plain_",
        "_squeezed_",
        "_surface_",
        "original",
        "plain",
    )

    def __init__(self, original: str) -> None:
        self.original = original
        self._is_even = _ODD.search(original) is None
        if self._is_even or _TO_FOLD.search(original) is None:
            self.plain = original
        else:
            self.plain = original.translate(_PLAIN)
        self._plain_: _Layer | None = None
        self._squeezed_: _Layer | None = None
        self._joined_: _Layer | None = None
        self._drawn_: _Layer | None = None
        self._pinyin_: _Layer | None = None
        self._digits_: str | None = None
        self._surface_: tuple[str, str, str, str] | None = None

    @property
    def _plain(self) -> _Layer:
        if self._plain_ is None:
            self._plain_ = _Plain(self.original, self.plain)
        return self._plain_

    @property
    def _squeezed(self) -> _Layer:
        if self._squeezed_ is None:
            self._squeezed_ = self._plain if self._is_even else _squeeze(self._plain)
        return self._squeezed_

    @property
    def _joined(self) -> _Layer:
        if self._joined_ is None and self._surface_ is not None and self._surface_[2] is self.plain:
            self._joined_ = self._plain
        if self._joined_ is None:
            layer = self._plain
            if not self._is_even:
                layer = _with_messenger(layer)
                layer = self._squeezed if layer is self._plain else _squeeze(layer)
            layer = _edited(layer, _joins().edits(layer.text))
            if _MAYBE_REPEATED.search(layer.text):
                repeated = [(*match.span(), match[1]) for match in _REPEATED.finditer(layer.text)]
                layer = _edited(layer, repeated)
            self._joined_ = layer
        return self._joined_

    @property
    def _drawn(self) -> _Layer:
        if self._drawn_ is None:
            layer = self._plain
            if not self._is_even and _MAYBE_DRAWN.search(layer.text):
                found = [(*match.span(), PICTURES[match[0]]) for match in _DRAWN.finditer(layer.text)]
                layer = _edited(layer, found)
            self._drawn_ = self._squeezed if layer is self._plain else _squeeze(layer)
        return self._drawn_

    @property
    def _pinyin(self) -> _Layer:
        if self._pinyin_ is None:
            layer = _with_written_sounds(self._plain)
            layer = self._joined if layer is self._plain else _squeeze(layer)
            self._pinyin_ = _Layer(_syllables().of(layer.text), layer)
        return self._pinyin_

    @property
    def surface(self) -> tuple[str, str, str, str]:
        """The plain, squeezed, joined and drawn views. What a view shares with another is one string."""
        surface = self._surface_
        if surface is None:
            plain = self.plain
            if not self._is_even:
                surface = plain, self._squeezed.text, self._joined.text, self._drawn.text
            elif _joins().stand_in(plain) or _MAYBE_REPEATED.search(plain):
                surface = plain, plain, self._joined.text, plain
            else:
                surface = plain, plain, plain, plain
            self._surface_ = surface
        return surface

    @property
    def squeezed(self) -> str:
        """The view without what was inserted between characters."""
        return self.surface[1]

    @property
    def joined(self) -> str:
        """The view with split characters put together."""
        return self.surface[2]

    @property
    def drawn(self) -> str:
        """The view with pictures read as characters."""
        return self.surface[3]

    @property
    def pinyin(self) -> str:
        """The view of syllables: one symbol of a private area for each."""
        return self._pinyin.text

    @property
    def digits(self) -> str:
        """The plain view with every digit in ASCII, character for character."""
        if self._digits_ is None:
            plain = self.plain
            self._digits_ = plain.translate(_DIGITS) if _MAYBE_DIGIT.search(plain) else plain
        return self._digits_

    def text(self, view: ViewName) -> str:
        """Return the text of a view; initials are looked for in the plain view."""
        return self._layer(view).text

    def span(self, view: ViewName, start: int, end: int) -> tuple[int, int]:
        """Return the span in the original of the characters from `start` to before `end` of a view.

        Unit: code points. Start is inclusive and end exclusive, in both coordinates.
        """
        if not 0 <= start < end:
            raise ValueError(f"need 0 <= start < end, got {start} and {end}")
        starts, ends = self._layer(view).bounds
        return starts[start], ends[end - 1]

    def read_from(self, start: int, end: int) -> str:
        """Return what a passage of the pinyin view was read from, as far as the text goes."""
        layer = self._pinyin.below or self._plain
        return layer.text[max(0, start) : end]

    def heard(self, start: int, end: int) -> tuple[str, bool]:
        """Return what a passage of the pinyin view was read from, and whether it was in Latin letters."""
        written = self.read_from(start, end)
        if self._pinyin.below is self._joined:
            return written, False
        first, last = self.span(ViewName.PINYIN, start, end)
        return written, any(mark.isascii() and mark.isalpha() for mark in self.original[first:last])

    def spans(self, view: ViewName) -> Iterator[tuple[int, int]]:
        """Give the span in the original of each character of a view, in order."""
        return zip(*self._layer(view).bounds, strict=True)

    def _layer(self, view: ViewName) -> _Layer:
        layer: _Layer = getattr(self, f"_{view}") if view is not ViewName.INITIALS else self._plain
        return layer


def fold(text: str) -> Folded:
    """Fold a text; views are worked out when they are asked for."""
    return Folded(text)


def syllables_of(term: str) -> str:
    """Return a term as the pinyin view would show it."""
    return fold(term).pinyin


def initials_of(term: str) -> str:
    """Return the first letters of the syllables of a term; letters and digits stay."""
    initials = _syllables().initials
    return "".join(initials.get(ord(character), character) for character in fold(term).squeezed)


def sentence_bounds(text: str) -> list[int]:
    """Return where sentences end: the offsets of barriers in a text, in order."""
    return [match.start() for match in _BARRIER.finditer(text)]


_BARRIER: Final = re.compile(f"[{re.escape(BARRIERS)}]+")
