"""Know which matter of young people's life a text touches, by the words of that matter.

Short posts leave the noun out: 花洒 and 冷水 say *bathing* without it. The table
`tables/topics.txt` lists the words of each topic, and each topic belongs to one service domain.
It is knowledge of the field, not a list of demands, and no post can add to it.

Neighbours: `pipeline` weighs it against the learned heads; `demand/clustering` compares two posts
by it.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import ahocorasick_rs
import numpy as np
import numpy.typing as npt

from models.vocabulary import Domain

TABLE: Final = Path(__file__).parent / "tables" / "topics.txt"
DOMAINS: Final = tuple(Domain)

_WEIGHT_BY_LENGTH: Final = (0.0, 0.4, 0.8)
"""What one word says about the domain: a single character little, three and more the whole."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Topics:
    """The words, and which topics each may speak of. Immutable."""

    names: tuple[str, ...]
    domains: tuple[Domain, ...]
    words: dict[str, tuple[int, ...]]
    _matcher: Any = field(init=False, repr=False)
    _keys: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        keys = tuple(self.words)
        object.__setattr__(self, "_keys", keys)
        object.__setattr__(
            self,
            "_matcher",
            ahocorasick_rs.AhoCorasick(keys, matchkind=ahocorasick_rs.MatchKind.LeftmostLongest),
        )

    def found(self, text: str) -> list[str]:
        """Return the words of the table in `text`, each once, in the order in which they come."""
        return list(
            dict.fromkeys(self._keys[index] for index, _, _ in self._matcher.find_matches_as_indexes(text))
        )

    def evidence(self, text: str) -> FloatArray:
        """Return how much the words speak for each domain. Shape (15,), >= 0, columns as in `Domain`."""
        evidence = np.zeros(len(DOMAINS), dtype=np.float32)
        for word in self.found(text):
            domains = {self.domains[topic] for topic in self.words[word]}
            weight = _WEIGHT_BY_LENGTH[len(word)] if len(word) < len(_WEIGHT_BY_LENGTH) else 1.0
            for domain in domains:
                evidence[DOMAINS.index(domain)] += weight / len(domains)
        return evidence

    def profile(self, text: str) -> FloatArray:
        """Return the topics of `text` as a unit vector, or zeros. Shape (topics,)."""
        profile = np.zeros(len(self.names), dtype=np.float32)
        for word in self.found(text):
            topics = self.words[word]
            for topic in topics:
                profile[topic] += (1.0 if len(word) > 1 else 0.5) / len(topics) ** 0.5
        length = float(np.linalg.norm(profile))
        return profile / length if length else profile


@functools.cache
def load_topics() -> Topics:
    """Return the shipped table."""
    names: list[str] = []
    domains: list[Domain] = []
    words: dict[str, list[int]] = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, listed = line.split(": ", 1)
        for word in dict.fromkeys(listed.split()):
            words.setdefault(word, []).append(len(names))
        names.append(name)
        domains.append(Domain(name.split("/")[0]))
    return Topics(tuple(names), tuple(domains), {word: tuple(topics) for word, topics in words.items()})
