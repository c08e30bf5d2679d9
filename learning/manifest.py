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
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

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

    `trained` is false for a head that saw no example; it answers 0.
    """

    bias: float
    slope: float
    offset: float
    trained: bool


class HashingEntry(_Part):
    """How characters became buckets."""

    bits: int
    orders: int


class Manifest(_Part):
    """All that is said about a bundle. `format` changes when an older reader would misread it."""

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


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest in `folder`, with every file checked against it.

    Raises
    ------
    ConfigurationError
        If the manifest is missing or unreadable, its labels are not those of
        `models/vocabulary.py`, or a file is missing or differs from its hash.
    """
    try:
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigurationError(f"the bundle in {folder} has no manifest that can be read") from error
    if manifest.labels != our_labels():
        raise ConfigurationError(f"the bundle {manifest.name} was made for another list of labels")
    for name, entry in manifest.files.items():
        if Path(name).name != name:
            raise ConfigurationError(f"the bundle {manifest.name} names a file outside its folder")
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise ConfigurationError(f"the bundle {manifest.name} lacks its file {name}") from error
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise ConfigurationError(f"the file {name} of the bundle {manifest.name} differs from its hash")
    return manifest
