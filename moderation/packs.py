"""Read packs of rules from YAML into compiled rules.

A pack is a YAML file: its name, its version, shared lists of terms and its rules. Everything about
it is checked when it is read: unknown words, a category outside the closed list, a clause that is
not the category's, a pattern that the linear-time engine refuses, an id that occurs twice, a rule
that refers outside self-harm, an operator's rule that would remove. An error names the file, the
line, the rule and the reason.

Terms are looked for in the rule's `views`, patterns in its `pattern_views` (always in the plain one too),
exceptions in a rule's context in the default views and, if patterns, in the plain one.

In a rule, `any`, `patterns` and `detectors` are one block of alternatives; `all_of` adds groups, and
all groups and the block must meet in one sentence, or within `window` letters. A group may hold
terms, "$list", "@detector", "@detector:owner" and "re:PATTERN". In rules about doxxing a detector
counts somebody else's data only (and, where another group stands beside it, data of unknown owner);
elsewhere whatever is not a public office's. A rule with `behaviour` looks at how posts come instead
(`behaviour`), and is tested with scenes: `{say: [text], times: 8, minutes: 60, authors: 8}`.

Neighbours: `pack_fields` checks each field; `rulebook` puts packs together; `rules` judges with them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import re2
import yaml

from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import CLAUSES, Category
from moderation.normalise import ViewName, fold
from moderation.pack_fields import (
    DEFAULT_VIEWS,
    LINE,
    action_of,
    behaviour_of,
    category_of,
    detector_of,
    expanded,
    looked_for,
    pattern_views_of,
    refuse_unknown,
    scenes_of,
    text_of,
    texts_of,
    views_of,
    window_of,
)
from moderation.rules import Detector, Group, Pattern, Rule

_PACK_WORDS: Final = frozenset({"pack", "version", "rules", "lists", "description", LINE})
_RULE_WORDS: Final = frozenset(
    {
        "id",
        "category",
        "clause",
        "action",
        "rationale",
        "author",
        "behaviour",
        "views",
        "any",
        "all_of",
        "window",
        "patterns",
        "pattern_views",
        "detectors",
        "unless",
        "unless_patterns",
        "unless_anywhere",
        "public",
        "tests",
        LINE,
    }
)
_LONGEST_TERM: Final = 60
_LARGEST_PACK: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pack:
    """A file of rules as it was read."""

    name: str
    version: str
    source: str
    digest: str
    rules: tuple[Rule, ...]


class _Loader(yaml.SafeLoader if not hasattr(yaml, "CSafeLoader") else yaml.CSafeLoader):  # type: ignore[misc]
    """Reads YAML with the line of every mapping, and refuses a key that occurs twice."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = Counter(key.value for key, _ in node.value if isinstance(key.value, str))
    twice = sorted(key for key, times in keys.items() if times > 1)
    if twice:
        raise yaml.constructor.ConstructorError(
            None, None, f"{', '.join(twice)} occurs twice", node.start_mark
        )
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    mapping[LINE] = node.start_mark.line + 1
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class _Looks(NamedTuple):
    """The views in which terms and patterns are looked for."""

    terms: frozenset[ViewName]
    patterns: frozenset[ViewName]


_EXCEPTIONS: Final = _Looks(DEFAULT_VIEWS, frozenset({ViewName.PLAIN}))


class Compiler:
    """Turns what stands in files into rules, with one list of terms and one of patterns for all."""

    def __init__(self) -> None:
        self.terms: dict[tuple[str, frozenset[ViewName]], int] = {}
        self.patterns: dict[Pattern, int] = {}
        self.seen: dict[str, str] = {}

    def pack(self, path: Path, *, operator: bool) -> Pack:
        """Read one file."""
        try:
            if path.stat().st_size > _LARGEST_PACK:
                raise ConfigurationError(f"{path.name}:1: larger than {_LARGEST_PACK} bytes")
            content = path.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{path.name}:1: cannot be read: {error.strerror}") from error
        return self.pack_of(content, path.name, operator=operator)

    def pack_of(self, content: bytes, file: str, *, operator: bool) -> Pack:
        """Read the content of one file."""
        if len(content) > _LARGEST_PACK:
            raise ConfigurationError(f"{file}:1: larger than {_LARGEST_PACK} bytes")
        try:
            document = yaml.load(content, Loader=_Loader)  # noqa: S506 - a safe loader that also knows lines
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # a day that no month has, too
            raise ConfigurationError(f"{file}:{_line_of(error)}: cannot be read as YAML: {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
            raise ConfigurationError(f"{file}:1: a pack has a name, a version and a list of rules")
        where = f"{file}:{document[LINE]}"
        refuse_unknown(document, _PACK_WORDS, where)
        name = text_of(document, "pack", where)
        version = text_of(document, "version", where)
        lists = self._lists(document.get("lists") or {}, file)
        rules = tuple(
            self._rule(entry, name, lists, file, operator=operator, after=document[LINE])
            for entry in document["rules"]
        )
        return Pack(name, version, file, hashlib.sha256(content).hexdigest(), rules)

    def _lists(self, lists: object, file: str) -> dict[str, list[str]]:
        if not isinstance(lists, dict):
            raise ConfigurationError(f"{file}:1: lists are named lists of terms")
        return {
            name: texts_of(value, f"{file}:{lists[LINE]}: list {name}")
            for name, value in lists.items()
            if name != LINE
        }

    def _rule(
        self, entry: object, pack: str, lists: dict[str, list[str]], file: str, *, operator: bool, after: int
    ) -> Rule:
        if not isinstance(entry, dict):
            raise ConfigurationError(f"{file}:{after}: every rule of a pack is a mapping")
        line = entry[LINE]
        named = entry.get("id")
        where = f"{file}:{line}: rule {named if isinstance(named, str) else '?'}"
        refuse_unknown(entry, _RULE_WORDS, where)
        rule_id = text_of(entry, "id", where)
        if not rule_id.startswith(f"{pack}."):
            raise ConfigurationError(f"{where}: an id begins with its pack's name and a dot")
        if rule_id in self.seen:
            raise ConfigurationError(f"{where}: the id stands in {self.seen[rule_id]} already")
        self.seen[rule_id] = file
        category = category_of(text_of(entry, "category", where), where)
        action = action_of(text_of(entry, "action", where), category, where, operator=operator)
        clause = text_of(entry, "clause", where)
        if clause != CLAUSES[category].number:
            raise ConfigurationError(
                f"{where}: the clause of {category} is {CLAUSES[category].number}, not {clause}"
            )
        public = entry.get("public", True) is True
        if operator and not public:
            raise CharterViolation(f"{where}: an operator's rule is published with its terms")
        views = views_of(entry.get("views"), where)
        looks = _Looks(views, pattern_views_of(entry.get("pattern_views"), where))
        tests = entry.get("tests") or {}
        if not isinstance(tests, dict) or not set(tests) <= {"hit", "miss", LINE}:
            raise ConfigurationError(f"{where}: tests are lists of texts under hit and miss")
        behaviour = behaviour_of(entry, category, action, where)
        scenes = scenes_of(tests, f"{where}: tests") if behaviour else ()
        texts = {} if behaviour else tests
        must_hit = tuple(texts_of(texts.get("hit") or [], f"{where}: tests"))
        if not must_hit and not any(scene.must_hit for scene in scenes):
            raise ConfigurationError(f"{where}: a rule has at least one text that it must hit")
        groups = () if behaviour else self._groups(entry, category, looks, lists, where)
        own_terms = looked_for(entry, lists, where)
        return Rule(
            id=rule_id,
            pack=pack,
            category=category,
            clause=clause,
            action=action,
            rationale=text_of(entry, "rationale", where),
            author=text_of(entry, "author", where),
            views=views,
            groups=groups,
            window=window_of(entry.get("window"), where),
            unless=self._exceptions(entry, "unless", lists, where),
            unless_anywhere=self._exceptions(entry, "unless_anywhere", lists, where),
            public=public,
            terms=own_terms,
            must_hit=must_hit,
            must_miss=tuple(texts_of(texts.get("miss") or [], f"{where}: tests")),
            operator=operator,
            line=line,
            behaviour=behaviour,
            scenes=scenes,
        )

    def _groups(
        self,
        entry: dict[str, Any],
        category: Category,
        looks: _Looks,
        lists: dict[str, list[str]],
        where: str,
    ) -> tuple[Group, ...]:
        written = entry.get("all_of") or []
        if not isinstance(written, list):
            raise ConfigurationError(f"{where}: all_of is a list of lists")
        together = bool(written)
        alternatives = [
            *texts_of(entry.get("any") or [], f"{where}: any"),
            *(f"re:{pattern}" for pattern in texts_of(entry.get("patterns") or [], f"{where}: patterns")),
            *(f"@{name}" for name in texts_of(entry.get("detectors") or [], f"{where}: detectors")),
        ]
        groups = (
            [self._group(alternatives, category, looks, lists, where, together=together)]
            if alternatives
            else []
        )
        for number, group in enumerate(written, start=1):
            members = texts_of(
                group if isinstance(group, list) else [group], f"{where}: group {number} of all_of"
            )
            groups.append(
                self._group(
                    members, category, looks, lists, where, together=len(written) > 1 or bool(alternatives)
                )
            )
        if not groups or not all(groups):
            raise ConfigurationError(f"{where}: a rule looks for something, and no group is empty")
        return tuple(groups)

    def _group(
        self,
        members: Iterable[str],
        category: Category,
        looks: _Looks,
        lists: dict[str, list[str]],
        where: str,
        *,
        together: bool,
    ) -> Group:
        terms: set[int] = set()
        patterns: set[int] = set()
        detectors: list[Detector] = []
        for member in expanded(members, lists, where):
            if member.startswith("@"):
                detectors.append(detector_of(member[1:], category, where, together=together))
            elif member.startswith("re:"):
                patterns.add(self._pattern(member[3:], looks.patterns, where))
            else:
                terms.add(self._term(member, looks.terms, where))
        return Group(frozenset(terms), frozenset(patterns), tuple(detectors))

    def _exceptions(self, entry: dict[str, Any], name: str, lists: dict[str, list[str]], where: str) -> Group:
        members = texts_of(entry.get(name) or [], f"{where}: {name}")
        if name == "unless":
            members = [
                *members,
                *(f"re:{source}" for source in texts_of(entry.get("unless_patterns") or [], where)),
            ]
        return self._group(members, Category.SPAM, _EXCEPTIONS, lists, where, together=True)

    def _term(self, text: str, views: frozenset[ViewName], where: str) -> int:
        if not 0 < len(text) <= _LONGEST_TERM or not fold(text).plain.strip():
            raise ConfigurationError(
                f"{where}: the term {text!r} must have 1 to {_LONGEST_TERM} characters that can be read"
            )
        return self.terms.setdefault((text, views), len(self.terms))

    def _pattern(self, source: str, views: frozenset[ViewName], where: str) -> int:
        try:
            if re2.compile(source).search("") is not None:
                raise ConfigurationError(f"{where}: the pattern {source!r} matches nothing at all")
        except re2.error as error:
            raise ConfigurationError(f"{where}: the pattern {source!r} cannot be used: {error}") from error
        return self.patterns.setdefault(Pattern(source, views), len(self.patterns))


def _line_of(error: Exception) -> int:
    """Return the line at which a file stops being YAML, as far as the reader knows it."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return mark.line + 1 if mark is not None else 1
