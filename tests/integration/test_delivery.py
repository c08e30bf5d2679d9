"""The outbox against real receivers, on both databases."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import Session, col, select

from alerts.channels import Channel, channels
from alerts.delivery import DISABLED, DeliveryReport, deliver_due
from alerts.settings import AlertsSettings
from models.database import Database
from models.outbox import (
    DeliveryAttempt,
    OutboxMessage,
    WebhookEndpoint,
    tell_offices,
    tell_platform,
)
from models.vocabulary import MessageState, Topic
from tests.support.receiver import OK, Answer, Received, receiver
from tests.support.voices import listen, plant

SETTINGS = AlertsSettings(allow_private=True, timeout=1.0, lease=5.0, poll=0.05)
AT = datetime(2026, 3, 16, 4, tzinfo=UTC)


@pytest.fixture
def ways() -> Iterator[dict[str, Channel]]:
    made = channels(SETTINGS)
    yield made
    for one in made.values():
        one.close()


def owe(session: Session, count: int, source: str = "forum", first: int = 0) -> None:
    for number in range(first, first + count):
        tell_platform(
            session,
            source,
            Topic.POST_SCREENED,
            f"{number:032x}",
            payload={"number": number},
            now=AT,
            occurrence="1",
        )


def messages(database: Database) -> list[OutboxMessage]:
    with database.reading() as session:
        return list(session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id))))


def attempts(database: Database) -> list[DeliveryAttempt]:
    with database.reading() as session:
        return list(session.exec(select(DeliveryAttempt).order_by(col(DeliveryAttempt.id))))


def test_what_is_due_is_delivered_once_under_its_id(database: Database, ways: dict[str, Channel]) -> None:
    with receiver() as peer:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 30)
        first = deliver_due(database, ways, SETTINGS, AT)
        second = deliver_due(database, ways, SETTINGS, AT)

    rows = messages(database)
    assert first == DeliveryReport(sent=30, delivered=30)
    assert second == DeliveryReport()
    assert sorted(peer.ids()) == sorted(row.id for row in rows)
    assert {row.state for row in rows} == {MessageState.DELIVERED}
    assert all(row.lease is None and row.settled_at is not None for row in rows)
    assert len(attempts(database)) == 30


def test_what_a_later_release_wrote_is_passed_over_and_holds_up_nothing(
    database: Database, ways: dict[str, Channel]
) -> None:
    with receiver() as peer:
        with database.transaction() as session:
            plant(session, AT)
            for _ in range(2):
                listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 3)
            strange = session.exec(select(OutboxMessage.endpoint_id)).first()
            unknown = session.exec(
                select(OutboxMessage.id).where(OutboxMessage.endpoint_id != strange)
            ).first()
            # As a release writes that has one more channel and one more topic.
            connection = session.connection()
            connection.exec_driver_sql(
                f"UPDATE webhookendpoint SET channel = 'pigeon', disabled_at = NULL WHERE id = '{strange}'"
            )
            connection.exec_driver_sql(
                f"UPDATE outboxmessage SET topic = 'of.tomorrow' WHERE id = '{unknown}'"
            )
        report = deliver_due(database, ways, SETTINGS, AT)

    assert report == DeliveryReport(sent=2, delivered=2)
    with database.reading() as session:
        left = session.exec(
            select(OutboxMessage.state, OutboxMessage.attempts, OutboxMessage.lease).where(
                OutboxMessage.state == MessageState.PENDING
            )
        ).all()
    assert left == [(MessageState.PENDING, 0, None)] * 4
    assert len(attempts(database)) == 2


def test_what_is_not_due_yet_waits(database: Database, ways: dict[str, Channel]) -> None:
    with receiver() as peer:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 1)
        deliver_due(database, ways, SETTINGS, AT - timedelta(minutes=1))

    assert peer.received == []


def test_a_failure_comes_back_after_growing_waits_and_then_succeeds(
    database: Database, ways: dict[str, Channel]
) -> None:
    answers = iter([Answer(500), Answer(500), Answer(500), OK])
    with receiver(lambda _: next(answers)) as peer:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 1)
        moment, waits = AT, []
        for _ in range(3):
            deliver_due(database, ways, SETTINGS, moment)
            row = messages(database)[0]
            waits.append((row.due_at - moment).total_seconds())
            assert deliver_due(database, ways, SETTINGS, row.due_at - timedelta(seconds=2)).sent == 0
            moment = row.due_at
        deliver_due(database, ways, SETTINGS, moment)

    row = messages(database)[0]
    assert [4 <= waits[0] <= 8, 24 <= waits[1] <= 38, 96 <= waits[2] <= 146] == [True] * 3
    assert (row.state, row.attempts, row.last_error) == (MessageState.DELIVERED, 4, None)
    assert len(set(peer.ids())) == 1
    assert [one.error for one in attempts(database)] == ["http_500"] * 3 + [None]


def test_a_message_that_nobody_takes_is_dead_after_its_last_wait(
    database: Database, ways: dict[str, Channel]
) -> None:
    short = replace(SETTINGS, waits=(1.0, 1.0))
    with receiver(Answer(500)) as peer:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 1)
        reports = [deliver_due(database, ways, short, AT + timedelta(minutes=turn)) for turn in range(5)]

    assert [report.sent for report in reports] == [1, 1, 1, 0, 0]
    assert reports[2].dead == 1
    assert messages(database)[0].state is MessageState.DEAD


def test_gone_disables_the_endpoint_and_everything_that_waits_for_it(
    database: Database, ways: dict[str, Channel]
) -> None:
    with receiver(Answer(410)) as peer:
        with database.transaction() as session:
            plant(session, AT)
            endpoint_id = listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 20)
        deliver_due(database, ways, SETTINGS, AT)
        deliver_due(database, ways, SETTINGS, AT)
        with database.transaction() as session:
            owe(session, 5, first=100)

    with database.reading() as session:
        endpoint = session.get_one(WebhookEndpoint, endpoint_id)
    rows = messages(database)
    assert endpoint.disabled_reason == "gone"
    assert len(rows) == 20, "nothing is written for a disabled endpoint"
    assert {row.state for row in rows} == {MessageState.DEAD}
    assert {row.last_error for row in rows} <= {"gone", DISABLED}
    assert len(peer.received) < 20


def test_a_receiver_that_asks_for_rest_gets_it(database: Database, ways: dict[str, Channel]) -> None:
    with receiver(Answer(429, headers={"retry-after": "900"})) as peer:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 40)
        deliver_due(database, ways, SETTINGS, AT)

    assert len(peer.received) <= SETTINGS.per_endpoint
    tried = [row for row in messages(database) if row.attempts]
    assert all(row.due_at >= AT + timedelta(seconds=900) for row in tried)


def test_one_hanging_receiver_delays_only_its_own(database: Database) -> None:
    began = time.monotonic()
    arrived: list[float] = []

    def note(_: Received) -> Answer:
        arrived.append(time.monotonic() - began)
        return OK

    with receiver(Answer(wait=60.0)) as hanging, receiver(note) as quick:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="slow", organisation="gd", url=hanging.url)
            listen(session, AT, source="forum", organisation="gd", url=quick.url)
            owe(session, 200, source="slow")
            owe(session, 20, first=500)
        began = time.monotonic()
        late = threading.Timer(0.4, lambda: _more(database))
        late.start()
        patient = replace(SETTINGS, timeout=8.0, lease=20.0)
        own = channels(patient)
        report = deliver_due(database, own, patient, AT)
        ended = time.monotonic() - began
        own["webhook"].close()
        late.join()

    assert report.delivered >= 25
    assert len(hanging.received) == SETTINGS.per_endpoint
    assert len(arrived) == 25
    assert max(arrived) < ended - 1.0, "what came while the other hung did not wait for it"


def _more(database: Database) -> None:
    with database.transaction() as session:
        owe(session, 5, first=900)


def test_a_lease_that_ran_out_sends_again_under_the_same_id(
    database: Database, ways: dict[str, Channel]
) -> None:
    with receiver() as peer:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 1)
            row = session.exec(select(OutboxMessage)).one()
            row.lease, row.leased_until = "another worker's", AT + timedelta(seconds=5)
        held = deliver_due(database, ways, SETTINGS, AT)
        after = deliver_due(database, ways, SETTINGS, AT + timedelta(seconds=6))

    assert (held.sent, after.delivered) == (0, 1)
    assert messages(database)[0].state is MessageState.DELIVERED


def test_several_workers_at_once_send_each_message_once(database: Database) -> None:
    # Who has nothing to do with time may take it: on a busy machine an answer needs more than a second.
    patient = replace(SETTINGS, timeout=60.0, lease=120.0)
    ways = channels(patient)
    with receiver() as peer:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source="forum", organisation="gd", url=peer.url)
            owe(session, 60)
        workers = [threading.Thread(target=deliver_due, args=(database, ways, patient, AT)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        for way in ways.values():
            way.close()

    assert len(peer.received) == 60
    assert len(set(peer.ids())) == 60


def test_a_fault_of_our_own_is_a_failure_of_one_message_only(database: Database) -> None:
    class Broken:
        def send(self, *_: object, **__: object) -> None:
            raise RuntimeError("a fault")

        def close(self) -> None:
            pass

    with database.transaction() as session:
        plant(session, AT)
        listen(session, AT, source="forum", organisation="gd")
        owe(session, 3)
    report = deliver_due(database, {"webhook": Broken()}, SETTINGS, AT)  # type: ignore[dict-item]

    assert report.failed == 3
    assert {row.last_error for row in messages(database)} == {"fault:RuntimeError"}


def test_offices_above_are_told_and_those_beside_are_not(
    database: Database, ways: dict[str, Channel]
) -> None:
    with receiver() as province, receiver() as beside:
        with database.transaction() as session:
            plant(session, AT)
            listen(session, AT, source=None, organisation="gd", url=province.url)
            listen(session, AT, source=None, organisation="gd/foshan", url=beside.url)
            tell_offices(
                session,
                "gd/dongguan/houjie",
                Topic.EVENT_REPORTED,
                "e" * 32,
                payload={},
                now=AT,
                occurrence="1",
            )
        deliver_due(database, ways, SETTINGS, AT)

    assert len(province.received) == 1
    assert beside.received == []
