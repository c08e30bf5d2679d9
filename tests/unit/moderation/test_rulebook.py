from pathlib import Path
from typing import Any

import pytest

from models.errors import CharterViolation, ConfigurationError, TingjianError
from moderation.door import activate, breaches, failing_tests
from moderation.normalise import fold
from moderation.policy import load_policy
from moderation.protected import ProtectedText, load_suite
from moderation.rulebook import read_rulebook
from moderation.rules import RuleAction
from moderation.settings import SHIPPED_POLICY, SHIPPED_RULEBOOKS, SHIPPED_SUITE
from tests.support.rulebooks import rule, rulebook, write_pack

SUITE = (ProtectedText("T-1", "学校食堂又涨价了，大家一起联名", "petition"),)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"category": "politics"}, CharterViolation, "the list of harms is closed"),
        ({"clause": "C2"}, ConfigurationError, "the clause of spam is C1"),
        ({"action": "refer"}, CharterViolation, "only self-harm is referred"),
        ({"action": "shadow_ban"}, ConfigurationError, "no rule can shadow_ban"),
        ({"patterns": ["(["]}, ConfigurationError, "cannot be used"),
        ({"patterns": ["(a)\\1"]}, ConfigurationError, "cannot be used"),
        ({"patterns": ["a*"]}, ConfigurationError, "matches nothing at all"),
        ({"id": "other.test"}, ConfigurationError, "begins with its pack's name"),
        ({"any": []}, ConfigurationError, "looks for something"),
        ({"any": [12]}, ConfigurationError, "is no text"),
        ({"any": [" \u200b"]}, ConfigurationError, "characters that can be read"),
        ({"any": ["$nothing"]}, ConfigurationError, "there is no list nothing"),
        ({"detectors": ["opinion"]}, ConfigurationError, "there is no detector opinion"),
        ({"detectors": ["phone:boss"]}, ConfigurationError, "there is no detector phone:boss"),
        ({"views": ["sideways"]}, ConfigurationError, "views"),
        ({"pattern_views": ["pinyin"]}, ConfigurationError, "a pattern is looked for in"),
        ({"window": -1}, ConfigurationError, "number of letters"),
        ({"tests": {"miss": ["x"]}}, ConfigurationError, "at least one text that it must hit"),
        ({"rationale": " "}, ConfigurationError, "rationale is missing"),
        ({"boost": True}, ConfigurationError, "unknown word boost"),
    ],
)
def test_a_rule_that_is_not_in_order_is_refused_with_file_line_and_reason(
    tmp_path: Path, given: dict[str, Any], error: type[TingjianError], says: str
) -> None:
    with pytest.raises(error, match=r"spam\.yaml") as refusal:
        rulebook(tmp_path, rule(**given))

    assert says in str(refusal.value)
    assert "spam.yaml:4" in str(refusal.value)


def test_self_harm_is_never_removed(tmp_path: Path) -> None:
    entry = rule(id="self_harm.test", category="self_harm", clause="H1", action="remove")

    with pytest.raises(CharterViolation, match="never a violation"):
        rulebook(tmp_path, entry, pack="self_harm")


def test_an_id_stands_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="already"):
        rulebook(tmp_path, rule(), rule())


def test_a_key_stands_once(tmp_path: Path) -> None:
    (tmp_path / "spam.yaml").write_text("pack: spam\npack: spam\nversion: '1'\nrules: []\n", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="occurs twice"):
        read_rulebook([tmp_path])


BOMB = "[" + ", ".join(f"&a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(12)) + "]"
"""A kilobyte of YAML that would be 9 ** 11 words if somebody wrote it out."""


@pytest.mark.parametrize(
    "content",
    [
        "rules: [",
        "- 1",
        "pack: spam",
        "pack: spam\nversion: '1'\nrules: 5",
        "a: !!python/object:os.system x",
        "pack: spam\nversion: 2026-13-45\nrules: []",
        f"pack: spam\nversion: {'9' * 5_000}\nrules: []",
        f"pack: spam\nversion: '1'\ndescription: {BOMB}\nlists: {{words: [*a11]}}\nrules: []",
        f"pack: spam\nversion: '1'\ndescription: {BOMB}\nrules:\n- id: *a11",
    ],
)
def test_a_file_that_is_no_pack_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "spam.yaml").write_text(content, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"spam\.yaml"):
        read_rulebook([tmp_path])


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no directory"):
        read_rulebook([tmp_path / "nothing"])


def test_an_operators_rule_can_at_most_hold(tmp_path: Path) -> None:
    folder = write_pack(tmp_path, rule(action="remove"))

    with pytest.raises(CharterViolation, match="at most hold"):
        read_rulebook([], [folder])


def test_an_operators_rule_is_marked(tmp_path: Path) -> None:
    (entry,) = read_rulebook([], [write_pack(tmp_path, rule())]).rules

    assert entry.operator


def test_the_revision_names_the_exact_content(tmp_path: Path) -> None:
    one = rulebook(tmp_path / "a", rule())
    same = rulebook(tmp_path / "b", rule())
    other = rulebook(tmp_path / "c", rule(rationale="Another reason."))

    assert one.revision == same.revision != other.revision


def test_a_rule_that_fails_its_own_test_is_not_switched_on(tmp_path: Path) -> None:
    book = rulebook(tmp_path, rule(tests={"hit": ["招人"], "miss": ["招代理"]}))

    with pytest.raises(ConfigurationError, match=r"(?s)must hit: 招人.*must not hit: 招代理"):
        activate(book, load_policy(SHIPPED_POLICY), SUITE)


@pytest.mark.parametrize("action", ["hold", "remove"])
def test_a_rule_upon_a_protected_text_is_refused_and_the_text_named(tmp_path: Path, action: str) -> None:
    book = rulebook(tmp_path, rule(action=action, any=["联名"], tests={"hit": ["联名"]}))

    with pytest.raises(CharterViolation, match=r"spam\.test acts on T-1"):
        activate(book, load_policy(SHIPPED_POLICY), SUITE)


def test_a_signal_upon_a_protected_text_is_harmless_alone_and_refused_with_a_second(tmp_path: Path) -> None:
    policy = load_policy(SHIPPED_POLICY)
    one = rule(id="spam.one", action="signal", any=["联名"], tests={"hit": ["联名"]})
    two = rule(id="spam.two", action="signal", any=["大家一起"], tests={"hit": ["大家一起"]})

    activate(rulebook(tmp_path / "a", one), policy, SUITE)
    with pytest.raises(CharterViolation, match="T-1"):
        activate(rulebook(tmp_path / "b", one, two), policy, SUITE)


def test_the_shipped_rules_pass_their_own_tests() -> None:
    assert failing_tests(read_rulebook([SHIPPED_RULEBOOKS])) == []


def test_the_shipped_rules_leave_every_protected_text_alone() -> None:
    suite = load_suite(SHIPPED_SUITE)

    assert breaches(read_rulebook([SHIPPED_RULEBOOKS]), load_policy(SHIPPED_POLICY), suite) == []


def test_the_shipped_rules_have_something_for_every_category() -> None:
    book = read_rulebook([SHIPPED_RULEBOOKS])
    acting = {entry.category for entry in book.rules if entry.action is not RuleAction.SIGNAL}

    assert len(acting) == 10


def test_a_post_of_many_hits_and_great_length_is_judged(tmp_path: Path) -> None:
    book = rulebook(tmp_path, rule(any=None, all_of=[["代理"], ["加我"]]))

    assert len(book.hits(fold("代理加我" * 4000))) == 1
