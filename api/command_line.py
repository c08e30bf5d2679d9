"""The command `tingjian`: which words there are, and which module answers each.

Only the module of the command that was asked for is imported, so that help comes at once and a
screening of a file starts no web server. An error of ours is one line on standard error and the
exit status 2; a traceback means a fault in the program.
"""

import importlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import typer

USAGE_ERROR = 2
INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Command:
    """A word of the command line: the module and its attribute, a function or a `typer.Typer`."""

    module: str
    attribute: str
    help: str


EVALUATE = {
    "screening": Command("evaluate_screening", "screening", "Verdicts on a suite of labelled texts."),
    "scores": Command("evaluate_scores", "scores", "Probabilities against labels."),
    "cloaked": Command("evaluate_cloaked", "cloaked", "What disguises cost."),
    "needs": Command("evaluate_needs", "needs", "Need, domain, tone and place."),
    "demands": Command("evaluate_demands", "demands", "Demands found in a replayed month."),
}
COMMANDS: dict[str, Command | tuple[str, dict[str, Command]]] = {
    "screen": Command("screen", "screen", "Screen a file of texts; needs no database."),
    "evaluate": ("Measure on labelled files.", EVALUATE),
    "scoreboard": Command("scoreboard", "scoreboard", "Measure everything on every visible set."),
    "train": Command("train", "train", "Make a bundle from a recipe."),
    "rulebook": Command("rulebook", "app", "Check, list and change the rules."),
    "backtest": Command("backtest", "backtest", "Try a rule on stored posts."),
    "backtest-demands": Command(
        "backtest_demands", "backtest_demands", "Group stored posts under another table."
    ),
    "import": Command("import_", "import_file", "Take in a file of posts."),
    "export": Command("export", "app", "Write records out."),
    "serve": Command("serve", "serve", "Serve HTTP and the console."),
    "worker": Command("worker", "worker", "Run the jobs."),
    "migrate": Command("migrate", "migrate", "Bring the database to this release's schema."),
    "account": Command("account", "app", "Accounts and their roles."),
    "key": Command("key", "app", "Keys of sources."),
    "organisation": Command("organisation", "app", "The tree of organisations."),
    "setting": Command("setting", "app", "Settings that a person changes, with a reason."),
    "calendar": Command("calendar", "app", "Holidays and make-up days, by confirmed years."),
    "deliveries": Command("deliveries", "app", "What left, and what did not; send it again."),
    "sample": Command("sample", "sample", "Load the sample posts."),
    "audit": Command("audit", "app", "The audit log."),
    "regressions": Command("regressions", "regressions", "Ask about what objections restored."),
    "openapi": Command("openapi", "openapi", "Write the description of the HTTP interface."),
}


def _load(command: Command) -> Any:  # noqa: ANN401 - a function or a Typer
    return getattr(importlib.import_module(f"api.commands.{command.module}"), command.attribute)


def _add(app: typer.Typer, name: str, command: Command, *, chosen: bool) -> None:
    loaded = _load(command) if chosen else _named
    if isinstance(loaded, typer.Typer):
        app.add_typer(loaded, name=name, help=command.help)
    else:
        app.command(name, help=None if chosen else command.help)(loaded)


def _named() -> None:
    """Stand for a command that was not asked for."""


def _new(text: str) -> typer.Typer:
    return typer.Typer(help=text, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def build(words: Sequence[str]) -> typer.Typer:
    """Return the command line with the commands that `words` name loaded, and the rest by name only."""
    app = _new("听见 Tingjian: content moderation and collective demands.")
    asked = [word for word in words if not word.startswith("-")]
    first = asked[0] if asked else None
    second = asked[1] if len(asked) > 1 else None
    for name, entry in COMMANDS.items():
        if isinstance(entry, Command):
            _add(app, name, entry, chosen=name == first)
            continue
        group = _new(entry[0])
        for inner, command in entry[1].items():
            _add(group, inner, command, chosen=(name, inner) == (first, second))
        app.add_typer(group, name=name)
    return app


def guarded(run: Callable[[], None]) -> int:
    """Run a command and return its exit status; an error of ours is one line on standard error."""
    from sqlalchemy.exc import OperationalError  # noqa: PLC0415 - help must come at once

    from models.errors import TingjianError  # noqa: PLC0415 - as above

    try:
        run()
    except TingjianError as error:
        where = f" ({error.field})" if error.field else ""
        sys.stderr.write(f"tingjian: {error.detail}{where}\n")
    except OperationalError as error:
        # The driver names the file or the server; statements and their values are not in it.
        told = str(error.orig).strip().partition("\n")[0]
        sys.stderr.write(f"tingjian: the database cannot be used: {told}\n")
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        sys.stderr.write(f"tingjian: {error.filename}: {error.strerror}\n")
    except KeyboardInterrupt:
        return INTERRUPTED
    else:
        return 0
    return USAGE_ERROR


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its status."""
    given = list(sys.argv[1:] if words is None else words)
    if not [word for word in given if not word.startswith("-")] or "--help" in given:
        build(given)(given, prog_name="tingjian")
    sys.exit(guarded(lambda: build(given)(given, prog_name="tingjian")))


if __name__ == "__main__":
    main()
