"""The memory of how posts come: what it holds, when it forgets, and what intake does with it."""

from datetime import datetime, timedelta
from itertools import count

import pytest
from sqlmodel import Session, col, select

from models.database import Database
from models.post import Post
from models.review import ReviewTask
from models.sighting import SightingRow
from models.vocabulary import Category, PostState, Verdict
from moderation import sightings
from moderation.deletion import delete
from moderation.intake import Answer, take
from moderation.pipeline import Screener
from moderation.policy import load_policy
from moderation.rulebook import read_rulebook
from moderation.screening import rescreen
from moderation.settings import SHIPPED_POLICY, SHIPPED_RULEBOOKS
from tests.support.bundles import WrittenBundle
from tests.support.posting import CALLER, KEYS, SOURCE, a_draft, plant

ADVERT = "校园卡套餐低价办理，加微信 taocan_demo1 马上开通"
QUESTION = "请问图书馆周末几点开门，可以进去自习吗"
DEMAND = "强烈要求宿舍装空调，天气这么热根本睡不着"
OFFER = "毕业转让吉他一把，附送琴包和拨片，微信 jita_demo1"


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener(read_rulebook([SHIPPED_RULEBOOKS]), load_policy(SHIPPED_POLICY), WrittenBundle())


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        plant(session, now)


def sent(
    database: Database,
    screener: Screener,
    now: datetime,
    text: str,
    times: int,
    *,
    authors: int = 1,
    apart: timedelta = timedelta(minutes=1),
    batch: int = 1,
    first: int = 0,
) -> list[Answer]:
    """Send a text so many times in batches; return the answers."""
    drafts = [
        a_draft(
            now,
            external_id=f"{text[:4]}-{first + number}",
            author=f"user-{number % authors}",
            text=text,
            created_at=now - apart * (times - number),
        )
        for number in range(times)
    ]
    answers = []
    for begin in range(0, times, batch):
        taken = take(database, screener, drafts[begin : begin + batch], caller=CALLER, keys=KEYS, now=now)
        answers += [one.answer for one in taken if one.answer is not None]
    assert len(answers) == times
    return answers


def rules_of(answer: Answer) -> list[str]:
    return [reason["rule"] for reason in answer.reasons if reason["source"] == "behaviour"]


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_an_offer_that_one_author_repeats_is_held_from_the_sixth_on(
    database: Database, screener: Screener, now: datetime, batch: int
) -> None:
    answers = sent(database, screener, now, OFFER, 7, batch=batch)

    assert [rules_of(answer) for answer in answers[:5]] == [[]] * 5
    assert all("behaviour.repeated-advertisement" in rules_of(answer) for answer in answers[5:])
    assert {answer.verdict for answer in answers[5:]} == {Verdict.HOLD}
    assert {answer.category for answer in answers[5:]} == {Category.SPAM}


@pytest.mark.parametrize("batch", [1, 50])
def test_copies_of_an_offer_by_many_authors_are_held(
    database: Database, screener: Screener, now: datetime, batch: int
) -> None:
    answers = sent(database, screener, now, OFFER, 9, authors=9, batch=batch)

    assert ["behaviour.wave" in rules_of(answer) for answer in answers] == [False] * 7 + [True] * 2


def test_many_people_who_want_the_same_are_no_wave(
    database: Database, screener: Screener, now: datetime
) -> None:
    answers = sent(database, screener, now, DEMAND, 120, authors=120, batch=60)

    assert {answer.verdict for answer in answers} == {Verdict.PUBLISH}


def test_whoever_asks_again_because_nobody_answered_is_left_alone(
    database: Database, screener: Screener, now: datetime
) -> None:
    answers = sent(database, screener, now, QUESTION, 12, apart=timedelta(minutes=10))

    assert {answer.verdict for answer in answers} == {Verdict.PUBLISH}


def test_old_posts_that_come_in_one_batch_are_judged_by_when_they_were_written(
    database: Database, screener: Screener, now: datetime
) -> None:
    answers = sent(database, screener, now, OFFER, 12, apart=timedelta(hours=6), batch=50)

    assert [rules_of(answer) for answer in answers] == [[]] * 12


def test_an_edit_and_a_repeated_delivery_are_no_new_posts(
    database: Database, screener: Screener, now: datetime
) -> None:
    for revision in range(1, 12):
        edited = a_draft(now, text=f"{OFFER}{revision}", revision=revision)
        for _ in range(2):
            taken = take(database, screener, [edited], caller=CALLER, keys=KEYS, now=now)[0]
            assert taken.answer is not None
            assert rules_of(taken.answer) == []


def test_a_hold_outlasts_a_screening_anew_and_an_edit(
    database: Database, screener: Screener, now: datetime
) -> None:
    held = sent(database, screener, now, OFFER, 6)[-1]

    rescreen(database, screener, now=now + timedelta(hours=1))
    edited = a_draft(now, external_id=held.external_id, author="user-0", text="已删", revision=2)
    answer = take(database, screener, [edited], caller=CALLER, keys=KEYS, now=now)[0].answer

    assert answer is not None
    assert (answer.verdict, answer.state) == (Verdict.HOLD, PostState.HELD)
    assert rules_of(answer) == ["behaviour.repeated-advertisement"]
    with database.reading() as session:
        assert len(session.exec(select(ReviewTask).where(col(ReviewTask.post_id) == held.id)).all()) >= 1


def test_what_is_remembered_is_neither_a_text_nor_the_hash_that_posts_carry(
    database: Database, screener: Screener, now: datetime
) -> None:
    sent(database, screener, now, OFFER, 1)
    sent(database, screener, now, QUESTION, 1)

    with database.reading() as session:
        rows = session.exec(select(SightingRow)).all()
        authors = session.exec(select(Post.author)).all()

    assert sorted((row.selling, row.author == row.key) for row in rows) == [
        (False, True),
        *[(True, False)] * 4,
        (True, True),
    ]
    assert all(isinstance(value, int) for row in rows for value in (row.key, row.author, row.copy_of))
    assert not {format(row.author & (2**64 - 1), "016x") for row in rows} & {
        author[:16] for author in authors
    }
    assert {row.expires_at for row in rows} == {now + timedelta(days=1)}


def test_a_deleted_post_is_forgotten(database: Database, screener: Screener, now: datetime) -> None:
    for number, answer in zip(count(1), sent(database, screener, now, OFFER, 3), strict=False):
        with database.transaction() as session:
            delete(session, SOURCE, answer.external_id, scope=None, deleted_by="key:test", now=now)
            assert remaining(session) == 5 * (3 - number)


def remaining(session: Session) -> int:
    session.flush()
    return len(session.exec(select(SightingRow)).all())


def test_what_has_expired_is_forgotten_and_no_longer_counts(
    database: Database, screener: Screener, now: datetime
) -> None:
    sent(database, screener, now, OFFER, 5)
    later = now + timedelta(days=1)

    again = sent(database, screener, later, OFFER, 5, first=100)
    with database.transaction() as session:
        assert sightings.forget_expired(session, later) == 25
        assert sightings.forget_expired(session, later) == 0
        assert remaining(session) == 25

    assert [rules_of(answer) for answer in again] == [[]] * 5


def test_a_known_batch_that_comes_again_asks_nothing_and_adds_nothing(
    database: Database, screener: Screener, now: datetime
) -> None:
    first = sent(database, screener, now, ADVERT, 3, batch=3)
    again = sent(database, screener, now, ADVERT, 3, batch=3)

    assert again == first
    with database.reading() as session:
        assert len(session.exec(select(SightingRow)).all()) == 15
