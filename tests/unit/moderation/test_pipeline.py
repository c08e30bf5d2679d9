from pathlib import Path

import pytest

from learning.bundle import load_bundle
from models.errors import CharterViolation
from models.vocabulary import Category, ReasonSource, Verdict
from moderation.pipeline import Screener, load_screener, protected_breaches
from moderation.policy import load_policy
from moderation.protected import load_suite
from moderation.settings import SHIPPED_POLICY, SHIPPED_SUITE, ModerationSettings
from tests.support.bundles import WrittenBundle
from tests.support.rulebooks import rule, rulebook, write_pack

POLICY = load_policy(SHIPPED_POLICY)


def screener(folder: Path, bundle: WrittenBundle | None) -> Screener:
    return Screener(rulebook(folder, rule()), POLICY, bundle)


def test_an_outcome_names_the_rule_the_clause_and_the_passage(tmp_path: Path) -> None:
    (outcome,) = screener(tmp_path, WrittenBundle()).screen(["来，招*代*理"])

    assert (outcome.verdict, outcome.category) == (Verdict.HOLD, Category.SPAM)
    (reason,) = outcome.reasons
    assert (reason.source, reason.rule, reason.clause) == (ReasonSource.RULE, "spam.test", "C1")
    assert reason.spans == ((2, 7),)


def test_an_outcome_names_what_judged_it(tmp_path: Path) -> None:
    judge = screener(tmp_path, WrittenBundle())
    (outcome,) = judge.screen(["你好"])

    assert (outcome.verdict, outcome.bundle, outcome.policy) == (
        Verdict.PUBLISH,
        "written-bundle",
        POLICY.version,
    )
    assert outcome.rulebook == judge.rulebook.revision
    assert set(outcome.probabilities) == set(Category)


def test_without_a_bundle_rules_still_run_and_everything_is_held(tmp_path: Path) -> None:
    plain, broken = screener(tmp_path, None).screen(["你好", "招代理"])

    assert (plain.verdict, plain.category, plain.bundle) == (Verdict.HOLD, None, None)
    assert [reason.source for reason in plain.reasons] == [ReasonSource.POLICY]
    assert (broken.verdict, broken.category) == (Verdict.HOLD, Category.SPAM)


def test_a_sure_classifier_holds_and_says_how_sure_it_is(tmp_path: Path) -> None:
    sure = WrittenBundle({"这是一段不短的坏话呀": {Category.HATE: 1.0}})
    (outcome,) = screener(tmp_path, sure).screen(["这是一段不短的坏话呀"])

    assert (outcome.verdict, outcome.category) == (Verdict.HOLD, Category.HATE)
    assert [(reason.source, reason.probability) for reason in outcome.reasons] == [
        (ReasonSource.CLASSIFIER, 1.0)
    ]


def test_a_disguise_never_makes_a_post_look_better(tmp_path: Path) -> None:
    bundle = WrittenBundle({"这是一段不短的坏话呀": {Category.HATE: 1.0}})
    (outcome,) = screener(tmp_path, bundle).screen(["这*是*一*段*不*短*的*坏*话*呀"])

    assert outcome.verdict is Verdict.HOLD
    assert outcome.probabilities[Category.HATE] == 1.0


def test_the_same_text_has_the_same_outcome_in_any_batch(tmp_path: Path) -> None:
    judge = screener(tmp_path, WrittenBundle({"招*代*理": {Category.SPAM: 0.3}}))
    texts = ["你好", "招*代*理", "", "招代理"]

    assert judge.screen(texts) == [judge.screen([text])[0] for text in texts]
    assert judge.screen([]) == []


def test_the_classifiers_columns_are_read_in_the_order_of_the_categories(tmp_path: Path) -> None:
    shares = {word: place / 100 for place, word in enumerate(Category)}
    (outcome,) = screener(tmp_path, WrittenBundle(default=shares)).screen(["你好"])

    assert outcome.probabilities == pytest.approx(shares)


def test_the_shipped_rules_thresholds_and_bundle_pass_the_door_together() -> None:
    judge = load_screener(ModerationSettings(), load_bundle())

    assert protected_breaches(judge, load_suite(SHIPPED_SUITE)) == []


def test_a_bundle_that_would_hold_protected_texts_is_refused() -> None:
    suspicious = WrittenBundle(default={Category.HARASSMENT: 1.0})

    with pytest.raises(CharterViolation, match="written-bundle/harassment acts on"):
        load_screener(ModerationSettings(), suspicious)


def test_an_operators_pack_upon_petitions_is_refused(tmp_path: Path) -> None:
    petitions = rule(id="operator.petition", any=["联名", "签名", "投诉"], tests={"hit": ["联名"]})
    folder = write_pack(tmp_path, petitions, pack="operator")

    with pytest.raises(CharterViolation, match=r"operator\.petition acts on"):
        load_screener(ModerationSettings(operator_rulebooks=folder), WrittenBundle())


def test_an_operators_pack_in_order_is_added(tmp_path: Path) -> None:
    advert = rule(id="operator.advert", any=["独家祖传秘方壮阳膏"], tests={"hit": ["独家祖传秘方壮阳膏"]})
    folder = write_pack(tmp_path, advert, pack="operator")
    judge = load_screener(ModerationSettings(operator_rulebooks=folder), WrittenBundle())

    (outcome,) = judge.screen(["独 家 祖 传 秘 方 壮 阳 膏"])

    assert outcome.verdict is Verdict.HOLD
