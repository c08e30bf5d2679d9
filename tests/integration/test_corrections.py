"""What a person corrects about demands is kept by every later run, and can be taken back."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select

from models.audit import AuditEntry
from models.correction import DemandCorrection, DemandVoice
from models.database import Database
from models.demand import Demand, DemandFact, DemandMember
from models.errors import Conflict, InvalidInput, NotFound, StaleVersion
from models.vocabulary import CorrectionKind, DemandState
from sentiment.demand import corrections, facts, grouping, undoing
from sentiment.demand.corrections import Hand
from sentiment.jobs import group_due, read_due
from sentiment.settings import SentimentSettings
from tests.support.wording import ListeningBundle, plant_campus, publish, voice_water

BUNDLE, SETTINGS = ListeningBundle(), SentimentSettings()
CAMPUS, OTHER = "gd/campus-a", "gd/campus-b"


@pytest.fixture
def forum(database: Database, now: datetime) -> Database:
    with database.transaction() as session:
        plant_campus(session, now, CAMPUS, OTHER)
    return database


def run(database: Database, now: datetime) -> None:
    read_due(database, BUNDLE, SETTINGS, now)
    group_due(database, BUNDLE, SETTINGS, now)


def voiced(database: Database, now: datetime, people: int, organisation: str = CAMPUS) -> list[str]:
    with database.transaction() as session:
        return voice_water(session, now, people, organisation=organisation)


def proposed(session: Session) -> list[Demand]:
    return list(
        session.exec(select(Demand).where(Demand.state == DemandState.PROPOSED).order_by(col(Demand.id)))
    )


def places(session: Session) -> dict[str, str]:
    return dict(session.exec(select(DemandMember.post_id, DemandMember.demand_id)).all())


def hand(now: datetime, **options: object) -> Hand:
    return Hand("account:officer", now, SETTINGS, **options)  # type: ignore[arg-type]


def more(database: Database, now: datetime, numbers: range) -> None:
    """Let more people voice the same, so that the next run forms everything anew."""
    with database.transaction() as session:
        for number in numbers:
            publish(session, f"宿舍热水又停了，洗澡怎么办{number}", f"late-{number}", now)
    run(database, now)


def test_a_split_stays_and_both_keep_their_ids(forum: Database, now: datetime) -> None:
    posts = voiced(forum, now, 24)
    run(forum, now)
    with forum.transaction() as session:
        whole = proposed(session)[0].id
        done = corrections.split(session, whole, posts[:12], hand(now, reason="两个校区"))
        made = done.other_id
        assert made is not None
        assert [one.id for one in proposed(session)] == [whole, made]

    for hours in (1, 2, 3):
        more(forum, now + timedelta(hours=hours), range(hours * 10, hours * 10 + 4))

    with forum.reading() as session:
        stands = places(session)
        assert {stands[post] for post in posts[:12]} == {made}
        assert made not in {stands[post] for post in posts[12:]}
        assert facts.contradictions(session) == []
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "demand.split")).one()
    assert (entry.actor, entry.details["other"], len(entry.details["posts"])) == ("account:officer", made, 12)


def test_a_merge_leaves_a_redirect_that_every_run_keeps(forum: Database, now: datetime) -> None:
    here, there = voiced(forum, now, 12), voiced(forum, now, 12, OTHER)
    run(forum, now)
    with forum.transaction() as session:
        stays, goes = (one.id for one in proposed(session))
        for author, demand in (("a", stays), ("b", goes), ("a", goes)):
            session.add(DemandVoice(demand_id=demand, source="forum", author=author, joined_at=now))
        session.flush()
        corrections.merge(session, stays, goes, hand(now))

    more(forum, now + timedelta(hours=1), range(4))

    with forum.reading() as session:
        assert {places(session)[post] for post in here + there} == {stays}
        assert facts.follow(session, goes) == stays
        assert [one.id for one in proposed(session)] == [stays]
        joined = select(DemandVoice.author).where(DemandVoice.demand_id == stays)
        assert sorted(session.exec(joined)) == ["a", "b"]
    with forum.transaction() as session:
        # Whoever comes by the old id corrects what it leads to.
        corrections.rename(session, goes, "宿舍热水", hand(now))
        assert session.get_one(Demand, stays).title == "宿舍热水"


def test_moves_and_removals_hold_and_small_demands_stay_where_a_person_made_them(
    forum: Database, now: datetime
) -> None:
    here, there = voiced(forum, now, 12), voiced(forum, now, 12, OTHER)
    run(forum, now)
    with forum.transaction() as session:
        stands = places(session)
        first, second = stands[here[0]], stands[there[0]]
        corrections.move(session, first, here[:1], second, hand(now))
        corrections.reject(session, second, there[:1], hand(now))
        # Two posts are no demand by any count; a person said that they are one.
        small = corrections.split(session, first, here[1:3], hand(now)).other_id

    for hours in (1, 2):
        more(forum, now + timedelta(hours=hours), range(hours * 10, hours * 10 + 3))

    with forum.reading() as session:
        stands = places(session)
        assert stands[here[0]] == second
        assert stands.get(there[0]) != second
        assert {stands[here[1]], stands[here[2]]} == {small}
        assert session.get_one(Demand, small).state is DemandState.GATHERING


def test_undoing_puts_back_what_stood_before(forum: Database, now: datetime) -> None:
    here, there = voiced(forum, now, 12), voiced(forum, now, 12, OTHER)
    run(forum, now)

    def state(session: Session) -> object:
        told = [(one.post_id, one.demand_id, one.belongs) for one in session.exec(select(DemandFact))]
        rows = [
            (one.id, one.state, one.title, one.authors, one.merged_into)
            for one in session.exec(
                select(Demand).where(col(Demand.proposed_at).is_not(None)).order_by(col(Demand.id))
            )
        ]
        members = session.exec(select(DemandMember)).all()
        return (
            sorted((one.post_id, one.demand_id, one.probability, one.joined_at) for one in members),
            sorted(told),
            rows,
        )

    with forum.reading() as session:
        before = state(session)
        first, second = places(session)[here[0]], places(session)[there[0]]
    acts: tuple[Callable[[Session], DemandCorrection], ...] = (
        lambda session: corrections.confirm(session, first, here[:2], hand(now)),
        lambda session: corrections.reject(session, first, here[:3], hand(now)),
        lambda session: corrections.split(session, first, here[:4], hand(now)),
        lambda session: corrections.move(session, first, here[:4], second, hand(now)),
        lambda session: corrections.merge(session, first, second, hand(now)),
        lambda session: corrections.rename(session, first, "热水", hand(now)),
    )
    for act in acts:
        with forum.transaction() as session:
            done = act(session)
            assert undoing.may_undo(session, done, now)
        with forum.transaction() as session:
            taken = undoing.undo(session, done.id, hand(now + timedelta(seconds=20)))
            assert (taken.kind, taken.undoes) == (CorrectionKind.UNDO, done.id)
        with forum.reading() as session:
            after = state(session)
        assert after[:2] == before[:2], done.kind  # type: ignore[index]
        assert [row for row in after[2] if row in before[2]] == before[2], done.kind  # type: ignore[index]


def test_an_act_is_taken_back_for_half_a_minute_or_until_the_next_run(forum: Database, now: datetime) -> None:
    posts = voiced(forum, now, 12)
    run(forum, now)
    later = now + timedelta(minutes=5)
    with forum.transaction() as session:
        demand = proposed(session)[0].id
        first = corrections.confirm(session, demand, posts[:1], hand(now + timedelta(seconds=1)))
        second = corrections.confirm(session, demand, posts[1:2], hand(now + timedelta(seconds=2)))
        assert undoing.may_undo(session, first, later)
        undoing.undo(session, first.id, hand(later))
        with pytest.raises(Conflict, match="taken back"):
            undoing.undo(session, first.id, hand(later))

    more(forum, later, range(2))

    with forum.transaction() as session:
        assert not undoing.may_undo(session, session.get_one(DemandCorrection, second.id), later)
        third = corrections.reject(session, demand, posts[2:3], hand(later))
        corrections.split(session, demand, posts[3:6], hand(later))
        with pytest.raises(Conflict):
            undoing.undo(session, third.id, hand(later))


def test_a_run_that_changes_nothing_refuses_no_act(forum: Database, now: datetime) -> None:
    posts = voiced(forum, now, 12)
    run(forum, now)
    with forum.transaction() as session:
        demand = proposed(session)[0].id
        done = corrections.reject(session, demand, posts[:1], hand(now + timedelta(seconds=1)))
        undoing.undo(session, done.id, hand(now + timedelta(seconds=2)))
        seen = session.get_one(Demand, demand).version

    run(forum, now + timedelta(seconds=5))

    with forum.transaction() as session:
        act = corrections.reject(session, demand, posts[:1], hand(now + timedelta(seconds=6), version=seen))
        assert act.kind is CorrectionKind.REJECT
    more(forum, now + timedelta(minutes=1), range(2))
    with forum.transaction() as session, pytest.raises(StaleVersion):
        corrections.reject(session, demand, posts[1:2], hand(now + timedelta(minutes=2), version=seen))


def test_an_act_while_a_run_groups_is_not_written_over(
    forum: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = voiced(forum, now, 24)
    run(forum, now)
    with forum.transaction() as session:
        whole = proposed(session)[0].id
        done = corrections.split(session, whole, posts[:12], hand(now, reason="两个校区")).id
    real, undone = grouping.regroup, []

    def slow(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        if not undone:
            with forum.transaction() as session:
                undone.append(undoing.undo(session, done, hand(now)).id)
        return found

    monkeypatch.setattr(grouping, "regroup", slow)
    more(forum, now + timedelta(seconds=5), range(4))

    assert undone
    with forum.reading() as session:
        stand = places(session)
        assert {stand[post] for post in posts} == {whole}


def test_what_contradicts_is_shown_and_not_settled(forum: Database, now: datetime) -> None:
    here, there = voiced(forum, now, 12), voiced(forum, now, 12, OTHER)
    run(forum, now)
    with forum.transaction() as session:
        first, second = places(session)[here[0]], places(session)[there[0]]
        corrections.confirm(session, first, here[:1], hand(now))
    with pytest.raises(Conflict) as refused, forum.transaction() as session:
        corrections.move(session, first, here[:1], second, hand(now))
    assert refused.value.problem_code == "contradicts"
    assert [(one["post"], one["demand"], one["belongs"]) for one in refused.value.extra["facts"]] == [
        (here[0], first, True)
    ]
    with forum.transaction() as session:
        corrections.move(session, first, here[:1], second, hand(now, insists=True))
        told = session.exec(select(DemandFact).where(DemandFact.post_id == here[0])).all()
        assert {(one.demand_id, one.belongs) for one in told} == {(first, False), (second, True)}
        # Two words that came in beside each other: neither gives way by itself.
        session.add(
            DemandFact(
                demand_id=first,
                post_id=there[1],
                belongs=True,
                reason="",
                decided_by="account:a",
                decided_at=now,
            )
        )
        corrections.confirm(session, second, there[2:3], hand(now))
        session.add(
            DemandFact(
                demand_id=second,
                post_id=there[1],
                belongs=True,
                reason="",
                decided_by="account:b",
                decided_at=now,
            )
        )
    more(forum, now + timedelta(hours=1), range(3))
    with forum.reading() as session:
        shown = facts.contradictions(session)
    assert [(one.post_id, set(one.demands)) for one in shown] == [(there[1], {first, second})]
    assert len(shown[0].facts) == 2


def test_what_an_act_refuses(forum: Database, now: datetime) -> None:
    here, there = voiced(forum, now, 12), voiced(forum, now, 12, OTHER)
    run(forum, now)
    with forum.transaction() as session:
        first, second = places(session)[here[0]], places(session)[there[0]]
        elsewhere = hand(now, reaches=lambda path: path == OTHER)
        out_of_reach: tuple[Callable[[], object], ...] = (
            lambda: corrections.confirm(session, first, here[:1], elsewhere),
            lambda: corrections.merge(session, second, first, elsewhere),
            lambda: corrections.confirm(session, first, there[:1], hand(now)),
            lambda: corrections.confirm(session, "0" * 32, here[:1], hand(now)),
        )
        for act in out_of_reach:
            with pytest.raises(NotFound):
                act()
        without_sense: tuple[Callable[[], object], ...] = (
            lambda: corrections.split(session, first, here, hand(now)),
            lambda: corrections.confirm(session, first, [], hand(now)),
            lambda: corrections.merge(session, first, first, hand(now)),
            lambda: corrections.rename(session, first, "  ", hand(now)),
        )
        for refused in without_sense:
            with pytest.raises(InvalidInput):
                refused()
        with pytest.raises(StaleVersion):
            corrections.rename(session, first, "热水", hand(now, version=99))
        for demand in (first, second):
            session.get_one(Demand, demand).state = DemandState.VERIFIED
        session.flush()
        with pytest.raises(Conflict, match="both"):
            corrections.merge(session, first, second, hand(now))
        session.get_one(Demand, first).state = DemandState.CLOSED
        session.flush()
        with pytest.raises(Conflict, match="closed"):
            corrections.confirm(session, first, here[:1], hand(now))


def test_a_handful_in_concert_makes_no_demand_and_the_first_proposal_keeps_its_delay(
    forum: Database, now: datetime
) -> None:
    voiced(forum, now, 8)
    with forum.transaction() as session:
        for time in range(3):
            for account in range(3):
                at = now - timedelta(hours=5 - time, minutes=account)
                publish(session, "宿舍晚上又没有热水洗澡，管理处快修", f"ring-{account}", at)
    run(forum, now)
    with forum.reading() as session:
        assert proposed(session) == []
        gathering = session.exec(select(Demand).where(Demand.in_concert == 2)).one()
        assert gathering.authors == 9
    late = now + timedelta(minutes=3)
    with forum.transaction() as session:
        for number in range(3):
            publish(
                session,
                f"宿舍没有热水洗澡{'！' * number}",
                f"tenth-{number}",
                late + timedelta(seconds=number),
            )
    run(forum, late + timedelta(seconds=30))
    with forum.reading() as session:
        demand = proposed(session)[0]
        assert (demand.delay_seconds, demand.delay_posts) == (30.0, 2)
        assert (demand.authors, demand.in_concert) == (12, 2)
