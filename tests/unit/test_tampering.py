"""Whatever somebody does to the rows of the audit log is found: ten thousand random tries, in memory."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from models import merkle
from models.anchor import Published, anchor_hash, broken, leaf_of
from models.audit import GENESIS, entry_hash

TRIES = 10_000
ENTRIES = 24
CUTS = (9, 17, ENTRIES)
START = datetime(2026, 3, 16, 4, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    sequence: int
    at: datetime
    actor: str
    action: str
    subject: str
    organisation: str
    details: dict[str, Any]
    previous: str
    hash: str = ""


@dataclass(frozen=True)
class Log:
    """The rows, the head, the anchors in the database, and those that somebody else kept."""

    rows: tuple[Row, ...]
    head: tuple[int, str]
    anchors: tuple[Published, ...]
    kept: tuple[Published, ...]

    @property
    def is_whole(self) -> bool:
        return broken(self.rows, self.head, self.anchors, self.kept) is None


def chained(rows: list[Row]) -> tuple[Row, ...]:
    """Number and sign rows anew, as somebody does who knows how."""
    previous, signed = GENESIS, list[Row]()
    for number, row in enumerate(rows, start=1):
        unsigned = replace(row, sequence=number, previous=previous)
        signed.append(replace(unsigned, hash=entry_hash(unsigned)))
        previous = signed[-1].hash
    return tuple(signed)


def anchored(rows: tuple[Row, ...]) -> tuple[Published, ...]:
    made, first, previous = list[Published](), 1, GENESIS
    for number, last in enumerate((cut for cut in CUTS if cut <= len(rows)), start=1):
        root = merkle.root([leaf_of(row.hash, row.details) for row in rows[first - 1 : last]]).hex()
        one = Published(
            number, date(2026, 3, 15 + number), first, last, rows[last - 1].hash, root, previous, ""
        )
        one = replace(one, hash=anchor_hash(one))
        made.append(one)
        first, previous = last + 1, one.hash
    return tuple(made)


def a_log() -> Log:
    rows = chained(
        [
            Row(
                0,
                START + timedelta(minutes=7 * number),
                f"account:{number % 3}",
                ("post.decided", "post.viewed", "statement.issued")[number % 3],
                f"post:{number}",
                ("gd", "gd/dongguan", "")[number % 3],
                {"n": number, "content": f"{number:064x}", "reason": "复核"},
                "",
            )
            for number in range(ENTRIES)
        ]
    )
    anchors = anchored(rows)
    return Log(rows, (len(rows), rows[-1].hash), anchors, anchors)


def changed_row(row: Row, chance: random.Random) -> Row:
    """Change one field of a row by a little."""
    digit = chance.randrange(64)

    def flip(value: str) -> str:
        other = "0123456789abcdef".replace(value[digit], "")
        return value[:digit] + chance.choice(other) + value[digit + 1 :]

    ways: list[Callable[[], Row]] = [
        lambda: replace(row, at=row.at + timedelta(microseconds=chance.choice([-1, 1, 3_600_000_000]))),
        lambda: replace(row, actor=row.actor + chance.choice(" 0\u200b")),
        lambda: replace(row, action=chance.choice(["post.deleted", "", row.action.upper()])),
        lambda: replace(row, subject=f"post:{chance.randrange(100, 999)}"),
        lambda: replace(row, organisation=row.organisation + "/x"),
        lambda: replace(row, details={**row.details, "n": chance.choice([True, str(row.details["n"]), -1])}),
        lambda: replace(row, details={k: v for k, v in row.details.items() if k != "reason"}),
        lambda: replace(row, details={**row.details, "more": None}),
        lambda: replace(row, details={**row.details, "content": flip(row.details["content"])}),
        lambda: replace(row, previous=flip(row.previous)),
        lambda: replace(row, hash=flip(row.hash)),
        lambda: replace(row, sequence=row.sequence + chance.choice([-1, 1, 1000])),
    ]
    return chance.choice(ways)()


def edit(log: Log, chance: random.Random) -> Log:
    rows, at = list(log.rows), chance.randrange(ENTRIES)
    rows[at] = changed_row(rows[at], chance)
    return replace(log, rows=tuple(rows))


def edit_and_sign_the_row(log: Log, chance: random.Random) -> Log:
    rows, at = list(log.rows), chance.randrange(ENTRIES)
    other = replace(rows[at], actor=f"account:{chance.randrange(10, 99)}")
    rows[at] = replace(other, hash=entry_hash(other))
    return replace(log, rows=tuple(rows))


def delete(log: Log, chance: random.Random) -> Log:
    rows = list(log.rows)
    for _ in range(chance.randint(1, 3)):
        del rows[chance.randrange(len(rows))]
    return replace(log, rows=tuple(rows))


def cut_the_tail(log: Log, chance: random.Random) -> Log:
    rows = log.rows[: -chance.randint(1, ENTRIES - 1)]
    head = chance.choice([log.head, (len(rows), rows[-1].hash)])
    anchors = chance.choice([log.anchors, tuple(one for one in log.anchors if one.last <= len(rows))])
    return replace(log, rows=rows, head=head, anchors=anchors)


def swap(log: Log, chance: random.Random) -> Log:
    """Swap two rows: in their place, or with their numbers, or all that they say but their hashes."""
    rows = list(log.rows)
    one, two = chance.sample(range(ENTRIES), 2)
    first, second = rows[one], rows[two]
    how = chance.randrange(3)
    if how == 0:
        rows[one], rows[two] = second, first
    elif how == 1:
        rows[one] = replace(second, sequence=first.sequence)
        rows[two] = replace(first, sequence=second.sequence)
    else:
        rows[one] = replace(second, sequence=first.sequence, previous=first.previous, hash=first.hash)
        rows[two] = replace(first, sequence=second.sequence, previous=second.previous, hash=second.hash)
    return replace(log, rows=tuple(rows))


def insert(log: Log, chance: random.Random) -> Log:
    rows, at = list(log.rows), chance.randrange(ENTRIES)
    rows.insert(at, chance.choice([rows[at], replace(rows[at], details={"made": "up"})]))
    return replace(log, rows=tuple(rows))


def sign_everything_anew(log: Log, chance: random.Random) -> Log:
    """Edit, delete or swap, then sign chain, head and anchors anew: only what was kept tells."""
    rows = list(log.rows)
    at = chance.randrange(ENTRIES)
    how = chance.randrange(3)
    if how == 0:
        rows[at] = replace(rows[at], actor="account:nobody")
    elif how == 1:
        del rows[at]
    else:
        other = (at + chance.randrange(1, ENTRIES)) % ENTRIES
        rows[at], rows[other] = rows[other], rows[at]
    signed = chained(rows)
    return replace(log, rows=signed, head=(len(signed), signed[-1].hash), anchors=anchored(signed))


def change_an_anchor(log: Log, chance: random.Random) -> Log:
    anchors = list(log.anchors)
    at = chance.randrange(len(anchors))
    if chance.random() < 0.3:
        del anchors[at]
    else:
        changes: list[dict[str, Any]] = [
            {"last": anchors[at].last - 1},
            {"head": "f" * 64},
            {"root": "e" * 64},
            {"day": date(2020, 1, 1)},
        ]
        other = replace(anchors[at], **chance.choice(changes))
        anchors[at] = chance.choice([other, replace(other, hash=anchor_hash(other))])
    return replace(log, anchors=tuple(anchors))


WAYS: tuple[Callable[[Log, random.Random], Log], ...] = (
    edit,
    edit,
    edit,
    edit_and_sign_the_row,
    delete,
    delete,
    cut_the_tail,
    swap,
    swap,
    insert,
    sign_everything_anew,
    change_an_anchor,
)


def test_an_untouched_log_is_whole() -> None:
    assert a_log().is_whole


def test_ten_thousand_edits_deletions_and_swaps_are_all_found() -> None:
    log, chance = a_log(), random.Random(20261121)  # noqa: S311 - chance, no secret
    missed = []
    for number in range(TRIES):
        way = WAYS[number % len(WAYS)]
        touched = way(log, chance)
        assert repr(touched) != repr(log), way.__name__  # as written: to Python, 1 is True
        if touched.is_whole:
            missed.append((number, way.__name__))
    assert missed == []


@pytest.mark.parametrize("way", [cut_the_tail, sign_everything_anew])
def test_what_is_signed_anew_is_found_by_kept_anchors_alone(
    way: Callable[[Log, random.Random], Log],
) -> None:
    touched = [way(a_log(), random.Random(seed)) for seed in range(40)]  # noqa: S311 - as above

    assert not any(one.is_whole for one in touched)
    assert any(replace(one, kept=()).is_whole for one in touched)


def test_an_anchor_that_was_kept_and_changed_is_no_proof_against_the_log() -> None:
    log = a_log()
    forged = replace(log.kept[0], root="0" * 64)

    found = broken(log.rows, log.head, log.anchors, (forged,))

    assert found is not None
    assert (found.what, found.number) == ("published", 1)
