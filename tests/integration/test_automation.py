"""Removal without a person lasts as long as its proof; below the level it ends by itself, and says so."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from models.audit import AuditEntry, first_break
from models.database import Database
from models.errors import CharterViolation, Conflict, NotFound
from models.outbox import OutboxMessage, WebhookEndpoint
from models.rulebook import RulebookEdition, RuleNotice
from models.vocabulary import Action, AppealState, Category, RuleState, Topic, Verdict
from moderation import automation, switching
from moderation.editions import Change
from moderation.intake import take
from moderation.outcomes import SOURCES, Judgement, judgements, precisions
from moderation.policy import Proof
from moderation.precision import Precision, precision_bound
from moderation.proposals import Proposal, ProposalKind
from moderation.running import RunningScreener
from tests.support import deciding, posting
from tests.support.bundles import WrittenBundle
from tests.support.rulebooks import rule, running, write_pack

SALE = "招代理了，有意的来"
SUBJECT = "spam.test"
PROOF = {SUBJECT: Proof(precision_bound(160, 0), "the calibration set")}


@pytest.fixture
def screener(database: Database, tmp_path: Path, now: datetime) -> RunningScreener:
    with database.transaction() as session:
        posting.plant(session, now)
    return running(database, tmp_path, rule(action="remove"), bundle=WrittenBundle(), proven=PROOF)


def posts(database: Database, screener: RunningScreener, now: datetime, count: int) -> list[str]:
    """Send posts in that the rule speaks against; return their ids."""
    drafts = [
        posting.a_draft(now, external_id=f"p{number}", author=f"u{number}", text=SALE)
        for number in range(count)
    ]
    taken = take(database, screener, drafts, caller=posting.CALLER, keys=posting.KEYS, now=now)
    return [one.answer.id for one in taken if one.answer]


def decided(database: Database, found: Sequence[str], now: datetime, *, wrong: int = 0) -> None:
    with database.transaction() as session:
        for number, post in enumerate(found):
            deciding.decide(session, post, Action.PUBLISH if number < wrong else Action.REMOVE, now)


def evidence(database: Database, now: datetime) -> Precision:
    with database.reading() as session:
        return automation.evidence_for(session, SUBJECT, now)


def change(now: datetime) -> Change:
    return Change("account:tester", "a test", now)


def audited(session: Session) -> list[str]:
    assert first_break(session) is None
    return list(session.exec(select(AuditEntry.action).order_by(col(AuditEntry.sequence))))


def test_a_proven_rule_removes_and_two_errors_end_it_by_itself(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    with database.transaction() as session:
        session.add(
            WebhookEndpoint(organisation="gd", url="http://127.0.0.1:9/", secret="whsec_MA==", created_at=now)
        )
    found = posts(database, screener, now, 4)
    assert screener.screen([SALE])[0].verdict is Verdict.REMOVE
    assert automation.review_due(database, screener.base.policy, now).demoted == ()

    decided(database, found, now, wrong=2)
    report = automation.review_due(database, screener.base.policy, now)
    screener.refresh()

    assert report.demoted == (SUBJECT,)
    assert screener.screen([SALE])[0].verdict is Verdict.HOLD
    with database.reading() as session:
        notice = session.exec(select(RuleNotice)).one()
        message = session.exec(select(OutboxMessage).where(OutboxMessage.topic == Topic.RULE_DEMOTED)).one()
        edition = session.exec(select(RulebookEdition)).one()
        assert audited(session)[-1] == "automation.demoted"
    assert "2 of 4 reviewed posts were overturned" in notice.text
    assert (notice.organisation, notice.seen_at) == ("gd", None)
    assert (message.organisation, message.payload["subject"]) == ("gd", SUBJECT)
    assert (edition.actor, edition.reason) == (automation.MACHINE, notice.text)
    assert SALE not in str(message.payload) + notice.text


def test_a_demotion_happens_once(database: Database, screener: RunningScreener, now: datetime) -> None:
    decided(database, posts(database, screener, now, 3), now, wrong=3)

    assert automation.review_due(database, screener.base.policy, now).demoted == (SUBJECT,)
    assert automation.review_due(database, screener.base.policy, now).demoted == ()
    with database.reading() as session:
        assert len(session.exec(select(RuleNotice)).all()) == 1


def test_neither_a_way_back_nor_another_start_undoes_a_demotion(
    database: Database, screener: RunningScreener, now: datetime, tmp_path: Path
) -> None:
    other = Proposal(ProposalKind.RULE, rule=SUBJECT)
    switching.switch(database, screener.base, other, RuleState.SHADOW, change(now))
    switching.switch(database, screener.base, other, RuleState.ACTIVE, change(now))
    decided(database, posts(database, screener, now, 3), now, wrong=3)
    automation.review_due(database, screener.base.policy, now)

    for number in (2, 0):
        switching.roll_back(database, screener.base, number, change(now))
        screener.refresh()
        assert screener.screen([SALE])[0].verdict is Verdict.HOLD
    again = running(database, tmp_path, rule(action="remove"), bundle=WrittenBundle(), proven=PROOF)
    assert again.screen([SALE])[0].verdict is Verdict.HOLD


def test_officers_decisions_prove_an_operators_rule_for_its_clause_and_take_it_back(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    with database.transaction() as session:
        posting.plant(session, now)
    own = write_pack(
        tmp_path / "own", rule(id="operator.sale", any=["招代理"], tests={"hit": [SALE]}), pack="operator"
    )
    screener = running(
        database, tmp_path, rule(any=["别的"], tests={"hit": ["别的"]}), operator=own, bundle=WrittenBundle()
    )
    found = posts(database, screener, now, 150)
    decided(database, found[:148], now)

    with pytest.raises(Conflict, match="148 of 148") as refusal:
        automation.prove(database, screener.base, "operator.sale", change(now))
    assert refusal.value.problem_code == "not_proven"
    decided(database, found[148:149], now)
    automation.prove(database, screener.base, "operator.sale", change(now))
    screener.refresh()
    assert screener.screen([SALE])[0].verdict is Verdict.REMOVE

    decided(database, found[149:], now, wrong=1)
    assert automation.review_due(database, screener.base.policy, now).demoted == ("operator.sale",)
    screener.refresh()
    assert screener.screen([SALE])[0].verdict is Verdict.HOLD
    with database.reading() as session:
        assert [one for one in audited(session) if one.startswith("automation")] == [
            "automation.proven",
            "automation.demoted",
        ]


@pytest.mark.parametrize(
    ("given", "name", "error"),
    [
        ({}, "spam.nothing", NotFound),
        ({"action": "signal"}, SUBJECT, CharterViolation),
        (
            {"id": "self_harm.test", "category": "self_harm", "clause": "H1", "action": "refer"},
            "self_harm.test",
            CharterViolation,
        ),
    ],
)
def test_what_never_removes_cannot_be_proven(
    *,
    database: Database,
    tmp_path: Path,
    now: datetime,
    given: dict[str, str],
    name: str,
    error: type[Exception],
) -> None:
    pack = given.get("id", "spam.").partition(".")[0]
    screener = running(database, tmp_path, rule(), bundle=WrittenBundle())
    write_pack(tmp_path / "packs", rule(**given), pack=pack)
    if pack != "spam":
        (tmp_path / "packs" / "spam.yaml").unlink()

    with pytest.raises(error):
        automation.prove(database, screener.base, name, change(now))


def test_an_objection_that_was_granted_counts_against_the_rule_and_overrules_the_decision(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    first, second, third, fourth = posts(database, screener, now, 4)
    with database.transaction() as session:
        decision = deciding.decide(session, first, Action.REMOVE, now)
        deciding.object_to(session, first, AppealState.REVERSED, now, decision=decision)
        deciding.object_to(session, second, AppealState.REVERSED, now)
        deciding.object_to(session, third, AppealState.UPHELD, now)
        deciding.decide(session, fourth, Action.REMOVE, now, category=Category.SCAM)

    assert evidence(database, now) == Precision(confirmed=1, overturned=3)


def test_a_referral_says_nothing_and_a_decision_that_can_be_undone_is_not_counted_yet(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    first, second, _ = posts(database, screener, now, 3)
    with database.transaction() as session:
        deciding.decide(session, first, Action.REFER, now)
        deciding.decide(session, second, Action.REMOVE, now, leaves_at=now + timedelta(seconds=30))

    assert evidence(database, now) == Precision()
    assert evidence(database, now + timedelta(minutes=1)) == Precision(confirmed=1)


def test_what_was_decided_long_ago_counts_no_longer(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    decided(database, posts(database, screener, now, 2), now, wrong=2)

    later = now + automation.LOOKS_BACK + timedelta(days=1)
    assert evidence(database, later) == Precision()


def test_a_further_kind_of_review_is_a_further_source(
    database: Database, screener: RunningScreener, now: datetime
) -> None:
    (post,) = posts(database, screener, now, 1)
    with database.transaction() as session:
        deciding.decide(session, post, Action.REMOVE, now)
        (said,) = judgements(session, now, now).values()

        def sampled(*_: object) -> list[Judgement]:
            return [replace(said, action=Action.PUBLISH, category=None)]

        found = judgements(session, now, now, sources=(*SOURCES, sampled))

    assert precisions(found.values())[SUBJECT] == Precision(overturned=1)


def test_a_notice_is_seen_once(database: Database, screener: RunningScreener, now: datetime) -> None:
    decided(database, posts(database, screener, now, 3), now, wrong=3)
    automation.review_due(database, screener.base.policy, now)
    with database.transaction() as session:
        (notice,) = automation.open_notices(session)
        automation.see(session, notice.id, actor="account:one", now=now)
        seen = automation.see(session, notice.id, actor="account:two", now=now)
        assert automation.open_notices(session) == []
        with pytest.raises(NotFound):
            automation.see(session, "nothing", actor="account:one", now=now)
    assert seen.seen_by == "account:one"
