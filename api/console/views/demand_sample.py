"""The blind sample: one post, a few demands, to which does it belong. And the recall that comes of it.

Neighbours: `api/routes/demand_sample.py` is the same over HTTP; `sentiment/demand/missed.py` estimates.
"""

from typing import Annotated

from fastapi import Form, Request, Response

from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.correcting import Person
from api.dependencies import Transaction
from api.routes.demand_sample import recall_for, shown_next, take
from models.vocabulary import ProbeAnswer

router = pages()


@router.get("/demand-sample")
def following(request: Request, person: Person, session: Transaction) -> Response:
    """Show the next post of the sample, and the figure."""
    waiting, shown = shown_next(session, person)
    since, recall = recall_for(session, person.principal, person.now)
    paths = {shown.probe.organisation} | {one.organisation for one in shown.candidates} if shown else set()
    return page.render(
        request,
        "demand_sample.html",
        principal=person.principal,
        waiting=waiting,
        shown=shown,
        since=since,
        recall=recall,
        names=organisation_names(session, paths),
    )


@router.post("/demand-sample/{probe_id}")
def answer(
    probe_id: str,
    person: Person,
    session: Transaction,
    demand: Annotated[str, Form(max_length=32)] = "",
    *,
    put: Annotated[bool, Form()] = False,
) -> Response:
    """Take an answer: the identifier of a demand shown, `none`, or `unsure`."""
    said = ProbeAnswer(demand) if demand in {"none", "unsure"} else ProbeAnswer.BELONGS
    chosen = demand if said is ProbeAnswer.BELONGS else None
    take(session, probe_id, said, chosen, person, put=put)
    return page.go("/demand-sample", "sample_answered")
