"""Load a bundle, and refuse one that is not what its manifest says.

Two kinds ship: linear heads alone (`linear`), and the cascade (`cascade`) that begins with them and
lies in a folder beside theirs. Nothing here needs torch: a folder that holds a Hugging Face model is
served by `transformer`, which a setting of the operator names.

Neighbours: `encoder` says what a bundle can be asked; `manifest` checks the files.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from learning.cascade import open_cascade
from learning.encoder import Bundle, Reads
from learning.features import FloatArray
from learning.linear import LinearBundle, open_linear
from learning.manifest import MANIFEST, FirstStage, Manifest, read_manifest
from learning.matters import load_matters
from models.errors import ConfigurationError

__all__ = ["SHIPPED", "Bundle", "FloatArray", "Reads", "load_bundle"]

SHIPPED: Final = Path(__file__).parent / "bundles" / "cascade-2026.11.4"
MATTERS: Final = Path(__file__).parent / "bundles" / "matters-2026.11"


def load_bundle(path: Path | None = None) -> Bundle:
    """Return the bundle in the folder `path`, or the one that ships with the package.

    Raises
    ------
    ConfigurationError
        If the bundle is not what its manifest says, or cannot be read.
    """
    folder = SHIPPED if path is None else path
    manifest = read_manifest(folder)
    if isinstance(manifest, Manifest):
        return open_linear(folder, manifest)
    first = _first(folder.parent / manifest.first.name, manifest.first)
    bundle = open_cascade(folder, manifest, first)
    matters = load_matters(MATTERS)
    # Made with another first stage, the table would misread its vectors: the cascade's own are used then.
    return replace(bundle, matters=matters) if matters.fits(first.encode) else bundle


def _first(folder: Path, stage: FirstStage) -> LinearBundle:
    """Return the linear bundle that a cascade begins with, if it is the one that it was made with."""
    manifest = read_manifest(folder)
    if not isinstance(manifest, Manifest) or manifest.name != stage.name:
        raise ConfigurationError(f"{folder} does not hold the linear bundle {stage.name}")
    if hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest() != stage.manifest_sha256:
        raise ConfigurationError(f"the linear bundle {stage.name} is not the one this cascade was made with")
    return open_linear(folder, manifest)
