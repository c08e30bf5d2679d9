"""`tingjian rulebook`: check packs of rules against their own tests and the protected suite, and list them.

`check` goes through the same door as a start of the service, so what it accepts can be switched on.
"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from models.errors import TingjianError
from moderation.policy import load_policy
from moderation.protected import described, load_suite
from moderation.rulebook import Rulebook, breaches, failing_tests, read_rulebook
from moderation.settings import SHIPPED_POLICY, SHIPPED_RULEBOOKS, SHIPPED_SUITE

app = typer.Typer(help="Check and list the rules.", no_args_is_help=True)

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


if __name__ == "__main__":
    app()
