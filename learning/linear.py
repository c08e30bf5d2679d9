"""The kind of bundle that ships: linear heads and n-gram vectors, in numpy alone.

It reads the arrays of a folder and gives their columns their names. Weights are kept in half
precision and vectors in eight bits, because what is lost is far below what the training data
can tell apart; they are widened once, when the bundle is opened.

Neighbours: `heads` and `vectors` do the arithmetic; `manifest` has checked the files before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from learning.encoder import DOMAIN_COLUMNS, HARM_COLUMNS, TONE_COLUMNS, Reads
from learning.features import FloatArray, Hashing
from learning.heads import LinearHeads, sigmoid, softmax
from learning.manifest import HashingEntry, Manifest
from learning.vectors import GramVectors
from models.errors import ConfigurationError

FOLDING: Final = "folding.npy"
SOUNDS: Final = "sounds.npy"
HARMS: Final = "harms.npy"
HARM_KEYS: Final = "harm_keys.npy"
"""The buckets of the n-grams that the harm heads keep, in the order of the rows of their table, whose first
row belongs to all others. Without it, the table has a row for each bucket."""
READS: Final = "reads.npy"
READS_DENSE: Final = "reads_dense.npy"
GRAM_KEYS: Final = "gram_keys.npy"
GRAM_VECTORS: Final = "gram_vectors.npy"
GRAM_SCALES: Final = "gram_scales.npy"
GRAM_SHARED: Final = "gram_shared.npy"
FILES: Final = (
    FOLDING,
    SOUNDS,
    HARMS,
    HARM_KEYS,
    READS,
    READS_DENSE,
    GRAM_KEYS,
    GRAM_VECTORS,
    GRAM_SCALES,
    GRAM_SHARED,
)

_DOMAIN = slice(1, 1 + len(DOMAIN_COLUMNS))
_TONE = slice(_DOMAIN.stop, _DOMAIN.stop + len(TONE_COLUMNS))


@dataclass(frozen=True, slots=True)
class LinearBundle:
    """Harm heads, read heads and vectors over hashed character n-grams."""

    name: str
    harm_heads: LinearHeads
    trained: FloatArray
    read_heads: LinearHeads
    vectors: GramVectors

    def harms(self, texts: Sequence[str]) -> FloatArray:
        """Return a calibrated probability for each text and category. Shape (n, 10)."""
        return sigmoid(self.harm_heads.logits(texts)) * self.trained

    def reads(self, texts: Sequence[str]) -> Reads:
        """Return need, domain and tone of each text."""
        logits = self.read_heads.logits(texts)
        return Reads(
            need=sigmoid(logits[:, 0]), domain=softmax(logits[:, _DOMAIN]), tone=softmax(logits[:, _TONE])
        )

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return one unit vector for each text. Shape (n, d)."""
        return self.vectors.encode(texts)


def open_linear(folder: Path, manifest: Manifest) -> LinearBundle:
    """Return the linear bundle in `folder`, whose files have been checked against `manifest`.

    Raises
    ------
    ConfigurationError
        If the arrays are not there or do not fit each other.
    """
    try:
        arrays = {
            name: np.load(folder / name, allow_pickle=False) for name in FILES if name in manifest.files
        }
        table = arrays[FOLDING].astype(np.uint32)
        hashing = {
            name: hashing_of(entry, table, arrays.get(SOUNDS)) for name, entry in manifest.hashing.items()
        }
        vectors = GramVectors(
            hashing=hashing["grams"],
            keys=arrays[GRAM_KEYS],
            vectors=arrays[GRAM_VECTORS].astype(np.float32) * arrays[GRAM_SCALES].astype(np.float32)[:, None],
            shared=arrays[GRAM_SHARED].astype(np.float32),
        )
        read = _heads(hashing["reads"], arrays[READS], manifest, ["need", "domain", "tone"], _TONE.stop)
        return LinearBundle(
            name=manifest.name,
            harm_heads=_heads(
                hashing["harms"],
                arrays[HARMS],
                manifest,
                ["harms"],
                len(HARM_COLUMNS),
                keys=arrays.get(HARM_KEYS),
            ),
            trained=np.array([head.trained for head in manifest.heads["harms"]], dtype=np.float32),
            read_heads=replace(read, vectors=vectors, dense=arrays[READS_DENSE].astype(np.float32)),
            vectors=vectors,
        )
    except (OSError, KeyError, ValueError, IndexError) as error:
        raise ConfigurationError(f"the arrays of the bundle {manifest.name} do not fit each other") from error


def hashing_of(
    entry: HashingEntry, table: npt.NDArray[np.uint32], sounds: npt.NDArray[np.uint16] | None
) -> Hashing:
    """Return the hashing that a recipe or a manifest describes, over these tables."""
    return Hashing(
        bits=entry.bits,
        orders=entry.orders,
        table=table,
        heard=entry.heard,
        sounds=sounds if entry.heard else None,
    )


def rows_of(keys: npt.NDArray[np.uint32], bits: int) -> npt.NDArray[np.int32]:
    """Return the row of each of `2**bits` buckets: where it stands among `keys`, counted from 1, or 0."""
    rows = np.zeros(1 << bits, dtype=np.int32)
    rows[keys] = np.arange(1, len(keys) + 1, dtype=np.int32)
    return rows


def _heads(
    hashing: Hashing,
    table: FloatArray,
    manifest: Manifest,
    groups: Sequence[str],
    count: int,
    *,
    keys: npt.NDArray[np.uint32] | None = None,
) -> LinearHeads:
    """Return the heads of `groups`, one after another, over one table of weights."""
    heads = [head for group in groups for head in manifest.heads[group]]
    if len(heads) != count:
        raise ValueError(f"need {count} heads, got {len(heads)}")
    if keys is not None and len(keys) + 1 != len(table):
        raise ValueError(f"{len(keys)} keys do not fit a table of {len(table)} rows")
    upper = np.array([head.upper for head in heads], dtype=np.float32)
    return LinearHeads(
        hashing=hashing,
        table=table.astype(np.float32),
        bias=np.array([head.bias for head in heads], dtype=np.float32),
        slope=np.array([head.slope for head in heads], dtype=np.float32),
        offset=np.array([head.offset for head in heads], dtype=np.float32),
        upper=upper if (upper < 1.0).any() else None,
        rows=None if keys is None else rows_of(keys, hashing.bits),
    )
