"""`tingjian backtest`: try a rule, a pack, thresholds or a bundle on the posts that are stored.

The run stands on record like one of the console, and `tingjian rulebook promote` takes its id. Ctrl-C
cancels it. No text is printed; officers look at the sample in the console.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from api.commands.operator import operator
from api.rules import base_of
from api.wiring import Service, open_service
from models.base import new_id
from models.errors import InvalidInput, TingjianError
from models.rulebook import Backtest
from models.vocabulary import BacktestState, Category
from moderation import backtest as runs
from moderation import backtest_counts
from moderation.editions import Change
from moderation.proposals import Proposal, ProposalKind

USUAL: Final = timedelta(days=30)


def backtest(  # noqa: PLR0917 - the options of a command
    organisation: Annotated[str, typer.Argument(help="The node whose posts, and those under it, are read.")],
    pack: Annotated[Path | None, typer.Option(help="A pack of rules as a YAML file.")] = None,
    rule: Annotated[
        str | None, typer.Option(help="A rule by its id; one that is active is tried without.")
    ] = None,
    band: Annotated[
        list[str] | None,
        typer.Option(help="Thresholds: CATEGORY=REVIEW:WITH_SIGNAL, once for each category."),
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="A folder with a bundle.")] = None,
    since: Annotated[datetime | None, typer.Option(help="First day, UTC; a month ago if not given.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Day after the last, UTC; now if not given.")] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why; it stays on record.")] = "back-test",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Run a candidate over stored posts, and show what it would have done."""
    proposal = proposed(pack, rule, band or [], bundle)
    now = datetime.now(UTC)
    period = runs.Period(organisation, _utc(since) or now - USUAL, _utc(until) or now)
    with open_service(models=True) as service:
        run = _run(service, proposal, period, Change(operator().name, reason, now))
        if run.state is not BacktestState.DONE:
            raise InvalidInput(run.problem or f"the back-test was {run.state.value}")
        figures = backtest_counts.figures(run)
        if as_json:
            typer.echo(orjson.dumps({"run": run.id, "rulebook": run.rulebook, **figures}).decode())
        else:
            show(run, figures)


def proposed(pack: Path | None, rule: str | None, bands: list[str], bundle: Path | None) -> Proposal:
    """Return what the options ask to try.

    Raises
    ------
    InvalidInput
        If it is not exactly one thing.
    """
    if sum((pack is not None, rule is not None, bool(bands), bundle is not None)) != 1:
        raise InvalidInput("name exactly one of --pack, --rule, --band and --bundle")
    if pack is not None:
        return Proposal(ProposalKind.PACK, source=pack.read_text(encoding="utf-8"))
    if rule is not None:
        return Proposal(ProposalKind.RULE, rule=rule)
    if bundle is not None:
        return Proposal(ProposalKind.BUNDLE, bundle=str(bundle.resolve()))
    return Proposal(ProposalKind.BANDS, bands=dict(_band(one) for one in bands))


def _band(written: str) -> tuple[Category, tuple[float, float]]:
    name, _, values = written.partition("=")
    review, _, with_signal = values.partition(":")
    try:
        return Category(name), (float(review), float(with_signal or review))
    except ValueError:
        raise InvalidInput("thresholds are written CATEGORY=REVIEW:WITH_SIGNAL") from None


def _utc(value: datetime | None) -> datetime | None:
    return value.replace(tzinfo=UTC) if value is not None else None


def _run(service: Service, proposal: Proposal, period: runs.Period, change: Change) -> Backtest:
    lease, database = new_id(), service.database
    with database.transaction() as session:
        run = runs.request(session, proposal, period, change, lease=lease)
    try:
        with _progress() as progress:
            task = progress.add_task("posts", total=None)
            runs.work(
                database,
                base_of(service),
                run.id,
                lease,
                lambda: datetime.now(UTC),
                told=lambda judged, posts: progress.update(task, completed=judged, total=posts),
            )
    except KeyboardInterrupt:
        _cancel(service, run)
        raise
    with database.reading() as session:
        return runs.find(session, run.id)


def _cancel(service: Service, run: Backtest) -> None:
    try:
        with service.database.transaction() as session:
            runs.cancel(session, run, actor=operator().name, now=datetime.now(UTC))
    except TingjianError:
        return  # it had just come to its end


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def show(run: Backtest, figures: dict[str, Any]) -> None:
    """Print what a run found."""
    console = Console()
    console.print(f"run {run.id}, rulebook {run.rulebook}", markup=False, highlight=False)
    console.print(
        f"{figures['posts']} posts, {figures['hits']} hit, "
        f"{figures['hits_no_other_rule_makes']} of them by no other rule",
        highlight=False,
    )
    if figures["precision"] is None:
        console.print("nobody has decided about any of them")
    else:
        console.print(
            f"people decided about {figures['confirmed'] + figures['overturned']}: {figures['confirmed']} "
            f"confirmed; precision {figures['precision']:.3f} (95 % interval {figures['precision_low']:.3f} "
            f"to {figures['precision_high']:.3f}, lower bound {figures['precision_bound']:.3f})",
            highlight=False,
        )
    for title, name in (
        ("would change", "changes"),
        ("hits by rule", "by_rule"),
        ("beside rules", "overlap"),
        ("verdicts then", "past_verdicts"),
        ("people decided", "decided"),
    ):
        if figures[name]:
            table = Table(title, "posts")
            for word, count in figures[name].items():
                table.add_row(word, str(count))
            console.print(table)
