"""`tingjian evaluate demands FILE`: replay a month of posts and judge the demands that come out.

Rows have id, time, author, org, text and demand (null for noise). The posts go through the reading
and grouping jobs over a database of their own, with the clock simulated. The last line of standard
output is one JSON object; `sentiment/demand/measures.py` defines its figures.

Neighbours: `sentiment/replay.py` runs the jobs; `command_line` mounts the function.
"""

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from api.commands.rows import rows_of
from learning.bundle import Bundle, load_bundle
from models.database import Database
from models.errors import ConfigurationError, InvalidInput
from sentiment.demand import measures
from sentiment.demand.grouping import nth_author_at
from sentiment.replay import Outcome, Replayed, replay
from sentiment.settings import SentimentSettings

_FIELDS = ("id", "time", "author", "org", "text", "demand")


@dataclass(frozen=True, slots=True)
class _Row:
    """One post with its gold demand."""

    post: Replayed
    demand: str | None


def demands(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz, in the form of demands.jsonl.")],
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle. Default: the shipped one.")] = None,
) -> None:
    """Replay FILE through the live jobs; the last line of standard output is one JSON object."""
    try:
        rows = [_row(row) for row in rows_of(file, _FIELDS)]
        loaded = load_bundle(bundle)
    except (ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    except (ValueError, TypeError) as error:
        typer.echo(f"{file.name} has a time that cannot be read, or one without a zone", err=True)
        raise typer.Exit(2) from error
    settings = SentimentSettings()
    outcome = _replayed(rows, loaded, settings)
    figures = measured(rows, outcome, settings.minimum_authors)
    _show(rows, outcome)
    typer.echo(orjson.dumps(figures).decode())


def _row(row: dict[str, Any]) -> _Row:
    posted = datetime.fromisoformat(row["time"])
    if posted.tzinfo is None:
        raise ValueError("a time needs its zone")
    post = Replayed(str(row["id"]), str(row["author"]), str(row["org"]), row["text"], posted)
    return _Row(post, row["demand"])


def _replayed(rows: list[_Row], bundle: Bundle, settings: SentimentSettings) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/replay.db")
        try:
            database.migrate()
            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task("replaying", total=len(rows))
                return replay(
                    database,
                    bundle,
                    settings,
                    [row.post for row in rows],
                    progress=lambda done: bar.advance(task, done),
                )
        finally:
            database.close()


def measured(rows: list[_Row], outcome: Outcome, minimum: int) -> dict[str, Any]:
    """Return the figures, shares between 0 and 1."""
    gold = [row.demand for row in rows]
    found = [outcome.members.get(row.post.key) for row in rows]
    proposed = [demand if demand in outcome.proposed else None for demand in found]
    authors = [row.post.author for row in rows]
    events = measures.events(gold, proposed, authors, minimum=minimum)
    delays = _delays(rows, outcome, events, minimum)
    posts, seconds = [float(late) for late, _ in delays], [after for _, after in delays]
    bcubed, pair = measures.bcubed(gold, found), measures.pairs(gold, found)
    return {
        "n": len(rows),
        "bcubed": {"precision": bcubed.precision, "recall": bcubed.recall, "f1": bcubed.f1},
        "pair": {"precision": pair.precision, "recall": pair.recall},
        "event": {"precision": events.score.precision, "recall": events.score.recall},
        "false_per_10k": 10_000 * (events.proposed - len(events.right)) / len(rows),
        "ami": measures.adjusted_mutual_information(gold, found),
        "delay": {
            "posts_p50": measures.quantile(posts, 0.5),
            "posts_p95": measures.quantile(posts, 0.95),
            "seconds_p50": measures.quantile(seconds, 0.5),
            "seconds_p95": measures.quantile(seconds, 0.95),
        },
    }


def _delays(
    rows: list[_Row], outcome: Outcome, events: measures.Events, minimum: int
) -> list[tuple[int, float]]:
    """Return for each gold demand that was found its delay from the tenth author's post.

    In posts of that demand that came after it until the proposal, and in seconds of the simulated
    clock; a demand proposed before its tenth author, by posts of others in it, has no delay.
    """
    by_demand: defaultdict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for row in rows:
        if row.demand is not None:
            by_demand[row.demand].append((row.post.created_at, row.post.author))
    first: dict[str, datetime] = {}
    for demand, label in events.right.items():
        at = outcome.proposed_at.get(str(demand))
        if at is not None:
            first[str(label)] = min(at, first.get(str(label), at))
    delays = []
    for label, at in first.items():
        tenth = nth_author_at(by_demand[label], minimum)
        if tenth is not None:
            late = sum(tenth < posted <= at for posted, _ in by_demand[label])
            delays.append((late, max(0.0, (at - tenth).total_seconds())))
    return delays


def _show(rows: list[_Row], outcome: Outcome) -> None:
    """Print the proposed demands, and what each holds."""
    inside: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        demand = outcome.members.get(row.post.key)
        if demand in outcome.proposed:
            inside[str(demand)][row.demand or "none"] += 1
    typer.echo(f"{'proposed':>10}{'posts':>7}{'largest':>9}  what is inside")
    for number, labels in enumerate(sorted(inside.values(), key=lambda kinds: -kinds.total()), start=1):
        share = labels.most_common(1)[0][1] / labels.total()
        said = ", ".join(f"{label} {count}" for label, count in labels.most_common(5))
        typer.echo(f"{number:10}{labels.total():7}{share:9.2f}  {said}")
