"""Serve a Hugging Face sequence classifier that an operator points at by path.

Serving imports torch and transformers here alone, and only when a model is opened: they come with
the extra `train`. Nothing is ever downloaded; code that lies in the folder is never run.

There are two kinds of folders. One that `tingjian train recipes/finetune.toml` wrote has a manifest:
its files are checked against their hashes, its labels are our categories, and its probabilities are
calibrated by the lines in `calibration.json`. Of any other the operator says which label means which
category; its probabilities are the model's own: measure them with `tingjian evaluate scores` before
a policy relies on them. Either way a label that is not named is ignored, and a category without a
label is judged by the bundle `beside`.

Neighbours: `encoder` is the contract it keeps; `linear` is what usually stands beside it;
`training/finetune` writes folders of the first kind.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import orjson
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from learning.encoder import HARM_COLUMNS, Bundle, Reads
from learning.features import FloatArray
from learning.manifest import MANIFEST, FileEntry, Source
from models.errors import ConfigurationError
from models.vocabulary import Category

CALIBRATION: Final = "calibration.json"

LONGEST: Final = 256
"""Tokens of a text that are read; the rest is cut."""

AT_ONCE: Final = 32
"""Texts in one step. More of them is usually slower on a processor."""

_SMALLEST: Final = 1e-9


class _Part(BaseModel):
    """A strict, unchanging part of a manifest: an unknown member is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Line(_Part):
    """What calibrates one head: its logit times `slope` and plus `offset`. Untrained, it answers nothing."""

    slope: float
    offset: float
    trained: bool


class FinetunedManifest(_Part):
    """All that is said about a classifier that was fine-tuned here. `base` names the checkpoint's folder."""

    format: Literal[1]
    kind: Literal["transformer"]
    name: str
    recipe: str
    recipe_sha256: str
    base: str
    base_sha256: str
    seed: int
    labels: list[str]
    sources: list[Source]
    scores: dict[str, dict[str, float]]
    files: dict[str, FileEntry]


@dataclass(frozen=True, slots=True)
class TransformerBundle:
    """A classifier, what its labels mean, and the bundle that answers what it cannot.

    `lines` calibrates columns of a model that judges each label by itself; without it the model's
    own probabilities stand.
    """

    name: str
    tokenizer: Any
    model: Any
    columns: Mapping[int, Category]
    beside: Bundle
    lines: Mapping[int, Line] = field(default_factory=dict)

    def harms(self, texts: Sequence[str]) -> FloatArray:
        """Return a probability for each text and category. Shape (n, 10).

        Several labels of one category add up where the model chooses one label, and the largest
        counts where it judges each by itself.
        """
        result = self.beside.harms(texts).copy()
        if not len(texts):
            return result
        scores, _ = self._run(texts)
        for column, line in self.lines.items():
            scores[:, column] = scores[:, column] * line.slope + line.offset
        several = self.model.config.problem_type == "multi_label_classification"
        if several:
            chances = 1.0 / (1.0 + np.exp(-scores))
        else:
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            chances = powers / powers.sum(axis=1, keepdims=True)
        for category in set(self.columns.values()):
            own = chances[:, [place for place, word in self.columns.items() if word is category]]
            joined = own.max(axis=1) if several else np.minimum(own.sum(axis=1), 1.0)
            result[:, HARM_COLUMNS.index(category)] = joined
        return result

    def reads(self, texts: Sequence[str]) -> Reads:
        """Return what the bundle beside reads; a classifier of harms knows nothing of needs."""
        return self.beside.reads(texts)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Return the mean of the last layer over each text's tokens, at unit length."""
        if not len(texts):
            return np.zeros((0, int(self.model.config.hidden_size)), dtype=np.float32)
        _, vectors = self._run(texts)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        result: FloatArray = (vectors / np.maximum(lengths, _SMALLEST)).astype(np.float32)
        return result

    def _run(self, texts: Sequence[str]) -> tuple[FloatArray, FloatArray]:
        """Return the model's scores and the mean last layer, in the order of `texts`.

        Texts of like length share a step, so that little is computed on padding.
        """
        import torch  # noqa: PLC0415 - an optional library, and this is its one door

        clean = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]
        order = sorted(range(len(clean)), key=lambda place: len(clean[place]))
        scores = np.zeros((len(clean), int(self.model.config.num_labels)), dtype=np.float32)
        vectors = np.zeros((len(clean), int(self.model.config.hidden_size)), dtype=np.float32)
        for at in range(0, len(order), AT_ONCE):
            places = order[at : at + AT_ONCE]
            tokens = self.tokenizer(
                [clean[place] for place in places],
                truncation=True,
                max_length=min(LONGEST, int(self.model.config.max_position_embeddings)),
                padding=True,
                return_tensors="pt",
            )
            with torch.inference_mode():
                answer = self.model(**tokens, output_hidden_states=True)
            mask = tokens["attention_mask"].unsqueeze(-1).to(torch.float32)
            mean = (answer.hidden_states[-1] * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)
            scores[places] = answer.logits.to(torch.float32).numpy()
            vectors[places] = mean.to(torch.float32).numpy()
        return scores, vectors


def open_transformer(path: Path, labels: Mapping[str, Category], beside: Bundle) -> TransformerBundle:
    """Return the classifier in the folder `path`.

    Parameters
    ----------
    labels
        What the model's labels mean, by the names in its `config.json`. Empty for a folder with a
        manifest of ours: then each of its trained heads judges its own category.
    beside
        Answers for the categories without a label, and for need, domain and tone.

    Raises
    ------
    ConfigurationError
        If the libraries of the extra `train` are missing, the folder holds no sequence classifier
        or is not what its manifest says, or a label is named that the model does not have.
    """
    try:
        from transformers import (  # noqa: PLC0415 - an optional library
            AutoModelForSequenceClassification,
            AutoTokenizer,
        )
    except ImportError as error:
        raise ConfigurationError(
            "serving a Hugging Face model needs torch and transformers: pip install 'tingjian[train]'"
        ) from error
    if not (path / "config.json").is_file():
        raise ConfigurationError(f"there is no model in {path}")
    manifest = read_finetuned(path) if (path / MANIFEST).is_file() else None
    local = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(path), **local)
        model = AutoModelForSequenceClassification.from_pretrained(str(path), **local).eval()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigurationError(f"the model in {path} cannot be opened as a sequence classifier") from error
    known = {str(name): int(place) for name, place in model.config.label2id.items()}
    lines = {} if manifest is None else _calibration(path, manifest, known)
    if manifest is not None and not labels:
        labels = {name: Category(name) for name, place in known.items() if lines[place].trained}
    strangers = sorted(set(labels) - set(known))
    if strangers:
        raise ConfigurationError(f"the model in {path} has no labels {strangers}; it has {sorted(known)}")
    columns = {known[label]: category for label, category in labels.items()}
    name = path.name if manifest is None else manifest.name
    return TransformerBundle(name, tokenizer, model, columns, beside, lines)


def read_finetuned(path: Path) -> FinetunedManifest:
    """Return the manifest of a folder that was fine-tuned here, with every file checked against it.

    Raises
    ------
    ConfigurationError
        If it cannot be read, names labels that are not ours, or a file is missing or differs.
    """
    try:
        manifest = FinetunedManifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigurationError(f"the model in {path} has no manifest that can be read") from error
    if manifest.labels != [word.value for word in HARM_COLUMNS]:
        raise ConfigurationError(f"the model {manifest.name} was made for another list of labels")
    for name, entry in manifest.files.items():
        if Path(name).name != name:
            raise ConfigurationError(f"the model {manifest.name} names a file outside its folder")
        try:
            with (path / name).open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ConfigurationError(f"the model {manifest.name} lacks its file {name}") from error
        if digest != entry.sha256:
            raise ConfigurationError(f"the file {name} of the model {manifest.name} differs from its hash")
    return manifest


def _calibration(path: Path, manifest: FinetunedManifest, known: Mapping[str, int]) -> dict[int, Line]:
    """Return the line of each of the model's columns."""
    try:
        lines = TypeAdapter(dict[str, Line]).validate_python(orjson.loads((path / CALIBRATION).read_bytes()))
        if CALIBRATION not in manifest.files or set(known) != set(manifest.labels):
            raise ConfigurationError(f"the labels of the model {manifest.name} are not those of its manifest")
        return {place: lines[name] for name, place in known.items()}
    except (OSError, KeyError, ValueError) as error:
        raise ConfigurationError(f"the calibration of the model {manifest.name} cannot be read") from error
