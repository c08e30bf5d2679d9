"""A candidate on stored posts: what it would have done, on both databases, however often it is broken off."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from models.audit import AuditEntry
from models.database import Database
from models.errors import ConfigurationError, Conflict, InvalidInput
from models.post import Post
from models.rulebook import Backtest
from models.vocabulary import Action, BacktestState, Category, PostState, RuleState, Verdict
from moderation import backtest, backtest_counts, backtest_sample, switching
from moderation.editions import Change
from moderation.intake import take
from moderation.proposals import Proposal, ProposalKind
from moderation.running import RunningScreener
from tests.support import deciding, posting
from tests.support.bundles import WrittenBundle
from tests.support.rulebooks import pack_text, rule, running

SALE = "招代理了，有意的来"
DIET = "独家祖传秘方包瘦十斤"
BOTH = "招代理了，祖传秘方包教会"
HARMLESS = "图书馆周末几点开门"
CANDIDATE = pack_text(rule(id="operator.diet", any=["祖传秘方"], tests={"hit": [DIET]}))


@pytest.fixture
def screener(database: Database, tmp_path: Path, now: datetime) -> RunningScreener:
    with database.transaction() as session:
        posting.plant(session, now)
    return running(database, tmp_path, rule(), bundle=WrittenBundle())


def store(
    database: Database, screener: RunningScreener, now: datetime, texts: Sequence[str], **given: Any
) -> list[str]:
    """Take posts in, one author each; return their ids."""
    prefix = given.pop("prefix", "p")
    drafts = [
        posting.a_draft(now, external_id=f"{prefix}{number}", author=f"u{number}", text=text, **given)
        for number, text in enumerate(texts)
    ]
    taken = take(database, screener, drafts, caller=posting.CALLER, keys=posting.KEYS, now=now)
    return [one.answer.id for one in taken if one.answer]


def request(
    database: Database,
    now: datetime,
    proposal: Proposal | None = None,
    *,
    organisation: str = "gd",
    days: int = 1,
) -> Backtest:
    with database.transaction() as session:
        return backtest.request(
            session,
            proposal or Proposal(ProposalKind.PACK, source=CANDIDATE),
            backtest.Period(organisation, now - timedelta(days=days), now + timedelta(days=1)),
            Change("account:tester", "a test", now),
        )


def run_out(database: Database, screener: RunningScreener, now: datetime, run: Backtest) -> Backtest:
    """Work on a run until nothing is left to do."""
    while backtest.backtest_due(database, screener.base, lambda: now).run is not None:
        pass
    return stored(database, run)


def stored(database: Database, run: Backtest) -> Backtest:
    with database.reading() as session:
        return backtest.find(session, run.id)


def test_a_pack_is_tried_and_nothing_else_changes(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    diets = store(database, screener, now, [DIET, HARMLESS, DIET, BOTH, SALE])
    with database.transaction() as session:
        deciding.decide(session, diets[0], Action.REMOVE, now)
        deciding.decide(session, diets[2], Action.PUBLISH, now)

    run = run_out(database, screener, now, request(database, now))
    found = backtest_counts.figures(run)

    assert run.state is BacktestState.DONE
    assert (found["posts"], found["hits"], found["hits_no_other_rule_makes"]) == (5, 3, 2)
    assert found["by_rule"] == {"operator.diet": 3}
    assert found["overlap"] == {"spam.test": 1}
    assert found["changes"] == {"publish>hold": 2}
    assert found["past_verdicts"] == {"publish": 2, "hold": 1}
    assert found["decided"] == {"remove:spam": 1, "publish": 1}
    assert (found["confirmed"], found["overturned"], found["precision"]) == (1, 1, 0.5)
    assert 0.0 < found["precision_low"] < 0.5 < found["precision_high"] < 1.0
    assert screener.refresh().screen([DIET])[0].verdict is Verdict.PUBLISH
    with database.reading() as session:
        states = set(session.exec(select(Post.state)))
    assert states == {PostState.PUBLISHED, PostState.HELD}


def test_it_reads_the_posts_of_the_place_and_the_period_alone(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    store(database, screener, now, [DIET] * 2, organisation="gd/dongguan/houjie")
    store(database, screener, now, [DIET] * 3, organisation="gd/foshan", prefix="f")
    store(database, screener, now, [DIET], created_at=now - timedelta(days=9), prefix="o")

    def judged(**given: Any) -> int:
        return run_out(database, screener, now, request(database, now, **given)).judged

    assert (judged(organisation="gd/dongguan"), judged(), judged(days=20)) == (2, 5, 6)


def test_a_rule_in_shadow_is_tried_on_and_an_active_one_off(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    store(database, screener, now, [SALE, HARMLESS])
    one = Proposal(ProposalKind.RULE, rule="spam.test")
    off = backtest_counts.figures(run_out(database, screener, now, request(database, now, one)))
    switching.switch(database, screener.base, one, RuleState.SHADOW, Change("account:tester", "a test", now))
    on = backtest_counts.figures(run_out(database, screener, now, request(database, now, one)))

    assert (off["hits"], off["changes"]) == (1, {"hold>publish": 1})
    assert (on["hits"], on["changes"]) == (1, {"publish>hold": 1})


def test_thresholds_are_tried(database: Database, tmp_path: Path, now: datetime) -> None:
    with database.transaction() as session:
        posting.plant(session, now)
    screener = running(
        database, tmp_path, rule(), bundle=WrittenBundle(harms={HARMLESS: {Category.SPAM: 0.7}})
    )
    store(database, screener, now, [HARMLESS, SALE])
    bands = Proposal(ProposalKind.BANDS, bands={Category.SPAM: (0.6, 0.5)})

    found = backtest_counts.figures(run_out(database, screener, now, request(database, now, bands)))

    assert (found["hits"], found["changes"]) == (1, {"publish>hold": 1})


def test_a_newer_self_of_a_pack_is_compared_with_the_older_one(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    change = Change("account:tester", "a test", now)
    older = Proposal(ProposalKind.PACK, source=CANDIDATE)
    switching.switch(database, screener.base, older, RuleState.ACTIVE, change)
    store(database, screener, now, [DIET, "每天一杯魔力茶", HARMLESS])
    newer = pack_text(rule(id="operator.diet", any=["魔力茶"], tests={"hit": ["魔力茶"]}))

    found = backtest_counts.figures(
        run_out(database, screener, now, request(database, now, Proposal(ProposalKind.PACK, source=newer)))
    )

    assert found["changes"] == {"hold>publish": 1, "publish>hold": 1}


def test_a_run_goes_on_where_it_stopped(
    database: Database, screener: RunningScreener, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "BATCH", 2)
    store(database, screener, now, [DIET, HARMLESS] * 3)
    run = request(database, now)

    first = backtest.backtest_due(database, screener.base, lambda: now, seconds=0.0)
    half = stored(database, run)
    whole = run_out(database, screener, now, run)

    assert (first.judged, half.judged, half.state) == (2, 2, BacktestState.RUNNING)
    assert (whole.judged, backtest_counts.figures(whole)["hits"]) == (6, 3)


def test_a_worker_that_was_killed_loses_its_lease_and_another_goes_on(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    store(database, screener, now, [DIET])
    run = request(database, now)
    with database.transaction() as session:
        killed = backtest.find(session, run.id)
        killed.state, killed.lease, killed.leased_until = BacktestState.RUNNING, "gone", now + backtest.LEASE
        session.add(killed)

    assert backtest.backtest_due(database, screener.base, lambda: now).run is None
    later = now + backtest.LEASE + timedelta(seconds=1)
    assert run_out(database, screener, later, run).state is BacktestState.DONE


def test_counts_under_two_rulebooks_are_not_added_up(
    database: Database, screener: RunningScreener, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "BATCH", 1)
    store(database, screener, now, [DIET, BOTH])
    run = request(database, now)
    backtest.backtest_due(database, screener.base, lambda: now, seconds=0.0)
    switching.switch(
        database,
        screener.base,
        Proposal(ProposalKind.RULE, rule="spam.test"),
        RuleState.RETIRED,
        Change("account:tester", "a test", now),
    )

    whole = run_out(database, screener, now, run)

    assert (whole.judged, backtest_counts.figures(whole)["changes"]) == (2, {"publish>hold": 2})
    assert whole.rulebook.endswith("+1")


def test_a_cancelled_run_stops_after_the_batch_in_hand(
    database: Database, screener: RunningScreener, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest, "BATCH", 2)
    store(database, screener, now, [DIET, HARMLESS] * 3)
    run = request(database, now)
    with database.transaction() as session:
        mine = backtest.find(session, run.id)
        mine.state, mine.lease, mine.leased_until = BacktestState.RUNNING, "mine", now + backtest.LEASE
        session.add(mine)

    def cancel(judged: int, posts: int) -> None:
        assert (judged, posts) == (2, 6)
        with database.transaction() as session:
            backtest.cancel(session, run, actor="account:tester", now=now)

    judged = backtest.work(database, screener.base, run.id, "mine", lambda: now, told=cancel)

    ended = stored(database, run)
    assert (judged, ended.judged, ended.state) == (4, 2, BacktestState.CANCELLED)
    with pytest.raises(Conflict), database.transaction() as session:
        backtest.cancel(session, run, actor="account:tester", now=now)


def test_a_candidate_that_the_door_refuses_searches_for_nothing(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    store(database, screener, now, ["有人在谈上访"])
    opinion = pack_text(rule(id="operator.calm", any=["上访"], tests={"hit": ["上访"]}))

    run = run_out(
        database, screener, now, request(database, now, Proposal(ProposalKind.PACK, source=opinion))
    )

    assert (run.state, run.judged) == (BacktestState.FAILED, 0)
    assert "operator.yaml:4: rule operator.calm acts on" in (run.problem or "")


def test_the_sample_is_bounded_holds_no_text_and_every_look_is_audited(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    ids = store(database, screener, now, [DIET] * 60 + [BOTH] * 2)
    run = run_out(database, screener, now, request(database, now))
    sample = run.tallies["sample"]
    with database.transaction() as session:
        post = session.get_one(Post, ids[0])
        post.state = PostState.DELETED
        session.add(post)
    with database.transaction() as session:
        seen = backtest_sample.passages(
            session, run, lambda place: place == "gd/dongguan", actor="account:one", now=now
        )
        assert backtest_sample.passages(session, run, lambda _: False, actor="account:two", now=now) == []
    with database.reading() as session:
        looks = session.exec(
            select(AuditEntry).where(col(AuditEntry.action) == "backtest.posts_viewed")
        ).all()

    assert len(sample) == backtest_counts.PER_CHANGE + 2
    assert "祖传" not in str(run.tallies)
    assert len(seen) == len(sample) - 1
    assert [seen[0].text[start:end] for start, end in seen[0].spans] == ["祖传秘方"]
    assert [(look.actor, len(look.details["posts"])) for look in looks] == [("account:one", len(seen))]


def test_a_run_needs_a_place_a_period_and_a_pack_that_can_be_read(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    del screener
    with pytest.raises(InvalidInput):
        backtest.Period("gd", now, now)
    with pytest.raises(InvalidInput):
        request(database, now, organisation="gd/nowhere")
    with pytest.raises(ConfigurationError, match=r"proposal\.yaml:2"):
        request(database, now, Proposal(ProposalKind.PACK, source="rules: ["))


def test_not_more_than_so_many_wait(
    database: Database, screener: RunningScreener, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    del screener
    monkeypatch.setattr(backtest, "MOST_WAITING", 1)
    request(database, now)

    with pytest.raises(Conflict, match="too many"):
        request(database, now)
