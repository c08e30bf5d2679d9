"""Say what is conspicuous in how posts come, and not in what one of them says.

Three kinds of rule look beyond the single post: the same text again and again by one author, copies
of one text by many authors, and very many posts of one author within an hour. They ask for a
person's look at most (`signal` or `hold`), and only as spam.

What no rule file can change is here (charter, 2). Copies by many authors count only among posts that
sell: an advertisement, a link or a contact beside words of trade, or a link that hides where it goes.
Many people who say the same thing without one are a demand. A repetition or a rate without such a
sign may signal: then the classifier's lower band counts, and two such signals together hold nothing.
A post that quotes, reports or warns sells nothing.

It keeps no profile: a sighting is a keyed hash of the author, a keyed fingerprint of the text, a time
and whether the post sells; it is forgotten after a day at most. Nothing here knows a text or a person.

The module is pure: times come with the posts.

Neighbours: `sightings` keeps what was seen, `intake` asks, `rulebook` reads the rules, `policy` decides.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from models.errors import CharterViolation
from models.vocabulary import Category
from moderation.context import talks_about_words
from moderation.normalise import Folded
from moderation.privacy import Kind, Owner, findings

if TYPE_CHECKING:
    from moderation.rules import Hit

LONGEST: Final = timedelta(hours=24)
"""No rule looks further back, so nothing is remembered longer."""

SHORTEST: Final = timedelta(hours=1)
MOST: Final = 100
"""No rule waits for more posts than this, so no more of one author are remembered from any hour."""

_LETTERS: Final = 12
"""Letters. What is shorter is said alike by everybody ("谢谢楼主", "同问") and has no fingerprint."""

_HASHES: Final = 8
_FEW_PAIRS: Final = 20_000
_ALIKE: Final = 6
"""Of eight hashes that must agree in near-duplicates: about nine pairs of letters in ten are shared."""

_BANDS: Final = 4
_NOT_LETTERS: Final = re.compile(r"[\W_\d]+")


class BehaviourKind(StrEnum):
    """What a rule on behaviour counts."""

    REPETITION = "repetition"
    WAVE = "wave"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How many posts of which kind within which time are conspicuous.

    Parameters
    ----------
    kind
        What is counted: near-duplicates of one author, near-duplicates of several, or all of one author.
    at_least
        From so many posts on, this one included. Range: 3 to `MOST`.
    within
        The time in which they came. Range: `SHORTEST` to `LONGEST`.
    authors
        From so many different authors on; for a wave only. At least 3.
    selling
        Whether only posts that sell count. Always so for a wave.
    """

    kind: BehaviourKind
    at_least: int
    within: timedelta
    authors: int = 1
    selling: bool = False

    def __post_init__(self) -> None:
        if not 3 <= self.at_least <= MOST:  # noqa: PLR2004 - the range is told in the message
            raise ValueError(f"a rule on behaviour counts from 3 to {MOST} posts")
        if not SHORTEST <= self.within <= LONGEST:
            raise ValueError("a rule on behaviour looks back between an hour and a day")
        if self.kind is BehaviourKind.WAVE:
            if not self.selling:
                raise CharterViolation(
                    "many people who say the same thing are a demand: a wave counts only posts that sell"
                )
            if not 3 <= self.authors <= self.at_least:  # noqa: PLR2004 - as above
                raise ValueError("a wave has at least 3 authors, and no more than posts")
        elif self.authors != 1:
            raise ValueError("only a wave has several authors")


@dataclass(frozen=True, slots=True)
class Sighting:
    """That somebody posted something at some time: keyed hashes, and whether it sells.

    `copy` is the fingerprint of the text, or None where the text is too short to have one.
    """

    author: int
    copy: int | None
    at: datetime
    selling: bool


def _signed(digest: bytes) -> int:
    return int.from_bytes(digest, "big", signed=True)


def author_key(author: str, salt: bytes) -> int:
    """Return what stands for an author in the memory: 64 bits, signed. Not the hash that posts carry."""
    return _signed(hashlib.blake2b(author.encode(), digest_size=8, key=salt[:64], person=b"author").digest())


def copy_keys(copy: int, salt: bytes) -> list[int]:
    """Return the keys under which near-duplicates find each other: they share at least one, as a rule.

    With nine pairs of letters in ten shared, 99.7 in 100 near-duplicates do; with eight in ten, 98 in 100.
    """
    written = copy.to_bytes(_HASHES, "big", signed=True)
    width = _HASHES // _BANDS
    return [
        _signed(
            hashlib.blake2b(
                bytes([band]) + written[band * width : (band + 1) * width],
                digest_size=8,
                key=salt[:64],
                person=b"copy",
            ).digest()
        )
        for band in range(_BANDS)
    ]


def alike(one: int | None, other: int | None) -> bool:
    """Tell whether two fingerprints are those of near-duplicates."""
    if one is None or other is None:
        return False
    return one == other or (one ^ other).to_bytes(_HASHES, "big", signed=True).count(0) >= _ALIKE


def fingerprints(folded: Sequence[Folded], salt: bytes) -> list[int | None]:
    """Return a fingerprint of each text: the low bytes of eight minimal hashes over its pairs of letters.

    Parameters
    ----------
    folded
        The texts. Only letters count, as the joined view shows them: no sign, picture, digit or blank.
    salt
        What keys the hashes. Under another salt no fingerprint equals another.

    Returns
    -------
    list of int or None
        64 bits, signed; None for a text of fewer than twelve letters. The same text and salt give the
        same fingerprint whatever else is asked for.

    Source
    ------
    Broder (1997), On the resemblance and containment of documents; Li and König (2010), b-bit minwise
    hashing, WWW 2010.
    """
    letters = [_NOT_LETTERS.sub("", text.joined) for text in folded]
    result: list[int | None] = [None] * len(letters)
    long = [place for place, text in enumerate(letters) if len(text) >= _LETTERS]
    if not long:
        return result
    codes = np.frombuffer("".join(letters[place] for place in long).encode("utf-32-le"), dtype=np.uint32)
    lengths = np.array([len(letters[place]) for place in long])
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    pairs = (codes[:-1].astype(np.uint64) << np.uint64(32)) | codes[1:]
    # A pair that reaches into the next text takes the value of the pair before it, and so changes nothing.
    crossing = starts[1:] - 1
    pairs[crossing] = pairs[crossing - 1]
    # All hashes in one table where that is small, else one after another.
    at_once = _HASHES if len(pairs) <= _FEW_PAIRS else 1
    constants = _constants(salt[:64])
    minima = [
        _minima(pairs, constants[begin : begin + at_once], starts) for begin in range(0, _HASHES, at_once)
    ]
    for place, row in zip(long, np.concatenate(minima).T, strict=True):
        result[place] = _signed(row.tobytes())
    return result


@lru_cache(maxsize=8)
def _constants(salt: bytes) -> npt.NDArray[np.uint64]:
    drawn = hashlib.blake2b(b"minhash", digest_size=8 * _HASHES, key=salt).digest()
    return np.frombuffer(drawn, dtype=np.uint64)[:, None]


def _minima(
    pairs: npt.NDArray[np.uint64], constants: npt.NDArray[np.uint64], starts: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint8]:
    """Return the low byte of the least hash of each text, for each constant. Shape (constants, texts)."""
    mixed = pairs ^ constants
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return np.minimum.reduceat(mixed, starts, axis=1).astype(np.uint8)


_TRADES: Final = frozenset({Category.SPAM, Category.SCAM, Category.ILLEGAL_GOODS, Category.SEXUAL})
_CONTACTS: Final = frozenset({Kind.PHONE, Kind.WECHAT, Kind.QQ, Kind.EMAIL, Kind.LINK})
_HIDING: Final = frozenset({Kind.SHORT_LINK, Kind.IP_LINK, Kind.LOOKALIKE_LINK, Kind.FILE_LINK})


def sells(folded: Folded, hits: Iterable["Hit"]) -> bool:
    """Tell whether a post carries a sign of trade.

    It does if a rule on advertising, fraud or forbidden trade acts on it; if a link or somebody's contact
    stands beside words of trade; or if a link hides where it goes. A public office's number is nobody's
    contact. A post that talks about such words (a warning, a report, a question) has no sign by itself.
    """
    trading = [hit for hit in hits if hit.rule.category in _TRADES]
    if any(hit.rule.action != "signal" for hit in trading):
        return True
    if talks_about_words(folded):
        return False
    kinds = {finding.kind for finding in findings(folded) if finding.owner is not Owner.OFFICE}
    return bool(kinds & _HIDING) or bool(trading and kinds & _CONTACTS)


def is_conspicuous(behaviour: Behaviour, post: Sighting, seen: Iterable[Sighting]) -> bool:
    """Tell whether a post, after what was seen before it, is what a rule on behaviour looks for.

    `seen` may hold anything; only what came within the rule's time before the post counts, and for a
    wave, whatever the rule says, only what sells.
    """
    if behaviour.selling and not post.selling:
        return False
    begins = post.at - behaviour.within
    before = [
        other for other in seen if begins < other.at <= post.at and (other.selling or not behaviour.selling)
    ]
    if behaviour.kind is BehaviourKind.WAVE:
        if not post.selling:
            return False
        copies = [other for other in before if other.selling and alike(other.copy, post.copy)]
        authors = {post.author, *(other.author for other in copies)}
        return len(copies) + 1 >= behaviour.at_least and len(authors) >= behaviour.authors
    own = [other for other in before if other.author == post.author]
    if behaviour.kind is BehaviourKind.REPETITION:
        own = [other for other in own if alike(other.copy, post.copy)]
    return len(own) + 1 >= behaviour.at_least


class Memory:
    """What was seen lately, by key; grows by the posts of the batch in hand."""

    def __init__(self, salt: bytes, seen: Mapping[int, list[Sighting]] | None = None) -> None:
        self._salt = salt
        self._seen: dict[int, list[Sighting]] = dict(seen or {})

    def keys(self, post: Sighting) -> list[int]:
        """Return the keys under which a post is remembered: its author's, and its copies' if it sells."""
        if not post.selling or post.copy is None:
            return [post.author]
        return [post.author, *copy_keys(post.copy, self._salt)]

    def near(self, post: Sighting) -> list[Sighting]:
        """Return what is remembered under any key of a post, each sighting once."""
        found: dict[int, Sighting] = {}
        for key in self.keys(post):
            found.update((id(other), other) for other in self._seen.get(key, ()))
        return list(found.values())

    def add(self, post: Sighting) -> bool:
        """Remember a post; tell whether it is worth keeping: not if its author's last hour is full."""
        own = self._seen.get(post.author, [])
        is_full = len(own) >= MOST and own[-MOST].at > post.at - SHORTEST
        for key in self.keys(post):
            remembered = self._seen.setdefault(key, [])
            remembered.append(post)
            if len(remembered) > 2 * MOST:
                del remembered[:-MOST]
        return not is_full
