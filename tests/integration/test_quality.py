"""Blind looks: drawn by lot, read as ordinary posts, and what is learnt from them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from models.audit import first_break
from models.database import Database
from models.demand import Setting
from models.outbox import OutboxMessage
from models.post import Post
from models.quality import GoldenItem, QualitySample, SampleAnswer, SampleFrame, SecondReading
from models.review import Decision, ReviewTask, Statement
from models.vocabulary import Action, Category, PostState, SampleKind, SecondState, TaskState, Verdict
from moderation import (
    blind,
    confirming,
    drawing,
    golden_items,
    knobs,
    leases,
    quality,
    queue,
    review,
    sample_places,
    undo,
)
from moderation.outcomes import judgements, precisions
from tests.support import posting
from tests.support.posting import COLLEAGUE, OFFICER, send

SCOPE = ["gd"]
KEY = b"k" * 32
LATER = timedelta(minutes=5)
LATER_STILL = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def tree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)


def turn(database: Database, now: datetime, **values: int) -> None:
    with database.transaction() as session:
        for key, value in values.items():
            session.add(
                Setting(
                    key=key, organisation="gd", value=value, reason="a test", changed_by="t", changed_at=now
                )
            )


def everything(database: Database, now: datetime, **more: int) -> None:
    turn(
        database, now, **{knobs.REMOVED: 100, knobs.PUBLISHED: 10_000, knobs.TWICE: 0, knobs.GOLDEN: 0} | more
    )


def drawn(database: Database, now: datetime) -> QualitySample:
    drawing.sample_due(database, KEY, now)
    with database.reading() as session:
        return session.exec(select(QualitySample)).one()


def say(
    database: Database,
    now: datetime,
    action: Action,
    category: Category | None = None,
    officer: str = OFFICER,
) -> Decision:
    with database.transaction() as session:
        opened = leases.next_task(session, SCOPE, officer, now=now)
        assert opened is not None
        return review.decide(
            session,
            opened.task.id,
            officer,
            action,
            version=opened.task.version,
            scope=SCOPE,
            now=now,
            category=category,
            reason="看过了" if action is Action.REMOVE else "",
        )


def post_of(session: Session) -> Post:
    return session.exec(select(Post)).one()


def test_the_same_key_draws_the_same_posts_and_another_key_others(database: Database, now: datetime) -> None:
    turn(database, now, **{knobs.REMOVED: 30})
    for number in range(40):
        send(database, now, external_id=str(number), text=f"刷单日结第{number}批")
    report = drawing.sample_due(database, KEY, now + LATER)
    assert report.looked_at == 40
    assert drawing.sample_due(database, KEY, now + LATER).looked_at == 0
    with database.reading() as session:
        found = session.exec(select(QualitySample)).all()
        assert report.drawn == len(found)
        assert 3 <= len(found) <= 25
        assert all(sample_places.lot(KEY, "draw", one.screening_id) < 0.3 for one in found)
        frame = session.exec(select(SampleFrame)).one()
        assert (frame.kind, frame.stratum, frame.verdicts) == (SampleKind.REMOVED, "scam", 40)


def test_a_published_post_stays_up_while_it_is_read_and_nobody_outside_hears_of_it(
    database: Database, now: datetime
) -> None:
    everything(database, now)
    send(database, now)
    sample = drawn(database, now + LATER)
    assert sample.kind is SampleKind.PUBLISHED
    say(database, now + LATER, Action.REMOVE, Category.SPAM)
    drawing.sample_due(database, KEY, now + LATER_STILL)
    with database.reading() as session:
        assert post_of(session).state is PostState.PUBLISHED
        assert session.exec(select(OutboxMessage)).all() == []
        assert session.exec(select(Statement)).all() == []
        assert session.exec(select(Decision)).all() == []
        reading = session.exec(select(SecondReading)).one()
        assert quality.figures(session, SCOPE, since=now, now=now + LATER_STILL).missed.judged == 0  # type: ignore[union-attr]
    with database.transaction() as session:
        confirming.settle(
            session, reading.id, COLLEAGUE, SecondState.CONFIRMED, scope=SCOPE, now=now + LATER_STILL
        )
    with database.reading() as session:
        assert post_of(session).state is PostState.REMOVED
        found = quality.figures(session, SCOPE, since=now, now=now + LATER_STILL)
        assert found.missed is not None
        assert (found.missed.judged, found.missed.share) == (1, 1.0)
        assert first_break(session) is None


def test_a_published_post_that_the_second_officer_would_keep_stays_and_counts_as_harmless(
    database: Database, now: datetime
) -> None:
    everything(database, now)
    send(database, now)
    drawn(database, now + LATER)
    say(database, now + LATER, Action.REMOVE, Category.SPAM)
    drawing.sample_due(database, KEY, now + LATER_STILL)
    with database.transaction() as session:
        reading = session.exec(select(SecondReading)).one()
        confirming.settle(
            session, reading.id, COLLEAGUE, SecondState.DECLINED, scope=SCOPE, now=now + LATER_STILL
        )
    with database.reading() as session:
        assert post_of(session).state is PostState.PUBLISHED
        assert session.exec(select(QualitySample.harmful)).one() is False


def test_a_sample_looks_like_an_ordinary_cold_post(database: Database, now: datetime) -> None:
    everything(database, now, **{knobs.COLD: 50})
    send(database, now, external_id="published")
    send(database, now, external_id="removed", text="刷单日结")
    for number in range(30):
        send(database, now, external_id=f"held-{number}", text=f"加薇领取{number}")
    drawing.sample_due(database, KEY, now + LATER)
    shown = []
    with database.transaction() as session:
        listed = queue.waiting(session, SCOPE, now=now + LATER)
        assert len(listed) == 32
        assert {one.verdict for one in listed} == {Verdict.HOLD}
        assert all(one.category is not None and one.rule for one in listed)
        for one in listed:
            opened = leases.lease(session, one.task_id, OFFICER, SCOPE, now=now + LATER)
            shown.append((opened, blind.sample_of(session, one.task_id) is not None))
    samples = [opened for opened, sampled in shown if sampled]
    cold = [opened for opened, sampled in shown if not sampled and not opened.reasons]
    assert len(samples) == 2
    assert cold, "some ordinary posts are shown cold as well"
    for opened in samples + cold:
        assert opened.reasons == []
        assert opened.screening.probabilities == {}
        assert opened.screening.verdict is Verdict.HOLD
        assert opened.task.category is not None


def test_the_lot_of_a_cold_card_hangs_on_chance_and_not_on_the_task(
    database: Database, now: datetime
) -> None:
    everything(database, now, **{knobs.COLD: 50})
    send(database, now, external_id="removed", text="刷单日结")
    for number in range(40):
        send(database, now, external_id=f"held-{number}", text=f"加薇领取{number}")
    drawing.sample_due(database, KEY, now + LATER)

    def cold(*, forget: bool) -> set[str]:
        with database.transaction() as session:
            tasks = session.exec(select(ReviewTask)).all()
            for task in tasks:
                task.lot = None if forget else task.lot
            opened = [leases.lease(session, task.id, OFFICER, SCOPE, now=now + LATER) for task in tasks]
            return {one.task.id for one in opened if not one.reasons}

    first = cold(forget=False)
    assert cold(forget=False) == first, "a card that is opened again looks the same"
    assert cold(forget=True) != first, "the same tasks are drawn otherwise another time"


def test_a_removal_that_an_officer_would_not_have_made_is_taken_back(
    database: Database, now: datetime
) -> None:
    everything(database, now)
    send(database, now, text="刷单日结")
    drawn(database, now + LATER)
    say(database, now + LATER, Action.PUBLISH)
    with database.reading() as session:
        assert post_of(session).state is PostState.PUBLISHED
        assert session.exec(select(Statement.withdrawn_at)).one() is not None
        found = quality.figures(session, SCOPE, since=now, now=now + LATER_STILL)
        assert found.by_category[Category.SCAM].overturned == 1
        evidence = precisions(judgements(session, now - LATER, now + LATER_STILL).values())
        assert evidence["test/scam"].overturned == 1


def test_a_removal_that_an_officer_bears_out_speaks_for_the_rule_and_sends_nothing(
    database: Database, now: datetime
) -> None:
    everything(database, now)
    send(database, now, text="刷单日结")
    drawn(database, now + LATER)
    with database.reading() as session:
        before = len(session.exec(select(OutboxMessage)).all())
    say(database, now + LATER, Action.REMOVE, Category.SCAM)
    with database.reading() as session:
        assert len(session.exec(select(OutboxMessage)).all()) == before
        assert len(session.exec(select(Statement)).all()) == 1
        evidence = precisions(judgements(session, now - LATER, now + LATER_STILL).values())
        assert (evidence["test/scam"].confirmed, evidence["test/scam"].overturned) == (1, 0)
        assert precisions(judgements(session, now - LATER, now + LATER).values()) == {}


def test_a_person_in_danger_who_was_missed_is_referred_at_once(database: Database, now: datetime) -> None:
    everything(database, now)
    send(database, now)
    drawn(database, now + LATER)
    say(database, now + LATER, Action.REFER)
    with database.reading() as session:
        assert post_of(session).state is PostState.REFERRED
        assert quality.figures(session, SCOPE, since=now, now=now + LATER_STILL).referrals == 1


@pytest.mark.parametrize("action", [Action.PUBLISH, Action.REMOVE])
def test_an_answer_can_be_undone_like_any_decision(database: Database, now: datetime, action: Action) -> None:
    everything(database, now)
    send(database, now, text="刷单日结")
    drawn(database, now + LATER)
    made = say(database, now + LATER, action, Category.SCAM if action is Action.REMOVE else None)
    assert made.leaves_at is not None
    with database.transaction() as session:
        assert [one.id for one in undo.undoable(session, OFFICER, now + LATER)] == [made.id]
        undo.undo(session, made.id, OFFICER, SCOPE, now=now + LATER)
    with database.reading() as session:
        assert session.exec(select(SampleAnswer)).all() == []
        assert session.exec(select(Decision)).all() == []
        assert post_of(session).state is PostState.REMOVED
        assert session.exec(select(ReviewTask.state)).one() is TaskState.OPEN


def test_a_post_that_is_read_twice_goes_to_somebody_else_and_gives_an_agreement(
    database: Database, now: datetime
) -> None:
    everything(database, now, **{knobs.TWICE: 100})
    for number in range(4):
        send(database, now, external_id=str(number), text=f"刷单日结{number}")
    drawing.sample_due(database, KEY, now + LATER)
    for _ in range(4):
        say(database, now + LATER, Action.REMOVE, Category.SCAM)
    drawing.sample_due(database, KEY, now + LATER_STILL)
    with database.transaction() as session:
        assert leases.next_task(session, SCOPE, OFFICER, now=now + LATER_STILL) is None
    for number in range(4):
        say(
            database,
            now + LATER_STILL,
            Action.REMOVE,
            Category.SPAM if number == 0 else Category.SCAM,
            COLLEAGUE,
        )
    end = now + LATER_STILL + LATER
    assert drawing.sample_due(database, KEY, end).settled == 4
    with database.reading() as session:
        found = quality.figures(session, SCOPE, since=now, now=end)
        assert found.alpha_posts == 4
        assert found.alpha == pytest.approx(0.0, abs=1e-9)
        assert found.waiting == 0


def golden_answers() -> Mapping[str, tuple[Action, Category | None]]:
    return {one.text: (one.action, one.category) for one in golden_items.shipped()}


def test_golden_items_come_among_the_posts_and_only_their_officer_and_a_lead_learn_the_result(
    database: Database, now: datetime
) -> None:
    everything(database, now, **{knobs.REMOVED: 0, knobs.PUBLISHED: 0, knobs.GOLDEN: 20})
    for number in range(10):
        send(database, now, external_id=str(number), text=f"加薇领取{number}")
        say(database, now, Action.PUBLISH)
    assert drawing.sample_due(database, KEY, now).golden == 2
    assert drawing.sample_due(database, KEY, now).golden == 0
    with database.reading() as session:
        messages = len(session.exec(select(OutboxMessage)).all())
        decisions = len(session.exec(select(Decision)).all())
    answers, right = golden_answers(), []
    for number in range(2):
        with database.transaction() as session:
            opened = leases.next_task(session, SCOPE, OFFICER, now=now)
            assert opened is not None
            expected, category = answers[opened.text]
            given = (
                expected
                if number == 0
                else (Action.PUBLISH if expected is not Action.PUBLISH else Action.REFER)
            )
            right.append(given is expected)
            review.decide(
                session,
                opened.task.id,
                OFFICER,
                given,
                version=opened.task.version,
                scope=SCOPE,
                now=now,
                category=category if given is Action.REMOVE else None,
                reason="看过了",
            )
    end = now + LATER
    with database.reading() as session:
        assert len(session.exec(select(OutboxMessage)).all()) == messages
        assert len(session.exec(select(Decision)).all()) == decisions
        (mine,) = quality.golden_agreement(session, since=now, now=end, officer=OFFICER)
        assert (mine.agreed.confirmed, mine.agreed.decided) == (1, 2)
        assert quality.golden_agreement(session, since=now, now=end, officer=COLLEAGUE) == []
        assert [one.name for one in quality.golden_agreement(session, since=now, now=end, scope=["gd"])]
        assert quality.golden_agreement(session, since=now, now=end, scope=["gd/foshan"]) == []
        assert {one.organisation for one in session.exec(select(GoldenItem))} == {"gd/dongguan"}


def test_a_post_becomes_a_golden_item_and_is_retired(database: Database, now: datetime) -> None:
    send(database, now)
    with database.transaction() as session:
        post = post_of(session)
        item = golden_items.add_golden(
            session, post.id, Action.PUBLISH, None, scope=SCOPE, actor="account:x", now=now
        )
        golden_items.retire_golden(session, item.id, scope=SCOPE, actor="account:x", now=now)
    with database.reading() as session:
        assert session.exec(select(GoldenItem.retired_at)).one() == now
        assert session.exec(select(ReviewTask).where(col(ReviewTask.post_id) == post.id)).all() == []
