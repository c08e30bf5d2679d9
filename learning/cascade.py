"""Two stages: linear heads settle the plain posts, the encoder reads the rest.

Most posts of a stream are plain: no linear head sees anything in them. They get the linear heads'
answer. Any post in which a head sees a little is read by the encoder too, and both together answer:
one calibrated line per head over the two logits. A caller that says from which probability on anything
would change spares the encoder what could not change it. Need, domain, tone and vectors come from both
stages for every text that is asked about, because only published posts are asked about, in a job.

What counts as plain is part of the bundle and is chosen so that on texts nobody trained on the
cascade misses almost nothing that both stages together would find (docs/encoders).

Neighbours: `linear` is the first stage, `encoder_onnx` the second; `manifest` has checked both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from learning.encoder import DOMAIN_COLUMNS, HARM_COLUMNS, TONE_COLUMNS, BarArray, Reads
from learning.encoder_onnx import CharacterEncoder, open_encoder
from learning.features import FloatArray
from learning.heads import eased, sigmoid, softmax
from learning.linear import LinearBundle
from learning.manifest import CascadeManifest, JointEntry
from learning.matters import Matters
from models.errors import ConfigurationError

GRAPH: Final = "encoder.onnx"
NUMBERS: Final = "numbers.npy"
SOUNDS: Final = "sounds.npy"

_NEED = len(HARM_COLUMNS)
_DOMAIN = slice(_NEED + 1, _NEED + 1 + len(DOMAIN_COLUMNS))
_TONE = slice(_DOMAIN.stop, _DOMAIN.stop + len(TONE_COLUMNS))
OUTPUTS: Final = _TONE.stop
"""What the graph answers: harms, need, domains, tones."""

_SMALLEST = 1e-9
_ROUNDING = 1e-6
"""A bar is taken so much lower, because sums of four bytes are not exact."""


@dataclass(frozen=True, slots=True)
class Joint:
    """k heads over two logits: `linear * first + encoder * min(second, most) + offset`.

    Shape (k,) float32 each. Without `most`, nothing is known about how far the second stage goes. The part
    of a logit above 0 counts by the factor `upper`, if there is one.
    """

    linear: FloatArray
    encoder: FloatArray
    offset: FloatArray
    most: FloatArray | None = None
    upper: FloatArray | None = None

    def logits(self, first: FloatArray, second: FloatArray) -> FloatArray:
        """Return the calibrated logits. Shape (n, k)."""
        if self.most is not None:
            second = np.minimum(second, self.most)
        result: FloatArray = self.linear * first + self.encoder * second + self.offset
        return result if self.upper is None else eased(result, self.upper)

    def highest(self, first: FloatArray) -> FloatArray | None:
        """Return what the logits are at most, whatever the second stage says; None if nobody knows.

        Shape (n, k). No smaller than `first` either, which stands where the second stage is not asked.
        """
        if self.most is None:
            return None
        result: FloatArray = np.maximum(first, self.logits(first, self.most))
        return result


@dataclass(frozen=True, slots=True)
class CascadeBundle:
    """Linear heads, then the encoder.

    Attributes
    ----------
    plain
        Shape (10,) float32: a text below this linear logit in every head is settled by the linear heads.
    trained
        Shape (10,) float32: 1 for a head that saw examples, else 0.
    share
        Lengths of the linear and of the encoder's vector in the joint one.
    matters
        What turns texts into vectors of matters. Where it is there, those are the vectors, and `share` waits.
    """

    name: str
    first: LinearBundle
    encoder: CharacterEncoder
    plain: FloatArray
    trained: FloatArray
    harm_heads: Joint
    read_heads: Joint
    share: tuple[float, float]
    matters: Matters | None = None

    def harms(self, texts: Sequence[str]) -> FloatArray:
        """Return a calibrated probability for each text and category. Shape (n, 10)."""
        logits = self.first.harm_heads.logits(texts)
        return self._read_closely(texts, logits, self._doubtful(logits))

    def harms_from(self, texts: Sequence[str], least: BarArray) -> FloatArray:
        """Return what `harms` does, without the encoder where no probability could reach its bar.

        How far the encoder can lift a logit is known (`Joint.most`), so this is exact: no estimate.
        """
        logits = self.first.harm_heads.logits(texts)
        asked = self._doubtful(logits)
        highest = self.harm_heads.highest(logits)
        if highest is not None:
            # Written so that what is no number is read closely.
            below = sigmoid(highest) * self.trained < least - _ROUNDING
            asked &= ~np.asarray(below.all(axis=1))
        return self._read_closely(texts, logits, asked)

    def _doubtful(self, logits: FloatArray) -> npt.NDArray[np.bool_]:
        """Tell which texts the linear heads do not settle. Shape (n,)."""
        return np.asarray((logits >= self.plain).any(axis=1), dtype=np.bool_)

    def _read_closely(
        self, texts: Sequence[str], logits: FloatArray, asked: npt.NDArray[np.bool_]
    ) -> FloatArray:
        """Return probabilities from the first stage's logits, and from both stages' where it is asked."""
        places = np.flatnonzero(asked)
        if len(places):
            found, _ = self.encoder.read([texts[int(place)] for place in places])
            logits[places] = self.harm_heads.logits(logits[places], found[:, :_NEED])
        return sigmoid(logits) * self.trained

    def reads(self, texts: Sequence[str]) -> Reads:
        """Return need, domain and tone of each text."""
        return self.reads_and_vectors(texts)[0]

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return one unit vector for each text: of its matter, or both stages' vectors side by side.

        Shape (n, d). Where the encoder's has no share, the vector is the first stage's.
        """
        if self.matters is not None or not self.share[1]:
            return self._vectors(texts, None)
        return self.reads_and_vectors(texts)[1]

    def reads_and_vectors(self, texts: Sequence[str]) -> tuple[Reads, FloatArray]:
        """Return what `reads` and `encode` do, for the price of one pass of the encoder."""
        if not len(texts):
            _, vectors = self.reads_and_vectors(["。"])
            return self.first.reads(texts), vectors[:0]
        found, meant = self.encoder.read(texts)
        logits = self.read_heads.logits(self.first.read_heads.logits(texts), found[:, _NEED:])
        domain, tone = _DOMAIN.start - _NEED, _TONE.start - _NEED
        reads = Reads(
            need=sigmoid(logits[:, 0]),
            domain=softmax(logits[:, domain:tone]),
            tone=softmax(logits[:, tone:]),
        )
        return reads, self._vectors(texts, meant)

    def _vectors(self, texts: Sequence[str], second: FloatArray | None) -> FloatArray:
        first = self.first.encode(texts)
        if self.matters is not None:
            fold = self.first.vectors.hashing.folded
            return self.matters.encode([fold(text) for text in texts], first)
        if second is None or not self.share[1]:
            return first
        joined = np.concatenate([self.share[0] * first, self.share[1] * second], axis=1)
        lengths = np.maximum(np.linalg.norm(joined, axis=1, keepdims=True), _SMALLEST)
        result: FloatArray = (joined / lengths).astype(np.float32)
        return result


def open_cascade(folder: Path, manifest: CascadeManifest, first: LinearBundle) -> CascadeBundle:
    """Return the cascade in `folder`, whose files have been checked against `manifest`.

    Raises
    ------
    ConfigurationError
        If its parts do not fit each other.
    """
    harms, reads = manifest.heads["harms"], manifest.heads["reads"]
    if len(harms) != _NEED or len(reads) != OUTPUTS - _NEED:
        raise ConfigurationError(f"the bundle {manifest.name} has heads for other columns than ours")
    encoder = open_encoder(folder / GRAPH, folder / NUMBERS, folder / SOUNDS, _NEED)
    logits, _ = encoder.read(["。"])
    if logits.shape != (1, OUTPUTS):
        raise ConfigurationError(f"the encoder of the bundle {manifest.name} answers other columns than ours")
    return CascadeBundle(
        name=manifest.name,
        first=first,
        encoder=encoder,
        plain=np.array(manifest.plain, dtype=np.float32),
        trained=np.array([head.trained for head in harms], dtype=np.float32),
        harm_heads=joint(harms),
        read_heads=joint(reads),
        share=(manifest.share[0], manifest.share[1]),
    )


def joint(entries: Sequence[JointEntry]) -> Joint:
    """Return the lines of a manifest as they are served."""
    most = [entry.most for entry in entries if entry.most is not None and entry.encoder >= 0.0]
    upper = np.array([entry.upper for entry in entries], dtype=np.float32)
    return Joint(
        linear=np.array([entry.linear for entry in entries], dtype=np.float32),
        encoder=np.array([entry.encoder for entry in entries], dtype=np.float32),
        offset=np.array([entry.offset for entry in entries], dtype=np.float32),
        upper=upper if (upper < 1.0).any() else None,
        most=np.array(most, dtype=np.float32) if len(most) == len(entries) else None,
    )
