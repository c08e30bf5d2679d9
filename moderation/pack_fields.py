"""What may stand in each field of a rule, and what is said where something else does.

A function per field takes what was written and the place where it stands, and returns the value. Everything
is checked here: unknown words, a category outside the closed list, an action that the charter keeps from a
rule, a view or a detector that there is not. `where` begins every error: the file, the line, the rule.

Neighbours: `packs` reads files and puts the fields together; `rules` has the types of the values.
"""

import reprlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import Category
from moderation.behaviour import Behaviour, BehaviourKind
from moderation.normalise import ViewName
from moderation.privacy import Owner, named
from moderation.rules import PATTERN_VIEWS, Detector, RuleAction, Scene

LINE: Final = "__line__"
"""The key under which the reader of YAML puts the line of a mapping."""

DEFAULT_VIEWS: Final = frozenset({ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED})
"""The views of terms, where a rule names none."""

_BEHAVIOUR_WORDS: Final = frozenset({"kind", "at_least", "minutes", "authors", "selling", LINE})
_SCENE_WORDS: Final = frozenset({"say", "times", "minutes", "authors", LINE})
_LOOKS: Final = frozenset(
    {"views", "any", "all_of", "window", "patterns", "detectors", "unless", "unless_patterns"}
)
_LONGEST_SCENE: Final = 200
_NOT_OFFICE: Final = frozenset({Owner.OWN, Owner.OTHER, Owner.UNKNOWN})
_MAYBE_OTHERS: Final = frozenset({Owner.OTHER, Owner.UNKNOWN})
_OTHERS: Final = frozenset({Owner.OTHER})


def refuse_unknown(mapping: dict[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse a mapping with a key that is not known."""
    unknown = sorted(str(key) for key in mapping if key not in known)
    if unknown:
        raise ConfigurationError(f"{where}: unknown word {', '.join(unknown)}")


def text_of(mapping: dict[str, Any], name: str, where: str) -> str:
    """Return a text that must be there, without space around it."""
    value = mapping.get(name)
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{where}: {name} is missing or is no text")
    return value.strip()


def texts_of(value: object, where: str) -> list[str]:
    """Return a list of texts; every item must be one."""
    if not isinstance(value, list):
        raise ConfigurationError(f"{where}: a list of texts is needed")
    for item in value:
        if not isinstance(item, str):
            # Lists within lists can be short in a file and endless when written out.
            raise ConfigurationError(f"{where}: {reprlib.repr(item)} is no text; put it in quotation marks")
    return value


def expanded(members: Iterable[str], lists: dict[str, list[str]], where: str) -> Iterable[str]:
    """Yield the members, and in the place of "$list" what stands in the list."""
    for member in members:
        if not member.startswith("$"):
            yield member
        elif member[1:] in lists:
            yield from expanded(lists[member[1:]], {}, where)
        else:
            raise ConfigurationError(f"{where}: there is no list {member[1:]}")


def looked_for(entry: dict[str, Any], lists: dict[str, list[str]], where: str) -> tuple[str, ...]:
    """Return all that a rule looks for, as it is published: the terms of its lists too, once each."""
    written = list(texts_of(entry.get("any") or [], where))
    for group in entry.get("all_of") or []:
        written += texts_of(group if isinstance(group, list) else [group], where)
    written += [f"re:{pattern}" for pattern in texts_of(entry.get("patterns") or [], where)]
    written += [f"@{name}" for name in texts_of(entry.get("detectors") or [], where)]
    return tuple(dict.fromkeys(expanded(written, lists, where)))


def category_of(name: str, where: str) -> Category:
    """Return a category of the closed list; the charter refuses every other."""
    try:
        return Category(name)
    except ValueError as error:
        raise CharterViolation(f"{where}: the list of harms is closed; it has no {name}") from error


def action_of(name: str, category: Category, where: str, *, operator: bool) -> RuleAction:
    """Return what a rule does, within what the charter lets a rule of the category and its author do."""
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


def views_of(value: object, where: str) -> frozenset[ViewName]:
    """Return the views in which terms are looked for; the usual ones where none are named."""
    if value is None:
        return DEFAULT_VIEWS
    try:
        views = frozenset(ViewName(name) for name in texts_of(value, f"{where}: views"))
    except ValueError as error:
        raise ConfigurationError(f"{where}: views has a name that is no view: {error}") from error
    if not views:
        raise ConfigurationError(f"{where}: a rule looks in at least one view")
    return views


def pattern_views_of(value: object, where: str) -> frozenset[ViewName]:
    """Return the views of a rule's patterns. The plain one is always among them."""
    views = views_of(value, where)
    if not views <= PATTERN_VIEWS:
        raise ConfigurationError(
            f"{where}: a pattern is looked for in plain, squeezed, joined and drawn only"
        )
    return views | {ViewName.PLAIN}


def window_of(value: object, where: str) -> int | None:
    """Return within how many letters groups must meet, >= 0; None where a sentence counts."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"{where}: a window is a number of letters")
    return value


def whole_of(mapping: dict[str, Any], name: str, default: int | None, where: str) -> int:
    """Return a whole number, or the default where nothing is written."""
    value = mapping.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"{where}: {name} is a whole number")
    return value


def behaviour_of(
    entry: dict[str, Any], category: Category, action: RuleAction, where: str
) -> Behaviour | None:
    """Return what a rule counts, or None for a rule on what a post says."""
    written = entry.get("behaviour")
    if written is None:
        return None
    if not isinstance(written, dict):
        raise ConfigurationError(f"{where}: behaviour is a mapping")
    refuse_unknown(written, _BEHAVIOUR_WORDS, where)
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
            kind=BehaviourKind(text_of(written, "kind", where)),
            at_least=whole_of(written, "at_least", None, where),
            within=timedelta(minutes=whole_of(written, "minutes", None, where)),
            authors=whole_of(written, "authors", 1, where),
            selling=selling,
        )
    except CharterViolation as error:
        raise CharterViolation(f"{where}: {error}") from error
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"{where}: {error}") from error


def scenes_of(tests: dict[str, Any], where: str) -> tuple[Scene, ...]:
    """Return the scenes that a rule on behaviour is tested with."""
    scenes: list[Scene] = []
    for name, must_hit in (("hit", True), ("miss", False)):
        for written in tests.get(name) or []:
            if not isinstance(written, dict):
                raise ConfigurationError(f"{where}: a rule on behaviour is tested with scenes")
            refuse_unknown(written, _SCENE_WORDS, where)
            say = tuple(texts_of(written.get("say"), where))
            times = whole_of(written, "times", None, where)
            if not say or not 1 <= times <= _LONGEST_SCENE:
                raise ConfigurationError(f"{where}: a scene has texts, and 1 to {_LONGEST_SCENE} posts")
            scenes.append(
                Scene(
                    say=say,
                    times=times,
                    minutes=whole_of(written, "minutes", None, where),
                    authors=max(1, whole_of(written, "authors", 1, where)),
                    must_hit=must_hit,
                )
            )
    return tuple(scenes)


def detector_of(name: str, category: Category, where: str, *, together: bool) -> Detector:
    """Return a detector by its name, and whose data it counts in rules of the category."""
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
