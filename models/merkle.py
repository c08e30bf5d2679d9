"""Bind many hashes into one, so that a short path shows that one of them was among them.

The tree and its paths are those of RFC 6962, section 2.1: a node is SHA-256 over 0x01 and its two
halves, a leaf over 0x00 and what it stands for, and the left half is the largest power of two that is
smaller than the whole. Pure: bytes in, bytes out.

Neighbours: `anchor` makes one tree of each day's entries; `scripts/verify_statement.py` follows a path
with the standard library alone.
"""

import hashlib
from collections.abc import Sequence

EMPTY = hashlib.sha256(b"").digest()


def leaf(*parts: bytes) -> bytes:
    """Return the leaf that stands for these parts together."""
    return hashlib.sha256(b"\x00" + b"".join(parts)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over the leaves, in their order; the hash of nothing if there are none."""
    if not leaves:
        return EMPTY
    level = list(leaves)
    # Pairs from the left, an odd one goes up as it is: the same tree as the definition's halves.
    while len(level) > 1:
        paired = [_node(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        level = paired + ([level[-1]] if len(level) % 2 else [])
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes beside the way from leaf `index` up to the root, lowest first.

    Raises
    ------
    IndexError
        If there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    found: list[bytes] = []
    level, at = list(leaves), index
    while len(level) > 1:
        beside = at ^ 1
        if beside < len(level):
            found.append(level[beside])
        paired = [_node(level[one], level[one + 1]) for one in range(0, len(level) - 1, 2)]
        level, at = paired + ([level[-1]] if len(level) % 2 else []), at // 2
    return found


def follow(start: bytes, index: int, size: int, beside: Sequence[bytes]) -> bytes | None:
    """Return the root that a path leads to from leaf `index` of `size`, or None if it is no path of them."""
    if not 0 <= index < size:
        return None
    found, at, last, rest = start, index, size - 1, list(beside)
    while last > 0:
        if at % 2 or at < last:
            if not rest:
                return None
            other = rest.pop(0)
            found = _node(other, found) if at % 2 else _node(found, other)
        at, last = at // 2, last // 2
    return None if rest else found
