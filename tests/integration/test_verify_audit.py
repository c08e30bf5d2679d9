"""An exported audit log is followed offline, with Python alone, and nothing changed in it stays hidden."""

import importlib.util
import json
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.audit_log import NAMING, AuditFilter, ExportFormat, export_rows, written
from models import anchor, audit
from models.anchor import anchor_due
from models.database import Database

SCRIPT = Path(__file__).parents[2] / "scripts" / "verify_audit.py"
DETAILS: tuple[dict[str, Any], ...] = (
    {"action": "remove", "reason": '复核 "引号" \u2028 \x1f', "content": "ab" * 32},
    {"bands": {"spam": [0.1, 1e-7, 1e22, 3]}, "lower_bound": 0.9812345678901234, "none": None},
    {"login": "wang", "role": "officer"},
    {"nested": [{"b": True, "a": [-1, 0.5, ""]}], "表情": "👍"},
)
Rows = list[dict[str, Any]]


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_audit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VERIFY = loaded()


@pytest.fixture
def exported(database: Database, now: datetime) -> tuple[list[str], Rows]:
    """A log of fifteen entries, twelve of them under three anchors: the lines and the anchors."""
    for day in range(5):
        at = now + timedelta(days=day)
        if day:
            anchor_due(database, at)
        with database.transaction() as session:
            for number in range(3):
                audit.record(
                    session,
                    at + timedelta(seconds=number),
                    actor=f"account:{number}",
                    action="post.decided",
                    subject=f"post:{day}-{number}",
                    organisation=("gd", "gd/dongguan", "")[number],
                    details=DETAILS[(day + number) % len(DETAILS)],
                )
    with database.reading() as session:
        rows = export_rows(session, AuditFilter())
        lines = b"".join(written(rows, ExportFormat.JSONL)).decode().split("\n")[:-1]
        anchors = [anchor.document(one) for one in anchor.listed(session)]
    assert (len(lines), anchors[-1]["last"]) == (15, 12)
    return lines, anchors


def faults(lines: list[str], anchors: Rows, *, part: bool = False) -> list[str]:
    entries = VERIFY.read(lines)
    return [
        *VERIFY.chain_faults(entries, part=part),
        *VERIFY.anchor_faults(entries, anchors, part=part),
    ]


def test_a_whole_export_holds_with_nothing_but_python(
    exported: tuple[list[str], Rows], tmp_path: Path
) -> None:
    lines, anchors = exported
    files = [tmp_path / "log.jsonl", tmp_path / "anchors.json"]
    files[0].write_text("\n".join(lines), encoding="utf-8")
    files[1].write_text(json.dumps(anchors), encoding="utf-8")
    command = [sys.executable, "-I", "-S", str(SCRIPT), str(files[0]), "--anchors", str(files[1])]

    whole = subprocess.run(command, capture_output=True, text=True, check=False)

    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "holds: 15 entries, 1 to 15" in whole.stdout
    assert "4 anchors fit, up to entry 12" in whole.stdout
    assert "entries from 13 on are under none" in whole.stdout
    assert "what they say is not checked: " in whole.stdout
    files[0].write_text("\n".join([*lines[:4], *lines[5:]]), encoding="utf-8")
    cut = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (cut.returncode, "entry 5 is expected" in cut.stdout) == (1, True)
    part = subprocess.run([*command, "--part"], capture_output=True, text=True, check=False)
    assert (part.returncode, "1 entries up to 15 are not in it" in part.stdout) == (0, True)
    files[0].write_text("sequence,at\r\n1,2", encoding="utf-8")
    table = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (table.returncode, "have not the form" in table.stdout) == (1, True)


def changed(lines: list[str], chance: random.Random) -> list[str]:
    at = chance.randrange(len(lines))
    row = json.loads(lines[at])
    ways: list[Callable[[], Any]] = [
        lambda: row.update(previous="0" * 63 + "1"),
        lambda: row.update(sequence=row["sequence"] + chance.choice([-1, 1])),
        lambda: row.update(redacted=["reason"]),
    ]
    if not row["redacted"]:  # of the others the script says that it does not know what they said
        ways += [
            lambda: row.update(actor="account:9"),
            lambda: row.update(at=row["at"].replace("T", " ")),
            lambda: row.update(subject=row["subject"] + " "),
            lambda: row.update(organisation="gd/foshan"),
            lambda: row["details"].update(more=1),
            lambda: row.update(details=dict(list(row["details"].items())[1:])),
            lambda: row.update(hash=row["hash"][::-1]),
        ]
    chance.choice(ways)()
    return [*lines[:at], orjson.dumps(row, option=orjson.OPT_SORT_KEYS).decode(), *lines[at + 1 :]]


def removed(lines: list[str], chance: random.Random) -> list[str]:
    at = chance.randrange(len(lines) - 3)  # the last three are under no anchor: cutting them off is told
    return lines[:at] + lines[at + 1 :]


def swapped(lines: list[str], chance: random.Random) -> list[str]:
    one, two = sorted(chance.sample(range(len(lines)), 2))
    return [*lines[:one], lines[two], *lines[one + 1 : two], lines[one], *lines[two + 1 :]]


def doubled(lines: list[str], chance: random.Random) -> list[str]:
    at = chance.randrange(len(lines))
    return [*lines[:at], lines[at], *lines[at:]]


def signed_anew(lines: list[str], chance: random.Random) -> list[str]:
    """Change an entry that an anchor covers, and sign it and everything behind it again."""
    rows = [VERIFY.read([line])[0] for line in lines]
    rows[chance.randrange(12)]["actor"] = "account:nobody"
    previous = VERIFY.GENESIS
    for row in rows:
        row["previous"] = previous
        row["hash"] = previous = VERIFY.digest(VERIFY.written([row[name] for name in VERIFY.FIELDS]))
        del row["place"]
    return [VERIFY.written(row) for row in rows]


def test_no_change_of_an_export_stays_hidden(exported: tuple[list[str], Rows]) -> None:
    lines, anchors = exported
    assert faults(lines, anchors) == []
    chance = random.Random(20261121)  # noqa: S311 - chance, no secret
    for number in range(600):
        way = (changed, removed, swapped, doubled, signed_anew)[number % 5]
        touched = way(list(lines), chance)
        assert faults(touched, anchors), (way.__name__, number)
    for name, value in (("root", "0" * 64), ("head", "1" * 64), ("day", "2020-01-01"), ("last", 11)):
        forged = [*anchors[:1], {**anchors[1], name: value}, *anchors[2:]]
        assert faults(lines, forged), name
        forged[1]["hash"] = VERIFY.digest(
            json.dumps(
                {key: one for key, one in forged[1].items() if key != "hash"},
                sort_keys=True,
                separators=(",", ":"),
            )
        )
        assert faults(lines, forged), name


def test_an_anchor_over_a_part_is_checked_where_all_its_entries_are(
    exported: tuple[list[str], Rows],
) -> None:
    lines, anchors = exported
    assert faults(lines[3:9], anchors, part=True) == []
    forged = lines[5].replace('"account:2"', '"account:7"')
    assert faults([*lines[3:5], forged, *lines[6:9]], anchors, part=True) != []
    assert VERIFY.LEFT_OUT == NAMING


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ).filter(lambda value: "Infinity" not in json.dumps(value))
)
def test_the_script_writes_json_as_the_service_hashes_it(value: Any) -> None:
    hashed = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

    (entry,) = VERIFY.read([f'{{"sequence":1,"value":{hashed}}}'])

    assert VERIFY.written(entry["value"]) == hashed
