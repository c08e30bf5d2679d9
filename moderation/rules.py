"""Say which rules a post breaks, and where in the author's own characters.

A rule is a block of alternatives (terms, patterns, detectors), groups that must meet (`all_of`),
or both; exceptions in the context take a hit back. The meeting place is one sentence, or a window
of so many letters. What a post says is judged on the post alone; a rule on behaviour is given what
was seen before. Nothing here knows a database or a clock, or decides what happens to the post.

Neighbours: `rulebook` loads rules, `lexicon` finds terms, `privacy` finds contacts, `behaviour` counts
posts, `policy` decides.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

import re2

from models.vocabulary import Category
from moderation.behaviour import Behaviour, Sighting, is_conspicuous
from moderation.finder import Finder
from moderation.lexicon import Lexicon, Place, Term
from moderation.normalise import Folded, ViewName, sentence_bounds
from moderation.privacy import Finding, Kind, Owner, findings
from moderation.required import required_words

Span = tuple[int, int]


class RuleAction(StrEnum):
    """What a rule asks for. `signal` only combines with other evidence and never acts alone."""

    SIGNAL = "signal"
    HOLD = "hold"
    REMOVE = "remove"
    REFER = "refer"


@dataclass(frozen=True, slots=True)
class Detector:
    """Kinds of finding that count, and whose. `owners` is never empty."""

    kinds: frozenset[Kind]
    owners: frozenset[Owner]

    def accepts(self, finding: Finding) -> bool:
        """Tell whether a finding counts for this detector."""
        return finding.kind in self.kinds and finding.owner in self.owners


PATTERN_VIEWS: Final = frozenset({ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED, ViewName.DRAWN})
"""The views that a pattern may name: those that can be read."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern in RE2 syntax and the views it is looked for in, the plain one always among them."""

    source: str
    views: frozenset[ViewName] = frozenset({ViewName.PLAIN})


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives of which one is enough. Terms and patterns are places in the rulebook's lists."""

    terms: frozenset[int] = frozenset()
    patterns: frozenset[int] = frozenset()
    detectors: tuple[Detector, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms or self.patterns or self.detectors)


@dataclass(frozen=True, slots=True)
class Scene:
    """A test of a rule on behaviour: posts that come evenly within some minutes.

    The texts and the authors take turns. Whether the rule hits is asked of the last post.
    """

    say: tuple[str, ...]
    times: int
    minutes: int
    authors: int
    must_hit: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One published rule, compiled. `operator` marks a rule that can at most hold.

    A rule with a `behaviour` has no groups: it looks at how a post comes. Of the exceptions it has
    `unless_anywhere` alone.
    """

    id: str
    pack: str
    category: Category
    clause: str
    action: RuleAction
    rationale: str
    author: str
    views: frozenset[ViewName]
    groups: tuple[Group, ...]
    window: int | None = None
    unless: Group = field(default_factory=Group)
    unless_anywhere: Group = field(default_factory=Group)
    public: bool = True
    terms: tuple[str, ...] = ()
    must_hit: tuple[str, ...] = ()
    must_miss: tuple[str, ...] = ()
    operator: bool = False
    line: int = 0
    behaviour: Behaviour | None = None
    scenes: tuple[Scene, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that a post breaks; spans are in code points of the original, in order and apart."""

    rule: Rule
    spans: tuple[Span, ...]


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in order, with those that touch or overlap made one."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return tuple(result)


class _Post:
    """What is found in one post, worked out once and only as far as a rule asks."""

    def __init__(
        self,
        folded: Folded,
        matches: Mapping[int, Sequence[Place]],
        patterns: "_Patterns",
    ) -> None:
        self.folded = folded
        self._matches = matches
        self._patterns = patterns
        self.possible = patterns.possible(folded)
        self._term_spans: dict[int, tuple[Span, ...]] = {}
        self._pattern_spans: dict[int, tuple[Span, ...]] = {}

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        return findings(self.folded)

    @cached_property
    def _ends(self) -> list[int]:
        return sentence_bounds(self.folded.original)

    @cached_property
    def _letters(self) -> list[int]:
        """How many letters and digits stand before each offset."""
        counts = [0]
        for character in self.folded.original:
            counts.append(counts[-1] + character.isalnum())
        return counts

    def sentence(self, span: Span) -> int:
        return bisect_right(self._ends, span[0])

    def sentences(self, span: Span) -> range:
        """Return the sentences that a span touches: a quotation may hold several."""
        first = self.sentence(span)
        return range(first, max(first, bisect_left(self._ends, span[1] - 1)) + 1)

    def distance(self, one: Span, other: Span) -> int:
        """Letters between two spans; 0 if they touch or overlap."""
        first, second = sorted((one, other))
        return max(0, self._letters[second[0]] - self._letters[first[1]])

    def may_have(self, group: Group) -> bool:
        """Tell, cheaply, whether a group can have a member here."""
        return bool(
            group.detectors
            or not group.terms.isdisjoint(self._matches)
            or not group.patterns.isdisjoint(self.possible)
        )

    def spans(self, group: Group) -> Iterator[Span]:
        # Asked of the few that were found and not of the many that a group may hold.
        for term in group.terms.intersection(self._matches):
            yield from self._of_term(term)
        for pattern in group.patterns.intersection(self.possible):
            yield from self.of_pattern(pattern)
        if group.detectors:
            for finding in self.findings:
                if any(detector.accepts(finding) for detector in group.detectors):
                    yield self.folded.span(ViewName.PLAIN, finding.start, finding.end)

    def _of_term(self, term: int) -> tuple[Span, ...]:
        if term not in self._term_spans:
            self._term_spans[term] = tuple(
                {self.folded.span(view, start, end) for view, start, end in self._matches[term]}
            )
        return self._term_spans[term]

    def of_pattern(self, pattern: int) -> tuple[Span, ...]:
        if pattern not in self._pattern_spans:
            self._pattern_spans[pattern] = tuple(
                {
                    self.folded.span(view, start, end)
                    for view, start, end in self._patterns.places(pattern, self.folded)
                }
            )
        return self._pattern_spans[pattern]


class _Patterns:
    """Patterns in a linear-time engine, each tried only where one of its required words occurs."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._views = [pattern.views for pattern in patterns]
        options = re2.Options()
        # Only where a whole match stands is asked, and without its groups that takes a far quicker engine.
        options.never_capture = True
        self._compiled = [re2.compile(pattern.source, options) for pattern in patterns]
        by_word: dict[str, set[int]] = defaultdict(set)
        self._always: set[int] = set()
        for place, pattern in enumerate(patterns):
            words = required_words(pattern.source)
            if words is None:
                self._always.add(place)
            for word in words or ():
                by_word[word].add(place)
        self._by_word = [frozenset(places) for places in by_word.values()]
        self._words = Finder(list(by_word))

    def possible(self, folded: Folded) -> set[int]:
        """Return the patterns that may occur: those without required words, and those with one in a view."""
        words: set[int] = set()
        for text in set(folded.surface):
            words |= self._words.indexes(text)
        return self._always.union(*[self._by_word[word] for word in words])

    def places(self, index: int, folded: Folded) -> Iterator[tuple[ViewName, int, int]]:
        """Give the places of a pattern in each of its views."""
        compiled = self._compiled[index]
        seen: set[str] = set()
        for view in _IN_ORDER:
            text = folded.text(view) if view in self._views[index] else None
            if text is None or text in seen:
                continue
            seen.add(text)
            # Most patterns that are tried do not match, and bytes tell that without counting characters.
            if compiled.search(text.encode()) is None:
                continue
            for match in compiled.finditer(text):
                if match.end() > match.start():
                    yield view, *match.span()


_IN_ORDER: Final = (ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED, ViewName.DRAWN)


_RARER_BY_LETTER: Final = 10


class RuleMatcher:
    """All rules of a rulebook, ready to be asked about posts. Safe to share between threads.

    Parameters
    ----------
    rules
        The compiled rules; their groups name terms and patterns by place.
    terms
        The terms of all rules.
    patterns
        The patterns of all rules.
    """

    def __init__(self, rules: Sequence[Rule], terms: Sequence[Term], patterns: Sequence[Pattern]) -> None:
        self.rules = tuple(rules)
        self._lexicon = Lexicon(terms)
        self._patterns = _Patterns(patterns)
        by_term: dict[int, set[int]] = defaultdict(set)
        by_pattern: dict[int, set[int]] = defaultdict(set)
        detected: set[int] = set()
        for place, rule in enumerate(self.rules):
            if not rule.groups:
                continue
            # One group is enough to make a rule a candidate: the one that the fewest posts will have.
            key = min(rule.groups, key=self._expected)
            for term in key.terms:
                by_term[term].add(place)
            for pattern in key.patterns:
                by_pattern[pattern].add(place)
            if key.detectors:
                detected.add(place)
        self._by_term = {term: frozenset(places) for term, places in by_term.items()}
        self._by_pattern = {pattern: frozenset(places) for pattern, places in by_pattern.items()}
        self._detected = frozenset(detected)
        self._behaviours = tuple(rule for rule in self.rules if rule.behaviour is not None)

    def _expected(self, group: Group) -> float:
        """Return a guess, for comparing groups, at how many posts have a member: short words are common."""
        terms = sum(1.0 / _RARER_BY_LETTER ** len(self._lexicon.terms[term].text) for term in group.terms)
        return float(terms) + len(group.patterns) / 100 + len(group.detectors)

    def conspicuous(self, folded: Folded, post: Sighting, seen: Sequence[Sighting]) -> tuple[Hit, ...]:
        """Return the rules on behaviour that a post breaks after what was seen before it."""
        found = [
            rule for rule in self._behaviours if rule.behaviour and is_conspicuous(rule.behaviour, post, seen)
        ]
        if not found:
            return ()
        context = _Post(folded, self._matches(folded)[0], self._patterns)
        whole = ((0, len(folded.original)),)
        return tuple(
            Hit(rule, whole) for rule in found if not any(True for _ in context.spans(rule.unless_anywhere))
        )

    def hits(self, folded: Folded) -> tuple[Hit, ...]:
        """Return the rules that a post breaks by what it says, in the order of the rulebook."""
        matches, candidates = self._matches(folded)
        post = _Post(folded, matches, self._patterns)
        for pattern in post.possible.intersection(self._by_pattern):
            if post.of_pattern(pattern):
                candidates |= self._by_pattern[pattern]
        if self._detected and post.findings:
            candidates |= self._detected
        hits: list[Hit] = []
        for place in sorted(candidates):
            spans = _judge(self.rules[place], post)
            if spans:
                hits.append(Hit(self.rules[place], spans))
        return tuple(hits)

    def _matches(self, folded: Folded) -> tuple[dict[int, list[Place]], set[int]]:
        """Return the terms found, and the rules that one of them makes a candidate."""
        matches = self._lexicon.places(folded)
        keys = self._by_term.keys() & matches.keys()
        return matches, set().union(*(self._by_term[term] for term in keys))


def _judge(rule: Rule, post: _Post) -> tuple[Span, ...]:
    """Return where a post breaks a rule; nothing where it does not."""
    if not all(post.may_have(group) for group in rule.groups):
        return ()
    found: list[set[Span]] = []
    for group in rule.groups:
        spans = set(post.spans(group))
        if not spans:
            return ()
        found.append(spans)
    if any(True for _ in post.spans(rule.unless_anywhere)):
        return ()
    meeting = _meetings(rule.window, found, post)
    if rule.unless:
        excused = {sentence for span in post.spans(rule.unless) for sentence in post.sentences(span)}
        meeting = [spans for spans in meeting if not any(post.sentence(span) in excused for span in spans)]
    return merged(span for spans in meeting for span in spans)


def _meetings(window: int | None, found: list[set[Span]], post: _Post) -> list[set[Span]]:
    """Return the sets of spans in which every group has its part."""
    if window is None:
        by_sentence: list[dict[int, set[Span]]] = []
        for spans in found:
            places: dict[int, set[Span]] = defaultdict(set)
            for span in spans:
                places[post.sentence(span)].add(span)
            by_sentence.append(places)
        shared = set(by_sentence[0]).intersection(*by_sentence[1:])
        return [set().union(*(places[sentence] for places in by_sentence)) for sentence in sorted(shared)]
    meetings: list[set[Span]] = []
    for anchor in sorted(found[0]):
        near = [{span for span in spans if post.distance(anchor, span) <= window} for spans in found[1:]]
        if all(near):
            meetings.append({anchor}.union(*near))
    return meetings
