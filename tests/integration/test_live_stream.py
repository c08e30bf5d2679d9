"""What the benchmark of the live delay sends, and how it counts what came of it."""

from datetime import UTC, datetime, timedelta

from models.database import Database
from models.demand import Demand, DemandMember
from models.vocabulary import DemandState, Domain
from sentiment.demand.grouping import nth_author_at
from tests.benchmark.live_delay import EDGE, PEOPLE, RUSHES, Seen, Sent, stream
from tests.support.wording import plant_campus, publish

BEGUN = datetime(2026, 3, 16, 4, tzinfo=UTC)


def voiced(posts: list[Sent]) -> dict[str, list[Sent]]:
    found: dict[str, list[Sent]] = {}
    for post in posts:
        if post.demand is not None:
            found.setdefault(post.demand, []).append(post)
    return found


def test_in_a_rush_every_demand_gets_its_tenth_person_while_posts_come() -> None:
    posts = stream(20, 240, rush=True)
    said = voiced(posts)

    for those in said.values():
        tenth = nth_author_at([(BEGUN + timedelta(seconds=post.at), post.author) for post in those], PEOPLE)
        assert tenth is not None
        assert EDGE <= (tenth - BEGUN).total_seconds() <= 240 - EDGE
        assert those[-1].at - those[0].at <= RUSHES[1]
    assert len(said) == len(voiced(stream(20, 300))) > 40
    assert sum(post.at >= 0 for post in posts) == 20 * 240
    assert sum(post.at < 0 for post in posts) > 5000


def test_a_right_proposal_counts_from_the_tenth_person_and_a_wrong_one_finds_nothing(
    database: Database,
) -> None:
    posts = [Sent(number, "gd/a", f"p{number}", "水", "water") for number in range(12)]
    posts += [Sent(number, "gd/a", f"s{number}", "水", None) for number in range(12)]
    number_of: dict[str, int] = {}
    with database.transaction() as session:
        plant_campus(session, BEGUN, "gd/a")
        for name, places in (("right", range(12)), ("wrong", range(12, 24))):
            demand = Demand(
                title=name, domain=Domain.CAMPUS_LIFE, organisation="gd/a", state=DemandState.PROPOSED,
                first_posted_at=BEGUN, last_posted_at=BEGUN, proposed_at=BEGUN + timedelta(seconds=30),
                tenth_author_at=BEGUN + timedelta(seconds=9), delay_seconds=21.0, delay_posts=2,
            )  # fmt: skip
            session.add(demand)
            session.flush()
            for place in places:
                post = posts[place]
                post.created = BEGUN + timedelta(seconds=post.at)
                key = publish(session, post.text, post.author, post.created, organisation="gd/a").id
                number_of[key] = place
                session.add(
                    DemandMember(demand_id=demand.id, post_id=key, probability=1.0, parts={}, joined_at=BEGUN)
                )
    seen = Seen(database, posts, lambda key, _: number_of[key])
    seen.look()

    figures = seen.figures()

    assert (figures["proposals"], figures["proposals_right"]) == (2, 1)
    assert (figures["proposals_of_before"], figures["seconds_max"]) == (0, 21.0)
    assert (figures["demands_of_ten"], figures["demands_found"], figures["never_proposed"]) == (1, 1, 0)
    assert figures["seconds_from_the_true_tenth_max"] == 21.0  # From the tenth of twelve, at second nine
