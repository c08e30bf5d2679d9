import json
import logging as standard
from collections.abc import Iterator

import pytest
import structlog

from api import logging

TEXT = "一条不该出现在日志里的帖子"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before, level = standard.getLogger().handlers[:], standard.getLogger().level
    yield
    standard.getLogger().handlers = before
    standard.getLogger().setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_exception_is_told_by_type_and_place_without_its_message(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logging.configure()
    try:
        int(TEXT)
    except ValueError:
        structlog.get_logger("t").exception("it.failed")

    (line,) = lines(capsys)
    assert line["error"]["type"] == "builtins.ValueError"
    assert "test_an_exception" in line["error"]["at"][-1]
    assert TEXT not in json.dumps(line, ensure_ascii=False)


def test_a_librarys_values_stay_out(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure()
    standard.getLogger("some.library").error("could not store %r", TEXT)

    (line,) = lines(capsys)
    assert line["library"] == "some.library"
    assert line["event"] == "could not store %r"


def test_only_the_first_line_of_what_a_library_says_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure()
    # As asyncio writes it: the message of the exception is within the format string.
    standard.getLogger("asyncio").error("Task exception was never retrieved\nValueError(%s)" % TEXT)  # noqa: UP031, G002

    (line,) = lines(capsys)
    assert line["event"] == "Task exception was never retrieved"


def test_less_than_the_level_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    logging.configure("warning")
    structlog.get_logger("t").info("quiet")
    assert lines(capsys) == []
