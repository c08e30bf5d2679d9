"""Remember which rules, thresholds and bundle have passed the door, so that the same need not pass twice.

The door runs every rule's own tests and the protected suite. A start whose every input is the same to
the byte would come to the same end, and is spared that. What counts as input: every file of
`moderation` (code, packs, policies, suite, tables), the code of `learning`, the words of
`models/vocabulary.py`, the operator's packs, the bundle, Python and the libraries that match and
compute. One byte more or less and the door runs again.

It is no way around the door. A pass is written only by a start that went through it, and is sealed
with a key derived from the installation's secret; no setting writes, moves or skips it. A seal that
does not fit is none, and a failure is never remembered. Whatever cannot be told by its files (a
classifier of the operator's own) passes the door at every start.

Neighbours: `wiring` asks before it loads the screener; `moderation/pipeline.admitted` is the door.
"""

import hashlib
import hmac
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final

import learning
import models.vocabulary
import moderation

MODERATION: Final = Path(moderation.__file__).parent
LEARNING: Final = Path(learning.__file__).parent
WORDS: Final = Path(models.vocabulary.__file__)
LIBRARIES: Final = ("ahocorasick-rs", "google-re2", "numpy", "onnxruntime", "orjson", "pydantic", "pyyaml")
NOT_JUDGED: Final = frozenset({"__pycache__", "bundles", "training", "recipes"})
"""Folders that no judgement comes from. The bundle that does judge is named apart."""

KEPT: Final = 8


@dataclass(frozen=True, slots=True)
class Passes:
    """The passes that one installation remembers, in one small file."""

    file: Path
    key: bytes = field(repr=False)

    def holds(self, content: str) -> bool:
        """Return whether this very content has passed."""
        seal = self._seal(content)
        return any(hmac.compare_digest(seal, line) for line in self._lines())

    def keep(self, content: str) -> None:
        """Remember that this content has passed. Where nothing can be written, nothing is remembered."""
        lines = [*self._lines()[-KEPT + 1 :], self._seal(content)]
        draft = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text("\n".join(lines) + "\n", encoding="ascii")
            draft.replace(self.file)
        except OSError:
            with suppress(OSError):
                draft.unlink()

    def _seal(self, content: str) -> str:
        return hmac.new(self.key, content.encode(), "sha256").hexdigest()

    def _lines(self) -> list[str]:
        try:
            return self.file.read_text(encoding="ascii").split()
        except (OSError, UnicodeError):
            return []


def content_of(bundle: Path | None, operator_rulebooks: Path | None) -> str:
    """Return the hash over everything that the door would judge, and by what.

    Parameters
    ----------
    bundle
        The folder of the bundle, or None if no classifier is loaded. A cascade pins the hash of the
        bundle that it begins with.
    operator_rulebooks
        The folder with the operator's own packs, or None.
    """
    whole = hashlib.sha256()
    for name in (sys.version, platform.machine(), *(_version(library) for library in LIBRARIES)):
        whole.update(f"{name}\0".encode())
    code = [path for path in _files(LEARNING) if path.suffix == ".py"]
    groups = (
        _files(MODERATION),
        code,
        [WORDS],
        _files(bundle) if bundle else [],
        _files(operator_rulebooks) if operator_rulebooks else [],
    )
    for number, group in enumerate(groups):
        for path in group:
            content = path.read_bytes()
            whole.update(f"{number}\0{path.name}\0{len(content)}\0".encode())
            whole.update(content)
    return whole.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir():
            if path.name not in NOT_JUDGED:
                yield from _walk(path)
        elif path.suffix != ".pyc":
            yield path


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "-"
