"""Teach the encoder every task at once: harms, need, domain, tone, and a vector for grouping.

Texts are dealt into parts by their hash. A teacher is the pretrained network taught without one
part, so that the texts of that part have a score from a network that did not see them: these scores
calibrate, and they are what the one network that ships is taught about these texts, beside the labels.

A text is always taught together with disguised copies of it (homophones, characters put between,
characters lost), under the same label. A label that was read a second time counts as the second
reading says, softened where the reader was unsure.

Neighbours: `network` is what is taught; `sources` reads the lessons; `encoding` writes the result.

Source
------
Gao, Yao, Chen (2021), SimCSE (a text beside itself under another dropout, in one batch).
Hinton, Vinyals, Dean (2015), Distilling the knowledge in a neural network.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from learning.characters import UNKNOWN, WINDOW, Alphabet, Numbers, padded
from learning.training.network import Network, Reader, Shape

Floats = npt.NDArray[np.float32]
Tell = Callable[[str], None]

BATCH = 64
COPIES = 16
"""Disguised copies beside the texts of a batch. Their number never changes, and lengths go by `STEP`:
every new shape of a batch would have its kernels prepared anew, at half the speed."""

STEP = 8
PAIRS = 48
TEMPERATURE = 0.06
TAUGHT = 96
"""Characters of a text that a lesson shows; few posts are longer, and a step costs with its longest."""

PAIRS_EVERY = 6
"""Steps between two batches of pairs."""

LONGEST_BATCH = 20
"""Batches whose texts are sorted by length together, so that little is computed on padding."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """n texts and what they teach.

    Attributes
    ----------
    wanted
        Shape (n, k) float32 in [0, 1]: what the independent heads should say; NaN where a text says nothing.
    weight
        Shape (n, k) float32: how much that counts.
    classes
        Shape (n, g) int64: the class of each group of classes; -1 where a text says nothing.
    groups
        Where each group of classes stands among the outputs, as (first, end).
    """

    texts: Sequence[str]
    wanted: Floats
    weight: Floats
    classes: npt.NDArray[np.int64]
    groups: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long and how fast a network is taught."""

    epochs: int
    network: float = 2e-4
    heads: float = 6e-4
    decay: float = 0.02
    dropout: float = 0.1
    soft: float = 0.0
    pairs: float = 0.15


class Disguise:
    """Disguised copies of rows of characters, drawn with a seed."""

    def __init__(self, sound_of: npt.NDArray[np.int64], between: Sequence[int], seed: int) -> None:
        self._draw = np.random.default_rng(seed)
        self._same: dict[int, npt.NDArray[np.int64]] = {}
        order = np.argsort(sound_of, kind="stable")
        sounds, begins = np.unique(sound_of[order], return_index=True)
        for sound, members in zip(sounds.tolist(), np.split(order, begins[1:]), strict=True):
            if sound:
                self._same[sound] = members
        self._sound_of = sound_of
        self._between = np.array(between, dtype=np.int64)

    def copy(self, row: Numbers) -> Numbers:
        """Return a disguised copy of one row. Shape (2, m), at most `WINDOW` columns."""
        draw, row = self._draw, row.copy()
        kind = draw.integers(0, 4)
        length = row.shape[1]
        if kind == 0:  # homophones
            for place in np.flatnonzero(draw.random(length) < draw.uniform(0.1, 0.5)):
                same = self._same.get(int(row[1, place]))
                if same is not None:
                    row[0, place] = draw.choice(same)
        elif kind == 1:  # something between the characters
            chosen = np.flatnonzero(draw.random(length) < draw.uniform(0.1, 0.4))
            put = draw.choice(self._between)
            row = np.insert(row, chosen, [[put], [self._sound_of[put]]], axis=1)
        elif kind == 2:  # noqa: PLR2004 - unreadable characters, with their sound or without
            hidden = draw.random(length) < draw.uniform(0.05, 0.25)
            row[0, hidden] = UNKNOWN
            if draw.random() < 0.5:  # noqa: PLR2004 - a coin
                row[1, hidden] = 0
        else:  # a part of the text, or lost characters
            kept = np.flatnonzero(draw.random(length) >= draw.uniform(0.05, 0.15))
            if len(kept):
                row = row[:, kept]
        return row[:, :WINDOW]


def new_reader(
    shape: Shape, state: dict[str, Tensor], heads: int, vector: int, *, dropout: float, seed: int
) -> Reader:
    """Return a reader over the pretrained network, with heads that know nothing yet."""
    torch.manual_seed(seed)
    network = Network(shape, dropout)
    network.load_state_dict(state)
    return Reader(network, heads, vector)


def teach(
    reader: Reader,
    tasks: Tasks,
    rows: Sequence[Numbers],
    pace: Pace,
    disguise: Disguise,
    *,
    seed: int,
    tell: Tell,
    soft: Floats | None = None,
    pairs: Sequence[Sequence[int]] = (),
    deadline: float | None = None,
) -> Reader:
    """Teach `reader` in place and return it.

    Parameters
    ----------
    rows
        The texts as rows of characters, one each.
    soft
        Shape (n, outputs): logits of the teachers, NaN rows where there are none.
    pairs
        Groups of places of texts that mean the same, for the vector.
    deadline
        When to be done, as `time.monotonic()`; the pace is set by the share of time then.
    """
    draw = np.random.default_rng(seed)
    count = len(rows)
    lengths = np.array([row.shape[1] for row in rows])
    total = pace.epochs * -(-count // BATCH)
    slow = [part for name, part in reader.named_parameters() if name.startswith("network.")]
    quick = [part for name, part in reader.named_parameters() if not name.startswith("network.")]
    optimiser = torch.optim.AdamW(
        [{"params": slow, "top": pace.network}, {"params": quick, "top": pace.heads}],
        lr=1e-4,
        weight_decay=pace.decay,
        fused=True,
    )
    reader.train()
    step, begun = 0, time.monotonic()
    for epoch in range(pace.epochs):
        running = 0.0
        batches = _batches(lengths, draw)
        for batch in batches:
            share = step / total
            if deadline is not None:
                share = max(share, (time.monotonic() - begun) / max(deadline - begun, 1.0))
            if share >= 1.0:
                break
            for group in optimiser.param_groups:
                group["lr"] = group["top"] * min(1.0, share / 0.06) * (1.0 - share)
            loss = _loss(reader, tasks, rows, batch, disguise=disguise, draw=draw, soft=soft, pace=pace)
            if pairs and step % PAIRS_EVERY == 0:
                loss = loss + pace.pairs * PAIRS_EVERY * _pair_loss(reader, rows, pairs, disguise, draw)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            running += loss.item()
            step += 1
        tell(
            f"epoch {epoch + 1}: loss {running / max(len(batches), 1):.4f}, {time.monotonic() - begun:.0f} s"
        )
    reader.eval()
    return reader


def _batches(lengths: npt.NDArray[np.int64], draw: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    order = draw.permutation(len(lengths))
    batches = []
    for begin in range(0, len(order), BATCH * LONGEST_BATCH):
        part = order[begin : begin + BATCH * LONGEST_BATCH]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
    return [batches[place] for place in draw.permutation(len(batches))]


def _loss(
    reader: Reader,
    tasks: Tasks,
    rows: Sequence[Numbers],
    batch: npt.NDArray[np.int64],
    *,
    disguise: Disguise,
    draw: np.random.Generator,
    soft: Floats | None,
    pace: Pace,
) -> Tensor:
    """Return how far the answers about one batch and some disguised copies are from what is wanted."""
    copies = draw.choice(batch, COPIES)
    places = np.concatenate([batch, copies])
    windows = [rows[place][:, :TAUGHT] for place in batch] + [
        disguise.copy(rows[place][:, :TAUGHT]) for place in copies
    ]
    numbers, sounds = _even(windows)
    with torch.autocast("cpu", torch.bfloat16):
        logits, _ = reader(torch.from_numpy(numbers), torch.from_numpy(sounds))
    logits = logits.float()
    wanted = torch.from_numpy(tasks.wanted[places])
    weight = torch.from_numpy(tasks.weight[places])
    says = ~torch.isnan(wanted)
    independent = logits[:, : wanted.shape[1]]
    each = functional.binary_cross_entropy_with_logits(independent, wanted.nan_to_num(), reduction="none")
    loss = (each * weight * says).sum() / (weight * says).sum().clamp(min=1.0) * 4.0
    for column, (first, end) in enumerate(tasks.groups):
        truth = torch.from_numpy(tasks.classes[places, column])
        if bool((truth >= 0).any()):
            loss = loss + 0.3 * functional.cross_entropy(
                logits[:, first:end], truth, ignore_index=-1, label_smoothing=0.05
            )
    if soft is not None:
        taught = torch.from_numpy(soft[places])
        known = ~torch.isnan(taught)
        aim = torch.sigmoid(taught.nan_to_num())
        near = functional.binary_cross_entropy_with_logits(logits, aim, reduction="none")
        near = (near * known).sum() / known.sum().clamp(min=1.0) * 4.0
        loss = (1.0 - pace.soft) * loss + pace.soft * near
    return loss


def _pair_loss(
    reader: Reader,
    rows: Sequence[Numbers],
    pairs: Sequence[Sequence[int]],
    disguise: Disguise,
    draw: np.random.Generator,
) -> Tensor:
    """Return how badly each text finds its partner among the others of the batch."""
    left, right = [], []
    for group in draw.choice(len(pairs), min(PAIRS, len(pairs)), replace=False):
        members = pairs[group]
        if len(members) > 1:
            one, other = draw.choice(len(members), 2, replace=False)
            left.append(rows[members[one]][:, :TAUGHT])
            right.append(rows[members[other]][:, :TAUGHT])
        else:
            left.append(rows[members[0]][:, :TAUGHT])
            right.append(disguise.copy(rows[members[0]][:, :TAUGHT]))
    numbers, sounds = _even(left + right)
    with torch.autocast("cpu", torch.bfloat16):
        _, vectors = reader(torch.from_numpy(numbers), torch.from_numpy(sounds))
    unit = functional.normalize(vectors.float(), dim=1)
    alike = unit[: len(left)] @ unit[len(left) :].T / TEMPERATURE
    own = torch.arange(len(left))
    return (functional.cross_entropy(alike, own) + functional.cross_entropy(alike.T, own)) / 2.0


def _even(windows: Sequence[Numbers]) -> tuple[Numbers, Numbers]:
    """Return numbers and sounds, filled up to a length that `STEP` divides."""
    numbers, sounds = padded(windows)
    more = min(WINDOW, -(-numbers.shape[1] // STEP) * STEP) - numbers.shape[1]
    return np.pad(numbers, ((0, 0), (0, more))), np.pad(sounds, ((0, 0), (0, more)))


@torch.no_grad()
def answers(reader: Reader, rows: Sequence[Numbers]) -> tuple[Floats, Floats]:
    """Return logits (n, outputs) and vectors (n, d) of some rows, read without dropout."""
    reader.eval()
    order = np.argsort([row.shape[1] for row in rows], kind="stable")
    logits: list[Tensor] = []
    vectors: list[Tensor] = []
    for begin in range(0, len(order), 4 * BATCH):
        numbers, sounds = _even([rows[place][:, :WINDOW] for place in order[begin : begin + 4 * BATCH]])
        with torch.autocast("cpu", torch.bfloat16):
            found, meant = reader(torch.from_numpy(numbers), torch.from_numpy(sounds))
        logits.append(found.float())
        vectors.append(meant.float())
    back = np.argsort(order, kind="stable")
    return torch.cat(logits).numpy()[back], torch.cat(vectors).numpy()[back]


def read_alphabet_rows(alphabet: Alphabet, texts: Sequence[str]) -> list[Numbers]:
    """Return each text as one row, cut to the first window."""
    return [alphabet.row(text)[:, :WINDOW] for text in texts]
