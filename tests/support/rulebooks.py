"""Packs of rules for tests, written to a folder."""

from pathlib import Path
from typing import Any

import yaml

from moderation.rulebook import Rulebook, read_rulebook


def rule(**given: Any) -> dict[str, Any]:
    """Return a rule that is in order, with some of it replaced; None leaves a member out."""
    entry: dict[str, Any] = {
        "id": "spam.test",
        "category": "spam",
        "clause": "C1",
        "action": "hold",
        "rationale": "A test needs a rule.",
        "author": "Tingjian",
        "any": ["招代理"],
        "tests": {"hit": ["招代理了"], "miss": ["代理商"]},
    }
    entry.update(given)
    return {name: value for name, value in entry.items() if value is not None}


def write_pack(folder: Path, *rules: dict[str, Any], pack: str = "spam", **rest: Any) -> Path:
    """Write a pack into a folder and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {"pack": pack, "version": "2026.11", **rest, "rules": list(rules)}
    (folder / f"{pack}.yaml").write_text(
        yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8"
    )
    return folder


def rulebook(folder: Path, *rules: dict[str, Any], **rest: Any) -> Rulebook:
    """Return the rulebook of one pack, read but not switched on."""
    return read_rulebook([write_pack(folder, *rules, **rest)])
