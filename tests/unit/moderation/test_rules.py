from pathlib import Path
from typing import Any

from moderation.normalise import fold
from moderation.rules import merged
from tests.support.rulebooks import rule, rulebook


def passages(folder: Path, text: str, **given: Any) -> list[str]:
    book = rulebook(folder, rule(**given))
    return [text[start:end] for hit in book.hits(fold(text)) for start, end in hit.spans]


def test_one_of_the_alternatives_is_enough(tmp_path: Path) -> None:
    assert passages(tmp_path, "长期收货", any=["招代理", "收货"]) == ["收货"]


def test_a_pattern_counts_like_a_term(tmp_path: Path) -> None:
    assert passages(tmp_path, "一单赚50元", any=None, patterns=[r"赚\d+元"]) == ["赚50元"]


def test_a_pattern_that_does_not_occur_is_no_hit(tmp_path: Path) -> None:
    assert passages(tmp_path, "一单赚很多", any=None, patterns=[r"赚\d+元"]) == []


def test_groups_must_meet_in_one_sentence(tmp_path: Path) -> None:
    groups = [["代理", "货源"], ["加我", "私聊"]]

    assert passages(tmp_path, "有货源，加我", any=None, all_of=groups) == ["货源", "加我"]
    assert passages(tmp_path, "有货源。加我", any=None, all_of=groups) == []


def test_a_window_lets_groups_meet_across_sentences_within_so_many_letters(tmp_path: Path) -> None:
    groups = [["货源"], ["加我"]]

    assert passages(tmp_path, "有货源。快加我", any=None, all_of=groups, window=3) == ["货源", "加我"]
    assert passages(tmp_path, "有货源。快来快来加我", any=None, all_of=groups, window=3) == []


def test_inserted_signs_do_not_widen_a_window(tmp_path: Path) -> None:
    assert passages(tmp_path, "货源*****快*****加我", any=None, all_of=[["货源"], ["加我"]], window=1) == [
        "货源",
        "加我",
    ]


def test_alternatives_and_groups_must_meet_too(tmp_path: Path) -> None:
    assert passages(tmp_path, "招代理", any=["招代理"], all_of=[["加我"]]) == []
    assert passages(tmp_path, "招代理加我", any=["招代理"], all_of=[["加我"]]) == ["招代理加我"]


def test_an_exception_in_the_same_sentence_takes_the_hit_back(tmp_path: Path) -> None:
    assert passages(tmp_path, "骗子说招代理", unless=["骗子"]) == []
    assert passages(tmp_path, "有骗子。招代理", unless=["骗子"]) == ["招代理"]


def test_an_exception_anywhere_takes_every_hit_back(tmp_path: Path) -> None:
    assert passages(tmp_path, "有骗子。招代理", unless_anywhere=["骗子"]) == []


def test_an_exception_may_be_a_pattern(tmp_path: Path) -> None:
    assert passages(tmp_path, "谁在招代理呀", unless_patterns=["谁在.{0,4}代理"]) == []


def test_an_exception_may_be_a_mark(tmp_path: Path) -> None:
    assert passages(tmp_path, "有人喊“招代理”", unless=["“"]) == []


def test_lists_are_shared_by_name(tmp_path: Path) -> None:
    book = rulebook(tmp_path, rule(any=["$offers"]), lists={"offers": ["招代理", "货源"]})

    assert [hit.rule.id for hit in book.hits(fold("一手货源"))] == ["spam.test"]


def test_a_detector_may_stand_in_a_group(tmp_path: Path) -> None:
    assert passages(tmp_path, "货源找 15412345678", any=None, all_of=[["货源"], ["@contact"]]) == [
        "货源",
        "15412345678",
    ]


def test_a_public_offices_contact_is_no_finding_for_a_rule(tmp_path: Path) -> None:
    assert (
        passages(
            tmp_path, "货源问题打客服热线 4001234567", any=None, all_of=[["货源"], ["@digits_run", "@phone"]]
        )
        == []
    )


def test_in_a_rule_about_doxxing_a_detector_counts_other_peoples_data(tmp_path: Path) -> None:
    entry = rule(id="doxxing.test", category="doxxing", clause="C8", any=None, detectors=["phone"])
    book = rulebook(tmp_path, entry, pack="doxxing")

    assert book.hits(fold("她的手机号15412345678"))
    assert not book.hits(fold("我的手机号15412345678"))


def test_a_detector_may_name_an_owner(tmp_path: Path) -> None:
    assert passages(tmp_path, "加我微信 abc_123", any=None, detectors=["wechat:own"]) == ["abc_123"]
    assert passages(tmp_path, "她的微信 abc_123", any=None, detectors=["wechat:own"]) == []


def test_spans_show_the_disguise_in_the_authors_own_characters(tmp_path: Path) -> None:
    assert passages(tmp_path, "快来 招*代*理 吧") == ["招*代*理"]


def test_spans_that_touch_are_one() -> None:
    assert merged([(4, 6), (0, 2), (2, 3), (5, 9)]) == ((0, 3), (4, 9))


def test_a_pattern_is_looked_for_through_disguises(tmp_path: Path) -> None:
    given: dict[str, Any] = {"any": None, "patterns": ["看.{0,2}福利"]}

    assert passages(tmp_path, "看 一 下 福 利", **given) == ["看 一 下 福 利"]
    assert passages(tmp_path, "看个福*利", **given) == ["看个福*利"]
    assert passages(tmp_path, "看看礻畐利", **given) == ["看看礻畐利"]


def test_a_pattern_that_names_the_plain_view_is_looked_for_there_only(tmp_path: Path) -> None:
    given: dict[str, Any] = {"any": None, "patterns": ["看.{0,2}福利"], "pattern_views": ["plain"]}

    assert passages(tmp_path, "看个福利", **given) == ["看个福利"]
    assert passages(tmp_path, "看个福*利", **given) == []


def test_a_quotation_of_several_sentences_is_excused_as_a_whole(tmp_path: Path) -> None:
    given: dict[str, Any] = {"any": ["招代理"], "unless": ["re:“[^”]*”"]}

    assert passages(tmp_path, "有人发“缺钱？招代理了”，管管", **given) == []
    assert passages(tmp_path, "有人发“缺钱？来”。招代理了", **given) == ["招代理"]
