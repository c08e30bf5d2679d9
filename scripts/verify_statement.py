#!/usr/bin/env python3
"""Check offline that a statement of reasons stands in the audit log.

    verify_statement.py PROOF ANCHORS

PROOF is the JSON of /v1/statements/TOKEN/proof. ANCHORS is the JSON of /v1/public/audit/anchors, best a copy
that somebody else kept since. The script needs Python 3 and nothing else, and asks nobody.

It checks four things, and ends with status 1 if one of them does not hold:
1. what the statement says has the digest that the log has of it;
2. that digest, with the hash of the log's entry, leads along the path to the root of the day's tree;
3. the root, the head and the range of entries are those of the anchor;
4. the anchor is the very one that was published, and the published ones follow each other.
"""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Json = Any
GENESIS = "0" * 64
FILES = 2


def digest(content: Json) -> str:
    """Return the SHA-256 of the one way to write a value as JSON."""
    written = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode()).hexdigest()


def follow(found: bytes, index: int, size: int, path: Sequence[str]) -> str | None:
    """Return the root to which a path leads from leaf `index` of `size` (RFC 6962, section 2.1)."""
    last, rest = size - 1, [bytes.fromhex(one) for one in path]
    if not 0 <= index < size:
        return None
    while last > 0:
        if index % 2 or index < last:
            if not rest:
                return None
            other = rest.pop(0)
            pair = other + found if index % 2 else found + other
            found = hashlib.sha256(b"\x01" + pair).digest()
        index, last = index // 2, last // 2
    return None if rest else found.hex()


def anchor_digest(anchor: Mapping[str, Json]) -> str:
    """Return the hash that an anchor must have."""
    return digest({name: value for name, value in anchor.items() if name != "hash"})


def faults(proof: Json, anchors: Json) -> list[str]:
    """Return what does not hold, in words; nothing if the proof holds."""
    if proof.get("format") != "tingjian-statement-proof-1":
        return ["this is no proof of a statement"]
    statement, entry, anchor = proof["statement"], proof["entry"], proof["anchor"]
    found = []
    if proof["spans"] is not None and digest(proof["spans"]) != statement["passages"]:
        found.append("the places of the passages are not those of the statement")
    leaf = hashlib.sha256(b"\x00" + bytes.fromhex(entry["hash"]) + bytes.fromhex(digest(statement))).digest()
    size = anchor["last"] - anchor["first"] + 1
    if follow(leaf, entry["sequence"] - anchor["first"], size, proof["path"]) != anchor["root"]:
        found.append("the statement does not lead to the root of its day")
    if anchor_digest(anchor) != anchor["hash"]:
        found.append("the anchor was changed")
    if anchor not in anchors:
        found.append("the anchor is not among the published ones")
    previous = anchors[0]["previous"] if anchors and anchors[0]["number"] > 1 else GENESIS
    for one in anchors:
        if one["previous"] != previous or anchor_digest(one) != one["hash"]:
            found.append(f"published anchor {one['number']} does not follow the one before it")
            break
        previous = one["hash"]
    return found


def main(arguments: Sequence[str]) -> int:
    """Check the two files, and say what came of it."""
    if len(arguments) != FILES:
        print(__doc__)
        return 2
    loaded: list[Json] = []
    for name in arguments:
        try:
            loaded.append(json.loads(Path(name).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            print(f"{name}: cannot be read: {error.__class__.__name__}")
            return 2
    try:
        found = faults(*loaded)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        found = ["the files have not the form of a proof and of anchors"]
    for fault in found:
        print(f"DOES NOT HOLD: {fault}")
    if not found:
        statement, anchor = loaded[0]["statement"], loaded[0]["anchor"]
        print(f"holds: statement {statement['id']} of {statement['issued_at']} stands in the audit log,")
        print(f"entry {loaded[0]['entry']['sequence']}, under anchor {anchor['number']} of {anchor['day']}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
