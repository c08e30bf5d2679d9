import pytest

from moderation.lexicon import Lexicon, Term
from moderation.normalise import ViewName, fold

EVERYWHERE = frozenset(
    {ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED, ViewName.PINYIN, ViewName.INITIALS}
)


def found(term: str, text: str, views: frozenset[ViewName] = EVERYWHERE) -> set[str]:
    folded = fold(text)
    return {
        text[slice(*folded.span(match.view, match.start, match.end))]
        for match in Lexicon([Term(term, views)]).find(folded)
    }


@pytest.mark.parametrize(
    ("term", "text", "passage"),
    [
        ("加微信", "快加*微*信呀", "加*微*信"),
        ("加微信", "j 佳薇信 聊", "佳薇信"),
        ("加微信", "jia wei xin", "jia wei xin"),
        ("加微信", "来jwx吧", "jwx"),
        ("加微信", "加VX", "加VX"),
        ("贷款", "贝代款秒到", "贝代款"),
        ("约炮", "约泡吗", "约泡"),
        ("sb", "你个SB", "SB"),
        ("sb", "s b 一个", "s b"),
    ],
)
def test_a_term_is_found_through_its_disguise(term: str, text: str, passage: str) -> None:
    assert passage in found(term, text)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("sb", "usb接口"),
        ("sb", "is better"),
        ("110", "订单21105"),
        ("微信", "他在这里很有威信"),
        ("捅你", "通泥"),
        ("加微信", "加。微信"),
        ("加微信", "jwxa"),
    ],
)
def test_what_only_resembles_a_term_is_not_found(term: str, text: str) -> None:
    assert found(term, text) == set()


def test_a_term_is_looked_for_only_in_its_views() -> None:
    assert found("加微信", "加*微*信", frozenset({ViewName.PLAIN})) == set()
    assert found("加微信", "佳薇信", frozenset({ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED})) == set()


def test_an_empty_lexicon_finds_nothing() -> None:
    assert list(Lexicon([]).find(fold("加微信"))) == []


@pytest.mark.parametrize(
    ("term", "text"),
    [
        ("懂的", "他没有行动的打算"),
        ("加我", "这个作家我想认识"),
        ("把她", "醫生把他送回家"),
        ("爸，", "我们吃肉吧，肉好吃"),
        ("rizi", "一日之计在于晨"),
    ],
)
def test_two_characters_that_belong_to_a_word_beside_them_are_no_disguise(term: str, text: str) -> None:
    lexicon = Lexicon([Term(term, frozenset({ViewName.PINYIN}))])

    assert list(lexicon.find(fold(text))) == []


@pytest.mark.parametrize(
    ("term", "text"), [("加我", "需要的佳我"), ("加微", "想要的家微"), ("刷单", "找人刷蛋")]
)
def test_two_characters_of_which_one_is_kept_are_a_disguise_elsewhere(term: str, text: str) -> None:
    lexicon = Lexicon([Term(term, frozenset({ViewName.PINYIN}))])

    assert [text[slice(*fold(text).span(m.view, m.start, m.end))] for m in lexicon.find(fold(text))] == [
        text[-2:]
    ]
