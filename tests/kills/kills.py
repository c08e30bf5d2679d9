"""Kill the server and the worker at random, again and again, and count what is lost or done twice.

A real server and a real worker run over a real database; clients send posts (`traffic`), officers walk
cases through their steps (`casework`), receivers take webhooks. SIGKILL comes at random: after a drawn
time, also while a process is starting; in a drawn phase of delivery or of a case's step; or at a drawn
entry of such a phase (`phases`). At the end everything is left in peace until the outbox is empty, and
then it must hold that

- every post that was answered with 2xx is there, once, with one screening for each revision;
- there is no post that nobody sent;
- every revision that was held, removed or referred has one message for each endpoint;
- each of these messages was taken by its receiver at least once, under one id, with one body and
  a good signature, and no other message came;
- every step of a case was taken once, in order, and told once to each receiver;
- the audit chain has no break.

The kills strike our processes and not the database server: what the two guarantee between them is
what a commit means, and PostgreSQL runs without fsync here.
"""

import os
import random
import shutil
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
from sqlmodel import col, func, select

from alerts.channels.signing import new_secret
from models.database import Database
from models.outbox import DeliveryAttempt, OutboxMessage, WebhookEndpoint
from models.screening import Screening
from models.vocabulary import KeyScope, MessageState
from tests.kills import casework
from tests.kills.findings import faults_of_messages, faults_of_posts
from tests.kills.lives import SERVER, WORKER, Cold, Warm
from tests.kills.phases import DELIVERY, STEPS
from tests.kills.traffic import SOURCE, Client, Moody, Sent
from tests.support import databases
from tests.support.receiver import receiver
from tests.support.services import make_key, plant

SECRET = "a secret of the kill test, long enough"
CLIENTS, WALKERS = 2, 2
LEAST = 30
READY_S = 300.0
DRAIN_S = 300.0
STALLED_S = 1.5
LONGEST_S = 0.8
"""Until a kill whose moment is drawn from the clock. Unit: seconds."""

WITHIN_S = 2.0
"""How long a kill waits for its phase. Unit: seconds."""

AHEAD_S = (60.0, 120.0, 240.0)
"""How far the clocks of the last workers go ahead, so that nobody has to wait for a dead one's leases."""


@dataclass
class Struck:
    """The kills: how many of whom, and in how many of them some thread was in a phase."""

    kills: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    in_delivery: int = 0
    in_steps: int = 0
    at_an_entry: int = 0
    seconds: float = 0.0


@dataclass
class Result:
    """What one run did and found. `faults` is empty if nothing was lost or doubled."""

    database: str
    seed: int
    kills: dict[str, int]
    seconds: float
    seconds_per_kill: float
    phases: dict[str, int]
    kills_in_delivery: int
    kills_in_steps: int
    kills_at_an_entry: int
    revisions_accepted: int
    requests_tried_again: int
    messages: int
    deliveries: int
    delivered_more_than_once: int
    attempts_failed: int
    verdicts: dict[str, int]
    cases: int
    case_steps: int
    case_steps_whose_answer_was_lost: int
    faults: list[str]


@dataclass
class Run:
    """One run: its database, who sends, who takes, and what they were told."""

    kind: str
    seed: int
    folder: Path
    database: Database
    port: int
    sent: Sent
    walked: casework.Walked
    tempers: dict[str, Moody] = field(default_factory=dict)
    platform: str = ""
    office: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self, bundle: str) -> dict[str, str]:
        """Return what the processes read."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("TINGJIAN_")},
            "TINGJIAN_DATABASE_URL": self.database.url,
            "TINGJIAN_SECRET": SECRET,
            "TINGJIAN_SECRET_FILE": str(self.folder / "secret"),
            "TINGJIAN_ALLOW_PRIVATE_WEBHOOKS": "true",
            "TINGJIAN_PUBLIC_URL": self.url,
            "TINGJIAN_LOG_LEVEL": "warning",
            "TINGJIAN_DELIVER_SECONDS": "1",
            "OMP_NUM_THREADS": "1",
            "TINGJIAN_BUNDLE": bundle,
        }


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty, migrated database."""
    with ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'kills.db'}"
        else:
            address = stack.enter_context(databases.postgresql_server())
            name = databases.create_database(address)
            stack.callback(databases.drop_database, address, name)
            url = databases.server_url(address, name)
        database = Database(url)
        database.migrate()
        database.close()
        yield url


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def wait_ready(url: str) -> None:
    """Wait until the server can serve."""
    until = time.monotonic() + READY_S
    with httpx.Client(timeout=5, trust_env=False) as http:
        while time.monotonic() < until:
            try:
                if http.get(f"{url}/health/ready").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise TimeoutError("the server did not become ready; its words are in the folder of the run")


def run(
    kind: str, kills: int, seed: int, *, cold: int = 0, bundle: str = "none", url: str | None = None
) -> Result:
    """Do one run and return what it found. Its folder, with the processes' words, stays if it failed.

    Parameters
    ----------
    cold
        How many of the kills strike processes that the commands started, before the others.
    url
        An empty, migrated database to run over; without it one is made.
    """
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tingjian-kills-"))
    with ExitStack() as stack:
        database = Database(url or stack.enter_context(database_of(kind, folder)))
        stack.callback(database.close)
        one = Run(kind, seed, folder, database, free_port(), Sent(), casework.Walked())
        warm = Warm(one.port, one.environment(bundle), folder)
        stack.callback(warm.end)
        plant(database, datetime.now(UTC))
        key = make_key(database, datetime.now(UTC), KeyScope.POSTS_WRITE, source=SOURCE)
        _listen(one, stack)
        supply = casework.Supply(database, SECRET)
        threads = [Client(number, one.url, key, one.sent, seed) for number in range(CLIENTS)] + [
            casework.Walker(one.url, supply, one.walked, f"{seed}:walker:{number}")
            for number in range(WALKERS)
        ]
        for thread in threads:
            thread.start()
        struck = Struck()
        _strike_cold(cold, one, bundle, struck)
        warm.ready()
        for name in (SERVER, WORKER):
            warm.start(name)
        _strike(kills - cold, seed, warm, struck)
        wait_ready(one.url)
        _wait_for_posts(one.sent)
        for thread in threads:
            thread.stop.set()
        for thread in threads:
            thread.join(READY_S)
        faults = [f"a client did not come to its end: {one.name}" for one in threads if one.is_alive()]
        faults += _drain(database, warm)
        warm.end()
        faults += faults_of_posts(database, one.sent) + faults_of_messages(database, one.tempers)
        faults += casework.faults_of(
            database, supply.made, one.walked, platform=one.platform, office=one.office
        )
        result = _result(one, struck, faults, cases=len(supply.made), seconds=time.monotonic() - began)
    if not result.faults:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def _listen(one: Run, stack: ExitStack) -> None:
    """Set up the receivers: two of posts, one of cases, and an office's inbox."""
    for number in range(2):
        secret = new_secret()
        temper = Moody(f"{one.seed}:{number}", secret)
        peer = stack.enter_context(receiver(temper))
        with one.database.transaction() as session:
            endpoint = WebhookEndpoint(
                source=SOURCE,
                organisation="gd/dongguan",
                url=peer.url,
                secret=secret,
                created_at=datetime.now(UTC),
            )
            session.add(endpoint)
        one.tempers[endpoint.id] = temper
    secret = new_secret()
    temper = Moody(f"{one.seed}:cases", secret)
    peer = stack.enter_context(receiver(temper))
    with one.database.transaction() as session:
        one.platform, one.office = casework.listen(session, datetime.now(UTC), peer.url, secret)
    one.tempers[one.platform] = temper


def _strike_cold(kills: int, one: Run, bundle: str, struck: Struck) -> None:
    """Kill processes that the commands started: now while they start, now when they serve."""
    if not kills:
        return
    dice = random.Random(f"{one.seed}:cold")  # noqa: S311 - a repeatable choice
    names = [(SERVER, WORKER)[turn % 2] for turn in range(kills)]
    processes = {name: Cold(name, one.port, one.environment(bundle), one.folder) for name in set(names)}
    try:
        for process in processes.values():
            process.start()
        for turn, name in enumerate(names):
            if dice.random() < 0.7:
                wait_ready(one.url)
            time.sleep(dice.uniform(0.0, 1.5))
            processes[name].kill()
            struck.kills[f"cold {name}"] += 1
            if turn + 1 < kills:
                processes[name].start()
    finally:
        for process in processes.values():
            process.kill()


def _strike(kills: int, seed: int, warm: Warm, struck: Struck) -> None:
    """Kill one or the other: at any moment, in a phase of delivery or of a step, or as it begins one."""
    dice = random.Random(f"{seed}:kills")  # noqa: S311 - a repeatable choice
    began = time.monotonic()
    for turn in range(kills):
        where = dice.random()
        if where < 0.2:
            name = dice.choice((SERVER, WORKER))
            death = warm.strike(name, after=dice.uniform(0.0, LONGEST_S))
        else:
            name, group = dice.choice(((WORKER, DELIVERY), (SERVER, STEPS)))
            death = warm.strike(
                name,
                phase=dice.choice(group),
                entry=dice.choice((0, 1, 1, 1, 2)),
                after=dice.choice((0.0, dice.uniform(0.0, 0.003))),
                within=WITHIN_S,
            )
        struck.kills[name] += 1
        struck.phases.update(phase.value for phase in death.phases)
        struck.in_delivery += any(phase in DELIVERY for phase in death.phases)
        struck.in_steps += any(phase in STEPS for phase in death.phases)
        struck.at_an_entry += death.at_entry
        if sys.stderr.isatty() or (turn + 1) % 50 == 0:
            spent = time.monotonic() - began
            sys.stderr.write(f"\r{turn + 1}/{kills} kills, {spent:.0f} s")
            sys.stderr.flush()
    struck.seconds = time.monotonic() - began
    sys.stderr.write("\n")


def _wait_for_posts(sent: Sent) -> None:
    """Let a short run on a slow machine take in enough to mean something."""
    until = time.monotonic() + READY_S
    while len(sent.accepted) < LEAST and time.monotonic() < until:
        time.sleep(0.1)


def _drain(database: Database, warm: Warm) -> list[str]:
    """Wait until nothing waits any more, with workers whose clocks go ahead of the dead ones' leases."""
    until = time.monotonic() + DRAIN_S
    waiting = 0
    for ahead in AHEAD_S:
        warm.strike(WORKER, again=False)
        warm.start(WORKER, ahead=ahead)
        standing = time.monotonic()
        before, waiting = -1, _waiting(database)
        while waiting and time.monotonic() < until:
            if waiting != before:
                before, standing = waiting, time.monotonic()
            elif time.monotonic() - standing > STALLED_S and ahead != AHEAD_S[-1]:
                break  # what is left waits for a later moment
            time.sleep(0.2)
            waiting = _waiting(database)
        if not waiting:
            return []
    return [f"{waiting} messages still wait after {DRAIN_S:.0f} s"]


def _waiting(database: Database) -> int:
    with database.reading() as session:
        return session.exec(
            select(func.count())
            .select_from(OutboxMessage)
            .where(col(OutboxMessage.state) == MessageState.PENDING)
        ).one()


def _result(one: Run, struck: Struck, faults: list[str], *, cases: int, seconds: float) -> Result:
    taken = [count for temper in one.tempers.values() for count in temper.taken.values()]
    with one.database.reading() as session:
        verdicts = session.exec(
            select(Screening.verdict, func.count()).group_by(col(Screening.verdict))
        ).all()
        messages = session.exec(select(func.count()).select_from(OutboxMessage)).one()
        failed = session.exec(
            select(func.count()).select_from(DeliveryAttempt).where(col(DeliveryAttempt.succeeded).is_(False))
        ).one()
    warm_kills = struck.kills[SERVER] + struck.kills[WORKER]
    return Result(
        database=one.kind,
        seed=one.seed,
        kills=dict(struck.kills),
        seconds=round(seconds, 1),
        seconds_per_kill=round(struck.seconds / max(1, warm_kills), 2),
        phases=dict(struck.phases),
        kills_in_delivery=struck.in_delivery,
        kills_in_steps=struck.in_steps,
        kills_at_an_entry=struck.at_an_entry,
        revisions_accepted=len(one.sent.accepted),
        requests_tried_again=one.sent.repeats,
        messages=messages,
        deliveries=sum(taken),
        delivered_more_than_once=sum(count > 1 for count in taken),
        attempts_failed=failed,
        verdicts={verdict.value: count for verdict, count in verdicts},
        cases=cases,
        case_steps=one.walked.steps.total(),
        case_steps_whose_answer_was_lost=one.walked.answers_lost,
        faults=faults[:50],
    )
