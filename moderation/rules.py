"""Say which rules a post breaks, and where in the author's own characters.

A rule is a block of alternatives (terms, patterns, detectors), groups that must meet (`all_of`),
or both; exceptions in the context take a hit back. The meeting place is one sentence, or a window
of so many letters. Everything is judged on the post alone: nothing here knows an author, a thread
or a clock, and nothing here decides what happens to the post.

Neighbours: `rulebook` loads rules, `lexicon` finds terms, `privacy` finds contacts, `policy` decides.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

import re2

from models.vocabulary import Category
from moderation.lexicon import Lexicon, Term
from moderation.normalise import Folded, ViewName, sentence_bounds
from moderation.privacy import Finding, Kind, Owner, findings

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


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives of which one is enough. Terms and patterns are places in the rulebook's lists."""

    terms: frozenset[int] = frozenset()
    patterns: frozenset[int] = frozenset()
    detectors: tuple[Detector, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms or self.patterns or self.detectors)


@dataclass(frozen=True, slots=True)
class Rule:
    """One published rule, compiled. `operator` marks a rule that can at most hold."""

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
        matches: Mapping[int, Sequence[tuple[ViewName, int, int]]],
        patterns: "_Patterns",
    ) -> None:
        self.folded = folded
        self._matches = matches
        self._patterns = patterns
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

    def distance(self, one: Span, other: Span) -> int:
        """Letters between two spans; 0 if they touch or overlap."""
        first, second = sorted((one, other))
        return max(0, self._letters[second[0]] - self._letters[first[1]])

    def spans(self, group: Group) -> Iterator[Span]:
        # Asked of the few that were found and not of the many that a group may hold.
        for term in group.terms.intersection(self._matches):
            yield from self._of_term(term)
        for pattern in group.patterns:
            yield from self._of_pattern(pattern)
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

    def _of_pattern(self, pattern: int) -> tuple[Span, ...]:
        if pattern not in self._pattern_spans:
            found = self._patterns.places(pattern, self.folded.plain)
            self._pattern_spans[pattern] = tuple(
                self.folded.span(ViewName.PLAIN, start, end) for start, end in found
            )
        return self._pattern_spans[pattern]


def _compiled_set(sources: Sequence[str]) -> Any:  # noqa: ANN401 - re2 has no types
    together = re2.Set.SearchSet()
    for source in sources:
        together.Add(source)
    together.Compile()
    return together


class _Patterns:
    """Patterns in a linear-time engine; one pass says which of them occur."""

    def __init__(self, sources: Sequence[str]) -> None:
        self._compiled = [re2.compile(source) for source in sources]
        self._set = _compiled_set(sources) if sources else None

    def occurring(self, text: str) -> Sequence[int]:
        if self._set is None:
            return ()
        found: Sequence[int] = self._set.Match(text) or ()  # re2 says None where nothing matches
        return found

    def places(self, index: int, text: str) -> list[Span]:
        return [match.span() for match in self._compiled[index].finditer(text) if match.end() > match.start()]


class RuleMatcher:
    """All rules of a rulebook, ready to be asked about posts. Safe to share between threads.

    Parameters
    ----------
    rules
        The compiled rules; their groups name terms and patterns by place.
    terms
        The terms of all rules.
    patterns
        The patterns of all rules, in RE2 syntax.
    """

    def __init__(self, rules: Sequence[Rule], terms: Sequence[Term], patterns: Sequence[str]) -> None:
        self.rules = tuple(rules)
        self._lexicon = Lexicon(terms)
        self._patterns = _Patterns(patterns)
        by_term: dict[int, set[int]] = defaultdict(set)
        by_pattern: dict[int, set[int]] = defaultdict(set)
        detected: set[int] = set()
        for place, rule in enumerate(self.rules):
            # One group is enough to make a rule a candidate; one without detectors is cheapest to see.
            key = min(
                rule.groups, key=lambda group: (bool(group.detectors), len(group.patterns), len(group.terms))
            )
            for term in key.terms:
                by_term[term].add(place)
            for pattern in key.patterns:
                by_pattern[pattern].add(place)
            if key.detectors:
                detected.add(place)
        self._by_term = {term: frozenset(places) for term, places in by_term.items()}
        self._by_pattern = {pattern: frozenset(places) for pattern, places in by_pattern.items()}
        self._detected = frozenset(detected)

    def hits(self, folded: Folded) -> tuple[Hit, ...]:
        """Return the rules that a post breaks, in the order of the rulebook."""
        matches: dict[int, list[tuple[ViewName, int, int]]] = {}
        candidates: set[int] = set()
        for match in self._lexicon.find(folded):
            known = matches.get(match.term)
            if known is None:
                matches[match.term] = [(match.view, match.start, match.end)]
                candidates |= self._by_term.get(match.term, frozenset())
            else:
                known.append((match.view, match.start, match.end))
        for pattern in self._patterns.occurring(folded.plain):
            candidates |= self._by_pattern.get(pattern, frozenset())
        post = _Post(folded, matches, self._patterns)
        if self._detected and post.findings:
            candidates |= self._detected
        hits: list[Hit] = []
        for place in sorted(candidates):
            spans = _judge(self.rules[place], post)
            if spans:
                hits.append(Hit(self.rules[place], spans))
        return tuple(hits)


def _judge(rule: Rule, post: _Post) -> tuple[Span, ...]:
    """Return where a post breaks a rule; nothing where it does not."""
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
        excused = {post.sentence(span) for span in post.spans(rule.unless)}
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
