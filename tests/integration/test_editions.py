"""A rule is tried in shadow, promoted, retired and rolled back while the service runs, on both databases."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import CharterViolation, ConfigurationError, Conflict, InvalidInput, NotFound
from models.rulebook import ProposedPack, RulebookEdition, RuleTally
from models.screening import Screening
from models.vocabulary import Category, RuleState, Verdict
from moderation import editions, switching, tallies
from moderation.editions import Change
from moderation.proposals import Proposal, ProposalKind
from moderation.running import POLL_SECONDS, RunningScreener
from tests.support import posting
from tests.support.bundles import WrittenBundle
from tests.support.rulebooks import pack_text, rule, running

SALE = "招代理了，有意的来"
DIET = "独家祖传秘方包瘦十斤"
HARMLESS = "图书馆周末几点开门"


class Seconds:
    """A clock that stands until it is turned."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def screener(database: Database, tmp_path: Path, now: datetime, seconds: Seconds) -> RunningScreener:
    with database.transaction() as session:
        posting.plant(session, now)
    return running(database, tmp_path, rule(), bundle=WrittenBundle(), clock=seconds)


def change(now: datetime, reason: str = "a test") -> Change:
    return Change("account:tester", reason, now)


def diet(**given: Any) -> str:
    return pack_text(rule(id="operator.diet", any=["祖传秘方"], tests={"hit": [DIET]}, **given))


def pack(source: str) -> Proposal:
    return Proposal(ProposalKind.PACK, source=source)


def named(name: str) -> Proposal:
    return Proposal(ProposalKind.RULE, rule=name)


def verdict(screener: RunningScreener, text: str) -> Verdict:
    return screener.screen([text])[0].verdict


def actions(database: Database) -> list[str]:
    with database.reading() as session:
        assert first_break(session) is None
        return list(session.exec(select(AuditEntry.action).order_by(AuditEntry.sequence)))


def test_a_pack_in_shadow_changes_no_verdict_and_what_it_would_have_done_is_counted(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    switching.switch(database, screener.base, pack(diet()), RuleState.SHADOW, change(now))
    taken = [
        posting.send(database, now, screener=screener, external_id=str(number), text=text)
        for number, text in enumerate([DIET, HARMLESS, DIET])
    ]

    assert [one.answer.verdict for one in taken if one.answer] == [Verdict.PUBLISH] * 3
    with database.reading() as session:
        tally = tallies.silent_since(session, tallies.day_of(now))["operator.diet"]
        rulebooks = set(session.exec(select(Screening.rulebook)))
    assert (tally.posts, dict(tally.answers)) == (2, {"publish>hold": 2})
    assert set(tally.sample) == {one.answer.id for one in taken if one.answer} - {taken[1].answer.id}  # type: ignore[union-attr]
    assert {name.rpartition("+")[2] for name in rulebooks} == {"1"}


def test_promote_retire_and_roll_back_hold_from_the_next_batch_on(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    def switched(proposal: Proposal, state: RuleState) -> Verdict:
        switching.switch(database, screener.base, proposal, state, change(now))
        screener.refresh()
        return verdict(screener, DIET)

    assert verdict(screener, DIET) is Verdict.PUBLISH
    assert switched(pack(diet()), RuleState.SHADOW) is Verdict.PUBLISH
    assert switched(named("operator.diet"), RuleState.ACTIVE) is Verdict.HOLD
    assert switched(named("operator.diet"), RuleState.RETIRED) is Verdict.PUBLISH

    switching.roll_back(database, screener.base, None, change(now, "retired by mistake"))
    screener.refresh()
    assert verdict(screener, DIET) is Verdict.HOLD
    switching.roll_back(database, screener.base, 0, change(now, "back to the files"))
    screener.refresh()
    assert verdict(screener, DIET) is Verdict.PUBLISH
    assert actions(database) == [
        "pack.shadowed",
        "rule.promoted",
        "rule.retired",
        "rulebook.rolled_back",
        "rulebook.rolled_back",
    ]
    with database.reading() as session:
        entry = session.exec(select(AuditEntry).order_by(AuditEntry.sequence.desc())).first()  # type: ignore[attr-defined]
    assert entry is not None
    assert (entry.actor, entry.details["reason"]) == ("account:tester", "back to the files")


def test_a_shipped_rule_can_be_silenced_and_its_revision_says_so(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    before = screener.screen([SALE])[0]
    switching.switch(database, screener.base, named("spam.test"), RuleState.SHADOW, change(now))
    screener.refresh()
    after = screener.screen([SALE])[0]

    assert (before.verdict, after.verdict) == (Verdict.HOLD, Verdict.PUBLISH)
    assert after.rulebook == f"{before.rulebook}+1"
    assert [(trial.subject, trial.verdict) for trial in after.trials] == [("spam.test", Verdict.HOLD)]


def test_a_running_screener_asks_once_a_second_and_never_in_the_middle_of_a_batch(
    database: Database, screener: RunningScreener, now: datetime, seconds: Seconds
) -> None:
    batch = screener.pinned()
    switching.switch(database, screener.base, named("spam.test"), RuleState.RETIRED, change(now))

    assert batch.screen([SALE])[0].verdict is Verdict.HOLD
    assert verdict(screener, SALE) is Verdict.HOLD
    seconds.now += POLL_SECONDS
    assert verdict(screener, SALE) is Verdict.PUBLISH
    assert batch.screen([SALE])[0].verdict is Verdict.HOLD


def test_another_process_takes_the_edition_up_at_its_start(
    database: Database, screener: RunningScreener, now: datetime, tmp_path: Path
) -> None:
    switching.switch(database, screener.base, pack(diet()), RuleState.ACTIVE, change(now))

    assert verdict(running(database, tmp_path, rule(), bundle=WrittenBundle()), DIET) is Verdict.HOLD


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (
            {"any": ["上访"], "tests": {"hit": ["上访"]}},
            CharterViolation,
            r"operator\.yaml:4: rule operator\.diet acts",
        ),
        ({"category": "politics"}, CharterViolation, r"proposal\.yaml:4: .*the list of harms is closed"),
        ({"patterns": ["(((a{900}){900}){900})"]}, ConfigurationError, r"proposal\.yaml:4: .*cannot be used"),
        ({"tests": {"hit": ["别的话"]}}, ConfigurationError, r"operator\.yaml:4: .*must hit"),
        ({"action": "remove"}, CharterViolation, "at most hold"),
    ],
)
@pytest.mark.parametrize("state", [RuleState.ACTIVE, RuleState.SHADOW])
def test_what_the_door_refuses_is_not_even_in_shadow_and_what_runs_stays(
    *,
    database: Database,
    screener: RunningScreener,
    now: datetime,
    given: dict[str, Any],
    error: type[Exception],
    says: str,
    state: RuleState,
) -> None:
    entry = {"any": ["祖传秘方"], "tests": {"hit": [DIET]}, **given}
    source = pack_text(rule(id="operator.diet", **entry))
    running_before = screener.refresh().revision

    with pytest.raises(error, match=says):
        switching.switch(database, screener.base, pack(source), state, change(now))

    assert screener.refresh().revision == running_before
    with database.reading() as session:
        assert session.exec(select(RulebookEdition)).all() == []
        assert session.exec(select(ProposedPack)).all() == []


def test_thresholds_are_tried_in_shadow_and_promoted(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    with database.transaction() as session:
        posting.plant(session, now)
    bundle = WrittenBundle(harms={HARMLESS: {Category.SPAM: 0.7}})
    screener = running(database, tmp_path, rule(), bundle=bundle)
    stricter = Proposal(ProposalKind.BANDS, bands={Category.SPAM: (0.65, 0.5)})

    switching.switch(database, screener.base, stricter, RuleState.SHADOW, change(now))
    screener.refresh()
    tried = screener.screen([HARMLESS])[0]
    switching.switch(database, screener.base, stricter, RuleState.ACTIVE, change(now))
    screener.refresh()
    held = screener.screen([HARMLESS])[0]

    assert (tried.verdict, [one.verdict for one in tried.trials]) == (Verdict.PUBLISH, [Verdict.HOLD])
    assert (held.verdict, held.policy.rpartition("+")[2]) == (Verdict.HOLD, "2")


@pytest.mark.parametrize("pair", [(0.1, 0.1), (0.6, 0.7), (1.2, 0.5)])
def test_thresholds_that_no_policy_can_have_are_refused(
    database: Database, screener: RunningScreener, now: datetime, pair: tuple[float, float]
) -> None:
    wanted = Proposal(ProposalKind.BANDS, bands={Category.SPAM: pair})

    with pytest.raises(InvalidInput):
        switching.switch(database, screener.base, wanted, RuleState.ACTIVE, change(now))


def test_a_change_needs_a_reason_a_rule_and_a_difference(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    with pytest.raises(InvalidInput):
        change(now, " ")
    with pytest.raises(NotFound):
        switching.switch(database, screener.base, named("spam.nothing"), RuleState.RETIRED, change(now))
    with pytest.raises(Conflict):
        switching.switch(database, screener.base, named("spam.test"), RuleState.ACTIVE, change(now))
    with pytest.raises(Conflict):
        switching.roll_back(database, screener.base, None, change(now))


def test_the_slower_of_two_changes_is_refused(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    with database.reading() as session:
        seen = editions.standing_plan(session)
    switching.switch(database, screener.base, named("spam.test"), RuleState.RETIRED, change(now))

    with pytest.raises(Conflict, match="meanwhile"), database.transaction() as session:
        editions.write(session, seen, change(now), action="rule.retired", subject="spam.test")
    assert actions(database) == ["rule.retired"]


def test_a_bundle_that_is_gone_or_changed_is_left_out_and_the_rest_holds(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    with database.transaction() as session:
        plan = editions.standing_plan(session)
        broken = replace(
            plan.edition,
            bundle={"folder": "/nowhere", "manifest": "0" * 64},
            states={"spam.test": RuleState.RETIRED},
        )
        editions.write(session, replace(plan, edition=broken), change(now), action="test", subject="bundle")
    screener.refresh()

    assert verdict(screener, SALE) is Verdict.PUBLISH
    assert screener.bundle is screener.base.bundle


def test_tallies_of_a_day_are_folded_into_one_and_forgotten_after_a_year(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    for number in range(3):
        posting.send(database, now, screener=screener, external_id=str(number), text=SALE)
    later = now + timedelta(days=2)

    assert tallies.fold_due(database, later).folded == 2
    assert tallies.fold_due(database, later).folded == 0
    with database.reading() as session:
        (row,) = session.exec(select(RuleTally)).all()
        assert tallies.hits_since(session, tallies.day_of(now)) == {"spam.test": 3}
    assert (row.subject, row.posts) == ("spam.test", 3)
    assert tallies.fold_due(database, now + timedelta(days=400)).forgotten == 1
