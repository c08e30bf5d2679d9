"""Fine-tune a local Hugging Face checkpoint into a classifier of our categories.

Every head learns by itself (several harms may stand in one post). A share of the texts comes
together with a cloaked copy under the same labels; rare harms weigh more, up to a bound. Texts are
held back by their hash: by them the teaching stops when it no longer helps, and by them each head
is calibrated, so the figures in the manifest flatter a little. No head may be surer of a protected
text than the recipe's ceiling (charter, 2).

Nothing is downloaded, and no code in the checkpoint's folder is run. Which disguises there are is
not known here: whoever calls brings the function that makes a copy.

Neighbours: `sources` reads the lessons; `fitting` gives the calibrating line; `learning/transformer`
serves the folder that is written; `tingjian train recipes/finetune.toml --from PATH` calls this.

Source
------
Devlin, Chang, Lee, Toutanova (2019), BERT (fine-tuning); Platt (1999).
"""

import hashlib
import random
import shutil
import tomllib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from learning.encoder import HARM_COLUMNS
from learning.features import FloatArray
from learning.manifest import MANIFEST, FileEntry
from learning.manifest import Source as SourceRecord
from learning.measures import auroc, average_precision, calibration_error
from learning.training.fitting import FEWEST, Tell, platt
from learning.training.recipe import SourceEntry
from learning.training.sources import EXAMPLE, SILENT, Lessons, Roots, draw, read_lessons, read_texts
from learning.transformer import CALIBRATION, FinetunedManifest, Line
from models.errors import ConfigurationError

HEADS: Final = tuple(word.value for word in HARM_COLUMNS)
KIND: Final = "finetune"

Cloaking = Callable[[str, random.Random], str]
"""Gives a cloaked copy of a text."""


class FinetuneRecipe(BaseModel):
    """Everything that decides what a checkpoint becomes.

    Attributes
    ----------
    held
        Share of the texts, by their hash, that only stops and calibrates, in (0, 1).
    cloaked
        Share of the texts of a batch that a cloaked copy stands beside, in [0, 1].
    heaviest
        How much an example of a rare harm may weigh against a text without it, >= 1.
    patience
        So many epochs without a better figure on what is held back end the teaching.
    longest
        Tokens of a text that are read.
    warmup
        Share of the steps in which the pace rises; after it, it falls to nothing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["finetune"]
    name: str
    seed: int
    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    patience: int = Field(default=1, ge=1)
    longest: int = Field(default=128, ge=8)
    held: float = Field(default=0.1, gt=0, lt=1)
    cloaked: float = Field(default=0.3, ge=0, le=1)
    heaviest: float = Field(default=10.0, ge=1)
    ceiling: float = Field(default=1.0, gt=0.5, le=1)
    sources: list[SourceEntry]
    dev: list[SourceEntry] = []
    protected: list[SourceEntry] = []


def read_finetune_recipe(path: Path) -> tuple[FinetuneRecipe, str]:
    """Return the recipe at `path`, and the SHA-256 of its file.

    Raises
    ------
    ConfigurationError
        If there is none, or it is not a recipe for fine-tuning.
    """
    try:
        content = path.read_bytes()
        recipe = FinetuneRecipe.model_validate(tomllib.loads(content.decode()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(f"no recipe for fine-tuning can be read from {path}") from error
    return recipe, hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class _Course:
    """What is taught and what is held back. `teach` and `held` are places in `lessons`."""

    lessons: Lessons
    teach: npt.NDArray[np.int64]
    held: npt.NDArray[np.int64]
    trained: npt.NDArray[np.bool_]
    heavy: FloatArray


def finetune(
    recipe: FinetuneRecipe,
    recipe_sha256: str,
    base: Path,
    roots: Roots,
    out: Path,
    *,
    cloaked: Cloaking,
    tell: Tell,
) -> FinetunedManifest:
    """Fine-tune the checkpoint in `base` and write the folder `out`; return its manifest.

    The same recipe, texts, checkpoint, libraries and machine give the same weights, on a processor.

    Raises
    ------
    ConfigurationError
        If the extra `train` is missing, a source or the checkpoint cannot be read, or too few texts
        are there to stop and to calibrate by.
    """
    tokenizer, model = _open(base)
    course, sources = _course(recipe, roots)
    tell(f"{len(course.teach)} texts teach, {len(course.held)} are held back")
    reading = _Reading(model, tokenizer, _longest(recipe, model), recipe.batch)
    _teach(recipe, reading, course, cloaked=cloaked, tell=tell)
    protected = read_texts(recipe.protected, roots, recipe.seed)
    lines, scores = _calibrated(recipe, course, reading(_texts(course, course.held)), reading(protected))
    said: dict[str, Any] = {
        "format": 1,
        "kind": "transformer",
        "name": recipe.name,
        "recipe": recipe.name,
        "recipe_sha256": recipe_sha256,
        "base": base.name,
        "base_sha256": hashlib.sha256((base / "config.json").read_bytes()).hexdigest(),
        "seed": recipe.seed,
        "labels": list(HEADS),
        "sources": sources,
        "scores": scores,
    }
    return _write(out, said, model, tokenizer, lines)


def _open(base: Path) -> tuple[Any, Any]:
    """Return tokenizer and model of the checkpoint, with ten heads that know nothing yet."""
    try:
        import scipy.optimize  # noqa: F401, PLC0415 - an optional library
        from transformers import (  # noqa: PLC0415 - an optional library
            AutoModelForSequenceClassification,
            AutoTokenizer,
        )
    except ImportError as error:
        raise ConfigurationError(
            "fine-tuning needs torch, transformers and scipy: pip install 'tingjian[train]'"
        ) from error
    if not (base / "config.json").is_file():
        raise ConfigurationError(f"there is no checkpoint in {base}")
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(base), **local)
        model = AutoModelForSequenceClassification.from_pretrained(
            str(base),
            num_labels=len(HEADS),
            id2label=dict(enumerate(HEADS)),
            label2id={head: place for place, head in enumerate(HEADS)},
            problem_type="multi_label_classification",
            ignore_mismatched_sizes=True,
            **local,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigurationError(f"the checkpoint in {base} cannot be opened") from error
    return tokenizer, model


def _course(recipe: FinetuneRecipe, roots: Roots) -> tuple[_Course, list[SourceRecord]]:
    """Return the lessons, dealt into those that teach and those that are held back."""
    lessons = read_lessons([*recipe.sources, *recipe.dev], HEADS, roots, recipe.seed)
    whole = 2**32
    drawn = np.array([draw(text, recipe.seed + 2) for text in lessons.texts])
    from_dev = lessons.origin >= len(recipe.sources)
    calibrates = (lessons.calibrates > 0.0).any(axis=1) & ~lessons.derived
    held = from_dev | ((drawn < recipe.held * whole) & calibrates)
    heads = lessons.says
    taught = heads[~held]
    trained = (taught == EXAMPLE).sum(axis=0) >= FEWEST
    examples = ((taught == EXAMPLE) * lessons.weight[~held, None]).sum(axis=0)
    against = ((taught != EXAMPLE) & (taught != SILENT)) * lessons.weight[~held, None]
    heavy = np.clip(against.sum(axis=0) / np.maximum(examples, 1e-9), 1.0, recipe.heaviest)
    if not _judged(heads[held], trained).any():
        raise ConfigurationError("nothing that is held back could stop or calibrate any head")
    sources = [
        SourceRecord(
            name=source.name,
            licence=source.licence,
            rows=int(np.sum(lessons.origin == place)),
            use=source.use,
        )
        for place, source in enumerate([*recipe.sources, *recipe.dev])
    ]
    course = _Course(lessons, np.flatnonzero(~held), np.flatnonzero(held), trained, heavy.astype(np.float32))
    return course, sources


def _judged(says: npt.NDArray[np.int8], trained: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the heads that have both an example and something against it. Shape (k,)."""
    both: npt.NDArray[np.bool_] = (says == EXAMPLE).any(axis=0) & (says == 0).any(axis=0)
    return both & trained


def _texts(course: _Course, places: npt.NDArray[np.int64]) -> list[str]:
    return [course.lessons.texts[place] for place in places]


def _longest(recipe: FinetuneRecipe, model: Any) -> int:  # noqa: ANN401 - a model of transformers
    return min(recipe.longest, int(model.config.max_position_embeddings))


def _tokens(tokenizer: Any, texts: Sequence[str], longest: int) -> Any:  # noqa: ANN401 - of transformers
    clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
    return tokenizer(clean, truncation=True, max_length=longest, padding=True, return_tensors="pt")


@dataclass(frozen=True, slots=True)
class _Reading:
    """Asks a model for the logits of texts, without teaching it anything."""

    model: Any
    tokenizer: Any
    longest: int
    batch: int

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        """Return logits of shape (n, 10), in the order of the texts."""
        import torch  # noqa: PLC0415 - an optional library

        result = np.zeros((len(texts), len(HEADS)), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        self.model.eval()
        for at in range(0, len(order), self.batch):
            places = order[at : at + self.batch]
            tokens = _tokens(self.tokenizer, [texts[place] for place in places], self.longest)
            with torch.inference_mode():
                logits = self.model(**tokens.to(self.model.device)).logits
            result[places] = logits.to(torch.float32).cpu().numpy()
        return result


def _teach(
    recipe: FinetuneRecipe, reading: _Reading, course: _Course, *, cloaked: Cloaking, tell: Tell
) -> None:
    """Teach the model of `reading` in place; it ends with the weights of its best epoch."""
    import torch  # noqa: PLC0415 - an optional library

    torch.manual_seed(recipe.seed)
    model = reading.model
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    generator = np.random.default_rng(recipe.seed)
    disguise = random.Random(recipe.seed)  # noqa: S311 - no secret
    batches = -(-len(course.teach) // recipe.batch)
    best, best_state, waited = (-1.0, 0.0), deepcopy(model.state_dict()), 0
    for epoch in range(recipe.epochs):
        model.train()
        running = 0.0
        for step, places in enumerate(_batches(course, recipe.batch, generator)):
            share = (epoch * batches + step) / (recipe.epochs * batches)
            pace = min(1.0, share / recipe.warmup if recipe.warmup else 1.0) * (1.0 - share)
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * max(pace, 1e-3)
            copied = places[generator.random(len(places)) < recipe.cloaked]
            texts = [*_texts(course, places), *(cloaked(text, disguise) for text in _texts(course, copied))]
            tokens = _tokens(reading.tokenizer, texts, reading.longest).to(model.device)
            loss = _loss(model(**tokens).logits, course, np.concatenate([places, copied]))
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            running += float(loss.detach())
        figure = _ranking(course, reading(_texts(course, course.held)))
        tell(f"epoch {epoch + 1}: loss {running / batches:.4f}, held back {figure[0]:.4f}, {-figure[1]:.4f}")
        if figure > best:
            best, best_state, waited = figure, deepcopy(model.state_dict()), 0
            continue
        waited += 1
        if waited >= recipe.patience:
            break
    model.load_state_dict(best_state)
    model.to("cpu")


def _batches(course: _Course, size: int, generator: np.random.Generator) -> list[npt.NDArray[np.int64]]:
    """Return the places that teach in random batches, each of texts of like length."""
    order = generator.permutation(course.teach)
    lengths = np.array([len(text) for text in course.lessons.texts])
    wide = 16 * size
    batches = []
    for at in range(0, len(order), wide):
        part = order[at : at + wide]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[begin : begin + size] for begin in range(0, len(part), size)]
    return [batches[place] for place in generator.permutation(len(batches))]


def _loss(logits: Any, course: _Course, places: npt.NDArray[np.int64]) -> Any:  # noqa: ANN401 - tensors
    """Return how far the heads are from what the texts teach; silence teaches nothing."""
    import torch  # noqa: PLC0415 - an optional library
    from torch.nn.functional import binary_cross_entropy_with_logits  # noqa: PLC0415 - as above

    says = course.lessons.says[places]
    speaks = (says != SILENT) & course.trained
    weight = speaks * course.lessons.weight[places, None]
    on = {"device": logits.device, "dtype": torch.float32}
    each = binary_cross_entropy_with_logits(
        logits.float(),
        torch.as_tensor(says == EXAMPLE, **on),
        weight=torch.as_tensor(weight, **on),
        pos_weight=torch.as_tensor(course.heavy, **on),
        reduction="sum",
    )
    return each / max(float(weight.sum()), 1e-9)


def _ranking(course: _Course, logits: FloatArray) -> tuple[float, float]:
    """Return how good the heads are on what is held back: more is better.

    First their mean average precision, in [0, 1], and where that is the same the negative mean loss,
    because heads that only just rank right cannot be calibrated. Both to four places.
    """
    says = course.lessons.says[course.held]
    precisions, losses = [], []
    for place in np.flatnonzero(_judged(says, course.trained)):
        speaks = says[:, place] != SILENT
        truth, logit = says[speaks, place] == EXAMPLE, logits[speaks, place].astype(np.float64)
        precisions.append(average_precision(truth, logit))
        losses.append(np.mean(np.logaddexp(0.0, logit) - truth * logit))
    return round(float(np.mean(precisions)), 4), -round(float(np.mean(losses)), 4)


def _calibrated(
    recipe: FinetuneRecipe, course: _Course, held: FloatArray, protected: FloatArray
) -> tuple[dict[str, Line], dict[str, dict[str, float]]]:
    """Return the line of each head, and how it does on what is held back."""
    says = course.lessons.says[course.held]
    weights = course.lessons.calibrates[course.held]
    judged = _judged(np.where(weights > 0.0, says, SILENT).astype(np.int8), course.trained)
    lines, scores = {}, {}
    for place, head in enumerate(HEADS):
        slope, offset = 1.0, 0.0
        if judged[place]:
            rows = (says[:, place] != SILENT) & (weights[:, place] > 0.0)
            truth = says[rows, place] == EXAMPLE
            slope, offset = platt(held[rows, place].astype(np.float64), truth, weights[rows, place])
            factor = _held_down(protected[:, place] * slope + offset, recipe.ceiling)
            slope, offset = slope * factor, offset * factor
            probability = 1.0 / (1.0 + np.exp(-(held[rows, place] * slope + offset)))
            scores[head] = {
                "examples": float(truth.sum()),
                "against": float((~truth).sum()),
                "auroc": round(auroc(truth, probability), 4),
                "average_precision": round(average_precision(truth, probability), 4),
                "calibration_error": round(calibration_error(truth, probability), 4),
                "held_down": round(factor, 4),
            }
        lines[head] = Line(slope=float(slope), offset=float(offset), trained=bool(judged[place]))
    return lines, scores


def _held_down(logits: FloatArray, ceiling: float) -> float:
    """Return the factor on a head's logit under which no protected text reaches more than `ceiling`."""
    top = float(logits.max()) if len(logits) else 0.0
    if top <= 0.0 or ceiling >= 1.0:
        return 1.0
    return min(1.0, float(np.log(ceiling / (1.0 - ceiling))) / top)


def _write(
    out: Path,
    said: dict[str, Any],
    model: Any,  # noqa: ANN401 - a model of transformers
    tokenizer: Any,  # noqa: ANN401 - of transformers
    lines: dict[str, Line],
) -> FinetunedManifest:
    """Write the folder beside its place and move it there when it is whole."""
    beside = out.with_name(f".{out.name}.making")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    model.save_pretrained(str(beside))
    tokenizer.save_pretrained(str(beside))
    document = {head: line.model_dump() for head, line in lines.items()}
    (beside / CALIBRATION).write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")
    files = {}
    for path in sorted(beside.iterdir()):
        content = path.read_bytes()
        files[path.name] = FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    manifest = FinetunedManifest(**said, files=files)
    text = orjson.dumps(manifest.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    (beside / MANIFEST).write_bytes(text + b"\n")
    shutil.rmtree(out, ignore_errors=True)
    beside.rename(out)
    return manifest
