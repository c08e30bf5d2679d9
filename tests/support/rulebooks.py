"""Packs of rules for tests, written to a folder."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from learning.bundle import Bundle, load_bundle
from models.database import Database
from models.vocabulary import Category
from moderation.arrangement import Base
from moderation.pipeline import Screener
from moderation.policy import Band, load_policy
from moderation.rulebook import Rulebook, read_rulebook
from moderation.running import RunningScreener
from moderation.settings import SHIPPED_POLICY


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


def running(
    database: Database,
    folder: Path,
    *rules: dict[str, Any],
    operator: Path | None = None,
    bundle: Bundle | None = None,
    clock: Callable[[], float] = time.monotonic,
    **policy: Any,
) -> RunningScreener:
    """Return a screener that follows the editions of a database, over one small pack and an empty suite.

    Its threshold for advertising is its own, so that no test hangs on the shipped policy's numbers.
    """
    suite = folder / "suite"
    suite.mkdir(parents=True, exist_ok=True)
    packs = write_pack(folder / "packs", *rules)
    shipped = load_policy(SHIPPED_POLICY)
    bands = {**shipped.bands, Category.SPAM: Band(0.75, 0.6)}
    base = Base(
        replace(shipped, **{"bands": bands, **policy}),
        bundle,
        operator_rulebooks=(operator,) if operator else (),
        rulebooks=(packs,),
        suite=suite,
        open_bundle=load_bundle,
    )
    own = (operator,) if operator else ()
    first = Screener(read_rulebook([packs], own), base.policy, bundle)
    return RunningScreener(first, base, database, clock)


def pack_text(*rules: dict[str, Any], pack: str = "operator", version: str = "1") -> str:
    """Return a pack as somebody sends it in."""
    return yaml.safe_dump(
        {"pack": pack, "version": version, "rules": list(rules)}, allow_unicode=True, sort_keys=False
    )
