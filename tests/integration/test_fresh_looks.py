"""What follows from a granted objection: fresh looks at the like of it, and a case by reference."""

from datetime import datetime, timedelta

import pytest
from sqlmodel import col, select

from models.account import Account, Grant
from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import Conflict, NotFound, NotPermitted
from models.post import Post
from models.review import Appeal, Decision, FreshLook, RegressionCase, Statement
from models.vocabulary import Action, AppealState, Category, PostState, Role, Topic, Verdict
from moderation import appeals, fresh_looks, regression
from moderation.outcomes import judgements, precisions
from tests.support.posting import COLLEAGUE, OFFICER, SOURCE, messages, send
from tests.support.screeners import ScriptedScreener
from tests.support.services import Platform

SCOPE = ["gd"]
TEXT = "招聘兼职刷单员的都是骗子，同学们千万不要相信，我上周就被骗了三百块钱"
NEARLY = "招聘兼职刷单员的都是骗子，同学们千万不要相信啊，我上周就被骗了五百块钱"
OTHER = "刷单日结，名额有限，先到先得，联系客服领取任务，当天结算不拖欠"
THIRD = "0" * 31 + "3"


@pytest.fixture
def platform(database: Database, now: datetime) -> Platform:
    made = Platform(database, now)
    with database.transaction() as session:
        session.add(Account(id=THIRD, login="third", name="third", password="-", created_at=now))
        session.flush()
        session.add(Grant(account_id=THIRD, role=Role.OFFICER, organisation="gd", granted_at=now))
    return made


def post_of(database: Database, external_id: str) -> Post:
    with database.reading() as session:
        return session.exec(select(Post).where(col(Post.external_id) == external_id)).one()


def grant(database: Database, external_id: str, now: datetime) -> Appeal:
    """Object to the removal of a post, and grant it."""
    with database.transaction() as session:
        statement = session.exec(
            select(Statement)
            .join(Post, col(Post.id) == col(Statement.post_id))
            .where(col(Post.external_id) == external_id)
        ).one()
        appeal = appeals.submit(session, statement.token, "我是在提醒大家", now=now)
    with database.transaction() as session:
        return appeals.decide(
            session, appeal.id, COLLEAGUE, AppealState.REVERSED, answer="已恢复", scope=SCOPE, now=now
        )


def looks(database: Database) -> list[FreshLook]:
    with database.reading() as session:
        return list(session.exec(select(FreshLook)))


def test_the_like_of_a_restored_post_is_proposed_once_and_nothing_else(
    platform: Platform, now: datetime
) -> None:
    database = platform.database
    for number, text in (("1", TEXT), ("2", NEARLY), ("3", OTHER), ("4", TEXT)):
        send(database, now, external_id=number, text=text)
    grant(database, "1", now)

    assert fresh_looks.propose_due(database, now).proposed == 2
    assert fresh_looks.propose_due(database, now) == fresh_looks.LooksReport(0, 0)

    like = {post_of(database, number).id for number in ("2", "4")}
    assert {one.post_id for one in looks(database)} == like
    assert post_of(database, "2").state is PostState.REMOVED, "nothing is restored by likeness alone"
    with database.reading() as session:
        assert first_break(session) is None
        assert fresh_looks.count_open(session, SCOPE) == 2
        assert fresh_looks.count_open(session, ["gd/foshan"]) == 0


def test_a_fresh_look_restores_counts_against_the_rule_and_tells_the_platform(
    platform: Platform, now: datetime
) -> None:
    database = platform.database
    for number, text in (("1", TEXT), ("2", NEARLY)):
        send(database, now, external_id=number, text=text)
    grant(database, "1", now)
    fresh_looks.propose_due(database, now)
    (look,) = looks(database)

    with database.transaction() as session:
        fresh_looks.settle(session, look.id, THIRD, restore=True, scope=SCOPE, now=now)

    assert post_of(database, "2").state is PostState.PUBLISHED
    with database.reading() as session:
        counted = precisions(judgements(session, now, now + timedelta(minutes=1)).values())
        told = [one for one in messages(session) if one.topic is Topic.POST_DECIDED]
        standing = session.exec(select(Statement).where(col(Statement.withdrawn_at).is_(None))).all()
        actions = set(session.exec(select(AuditEntry.action)))
    assert counted["test/scam"].overturned == 2
    assert [one.payload["state"] for one in told] == ["published"]
    assert standing == []
    assert {"fresh_look.proposed", "fresh_look.restored"} <= actions
    with pytest.raises(Conflict), database.transaction() as session:
        fresh_looks.settle(session, look.id, THIRD, restore=True, scope=SCOPE, now=now)


def test_a_removal_that_is_left_stays_and_whoever_decided_it_does_not_look(
    platform: Platform, now: datetime
) -> None:
    database = platform.database
    for number, text in (("1", TEXT), ("2", NEARLY)):
        send(database, now, external_id=number, text=text)
    grant(database, "1", now)
    fresh_looks.propose_due(database, now)
    (look,) = looks(database)
    with database.transaction() as session:
        statement = session.get_one(Statement, look.statement_id)
        session.add(
            Decision(
                post_id=look.post_id,
                revision=1,
                screening_id=statement.screening_id,
                account_id=OFFICER,
                action=Action.REMOVE,
                category=Category.SCAM,
                reason="-",
                machine_verdict=Verdict.REMOVE,
                decided_at=now,
            )
        )

    with pytest.raises(NotPermitted), database.transaction() as session:
        fresh_looks.settle(session, look.id, OFFICER, restore=False, scope=SCOPE, now=now)
    with pytest.raises(NotFound), database.transaction() as session:
        fresh_looks.settle(session, look.id, THIRD, restore=False, scope=["gd/foshan"], now=now)
    with database.transaction() as session:
        assert [one.may_decide for one in fresh_looks.waiting(session, SCOPE, OFFICER)] == [False]
        fresh_looks.settle(session, look.id, THIRD, restore=False, scope=SCOPE, now=now)

    assert post_of(database, "2").state is PostState.REMOVED
    with database.reading() as session:
        assert fresh_looks.waiting(session, SCOPE, THIRD) == []


def test_proposals_are_listed_and_settled_over_http_and_on_the_page(
    platform: Platform, now: datetime
) -> None:
    for number, text in (("1", TEXT), ("2", NEARLY), ("3", TEXT)):
        send(platform.database, now, external_id=number, text=text)
    grant(platform.database, "1", now)
    fresh_looks.propose_due(platform.database, now)
    officer = platform.officer(THIRD)

    shown = officer.get("/appeals").text
    listed = officer.get("/v1/appeals/fresh-looks").json()
    assert len(listed) == 2
    assert "建议重新查看" in shown
    assert listed[0]["may_decide"] is True
    answer = officer.post(f"/v1/appeals/fresh-looks/{listed[0]['id']}", json={"restore": True})
    assert answer.json()["restored"] is True
    form = {"restore": "false", "csrf": "csrf-of-a-test"}
    left = officer.post(f"/appeals/fresh-looks/{listed[1]['id']}", data=form, follow_redirects=False)
    assert left.headers["location"] == "/appeals?done=look_left"
    assert officer.get("/v1/appeals/fresh-looks").json() == []


def test_a_granted_objection_leaves_a_case_without_a_text_that_a_deletion_takes_with_it(
    platform: Platform, now: datetime
) -> None:
    database = platform.database
    send(database, now, external_id="1", text=TEXT)
    send(database, now, external_id="2", text=NEARLY)
    grant(database, "1", now)
    fresh_looks.propose_due(database, now)

    with database.reading() as session:
        (case,) = session.exec(select(RegressionCase)).all()
        assert (case.rules, case.category) == (["test/scam"], Category.SCAM)
        assert "骗子" not in str(case.model_dump())
        again = regression.ask(session, ScriptedScreener())
        learnt = regression.ask(session, ScriptedScreener({}))
    assert (again.cases, [one.by for one in again.regressions]) == (1, [("test/scam",)])
    assert (learnt.cases, learnt.regressions) == (1, ())

    for number in ("1", "2"):
        assert platform.forum.delete(f"/v1/posts/{SOURCE}/{number}").status_code == 200
    with database.reading() as session:
        assert session.exec(select(RegressionCase)).all() == []
        assert session.exec(select(FreshLook)).all() == []
        assert regression.ask(session, ScriptedScreener()).cases == 0
