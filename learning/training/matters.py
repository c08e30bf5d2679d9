"""Learn vectors of matters: which n-grams speak for which of the matters that we wrote down.

Each written matter is one answer of a ridge regression over n-grams and the first stage's vector,
solved in its dual form, because there are more n-grams than texts. The answers to all texts span few
directions that matter; the vector is what lies in those.

It reads `texts/matters.txt`, `texts/matters_plain.txt` and the demands of our own months, no data set and
no suite. The same texts give the same table to rounding, in seconds: `scripts/fit_matters.py` makes it
anew whenever the first stage changes.

Neighbours: `learning/matters` serves what is made here; `months` makes months of the same texts.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
from scipy import linalg, sparse

from learning.features import FloatArray
from learning.matters import PROBE, SAYS, SHARE, TABLE, Matters, grams_of

ELLIPTIC: Final = Path(__file__).parent / "texts" / "matters.txt"
"""Texts that lean on their neighbours and leave the noun out."""

PLAIN: Final = Path(__file__).parent / "texts" / "matters_plain.txt"
"""Texts that say what they are about, as most posts do."""

DIMENSIONS: Final = 128
RIDGE: Final = 3.0
LEAST: Final = 1
"""Texts in which an n-gram must stand. Those of a single text help, measured on months held out."""

PLACE: Final = "{地}"
_SMALLEST: Final = 1e-6
_STEPS: Final = 127.0

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Written:
    """A matter as we wrote it: its domain, where it happens (place, campus or spread), and its texts."""

    title: str
    domain: str
    kind: str
    texts: tuple[str, ...]


def read_written(*paths: Path) -> list[Written]:
    """Return the written matters of the files, of both if none is named, in their order.

    A matter that goes on in another file, or further down, is one; its first line says its domain.
    """
    said: dict[str, tuple[str, str, list[str]]] = {}
    texts: list[str] = []
    for path in paths or (ELLIPTIC, PLAIN):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("# "):
                _, domain, kind, title = line.split(maxsplit=3)
                texts = said.setdefault(title, (domain, kind, []))[2]
            elif line:
                texts.append(line)
    return [Written(title, domain, kind, tuple(those)) for title, (domain, kind, those) in said.items()]


def fit_matters(
    name: str,
    folded: Sequence[str],
    matters: Sequence[str],
    first: FloatArray,
    probe: FloatArray,
) -> Matters:
    """Return the table that `folded` texts teach, each of which is about one of `matters`.

    Parameters
    ----------
    folded, matters
        The texts as the first stage reads them, and for each what it is about.
    first, probe
        Shape (n, e) and (e,): the first stage's vectors of the texts and of `PROBE`.
    """
    grams = [grams_of(text) for text in folded]
    keys, rarity, said = _weighed(grams)
    middle = first.mean(axis=0)
    apart = first - middle
    beside = SHARE * apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), _SMALLEST)
    kernel = np.asarray((said @ said.T).todense()) + (beside @ beside.T).astype(np.float64)
    places = {matter: place for place, matter in enumerate(dict.fromkeys(matters))}
    wanted = np.zeros((len(folded), len(places)))
    wanted[np.arange(len(folded)), [places[matter] for matter in matters]] = 1.0
    wanted /= np.sqrt(wanted.sum(axis=0))  # A matter with many texts may not take all directions.
    wanted -= wanted.mean(axis=0)
    dual = linalg.solve(kernel + RIDGE * np.eye(len(folded)), wanted, assume_a="pos")
    answers = kernel @ dual
    _, directions = np.linalg.eigh(answers.T @ answers)
    kept = directions[:, ::-1][:, : min(DIMENSIONS, len(places))]
    return Matters(
        name=name,
        keys=keys,
        rarity=rarity.astype(np.float32),
        weights=np.asarray(said.T @ (dual @ kept), dtype=np.float32),
        middle=middle.astype(np.float32),
        heard=np.asarray(beside.T @ (dual @ kept), dtype=np.float32),
        probe=probe.astype(np.float32),
    )


def _weighed(grams: Sequence[Counter[int]]) -> tuple[npt.NDArray[np.uint32], Doubles, sparse.csr_array]:
    """Return the n-grams that are kept, their rarity, and the texts as unit rows over them."""
    counted = Counter(key for found in grams for key in found)
    keys = np.array(sorted(key for key, count in counted.items() if count >= LEAST), dtype=np.uint32)
    rarity = np.log((1 + len(grams)) / (1 + np.array([counted[int(key)] for key in keys]))) + 1.0
    rows, columns, values = [], [], []
    place_of = {int(key): place for place, key in enumerate(keys)}
    for row, found in enumerate(grams):
        known = [(place_of[key], count) for key, count in found.items() if key in place_of]
        weight = np.array([(1.0 + np.log(count)) * rarity[place] for place, count in known])
        rows += [row] * len(known)
        columns += [place for place, _ in known]
        values += (weight / max(float(np.linalg.norm(weight)), _SMALLEST)).tolist()
    return keys, rarity, sparse.csr_array((values, (rows, columns)), shape=(len(grams), len(keys)))


def write_matters(table: Matters, folder: Path) -> None:
    """Write the table and its description; weights in eight bits, with a scale for each n-gram."""
    folder.mkdir(parents=True, exist_ok=True)
    scales = np.maximum(np.abs(table.weights).max(axis=1), _SMALLEST) / _STEPS
    held = io.BytesIO()
    np.savez_compressed(
        held,
        keys=table.keys,
        rarity=table.rarity.astype(np.float16),
        weights=np.round(table.weights / scales[:, None]).astype(np.int8),
        scales=scales.astype(np.float32),
        middle=table.middle.astype(np.float32),
        heard=table.heard.astype(np.float16),
        probe=table.probe.astype(np.float32),
    )
    (folder / TABLE).write_bytes(held.getvalue())
    says = {"name": table.name, "sha256": hashlib.sha256(held.getvalue()).hexdigest()}
    (folder / SAYS).write_bytes(orjson.dumps(says, option=orjson.OPT_INDENT_2) + b"\n")


def taught(
    name: str,
    texts: Sequence[str],
    matters: Sequence[str],
    fold: Callable[[str], str],
    first: Callable[[Sequence[str]], FloatArray],
) -> Matters:
    """Return the table that `texts` teach, with the first stage's folding and vectors."""
    plain = [text.replace(PLACE, "") for text in texts]
    return fit_matters(name, [fold(text) for text in plain], matters, first(plain), first([PROBE])[0])
