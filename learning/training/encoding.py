"""Follow a recipe from texts to a cascade: pretrain, teach, distil, export, calibrate, write.

The steps leave their results in a working folder, so that a run that is stopped goes on where it
was: `pretrained.pt`, `teacher-K.npz`, `student.pt`, `revised.pt`. A bundle that ships is made with an
empty one.

Every probability is calibrated on scores of texts that the scoring weights did not see: the linear
heads' by folds, the encoder's by the teacher that was taught without the text.

Neighbours: `pretrain` and `multitask` train; `making` made the first stage; `cascade` serves what is
written here.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from learning import cascade
from learning.characters import Alphabet
from learning.features import FloatArray
from learning.heads import eased
from learning.linear import LinearBundle, hashing_of
from learning.manifest import CascadeManifest, read_manifest
from learning.manifest import Source as SourceRecord
from learning.training.finishing import Joined, finished, first_stage
from learning.training.fitting import fit_classes, fit_heads, space_of
from learning.training.joining import Unseen, joint_harms, joint_reads, together
from learning.training.making import copies_of, harm_space, simplified_table
from learning.training.multitask import (
    Disguise,
    Floats,
    Pace,
    Tasks,
    answers,
    new_reader,
    read_alphabet_rows,
    teach,
)
from learning.training.network import Network, Reader, Shape
from learning.training.outputs import ALONE, DOMAINS, GROUPS, HARMS, HATE, TONES
from learning.training.pretrain import Letters, fold_all, letters_of, pretrain, stream_of
from learning.training.recipe import CascadeRecipe, Recipe, StreamEntry
from learning.training.revising import revise
from learning.training.sounds import sound_table
from learning.training.sources import (
    EXAMPLE,
    SILENT,
    Lessons,
    Roots,
    draw,
    read_lessons,
    read_stream,
)

Tell = Callable[[str], None]

HEAVIEST: Final = 2.0
"""A text counts at most so much for the encoder, which sees each several times."""

RARE_SHARE: Final = 0.08
RAREST: Final = 6.0
"""The examples of a head that weigh less than `RARE_SHARE` are weighted up, at most `RAREST` times."""

SMOOTH: Final = 0.02
PUT_BETWEEN: Final = ".,*-_|~·丶。!/+"
LESSON_PAIRS: Final = 6000
UNSEEN: Final = "linear-unseen.npz"
"""In the working folder: what the first stage said of lessons that it had not seen, if it was made there."""

REVISION: Final = 50
"""Added to the seed when the network is taught once more."""

_EVEN: Final = 0.5
_CLIP: Final = 1e-6


@dataclass(frozen=True, slots=True)
class _Taught:
    """What both stages say about the lessons that neither had seen, and the network that ships."""

    reader: Reader
    unseen: Floats


def make_cascade(
    recipe: CascadeRecipe,
    recipe_sha256: str,
    lessons: Recipe,
    first: Path,
    *,
    roots: Roots,
    work: Path,
    out: Path,
    tell: Tell,
) -> CascadeManifest:
    """Make the bundle of `recipe` in the folder `out` and return its manifest.

    Parameters
    ----------
    lessons
        The recipe of the first stage: both stages learn its lessons.
    first
        The folder of the first stage, which has been made from `lessons` before.
    work
        Where steps leave their results.
    """
    work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(min(2, torch.get_num_threads()))
    network, letters, streams = _pretrained(recipe, roots, work, tell)
    harmful, reading = all_lessons(lessons, roots)
    tasks = tasks_of(recipe, harmful, reading)
    again = read_again(recipe, harmful)
    tell(f"{len(tasks.texts)} texts teach {cascade.OUTPUTS} outputs")
    groups = _groups(recipe, roots, tasks)
    taught = _taught(recipe, network, letters, tasks, groups, again=again, work=work, tell=tell)

    opened = first_stage(first)
    found = dict(zip(tasks.texts, taught.unseen, strict=True))
    tell("first stage: scores of texts it did not see")
    linear = kept_scores(work / UNSEEN, first) or _unseen_linear(lessons, opened, harmful, reading, tell)
    heard = np.stack([found[text] for text in harmful.texts])[:, : len(HARMS)]
    unseen = together(
        Unseen(harmful, linear["harms"], heard),
        own_scores(recipe, opened, taught.reader, letters, roots),
    )
    harms = joint_harms(unseen)
    reads = joint_reads(linear, reading, found)
    return finished(
        recipe,
        recipe_sha256,
        taught.reader,
        letters,
        lessons=lessons,
        first=first,
        joined=Joined(harms, reads, unseen),
        sources=[*streams, *sources_of(lessons, harmful, reading), *calibrating_of(recipe, unseen, harmful)],
        roots=roots,
        work=work,
        out=out,
        tell=tell,
    )


def all_lessons(lessons: Recipe, roots: Roots) -> tuple[Lessons, dict[str, Lessons]]:
    """Return the lessons of the harms, and those of need, domain and tone."""
    return read_lessons(lessons.harms.sources, HARMS, roots, lessons.seed), {
        "need": read_lessons(lessons.need.sources, ("need",), roots, lessons.seed),
        "domain": read_lessons(lessons.domain.sources, DOMAINS, roots, lessons.seed),
        "tone": read_lessons(lessons.tone.sources, TONES, roots, lessons.seed),
    }


def read_again(recipe: CascadeRecipe, harmful: Lessons) -> set[str]:
    """Return the texts whose value the recipe's readings know."""
    values = recipe.tuning.readings
    return {text for text, value in zip(harmful.texts, harmful.values, strict=True) if value in values}


def _pretrained(
    recipe: CascadeRecipe, roots: Roots, work: Path, tell: Tell
) -> tuple[Network, Letters, list[SourceRecord]]:
    kept = work / "pretrained.pt"
    entry = recipe.pretraining
    streams = [
        SourceRecord(name=stream.name, licence=stream.licence, rows=0, use="encoder: open text")
        for stream in entry.streams
    ]
    if kept.is_file():
        saved = torch.load(kept, weights_only=True)
        letters = Letters(
            list(saved["characters"]),
            saved["sounds"].numpy(),
            Alphabet(saved["numbers"].numpy(), saved["heard"].numpy()),
        )
        network = Network(Shape(**saved["shape"]))
        network.load_state_dict(saved["state"])
        tell("pretrained weights found")
        return network, letters, streams
    texts = fold_all(_streamed(entry.streams, roots, recipe.seed))
    letters = letters_of(texts)
    shape = Shape(
        len(letters.characters),
        int(letters.sounds.max()) + 1,
        entry.width,
        entry.layers,
        entry.attention,
        entry.inner,
    )
    network = pretrain(
        stream_of(texts, letters),
        letters,
        shape,
        minutes=entry.minutes,
        steps=entry.steps,
        top=entry.pace,
        seed=recipe.seed,
        tell=tell,
    )
    torch.save(
        {
            "characters": letters.characters,
            "sounds": torch.from_numpy(letters.sounds),
            "numbers": torch.from_numpy(letters.alphabet.numbers),
            "heard": torch.from_numpy(letters.alphabet.sounds),
            "shape": network.described(),
            "state": network.state_dict(),
        },
        kept,
    )
    return network, letters, streams


def _streamed(streams: Sequence[StreamEntry], roots: Roots, seed: int) -> list[str]:
    """Return the lines of all streams in runs of twenty, the runs in an order that the seed decides."""
    chance = np.random.default_rng(seed)
    runs: list[list[str]] = []
    for stream in streams:
        lines = [text for text, _ in read_stream(stream, roots)]
        for _ in range(stream.times):
            if stream.times > 1:
                lines = [lines[place] for place in chance.permutation(len(lines))]
            begins = range(0, len(lines), 20)
            runs += [lines[begin : begin + 20] for begin in begins if chance.random() < stream.share]
    return [line for place in chance.permutation(len(runs)) for line in runs[place]]


def tasks_of(recipe: CascadeRecipe, harmful: Lessons, reading: dict[str, Lessons]) -> Tasks:
    """Return every text once, with all that it teaches."""
    order: dict[str, int] = {}
    for lessons in (harmful, *reading.values()):
        for text in lessons.texts:
            order.setdefault(text, len(order))
    wanted = np.full((len(order), ALONE), np.nan, dtype=np.float32)
    weight = np.zeros((len(order), ALONE), dtype=np.float32)
    classes = np.full((len(order), len(GROUPS)), -1, dtype=np.int64)
    for row, text in enumerate(harmful.texts):
        place = order[text]
        says = harmful.says[row]
        heard = np.flatnonzero(says != SILENT)
        wanted[place, heard] = np.fmax(wanted[place, heard], says[heard])
        weight[place, heard] = np.maximum(weight[place, heard], min(harmful.weight[row], HEAVIEST))
        aim = recipe.tuning.readings.get(harmful.values[row])
        if aim is not None:
            wanted[place, HATE] = aim
            weight[place, HATE] = 1.5
    _hear_needs(reading["need"], order, wanted, weight)
    for column, name in enumerate(("domain", "tone")):
        for row, text in enumerate(reading[name].texts):
            if reading[name].says[row].max() == EXAMPLE:
                classes[order[text], column] = int(reading[name].says[row].argmax())
    wanted = wanted * (1.0 - 2.0 * SMOOTH) + SMOOTH
    _weigh_up(wanted, weight)
    return Tasks(list(order), wanted, weight, classes, GROUPS)


def _hear_needs(needing: Lessons, order: dict[str, int], wanted: Floats, weight: Floats) -> None:
    """Write into `wanted` and `weight` what the lessons say about need."""
    for row, text in enumerate(needing.texts):
        if needing.says[row, 0] != SILENT:
            wanted[order[text], ALONE - 1] = needing.says[row, 0]
            weight[order[text], ALONE - 1] = np.clip(needing.weight[row], 0.3, 1.0)


def _weigh_up(wanted: Floats, weight: Floats) -> None:
    """Give the examples of a rare harm more weight, so that its head hears them."""
    for head in range(len(HARMS)):
        heard = ~np.isnan(wanted[:, head])
        examples = heard & (wanted[:, head] > _EVEN)
        have, against = weight[examples, head].sum(), weight[heard & ~examples, head].sum()
        if have > 0.0:
            weight[examples, head] *= np.clip(against * RARE_SHARE / have, 1.0, RAREST)


def _groups(recipe: CascadeRecipe, roots: Roots, tasks: Tasks) -> list[list[int]]:
    """Return places of texts that mean the same, and single texts that stand beside their own copies."""
    order = {text: place for place, text in enumerate(tasks.texts)}
    stream = StreamEntry(name="pairs", root="texts", file=recipe.tuning.pairs, licence="")
    groups: dict[str, list[int]] = {}
    for text, name in read_stream(stream, roots, recipe.tuning.pairs_field):
        if name != "none" and text in order:
            groups.setdefault(name, []).append(order[text])
    several = [group for group in groups.values() if len(group) > 1]
    own = [place for place in range(len(tasks.texts)) if tasks.weight[place].max() >= HEAVIEST]
    return several * 3 + [[place] for place in own[:LESSON_PAIRS]]


def _taught(
    recipe: CascadeRecipe,
    network: Network,
    letters: Letters,
    tasks: Tasks,
    groups: Sequence[Sequence[int]],
    *,
    again: set[str],
    work: Path,
    tell: Tell,
) -> _Taught:
    """Teach the teachers, then the one that ships; and that once more, if the recipe says so."""
    entry = recipe.tuning
    rows = read_alphabet_rows(letters.alphabet, tasks.texts)
    parts = np.array([draw(text, recipe.seed) % entry.parts for text in tasks.texts])
    between = put_between(letters)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    unseen = np.full((len(rows), cascade.OUTPUTS), np.nan, dtype=np.float32)

    def lesson(places: npt.NDArray[np.int64], pace: Pace, seed: int, soft: Floats | None) -> Reader:
        at = {int(place): row for row, place in enumerate(places)}
        pairs = [[at[place] for place in group if place in at] for group in groups]
        reader = new_reader(
            network.shape, state, cascade.OUTPUTS, entry.vector, dropout=pace.dropout, seed=seed
        )
        part = Tasks(
            [tasks.texts[place] for place in places],
            tasks.wanted[places],
            tasks.weight[places],
            tasks.classes[places],
            tasks.groups,
        )
        return teach(
            reader,
            part,
            [rows[place] for place in places],
            pace,
            Disguise(letters.sounds, between, seed),
            seed=seed,
            tell=tell,
            soft=None if soft is None else soft[places],
            pairs=[pair for pair in pairs if pair],
            deadline=time.monotonic() + 60.0 * entry.minutes if entry.minutes else None,
        )

    for teacher in range(entry.teachers):
        kept = work / f"teacher-{teacher}.npz"
        mine = np.flatnonzero(parts == teacher)
        if kept.is_file():
            unseen[mine] = np.load(kept)["logits"]
            continue
        tell(f"teacher {teacher + 1} of {entry.teachers}")
        others = np.flatnonzero(parts != teacher)
        reader = lesson(others, Pace(entry.teacher_epochs), recipe.seed + 1 + teacher, None)
        unseen[mine] = answers(reader, [rows[place] for place in mine])[0]
        np.savez(kept, logits=unseen[mine])
    kept = work / "student.pt"
    if kept.is_file():
        reader = Reader(Network(network.shape, Pace(1).dropout), cascade.OUTPUTS, entry.vector)
        reader.load_state_dict(torch.load(kept, weights_only=True))
    else:
        tell("the one that ships")
        everything = np.arange(len(rows))
        reader = lesson(everything, Pace(entry.epochs, soft=entry.soft), recipe.seed, unseen)
        torch.save(reader.state_dict(), kept)
    if entry.again is not None:
        read = np.array([text in again for text in tasks.texts])
        # The teachers say nothing about how the network answers these texts from now on.
        unseen[read, HATE] = np.nan
        kept = work / "revised.pt"
        if kept.is_file():
            reader.load_state_dict(torch.load(kept, weights_only=True))
        else:
            tell("the one that ships, once more")
            disguise = Disguise(letters.sounds, between, recipe.seed + REVISION)
            seed = recipe.seed + REVISION
            revise(
                reader,
                tasks,
                rows,
                read=read,
                head=HATE,
                entry=entry.again,
                disguise=disguise,
                seed=seed,
                tell=tell,
            )
            torch.save(reader.state_dict(), kept)
    return _Taught(reader.eval(), unseen)


def put_between(letters: Letters) -> list[int]:
    """Return the numbers of the characters that a disguise puts between others."""
    known = {character: number for number, character in enumerate(letters.characters)}
    return [known[character] for character in PUT_BETWEEN if character in known]


def own_scores(
    recipe: CascadeRecipe, first: LinearBundle, reader: Reader, letters: Letters, roots: Roots
) -> Unseen:
    """Return what both stages say about the texts that teach nobody and calibrate."""
    lessons = read_lessons(recipe.calibrating, HARMS, roots, recipe.seed)
    if not lessons.texts:
        nothing = np.empty((0, len(HARMS)), dtype=np.float32)
        return Unseen(lessons, nothing, nothing)
    logits, _ = answers(reader, read_alphabet_rows(letters.alphabet, lessons.texts))
    return Unseen(lessons, first.harm_heads.logits(lessons.texts), logits[:, : len(HARMS)])


def kept_scores(kept: Path, first: Path) -> dict[str, FloatArray] | None:
    """Return the logits of unseen lessons as they were kept when the first stage was made, or None."""
    if not kept.is_file():
        return None
    with np.load(kept) as scores:
        if str(scores["recipe"]) != read_manifest(first).recipe_sha256:
            return None
        return {
            "harms": _logits(scores["harms"]),
            "need": _logits(scores["need"]),
            "domain": np.log(np.clip(scores["domain"], _CLIP, 1.0)).astype(np.float32),
            "tone": np.log(np.clip(scores["tone"], _CLIP, 1.0)).astype(np.float32),
        }


def _unseen_linear(
    lessons: Recipe, first: LinearBundle, harmful: Lessons, reading: dict[str, Lessons], tell: Tell
) -> dict[str, FloatArray]:
    """Return the first stage's logits of every lesson, from heads that did not see it."""
    table, sounds = simplified_table(), sound_table()
    hashing = {name: hashing_of(entry, table, sounds) for name, entry in lessons.hashing.items()}
    copies = copies_of(lessons, harmful, sounds)
    space = harm_space(lessons, harmful, hashing["harms"], copies, tell)
    fitted = fit_heads(lessons.harms, HARMS, harmful, space, seed=lessons.seed, tell=tell, copies=copies)
    # The bundle holds heads down; the scores here are held down alike.
    logits, upper = _logits(fitted.unseen), first.harm_heads.upper
    read = sorted({text for part in reading.values() for text in part.texts})
    space = space_of(read, hashing["reads"], lessons.rarest["reads"], first.vectors)
    need = fit_heads(lessons.need, ("need",), reading["need"], space, seed=lessons.seed, tell=tell)
    domain = fit_classes(lessons.domain, DOMAINS, reading["domain"], space, seed=lessons.seed, tell=tell)
    tone = fit_classes(lessons.tone, TONES, reading["tone"], space, seed=lessons.seed, tell=tell)
    return {
        "harms": logits if upper is None else eased(logits, upper),
        "need": _logits(need.unseen),
        "domain": np.log(np.clip(domain.unseen, _CLIP, 1.0)).astype(np.float32),
        "tone": np.log(np.clip(tone.unseen, _CLIP, 1.0)).astype(np.float32),
    }


def _logits(unseen: FloatArray) -> FloatArray:
    even = np.clip(unseen.astype(np.float64), _CLIP, 1.0 - _CLIP)
    result: FloatArray = np.log(even / (1.0 - even)).astype(np.float32)
    return result


def calibrating_of(recipe: CascadeRecipe, unseen: Unseen, harmful: Lessons) -> list[SourceRecord]:
    """Return the record of the texts that teach nobody; in `unseen` they stand behind the lessons."""
    origin = unseen.lessons.origin[len(harmful.texts) :]
    return [
        SourceRecord(
            name=source.name, licence=source.licence, rows=int(np.sum(origin == place)), use=source.use
        )
        for place, source in enumerate(recipe.calibrating)
    ]


def sources_of(lessons: Recipe, harmful: Lessons, reading: dict[str, Lessons]) -> list[SourceRecord]:
    """Return the record of every source of the lessons."""
    result = []
    for entry, part in (
        (lessons.harms, harmful),
        (lessons.need, reading["need"]),
        (lessons.domain, reading["domain"]),
        (lessons.tone, reading["tone"]),
    ):
        for place, source in enumerate(entry.sources):
            rows = int(np.sum(part.origin == place))
            result.append(SourceRecord(name=source.name, licence=source.licence, rows=rows, use=source.use))
    return result
