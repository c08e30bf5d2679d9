from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlmodel import col, select

from models.database import Database
from models.demand import Demand, DemandFact, DemandMember, Setting
from models.errors import CharterViolation
from models.post import Post, PostRevision
from models.reading import Reading
from models.threshold import set_minimum_authors
from models.vocabulary import DemandState, Domain, PostState, Tone
from moderation import deletion
from sentiment.demand import corrections, grouping
from sentiment.demand.board import Sought, board
from sentiment.demand.cohesion import load_cohesion
from sentiment.demand.corrections import Hand
from sentiment.jobs import GroupingReport, ReadingReport, group_due, read_due
from sentiment.settings import SentimentSettings
from tests.support.wording import CHAT, ListeningBundle, plant_campus, publish, voice_water

BUNDLE, SETTINGS = ListeningBundle(), SentimentSettings()
CAMPUS, OTHER = "gd/campus-a", "gd/campus-b"


def by_hand(now: datetime) -> Hand:
    return Hand("account:officer", now, SETTINGS)


@pytest.fixture
def forum(database: Database, now: datetime) -> Database:
    with database.transaction() as session:
        plant_campus(session, now, CAMPUS, OTHER)
    return database


def voice(database: Database, now: datetime, people: int, organisation: str = CAMPUS) -> list[str]:
    with database.transaction() as session:
        return voice_water(session, now, people, organisation=organisation)


def run(database: Database, now: datetime) -> GroupingReport:
    read_due(database, BUNDLE, SETTINGS, now)
    return group_due(database, BUNDLE, SETTINGS, now)


def demands(database: Database) -> list[Demand]:
    with database.reading() as session:
        return list(session.exec(select(Demand).order_by(col(Demand.id))))


def withdraw(database: Database, posts: list[str], state: PostState = PostState.REMOVED) -> None:
    with database.transaction() as session:
        session.execute(sa.update(Post).where(col(Post.id).in_(posts)).values(state=state))


def everything(database: Database) -> list[object]:
    with database.reading() as session:
        tables = (Reading, Demand, DemandMember)
        return [
            row.model_dump() for table in tables for row in session.exec(select(table).order_by(table.id))
        ]


def test_a_published_post_is_read_once(forum: Database, now: datetime) -> None:
    with forum.transaction() as session:
        post = publish(session, "番禺校区宿舍没有热水洗澡", "a", now)

    first = read_due(forum, BUNDLE, SETTINGS, now)
    second = read_due(forum, BUNDLE, SETTINGS, now)

    assert first == ReadingReport(read=1, needs=1, withdrawn=0, more=False)
    assert second == ReadingReport(read=0, needs=0, withdrawn=0, more=False)
    with forum.reading() as session:
        reading = session.exec(select(Reading)).one()
    assert (reading.post_id, reading.is_need, reading.domain, reading.tone) == (
        post.id,
        True,
        Domain.CAMPUS_LIFE,
        Tone.NEGATIVE,
    )
    assert (reading.place, reading.place_start, reading.place_end) == ("番禺区", 0, 2)
    assert len(reading.vector or b"") == 2 * 8
    assert reading.bundle == BUNDLE.name


@pytest.mark.parametrize("state", [PostState.HELD, PostState.REMOVED, PostState.REFERRED, PostState.DELETED])
def test_a_post_that_is_not_published_is_not_read(forum: Database, now: datetime, state: PostState) -> None:
    with forum.transaction() as session:
        publish(session, "没有热水", "a", now, state=state)

    assert read_due(forum, BUNDLE, SETTINGS, now).read == 0


def test_the_limit_of_a_run_is_kept_and_the_rest_stays_due(forum: Database, now: datetime) -> None:
    voice(forum, now, 5)

    first = read_due(forum, BUNDLE, SETTINGS, now, limit=3)
    second = read_due(forum, BUNDLE, SETTINGS, now, limit=3)

    assert (first.read, first.more) == (3, True)
    assert (second.read, second.more) == (2, False)


def test_a_post_that_is_taken_down_loses_its_reading_and_is_read_again_when_restored(
    forum: Database, now: datetime
) -> None:
    posts = voice(forum, now, 1)
    read_due(forum, BUNDLE, SETTINGS, now)

    withdraw(forum, posts)
    report = read_due(forum, BUNDLE, SETTINGS, now)
    with forum.reading() as session:
        left = session.exec(select(Reading)).all()
    withdraw(forum, posts, PostState.PUBLISHED)

    assert (report.withdrawn, left) == (1, [])
    assert read_due(forum, BUNDLE, SETTINGS, now).read == 1


def test_an_edited_post_is_read_anew(forum: Database, now: datetime) -> None:
    [post] = voice(forum, now, 1)
    read_due(forum, BUNDLE, SETTINGS, now)
    with forum.transaction() as session:
        session.add(PostRevision(post_id=post, revision=2, text=CHAT[0], fingerprint="", received_at=now))
        session.execute(sa.update(Post).values(revision=2))

    report = read_due(forum, BUNDLE, SETTINGS, now)

    with forum.reading() as session:
        reading = session.exec(select(Reading)).one()
    assert (report.read, reading.revision, reading.is_need) == (1, 2, False)


def test_ten_people_make_a_proposal_and_nine_do_not(forum: Database, now: datetime) -> None:
    voice(forum, now, 9)
    nine = run(forum, now)
    voice(forum, now, 9, OTHER)
    with forum.transaction() as session:
        publish(session, "宿舍没热水洗澡，我也一样", "the-tenth", now)
    ten = run(forum, now + timedelta(minutes=1))

    assert nine.proposed == ()
    assert len(ten.proposed) == 1
    demand = next(row for row in demands(forum) if row.state is DemandState.PROPOSED)
    assert (demand.authors, demand.posts, demand.organisation) == (10, 10, CAMPUS)
    assert demand.domain is Domain.CAMPUS_LIFE
    assert demand.tenth_author_at == now
    assert demand.proposed_at == now + timedelta(minutes=1)
    assert "热水" in demand.title
    with forum.reading() as session:
        members = session.exec(select(DemandMember).where(DemandMember.demand_id == demand.id)).all()
    assert len(members) == 10
    assert all(0 < member.probability <= 1 and member.parts for member in members)


def test_many_posts_of_few_people_propose_nothing(forum: Database, now: datetime) -> None:
    with forum.transaction() as session:
        for number in range(40):
            publish(
                session,
                f"宿舍没有热水洗澡，第{number}次了",
                f"author-{number % 4}",
                now - timedelta(hours=number),
            )

    assert run(forum, now).proposed == ()
    assert {demand.authors for demand in demands(forum)} == {4}


def test_one_text_copied_by_many_counts_its_people(forum: Database, now: datetime) -> None:
    with forum.transaction() as session:
        for number in range(12):
            publish(
                session, "请把宿舍热水时间延长到十二点", f"author-{number}", now - timedelta(minutes=number)
            )

    assert len(run(forum, now).proposed) == 1
    assert demands(forum)[0].authors == 12


def test_chat_is_never_grouped(forum: Database, now: datetime) -> None:
    with forum.transaction() as session:
        for number in range(12):
            publish(session, CHAT[0], f"author-{number}", now)

    run(forum, now)

    assert demands(forum) == []


def test_the_same_need_at_two_campuses_stays_two_demands(forum: Database, now: datetime) -> None:
    voice(forum, now, 12)
    voice(forum, now, 12, OTHER)

    run(forum, now)

    proposed = [demand for demand in demands(forum) if demand.state is DemandState.PROPOSED]
    assert sorted(demand.organisation for demand in proposed) == [CAMPUS, OTHER]


def test_a_second_run_changes_nothing(forum: Database, now: datetime) -> None:
    voice(forum, now, 12)
    run(forum, now)
    before = everything(forum)

    assert run(forum, now + timedelta(hours=1)) == GroupingReport()
    assert everything(forum) == before


def test_a_run_that_is_killed_before_its_end_leaves_no_trace_and_can_be_repeated(
    forum: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice(forum, now, 12)
    read_due(forum, BUNDLE, SETTINGS, now)
    before = everything(forum)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(grouping, "record", die)
        with pytest.raises(KeyboardInterrupt):
            group_due(forum, BUNDLE, SETTINGS, now)

    assert everything(forum) == before
    assert len(group_due(forum, BUNDLE, SETTINGS, now).proposed) == 1


def test_a_reading_that_is_killed_leaves_the_post_due(
    forum: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice(forum, now, 3)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ListeningBundle, "encode", die)
        with pytest.raises(KeyboardInterrupt):
            read_due(forum, BUNDLE, SETTINGS, now)

    assert read_due(forum, BUNDLE, SETTINGS, now).read == 3


def test_a_proposed_demand_keeps_its_id_and_gains_posts(forum: Database, now: datetime) -> None:
    voice(forum, now, 10)
    [first] = run(forum, now).proposed
    with forum.transaction() as session:
        publish(session, "今晚宿舍又没热水洗澡", "late", now + timedelta(hours=3))

    run(forum, now + timedelta(hours=4))

    [demand] = [row for row in demands(forum) if row.state is DemandState.PROPOSED]
    assert (demand.id, demand.authors) == (first, 11)


def test_a_deleted_post_leaves_its_demand_which_goes_back_to_gathering(
    forum: Database, now: datetime
) -> None:
    posts = voice(forum, now, 10)
    run(forum, now)

    withdraw(forum, posts[:1], PostState.DELETED)
    report = run(forum, now + timedelta(minutes=5))

    [demand] = demands(forum)
    assert (demand.state, demand.authors, demand.posts, report.fell_back) == (DemandState.GATHERING, 9, 9, 1)
    assert demand.tenth_author_at is None
    with forum.reading() as session:
        assert posts[0] not in session.exec(select(DemandMember.post_id)).all()


def test_a_verified_demand_stays_verified_when_a_post_leaves(forum: Database, now: datetime) -> None:
    posts = voice(forum, now, 10)
    run(forum, now)
    with forum.transaction() as session:
        session.execute(sa.update(Demand).values(state=DemandState.VERIFIED))

    withdraw(forum, posts[:1])
    run(forum, now + timedelta(minutes=5))

    [demand] = demands(forum)
    assert (demand.state, demand.authors) == (DemandState.VERIFIED, 9)


def test_posts_older_than_the_window_start_no_demand(forum: Database, now: datetime) -> None:
    voice(forum, now - timedelta(days=40), 12)

    assert run(forum, now).proposed == ()
    assert demands(forum) == []


def test_a_place_may_ask_for_more_people_and_for_fewer_only_with_a_reason(
    forum: Database, now: datetime
) -> None:
    with forum.transaction() as session:
        set_minimum_authors(session, CAMPUS, 12, reason="", actor="admin", now=now)
        set_minimum_authors(session, OTHER, 5, reason="a campus of forty people", actor="admin", now=now)
        with pytest.raises(CharterViolation):
            set_minimum_authors(session, OTHER, 9, reason=" ", actor="admin", now=now)
        with pytest.raises(CharterViolation):
            set_minimum_authors(session, OTHER, 4, reason="so few", actor="admin", now=now)
    voice(forum, now, 11)
    voice(forum, now, 5, OTHER)

    run(forum, now)

    states = {demand.organisation: demand.state for demand in demands(forum)}
    assert states == {CAMPUS: DemandState.GATHERING, OTHER: DemandState.PROPOSED}


def test_a_recorded_number_that_the_charter_forbids_counts_as_ten(forum: Database, now: datetime) -> None:
    with forum.transaction() as session:
        session.add(
            Setting(
                key="demand_min_authors",
                organisation=CAMPUS,
                value=2,
                reason="by hand",
                changed_by="somebody",
                changed_at=now,
            )
        )
    voice(forum, now, 9)

    assert run(forum, now).proposed == ()


def test_a_post_that_an_officer_took_out_never_comes_back(forum: Database, now: datetime) -> None:
    posts = voice(forum, now, 12)
    [proposed] = run(forum, now).proposed
    with forum.transaction() as session:
        corrections.reject(session, proposed, [posts[3]], by_hand(now))
    with forum.transaction() as session:
        publish(session, "宿舍没有热水洗澡怎么办", "another", now)

    run(forum, now + timedelta(minutes=1))

    with forum.reading() as session:
        members = session.exec(select(DemandMember.post_id).where(DemandMember.demand_id == proposed)).all()
        facts = session.exec(select(DemandFact)).all()
    assert posts[3] not in members
    assert len(members) == 12
    assert [(fact.post_id, fact.belongs) for fact in facts] == [(posts[3], False)]


def test_taking_out_a_post_below_the_number_sends_the_demand_back(forum: Database, now: datetime) -> None:
    posts = voice(forum, now, 10)
    [proposed] = run(forum, now).proposed

    with forum.transaction() as session:
        corrections.reject(session, proposed, [posts[0]], by_hand(now))
        demand = session.get_one(Demand, proposed)

    assert (demand.state, demand.authors) == (DemandState.GATHERING, 9)


def test_a_name_that_an_officer_gave_is_not_overwritten(forum: Database, now: datetime) -> None:
    voice(forum, now, 10)
    [proposed] = run(forum, now).proposed
    with forum.transaction() as session:
        corrections.rename(session, proposed, "宿舍热水", by_hand(now))
        publish(session, "热水热水，宿舍洗澡", "late", now)

    run(forum, now + timedelta(minutes=1))

    [demand] = [row for row in demands(forum) if row.id == proposed]
    assert (demand.title, demand.authors) == ("宿舍热水", 11)


def test_a_rejected_demand_is_not_proposed_again_by_the_same_posts(forum: Database, now: datetime) -> None:
    voice(forum, now, 10)
    [proposed] = run(forum, now).proposed
    with forum.transaction() as session:
        session.get_one(Demand, proposed).state = DemandState.REJECTED
        publish(session, "宿舍没有热水洗澡", "late", now)

    assert run(forum, now + timedelta(minutes=1)).proposed == ()
    with forum.reading() as session:
        assert [row.state for row in board(session, ["gd"], Sought())] == [DemandState.REJECTED]


def test_officers_see_the_demands_of_their_place_only(forum: Database, now: datetime) -> None:
    voice(forum, now, 12)
    voice(forum, now, 12, OTHER)
    run(forum, now)

    with forum.reading() as session:
        assert [demand.organisation for demand in board(session, [OTHER], Sought())] == [OTHER]
        assert len(board(session, ["gd"], Sought())) == 2


def erase(database: Database, posts: list[str], now: datetime) -> None:
    with database.transaction() as session:
        for post in posts:
            deletion.delete(session, "forum", post, scope=None, deleted_by="forum", now=now)


def test_a_deletion_below_the_number_sends_a_proposed_demand_back_in_the_same_transaction(
    forum: Database, now: datetime
) -> None:
    posts = voice(forum, now, 10)
    run(forum, now)

    erase(forum, posts[:1], now)

    [demand] = demands(forum)
    assert (demand.state, demand.authors, demand.tenth_author_at) == (DemandState.GATHERING, 9, None)


def test_a_deletion_that_leaves_enough_people_sends_nothing_back(forum: Database, now: datetime) -> None:
    posts = voice(forum, now, 11)
    run(forum, now)

    erase(forum, posts[:1], now)
    run(forum, now + timedelta(minutes=1))

    [demand] = demands(forum)
    assert (demand.state, demand.authors) == (DemandState.PROPOSED, 10)


def test_the_number_that_an_operator_raised_holds_at_the_next_run(forum: Database, now: datetime) -> None:
    higher = SentimentSettings(minimum_authors=12)
    posts = voice(forum, now, 12)
    read_due(forum, BUNDLE, higher, now)
    group_due(forum, BUNDLE, higher, now)

    erase(forum, posts[:1], now)
    report = group_due(forum, BUNDLE, higher, now + timedelta(minutes=1))

    [demand] = demands(forum)
    assert (demand.state, demand.authors, report.fell_back) == (DemandState.GATHERING, 11, 1)


def test_a_number_that_was_raised_later_sends_a_proposed_demand_back(forum: Database, now: datetime) -> None:
    voice(forum, now, 10)
    run(forum, now)
    with forum.transaction() as session:
        set_minimum_authors(session, CAMPUS, 11, reason="", actor="admin", now=now)

    report = run(forum, now + timedelta(minutes=1))

    assert (demands(forum)[0].state, report.fell_back) == (DemandState.GATHERING, 1)


def test_an_edit_that_is_held_sends_a_proposed_demand_back_at_the_next_run(
    forum: Database, now: datetime
) -> None:
    posts = voice(forum, now, 10)
    run(forum, now)
    with forum.transaction() as session:
        session.add(PostRevision(post_id=posts[0], revision=2, text=CHAT[0], fingerprint="", received_at=now))
        session.execute(
            sa.update(Post).where(col(Post.id) == posts[0]).values(revision=2, state=PostState.HELD)
        )

    report = run(forum, now + timedelta(minutes=1))

    [demand] = demands(forum)
    assert (demand.state, demand.authors, report.fell_back) == (DemandState.GATHERING, 9, 1)


def test_a_word_of_a_deleted_post_leaves_the_title(forum: Database, now: datetime) -> None:
    voice(forum, now, 12)
    with forum.transaction() as session:
        named = [publish(session, f"宿舍没有热水洗澡，澡票{n}", f"named-{n}", now).id for n in range(2)]
    run(forum, now)
    before = demands(forum)[0].terms

    erase(forum, named, now)
    run(forum, now + timedelta(minutes=1))

    assert "澡票" in before
    assert "澡票" not in demands(forum)[0].terms


@pytest.mark.parametrize("revision", [1, 2])
def test_a_post_that_comes_back_to_a_verified_demand_is_not_one_that_joined(
    forum: Database, now: datetime, revision: int
) -> None:
    posts = voice(forum, now, 10)
    run(forum, now)
    with forum.transaction() as session:
        session.execute(sa.update(Demand).values(state=DemandState.VERIFIED))
    withdraw(forum, posts[:1], PostState.HELD)
    run(forum, now + timedelta(minutes=1))
    hidden = demands(forum)[0].authors
    with forum.transaction() as session:
        if revision > 1:
            session.add(
                PostRevision(
                    post_id=posts[0], revision=2, text="宿舍没热水洗澡", fingerprint="", received_at=now
                )
            )
        session.execute(
            sa.update(Post)
            .where(col(Post.id) == posts[0])
            .values(state=PostState.PUBLISHED, revision=revision)
        )

    run(forum, now + timedelta(minutes=2))

    with forum.reading() as session:
        joined = set(session.exec(select(DemandMember.joined_at)))
    assert hidden == 9
    assert (demands(forum)[0].authors, joined) == (10, {now})


def test_two_verified_demands_stay_two_however_alike(forum: Database, now: datetime) -> None:
    voice(forum, now, 12)
    voice(forum, now, 12, OTHER)
    run(forum, now)
    with forum.transaction() as session:
        session.execute(sa.update(Demand).values(state=DemandState.VERIFIED))
        session.execute(sa.update(Post).values(organisation=CAMPUS))
        session.execute(sa.update(Reading).values(organisation=CAMPUS, clustered_at=None))

    run(forum, now + timedelta(hours=1))

    assert [(row.state, row.authors) for row in demands(forum)] == [(DemandState.VERIFIED, 12)] * 2
    with forum.reading() as session:
        assert set(session.exec(select(DemandMember.joined_at))) == {now}


def put_together(
    database: Database, now: datetime, posts: list[str], *, state: DemandState, organisation: str = CAMPUS
) -> str:
    """Make a demand by hand, as if an earlier run had formed it."""
    with database.transaction() as session:
        demand = Demand(
            title="旧", domain=Domain.CAMPUS_LIFE, organisation=organisation, state=state, posts=len(posts),
            authors=len(posts), first_posted_at=now, last_posted_at=now, proposed_at=now,
        )  # fmt: skip
        session.add(demand)
        session.flush()
        for post in posts:
            session.add(DemandMember(demand_id=demand.id, post_id=post, probability=0.9, joined_at=now))
    return demand.id


def test_two_proposed_demands_that_turn_out_to_be_one_leave_a_redirect(
    forum: Database, now: datetime
) -> None:
    posts = voice(forum, now, 12)
    read_due(forum, BUNDLE, SETTINGS, now)
    larger = put_together(forum, now, posts[:7], state=DemandState.PROPOSED)
    smaller = put_together(forum, now, posts[7:], state=DemandState.PROPOSED)

    run(forum, now + timedelta(minutes=1))

    rows = {row.id: row for row in demands(forum)}
    assert (rows[larger].state, rows[larger].authors, rows[larger].merged_into) == (
        DemandState.PROPOSED,
        12,
        None,
    )
    assert (rows[smaller].state, rows[smaller].authors, rows[smaller].merged_into) == (
        DemandState.GATHERING,
        0,
        larger,
    )
    with forum.reading() as session:
        assert [row.id for row in board(session, ["gd"], Sought())] == [larger]
    assert run(forum, now + timedelta(minutes=2)) == GroupingReport()


def test_posts_of_a_verified_demand_stay_in_it_though_they_are_like_anothers(
    forum: Database, now: datetime
) -> None:
    posts = voice(forum, now, 12)
    read_due(forum, BUNDLE, SETTINGS, now)
    verified = put_together(forum, now, posts[:2], state=DemandState.VERIFIED)
    proposed = put_together(forum, now, posts[2:], state=DemandState.PROPOSED)

    run(forum, now + timedelta(minutes=1))

    with forum.reading() as session:
        where = dict(session.exec(select(DemandMember.post_id, DemandMember.demand_id)).all())
        joined = session.exec(
            select(DemandMember.joined_at).where(col(DemandMember.post_id).in_(posts[:2]))
        ).all()
    assert [where[post] for post in posts[:2]] == [verified] * 2
    assert list(joined) == [now] * 2
    assert {demand.id for demand in demands(forum)} == {verified, proposed}


def test_the_id_goes_with_the_post_that_an_officer_confirmed(forum: Database, now: datetime) -> None:
    here = voice(forum, now, 12)
    there = voice(forum, now, 12, OTHER)
    read_due(forum, BUNDLE, SETTINGS, now)
    mixed = put_together(forum, now, [*here[:3], *there[:9]], state=DemandState.PROPOSED)
    with forum.transaction() as session:
        corrections.confirm(session, mixed, [here[0]], by_hand(now))

    run(forum, now + timedelta(minutes=1))

    with forum.reading() as session:
        where = dict(session.exec(select(DemandMember.post_id, DemandMember.demand_id)).all())
    assert where[here[0]] == mixed
    assert where[there[0]] != mixed


def test_what_does_not_hold_together_is_sent_back_and_not_proposed(
    forum: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice(forum, now, 12)
    strict = replace(load_cohesion(), proposes=1.1)
    with monkeypatch.context() as patch:
        patch.setattr(grouping, "load_cohesion", lambda: strict)
        first = run(forum, now)
    voice(forum, now - timedelta(days=1), 1)
    second = run(forum, now + timedelta(minutes=1))
    with forum.transaction() as session:
        publish(session, "今晚宿舍又没热水洗澡", "late", now)
    with monkeypatch.context() as patch:
        patch.setattr(grouping, "load_cohesion", lambda: strict)
        third = run(forum, now + timedelta(minutes=2))

    assert (first.proposed, len(second.proposed)) == ((), 1)
    assert (third.fell_back, demands(forum)[0].state) == (1, DemandState.GATHERING)


def test_a_run_whose_news_could_stand_in_no_demand_groups_nothing(
    forum: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice(forum, now, 12)
    run(forum, now)
    with forum.transaction() as session:
        publish(session, CHAT[0], "chatter", now)
    before = demands(forum)[0].version

    with monkeypatch.context() as patch:
        patch.setattr(grouping, "regroup", None)
        report = run(forum, now + timedelta(minutes=1))

    assert (report, demands(forum)[0].version) == (GroupingReport(grouped=1), before)
    assert run(forum, now + timedelta(minutes=2)) == GroupingReport()
