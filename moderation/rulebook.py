"""Load packs of rules, and switch a rulebook on through the one door there is.

A pack is a YAML file: its name, its version, shared lists of terms and its rules. Everything about
it is checked when it is read: unknown words, a category outside the closed list, a clause that is
not the category's, a pattern that the linear-time engine refuses, an id that occurs twice, a rule
that refers outside self-harm, an operator's rule that would remove. An error names the file, the
line, the rule and the reason; the rulebook that runs stays as it is.

`activate` is the door: it runs each rule's own tests and the protected suite, and refuses with the
texts that would be acted upon.

In a rule, `any`, `patterns` and `detectors` are one block of alternatives; `all_of` adds groups, and
all groups and the block must meet in one sentence, or within `window` letters. A group may hold
terms, "$list", "@detector", "@detector:owner" and "re:PATTERN". In rules about doxxing a detector
counts somebody else's data only (and, where another group stands beside it, data of unknown owner);
elsewhere whatever is not a public office's.

Neighbours: `rules` judges with what is loaded here; `pipeline` holds the rulebook that runs.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import re2
import yaml

from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import CLAUSES, Category, Verdict
from moderation.lexicon import Term
from moderation.normalise import Folded, ViewName, fold
from moderation.policy import Evidence, Policy, decide
from moderation.privacy import Owner, named
from moderation.protected import Breach, ProtectedText, described, public_matters
from moderation.rules import Detector, Group, Hit, Rule, RuleAction, RuleMatcher

_LINE: Final = "__line__"
_DEFAULT_VIEWS: Final = frozenset({ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED})
_PACK_WORDS: Final = frozenset({"pack", "version", "rules", "lists", "description", _LINE})
_RULE_WORDS: Final = frozenset(
    {
        "id",
        "category",
        "clause",
        "action",
        "rationale",
        "author",
        "views",
        "any",
        "all_of",
        "window",
        "patterns",
        "detectors",
        "unless",
        "unless_patterns",
        "unless_anywhere",
        "public",
        "tests",
        _LINE,
    }
)
_LONGEST_TERM: Final = 60
_LARGEST_PACK: Final = 4 * 1024 * 1024
_NOT_OFFICE: Final = frozenset({Owner.OWN, Owner.OTHER, Owner.UNKNOWN})
_MAYBE_OTHERS: Final = frozenset({Owner.OTHER, Owner.UNKNOWN})
_OTHERS: Final = frozenset({Owner.OTHER})


@dataclass(frozen=True, slots=True)
class Pack:
    """A file of rules as it was read."""

    name: str
    version: str
    source: str
    digest: str
    rules: tuple[Rule, ...]


class Rulebook:
    """All packs together, compiled. `revision` names their exact content."""

    def __init__(self, packs: Sequence[Pack], terms: Sequence[Term], patterns: Sequence[str]) -> None:
        self.packs = tuple(packs)
        self.rules = tuple(rule for pack in packs for rule in pack.rules)
        self._terms = terms
        self._patterns = patterns
        digest = hashlib.sha256("".join(sorted(pack.digest for pack in packs)).encode()).hexdigest()
        versions = sorted({pack.version for pack in packs})
        self.revision = f"{versions[-1] if versions else 'empty'}-{digest[:12]}"

    @cached_property
    def _matcher(self) -> RuleMatcher:
        return RuleMatcher(self.rules, self._terms, self._patterns)

    def hits(self, folded: Folded) -> tuple[Hit, ...]:
        """Return the rules that a post breaks."""
        return self._matcher.hits(folded)


class _Loader(yaml.SafeLoader if not hasattr(yaml, "CSafeLoader") else yaml.CSafeLoader):  # type: ignore[misc]
    """Reads YAML with the line of every mapping, and refuses a key that occurs twice."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value]
    twice = sorted({key for key in keys if isinstance(key, str) and keys.count(key) > 1})
    if twice:
        raise yaml.YAMLError(f"line {node.start_mark.line + 1}: {', '.join(twice)} occurs twice")
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    mapping[_LINE] = node.start_mark.line + 1
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class _Compiler:
    """Turns what stands in files into rules, with one list of terms and one of patterns for all."""

    def __init__(self) -> None:
        self.terms: dict[tuple[str, frozenset[ViewName]], int] = {}
        self.patterns: dict[str, int] = {}
        self.seen: dict[str, str] = {}

    def pack(self, path: Path, *, operator: bool) -> Pack:
        """Read one file."""
        try:
            content = path.read_bytes()
            if len(content) > _LARGEST_PACK:
                raise ConfigurationError(f"{path.name}: larger than {_LARGEST_PACK} bytes")
            document = yaml.load(content, Loader=_Loader)  # noqa: S506 - a safe loader that also knows lines
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path.name}: cannot be read as YAML: {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
            raise ConfigurationError(f"{path.name}: a pack has a name, a version and a list of rules")
        _refuse_unknown(document, _PACK_WORDS, path.name)
        name = _text(document, "pack", path.name)
        version = _text(document, "version", path.name)
        lists = self._lists(document.get("lists") or {}, path.name)
        rules = tuple(
            self._rule(entry, name, lists, path.name, operator=operator) for entry in document["rules"]
        )
        return Pack(name, version, path.name, hashlib.sha256(content).hexdigest(), rules)

    def _lists(self, lists: object, where: str) -> dict[str, list[str]]:
        if not isinstance(lists, dict):
            raise ConfigurationError(f"{where}: lists are named lists of terms")
        return {
            name: _texts(value, f"{where}: list {name}") for name, value in lists.items() if name != _LINE
        }

    def _rule(
        self, entry: object, pack: str, lists: dict[str, list[str]], file: str, *, operator: bool
    ) -> Rule:
        if not isinstance(entry, dict):
            raise ConfigurationError(f"{file}: a rule is a mapping")
        line = entry[_LINE]
        where = f"{file}:{line}: rule {entry.get('id', '?')}"
        _refuse_unknown(entry, _RULE_WORDS, where)
        rule_id = _text(entry, "id", where)
        if not rule_id.startswith(f"{pack}."):
            raise ConfigurationError(f"{where}: an id begins with its pack's name and a dot")
        if rule_id in self.seen:
            raise ConfigurationError(f"{where}: the id stands in {self.seen[rule_id]} already")
        self.seen[rule_id] = file
        category = _category(_text(entry, "category", where), where)
        action = _action(_text(entry, "action", where), category, where, operator=operator)
        clause = _text(entry, "clause", where)
        if clause != CLAUSES[category].number:
            raise ConfigurationError(
                f"{where}: the clause of {category} is {CLAUSES[category].number}, not {clause}"
            )
        public = entry.get("public", True) is True
        if operator and not public:
            raise CharterViolation(f"{where}: an operator's rule is published with its terms")
        views = _views(entry.get("views"), where)
        tests = entry.get("tests") or {}
        if not isinstance(tests, dict) or not set(tests) <= {"hit", "miss", _LINE}:
            raise ConfigurationError(f"{where}: tests are lists of texts under hit and miss")
        must_hit = tuple(_texts(tests.get("hit") or [], f"{where}: tests"))
        if not must_hit:
            raise ConfigurationError(f"{where}: a rule has at least one text that it must hit")
        groups = self._groups(entry, category, views, lists, where)
        own_terms = [term for term in _texts(entry.get("any") or [], where) if term[:1] not in "$@"]
        return Rule(
            id=rule_id,
            pack=pack,
            category=category,
            clause=clause,
            action=action,
            rationale=_text(entry, "rationale", where),
            author=_text(entry, "author", where),
            views=views,
            groups=groups,
            window=_window(entry.get("window"), where),
            unless=self._exceptions(entry, "unless", lists, where),
            unless_anywhere=self._exceptions(entry, "unless_anywhere", lists, where),
            public=public,
            terms=tuple(own_terms),
            must_hit=must_hit,
            must_miss=tuple(_texts(tests.get("miss") or [], f"{where}: tests")),
            operator=operator,
            line=line,
        )

    def _groups(
        self,
        entry: dict[str, Any],
        category: Category,
        views: frozenset[ViewName],
        lists: dict[str, list[str]],
        where: str,
    ) -> tuple[Group, ...]:
        written = entry.get("all_of") or []
        if not isinstance(written, list):
            raise ConfigurationError(f"{where}: all_of is a list of lists")
        together = bool(written)
        alternatives = [
            *_texts(entry.get("any") or [], f"{where}: any"),
            *(f"re:{pattern}" for pattern in _texts(entry.get("patterns") or [], f"{where}: patterns")),
            *(f"@{name}" for name in _texts(entry.get("detectors") or [], f"{where}: detectors")),
        ]
        groups = (
            [self._group(alternatives, category, views, lists, where, together=together)]
            if alternatives
            else []
        )
        for number, group in enumerate(written, start=1):
            members = _texts(
                group if isinstance(group, list) else [group], f"{where}: group {number} of all_of"
            )
            groups.append(
                self._group(
                    members, category, views, lists, where, together=len(written) > 1 or bool(alternatives)
                )
            )
        if not groups or not all(groups):
            raise ConfigurationError(f"{where}: a rule looks for something, and no group is empty")
        return tuple(groups)

    def _group(
        self,
        members: Iterable[str],
        category: Category,
        views: frozenset[ViewName],
        lists: dict[str, list[str]],
        where: str,
        *,
        together: bool,
    ) -> Group:
        terms: set[int] = set()
        patterns: set[int] = set()
        detectors: list[Detector] = []
        for member in _expanded(members, lists, where):
            if member.startswith("@"):
                detectors.append(_detector(member[1:], category, where, together=together))
            elif member.startswith("re:"):
                patterns.add(self._pattern(member[3:], where))
            else:
                terms.add(self._term(member, views, where))
        return Group(frozenset(terms), frozenset(patterns), tuple(detectors))

    def _exceptions(self, entry: dict[str, Any], name: str, lists: dict[str, list[str]], where: str) -> Group:
        members = _texts(entry.get(name) or [], f"{where}: {name}")
        if name == "unless":
            members = [
                *members,
                *(f"re:{source}" for source in _texts(entry.get("unless_patterns") or [], where)),
            ]
        return self._group(members, Category.SPAM, _DEFAULT_VIEWS, lists, where, together=True)

    def _term(self, text: str, views: frozenset[ViewName], where: str) -> int:
        if not 0 < len(text) <= _LONGEST_TERM or not fold(text).plain.strip():
            raise ConfigurationError(
                f"{where}: the term {text!r} must have 1 to {_LONGEST_TERM} characters that can be read"
            )
        return self.terms.setdefault((text, views), len(self.terms))

    def _pattern(self, source: str, where: str) -> int:
        try:
            if re2.compile(source).search("") is not None:
                raise ConfigurationError(f"{where}: the pattern {source!r} matches nothing at all")
        except re2.error as error:
            raise ConfigurationError(f"{where}: the pattern {source!r} cannot be used: {error}") from error
        return self.patterns.setdefault(source, len(self.patterns))


def _refuse_unknown(mapping: dict[str, Any], known: frozenset[str], where: str) -> None:
    unknown = sorted(str(key) for key in mapping if key not in known)
    if unknown:
        raise ConfigurationError(f"{where}: unknown word {', '.join(unknown)}")


def _text(mapping: dict[str, Any], name: str, where: str) -> str:
    value = mapping.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{where}: {name} is missing or is no text")
    return value.strip()


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list):
        raise ConfigurationError(f"{where}: a list of texts is needed")
    for item in value:
        if not isinstance(item, str):
            raise ConfigurationError(f"{where}: {item!r} is no text; put it in quotation marks")
    return value


def _expanded(members: Iterable[str], lists: dict[str, list[str]], where: str) -> Iterable[str]:
    for member in members:
        if not member.startswith("$"):
            yield member
        elif member[1:] in lists:
            yield from _expanded(lists[member[1:]], {}, where)
        else:
            raise ConfigurationError(f"{where}: there is no list {member[1:]}")


def _category(name: str, where: str) -> Category:
    try:
        return Category(name)
    except ValueError as error:
        raise CharterViolation(f"{where}: the list of harms is closed; it has no {name}") from error


def _action(name: str, category: Category, where: str, *, operator: bool) -> RuleAction:
    try:
        action = RuleAction(name)
    except ValueError as error:
        raise ConfigurationError(f"{where}: no rule can {name}") from error
    if action is RuleAction.REFER and category is not Category.SELF_HARM:
        raise CharterViolation(f"{where}: only self-harm is referred")
    if action is RuleAction.REMOVE and category is Category.SELF_HARM:
        raise CharterViolation(f"{where}: self-harm is never a violation")
    if action is RuleAction.REMOVE and operator:
        raise CharterViolation(f"{where}: an operator's rule can at most hold")
    return action


def _views(value: object, where: str) -> frozenset[ViewName]:
    if value is None:
        return _DEFAULT_VIEWS
    try:
        views = frozenset(ViewName(name) for name in _texts(value, f"{where}: views"))
    except ValueError as error:
        raise ConfigurationError(f"{where}: views has a name that is no view: {error}") from error
    if not views:
        raise ConfigurationError(f"{where}: a rule looks in at least one view")
    return views


def _window(value: object, where: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"{where}: a window is a number of letters")
    return value


def _detector(name: str, category: Category, where: str, *, together: bool) -> Detector:
    kind, _, owner = name.partition(":")
    try:
        kinds = named(kind)
        if owner:
            return Detector(kinds, frozenset({Owner(owner)}))
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"{where}: there is no detector {name}") from error
    if category is Category.DOXXING:
        return Detector(kinds, _MAYBE_OTHERS if together else _OTHERS)
    return Detector(kinds, _NOT_OFFICE)


def read_rulebook(folders: Iterable[Path], operator_folders: Iterable[Path] = ()) -> Rulebook:
    """Return the rulebook of all packs in folders, compiled but not switched on.

    Raises
    ------
    ConfigurationError
        If a file cannot be used; the message names file, line, rule and reason.
    CharterViolation
        If a rule would go beyond the charter.
    """
    compiler = _Compiler()
    packs: list[Pack] = []
    for operator, group in ((False, folders), (True, operator_folders)):
        for folder in group:
            if not folder.is_dir():
                raise ConfigurationError(f"{folder} is no directory of rule packs")
            packs += [compiler.pack(path, operator=operator) for path in sorted(folder.glob("*.yaml"))]
    names = [pack.name for pack in packs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"two packs are named {', '.join(twice)}")
    terms = [Term(text, views) for text, views in compiler.terms]
    return Rulebook(packs, terms, list(compiler.patterns))


def failing_tests(rulebook: Rulebook) -> list[str]:
    """Return, for each of the rules' own tests that fails, the rule and the text."""
    failures: list[str] = []
    for pack in rulebook.packs:
        for rule in pack.rules:
            for expected, texts in ((True, rule.must_hit), (False, rule.must_miss)):
                for text in texts:
                    if (rule.id in {hit.rule.id for hit in rulebook.hits(fold(text))}) is not expected:
                        wish = "must hit" if expected else "must not hit"
                        failures.append(f"{pack.source}:{rule.line}: rule {rule.id} {wish}: {text}")
    return failures


def breaches(rulebook: Rulebook, policy: Policy, suite: Iterable[ProtectedText]) -> list[Breach]:
    """Return the protected texts that the rules alone would act upon."""
    found: list[Breach] = []
    for text in suite:
        decision = decide(Evidence(rulebook.hits(fold(text.text)), {}), policy)
        if decision.verdict is not Verdict.PUBLISH:
            found.append(Breach(text, tuple(dict.fromkeys(hit.rule.id for hit in decision.hits))))
    return found


def activate(rulebook: Rulebook, policy: Policy, suite: Iterable[ProtectedText]) -> Rulebook:
    """Return the rulebook once it has passed: the one door through which rules are switched on.

    Raises
    ------
    ConfigurationError
        If a rule fails a test of its own, or the policy proves a rule that there is not.
    CharterViolation
        If a rule would act on a protected text, or on the bare word for a matter of public life;
        the message names rules and texts.
    """
    failures = failing_tests(rulebook)
    if failures:
        raise ConfigurationError("rules fail tests of their own:\n" + "\n".join(failures))
    strange = sorted(set(policy.proven) - {rule.id for rule in rulebook.rules if not rule.operator})
    if strange:
        raise ConfigurationError(f"the policy proves rules that there are not: {', '.join(strange)}")
    broken = breaches(rulebook, policy, [*suite, *public_matters()])
    if broken:
        raise CharterViolation("protected texts would be acted upon:\n" + described(broken))
    return rulebook
