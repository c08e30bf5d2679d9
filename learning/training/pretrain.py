"""Pretrain the encoder: hide characters of open text and let the network restore them.

Words are hidden whole, a fifth of the characters in all. A hidden character stands behind the mask,
a character of the same sound, any character, or itself: so the network also learns to undo
homophones, which is how evasions are written. It trains against the clock: the pace follows the
share of the time that is over, and what a machine reads in that time is written into the report.

Numbers that can be made again need the same machine, because the clock decides how many steps fit.

Neighbours: `network` is what is trained; `multitask` goes on from the weights; `characters` reads
texts with the tables made here.

Source: Cui et al. (2020), MacBERT and whole-word masking.
"""

import math
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from learning.characters import CODES, SPECIAL, UNKNOWN, Alphabet
from learning.training.network import Network, Shape
from learning.training.sounds import syllable

Tell = Callable[[str], None]

LINE_END: Final = 3
MASK: Final = 4
HIDDEN: Final = 0.2
MASKED, HOMOPHONE, RANDOM = 0.70, 0.85, 0.92
HOMOPHONES: Final = 16
SEEN: Final = 64
"""Characters in a row of pretraining: posts are short. Later places begin as copies of these."""

ROWS: Final = 128
RARE: Final = 6
"""A character that occurs less often is unknown."""

_SURROGATES: Final = range(0xD800, 0xE000)
_VARIATIONS: Final = range(0xFE00, 0xFE10)
_FIRST_RADICAL: Final = 0x2E80


@dataclass(frozen=True, slots=True)
class Stream:
    """All text in one row of numbers, with the beginnings of words."""

    numbers: npt.NDArray[np.uint16]
    begins: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Letters:
    """An alphabet in the making: its characters, the sound of each, and the tables that ship."""

    characters: list[str]
    sounds: npt.NDArray[np.int64]
    alphabet: Alphabet


def fold_all(texts: Sequence[str]) -> list[str]:
    """Return lines as the encoder reads them, blanks kept for the cutting into words."""
    import opencc  # noqa: PLC0415 - serving reads tables and needs no converter

    simplified = opencc.OpenCC("t2s").convert
    return [" ".join(simplified(unicodedata.normalize("NFKC", text)).lower().split()) for text in texts]


def letters_of(texts: Sequence[str]) -> Letters:
    """Return the alphabet of folded `texts`: every character that is not rare, the commonest first."""
    import opencc  # noqa: PLC0415 - serving reads tables and needs no converter

    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(text)
    common = [character for character, count in counted.most_common() if count >= RARE and character != " "]
    characters = ["", "", "", "", "", *common]
    places = {character: place for place, character in enumerate(common, start=SPECIAL)}
    syllables = ["", *sorted({syllable(one) for one in common} - {""})]
    sound_of = {one: place for place, one in enumerate(syllables)}
    numbers, sounds = np.zeros(CODES, np.uint16), np.zeros(CODES, np.uint16)
    simplified = opencc.OpenCC("t2s").convert
    for code in range(CODES):
        if code in _SURROGATES:
            numbers[code] = UNKNOWN
            continue
        character = chr(code)
        if character.isspace() or unicodedata.category(character) in {"Cc", "Cf"} or code in _VARIATIONS:
            continue
        read = unicodedata.normalize("NFKC", character)
        read = (simplified(read) if code >= _FIRST_RADICAL else read).lower().strip()[:1]
        if read:
            numbers[code] = places.get(read, UNKNOWN)
            sounds[code] = sound_of.get(syllable(read), 0)
    own = np.array([sound_of[syllable(character)] for character in characters], dtype=np.int64)
    return Letters(characters, own, Alphabet(numbers, sounds))


def stream_of(texts: Sequence[str], letters: Letters) -> Stream:
    """Return folded `texts` in one row, cut into words by rjieba."""
    import rjieba  # noqa: PLC0415 - serving cuts no words here

    places = {character: place for place, character in enumerate(letters.characters) if character}
    numbers: list[int] = []
    begins: list[bool] = []
    for text in texts:
        for word in rjieba.cut(text):
            begin = True
            for character in word:
                if character != " ":
                    numbers.append(places.get(character, UNKNOWN))
                    begins.append(begin)
                    begin = False
        numbers.append(LINE_END)
        begins.append(True)
    return Stream(np.array(numbers, np.uint16), np.array(begins, bool))


def pretrain(
    stream: Stream,
    letters: Letters,
    shape: Shape,
    *,
    minutes: float,
    top: float,
    seed: int,
    tell: Tell,
    steps: int | None = None,
) -> Network:
    """Return a network that has restored hidden characters of `stream` for so many minutes.

    With `steps`, it takes so many batches instead, whatever the clock says.
    """
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    network = Network(shape)
    optimiser = torch.optim.AdamW(network.parameters(), top, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    hiding = _Hiding(stream, letters.sounds, draw)

    def loss_of(numbers: Tensor, sounds: Tensor, at: Tensor, truth: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return functional.cross_entropy(network.restore(numbers, sounds, at).float(), truth)

    # Compiling takes the better part of a minute and halves the time of every step.
    quick = torch.compile(loss_of) if minutes >= 1.0 else loss_of
    begun, step, running = time.monotonic(), 0, math.nan
    while True:
        blocks = draw.permutation(len(stream.numbers) // SEEN - 1)
        shift = int(draw.integers(0, SEEN))
        for first in range(0, max(1, len(blocks) - ROWS), ROWS):
            share = step / steps if steps else (time.monotonic() - begun) / (minutes * 60.0)
            if share >= 1.0:
                with torch.no_grad():
                    network.place.weight[SEEN:] = network.place.weight[: len(network.place.weight) - SEEN]
                tell(f"pretrained: {step} steps of {ROWS * SEEN} characters, loss {running:.3f}")
                return network
            pace = top * min(1.0, step / 400) * 0.5 * (1.0 + math.cos(math.pi * share))
            for group in optimiser.param_groups:
                group["lr"] = pace + 1e-6
            loss = quick(*hiding.rows(blocks[first : first + ROWS], shift))
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            running = loss.item() if math.isnan(running) else 0.99 * running + 0.01 * loss.item()
            step += 1


class _Hiding:
    """Draws rows of the stream and hides words in them."""

    def __init__(self, stream: Stream, sounds: npt.NDArray[np.int64], draw: np.random.Generator) -> None:
        self._numbers = stream.numbers.astype(np.int64)
        self._begins = stream.begins
        self._sounds = sounds
        self._draw = draw
        count = len(sounds)
        self._alike = np.tile(np.arange(count)[:, None], HOMOPHONES)
        members: dict[int, list[int]] = {}
        for number, sound in enumerate(sounds.tolist()):
            if sound:
                members.setdefault(sound, []).append(number)
        for number, sound in enumerate(sounds.tolist()):
            if sound:
                self._alike[number] = draw.choice(members[sound], HOMOPHONES)

    def rows(self, blocks: npt.NDArray[np.int64], shift: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return numbers and sounds with words hidden, the flat places that are, and what was there."""
        draw = self._draw
        at = blocks[:, None] * SEEN + np.arange(SEEN)[None] + shift
        plain = self._numbers[at].reshape(-1)
        begins = self._begins[at].copy()
        begins[:, 0] = True
        word = np.cumsum(begins.reshape(-1)) - 1
        rank = np.where(plain == LINE_END, 2.0, draw.random(word[-1] + 1)[word])
        rank += draw.random(len(plain)) * 1e-9
        count = int(len(plain) * HIDDEN)
        hidden = np.argpartition(rank, count)[:count]
        truth = plain[hidden]
        kind = draw.random(count)
        alike = self._alike[truth, draw.integers(0, HOMOPHONES, count)]
        other = draw.integers(SPECIAL, len(self._sounds), count)
        shown = plain.copy()
        shown[hidden] = np.select(
            [kind < MASKED, kind < HOMOPHONE, kind < RANDOM], [np.full(count, MASK), alike, other], truth
        )
        rows = shown.reshape(len(blocks), SEEN)
        return (
            torch.from_numpy(rows),
            torch.from_numpy(self._sounds[rows]),
            torch.from_numpy(hidden),
            torch.from_numpy(truth),
        )
