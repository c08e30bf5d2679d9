"""Demands for tests of the alerts room: posts by many authors, grouped, in a small tree."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from alerts.actor import Actor
from alerts.desks import Desk, Worker
from alerts.loop import Links
from models.account import Account
from models.demand import Demand, DemandMember
from models.organisation import Organisation
from models.outbox import WebhookEndpoint
from models.post import Post, PostRevision
from models.reading import Reading
from models.vocabulary import DemandState, Domain, OrganisationKind, PostKind, PostState, Tone

TREE = {
    "gd": (OrganisationKind.PROVINCE, "广东省"),
    "gd/dongguan": (OrganisationKind.CITY, "东莞市"),
    "gd/dongguan/houjie": (OrganisationKind.COUNTY, "厚街镇"),
    "gd/dongguan/humen": (OrganisationKind.COUNTY, "虎门镇"),
    "gd/foshan": (OrganisationKind.CITY, "佛山市"),
}
COORDINATOR = Actor("c" * 32, "东莞协调员", ("gd/dongguan",))
PROVINCE = Actor("d" * 32, "省平台办", ("gd",))
ELSEWHERE = Actor("e" * 32, "佛山协调员", ("gd/foshan",))


def plant(session: Session, now: datetime) -> None:
    """Make a small tree and three accounts."""
    for path, (kind, name) in TREE.items():
        session.add(Organisation(path=path, name=name, kind=kind, created_at=now))
    for actor in (COORDINATOR, PROVINCE, ELSEWHERE):
        session.add(
            Account(
                id=actor.account_id,
                login=actor.account_id[:8],
                name=actor.name,
                password="unusable",
                created_at=now,
            )
        )
    session.flush()


def listen(session: Session, now: datetime, *, source: str | None, organisation: str, url: str = "") -> str:
    """Add an endpoint and return its id."""
    endpoint = WebhookEndpoint(
        source=source,
        organisation=organisation,
        url=url or "https://hooks.example/in",
        secret="whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=",
        created_at=now,
    )
    session.add(endpoint)
    session.flush()
    return endpoint.id


@dataclass
class Chorus:
    """Adds posts to one demand."""

    session: Session
    demand: Demand
    count: int = 0

    def say(
        self,
        author: str,
        at: datetime,
        *,
        organisation: str = "gd/dongguan/houjie",
        text: str = "宿舍热水又停了，希望尽快修好",
        place: str | None = None,
        state: PostState = PostState.PUBLISHED,
        source: str = "forum",
    ) -> str:
        """Add one post of `author` that joined the demand `at`."""
        self.count += 1
        post = Post(
            source=source,
            external_id=f"{self.demand.id[-6:]}-{self.count}",
            revision=1,
            kind=PostKind.QUESTION,
            organisation=organisation,
            author=f"hash-{author}",
            state=state,
            created_at=at,
            received_at=at,
        )
        self.session.add(post)
        self.session.flush()
        self.session.add(
            PostRevision(post_id=post.id, revision=1, text=text, fingerprint="f", received_at=at)
        )
        self.session.add(
            Reading(
                post_id=post.id,
                revision=1,
                organisation=organisation,
                is_need=True,
                need_probability=0.9,
                domain=self.demand.domain,
                domain_probability=0.9,
                tone=Tone.NEGATIVE,
                place=place,
                posted_at=at,
                read_at=at,
            )
        )
        self.session.add(
            DemandMember(demand_id=self.demand.id, post_id=post.id, probability=0.9, joined_at=at)
        )
        self.session.flush()
        return post.id

    def many(self, first: int, last: int, at: datetime, **options: object) -> list[str]:
        """Add a post of each author from `first` to `last`, a minute apart."""
        return [
            self.say(f"{number}", at + timedelta(minutes=number), **options)  # type: ignore[arg-type]
            for number in range(first, last + 1)
        ]


def demand(
    session: Session,
    now: datetime,
    *,
    state: DemandState = DemandState.PROPOSED,
    domain: Domain = Domain.HOUSING,
    title: str = "宿舍热水",
    organisation: str = "gd/dongguan",
) -> Chorus:
    """Add a demand without posts."""
    row = Demand(
        title=title,
        domain=domain,
        organisation=organisation,
        state=state,
        terms=["热水", "宿舍"],
        first_posted_at=now,
        last_posted_at=now,
        proposed_at=now,
    )
    session.add(row)
    session.flush()
    return Chorus(session, row)


def worker(account: Actor, *places: str, desks: Iterable[Desk] = Desk, sees: Iterable[str] = ()) -> Worker:
    """Return somebody who sits at desks for places, and sees the cases there and at `sees`."""
    return Worker(
        account.account_id,
        account.name,
        places,
        desks=dict.fromkeys(desks, places),
        reads=(*places, *sees),
        helps=places,
    )


OPERATIONS = worker(PROVINCE, "gd", desks=[Desk.OPERATIONS])
COORDINATION = worker(COORDINATOR, "gd", desks=[Desk.COORDINATION])
UNIT = Worker(
    ELSEWHERE.account_id,
    ELSEWHERE.name,
    ("gd/foshan",),
    desks={Desk.UNIT: ("gd/foshan",)},
    reads=("gd/foshan",),
)
LINKS = Links("https://tingjian.example", b"k" * 32)
