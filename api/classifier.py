"""Open the classifier that an operator asks for: a bundle, or a Hugging Face model with one beside it.

The model's labels are named as `label=category,label=category`; one that was fine-tuned here carries our
labels in its manifest, and needs none. What comes out goes through the
same door as every bundle (`moderation.pipeline.load_screener`), which refuses one that would act
on a protected text.

Refuses: a label without a category of the closed list; labels without a model; a model without a
bundle beside it.

Neighbours: `wiring` and the commands call this; `learning/transformer.py` opens the model.
"""

from pathlib import Path

from learning.bundle import Bundle, load_bundle
from learning.manifest import MANIFEST
from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import Category


def labels_of(written: str) -> dict[str, Category]:
    """Return what a model's labels mean, from `label=category,label=category`.

    Raises
    ------
    ConfigurationError
        If a part is no pair, or a label stands there twice.
    CharterViolation
        If a category is not one of the closed list.
    """
    found: dict[str, Category] = {}
    for part in filter(None, (part.strip() for part in written.split(","))):
        label, separator, name = (piece.strip() for piece in part.rpartition("="))
        if not separator or not label or not name:
            raise ConfigurationError("labels are written label=category,label=category")
        if label in found:
            raise ConfigurationError(f"the label {label} is named twice")
        try:
            found[label] = Category(name)
        except ValueError:
            raise CharterViolation(f"the list of harms is closed; it has no {name}") from None
    return found


def open_classifier(bundle: Path | None, transformer: Path | None = None, labels: str = "") -> Bundle:
    """Return the bundle in the folder `bundle` (None: the shipped one), behind a transformer if one is named.

    Raises
    ------
    ConfigurationError
        If a folder cannot be used, the extra `train` is missing, or labels and model do not go together.
    CharterViolation
        If a label is said to mean something outside the closed list.
    """
    meanings = labels_of(labels)
    if transformer is None:
        if meanings:
            raise ConfigurationError("labels are named, but no transformer that has them")
        return load_bundle(bundle)
    if not meanings and not (transformer / MANIFEST).is_file():
        raise ConfigurationError("say what the transformer's labels mean: label=category,label=category")
    # Imported here, because most operators serve no such model.
    from learning.transformer import open_transformer  # noqa: PLC0415

    return open_transformer(transformer, meanings, load_bundle(bundle))
