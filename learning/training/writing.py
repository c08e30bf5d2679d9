"""Put a bundle together: arrays, then the manifest that vouches for them.

The folder is written beside its place and moved there when it is whole, so that a bundle is never
half there. Nothing in it depends on the clock or the machine's name.

Neighbours: `making` calls this last; `manifest` checks what is written here.
"""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from learning.manifest import MANIFEST, FileEntry, Manifest


def write_bundle(out: Path, manifest: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Manifest:
    """Write `arrays` as files of the folder `out`, and the manifest with their hashes.

    An older bundle in `out` is replaced. `manifest` holds every field of `Manifest` but `files`.
    """
    beside = out.with_name(f".{out.name}.making")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    files = {}
    for name, array in arrays.items():
        np.save(beside / name, array, allow_pickle=False)
        content = (beside / name).read_bytes()
        files[name] = FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    whole = Manifest(**manifest, files=files)
    text = orjson.dumps(whole.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    (beside / MANIFEST).write_bytes(text + b"\n")
    shutil.rmtree(out, ignore_errors=True)
    beside.rename(out)
    return whole
