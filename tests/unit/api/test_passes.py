"""What has passed the door once is not judged twice, and nothing else is spared."""

import shutil
from pathlib import Path

import pytest

from api import passes
from api.passes import Passes, content_of
from learning.bundle import SHIPPED

KEY = b"k" * 32


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what judges, so that a test can change a byte of it."""
    for name, folder in (("MODERATION", passes.MODERATION), ("LEARNING", passes.LEARNING)):
        copy = tmp_path / name.lower()
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__", "bundles", "training"))
        monkeypatch.setattr(passes, name, copy)
    return tmp_path


def packs(folder: Path) -> Path:
    folder.mkdir()
    (folder / "own.yaml").write_text("pack: own\n")
    return folder


def test_the_same_files_are_the_same_content(installed: Path) -> None:
    own = packs(installed / "own")

    assert content_of(SHIPPED, own) == content_of(SHIPPED, own)


@pytest.mark.parametrize(
    "changed",
    [
        "moderation/rulebooks/spam.yaml",
        "moderation/policy.py",
        "moderation/protected_suite/new.jsonl",
        "moderation/tables/public_matters.txt",
        "learning/heads.py",
        "own/own.yaml",
    ],
)
def test_one_byte_more_anywhere_is_another_content(installed: Path, changed: str) -> None:
    own = packs(installed / "own")
    before = content_of(SHIPPED, own)

    with (installed / changed).open("a") as file:
        file.write("\n")

    assert content_of(SHIPPED, own) != before


def test_another_bundle_or_none_is_another_content(installed: Path) -> None:
    bundle = installed / "bundle"
    shutil.copytree(SHIPPED, bundle)
    before = content_of(bundle, None)
    (bundle / "manifest.json").write_bytes((bundle / "manifest.json").read_bytes() + b" ")

    assert len({before, content_of(bundle, None), content_of(None, None)}) == 3


def test_another_library_is_another_content(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del installed
    before = content_of(SHIPPED, None)
    monkeypatch.setattr(passes.metadata, "version", lambda _: "0")

    assert content_of(SHIPPED, None) != before


def test_a_pass_is_remembered_under_this_installations_secret_only(tmp_path: Path) -> None:
    here = Passes(tmp_path / "var" / "passed", KEY)
    assert not here.holds("content")

    here.keep("content")

    assert here.holds("content")
    assert not here.holds("contents")
    assert not Passes(here.file, b"another" * 5).holds("content")


@pytest.mark.parametrize("forged", ["content", "0" * 64, "é", ""])
def test_what_is_written_without_the_secret_is_no_pass(tmp_path: Path, forged: str) -> None:
    here = Passes(tmp_path / "passed", KEY)
    here.file.write_text(forged, encoding="utf-8")

    assert not here.holds("content")


def test_old_passes_make_room(tmp_path: Path) -> None:
    here = Passes(tmp_path / "passed", KEY)
    for number in range(passes.KEPT + 2):
        here.keep(str(number))

    assert [number for number in range(passes.KEPT + 2) if here.holds(str(number))] == list(
        range(2, passes.KEPT + 2)
    )


def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    here = Passes(tmp_path / "file" / "passed", KEY)

    here.keep("content")

    assert not here.holds("content")
