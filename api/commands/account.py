"""`tingjian account`: make, list, change and end accounts. One-time passwords are printed once."""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer

from api import accounts
from api.commands.operator import operator
from api.wiring import open_service
from models.errors import InvalidInput
from models.vocabulary import Role

app = typer.Typer(no_args_is_help=True)

Login = Annotated[str, typer.Argument(help="The account's login.")]


def parse_grant(text: str) -> tuple[Role, str]:
    """Return the role and the place in `ROLE@PLACE`.

    Raises
    ------
    InvalidInput
        If it is not of that form, or the role is unknown.
    """
    role, at, place = text.partition("@")
    if not at or role not in set(Role):
        raise InvalidInput(f"{text!r} is not ROLE@PLACE; roles: {', '.join(Role)}")
    return Role(role), place


@app.command("create")
def create(
    login: Login,
    grant: Annotated[
        list[str] | None, typer.Option(help="A role at a place, as ROLE@PLACE; may be repeated.")
    ] = None,
    name: Annotated[str, typer.Option(help="What people call the person.")] = "",
    language: Annotated[str, typer.Option(help="zh or en.")] = "zh",
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Make an account and print its one-time password."""
    grants = [parse_grant(one) for one in grant or ()]
    password = sys.stdin.readline().rstrip("\n") if password_stdin else None
    with open_service() as service, service.database.transaction() as session:
        account, one_time = accounts.create_account(
            session,
            operator(),
            login=login,
            name=name or login,
            language="en" if language == "en" else "zh",
            grants=grants,
            password=password,
            now=datetime.now(UTC),
        )
    typer.echo(f"account {account.login} made")
    if one_time is not None:
        typer.echo(f"one-time password: {one_time}")


@app.command("list")
def listing() -> None:
    """List the accounts: login, name, state, roles."""
    with open_service() as service, service.database.reading() as session:
        for account in accounts.list_accounts(session):
            roles = ",".join(
                f"{row.role}@{row.organisation}" for row in accounts.grants_of(session, account.id)
            )
            state = "disabled" if account.disabled_at else "active"
            typer.echo(f"{account.login}\t{account.name}\t{state}\t{roles or '-'}")


@app.command("disable")
def disable(login: Login) -> None:
    """End an account and every session of it."""
    with open_service() as service, service.database.transaction() as session:
        account = accounts.by_login(session, login)
        accounts.disable(session, operator(), account.id, datetime.now(UTC))
    typer.echo(f"account {login} disabled")


@app.command("enable")
def enable(login: Login) -> None:
    """Let an account sign in again."""
    with open_service() as service, service.database.transaction() as session:
        account = accounts.by_login(session, login)
        accounts.enable(session, operator(), account.id, datetime.now(UTC))
    typer.echo(f"account {login} enabled")


@app.command("grant")
def grant(login: Login, roles: Annotated[list[str], typer.Argument(help="ROLE@PLACE …")]) -> None:
    """Give an account roles."""
    with open_service() as service, service.database.transaction() as session:
        account = accounts.by_login(session, login)
        for role, place in map(parse_grant, roles):
            accounts.grant(
                session, operator(), account.id, role=role, organisation=place, now=datetime.now(UTC)
            )
    typer.echo(f"account {login}: {len(roles)} granted")


@app.command("revoke")
def revoke(login: Login, roles: Annotated[list[str], typer.Argument(help="ROLE@PLACE …")]) -> None:
    """Take roles away from an account."""
    with open_service() as service, service.database.transaction() as session:
        account = accounts.by_login(session, login)
        held = {(row.role, row.organisation): row for row in accounts.grants_of(session, account.id)}
        for role, place in map(parse_grant, roles):
            if (role, place) not in held:
                raise InvalidInput(f"{login} is no {role.value} at {place}")
            accounts.ungrant(session, operator(), account.id, held[role, place].id, datetime.now(UTC))
    typer.echo(f"account {login}: {len(roles)} revoked")


@app.command("password")
def password(login: Login) -> None:
    """Give an account a one-time password; every session of it ends."""
    with open_service() as service, service.database.transaction() as session:
        account = accounts.by_login(session, login)
        _, one_time = accounts.reset_password(session, operator(), account.id, datetime.now(UTC))
    typer.echo(f"one-time password: {one_time}")
