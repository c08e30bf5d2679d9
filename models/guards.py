"""What the database itself refuses, whoever asks it: triggers, the same on SQLite and PostgreSQL.

    an entry of the audit log or of a disposal record, or an anchor, is changed or removed
    an objection is decided by somebody who decided about the post before, or a second time by another
    the person who made the decision that an objection is about is rewritten
    a duty turn that has begun is changed or removed (`frozen`)

They are made anew after every migration, because SQLite drops a table's triggers when it remakes the
table, and refuses to rename one that a trigger speaks of.

Neighbours: `migrations/env.py` calls `lift` before and `set_up` after; the rooms refuse the same in words.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from models import frozen

KEPT_TABLES: Final = ("auditentry", "auditanchor", "disposalentry")
KEPT: Final = "the audit log and the disposal record are only ever added to"
OTHER_PERSON: Final = "somebody who has not decided about this post decides"
DECIDED_ONCE: Final = "an objection is decided once"

DECIDED_BEFORE: Final = """
    EXISTS (
        SELECT 1 FROM decision JOIN statement ON statement.post_id = decision.post_id
        WHERE statement.id = NEW.statement_id AND decision.account_id = NEW.decided_by
    ) OR EXISTS (
        SELECT 1 FROM appeal earlier
        JOIN statement about ON about.id = earlier.statement_id
        JOIN statement own ON own.post_id = about.post_id
        WHERE own.id = NEW.statement_id AND earlier.id <> NEW.id AND earlier.decided_by = NEW.decided_by
    ) OR EXISTS (
        SELECT 1 FROM second_reading JOIN statement stated ON stated.post_id = second_reading.post_id
        WHERE stated.id = NEW.statement_id
        AND (second_reading.asked_by = NEW.decided_by OR second_reading.decided_by = NEW.decided_by)
    )
"""
APPEAL_TRIGGERS: Final = ("appeal_other_person", "appeal_other_person_at_once", "appeal_decided_once")


def lift(connection: Connection) -> None:
    """Take the triggers away, so that a migration may remake what they speak of."""
    frozen.lift(connection)
    there = set(sa.inspect(connection).get_table_names())
    sqlite = connection.dialect.name == "sqlite"
    for table in ("appeal", *KEPT_TABLES):
        if table not in there:
            continue
        for name in APPEAL_TRIGGERS if table == "appeal" else _kept_names(table):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}" + ("" if sqlite else f" ON {table}"))


def set_up(connection: Connection) -> None:
    """Make the triggers for the tables that are there."""
    lift(connection)
    frozen.set_up(connection)
    there = set(sa.inspect(connection).get_table_names())
    sqlite = connection.dialect.name == "sqlite"
    wanted = [table for table in KEPT_TABLES if table in there]
    lines = _in_sqlite(wanted) if sqlite else _in_postgresql(wanted)
    if {"appeal", "decision", "second_reading", "statement"} <= there:
        lines = [*lines, *(_APPEALS_IN_SQLITE if sqlite else _APPEALS_IN_POSTGRESQL)]
    for line in lines:
        connection.exec_driver_sql(line)


def _kept_names(table: str) -> tuple[str, ...]:
    return f"{table}_unchanged", f"{table}_unremoved", f"{table}_uncut"


def _in_sqlite(tables: Sequence[str]) -> list[str]:
    return [
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
        for table in tables
        for name, event in zip(_kept_names(table), ("UPDATE", "DELETE"), strict=False)
    ]


def _in_postgresql(tables: Sequence[str]) -> list[str]:
    function = (
        "CREATE OR REPLACE FUNCTION tingjian_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$"
        f" BEGIN RAISE EXCEPTION '{KEPT}' USING ERRCODE = 'check_violation'; END $$"
    )
    return [
        function,
        *(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {each}"
            " EXECUTE FUNCTION tingjian_refuse_change()"
            for table in tables
            for name, event, each in zip(
                _kept_names(table),
                ("UPDATE", "DELETE", "TRUNCATE"),
                ("ROW", "ROW", "STATEMENT"),
                strict=True,
            )
        ),
    ]


_APPEALS_IN_SQLITE: Final = (
    f"""CREATE TRIGGER appeal_other_person BEFORE UPDATE ON appeal
        WHEN NEW.decided_by IS NOT NULL AND NEW.decided_by IS NOT OLD.decided_by AND ({DECIDED_BEFORE})
        BEGIN SELECT RAISE(ABORT, '{OTHER_PERSON}'); END""",
    f"""CREATE TRIGGER appeal_other_person_at_once BEFORE INSERT ON appeal
        WHEN NEW.decided_by IS NOT NULL AND ({DECIDED_BEFORE})
        BEGIN SELECT RAISE(ABORT, '{OTHER_PERSON}'); END""",
    f"""CREATE TRIGGER appeal_decided_once BEFORE UPDATE ON appeal
        WHEN (OLD.decided_by IS NOT NULL AND NEW.decided_by IS NOT OLD.decided_by)
        OR (OLD.decided_by IS NOT NULL AND NEW.state IS NOT OLD.state)
        OR (OLD.original_decider IS NOT NULL AND NEW.original_decider IS NOT OLD.original_decider)
        OR NEW.statement_id IS NOT OLD.statement_id
        BEGIN SELECT RAISE(ABORT, '{DECIDED_ONCE}'); END""",
)
_APPEALS_IN_POSTGRESQL: Final = (
    f"""CREATE OR REPLACE FUNCTION tingjian_other_person() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.decided_by IS NULL THEN RETURN NEW; END IF;
        IF TG_OP = 'UPDATE' THEN
            IF NEW.decided_by IS NOT DISTINCT FROM OLD.decided_by THEN RETURN NEW; END IF;
        END IF;
        IF {DECIDED_BEFORE} THEN
            RAISE EXCEPTION '{OTHER_PERSON}' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW; END $$""",
    f"""CREATE OR REPLACE FUNCTION tingjian_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF (OLD.decided_by IS NOT NULL AND NEW.decided_by IS DISTINCT FROM OLD.decided_by)
        OR (OLD.decided_by IS NOT NULL AND NEW.state IS DISTINCT FROM OLD.state)
        OR (OLD.original_decider IS NOT NULL AND NEW.original_decider IS DISTINCT FROM OLD.original_decider)
        OR NEW.statement_id IS DISTINCT FROM OLD.statement_id THEN
            RAISE EXCEPTION '{DECIDED_ONCE}' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW; END $$""",
    *(
        f"CREATE TRIGGER {name} BEFORE {event} ON appeal FOR EACH ROW EXECUTE FUNCTION {function}()"
        for name, event, function in zip(
            APPEAL_TRIGGERS,
            ("UPDATE", "INSERT", "UPDATE"),
            ("tingjian_other_person", "tingjian_other_person", "tingjian_decided_once"),
            strict=True,
        )
    ),
)
