"""Load a bundle, and refuse one that is not what its manifest says.

Nothing here needs torch: a folder that holds a Hugging Face model is served by `transformer`,
which a setting of the operator names.

Neighbours: `encoder` says what a bundle can be asked; `manifest` checks the files; `linear` is
the kind that ships.
"""

from pathlib import Path
from typing import Final

from learning.encoder import Bundle, Reads
from learning.features import FloatArray
from learning.linear import open_linear
from learning.manifest import read_manifest

__all__ = ["SHIPPED", "Bundle", "FloatArray", "Reads", "load_bundle"]

SHIPPED: Final = Path(__file__).parent / "bundles" / "linear-2026.11"


def load_bundle(path: Path | None = None) -> Bundle:
    """Return the bundle in the folder `path`, or the one that ships with the package.

    Raises
    ------
    ConfigurationError
        If the bundle is not what its manifest says, or cannot be read.
    """
    folder = SHIPPED if path is None else path
    return open_linear(folder, read_manifest(folder))
