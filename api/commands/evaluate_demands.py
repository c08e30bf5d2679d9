"""`tingjian evaluate demands FILE`: replay a month of posts and judge the demands that come out.

Rows have id, time, author, org, text and demand (null for noise). The posts go through the reading
and grouping jobs over a database of their own, with the clock simulated. The last line of standard
output is one JSON object; `sentiment/demand/measures.py` defines its figures.

`--beside` puts other methods on the same posts into one table; `--encoder` takes the vectors of a Hugging
Face checkpoint instead of the bundle's; `--nightly` says how many ids go on from night to night.

Neighbours: `sentiment/replay.py` runs the jobs; `demand_methods` compares; `command_line` mounts it.
"""

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from api.commands.demand_methods import auc_of, compared_with, with_vectors_of
from api.commands.rows import rows_of
from learning.bundle import Bundle, load_bundle
from models.database import Database
from models.errors import ConfigurationError, InvalidInput
from sentiment.demand import measures
from sentiment.demand.grouping import nth_author_at
from sentiment.replay import EVERY, IdsKept, Outcome, Replayed, replay
from sentiment.settings import SentimentSettings

NIGHTLY: Final = timedelta(days=1)
_FIELDS = ("id", "time", "author", "org", "text", "demand")


@dataclass(frozen=True, slots=True)
class _Row:
    """One post with its gold demand."""

    post: Replayed
    demand: str | None


def demands(
    file: Annotated[Path, typer.Argument(help="JSON Lines, plain or .gz, in the form of demands.jsonl.")],
    bundle: Annotated[Path | None, typer.Option(help="Folder of a bundle. Default: the shipped one.")] = None,
    encoder: Annotated[
        Path | None, typer.Option(help="Folder of a Hugging Face encoder, whose vectors are taken instead.")
    ] = None,
    *,
    beside: Annotated[bool, typer.Option(help="Put other methods on the same vectors beside ours.")] = False,
    nightly: Annotated[bool, typer.Option(help="Run once a night, and say how many ids go on.")] = False,
) -> None:
    """Replay FILE through the live jobs; the last line of standard output is one JSON object."""
    try:
        rows = [_row(row) for row in rows_of(file, _FIELDS)]
        loaded = load_bundle(bundle)
        if encoder is not None:
            loaded = with_vectors_of(encoder, loaded, [row.post.text for row in rows])
    except (ConfigurationError, InvalidInput) as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(2) from error
    except (ValueError, TypeError) as error:
        typer.echo(f"{file.name} has a time that cannot be read, or one without a zone", err=True)
        raise typer.Exit(2) from error
    settings = SentimentSettings()
    ids = IdsKept()
    outcome = _replayed(rows, loaded, settings, ids, every=NIGHTLY if nightly else EVERY)
    figures = measured(rows, outcome, settings.minimum_authors)
    _show(rows, outcome)
    judged = [(row.post, row.demand) for row in rows]
    figures["auc"] = auc_of(judged, loaded)
    if nightly:
        figures["ids"] = {"kept": ids.ids_kept / max(ids.ids, 1), "posts": ids.posts_kept / max(ids.posts, 1)}
    if beside:
        figures["beside"] = compared_with(judged, loaded, figures, settings.minimum_authors)
    typer.echo(orjson.dumps(figures).decode())


def _row(row: dict[str, Any]) -> _Row:
    posted = datetime.fromisoformat(row["time"])
    if posted.tzinfo is None:
        raise ValueError("a time needs its zone")
    post = Replayed(str(row["id"]), str(row["author"]), str(row["org"]), row["text"], posted)
    return _Row(post, row["demand"])


def _replayed(
    rows: list[_Row], bundle: Bundle, settings: SentimentSettings, ids: IdsKept, *, every: timedelta
) -> Outcome:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/replay.db")
        try:
            database.migrate()
            with Progress(console=Console(stderr=True), transient=True) as bar:
                task = bar.add_task("replaying", total=len(rows))

                def went(done: int) -> None:
                    bar.advance(task, done)
                    ids.look(database)

                return replay(
                    database,
                    bundle,
                    settings,
                    [row.post for row in rows],
                    every=every,
                    progress=went,
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
