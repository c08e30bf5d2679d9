"""`tingjian screen`: screen the texts of a file, without a database.

Rows go through the same screener as posts over HTTP, in the order of the file. A bad line is
reported with its number and is not fatal. A file of many rows is screened by two processes.
"""

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import orjson
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from api.classifier import open_classifier
from api.commands.rows import Line, lines, open_rows
from learning.cascade import CascadeBundle
from models.errors import ConfigurationError
from moderation.pipeline import Outcome, Screener, load_screener
from moderation.settings import ModerationSettings

BATCH: Final = 128
"""Rows that go to a process at once: enough to be counted together, and few enough that at the end of a file
no process stands idle for long."""

_WORKERS: Final = 2
_MANY_BYTES: Final = 400_000
"""From this size on, two processes are worth the second that they take to start."""

_AHEAD: Final = 8

_Row = tuple[str | int, str]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the screener of each process is made from."""

    bundle: Path | None
    rulebooks: Path | None
    transformer: Path | None
    labels: str
    beside: bool = False
    """Whether another process works beside this one: then the encoder takes one processor and not two."""

    def screener(self) -> Screener:
        classifier = open_classifier(self.bundle, self.transformer, self.labels)
        if self.beside and isinstance(classifier, CascadeBundle):
            classifier = replace(classifier, encoder=replace(classifier.encoder, threads=1))
        return load_screener(ModerationSettings(operator_rulebooks=self.rulebooks), classifier)


def document(identifier: str | int, outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as a row; a reason with several passages stands once for each of them."""
    return {
        "id": identifier,
        "verdict": outcome.verdict,
        "category": outcome.category,
        "probabilities": {word.value: round(value, 4) for word, value in outcome.probabilities.items()},
        "reasons": [
            {
                "source": reason.source,
                "rule": reason.rule,
                "category": reason.category,
                "span": span,
                "clause": reason.clause,
            }
            for reason in outcome.reasons
            for span in (reason.spans or (None,))
        ],
        "rulebook": outcome.rulebook,
        "bundle": outcome.bundle,
    }


def screened(screener: Screener, rows: Sequence[_Row]) -> bytes:
    """Return the rows of a batch as JSONL."""
    outcomes = screener.screen([text for _, text in rows])
    return b"".join(
        orjson.dumps(document(identifier, outcome), option=orjson.OPT_APPEND_NEWLINE)
        for (identifier, _), outcome in zip(rows, outcomes, strict=True)
    )


class _Worker:
    """What a worker process keeps between batches."""

    screener: Screener | None = None


def _start(parts: _Parts) -> None:
    _Worker.screener = parts.screener()


def _work(rows: Sequence[_Row]) -> bytes:
    if _Worker.screener is None:
        raise ConfigurationError("a worker was asked before it was ready")
    return screened(_Worker.screener, rows)


def _batches(stream: BinaryIO, problems: list[Line]) -> Iterator[list[_Row]]:
    found = lines(stream)
    while batch := list(islice(found, BATCH)):
        problems += (line for line in batch if line.problem is not None)
        yield [(line.row.get("id", line.number), line.row["text"]) for line in batch if line.row is not None]


def screen(
    file: Annotated[Path, typer.Argument(help="JSONL or JSONL.gz; each row has a text, and may have an id.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Where the rows go; standard output if not given.")] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="A folder with a bundle; the shipped one if not given.")
    ] = None,
    rulebooks: Annotated[Path | None, typer.Option(help="A directory of the operator's own packs.")] = None,
    transformer: Annotated[
        Path | None, typer.Option(help="A folder with a Hugging Face classifier that judges harms.")
    ] = None,
    labels: Annotated[str, typer.Option(help="What its labels mean: label=category,label=category.")] = "",
) -> None:
    """Screen the texts of a file and write a verdict for each, with its reasons."""
    console = Console(stderr=True)
    problems: list[Line] = []
    posts = 0
    with ExitStack() as stack:
        stream = stack.enter_context(open_rows(file))
        target: BinaryIO = stack.enter_context(out.open("wb")) if out else sys.stdout.buffer
        executor = stack.enter_context(_executor(file, _Parts(bundle, rulebooks, transformer, labels)))
        progress = stack.enter_context(_progress(console))
        task = progress.add_task("screening", total=None)
        began = time.perf_counter()
        waiting: deque[tuple[int, Future[bytes]]] = deque()
        batches = _batches(stream, problems)
        while True:
            for rows in islice(batches, _AHEAD - len(waiting)):
                waiting.append((len(rows), executor.submit(_work, rows)))
            if not waiting:
                break
            count, done = waiting.popleft()
            target.write(done.result())
            posts += count
            progress.update(task, completed=posts)
        target.flush()
        seconds = time.perf_counter() - began
    for line in problems:
        console.print(f"{file.name}:{line.number}: {line.problem}", style="yellow", markup=False)
    rate = posts / seconds if seconds else 0.0
    console.print(f"{posts} posts in {seconds:.1f} s, {rate:,.0f} posts/s; {len(problems)} bad lines")


def _executor(file: Path, parts: _Parts) -> Executor:
    """Return who does the work: two processes for a large file, a thread for a small one.

    The screener is loaded here in any case, so that a rulebook that cannot be used is said once and
    in plain words. Processes are copies of this one where that is safe: an inference runtime with
    threads of its own must be started anew in each.
    """
    _start(parts)
    if file.stat().st_size < _MANY_BYTES:
        return ThreadPoolExecutor(1)
    copied = sys.platform == "linux" and not {"onnxruntime", "torch"} & set(sys.modules)
    if copied:
        executor = ProcessPoolExecutor(_WORKERS, mp_context=get_context("fork"))
    else:
        executor = ProcessPoolExecutor(
            _WORKERS,
            mp_context=get_context("spawn"),
            initializer=_start,
            initargs=(replace(parts, beside=True),),
        )
    # The processes start with the first work, and must do so before the progress bar has its thread.
    for future in [executor.submit(_work, ()) for _ in range(_WORKERS)]:
        future.result()
    return executor


def _progress(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )


if __name__ == "__main__":
    typer.run(screen)
