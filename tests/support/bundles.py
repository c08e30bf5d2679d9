"""A bundle whose answers a test writes down, in place of a learned one."""

from collections.abc import Mapping, Sequence

import numpy as np

from learning.bundle import FloatArray, Reads
from models.vocabulary import Category, Domain, Tone


class WrittenBundle:
    """Answers what it was given: probabilities by text, or one default for every other text."""

    name = "written-bundle"

    def __init__(
        self,
        harms: Mapping[str, Mapping[Category, float]] | None = None,
        default: Mapping[Category, float] | None = None,
    ) -> None:
        self.answers = dict(harms or {})
        self.default = dict(default or {})
        self.asked: list[str] = []

    def harms(self, texts: Sequence[str]) -> FloatArray:
        self.asked += texts
        rows = [[self.answers.get(text, self.default).get(word, 0.0) for word in Category] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(len(texts), len(Category))

    def reads(self, texts: Sequence[str]) -> Reads:
        n = len(texts)
        domain = np.full((n, len(Domain)), 1 / len(Domain), dtype=np.float32)
        return Reads(
            np.zeros(n, dtype=np.float32), domain, np.full((n, len(Tone)), 1 / len(Tone), dtype=np.float32)
        )

    def encode(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.zeros((len(texts), 4), dtype=np.float32)
        vectors[:, 0] = 1.0
        return vectors
