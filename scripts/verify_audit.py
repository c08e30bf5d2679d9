#!/usr/bin/env python3
"""Check offline that an exported audit log is whole.

    verify_audit.py EXPORT [--anchors ANCHORS] [--part]

EXPORT is what `tingjian audit export` wrote, or the JSON lines of the console. ANCHORS is the JSON of
/v1/public/audit/anchors, best a copy that somebody else kept since. The script needs Python 3 and nothing
else, and asks nobody.

It checks, and ends with status 1 if one of these does not hold:
1. each entry has the hash of what it says, and names the hash of the entry before;
2. no entry is missing, there twice or out of its order, from the first to the last;
3. each anchor has its own hash, follows the one before, and is the root and the head of its entries.

What is younger than the last anchor is only as sure as whoever exported it, and the script says where that
begins. With --part the export may be narrowed to a place or some days: gaps are then counted and not
refused, and an anchor is checked where all its entries are there. Of an entry whose value was left out
(`redacted`: words that could name a person) the place in the chain is checked and what it says is not; the
script names these entries.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Json = Any
GENESIS = "0" * 64
FIELDS = ("sequence", "at", "actor", "action", "subject", "organisation", "details", "previous")
LEFT_OUT = frozenset({"author", "login", "name", "email", "phone", "ip", "address", "text"})
SHOWN = 20


class Number(str):
    """A number as the export writes it: what was hashed has these very letters."""

    __slots__ = ()


def written(value: Json) -> str:
    """Return the one way to write a value as JSON: sorted names, no spaces, numbers as they came."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(name)}:{written(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal letters."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(lines: Iterable[str]) -> list[Json]:
    """Return the entries of an export, numbers as they are written; but the place in the log as a number."""
    entries = [json.loads(line, parse_float=Number, parse_int=Number) for line in lines if line.strip()]
    for entry in entries:
        entry["place"] = int(entry["sequence"])
    return entries


def leaf(entry: Json) -> bytes:
    """Return the leaf of an entry in the tree of its day."""
    claim = entry["details"].get("content")
    said = bytes.fromhex(claim) if isinstance(claim, str) and not isinstance(claim, Number) else b""
    return hashlib.sha256(b"\x00" + bytes.fromhex(entry["hash"]) + said).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree over leaves (RFC 6962, section 2.1)."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + root(leaves[:half]) + root(leaves[half:])).digest()


def chain_faults(entries: Sequence[Json], *, part: bool) -> Iterable[str]:
    """Yield where the entries do not say what was hashed, or do not follow one another."""
    expected, previous = 1, GENESIS
    for entry in entries:
        place = entry["place"]
        if place != expected and not (part and place > expected):
            yield f"entry {expected} is expected, and entry {place} is there"
        elif place == expected and entry["previous"] != previous:
            yield f"entry {place} does not follow the one before it"
        if not set(entry["redacted"]) <= LEFT_OUT:
            yield f"entry {place} lacks what no export leaves out"
        elif not entry["redacted"] and digest(written([entry[name] for name in FIELDS])) != entry["hash"]:
            yield f"entry {place} does not say what was hashed"
        expected, previous = place + 1, entry["hash"]


def anchor_faults(entries: Sequence[Json], anchors: Sequence[Json], *, part: bool) -> Iterable[str]:
    """Yield the anchors that were changed, do not follow one another, or do not fit the entries."""
    there = {entry["place"]: entry for entry in entries}
    previous = None if anchors and anchors[0]["number"] > 1 else GENESIS
    for one in anchors:
        number = one["number"]
        said = {name: value for name, value in one.items() if name != "hash"}
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if digest(canonical) != one["hash"]:
            yield f"anchor {number} was changed"
        if previous is not None and one["previous"] != previous:
            yield f"anchor {number} does not follow the one before it"
        previous = one["hash"]
        covered = [there[place] for place in range(one["first"], one["last"] + 1) if place in there]
        if len(covered) != one["last"] - one["first"] + 1:
            if not part:
                yield f"entries that anchor {number} covers are missing"
        elif (root([leaf(entry) for entry in covered]).hex(), covered[-1]["hash"]) != (
            one["root"],
            one["head"],
        ):
            yield f"anchor {number} does not fit the entries"


def main(arguments: Sequence[str]) -> int:
    """Check the files, and say what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("export", type=Path)
    parser.add_argument("--anchors", type=Path)
    parser.add_argument("--part", action="store_true", help="the export was narrowed")
    given = parser.parse_args(arguments)
    try:
        entries = read(given.export.read_text(encoding="utf-8").split("\n"))
        anchors = json.loads(given.anchors.read_text(encoding="utf-8")) if given.anchors else []
        found = [
            *chain_faults(entries, part=given.part),
            *anchor_faults(entries, anchors, part=given.part),
        ]
    except OSError as error:
        print(f"cannot be read: {error.__class__.__name__}")
        return 2
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError):
        found, entries, anchors = ["the files have not the form of an export and of anchors"], [], []
    for fault in found[:SHOWN]:
        print(f"DOES NOT HOLD: {fault}")
    if len(found) > SHOWN:
        print(f"and {len(found) - SHOWN} more")
    if found:
        return 1
    if not entries:
        print("DOES NOT HOLD: the export is empty")
        return 1
    print(told(entries, anchors))
    return 0


def told(entries: Sequence[Json], anchors: Sequence[Json]) -> str:
    """Return what holds, and how far it is sure."""
    first, last = entries[0]["place"], entries[-1]["place"]
    missing = last - len(entries) if first >= 1 else 0
    kept = [str(entry["place"]) for entry in entries if entry["redacted"]]
    covered = max((one["last"] for one in anchors), default=0)
    lines = [f"holds: {len(entries)} entries, {first} to {last}"]
    if missing:
        lines.append(f"a part of the log: {missing} entries up to {last} are not in it")
    if kept:
        lines.append(f"{len(kept)} entries lack a value that could name a person; of them the place in the")
        lines.append(f"chain holds, and what they say is not checked: {', '.join(kept)}")
    if anchors:
        lines.append(f"{len(anchors)} anchors fit, up to entry {covered}")
    if covered < last:
        lines.append(f"entries from {covered + 1} on are under none of these anchors")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
