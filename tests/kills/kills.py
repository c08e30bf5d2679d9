"""Kill the server and the worker at random, again and again, and count what is lost or done twice.

    python -m tests.kills.kills --database sqlite --kills 200 --seed 1

A real server and a real worker run over a real database; clients send posts, batches and edits and
try again under the same key until they get an answer; officers walk cases through their steps
(`casework`); receivers take webhooks, and at times refuse or are slow. SIGKILL comes at random moments,
also while a process is starting. At the end everything is left in peace until the outbox is empty, and
then it must hold that

- every post that was answered with 2xx is there, once, with one screening for each revision;
- there is no post that nobody sent;
- every revision that was held, removed or referred has one message for each endpoint;
- each of these messages was taken by its receiver at least once, under one id, with one body and
  a good signature, and no other message came;
- every step of a case was taken once, in order, and told once to each receiver (`casework`);
- the audit chain has no break.

The kills strike our processes and not the database server: what the two guarantee between them is
what a commit means, and PostgreSQL runs without fsync here.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlmodel import col, func, select
from standardwebhooks import Webhook, WebhookVerificationError

from alerts.channels.signing import new_secret
from models import audit
from models.database import Database
from models.outbox import DeliveryAttempt, OutboxMessage, WebhookEndpoint
from models.post import Post, PostRevision
from models.screening import Screening
from models.vocabulary import KeyScope, MessageState, Topic, Verdict
from tests.kills import casework
from tests.support import databases
from tests.support.receiver import Answer, Received, Receiver, receiver
from tests.support.services import make_key, plant

ROOT = Path(__file__).parents[2]
SOURCE = "forum"
SECRET = "a secret of the kill test, long enough"
CLIENTS, WALKERS = 3, 2
MOST_CASES = 60
LEAST = 60
READY_S = 120.0
DRAIN_S = 300.0
TEXTS = (
    "宿舍的热水又停了，已经一周没有修好，有人管吗",
    "请问实习工资拖了两个月应该找哪个部门",
    "加我微信 abc88321 带你日赚三千，名额有限",
    "最近压力很大，晚上睡不着，想找人聊聊",
    "食堂的菜太贵了，希望学校能公开成本",
    "出售四六级答案，考前一天发货，联系 QQ 88432190",
)


@dataclass
class Sent:
    """What the clients sent, and what they were answered."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    tried: set[tuple[str, int]] = field(default_factory=set)
    accepted: dict[tuple[str, int], str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    repeats: int = 0


@dataclass
class Result:
    """What one run did and found. `faults` is empty if nothing was lost or doubled."""

    database: str
    seed: int
    kills: dict[str, int]
    seconds: float
    revisions_accepted: int
    requests_tried_again: int
    messages: int
    deliveries: int
    delivered_more_than_once: int
    attempts_failed: int
    verdicts: dict[str, int]
    case_steps: int
    case_steps_whose_answer_was_lost: int
    faults: list[str]


def hash_of(name: str) -> int:
    """Return the same number for the same name, in every process."""
    return zlib.crc32(name.encode())


class Process:
    """One of ours, started again whenever it was killed. Its words go to a file."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        self.words, self.environment, self.log = words, environment, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "api.command_line", *self.words],
                env=self.environment, cwd=ROOT, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()


class Client(threading.Thread):
    """A platform's sender: it repeats a request under the same key until somebody answers."""

    def __init__(self, number: int, url: str, key: str, sent: Sent, seed: int) -> None:
        super().__init__(daemon=True)
        self.number, self.url, self.sent = number, url, sent
        self.headers = {"authorization": f"Bearer {key}"}
        self.random = random.Random(f"{seed}:{number}")  # noqa: S311 - a repeatable choice
        self.stop = threading.Event()
        self.count = 0
        self.mine: list[tuple[str, int]] = []

    def run(self) -> None:
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=10, trust_env=False) as http:
            while not self.stop.is_set():
                drafts = self.drafts()
                path = "/v1/posts" if len(drafts) == 1 else "/v1/posts:batch"
                self.insist(http, path, drafts)
                time.sleep(self.random.uniform(0.0, 0.04))

    def drafts(self) -> list[dict[str, Any]]:
        dice = self.random.random()
        if dice < 0.1 and self.mine:
            place = self.random.randrange(len(self.mine))
            name, revision = self.mine[place]
            self.mine[place] = (name, revision + 1)
            return [self.draft(name, revision + 1)]
        return [self.new() for _ in range(8 if dice < 0.2 else 1)]

    def new(self) -> dict[str, Any]:
        self.count += 1
        name = f"c{self.number}-{self.count}"
        self.mine = [*self.mine[-50:], (name, 1)]
        return self.draft(name, 1)

    def draft(self, name: str, revision: int) -> dict[str, Any]:
        with self.sent.lock:
            self.sent.tried.add((name, revision))
        return {
            "source": SOURCE,
            "external_id": name,
            "revision": revision,
            "kind": "question",
            "organisation": "gd/dongguan",
            "author": f"a{hash_of(name) % 500}",
            "text": f"{self.random.choice(TEXTS)}（{name}，第 {revision} 版）",
            "created_at": datetime.now(UTC).isoformat(),
        }

    def insist(self, http: httpx.Client, path: str, drafts: list[dict[str, Any]]) -> None:
        """Send until there is an answer; the drafts are the same each time."""
        body: Any = drafts[0] if path.endswith("posts") else drafts
        for turn in range(100_000):
            try:
                answer = http.post(path, json=body)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code < 500:
                break
            with self.sent.lock:
                self.sent.repeats += 1
            time.sleep(min(0.3, 0.02 * (turn + 1)))
        assert answer is not None
        results = answer.json()["results"] if path.endswith("batch") and answer.is_success else None
        with self.sent.lock:
            for index, draft in enumerate(drafts):
                result = results[index] if results else {"status": answer.status_code, **answer.json()}
                if 200 <= result["status"] < 300:
                    self.sent.accepted[draft["external_id"], draft["revision"]] = result["verdict"]
                else:
                    self.sent.refused[str(result.get("code"))] += 1


class Moody:
    """A receiver's temper: a message is refused or kept waiting at most twice, then taken."""

    def __init__(self, seed: str, secret: str) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a repeatable choice
        self.webhook = Webhook(secret)
        self.lock = threading.Lock()
        self.refused: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self.bodies: dict[str, set[bytes]] = {}
        self.forged = 0

    def __call__(self, received: Received) -> Answer:
        try:
            self.webhook.verify(received.body, received.headers)
        except WebhookVerificationError:
            self.forged += 1
        with self.lock:
            self.bodies.setdefault(received.id, set()).add(received.body)
            dice = self.random.random()
            if dice < 0.08 and self.refused[received.id] < 2:
                self.refused[received.id] += 1
                return Answer(status=self.random.choice([500, 502, 503]))
            self.taken[received.id] += 1
        return Answer(wait=0.3 if dice > 0.99 else 0.0)


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


def add_endpoint(database: Database, url: str, secret: str) -> str:
    with database.transaction() as session:
        endpoint = WebhookEndpoint(
            source=SOURCE,
            organisation="gd/dongguan",
            url=url,
            secret=secret,
            created_at=datetime.now(UTC),
        )
        session.add(endpoint)
        session.flush()
        return endpoint.id


def wait_ready(url: str) -> None:
    """Wait until the server can serve."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/health/ready", timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the server did not become ready; its words are in the folder of the run")


def run(kind: str, kills: int, seed: int, *, bundle: str = "none") -> Result:
    """Do one run and return what it found. Its folder, with the processes' words, stays if it failed."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="tingjian-kills-"))
    with ExitStack() as stack:
        database_url = stack.enter_context(database_of(kind, folder))
        database = Database(database_url)
        stack.callback(database.close)
        plant(database, datetime.now(UTC))
        key = make_key(database, datetime.now(UTC), KeyScope.POSTS_WRITE, source=SOURCE)
        tempers: dict[str, Moody] = {}
        for number in range(2):
            secret = new_secret()
            temper = Moody(f"{seed}:{number}", secret)
            peer: Receiver = stack.enter_context(receiver(temper))
            tempers[add_endpoint(database, peer.url, secret)] = temper
        secret = new_secret()
        temper = Moody(f"{seed}:cases", secret)
        peer = stack.enter_context(receiver(temper))
        with database.transaction() as session:
            platform, office = casework.listen(session, datetime.now(UTC), peer.url, secret)
        tempers[platform] = temper
        cookies, made = casework.plant(database, SECRET, min(MOST_CASES, 3 + kills // 4), datetime.now(UTC))
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TINGJIAN_")},
            "TINGJIAN_DATABASE_URL": database_url,
            "TINGJIAN_SECRET": SECRET,
            "TINGJIAN_ALLOW_PRIVATE_WEBHOOKS": "true",
            "TINGJIAN_PUBLIC_URL": url,
            "TINGJIAN_LOG_LEVEL": "warning",
            "TINGJIAN_DELIVER_SECONDS": "1",
            "OMP_NUM_THREADS": "1",
            "TINGJIAN_BUNDLE": bundle,
        }
        server = Process(["serve", "--port", str(port)], environment, folder / "server.log")
        worker = Process(["worker"], environment, folder / "worker.log")
        for process in (server, worker):
            process.start()
            stack.callback(process.end)
        wait_ready(url)
        sent = Sent()
        clients = [Client(number, url, key, sent, seed) for number in range(CLIENTS)]
        walked = casework.Walked()
        walkers = [
            casework.Walker(url, cookies, made[number::WALKERS], walked, f"{seed}:walker:{number}")
            for number in range(WALKERS)
        ]
        for thread in (*clients, *walkers):
            thread.start()
        struck = _strike(kills, seed, {"server": server, "worker": worker}, url)
        wait_ready(url)
        _wait_for_posts(sent)
        for thread in (*clients, *walkers):
            thread.stop.set()
        for thread in (*clients, *walkers):
            thread.join(READY_S)
        faults = [
            f"a client did not come to its end: {one.name}" for one in (*clients, *walkers) if one.is_alive()
        ]
        faults += _drain(database)
        server.end()
        worker.end()
        faults += _posts(database, sent) + _messages(database, tempers)
        faults += casework.faults_of(database, made, walked, platform=platform, office=office)
        result = _result(
            database,
            (kind, seed),
            struck=struck,
            sent=sent,
            walked=walked,
            tempers=tempers,
            faults=faults,
            seconds=time.monotonic() - began,
        )
    if not result.faults:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def _strike(kills: int, seed: int, processes: dict[str, Process], url: str) -> Counter[str]:
    """Kill one or the other at random moments; most times wait until the server serves again."""
    dice = random.Random(f"{seed}:kills")  # noqa: S311 - a repeatable choice
    struck: Counter[str] = Counter()
    for turn in range(kills):
        if dice.random() < 0.85:
            wait_ready(url)
        time.sleep(dice.uniform(0.0, 1.5))
        name = dice.choice(sorted(processes))
        processes[name].kill()
        processes[name].start()
        struck[name] += 1
        if sys.stderr.isatty() or (turn + 1) % 20 == 0:
            sys.stderr.write(f"\r{turn + 1}/{kills} kills")
            sys.stderr.flush()
    sys.stderr.write("\n")
    return struck


def _wait_for_posts(sent: Sent) -> None:
    """Let a short run on a slow machine take in enough to mean something."""
    until = time.monotonic() + READY_S
    while len(sent.accepted) < LEAST and time.monotonic() < until:
        time.sleep(0.1)


def _drain(database: Database) -> list[str]:
    until = time.monotonic() + DRAIN_S
    while time.monotonic() < until:
        with database.reading() as session:
            waiting = session.exec(
                select(func.count())
                .select_from(OutboxMessage)
                .where(col(OutboxMessage.state) == MessageState.PENDING)
            ).one()
        if not waiting:
            return []
        time.sleep(0.5)
    return [f"{waiting} messages still wait after {DRAIN_S:.0f} s"]


def _posts(database: Database, sent: Sent) -> list[str]:
    """Compare what was accepted with what is there."""
    with database.reading() as session:
        posts = session.exec(select(Post.external_id, Post.id).where(Post.source == SOURCE)).all()
        revisions = Counter(
            session.exec(
                select(Post.external_id, PostRevision.revision)
                .join(Post, col(Post.id) == col(PostRevision.post_id))
                .where(Post.source == SOURCE)
            ).all()
        )
        screenings = Counter(
            session.exec(
                select(Post.external_id, Screening.revision)
                .join(Post, col(Post.id) == col(Screening.post_id))
                .where(Post.source == SOURCE)
            ).all()
        )
        chain = audit.first_break(session)
    there = {(name, revision) for name, revision in revisions}
    faults = [f"lost: {name} revision {revision}" for name, revision in sorted(set(sent.accepted) - there)]
    faults += [f"nobody sent: {one}" for one in sorted(there - sent.tried)]
    faults += [
        f"{name} is there {count} times" for name, count in Counter(n for n, _ in posts).items() if count > 1
    ]
    faults += [f"{one} has {count} contents" for one, count in revisions.items() if count != 1]
    faults += [f"{one} has {screenings[one]} screenings" for one in there if screenings[one] != 1]
    if sent.refused:
        faults.append(f"refused: {dict(sent.refused)}")
    if chain is not None:
        faults.append(f"the audit chain breaks at {chain}")
    return faults


def _messages(database: Database, tempers: dict[str, Moody]) -> list[str]:
    """Compare what had to be told with what the receivers took."""
    with database.reading() as session:
        owed = session.exec(
            select(Screening.post_id, Screening.revision).where(col(Screening.verdict) != Verdict.PUBLISH)
        ).all()
        messages = session.exec(select(OutboxMessage)).all()
        hooks = dict(session.exec(select(WebhookEndpoint.id, WebhookEndpoint.source)).all())
        known = set(session.exec(select(OutboxMessage.id)).all())
        open_ids = session.exec(
            select(OutboxMessage.id).where(
                col(OutboxMessage.state).not_in([MessageState.DELIVERED, MessageState.GROUPED])
            )
        ).all()
    faults = [f"not delivered: {one}" for one in open_ids]
    told = Counter(
        (one.endpoint_id, one.subject_id, one.payload["revision"])
        for one in messages
        if one.topic is Topic.POST_SCREENED
    )
    for endpoint, temper in tempers.items():
        for post, revision in owed if hooks[endpoint] == SOURCE else ():
            if told[endpoint, post, revision] != 1:
                faults.append(f"{told[endpoint, post, revision]} messages for {post} revision {revision}")
        mine = {one.id for one in messages if one.endpoint_id == endpoint}
        faults += [f"never taken: {one}" for one in sorted(mine - set(temper.taken))]
        faults += [f"unknown id: {one}" for one in sorted(set(temper.bodies) - known)]
        faults += [f"two bodies: {one}" for one, bodies in temper.bodies.items() if len(bodies) > 1]
        if temper.forged:
            faults.append(f"{temper.forged} bad signatures")
    return faults


def _result(
    database: Database,
    given: tuple[str, int],
    *,
    struck: Counter[str],
    sent: Sent,
    walked: casework.Walked,
    tempers: dict[str, Moody],
    faults: list[str],
    seconds: float,
) -> Result:
    taken = [count for temper in tempers.values() for count in temper.taken.values()]
    with database.reading() as session:
        verdicts = session.exec(
            select(Screening.verdict, func.count()).group_by(col(Screening.verdict))
        ).all()
        messages = session.exec(select(func.count()).select_from(OutboxMessage)).one()
        failed = session.exec(
            select(func.count()).select_from(DeliveryAttempt).where(col(DeliveryAttempt.succeeded).is_(False))
        ).one()
    return Result(
        database=given[0],
        seed=given[1],
        kills=dict(struck),
        seconds=round(seconds, 1),
        revisions_accepted=len(sent.accepted),
        requests_tried_again=sent.repeats,
        messages=messages,
        deliveries=sum(taken),
        delivered_more_than_once=sum(count > 1 for count in taken),
        attempts_failed=failed,
        verdicts={verdict.value: count for verdict, count in verdicts},
        case_steps=walked.steps.total(),
        case_steps_whose_answer_was_lost=walked.answers_lost,
        faults=faults[:50],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--bundle",
        default="none",
        help="folder of a bundle; none: rules alone, so that every post is held and owes its messages",
    )
    given = parser.parse_args()
    result = run(given.database, given.kills, given.seed, bundle=given.bundle)
    sys.stdout.write(json.dumps(asdict(result), ensure_ascii=False) + "\n")
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
