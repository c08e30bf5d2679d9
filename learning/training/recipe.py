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
from typing import Final, Literal, TypeVar

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
    second
        A file among the `texts` with a second reading: the mark of a text (`sources.mark`) and a letter on
        each line. A text that was read again has the value "value:letter".
    derived
        Whether the texts were made from those of another file. They teach the heads that ship, and
        not the heads that calibrate: those would have seen a text in another spelling.
    homophones
        Whether its texts teach the first stage once more in characters of the same sound; see
        `HomophonesEntry`. The encoder makes copies of its own.
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
    second: str = ""
    derived: bool = False
    homophones: bool = False


class HomophonesEntry(_Part):
    """How copies in homophones are made: the `share` of characters replaced, and what a copy weighs.

    `weight` is a factor on the weight of the text that was copied.
    """

    share: float
    weight: float


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
    homophones
        How copies are made of the sources that ask for them; none where it is missing.
    ceiling, protected
        No head may give a text of `protected` more than `ceiling`; one that would is made less
        sure of everything until it does not (charter, 2).
    """

    penalty: float
    folds: int = 4
    positive_share: float = 0.0
    sources: list[SourceEntry]
    homophones: HomophonesEntry | None = None
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
    """What to make.

    Attributes
    ----------
    rarest
        An n-gram that fewer texts have teaches nothing, per group of heads.
    kept
        How many n-grams the heads of harm keep: those that weigh most. 0: a row for each bucket.
    """

    name: str
    seed: int
    hashing: dict[str, HashingEntry]
    rarest: dict[str, int]
    kept: int = 0
    harms: HeadsEntry
    need: HeadsEntry
    domain: HeadsEntry
    tone: HeadsEntry
    grams: GramsEntry


class StreamEntry(_Part):
    """Open text that the encoder is pretrained on.

    `share` of each twenty lines in a row is read; short texts may be read `times` times.
    """

    name: str
    root: Literal["data", "corpus", "texts"] = "corpus"
    file: str
    licence: str
    text: str = "text"
    share: float = 1.0
    times: int = 1


class PretrainingEntry(_Part):
    """How the encoder is pretrained: its size, its text, and for how many minutes on two cores.

    With `steps`, so many batches instead: as much on a slow machine as on a fast one.
    """

    width: int
    layers: int
    attention: int
    inner: int
    minutes: float
    steps: int | None = None
    pace: float
    streams: list[StreamEntry]


class RevisionEntry(_Part):
    """How the encoder is taught once more (`revising`).

    Attributes
    ----------
    others
        The share of the other lessons that is taught beside the texts that were read again.
    weight
        How much more the head in question counts for those texts, and every head for a text that is new.
    soft
        How much the network listens to what it said before, against the labels.
    """

    epochs: int
    minutes: float
    others: float
    weight: float
    pace: float
    soft: float


class TuningEntry(_Part):
    """How the encoder is taught.

    Attributes
    ----------
    parts, teachers
        The texts are dealt into so many parts; so many teachers are taught, each without one of them. The
        parts that a teacher did not see calibrate.
    soft
        How much the one that ships listens to the teachers, against the labels.
    readings
        What the head of hate should say about a text with a second reading, by its value.
    worth
        What such a value is worth where a threshold is chosen, if that is something else: teaching asks
        whether to listen to a reading, a threshold how many texts of a file are to be found.
    pairs
        A file among the `texts` whose field names texts that mean the same, for the vector.
    again
        How the one that ships is taught once more, above all the texts that `readings` knows; not at all
        where it is missing.
    onward
        How an encoder that is there goes on with new lessons (`onward`); nothing of the above but `parts`
        and `readings` is asked then.
    """

    parts: int
    teachers: int
    teacher_epochs: int
    epochs: int
    minutes: float
    soft: float
    vector: int
    readings: dict[str, float]
    worth: dict[str, float] = {}
    pairs: str
    pairs_field: str
    again: RevisionEntry | None = None
    onward: RevisionEntry | None = None


class CascadeRecipe(_Part):
    """What to make of a linear bundle and an encoder.

    `lessons` names the recipe of the first stage, whose lessons both stages learn; `missed` is the share
    of what both stages find together that the first alone may settle wrongly; `ceiling` bounds every
    head on the protected suite, as in `HeadsEntry`; `share` is the length of each stage's vector;
    `calibrating` are texts that teach neither stage and help to join them. `fresh` names the sources among
    the lessons that came after the encoder: where it is kept or goes on, they join the stages (`rejoining`,
    `onward`).
    """

    kind: Literal["cascade"]
    name: str
    seed: int
    lessons: str
    missed: float
    ceiling: float
    share: list[float]
    pretraining: PretrainingEntry
    tuning: TuningEntry
    calibrating: list[SourceEntry] = []
    fresh: list[str] = []


def read_recipe(name: str) -> tuple[Recipe, str]:
    """Return the recipe of a linear bundle of that name or at that path, and the SHA-256 of its file.

    Raises
    ------
    ConfigurationError
        If there is none, or it is not a recipe.
    """
    return _read(name, Recipe)


def read_cascade_recipe(name: str) -> tuple[CascadeRecipe, str]:
    """Return the recipe of a cascade of that name or at that path, and the SHA-256 of its file.

    Raises
    ------
    ConfigurationError
        If there is none, or it is not such a recipe.
    """
    return _read(name, CascadeRecipe)


Kind = TypeVar("Kind", Recipe, CascadeRecipe)


def _read(name: str, kind: type[Kind]) -> tuple[Kind, str]:
    shipped = RECIPES / f"{name}.toml"
    path = shipped if shipped.is_file() else Path(name)
    try:
        content = path.read_bytes()
        recipe = kind.model_validate(tomllib.loads(content.decode()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(f"no recipe can be read from {name}") from error
    return recipe, hashlib.sha256(content).hexdigest()
