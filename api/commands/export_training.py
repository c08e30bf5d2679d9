"""`tingjian export training`: reviewed posts as rows that `tingjian train officers` learns from.

Only of places that have consented (`tingjian setting set learning_consent 1 …`), with whatever leads to
a person taken out. The file is readable by its owner alone, and is good for a week: a post that its
author deletes leaves the service at once, and a file made later has it no more.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from api.commands.operator import operator
from api.training_rows import Written, note_export, training_rows
from api.wiring import open_service


def training(
    organisation: Annotated[str, typer.Option(help="The place; what is under it comes too.")],
    out: Annotated[Path, typer.Option(help="A file; it is made readable by its owner alone.")],
) -> None:
    """Write reviewed posts, redacted, of places that have consented to learning."""
    written = Written()
    with open_service() as service:
        now = datetime.now(UTC)
        note_export(service.database, organisation, actor=operator().name, now=now)
        key = service.keys.derive("training")
        out.unlink(missing_ok=True)
        with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for row in training_rows(service.database, organisation, key=key, now=now, written=written):
                file.write(orjson.dumps(row, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    typer.echo(
        f"{written.rows} posts; left out: {written.contradicted} decided both ways, "
        f"{written.without_consent} without consent",
        err=True,
    )
