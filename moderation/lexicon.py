"""Find every term of the rulebook in a post, in one pass over each view.

A term is looked for in the views that its rule names. A match at an edge of Latin letters or of
digits counts only at the edge of the word or number, so that "sb" is not found in "usb". A match
by sound counts only where it is a disguise: not where the term itself stands there, not where
what stands there is a word of its own, and for a term of two characters only if one of them is
kept and the other is no part of a word beside it, or the text is in Latin letters.

Neighbours: `normalise` makes the views, `rules` says which matches make a hit.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from moderation.finder import Finder
from moderation.normalise import Folded, ViewName, fold, initials_of, syllables_of, words

SURFACE: Final = (ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED, ViewName.DRAWN)
_IN_PLAIN: Final = frozenset(SURFACE) | {ViewName.INITIALS}
_IN_SQUEEZED: Final = frozenset(SURFACE[1:]) | {ViewName.INITIALS}
_IN_JOINED: Final = frozenset({ViewName.JOINED})
_IN_DRAWN: Final = frozenset({ViewName.DRAWN})
_SHORTEST_INITIALS: Final = 3
_SHORTEST_SOUND: Final = 2
_SAID_ALIKE: Final = str.maketrans("她它牠妳祢作地得哪嘛", "他他他你你做的的那吗")
"""Characters that whoever types mistakes for one another, without any disguise."""


@dataclass(frozen=True, slots=True)
class Term:
    """A term and the views it is looked for in."""

    text: str
    views: frozenset[ViewName]


Place = tuple[ViewName, int, int]
"""A view, and where in it something starts and ends."""


class Match(NamedTuple):
    """A term found in a view; `start` and `end` are offsets in that view."""

    term: int
    view: ViewName
    start: int
    end: int


def _latin(character: str) -> bool:
    return "a" <= character <= "z"


def _digit(character: str) -> bool:
    return "0" <= character <= "9"


def _cuttable(form: str) -> bool:
    """Tell whether a form begins or ends with a letter or digit that could be part of a longer one."""
    return any(_latin(edge) or _digit(edge) for edge in (form[0], form[-1]))


def _at_edges(text: str, start: int, end: int) -> bool:
    """Tell whether a match does not cut a Latin word or a number in two."""
    for inside, outside in ((start, start - 1), (end - 1, end)):
        if not 0 <= outside < len(text):
            continue
        for kind in (_latin, _digit):
            if kind(text[inside]) and kind(text[outside]):
                return False
    return True


class Lexicon:
    """Terms compiled into one automaton for what is written and one for what is heard.

    Parameters
    ----------
    terms
        What to look for; a match names a term by its place here.
    """

    def __init__(self, terms: Iterable[Term]) -> None:
        self.terms = tuple(terms)
        written: dict[str, dict[int, set[ViewName]]] = defaultdict(lambda: defaultdict(set))
        heard: dict[str, set[int]] = defaultdict(set)
        for index, term in enumerate(self.terms):
            folded = fold(term.text)
            surface = term.views.intersection(SURFACE)
            if ViewName.SQUEEZED in surface:
                surface |= {ViewName.DRAWN}
            for form in {folded.plain, folded.squeezed} if surface else ():
                if form:
                    written[form][index].update(surface)
            if ViewName.INITIALS in term.views:
                initials = initials_of(term.text)
                if len(initials) >= _SHORTEST_INITIALS and initials.isascii() and initials.isalpha():
                    written[initials][index].add(ViewName.INITIALS)
            if ViewName.PINYIN in term.views:
                sounds = syllables_of(term.text)
                if len(sounds) >= _SHORTEST_SOUND and not any(_latin(character) for character in sounds):
                    heard[sounds].add(index)
        self._cuttable = [_cuttable(form) for form in written]
        # What counts is known beforehand for each kind of search, because a post has many matches.
        self._written = {
            counts_for: [
                tuple(term for term, views in found.items() if not views.isdisjoint(counts_for))
                for found in written.values()
            ]
            for counts_for in (_IN_PLAIN, _IN_SQUEEZED, _IN_JOINED, _IN_DRAWN)
        }
        self._heard = [tuple(sorted(found)) for found in heard.values()]
        self._writing = Finder(list(written))
        self._hearing = Finder(list(heard))
        self._plain_forms = [fold(term.text).squeezed for term in self.terms]
        self._words = words()

    def find(self, folded: Folded) -> Iterator[Match]:
        """Give every match in every view. The same passage may match in several views."""
        for term, places in self.places(folded).items():
            for place in places:
                yield Match(term, *place)

    def places(self, folded: Folded) -> dict[int, list[Place]]:
        """Return where each term that is found stands: the view, and start and end in it."""
        found: dict[int, list[Place]] = {}
        if self._writing:
            # A view that says the same as one before it needs no second search: a match counts for both.
            plain, squeezed, joined, drawn = folded.surface
            self._write(plain, ViewName.PLAIN, _IN_PLAIN, found)
            if squeezed is not plain:
                self._write(squeezed, ViewName.SQUEEZED, _IN_SQUEEZED, found)
            if joined is not squeezed:
                self._write(joined, ViewName.JOINED, _IN_JOINED, found)
            if drawn is not squeezed:
                self._write(drawn, ViewName.DRAWN, _IN_DRAWN, found)
        if self._hearing:
            for term, view, start, end in self._sounds(folded):
                found.setdefault(term, []).append((view, start, end))
        return found

    def _write(
        self, text: str, view: ViewName, counts_for: frozenset[ViewName], found: dict[int, list[Place]]
    ) -> None:
        """Add the terms that are written in a text to what was found."""
        matches = self._writing.find(text)
        if not matches:
            return
        written, cuttable = self._written[counts_for], self._cuttable
        for pattern, start, end in matches:
            terms = written[pattern]
            if not terms or (cuttable[pattern] and not _at_edges(text, start, end)):
                continue
            place = (view, start, end)
            for term in terms:
                if term in found:
                    found[term].append(place)
                else:
                    found[term] = [place]

    def _sounds(self, folded: Folded) -> Iterator[Match]:
        for pattern, start, end in self._hearing.find(folded.pinyin):
            surface, latin = folded.heard(start, end)
            for term in self._heard[pattern]:
                if latin or self._is_disguise(surface, self._plain_forms[term], folded, start, end):
                    yield Match(term, ViewName.PINYIN, start, end)

    def _is_disguise(self, surface: str, term: str, folded: Folded, start: int, end: int) -> bool:
        """Tell whether what sounds like a term stands for it.

        It does not where it is the term, a word of its own, or the term with a like pronoun or particle.
        Two characters are few: one must be the term's own, and the other belong to no word beside it
        ("没行动的" is not "懂的", nor "作家我想" "加我").
        """
        if surface in self._words or surface.translate(_SAID_ALIKE) == term.translate(_SAID_ALIKE):
            return False
        if len(surface) > _SHORTEST_SOUND:
            return True
        if not surface.isalnum() or not any(a == b for a, b in zip(surface, term, strict=False)):
            return False
        beside = (start - 1, start + 1) if surface[0] != term[0] else (end - 1, end + 1)
        passages = (beside, (start - 1, end), (start, end + 1))
        return not any(folded.read_from(*passage) in self._words for passage in passages)
