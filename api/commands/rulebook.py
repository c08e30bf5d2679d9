"""`tingjian rulebook`: check packs of rules, list them, and change what runs.

`check` goes through the same door as a start of the service, so what it accepts can be switched on.
`promote`, `shadow`, `retire`, `prove` and `roll-back` change the running service without a restart, each
with a reason on the audit log.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.errors import TingjianError
from moderation.door import breaches, failing_tests
from moderation.policy import load_policy
from moderation.protected import described, load_suite
from moderation.rulebook import Rulebook, read_rulebook
from moderation.settings import SHIPPED_POLICY, SHIPPED_RULEBOOKS, SHIPPED_SUITE

app = typer.Typer(help="Check, list and change the rules.", no_args_is_help=True)

_IS_RUN = re.compile(r"[0-9a-f]{32}")

_Directory = Annotated[
    Path | None, typer.Argument(help="A directory of the operator's own packs.", show_default=False)
]


def _read(directory: Path | None) -> Rulebook:
    return read_rulebook([SHIPPED_RULEBOOKS], [directory] if directory else [])


@app.command()
def check(directory: _Directory = None) -> None:
    """Run every rule's own tests and the protected suite; say what fails, and exit 1 if anything does."""
    errors = Console(stderr=True)
    try:
        rulebook = _read(directory)
        policy = load_policy(SHIPPED_POLICY)
        suite = load_suite(SHIPPED_SUITE)
    except TingjianError as error:
        errors.print(error.detail, style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    failures = failing_tests(rulebook)
    broken = breaches(rulebook, policy, suite)
    unknown = sorted(set(policy.proven) - {rule.id for rule in rulebook.rules})
    for line in (*failures, *(f"the policy proves {rule}, which is no rule" for rule in unknown)):
        errors.print(line, style="red", markup=False, soft_wrap=True)
    if broken:
        errors.print(described(broken, limit=len(broken)), style="red", markup=False, soft_wrap=True)
    tests = sum(len(rule.must_hit) + len(rule.must_miss) for rule in rulebook.rules)
    typer.echo(
        f"{rulebook.revision}: {len(rulebook.packs)} packs, {len(rulebook.rules)} rules, {tests} tests "
        f"of their own ({len(failures)} fail), {len(suite)} protected texts ({len(broken)} acted upon)"
    )
    if failures or broken or unknown:
        raise typer.Exit(1)


@app.command("list")
def list_rules(directory: _Directory = None) -> None:
    """List the rules with their category, clause, action and rationale."""
    try:
        rulebook = _read(directory)
    except TingjianError as error:
        Console(stderr=True).print(error.detail, style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    table = Table("rule", "category", "clause", "action", "rationale", title=rulebook.revision)
    for rule in rulebook.rules:
        table.add_row(rule.id, rule.category.value, rule.clause, rule.action.value, rule.rationale)
    Console().print(table)


_Reason = Annotated[str, typer.Option(help="Why; it stays on record.")]
_What = Annotated[str, typer.Argument(help="A rule's id, or the id of a back-test whose proposal is meant.")]


@app.command()
def promote(what: _What, reason: _Reason) -> None:
    """Switch on a rule, or what was tried in a back-test, through the door."""
    _switch(what, "active", reason)


@app.command()
def shadow(what: _What, reason: _Reason) -> None:
    """Let a rule, or what was tried in a back-test, run in shadow: it is judged and changes no verdict."""
    _switch(what, "shadow", reason)


@app.command()
def retire(what: _What, reason: _Reason) -> None:
    """Switch a rule off, or take back what was tried in a back-test."""
    _switch(what, "retired", reason)


def _switch(what: str, state: str, reason: str) -> None:
    from api.commands.operator import operator  # noqa: PLC0415 - `check` needs no database
    from api.rules import base_of, change_by  # noqa: PLC0415 - as above
    from api.wiring import open_service  # noqa: PLC0415 - as above
    from models.vocabulary import RuleState  # noqa: PLC0415 - as above
    from moderation import backtest, switching  # noqa: PLC0415 - as above
    from moderation.proposals import Proposal, ProposalKind  # noqa: PLC0415 - as above

    with open_service(models=True) as service:
        if _IS_RUN.fullmatch(what):
            with service.database.reading() as session:
                proposal = Proposal.of(backtest.find(session, what).proposal)
        else:
            proposal = Proposal(ProposalKind.RULE, rule=what)
        change = change_by(operator(), reason, datetime.now(UTC))
        made = switching.switch(service.database, base_of(service), proposal, RuleState(state), change)
    typer.echo(f"edition {made.number}: {proposal.subject} is {state}")


@app.command()
def prove(rule: Annotated[str, typer.Argument(help="A rule's id.")], reason: _Reason) -> None:
    """Let a rule remove without a person, if officers' decisions prove it to the published level."""
    from api.commands.operator import operator  # noqa: PLC0415 - as above
    from api.rules import base_of, change_by  # noqa: PLC0415 - as above
    from api.wiring import open_service  # noqa: PLC0415 - as above
    from moderation import automation  # noqa: PLC0415 - as above

    with open_service(models=True) as service:
        change = change_by(operator(), reason, datetime.now(UTC))
        made = automation.prove(service.database, base_of(service), rule, change)
    typer.echo(f"edition {made.number}: {rule} removes by itself")


@app.command("roll-back")
def roll_back(
    reason: _Reason,
    edition: Annotated[int | None, typer.Option(help="Its number; the one before if not given.")] = None,
) -> None:
    """Go back to an earlier edition in one step. No right to remove comes back with it."""
    from api.commands.operator import operator  # noqa: PLC0415 - as above
    from api.rules import base_of, change_by  # noqa: PLC0415 - as above
    from api.wiring import open_service  # noqa: PLC0415 - as above
    from moderation import switching  # noqa: PLC0415 - as above

    with open_service(models=True) as service:
        change = change_by(operator(), reason, datetime.now(UTC))
        made = switching.roll_back(service.database, base_of(service), edition, change)
    typer.echo(f"edition {made.number} holds what the older one held")


@app.command("editions")
def list_editions() -> None:
    """List the editions, newest first: number, time, what, about what, who, why."""
    from api.wiring import open_service  # noqa: PLC0415 - as above
    from moderation import editions  # noqa: PLC0415 - as above

    with open_service() as service, service.database.reading() as session:
        for row in editions.history(session, limit=200):
            typer.echo(
                f"{row.number}\t{row.made_at:%Y-%m-%dT%H:%M:%SZ}\t{row.action}\t{row.subject}\t{row.actor}\t"
                f"{row.reason}"
            )


if __name__ == "__main__":
    app()
