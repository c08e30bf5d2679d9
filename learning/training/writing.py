"""Put a bundle together: arrays, then the manifest that vouches for them.

The folder is written beside its place and moved there when it is whole, so that a bundle is never
half there. Nothing in it depends on the clock or the machine's name.

Neighbours: `making` calls this last; `manifest` checks what is written here.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from learning.manifest import MANIFEST, CascadeManifest, FileEntry, Manifest

Kind = TypeVar("Kind", Manifest, CascadeManifest)


def write_bundle(out: Path, manifest: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Manifest:
    """Write `arrays` as files of the folder `out`, and the manifest with their hashes.

    An older bundle in `out` is replaced. `manifest` holds every field of `Manifest` but `files`.
    """
    return _write(out, lambda files: Manifest(**manifest, files=files), arrays, {})


def write_cascade(
    out: Path,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, npt.NDArray[Any]],
    others: Mapping[str, bytes],
) -> CascadeManifest:
    """Write a cascade: as `write_bundle`, with files that are no arrays as they are."""
    return _write(out, lambda files: CascadeManifest(**manifest, files=files), arrays, others)


def _write(
    out: Path,
    said: Callable[[dict[str, FileEntry]], Kind],
    arrays: Mapping[str, npt.NDArray[Any]],
    others: Mapping[str, bytes],
) -> Kind:
    beside = out.with_name(f".{out.name}.making")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(beside / name, array, allow_pickle=False)
    for name, content in others.items():
        (beside / name).write_bytes(content)
    files = {}
    for name in (*arrays, *others):
        content = (beside / name).read_bytes()
        files[name] = FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    whole = said(files)
    text = orjson.dumps(whole.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
    (beside / MANIFEST).write_bytes(text + b"\n")
    shutil.rmtree(out, ignore_errors=True)
    beside.rename(out)
    return whole
