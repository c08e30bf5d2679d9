"""`tingjian import FILE`: take in a file of posts, the same way as over HTTP, 500 at a time.

An import that was stopped goes on where it stopped: how far it came stands in the database under
the digest of the file. A line that is refused goes to FILE.rejects.jsonl with its number, the code,
the field and the reason, and never its text.

Neighbours: `api/post_files.py` reads; `moderation/intake.py` takes.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from api import post_files
from api.commands.operator import operator
from api.post_files import Row
from api.wiring import Service, open_service
from models.errors import InvalidInput, TingjianError, Unavailable
from models.post import ImportRun
from moderation.drafts import Draft, draft
from moderation.intake import Caller, take

BATCH: Final = 500


@dataclass(slots=True)
class _Rejects:
    """The file of refused lines. It appears with the first of them."""

    path: Path
    _file: IO[bytes] | None = field(default=None)

    def keep_up_to(self, line: int) -> None:
        """Forget what was written after the line that the import is known to have reached."""
        if self.path.exists():
            kept = [one for one in self.path.read_bytes().splitlines(keepends=True) if _line(one) <= line]
            if kept:
                self.path.write_bytes(b"".join(kept))
            else:
                self.path.unlink()

    def add(self, line: int, error: TingjianError) -> None:
        """Write one refused line."""
        if self._file is None:
            self._file = self.path.open("ab")
        row = {
            "line": line,
            "code": error.problem_code,
            "field": error.field,
            "reason": error.detail,
        }
        self._file.write(orjson.dumps(row) + b"\n")

    def flush(self) -> None:
        """Hand everything to the system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _line(reject: bytes) -> int:
    try:
        return int(orjson.loads(reject)["line"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return 0


def rejects_path(file: Path) -> Path:
    """Return where the refused lines of `file` go."""
    return file.with_name(file.name + ".rejects.jsonl")


def import_posts(
    service: Service,
    file: Path,
    source: str,
    *,
    actor: str,
    clock: Callable[[], datetime],
    again: bool = False,
    limit: int = post_files.LARGEST_FILE,
    progress: Callable[[int], None] = lambda _: None,
) -> ImportRun:
    """Take in the posts of `file`; return how far it came.

    Every 500 rows are one transaction and then one step of the run's record. A crash in between
    sends those rows again, and intake answers them as the repeats that they are.

    Parameters
    ----------
    again
        Begin anew, even if the file was finished before.
    limit
        Largest size after unpacking. Unit: bytes.
    progress
        Told the bytes of the file that were read, ascending.

    Raises
    ------
    InvalidInput
        If the file is damaged or unpacks to too much. What was read before stays taken in.
    Unavailable
        If no screener is loaded.
    """
    if service.screener is None:
        raise Unavailable("no screener is loaded")
    run = _begin(service, file, source, clock(), again=again)
    if run.finished_at is not None:
        return run
    caller = Caller(source, actor)
    rejects = _Rejects(rejects_path(file))
    rejects.keep_up_to(run.lines_done)
    with file.open("rb") as packed, closing(rejects):
        found = _after(post_files.rows(file, packed, limit=limit), run.lines_done)
        for batch, damage in _batches(found):
            if batch:
                _step(service, run, batch, caller=caller, rejects=rejects, now=clock())
                progress(packed.tell())
            if damage is not None:
                raise damage
    run.finished_at = clock()
    _save(service, run)
    return run


def _begin(service: Service, file: Path, source: str, now: datetime, *, again: bool) -> ImportRun:
    name = post_files.digest(file, source)
    with service.database.transaction() as session:
        run = session.get(ImportRun, name)
        if run is None:
            run = ImportRun(digest=name, name=file.name[:255], started_at=now)
        elif again:
            run.lines_done = run.accepted = run.rejected = 0
            run.started_at, run.finished_at = now, None
        session.add(run)
    return run


def _after(found: Iterator[Row], line: int) -> Iterator[Row]:
    return (row for row in found if row.line > line)


def _batches(found: Iterator[Row]) -> Iterator[tuple[list[Row], InvalidInput | None]]:
    """Yield rows by the batch; what was read before a damaged place comes with the damage."""
    while True:
        batch: list[Row] = []
        try:
            batch.extend(row for row in islice(found, BATCH))
        except InvalidInput as damage:
            yield batch, damage
            return
        if not batch:
            return
        yield batch, None


def _step(
    service: Service,
    run: ImportRun,
    batch: list[Row],
    *,
    caller: Caller,
    rejects: _Rejects,
    now: datetime,
) -> None:
    assert service.screener is not None  # noqa: S101 - asked before the first step
    drafts = [_draft(row, caller.source, now) for row in batch]
    results = take(service.database, service.screener, drafts, caller=caller, keys=service.keys, now=now)
    for row, taken in zip(batch, results, strict=True):
        if taken.problem is not None:
            rejects.add(row.line, taken.problem)
            run.rejected += 1
        else:
            run.accepted += 1
    rejects.flush()
    run.lines_done = batch[-1].line
    _save(service, run)


def _save(service: Service, run: ImportRun) -> None:
    with service.database.transaction() as session:
        session.merge(run)


def _draft(row: Row, source: str, now: datetime) -> Draft | TingjianError:
    if row.error is not None:
        return row.error
    fields: Any = row.fields
    if isinstance(fields, dict):
        fields.setdefault("source", source)
    try:
        return draft(fields, now=now)
    except InvalidInput as error:
        return error


def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSONL or CSV, also .gz.")],
    source: Annotated[str, typer.Option(help="The platform that the posts come from.")],
    *,
    again: Annotated[bool, typer.Option("--again", help="Begin anew, even if it was finished.")] = False,
) -> None:
    """Take in a file of posts. Stopped and started again, it goes on where it was."""
    screen = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=screen,
    )
    with open_service(models=True) as service, bar:
        size = file.stat().st_size
        task = bar.add_task(file.name, total=size)
        run = import_posts(
            service,
            file,
            source,
            actor=operator().name,
            clock=lambda: datetime.now(UTC),
            again=again,
            progress=lambda done: bar.update(task, completed=done),
        )
        bar.update(task, completed=size)
    screen.print(f"{run.accepted} taken in, {run.rejected} refused")
    if run.rejected:
        screen.print(f"refused lines: {rejects_path(file)}")
