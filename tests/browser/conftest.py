"""One Chromium and one served console for all tests of a run; a fresh one for whoever changes everything."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from sqlmodel import select

from api.passwords import hash_password
from models.account import Account
from models.demand import Setting
from moderation import knobs
from tests.support import browser as support
from tests.support.browser import Console


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with support.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console whose people have changed their one-time passwords already."""
    support.executable()
    with support.served(tmp_path_factory.mktemp("console")) as console:
        with console.database() as database, database.transaction() as session:
            for account in session.exec(select(Account)):
                account.password = hash_password(support.PASSWORD)
                account.must_change_password = False
                session.add(account)
            # A card that hides the machine's view by lot would let a test fail by lot.
            session.add(
                Setting(
                    key=knobs.COLD,
                    organisation="gd",
                    value=0,
                    reason="tests",
                    changed_by="command:test",
                    changed_at=datetime.now(UTC),
                )
            )
        yield console


@pytest.fixture
def new_console(tmp_path: Path) -> Iterator[Console]:
    support.executable()
    with support.served(tmp_path) as console:
        yield console
