"""`tingjian backtest-demands TABLE`: group the stored window under another table beside the present one.

Night by night, over the posts that are stored and published; nothing is changed and no text is printed. The
last line of standard output is one JSON object.

Neighbours: `sentiment/demand/backtest.py` does the work; `command_line` mounts the function.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from sqlmodel import col, select

from api.wiring import open_service
from models.errors import InvalidInput
from models.reading import Reading
from models.vocabulary import Domain
from sentiment.demand.backtest import Models, Run, backtest, present_models, read_models, shared
from sentiment.demand.items import items_of
from sentiment.demand.scoring import Item

AT_ONCE: Final = 5_000
"""Posts that are read in one query."""


def backtest_demands(
    table: Annotated[Path, typer.Argument(help="A table in the form of sentiment/tables/grouping.json.")],
    nights: Annotated[int, typer.Option(help="Nights to replay, up to now.", min=1, max=366)] = 30,
) -> None:
    """Show what TABLE would have proposed from the stored posts, beside the present settings."""
    try:
        candidate = read_models(table)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"{table.name} is no table of the grouping", field="table") from error
    now = datetime.now(UTC)
    with open_service() as service:
        settings = service.sentiment
        since = now - settings.window - timedelta(days=nights)
        with service.database.reading() as session:
            posts = session.exec(
                select(Reading.post_id).where(col(Reading.posted_at) > since, Reading.domain != Domain.NONE)
            ).all()
            items = [
                item
                for start in range(0, len(posts), AT_ONCE)
                for item in items_of(session, posts[start : start + AT_ONCE]).values()
            ]
    figures = compared(
        items,
        {"present": present_models(), "candidate": candidate},
        now,
        nights=nights,
        window=settings.window,
        people=settings.minimum_authors,
    )
    typer.echo(f"{'':12}{'proposed':>10}{'in both':>10}{'grouped':>10}{'pairs kept':>12}{'median night':>14}")
    for name, side in figures.items():
        kept = "-" if side["kept"] is None else f"{side['kept']:.3f}"
        night = "-" if side["median_night"] is None else side["median_night"]
        typer.echo(
            f"{name:12}{side['proposed']:>10}{side['in_both']:>10}{side['grouped']:>10}{kept:>12}{night:>14}"
        )
    typer.echo(orjson.dumps(figures).decode())


def compared(
    items: list[Item], sides: dict[str, Models], now: datetime, *, nights: int, window: timedelta, people: int
) -> dict[str, dict[str, Any]]:
    """Return the figures of both sides."""
    day = now.timestamp() / 86_400
    when = [day - number for number in range(nights - 1, -1, -1)]
    runs = {
        name: backtest(items, models, nights=when, window=window / timedelta(days=1), people=people)
        for name, models in sides.items()
    }
    present, candidate = runs["present"], runs["candidate"]
    return {
        "present": _figures(present, candidate),
        "candidate": _figures(candidate, present),
    }


def _figures(run: Run, other: Run) -> dict[str, Any]:
    return {
        "proposed": len(run.proposed),
        "in_both": shared(run.proposed, other.proposed),
        "grouped": run.grouped,
        "kept": run.kept,
        "median_night": sorted(run.nights)[len(run.nights) // 2] if run.nights else None,
    }
