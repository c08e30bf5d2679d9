import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlmodel import func, select

from models.database import Database
from models.errors import NotPermitted
from models.post import Post
from moderation.group_commit import GroupCommit
from moderation.intake import Caller, Taken
from moderation.pipeline import Outcome
from tests.support import posting
from tests.support.posting import CALLER, KEYS, a_draft
from tests.support.screeners import ScriptedScreener


class SlowScreener(ScriptedScreener):
    """Holds the first call until the others are waiting, and trips over one text."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.calls: list[int] = []

    def screen(self, texts: Sequence[str]) -> list[Outcome]:
        self.calls.append(len(texts))
        assert self.go.wait(120)
        if "绊一跤" in texts:
            raise RuntimeError("tripped")
        return super().screen(texts)


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def together(
    door: GroupCommit, screener: SlowScreener, drafts: list, now: datetime, caller: Caller = CALLER
) -> list:
    """Send drafts at once while the first is still being screened; return answers and errors in order."""

    def one(draft: object) -> Taken | Exception:
        try:
            return door.take(draft, caller=caller, now=now)
        except RuntimeError as error:
            return error

    with ThreadPoolExecutor(len(drafts)) as executor:
        first = executor.submit(one, drafts[0])
        while not screener.calls:
            time.sleep(0.001)
        others = [executor.submit(one, draft) for draft in drafts[1:]]
        while door.waiting < len(drafts) - 1:
            time.sleep(0.001)
        screener.go.set()
        return [future.result() for future in (first, *others)]


def test_posts_that_wait_go_in_together_and_each_gets_its_own_answer(
    database: Database, now: datetime
) -> None:
    screener = SlowScreener()
    door = GroupCommit(database, screener, KEYS)
    drafts = [a_draft(now, external_id=str(number), text=f"第{number}条") for number in range(12)]

    results = together(door, screener, drafts, now)

    assert screener.calls == [1, 11]
    assert [taken.answer.external_id for taken in results] == [str(number) for number in range(12)]
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Post)).one() == 12


def test_the_same_post_sent_twice_at_once_is_one_post_with_one_answer(
    database: Database, now: datetime
) -> None:
    screener = SlowScreener()
    door = GroupCommit(database, screener, KEYS)

    results = together(door, screener, [a_draft(now)] * 5, now)

    assert len({taken.answer.id for taken in results}) == 1
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Post)).one() == 1


def test_one_that_trips_the_screener_spoils_no_other(database: Database, now: datetime) -> None:
    screener = SlowScreener()
    door = GroupCommit(database, screener, KEYS)
    texts = ["第一条", "第二条", "绊一跤", "第四条"]
    drafts = [a_draft(now, external_id=str(number), text=text) for number, text in enumerate(texts)]

    results = together(door, screener, drafts, now)

    assert [isinstance(taken, RuntimeError) for taken in results] == [False, False, True, False]
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Post)).one() == 3


def test_each_caller_reaches_only_its_own_places(database: Database, now: datetime) -> None:
    screener = SlowScreener()
    screener.go.set()
    door = GroupCommit(database, screener, KEYS)
    elsewhere = Caller(CALLER.source, CALLER.actor, ("gd/nowhere",))

    refused = door.take(a_draft(now), caller=elsewhere, now=now)

    assert isinstance(refused.problem, NotPermitted)
