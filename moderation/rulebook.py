"""Load packs of rules, and switch a rulebook on through the one door there is.

A pack is a YAML file: its name, its version, shared lists of terms and its rules. Everything about
it is checked when it is read: unknown words, a category outside the closed list, a clause that is
not the category's, a pattern that the linear-time engine refuses, an id that occurs twice, a rule
that refers outside self-harm, an operator's rule that would remove. An error names the file, the
line, the rule and the reason; the rulebook that runs stays as it is.

`activate` is the door: it runs each rule's own tests and the protected suite, and refuses with the
texts that would be acted upon.

Terms are looked for in the rule's `views`, patterns in its `pattern_views` (always in the plain one too),
exceptions in a rule's context in the default views and, if patterns, in the plain one.

In a rule, `any`, `patterns` and `detectors` are one block of alternatives; `all_of` adds groups, and
all groups and the block must meet in one sentence, or within `window` letters. A group may hold
terms, "$list", "@detector", "@detector:owner" and "re:PATTERN". In rules about doxxing a detector
counts somebody else's data only (and, where another group stands beside it, data of unknown owner);
elsewhere whatever is not a public office's. A rule with `behaviour` looks at how posts come instead
(`behaviour`), and is tested with scenes: `{say: [text], times: 8, minutes: 60, authors: 8}`.

Neighbours: `rules` judges with what is loaded here; `pipeline` holds the rulebook that runs.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import re2
import yaml

from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import CLAUSES, Category, Verdict
from moderation.behaviour import MOST, Behaviour, BehaviourKind, Memory, Sighting, fingerprints, sells
from moderation.lexicon import Term
from moderation.normalise import Folded, ViewName, fold
from moderation.policy import Evidence, Policy, by_probability, decide
from moderation.privacy import Owner, named
from moderation.protected import Breach, ProtectedText, described, public_matters
from moderation.rules import (
    PATTERN_VIEWS,
    Detector,
    Group,
    Hit,
    Pattern,
    Rule,
    RuleAction,
    RuleMatcher,
    Scene,
)

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
        _LINE,
    }
)
_BEHAVIOUR_WORDS: Final = frozenset({"kind", "at_least", "minutes", "authors", "selling", _LINE})
_SCENE_WORDS: Final = frozenset({"say", "times", "minutes", "authors", _LINE})
_LOOKS: Final = frozenset(
    {"views", "any", "all_of", "window", "patterns", "detectors", "unless", "unless_patterns"}
)
_LONGEST_SCENE: Final = 200
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

    def __init__(self, packs: Sequence[Pack], terms: Sequence[Term], patterns: Sequence[Pattern]) -> None:
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
        """Return the rules that a post breaks by what it says."""
        return self._matcher.hits(folded)

    @cached_property
    def behaviours(self) -> tuple[Rule, ...]:
        """The rules that look at how posts come."""
        return tuple(rule for rule in self.rules if rule.behaviour is not None)

    def conspicuous(self, folded: Folded, post: Sighting, seen: Sequence[Sighting]) -> tuple[Hit, ...]:
        """Return the rules that a post breaks by how it comes, after what was seen before it."""
        return self._matcher.conspicuous(folded, post, seen)


class _Loader(yaml.SafeLoader if not hasattr(yaml, "CSafeLoader") else yaml.CSafeLoader):  # type: ignore[misc]
    """Reads YAML with the line of every mapping, and refuses a key that occurs twice."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value]
    twice = sorted({key for key in keys if isinstance(key, str) and keys.count(key) > 1})
    if twice:
        raise yaml.constructor.ConstructorError(
            None, None, f"{', '.join(twice)} occurs twice", node.start_mark
        )
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    mapping[_LINE] = node.start_mark.line + 1
    return mapping


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


class _Looks(NamedTuple):
    """The views in which terms and patterns are looked for."""

    terms: frozenset[ViewName]
    patterns: frozenset[ViewName]


_EXCEPTIONS: Final = _Looks(_DEFAULT_VIEWS, frozenset({ViewName.PLAIN}))


class _Compiler:
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
        except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigurationError(f"{file}:{_line_of(error)}: cannot be read as YAML: {error}") from error
        if not isinstance(document, dict) or not isinstance(document.get("rules"), list):
            raise ConfigurationError(f"{file}:1: a pack has a name, a version and a list of rules")
        where = f"{file}:{document[_LINE]}"
        _refuse_unknown(document, _PACK_WORDS, where)
        name = _text(document, "pack", where)
        version = _text(document, "version", where)
        lists = self._lists(document.get("lists") or {}, file)
        rules = tuple(
            self._rule(entry, name, lists, file, operator=operator, after=document[_LINE])
            for entry in document["rules"]
        )
        return Pack(name, version, file, hashlib.sha256(content).hexdigest(), rules)

    def _lists(self, lists: object, file: str) -> dict[str, list[str]]:
        if not isinstance(lists, dict):
            raise ConfigurationError(f"{file}:1: lists are named lists of terms")
        return {
            name: _texts(value, f"{file}:{lists[_LINE]}: list {name}")
            for name, value in lists.items()
            if name != _LINE
        }

    def _rule(
        self, entry: object, pack: str, lists: dict[str, list[str]], file: str, *, operator: bool, after: int
    ) -> Rule:
        if not isinstance(entry, dict):
            raise ConfigurationError(f"{file}:{after}: every rule of a pack is a mapping")
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
        looks = _Looks(views, _pattern_views(entry.get("pattern_views"), where))
        tests = entry.get("tests") or {}
        if not isinstance(tests, dict) or not set(tests) <= {"hit", "miss", _LINE}:
            raise ConfigurationError(f"{where}: tests are lists of texts under hit and miss")
        behaviour = _behaviour(entry, category, action, where)
        scenes = _scenes(tests, f"{where}: tests") if behaviour else ()
        texts = {} if behaviour else tests
        must_hit = tuple(_texts(texts.get("hit") or [], f"{where}: tests"))
        if not must_hit and not any(scene.must_hit for scene in scenes):
            raise ConfigurationError(f"{where}: a rule has at least one text that it must hit")
        groups = () if behaviour else self._groups(entry, category, looks, lists, where)
        own_terms = _looked_for(entry, lists, where)
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
            terms=own_terms,
            must_hit=must_hit,
            must_miss=tuple(_texts(texts.get("miss") or [], f"{where}: tests")),
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
            *_texts(entry.get("any") or [], f"{where}: any"),
            *(f"re:{pattern}" for pattern in _texts(entry.get("patterns") or [], f"{where}: patterns")),
            *(f"@{name}" for name in _texts(entry.get("detectors") or [], f"{where}: detectors")),
        ]
        groups = (
            [self._group(alternatives, category, looks, lists, where, together=together)]
            if alternatives
            else []
        )
        for number, group in enumerate(written, start=1):
            members = _texts(
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
        for member in _expanded(members, lists, where):
            if member.startswith("@"):
                detectors.append(_detector(member[1:], category, where, together=together))
            elif member.startswith("re:"):
                patterns.add(self._pattern(member[3:], looks.patterns, where))
            else:
                terms.add(self._term(member, looks.terms, where))
        return Group(frozenset(terms), frozenset(patterns), tuple(detectors))

    def _exceptions(self, entry: dict[str, Any], name: str, lists: dict[str, list[str]], where: str) -> Group:
        members = _texts(entry.get(name) or [], f"{where}: {name}")
        if name == "unless":
            members = [
                *members,
                *(f"re:{source}" for source in _texts(entry.get("unless_patterns") or [], where)),
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


def _looked_for(entry: dict[str, Any], lists: dict[str, list[str]], where: str) -> tuple[str, ...]:
    """Return all that a rule looks for, as it is published: the terms of its lists too, once each."""
    written = list(_texts(entry.get("any") or [], where))
    for group in entry.get("all_of") or []:
        written += _texts(group if isinstance(group, list) else [group], where)
    written += [f"re:{pattern}" for pattern in _texts(entry.get("patterns") or [], where)]
    written += [f"@{name}" for name in _texts(entry.get("detectors") or [], where)]
    return tuple(dict.fromkeys(_expanded(written, lists, where)))


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


def _pattern_views(value: object, where: str) -> frozenset[ViewName]:
    """Return the views of a rule's patterns. The plain one is always among them."""
    views = _views(value, where)
    if not views <= PATTERN_VIEWS:
        raise ConfigurationError(
            f"{where}: a pattern is looked for in plain, squeezed, joined and drawn only"
        )
    return views | {ViewName.PLAIN}


def _window(value: object, where: str) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"{where}: a window is a number of letters")
    return value


def _whole(mapping: dict[str, Any], name: str, default: int | None, where: str) -> int:
    value = mapping.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"{where}: {name} is a whole number")
    return value


def _behaviour(entry: dict[str, Any], category: Category, action: RuleAction, where: str) -> Behaviour | None:
    """Return what a rule counts, or None for a rule on what a post says."""
    written = entry.get("behaviour")
    if written is None:
        return None
    if not isinstance(written, dict):
        raise ConfigurationError(f"{where}: behaviour is a mapping")
    _refuse_unknown(written, _BEHAVIOUR_WORDS, where)
    if _LOOKS & entry.keys():
        raise ConfigurationError(
            f"{where}: a rule on behaviour looks for no terms: {', '.join(_LOOKS & entry.keys())}"
        )
    if category is not Category.SPAM:
        raise CharterViolation(f"{where}: how posts come can be spam and nothing else")
    if action not in {RuleAction.SIGNAL, RuleAction.HOLD}:
        raise CharterViolation(f"{where}: a rule on behaviour can at most hold")
    selling = written.get("selling", False) is True
    if action is RuleAction.HOLD and not selling:
        raise CharterViolation(
            f"{where}: saying something often is no harm; only posts that sell can be held for it"
        )
    try:
        return Behaviour(
            kind=BehaviourKind(_text(written, "kind", where)),
            at_least=_whole(written, "at_least", None, where),
            within=timedelta(minutes=_whole(written, "minutes", None, where)),
            authors=_whole(written, "authors", 1, where),
            selling=selling,
        )
    except CharterViolation as error:
        raise CharterViolation(f"{where}: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _scenes(tests: dict[str, Any], where: str) -> tuple[Scene, ...]:
    """Return the scenes that a rule on behaviour is tested with."""
    scenes: list[Scene] = []
    for name, must_hit in (("hit", True), ("miss", False)):
        for written in tests.get(name) or []:
            if not isinstance(written, dict):
                raise ConfigurationError(f"{where}: a rule on behaviour is tested with scenes")
            _refuse_unknown(written, _SCENE_WORDS, where)
            say = tuple(_texts(written.get("say"), where))
            times = _whole(written, "times", None, where)
            if not say or not 1 <= times <= _LONGEST_SCENE:
                raise ConfigurationError(f"{where}: a scene has texts, and 1 to {_LONGEST_SCENE} posts")
            scenes.append(
                Scene(
                    say=say,
                    times=times,
                    minutes=_whole(written, "minutes", None, where),
                    authors=max(1, _whole(written, "authors", 1, where)),
                    must_hit=must_hit,
                )
            )
    return tuple(scenes)


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


def read_rulebook(
    folders: Iterable[Path],
    operator_folders: Iterable[Path] = (),
    proposed: Iterable[tuple[str, str]] = (),
) -> Rulebook:
    """Return the rulebook of all packs, compiled but not switched on.

    `proposed` are an operator's packs that are no files: a name for messages, and the YAML.

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
    packs += [compiler.pack_of(source.encode(), file, operator=True) for file, source in proposed]
    first: dict[str, Pack] = {}
    for pack in packs:
        if first.setdefault(pack.name, pack) is not pack:
            raise ConfigurationError(
                f"{pack.source}:1: the pack {pack.name} stands in {first[pack.name].source} already"
            )
    terms = [Term(text, views) for text, views in compiler.terms]
    return Rulebook(packs, terms, list(compiler.patterns))


def failing_tests(rulebook: Rulebook) -> list[str]:
    """Return, for each of the rules' own tests that fails, the rule and the text."""
    failures: list[str] = []
    for pack in rulebook.packs:
        for rule in pack.rules:
            tests = [
                *((True, text, rule.id in _ids(rulebook.hits(fold(text)))) for text in rule.must_hit),
                *((False, text, rule.id in _ids(rulebook.hits(fold(text)))) for text in rule.must_miss),
                *(
                    (scene.must_hit, scene.say[0], rule.id in _ids(_played(rulebook, scene)))
                    for scene in rule.scenes
                ),
            ]
            for expected, text, found in tests:
                if found is not expected:
                    wish = "must hit" if expected else "must not hit"
                    failures.append(f"{pack.source}:{rule.line}: rule {rule.id} {wish}: {text}")
    return failures


def _ids(hits: Iterable[Hit]) -> set[str]:
    return {hit.rule.id for hit in hits}


_SALT: Final = b"scenes"
_BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)


def _played(rulebook: Rulebook, scene: Scene) -> tuple[Hit, ...]:
    """Return the rules on behaviour that the last post of a scene breaks."""
    folded = [fold(text) for text in scene.say]
    traits = [
        (copy, sells(view, rulebook.hits(view)))
        for view, copy in zip(folded, fingerprints(folded, _SALT), strict=True)
    ]
    memory = Memory(_SALT)
    hits: tuple[Hit, ...] = ()
    for number in range(scene.times):
        place = number % len(folded)
        at = _BEGIN + timedelta(minutes=scene.minutes) * number / max(1, scene.times - 1)
        post = Sighting(number % scene.authors, traits[place][0], at, traits[place][1])
        hits = rulebook.conspicuous(folded[place], post, memory.near(post))
        memory.add(post)
    return hits


def breaches(
    rulebook: Rulebook, policy: Policy, suite: Iterable[ProtectedText], *, without: Collection[str] = ()
) -> list[Breach]:
    """Return the protected texts that the rules alone would act upon, said once or by very many people.

    `without` are ids of rules that are retired.
    """
    found: list[Breach] = []
    for text in suite:
        view = fold(text.text)
        hits = rulebook.hits(view)
        if rulebook.behaviours and sells(view, hits):
            scene = Scene((text.text,), times=MOST, minutes=60, authors=MOST, must_hit=False)
            hits = (*hits, *_played(rulebook, scene))
        if without:
            hits = tuple(hit for hit in hits if hit.rule.id not in without)
        decision = decide(Evidence(hits, {}), policy)
        if decision.verdict is not Verdict.PUBLISH:
            found.append(Breach(text, tuple(dict.fromkeys(hit.rule.id for hit in decision.hits))))
    return found


def activate(
    rulebook: Rulebook, policy: Policy, suite: Iterable[ProtectedText], *, without: Collection[str] = ()
) -> Rulebook:
    """Return the rulebook once it has passed: the one door through which rules are switched on.

    `without` are ids of rules that are retired. A rule in shadow passes like one that counts.

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
    known = {rule.id for rule in rulebook.rules if not rule.operator or rule.id in policy.lifted}
    known |= {by_probability(category) for category in Category}
    strange = sorted(set(policy.proven) - known)
    if strange:
        raise ConfigurationError(f"the policy proves rules that there are not: {', '.join(strange)}")
    broken = breaches(rulebook, policy, [*suite, *public_matters()], without=without)
    if broken:
        places = {
            rule.id: f"{pack.source}:{rule.line}: rule {rule.id}"
            for pack in rulebook.packs
            for rule in pack.rules
        }
        placed = [replace(one, by=tuple(places.get(name, name) for name in one.by)) for one in broken]
        raise CharterViolation("protected texts would be acted upon:\n" + described(placed))
    return rulebook
