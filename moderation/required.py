"""Find out which words must stand in a text for a pattern to match, so that most patterns are never tried.

A rule's pattern costs microseconds, a rulebook has hundreds, and nearly every post contains the words
of none. So each pattern is tried only where one of its required words occurs, and all words are found
in one pass. A pattern from which no words can be told is always tried: the answer errs on that side.

Neighbours: `rules` asks, when it compiles the patterns of a rulebook.
"""

import re
import re._constants as code  # type: ignore[import-not-found]  # the standard library's own parser, untyped
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterable
from typing import Any, Final

_MOST: Final = 300
"""Alternatives. A choice between more words than this tells too little."""

_Words = frozenset[str]


def required_words(source: str) -> _Words | None:
    """Return words of which one occurs in every text that a pattern matches; None if that cannot be told.

    Parameters
    ----------
    source
        A pattern in RE2 syntax, matched with regard to case.
    """
    try:
        parsed = parser.parse(source)
    except (re.error, OverflowError, RecursionError):
        return None
    return _of_sequence(parsed)


def _of_sequence(parsed: Iterable[Any]) -> _Words | None:
    """Return the most telling set of words among the parts of a sequence, all of which must occur."""
    found: list[_Words] = []
    run: _Words = frozenset({""})
    for part in parsed:
        written = _written(part)
        longer = _joined(run, written)
        if longer is not None:
            run = longer
            continue
        found.append(run)
        run = written or frozenset({""})
        inner = None if written else _of_part(*part)
        if inner is not None:
            found.append(inner)
    found.append(run)
    telling = [_shortest(words) for words in found if "" not in words]
    return max(telling, key=_tells, default=None)


def _joined(run: _Words, written: _Words | None) -> _Words | None:
    """Return every way to write two parts side by side; None if these are too many."""
    if not written or len(run) * len(written) > _MOST:
        return None
    return frozenset(a + b for a in run for b in written)


def _shortest(words: _Words) -> _Words:
    """Return the words that hold no other of them: where a longer one occurs, so does the one in it."""
    return frozenset(word for word in words if not any(other in word for other in words - {word}))


def _tells(words: _Words) -> tuple[int, int]:
    """Rank a choice between words: long words first, then few."""
    return min(3, *map(len, words)), -len(words)


def _written(part: Any) -> _Words | None:  # noqa: ANN401 - the parser has no types
    """Return every way to write a part, if these are few."""
    kind, value = part
    ways: _Words | None = None
    if kind is code.LITERAL:
        ways = frozenset({chr(value)})
    elif kind is code.IN and all(inner is code.LITERAL for inner, _ in value):
        ways = frozenset(chr(letter) for _, letter in value)
    elif kind is code.SUBPATTERN:
        ways = _written_sequence(value[3])
    elif kind is code.BRANCH:
        branches = [_written_sequence(branch) for branch in value[1]]
        if all(branches):
            ways = frozenset(way for branch in branches if branch for way in branch)
    elif kind in {code.MAX_REPEAT, code.MIN_REPEAT} and (value[0], value[1]) == (0, 1):
        once = _written_sequence(value[2])
        ways = once and once | {""}
    return ways if ways and len(ways) <= _MOST else None


def _written_sequence(parsed: Iterable[Any]) -> _Words | None:
    ways: _Words | None = frozenset({""})
    for part in parsed:
        ways = _joined(ways, _written(part)) if ways else None
    return ways


def _of_part(kind: Any, value: Any) -> _Words | None:  # noqa: ANN401 - as above
    if kind is code.SUBPATTERN:
        return _of_sequence(value[3])
    if kind is code.BRANCH:
        branches = [_of_sequence(branch) for branch in value[1]]
        if all(branches):
            together = frozenset(word for branch in branches if branch for word in branch)
            return together if len(together) <= _MOST else None
        return None
    if kind in {code.MAX_REPEAT, code.MIN_REPEAT} and value[0] > 0:
        return _of_sequence(value[2])
    return None
