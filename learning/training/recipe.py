"""A recipe: everything that decides what a bundle becomes, in one TOML file.

Same recipe, same data, same versions of the libraries: same bytes. Paths are relative to one of
four roots: `data` and `corpus` are where the operator keeps the public sets, `texts` is what the
project wrote itself, `package` is the folder that the rooms lie in. A recipe names licences too,
and the manifest repeats them.

Neighbours: `sources` reads what a recipe names; `making` follows it.
"""

import hashlib
import tomllib
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from learning.manifest import HashingEntry
from models.errors import ConfigurationError

RECIPES: Final = Path(__file__).parent.parent / "recipes"
PACKAGE: Final = Path(__file__).parents[2]
TEXTS: Final = Path(__file__).parent / "texts"


class _Part(BaseModel):
    """A strict, unchanging part of a recipe: an unknown member is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceEntry(_Part):
    """One file of texts and what its labels teach.

    Attributes
    ----------
    labels
        For each value of `field`, the heads for which such a text is an example. A value that is
        not listed is no example of any. The key "*" stands for every value; the word "=" stands
        for the value itself.
    unknown
        For each value of `field`, the heads about which such a text says nothing. "*" as above.
    teaches
        Heads outside this list learn nothing from the file. Empty: it teaches all.
    weight
        How much one text counts, against 1 for an ordinary one.
    limit
        Take at most so many texts, drawn by the hash of the text. 0: all.
    calibrates
        For each head, how much a text of this file counts when the head is calibrated, scored by
        weights that did not see it. "*" stands for the heads that are not named. Empty: not at all.
    derived
        Whether the texts were made from those of another file. They teach the heads that ship, and
        not the heads that calibrate: those would have seen a text in another spelling.
    """

    name: str
    root: Literal["data", "corpus", "texts", "package"] = "data"
    file: str
    licence: str
    use: str
    text: str = "text"
    field: str = ""
    labels: dict[str, list[str]] = {}
    unknown: dict[str, list[str]] = {}
    teaches: list[str] = []
    weight: float = 1.0
    limit: int = 0
    calibrates: dict[str, float] = {}
    derived: bool = False


class HeadsEntry(_Part):
    """A group of heads that share their n-grams and their texts.

    Attributes
    ----------
    penalty
        The machines' C: how much a text on the wrong side of the margin costs.
    folds
        How many parts the texts are dealt into for calibration.
    positive_share
        Examples that weigh less than this share of all are weighted up to it.
    ceiling, protected
        No head may give a text of `protected` more than `ceiling`; one that would is made less
        sure of everything until it does not (charter, 2).
    """

    penalty: float
    folds: int = 4
    positive_share: float = 0.0
    sources: list[SourceEntry]
    ceiling: float = 1.0
    protected: list[SourceEntry] = []


class GramsEntry(_Part):
    """How the n-gram vectors are made."""

    dimensions: int
    vocabulary: int
    rarest: int
    window: int
    weight_scale: float
    shared: int
    sources: list[SourceEntry]


class Recipe(_Part):
    """What to make. `rarest`: an n-gram that fewer texts have teaches nothing, per group of heads."""

    name: str
    seed: int
    hashing: dict[str, HashingEntry]
    rarest: dict[str, int]
    harms: HeadsEntry
    need: HeadsEntry
    domain: HeadsEntry
    tone: HeadsEntry
    grams: GramsEntry


def read_recipe(name: str) -> tuple[Recipe, str]:
    """Return the recipe of that name or at that path, and the SHA-256 of its file.

    Raises
    ------
    ConfigurationError
        If there is none, or it is not a recipe.
    """
    shipped = RECIPES / f"{name}.toml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        content = path.read_bytes()
        recipe = Recipe.model_validate(tomllib.loads(content.decode()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(f"no recipe can be read from {name}") from error
    return recipe, hashlib.sha256(content).hexdigest()
