"""`tingjian regressions`: ask the rules and the classifier about every post that an objection restored."""

import typer

from api.wiring import open_service
from models.errors import Unavailable
from moderation import regression


def regressions() -> None:
    """Screen anew what granted objections restored; the exit status is 1 if something errs again."""
    with open_service(models=True) as service, service.database.reading() as session:
        if service.screener is None:
            raise Unavailable("no screener is loaded")
        asked = regression.ask(session, service.screener)
    for one in asked.regressions:
        typer.echo(f"{one.post_id}\trevision {one.revision}\t{one.verdict}\t{', '.join(one.by)}")
    typer.echo(f"{len(asked.regressions)} of {asked.cases} restored posts would be acted on again", err=True)
    if asked.regressions:
        raise typer.Exit(1)
