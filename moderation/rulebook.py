"""All packs together: the rulebook that judges, read from folders and from proposed packs.

What is read here is compiled and not switched on; the rulebook that runs stays as it is.

Neighbours: `packs` reads one pack, `rules` judges with what is loaded here, `door` is the way in;
`pipeline` holds the rulebook that runs.
"""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from models.errors import ConfigurationError
from moderation.behaviour import Sighting
from moderation.lexicon import Term
from moderation.normalise import Folded
from moderation.packs import Compiler, Pack
from moderation.rules import Hit, Pattern, Rule, RuleMatcher


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
    compiler = Compiler()
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
