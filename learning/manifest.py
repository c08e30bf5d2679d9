"""What a bundle says about itself, and the check that it is true.

A bundle is a folder with a `manifest.json` and the files it names. The manifest says what the
bundle was made from, under which licences, and how well it does; it holds the SHA-256 of every
file and the list of labels. A file that differs by one bit, a missing file, or a list of labels
that is not ours is refused with `ConfigurationError`: a rearranged column would take down the
wrong posts without any error to show for it.

Neighbours: `bundle` opens what was checked here; `training/writing.py` writes it.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from learning.encoder import DOMAIN_COLUMNS, HARM_COLUMNS, TONE_COLUMNS
from models.errors import ConfigurationError

MANIFEST: Final = "manifest.json"


class _Part(BaseModel):
    """A strict, unchanging part of a manifest: an unknown member is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FileEntry(_Part):
    """One file of the bundle."""

    sha256: str
    bytes: int


class Labels(_Part):
    """The columns of each group of heads, in order."""

    harms: list[str]
    domain: list[str]
    tone: list[str]


class Source(_Part):
    """One set of texts that the bundle was made from. `use` is what it taught."""

    name: str
    licence: str
    rows: int
    use: str


class HeadEntry(_Part):
    """One linear head: what is added to its score, and the line that calibrates it.

    `trained` is false for a head that saw no example; it answers 0. What the line says beyond even
    counts by the factor `upper`, from 0 to 1.
    """

    bias: float
    slope: float
    offset: float
    trained: bool
    upper: float = Field(default=1.0, ge=0.0, le=1.0)


class HashingEntry(_Part):
    """How characters became buckets. `heard` is the highest order of sound n-grams, 0 for none."""

    bits: int
    orders: int
    heard: int = 0


class JointEntry(_Part):
    """One head over two stages: its logit is `linear * first + encoder * second + offset`.

    `trained` is false for a head that saw no example; it answers 0. What the line says beyond even
    counts by the factor `upper`, from 0 to 1. `most` is the highest that the
    encoder said of any text that taught or calibrated; what it says beyond counts as so much.
    """

    linear: float
    encoder: float
    offset: float
    trained: bool
    most: float | None = None
    upper: float = Field(default=1.0, ge=0.0, le=1.0)


class FirstStage(_Part):
    """The linear bundle that a cascade begins with: a folder beside its own, and its manifest's hash."""

    name: str
    manifest_sha256: str


class CascadeManifest(_Part):
    """All that is said about a cascade: what `Manifest` says of a linear bundle, and its first stage.

    `plain` holds, for each harm, the linear logit below which a text is settled by the first stage;
    `share` the lengths of the two stages' vectors in the joint one.
    """

    format: Literal[1]
    kind: Literal["cascade"]
    name: str
    recipe: str
    recipe_sha256: str
    seed: int
    labels: Labels
    first: FirstStage
    plain: list[float]
    share: list[float]
    heads: dict[str, list[JointEntry]]
    sources: list[Source]
    scores: dict[str, dict[str, float]]
    files: dict[str, FileEntry]


class Manifest(_Part):
    """All that is said about a linear bundle. `format` changes when an older reader would misread it."""

    format: Literal[1]
    kind: Literal["linear"]
    name: str
    recipe: str
    recipe_sha256: str
    seed: int
    labels: Labels
    hashing: dict[str, HashingEntry]
    heads: dict[str, list[HeadEntry]]
    sources: list[Source]
    scores: dict[str, dict[str, float]]
    files: dict[str, FileEntry]


def our_labels() -> Labels:
    """Return the columns that every bundle must have."""
    return Labels(
        harms=[word.value for word in HARM_COLUMNS],
        domain=[word.value for word in DOMAIN_COLUMNS],
        tone=[word.value for word in TONE_COLUMNS],
    )


AnyManifest = Manifest | CascadeManifest

_READING: Final = TypeAdapter[AnyManifest](Annotated[AnyManifest, Field(discriminator="kind")])


def read_manifest(folder: Path) -> AnyManifest:
    """Return the manifest in `folder`, with every file checked against it.

    Raises
    ------
    ConfigurationError
        If the manifest is missing or unreadable, its labels are not those of
        `models/vocabulary.py`, or a file is missing or differs from its hash.
    """
    where = folder / MANIFEST
    try:
        written = where.read_bytes()
        manifest = _READING.validate_json(written)
    except (OSError, ValidationError) as error:
        raise ConfigurationError(
            f"{where}:1: the bundle in {folder} has no manifest that can be read"
        ) from error
    if manifest.labels != our_labels():
        place = f"{where}:{_line(written, 'labels')}"
        raise ConfigurationError(f"{place}: the bundle {manifest.name} was made for another list of labels")
    for name, entry in manifest.files.items():
        place = f"{where}:{_line(written, name)}"
        if Path(name).name != name:
            raise ConfigurationError(f"{place}: the bundle {manifest.name} names a file outside its folder")
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{place}: the bundle {manifest.name} lacks its file {name}") from error
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise ConfigurationError(
                f"{place}: the file {name} of the bundle {manifest.name} differs from its hash"
            )
    return manifest


def _line(written: bytes, key: str) -> int:
    """Return the line of a manifest at which a member stands, or 1 where it is written otherwise."""
    before, found, _ = written.partition(f'"{key}":'.encode())
    return before.count(b"\n") + 1 if found else 1
