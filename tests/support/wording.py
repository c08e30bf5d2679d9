"""Posts and items for tests of grouping, and a bundle that hears needs in what a test writes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zlib import crc32

import numpy as np
from sqlmodel import Session

from learning.bundle import FloatArray, Reads
from models.base import new_id
from models.organisation import Organisation, ancestors
from models.post import Post, PostRevision
from models.vocabulary import Category, Domain, OrganisationKind, PostKind, PostState, Tone
from sentiment.demand.scoring import Item

DIMENSIONS = 8
WATER = (
    "宿舍晚上没有热水洗澡",
    "洗澡水又是冷的，宿舍热水坏了",
    "求修热水器，宿舍没热水",
    "热水十点就停，洗不上澡",
    "宿舍热水时间太短，洗澡要排队",
    "冬天洗冷水，热水什么时候有",
    "浴室热水又停了，怎么洗澡",
    "水温不够，洗澡冻得发抖，求热水",
    "热水卡充了钱，没热水洗澡",
    "回到宿舍已经没有热水洗澡了",
    "宿舍洗澡没热水，后勤管管",
    "希望延长热水时间，洗澡来不及",
)
CHAT = ("今天的晚霞真好看", "养了一只小乌龟", "周末去爬山")


class ListeningBundle:
    """Hears a need about bathing where 水 stands and nothing elsewhere. Deterministic."""

    name = "listening-bundle"

    def harms(self, texts: Sequence[str]) -> FloatArray:
        return np.zeros((len(texts), len(Category)), dtype=np.float32)

    def reads(self, texts: Sequence[str]) -> Reads:
        heard = np.array(["水" in text for text in texts], dtype=bool)
        domain = np.full((len(texts), len(Domain)), 0.01, dtype=np.float32)
        domain[heard, list(Domain).index(Domain.CAMPUS_LIFE)] = 0.86
        domain[~heard, list(Domain).index(Domain.NONE)] = 0.86
        tone = np.tile(np.array([[0.8, 0.1, 0.1]], dtype=np.float32), (len(texts), 1))
        assert tone.shape[1] == len(Tone)
        return Reads(np.where(heard, 0.95, 0.03).astype(np.float32), domain, tone)

    def encode(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row, 0 if "水" in text else 1 + len(text) % (DIMENSIONS - 1)] = 1.0
        return vectors


def plant_campus(session: Session, now: datetime, *paths: str) -> None:
    """Make the nodes of the tree down to `paths`."""
    for path in sorted({above for leaf in paths for above in ancestors(leaf)}):
        kind = OrganisationKind.CAMPUS if "/" in path else OrganisationKind.PROVINCE
        session.add(Organisation(path=path, name=path, kind=kind, created_at=now))
    session.flush()


def publish(
    session: Session,
    text: str,
    author: str,
    created_at: datetime,
    *,
    organisation: str = "gd/campus-a",
    state: PostState = PostState.PUBLISHED,
) -> Post:
    """Put a post on record in the state that screening would have left."""
    identifier = new_id()
    post = Post(
        id=identifier,
        source="forum",
        external_id=identifier,
        revision=1,
        kind=PostKind.QUESTION,
        organisation=organisation,
        author=author,
        state=state,
        created_at=created_at,
        received_at=created_at,
    )
    session.add(post)
    session.flush()
    session.add(
        PostRevision(post_id=identifier, revision=1, text=text, fingerprint="", received_at=created_at)
    )
    session.flush()
    return post


def voice_water(
    session: Session, now: datetime, people: int, *, organisation: str = "gd/campus-a"
) -> list[str]:
    """Publish one need in the words of `people` authors, an hour apart, and return the posts' ids."""
    return [
        publish(
            session,
            WATER[number % len(WATER)] + "！" * (number // len(WATER)),
            f"author-{organisation}-{number}",
            now - timedelta(hours=people - number),
            organisation=organisation,
        ).id
        for number in range(people)
    ]


def an_item(
    key: str, *, topic: int = 0, organisation: str = "gd/campus-a", day: float = 0.0, author: str = ""
) -> Item:
    """Return an item of a topic; items of one topic are alike in everything."""
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    vector[topic % DIMENSIONS] = 1.0
    domain = np.zeros(len(Domain), dtype=np.float32)
    domain[topic % (len(Domain) - 1)] = 1.0
    return Item(
        key=key,
        author=author or f"author-{key}",
        organisation=organisation,
        day=day,
        terms=np.array([2 * topic, 2 * topic + 1, 1000 + crc32(key.encode()) % 100_000], dtype=np.uint32),
        topics=vector,
        vector=vector,
        domain=domain,
        need=0.9,
    )
