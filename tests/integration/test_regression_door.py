"""Nothing is switched on that would act again on a post which a granted objection restored."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlmodel import select

from models.database import Database
from models.errors import CharterViolation
from models.post import Post
from models.review import RegressionCase
from models.rulebook import RulebookEdition
from models.vocabulary import AppealState, Category, RuleState, Verdict
from moderation import editions, regression, switching
from moderation.editions import Change
from moderation.proposals import Proposal, ProposalKind
from moderation.regression import Asked, Regression, worse
from moderation.running import RunningScreener
from tests.support import posting
from tests.support.bundles import WrittenBundle
from tests.support.deciding import object_to
from tests.support.rulebooks import pack_text, rule, running

RESTORED = "独家祖传秘方包瘦十斤，都是骗人的"
ERRED = "招代理了，这种话不要信"
PACK = Proposal(
    ProposalKind.PACK,
    source=pack_text(rule(id="operator.diet", any=["祖传秘方"], tests={"hit": ["独家祖传秘方包瘦"]})),
)
BANDS = Proposal(ProposalKind.BANDS, bands={Category.SPAM: (0.65, 0.5)})
OLD = Proposal(ProposalKind.RULE, rule="spam.test")


@pytest.fixture
def screener(database: Database, tmp_path: Path, now: datetime) -> RunningScreener:
    """What runs lets one restored post through, and errs on another as it did before."""
    with database.transaction() as session:
        posting.plant(session, now)
    screener = running(
        database, tmp_path, rule(), bundle=WrittenBundle(harms={RESTORED: {Category.SPAM: 0.7}})
    )
    for external_id, text in (("restored", RESTORED), ("erred", ERRED)):
        posting.send(database, now, screener=screener, external_id=external_id, text=text)
        with database.transaction() as session:
            post = session.exec(select(Post).where(Post.external_id == external_id)).one()
            appeal = object_to(session, post.id, AppealState.REVERSED, now)
            session.add(
                RegressionCase(
                    appeal_id=appeal.id, post_id=post.id, revision=1, rules=["spam.test"], added_at=now
                )
            )
    return screener


def test_a_pack_a_threshold_and_a_way_back_are_refused_for_a_restored_post(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    change = Change("account:tester", "a test", now)

    def switch(proposal: Proposal, state: RuleState) -> None:
        switching.switch(database, screener.base, proposal, state, change)

    def refused(act: Callable[[], object]) -> str:
        with database.reading() as session:
            before = editions.newest_number(session)
        with pytest.raises(CharterViolation) as caught:
            act()
        with database.reading() as session:
            assert editions.newest_number(session) == before
        assert caught.value.problem_code == "regression"
        assert "秘方" not in caught.value.detail, "no text of a post in an error"
        return caught.value.detail

    with database.reading() as session:
        restored = session.exec(select(Post.id).where(Post.external_id == "restored")).one()
        erred = session.exec(select(Post.id).where(Post.external_id == "erred")).one()
        assert [one.post_id for one in regression.ask(session, screener).regressions] == [erred]
    said = refused(lambda: switch(PACK, RuleState.ACTIVE))
    assert f"post {restored}, revision 1: hold by operator.diet" in said
    assert erred not in said, "what errs today already refuses nothing else"
    assert restored in refused(lambda: switch(BANDS, RuleState.ACTIVE))

    switch(PACK, RuleState.SHADOW)  # a rule that is tried acts on nobody
    refused(lambda: switch(Proposal(ProposalKind.RULE, rule="operator.diet"), RuleState.ACTIVE))
    switch(OLD, RuleState.RETIRED)  # the rule that erred is taken away, and does not come back
    assert erred in refused(lambda: switch(OLD, RuleState.ACTIVE))
    refused(lambda: switching.roll_back(database, screener.base, None, change))
    with database.reading() as session:
        assert session.exec(select(RulebookEdition.action)).all() == ["pack.shadowed", "rule.retired"]


def test_more_severe_or_by_something_more_is_worse_and_the_same_is_not() -> None:
    def asked(verdict: Verdict, *by: str) -> Asked:
        return Asked(1, (Regression("post", 1, verdict, by),))

    before = asked(Verdict.HOLD, "a", "b")

    assert worse(before, asked(Verdict.HOLD, "a")) == ()
    assert worse(before, asked(Verdict.HOLD, "a", "b")) == ()
    for after in (asked(Verdict.REMOVE, "a"), asked(Verdict.HOLD, "c")):
        assert worse(before, after) == after.regressions
        assert worse(Asked(1, ()), after) == after.regressions
