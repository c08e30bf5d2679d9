"""Steps of cases while everything is killed: none is lost, none is taken twice, everybody is told once.

Three people walk cases through their steps over HTTP. Without an answer a step is sent again with the
same version; if it had been taken after all, the service says that the case was changed meanwhile, and
the walk goes on. At the end the record of a case must have exactly the steps of its walk, in order, and
each step that tells somebody exactly one message for each receiver; what was grouped stands in one group
only, and an office's inbox has each message once.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from random import Random
from typing import Any

import httpx
from sqlmodel import Session, col, select

from alerts import cases, events
from alerts.actor import Actor
from api.wiring import Keys
from models.account import SignIn
from models.database import Database
from models.event import Case, DisposalEntry
from models.office import OfficeMessage
from models.outbox import OutboxMessage, WebhookEndpoint
from models.vocabulary import ChannelKind, MessageState, Role, Step, Topic
from tests.support import services, voices

SOURCE = "cases"
UNIT = "gd/foshan"
AT_ONCE = 4
PAUSE_S = 0.1
COOKIE, CSRF = "tingjian", "csrf of a kill test"
PEOPLE = {
    "operations": (Role.OPERATIONS, "gd"),
    "coordinator": (Role.COORDINATOR, "gd"),
    "unit": (Role.LEAD_UNIT, UNIT),
}
WAY = (
    ("operations", Step.FIRST_RESPONSE),
    ("operations", Step.SUBMITTED),
    ("coordinator", Step.SENT_BACK),
    ("operations", Step.SUBMITTED),
    ("coordinator", Step.ASSIGNED),
    ("unit", Step.RETURNED),
    ("coordinator", Step.ASSIGNED),
    ("unit", Step.ACCEPTED),
    ("unit", Step.PLANNED),
    ("unit", Step.INTERIM),
    ("operations", Step.TELL_USERS),
    ("unit", Step.RESULT),
    ("operations", Step.FEED_BACK_USERS),
    ("coordinator", Step.ARCHIVED),
)
TOLD = {Step.FIRST_RESPONSE, Step.TELL_USERS, Step.FEED_BACK_USERS}
OWN = {step for _, step in WAY}


@dataclass
class Walked:
    """What the walkers were told: how many steps of each case are surely taken."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    steps: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    answers_lost: int = 0
    sent_again: int = 0


class Supply:
    """Makes the people, and cases for the walkers for as long as they ask for more."""

    def __init__(self, database: Database, secret: str) -> None:
        self.database = database
        self.lock = threading.Lock()
        self.made: list[str] = []
        self.cookies: dict[str, str] = {}
        people = {}
        now = datetime.now(UTC)
        for login, grant in PEOPLE.items():
            people[login] = services.make_account(database, now, login, grant)
            with database.transaction() as session:
                opened = SignIn(
                    account_id=people[login].id, csrf=CSRF, created_at=now, expires_at=now + timedelta(days=1)
                )
                session.add(opened)
            self.cookies[login] = Keys(secret.encode()).cookies.sign(opened.id).decode()
        self.verifier = Actor(people["coordinator"].id, "coordinator", ("gd",))

    def more(self, count: int) -> list[str]:
        """Return the ids of so many new cases."""
        with self.lock:
            return [self._case(datetime.now(UTC)) for _ in range(count)]

    def _case(self, now: datetime) -> str:
        with self.database.transaction() as session:
            chorus = voices.demand(session, now, title=f"宿舍热水 {len(self.made)}")
            chorus.many(1, 10, now - timedelta(days=1), source=SOURCE, organisation="gd/dongguan")
            event = events.verify_demand(session, chorus.demand.id, self.verifier, now=now, note="属实")
            case = cases.case_of_event(session, event.id)
            assert case is not None
        self.made.append(case.id)
        return case.id


def listen(session: Session, now: datetime, url: str, secret: str) -> tuple[str, str]:
    """Let the cases' platform take webhooks, and the province an inbox where messages are grouped."""
    platform = WebhookEndpoint(source=SOURCE, organisation="gd", url=url, secret=secret, created_at=now)
    office = WebhookEndpoint(
        organisation="gd",
        url="inbox",
        secret=secret,
        created_at=now,
        channel=ChannelKind.INBOX,
        group_seconds=2,
    )
    session.add_all([platform, office])
    session.flush()
    return platform.id, office.id


class Walker(threading.Thread):
    """Walks its cases step by step, and sends a step again until somebody answers."""

    def __init__(self, url: str, supply: Supply, walked: Walked, seed: str) -> None:
        super().__init__(daemon=True)
        self.url, self.supply, self.walked = url, supply, walked
        self.random = Random(seed)  # noqa: S311 - a repeatable choice
        self.stop = threading.Event()
        self.again = False

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as http:
            while not self.stop.is_set():
                self.walk(http, self.supply.more(AT_ONCE))

    def walk(self, http: httpx.Client, mine: Sequence[str]) -> None:
        """Take every step of the way, one after the other, in all of these cases."""
        for who, step in WAY:
            for case in mine:
                if self.stop.is_set():
                    return
                seen = self.insist(http, "GET", f"/v1/cases/{case}", "coordinator")
                if seen is not None:
                    self.take(http, case, seen.json()["case"]["version"], who, step)
                time.sleep(self.random.uniform(0.0, PAUSE_S))

    def insist(
        self, http: httpx.Client, method: str, path: str, who: str, body: dict[str, Any] | None = None
    ) -> httpx.Response | None:
        """Send the same request until there is an answer; None if the run ends before.

        `again` says afterwards whether it was sent more than once.
        """
        self.again = False
        headers = {"cookie": f"{COOKIE}={self.supply.cookies[who]}", "x-csrf-token": CSRF}
        for turn in range(100_000):
            try:
                answer = http.request(method, path, json=body, headers=headers)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                return answer
            if self.stop.is_set():
                break
            with self.walked.lock:
                self.walked.sent_again += 1
            self.again = True
            time.sleep(min(0.3, 0.02 * (turn + 1)))
        return None

    def take(self, http: httpx.Client, case: str, version: int, who: str, step: Step) -> None:
        """Take one step; nobody else touches this case, so a change meanwhile was our own."""
        body: dict[str, Any] = {"step": step.value, "version": version, "text": f"版本 {version} 之后的一步"}
        if step is Step.ASSIGNED:
            body["unit"] = UNIT
        answer = self.insist(http, "POST", f"/v1/cases/{case}:step", who, body)
        if answer is None:
            return
        with self.walked.lock:
            if self.again and _taken_before(answer, step):
                self.walked.answers_lost += 1
                self.walked.steps[case] += 1
            elif answer.is_success:
                self.walked.steps[case] += 1
            else:
                self.walked.refused.append(f"{step.value}: {answer.status_code} {answer.text[:200]}")


def _taken_before(answer: httpx.Response, step: Step) -> bool:
    """Return whether this answer to a step that was sent again says that it had been taken.

    A unit that has returned a case sees it no more; whoever else sends again is told of the change. The
    record of the case has the last word: a step that is missing in it is a fault all the same.
    """
    if step is Step.RETURNED and answer.status_code == HTTPStatus.NOT_FOUND:
        return True
    return answer.status_code == HTTPStatus.CONFLICT and answer.json()["code"] == "stale_version"


def faults_of(
    database: Database, made: Sequence[str], walked: Walked, *, platform: str, office: str
) -> list[str]:
    """Compare what was walked with what is there."""
    faults = [f"refused: {one}" for one in walked.refused]
    if walked.answers_lost > walked.sent_again:
        faults.append("a step was refused as changed meanwhile that nobody had sent before")
    with database.reading() as session:
        told = Counter(
            (one.subject_id, one.key.split(":")[2].split("-")[0], one.endpoint_id)
            for one in session.exec(
                select(OutboxMessage).where(
                    col(OutboxMessage.topic).in_([Topic.CASE_TOLD, Topic.CASE_ASSIGNED]),
                    ~col(OutboxMessage.key).startswith("group:"),
                )
            )
        )
        for identifier in made:
            case = session.get_one(Case, identifier)
            record = session.exec(
                select(DisposalEntry)
                .where(DisposalEntry.subject_id == identifier)
                .order_by(col(DisposalEntry.sequence))
            ).all()
            faults += _record_faults(case, record, walked.steps[identifier])
            for entry in record:
                if entry.step in TOLD and told[identifier, entry.id, platform] != 1:
                    faults.append(
                        f"{told[identifier, entry.id, platform]} messages for {entry.step} of {case.id}"
                    )
                if entry.step is Step.ASSIGNED and told[identifier, entry.id, office] != 1:
                    faults.append(
                        f"{told[identifier, entry.id, office]} messages for {entry.step} of {case.id}"
                    )
        faults += _inbox_faults(session, office)
    return faults


def _record_faults(case: Case, record: Sequence[DisposalEntry], sure: int) -> list[str]:
    taken = [entry.step for entry in record if entry.step in OWN]
    expected = [step for _, step in WAY[: len(taken)]]
    faults = []
    if taken != expected:
        faults.append(f"{case.id} has the steps {[step.value for step in taken]}")
    if not sure <= len(taken) <= sure + 1:
        faults.append(f"{case.id} has {len(taken)} steps, {sure} were answered")
    if [entry.sequence for entry in record] != list(
        range(record[0].sequence, record[0].sequence + len(record))
    ):
        faults.append(f"the record of {case.id} has a gap")
    return faults


def _inbox_faults(session: Session, office: str) -> list[str]:
    """Every cause stands in one group once, and every group that left is in the inbox once."""
    causes = session.exec(
        select(OutboxMessage).where(
            OutboxMessage.endpoint_id == office, OutboxMessage.state == MessageState.GROUPED
        )
    ).all()
    groups = session.exec(
        select(OutboxMessage).where(
            OutboxMessage.endpoint_id == office, col(OutboxMessage.key).startswith("group:")
        )
    ).all()
    arrived = Counter(session.exec(select(OfficeMessage.message_id)).all())
    standing = Counter(item["message"] for group in groups for item in group.payload["items"])
    faults = [f"{one.id} stands in {standing[one.id]} groups" for one in causes if standing[one.id] != 1]
    faults += [f"group {one.id} arrived {arrived[one.id]} times" for one in groups if arrived[one.id] != 1]
    faults += [
        f"group {one.id} counts {one.payload['count']} of {len(one.payload['items'])}"
        for one in groups
        if one.payload["count"] != len(one.payload["items"])
    ]
    if not causes:
        faults.append("nothing was grouped, which proves nothing")
    return faults
