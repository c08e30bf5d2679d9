"""Run the exported encoder: texts → logits of every head and one vector each, in one pass.

The graph reads one row of characters at a time (`characters`). Weights and states are in eight bits,
whose scale is set anew for each step; rows that shared a step would change each other's answers. One
row alone costs no more than its share of thirty-two (docs/reference/measurements.md), needs no
padding, and answers the same in every company. A text of several windows is as harmful as its worst
window, and reads and means what its windows do on average.

It needs onnxruntime and numpy, no torch. Rows are dealt to as many threads as it is told, because
the graph runs outside the interpreter's lock; results do not depend on how many.

Neighbours: `cascade` asks it about posts that the linear heads do not settle.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from learning.characters import Alphabet, Numbers
from learning.features import FloatArray
from models.errors import ConfigurationError

ALONE: Final = 4
"""So many rows are not worth a second thread."""

THREADS: Final = min(2, os.cpu_count() or 1)

_SMALLEST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class CharacterEncoder:
    """The encoder, opened.

    Attributes
    ----------
    harms
        How many of the outputs, from the first, are heads of harms.
    threads
        How many rows are read side by side.
    """

    session: Any
    alphabet: Alphabet
    harms: int
    threads: int = THREADS

    def read(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Return logits (n, k) and unit vectors (n, d), in the order of `texts`; n may not be 0."""
        windows, owners = self.alphabet.rows(texts)
        if len(windows) > ALONE and self.threads > 1:
            with ThreadPoolExecutor(self.threads) as threads:
                found = list(threads.map(self._row, windows))
        else:
            found = [self._row(window) for window in windows]
        logits = np.concatenate([logit for logit, _ in found])
        vectors = np.concatenate([vector for _, vector in found])
        return self._joined(logits, vectors, owners, len(texts))

    def _row(self, window: Numbers) -> tuple[FloatArray, FloatArray]:
        """Return logits (1, k) and vector (1, d) of one window."""
        logits, vector = self.session.run(None, {"numbers": window[:1], "sounds": window[1:]})
        return logits, vector

    def _joined(
        self, logits: FloatArray, vectors: FloatArray, owners: npt.NDArray[np.int64], count: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return one row for each text from those of its windows, which stand one after another."""
        if len(owners) > count:
            begins = np.flatnonzero(np.diff(owners, prepend=-1))
            sizes = np.bincount(owners, minlength=count)[:, None].astype(np.float32)
            worst = np.maximum.reduceat(logits[:, : self.harms], begins, axis=0)
            rest = np.add.reduceat(logits[:, self.harms :], begins, axis=0) / sizes
            logits = np.concatenate([worst, rest], axis=1)
            vectors = (np.add.reduceat(vectors, begins, axis=0) / sizes).astype(np.float32)
        lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _SMALLEST)
        return logits.astype(np.float32), (vectors / lengths).astype(np.float32)


def open_encoder(
    graph: Path, numbers: Path, sounds: Path, harms: int, threads: int = THREADS
) -> CharacterEncoder:
    """Return the encoder in three files that have been checked against a manifest.

    Raises
    ------
    ConfigurationError
        If the graph cannot be opened, or the tables are not an alphabet's.
    """
    import onnxruntime  # noqa: PLC0415 - opening takes a while, and the linear bundle needs none of it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        alphabet = Alphabet(np.load(numbers, allow_pickle=False), np.load(sounds, allow_pickle=False))
        session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigurationError(f"the encoder {graph.name} cannot be opened") from error
    return CharacterEncoder(session=session, alphabet=alphabet, harms=harms, threads=threads)
