"""`tingjian deliveries`: search the log of what left, look at one message, send it again under its id."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlmodel import Session, select

from alerts import delivery_log
from alerts.delivery_log import Search
from alerts.endpoints import Reach
from api.commands.operator import operator
from api.wiring import open_service
from models.errors import InvalidInput
from models.organisation import Organisation
from models.vocabulary import ChannelKind, MessageState, Topic

app = typer.Typer(no_args_is_help=True)

State = Annotated[MessageState | None, typer.Option(help="Only those in this state.")]
About = Annotated[str | None, typer.Option(help="A topic, such as event.reported.")]
By = Annotated[ChannelKind | None, typer.Option(help="A channel.")]
To = Annotated[str | None, typer.Option("--endpoint", help="An endpoint's id.")]
At = Annotated[str | None, typer.Option("--organisation", help="The office that it is for.")]
Find = Annotated[str | None, typer.Option("--find", help="An id, a subject, or the code of an error.")]


def _everywhere(session: Session) -> Reach:
    """Return the reach of whoever runs the machine: every tree."""
    paths = session.exec(select(Organisation.path)).all()
    return Reach(tuple(sorted(path for path in paths if "/" not in path)))


def _topic(text: str | None) -> Topic | None:
    if text is not None and text not in set(Topic):
        raise InvalidInput("no such topic", code="unknown_word", field="--topic")
    return Topic(text) if text is not None else None


@app.command("list")
def listing(
    *,
    state: State = None,
    topic: About = None,
    channel: By = None,
    endpoint: To = None,
    organisation: At = None,
    find: Find = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many, newest first.")] = 50,
) -> None:
    """List messages: id, time, state, topic, channel, office, tries, last error."""
    search = Search(state, _topic(topic), channel, endpoint, organisation, find)
    with open_service() as service, service.database.reading() as session:
        for one in delivery_log.list_deliveries(session, _everywhere(session), search, limit=limit):
            message = one.message
            typer.echo(
                "\t".join(
                    (
                        message.id,
                        message.created_at.isoformat(timespec="seconds"),
                        message.state.value,
                        message.topic.value,
                        one.endpoint.channel.value,
                        message.organisation,
                        str(message.attempts),
                        message.last_error or "-",
                    )
                )
            )


@app.command("show")
def show(message_id: Annotated[str, typer.Argument(help="The message's id.")]) -> None:
    """Show every try at one message: time, outcome, status, error, milliseconds."""
    with open_service() as service, service.database.reading() as session:
        found = delivery_log.delivery_of(session, message_id, _everywhere(session))
        typer.echo(
            f"{found.message.topic.value} to {found.message.organisation}: {found.message.state.value}"
        )
        for one in found.attempts:
            outcome = "taken" if one.succeeded else "not taken"
            typer.echo(
                f"{one.at.isoformat(timespec='seconds')}\t{outcome}\t{one.status or '-'}"
                f"\t{one.error or '-'}\t{one.milliseconds} ms"
            )


@app.command("replay")
def replay(message_id: Annotated[str, typer.Argument(help="The message's id.")]) -> None:
    """Make a settled message due again, under the same id."""
    with open_service() as service, service.database.transaction() as session:
        reach = _everywhere(session)
        delivery_log.replay(session, message_id, reach, actor=operator().name, now=datetime.now(UTC))
    typer.echo(f"message {message_id} is due again")


@app.command("replay-dead")
def replay_dead(
    *,
    topic: About = None,
    channel: By = None,
    endpoint: To = None,
    organisation: At = None,
    find: Find = None,
) -> None:
    """Make the dead among what is searched for due again, at most 500 at once, under the same ids."""
    search = Search(None, _topic(topic), channel, endpoint, organisation, find)
    with open_service() as service, service.database.transaction() as session:
        reach, now = _everywhere(session), datetime.now(UTC)
        count = delivery_log.replay_dead(session, reach, search, actor=operator().name, now=now)
    typer.echo(f"{count} messages are due again")
