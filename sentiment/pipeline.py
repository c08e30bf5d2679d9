"""Read a text: is something asked, in which domain, in which tone, and where.

The learned heads say what the text sounds like; the words of the topics say what it is about. The
domain is read from both, because the heads have seen few texts and the topics know many words.
Pure: the same texts give the same readings, with no database and no clock.

It refuses to read a person: nothing here sees an author.

Neighbours: `reading` keeps what is read; `learning` gives heads and vectors; `place`, `topics`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from learning.bundle import Bundle
from models.vocabulary import Domain, Tone
from sentiment.place import Gazetteer, Place
from sentiment.topics import DOMAINS, FloatArray, Topics, load_topics

TONES: Final = tuple(Tone)
NEED_FROM: Final = 0.5

TOPIC_WEIGHT: Final = 2.5
"""Logits that one word of a topic adds to its domain. Set by hand after looking at the training texts."""

TEMPERATURE: Final = 2.0
"""Divides the fused logits, so that the probability is less sure of itself. Set by hand, not calibrated."""

TONE_SHARES: Final = np.array([0.43, 0.41, 0.16], dtype=np.float32)
"""Shares of the tones in the training texts. The heads learned them; divided out, so that a rare
tone is found as readily as a common one."""

PRAISE_WEIGHT: Final = 1.0
"""Logit that a word of praise or joy adds to the positive tone, twice at most."""

_PRAISE: Final = re.compile(
    "谢谢|感谢|多谢|开心|太好|好评|点赞|真好|暖|感动|幸福|很棒|满意|惊喜|贴心|值得|可爱|太香|耐心|温柔|热心|爱了|"
    "好看|舒服|好吃|有意思|很实用|专业|放心|恭喜|佩服|喜欢"
)
_SMALLEST: Final = 1e-3
_HALF_A_CHARACTER: Final = re.compile("[\ud800-\udfff]")
"""A lone surrogate, which no matcher takes. Its stand-in has the same length, so offsets hold."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read in one text. Probabilities in [0, 1]."""

    need: float
    domain: Domain
    domain_probability: float
    tone: Tone
    place: Place | None
    vector: FloatArray

    @property
    def is_need(self) -> bool:
        """Whether something is asked to be solved or answered."""
        return self.need >= NEED_FROM


@dataclass(frozen=True)
class Reader:
    """A bundle, a gazetteer and the topics, ready to read."""

    bundle: Bundle
    gazetteer: Gazetteer
    topics: Topics

    def read(self, texts: Sequence[str], organisations: Sequence[str | None]) -> list[Read]:
        """Return what stands in each text, in their order.

        Parameters
        ----------
        texts
            The original texts; none is refused.
        organisations
            Where each text was posted, as a path in the tree, or None.
        """
        if not texts:
            return []
        texts = [_HALF_A_CHARACTER.sub("\ufffd", text) for text in texts]
        heads = self.bundle.reads(texts)
        vectors = self.bundle.encode(texts)
        domains = fused_domains(heads.domain, np.stack([self.topics.evidence(text) for text in texts]))
        best = domains.argmax(axis=1)
        tones = balanced_tones(heads.tone, [len(_PRAISE.findall(text)) for text in texts])
        return [
            Read(
                need=float(heads.need[row]),
                domain=DOMAINS[best[row]],
                domain_probability=float(domains[row, best[row]]),
                tone=TONES[int(tones[row].argmax())],
                place=self.gazetteer.find(text, organisation),
                vector=vectors[row],
            )
            for row, (text, organisation) in enumerate(zip(texts, organisations, strict=True))
        ]


def load_reader(bundle: Bundle, gazetteer: Gazetteer) -> Reader:
    """Return a reader with the shipped topics."""
    return Reader(bundle, gazetteer, load_topics())


def fused_domains(heads: FloatArray, evidence: FloatArray) -> FloatArray:
    """Return the probability of each domain from the heads' and the words that speak for it.

    Parameters
    ----------
    heads
        Shape (n, 15), rows sum to 1.
    evidence
        Shape (n, 15), >= 0: weighted count of topic words.

    Returns
    -------
    Shape (n, 15) float32, rows sum to 1.
    """
    logits = (np.log(heads + _SMALLEST) + TOPIC_WEIGHT * evidence) / TEMPERATURE
    logits -= logits.max(axis=1, keepdims=True)
    weights = np.exp(logits)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def balanced_tones(heads: FloatArray, praises: Sequence[int]) -> FloatArray:
    """Return scores of the tones, the highest of which is read. Shape (n, 3), columns as in `Tone`.

    Parameters
    ----------
    heads
        Shape (n, 3), rows sum to 1.
    praises
        For each text, how many words of praise or joy it has.
    """
    scores = np.log(heads + _SMALLEST) - np.log(TONE_SHARES)
    scores[:, TONES.index(Tone.POSITIVE)] += PRAISE_WEIGHT * np.minimum(praises, 2)
    return np.asarray(scores, dtype=np.float32)
