"""The past of the duty roster as the database keeps it: a turn that has begun is not changed and not removed.

Neighbours: `guards` sets these triggers up with its own, after every migration; `alerts/duty.py`
refuses the same in words.
"""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

TABLE: Final = "duty_turn"
FROZEN: Final = "a duty turn that has begun stays as it was"
NAMES: Final = (("duty_turn_unchanged", "UPDATE"), ("duty_turn_unremoved", "DELETE"))


def lift(connection: Connection) -> None:
    """Take the triggers away."""
    if TABLE not in sa.inspect(connection).get_table_names():
        return
    where = "" if connection.dialect.name == "sqlite" else f" ON {TABLE}"
    for name, _ in NAMES:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}{where}")


def set_up(connection: Connection) -> None:
    """Make the triggers, if the table is there."""
    lift(connection)
    if TABLE not in sa.inspect(connection).get_table_names():
        return
    for line in _in_sqlite() if connection.dialect.name == "sqlite" else _in_postgresql():
        connection.exec_driver_sql(line)


def _in_sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER {name} BEFORE {event} ON {TABLE} WHEN OLD.frozen_at IS NOT NULL"
        f" BEGIN SELECT RAISE(ABORT, '{FROZEN}'); END"
        for name, event in NAMES
    ]


def _in_postgresql() -> list[str]:
    function = (
        "CREATE OR REPLACE FUNCTION tingjian_frozen_turn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF OLD.frozen_at IS NOT NULL THEN RAISE EXCEPTION '{FROZEN}' USING ERRCODE = 'check_violation';"
        " END IF; IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
    )
    return [
        function,
        *(
            f"CREATE TRIGGER {name} BEFORE {event} ON {TABLE} FOR EACH ROW"
            " EXECUTE FUNCTION tingjian_frozen_turn()"
            for name, event in NAMES
        ),
    ]
