"""The rulebook that ships: its own tests, the protected suite, and what it does to texts of each kind."""

import json
from pathlib import Path

import pytest

from models.vocabulary import CLAUSES, Category
from moderation.door import activate, failing_tests
from moderation.normalise import fold
from moderation.policy import load_policy
from moderation.protected import load_suite
from moderation.rulebook import Rulebook, read_rulebook
from moderation.rules import RuleAction
from moderation.settings import SHIPPED_RULEBOOKS, SHIPPED_SUITE, ModerationSettings

TEXTS = Path(__file__).parents[3] / "learning" / "training" / "texts"
FEWEST_PROTECTED = 800
LEAST_RECALL = 0.7
MOST_HARMLESS_HELD = 0.01


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    return read_rulebook([SHIPPED_RULEBOOKS])


def acting(rulebook: Rulebook, text: str) -> set[Category]:
    """Return the categories whose rules would act on a text."""
    hits = rulebook.hits(fold(text))
    return {hit.rule.category for hit in hits if hit.rule.action is not RuleAction.SIGNAL}


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (TEXTS / name).read_text(encoding="utf-8").splitlines()]


def test_every_rule_passes_its_own_tests(rulebook: Rulebook) -> None:
    assert failing_tests(rulebook) == []


def test_the_rulebook_passes_the_door(rulebook: Rulebook) -> None:
    policy = load_policy(ModerationSettings().policy)

    assert activate(rulebook, policy, load_suite(SHIPPED_SUITE)) is rulebook


def test_the_protected_suite_is_large_and_every_text_stands_once() -> None:
    texts = [row.text for row in load_suite(SHIPPED_SUITE)]

    assert len(texts) >= FEWEST_PROTECTED
    assert len(set(texts)) == len(texts)


def test_no_protected_text_is_a_training_text() -> None:
    trained = {row["text"] for path in TEXTS.glob("*.jsonl") for row in rows(path.name)}

    assert trained.isdisjoint(row.text for row in load_suite(SHIPPED_SUITE))


@pytest.mark.parametrize("category", list(Category))
def test_every_category_has_rules_under_its_own_clause(rulebook: Rulebook, category: Category) -> None:
    rules = [rule for rule in rulebook.rules if rule.category is category]

    assert rules
    assert {rule.clause for rule in rules} == {CLAUSES[category].number}


def test_no_shipped_rule_removes_and_self_harm_is_only_referred(rulebook: Rulebook) -> None:
    for rule in rulebook.rules:
        expected = RuleAction.REFER if rule.category is Category.SELF_HARM else RuleAction.HOLD
        assert rule.action in (expected, RuleAction.SIGNAL)


def test_every_category_has_one_signal_so_that_no_two_signals_hold_a_post_together(
    rulebook: Rulebook,
) -> None:
    signals = [
        rule.category
        for rule in rulebook.rules
        if rule.action is RuleAction.SIGNAL and rule.behaviour is None
    ]

    assert sorted(signals) == sorted(Category)


@pytest.mark.parametrize(
    "text",
    [
        "合租的租客搬走，房东凭什么扣押金",
        "亲戚介绍的兼职要我先交押金，感觉有点悬",
        "周末约炮台公园看日落",
        "机房包夜要登记学生证吗",
        "县里的青年电商服务站办培训班，报名联系站长",
        "有人出售假证被判了，大家引以为戒",
        "你个小傻子，作业又写错本子",
    ],
)
def test_no_rule_acts_on_a_complaint_a_place_or_a_joke(rulebook: Rulebook, text: str) -> None:
    assert acting(rulebook, text) == set()


@pytest.mark.parametrize("category", list(Category))
def test_rules_act_on_most_harms_written_for_the_project(rulebook: Rulebook, category: Category) -> None:
    texts = [row["text"] for row in rows("harms.jsonl") if row["category"] == category]

    found = sum(category in acting(rulebook, text) for text in texts)

    assert found / len(texts) >= LEAST_RECALL


def test_rules_leave_harmless_texts_alone(rulebook: Rulebook) -> None:
    texts = [row["text"] for name in ("benign.jsonl", "benign_new_words.jsonl") for row in rows(name)]

    held = [text for text in texts if acting(rulebook, text)]

    assert len(held) / len(texts) <= MOST_HARMLESS_HELD, held


@pytest.mark.parametrize(
    "demand",
    [
        "宿舍热水太短，希望延长！",
        "请还我们血汗钱，已经等了一百天",
        "要求公开食堂招标结果，联名已有三百人",
        "我批评这项政策，也批评这个部门的回应",
    ],
)
def test_a_demand_said_many_times_is_no_advertisement(rulebook: Rulebook, demand: str) -> None:
    assert acting(rulebook, demand * 5) == set()


@pytest.mark.parametrize(
    ("quoted", "said"),
    [
        ("他骂我“你就是个废物”，我该找谁", "你就是个废物，别回帖了"),
        ("我不同意“外地人滚出去”的说法", "外地人滚出广东"),
        ("提醒大家，“刷单返佣，本金秒返”是骗局", "刷单返佣，本金秒返，名额不多"),
        ("他威胁我说“明天打断你的腿，等着”，我报警了", "明天打断你的腿，等着"),
    ],
)
def test_who_quotes_a_harm_does_not_commit_it(rulebook: Rulebook, quoted: str, said: str) -> None:
    assert acting(rulebook, quoted) == set()
    assert acting(rulebook, said)
