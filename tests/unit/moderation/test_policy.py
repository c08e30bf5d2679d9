from pathlib import Path
from typing import Any

import pytest
import yaml

from models.errors import CharterViolation, ConfigurationError, TingjianError
from models.vocabulary import CLAUSES, Category, Verdict
from moderation.normalise import ViewName
from moderation.policy import Band, Evidence, decide, load_policy
from moderation.rules import Group, Hit, Rule, RuleAction
from moderation.settings import SHIPPED_POLICY

POLICY = load_policy(SHIPPED_POLICY)


def hit(category: Category, action: RuleAction = RuleAction.HOLD, name: str = "pack.rule") -> Hit:
    clause = CLAUSES[category].number
    views = frozenset({ViewName.PLAIN})
    return Hit(
        Rule(name, "pack", category, clause, action, "why", "who", views, (Group(frozenset({0})),)), ((0, 1),)
    )


def test_nothing_found_is_published() -> None:
    assert decide(Evidence([], {}), POLICY).verdict is Verdict.PUBLISH


def test_a_rule_that_asks_for_removal_without_proof_holds() -> None:
    assert decide(Evidence([hit(Category.SPAM, RuleAction.REMOVE)], {}), POLICY).verdict is Verdict.HOLD


def test_self_harm_outranks_a_violation_in_the_same_post() -> None:
    decision = decide(Evidence([hit(Category.SPAM), hit(Category.SELF_HARM)], {}), POLICY)

    assert (decision.verdict, decision.category) == (Verdict.REFER, Category.SELF_HARM)


def test_the_category_is_the_one_with_the_most_certain_evidence() -> None:
    decision = decide(Evidence([hit(Category.HATE)], {Category.HARASSMENT: 0.999}), POLICY)

    assert decision.category is Category.HATE


def test_between_rules_of_two_categories_the_more_specific_is_cited() -> None:
    decision = decide(
        Evidence([hit(Category.SPAM), hit(Category.ILLEGAL_GOODS)], {Category.SPAM: 1.0}), POLICY
    )

    assert decision.category is Category.ILLEGAL_GOODS


def test_a_signal_and_a_middling_probability_hold_together() -> None:
    signal = hit(Category.THREAT, RuleAction.SIGNAL)
    middling = {Category.THREAT: POLICY.bands[Category.THREAT].with_signal}

    assert decide(Evidence([signal], {}), POLICY).verdict is Verdict.PUBLISH
    assert decide(Evidence([], middling), POLICY).verdict is Verdict.PUBLISH
    assert decide(Evidence([signal], middling), POLICY).verdict is Verdict.HOLD


def test_two_different_signals_of_one_category_hold() -> None:
    one, two = (hit(Category.SCAM, RuleAction.SIGNAL, name) for name in ("pack.one", "pack.two"))

    assert decide(Evidence([one, two], {}), POLICY).verdict is Verdict.HOLD
    assert decide(Evidence([one, one], {}), POLICY).verdict is Verdict.PUBLISH


def test_a_probability_alone_never_acts_on_a_post_that_talks_about_words() -> None:
    sure = {Category.HATE: 1.0}

    assert decide(Evidence([], sure), POLICY).verdict is Verdict.HOLD
    assert decide(Evidence([], sure, about_words=True), POLICY).verdict is Verdict.PUBLISH
    assert decide(Evidence([hit(Category.HATE)], sure, about_words=True), POLICY).verdict is Verdict.HOLD


def test_a_signal_lends_a_probability_no_weight_on_a_post_that_talks_about_words() -> None:
    signal = hit(Category.HATE, RuleAction.SIGNAL)

    quoting = Evidence([signal], {Category.HATE: 1.0}, about_words=True)

    assert decide(quoting, POLICY).verdict is Verdict.PUBLISH


def test_who_gathers_people_neither_sells_nor_exposes_by_probability_alone() -> None:
    sure = {Category.SPAM: 1.0}

    assert decide(Evidence([], sure), POLICY).verdict is Verdict.HOLD
    assert decide(Evidence([], sure, gathers=True), POLICY).verdict is Verdict.PUBLISH
    assert decide(Evidence([hit(Category.SPAM)], sure, gathers=True), POLICY).verdict is Verdict.HOLD
    assert decide(Evidence([], {Category.DOXXING: 1.0}, gathers=True), POLICY).verdict is Verdict.PUBLISH
    assert decide(Evidence([], {Category.SCAM: 1.0}, gathers=True), POLICY).verdict is Verdict.HOLD


def test_a_very_short_post_needs_a_signal_beside_a_probability() -> None:
    sure, signal = {Category.HARASSMENT: 1.0}, hit(Category.HARASSMENT, RuleAction.SIGNAL)

    assert decide(Evidence([], sure, little=True), POLICY).verdict is Verdict.PUBLISH
    assert decide(Evidence([signal], sure, little=True), POLICY).verdict is Verdict.HOLD
    assert decide(Evidence([], {Category.SELF_HARM: 1.0}, little=True), POLICY).verdict is Verdict.REFER


def test_a_person_in_danger_is_referred_however_the_post_is_written() -> None:
    assert decide(Evidence([], {Category.SELF_HARM: 1.0}, about_words=True), POLICY).verdict is Verdict.REFER


def written(folder: Path, **given: Any) -> Path:
    document = yaml.safe_load(SHIPPED_POLICY.read_text(encoding="utf-8"))
    document.update(given)
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_a_proven_rule_removes(tmp_path: Path) -> None:
    proof = [{"rule": "pack.rule", "lower_bound": 0.985, "measured_on": "a test"}]
    policy = load_policy(written(tmp_path, proven=proof))

    assert decide(Evidence([hit(Category.SPAM, RuleAction.REMOVE)], {}), policy).verdict is Verdict.REMOVE
    assert decide(Evidence([hit(Category.SPAM, RuleAction.HOLD)], {}), policy).verdict is Verdict.HOLD


def bands(**given: Any) -> dict[str, Any]:
    document = yaml.safe_load(SHIPPED_POLICY.read_text(encoding="utf-8"))["bands"]
    return {**document, **given}


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"bands": bands(politics={"review": 0.9, "with_signal": 0.6})}, CharterViolation),
        ({"bands": bands(self_harm={"review": 0.9, "with_signal": 0.6, "takedown": 0.99})}, CharterViolation),
        ({"level": 0.9}, CharterViolation),
        ({"signals": 1}, CharterViolation),
        ({"proven": [{"rule": "x", "lower_bound": 0.9, "measured_on": "y"}]}, CharterViolation),
        ({"bands": bands(spam={"review": 0.3, "with_signal": 0.1})}, ConfigurationError),
        ({"bands": bands(spam={"review": 0.6, "with_signal": 0.9})}, ConfigurationError),
        ({"bands": bands(spam={"review": 0.9})}, ConfigurationError),
        ({"bands": {"spam": {"review": 0.9, "with_signal": 0.6}}}, ConfigurationError),
        ({"publish_everything": True}, ConfigurationError),
        ({"bands": None}, ConfigurationError),
    ],
)
def test_a_policy_that_would_undo_a_bound_is_refused(
    tmp_path: Path, given: dict[str, Any], error: type[TingjianError]
) -> None:
    with pytest.raises(error):
        load_policy(written(tmp_path, **given))


def test_a_policy_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_policy(tmp_path / "nothing.yaml")


def test_a_probability_alone_may_hold_no_lower_than_beside_a_signal() -> None:
    assert Band(0.4, 0.2).review == 0.4
    for review, with_signal in ((0.39, 0.3), (0.5, 0.19)):
        with pytest.raises(ValueError, match=r"review >= 0\.4"):
            Band(review, with_signal)
