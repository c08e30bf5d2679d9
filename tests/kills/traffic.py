"""What comes in and who takes what goes out, while everything is killed.

Clients send posts, batches and edits, and send again under the same key until they get an answer.
Receivers take webhooks, and at times refuse or are slow.
"""

import random
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook, WebhookVerificationError

from tests.support.receiver import Answer, Received

SOURCE = "forum"
PAUSE_S = 0.25
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


def hash_of(name: str) -> int:
    """Return the same number for the same name, in every process."""
    return zlib.crc32(name.encode())


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
                time.sleep(self.random.uniform(0.0, PAUSE_S))

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
