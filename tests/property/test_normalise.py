"""Laws of the normaliser, for any text and for the texts that evaders write."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation import normalise
from moderation.lexicon import Lexicon, Term
from moderation.normalise import BARRIERS, ViewName, fold

VIEWS = [ViewName.PLAIN, ViewName.SQUEEZED, ViewName.JOINED, ViewName.DRAWN, ViewName.PINYIN]

HAN = (
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头"
    "面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口使教西再平真听世气信"
)
PLAIN_TEXT = st.text(
    alphabet=HAN + "，。！？；：（）、" + string.ascii_lowercase + string.digits + " .-", max_size=60
)
NOISE = " *·-~/|+^🙂🔥❤👍🏽\u200b\u200d\ufe0f\u3000…，、"
EVADED = st.lists(
    st.sampled_from(
        [
            *"加微信看福利办证代考贷款",
            "力口",
            "亻言",
            "贝代",
            "v",
            "X",
            "ｖ",
            "Ｘ",
            "①",
            "🔪",
            "weixin",
            *NOISE,
            *BARRIERS,
            "信",
        ]
    ),
    max_size=40,
).map("".join)
ANYTHING = st.one_of(st.text(max_size=60), EVADED, PLAIN_TEXT)


@settings(deadline=None)
@given(ANYTHING)
def test_folding_the_plain_view_again_changes_nothing(text: str) -> None:
    plain = fold(text).plain

    assert fold(plain).plain == plain


@settings(deadline=None)
@given(ANYTHING)
def test_squeezing_the_squeezed_view_again_changes_nothing(text: str) -> None:
    squeezed = fold(text).squeezed

    assert fold(squeezed).squeezed == squeezed


@settings(deadline=None)
@given(ANYTHING)
def test_every_view_keeps_an_ordered_span_in_range_for_each_character(text: str) -> None:
    folded = fold(text)
    for view in VIEWS:
        spans = list(folded.spans(view))

        assert len(spans) == len(folded.text(view))
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert spans == sorted(spans)


@settings(deadline=None)
@given(ANYTHING, st.permutations(VIEWS))
def test_a_text_with_nothing_odd_takes_a_shorter_way_to_the_same_views(
    text: str, order: list[ViewName]
) -> None:
    short, long = fold(text), fold(text)
    long._is_even = False
    found = {view: (short.text(view), list(short.spans(view))) for view in order}

    assert short.plain == text.translate(normalise._PLAIN)
    for view in VIEWS:
        assert found[view] == (long.text(view), list(long.spans(view)))


@settings(deadline=None)
@given(ANYTHING)
def test_the_digits_view_follows_the_plain_view_character_for_character(text: str) -> None:
    folded = fold(text)

    assert len(folded.digits) == len(folded.plain)


@settings(deadline=None)
@given(PLAIN_TEXT)
def test_plain_simplified_text_passes_unchanged(text: str) -> None:
    assert fold(text).plain == text


@settings(deadline=None)
@given(ANYTHING)
def test_a_view_keeps_every_sentence_end(text: str) -> None:
    folded = fold(text)
    ends = [mark for mark in folded.plain if mark in BARRIERS]

    for view in VIEWS[1:]:
        assert [mark for mark in folded.text(view) if mark in BARRIERS] == ends


@pytest.mark.parametrize("barrier", list(BARRIERS))
@settings(deadline=None)
@given(before=EVADED, after=EVADED, cut=st.integers(1, 2))
def test_no_hit_spans_the_end_of_a_sentence(barrier: str, before: str, after: str, cut: int) -> None:
    everywhere = Lexicon([Term("加微信", frozenset(ViewName)), Term("看福利", frozenset(ViewName))])
    text = f"{before}加微信"[: len(before) + cut] + barrier + "加微信"[cut:] + after
    folded = fold(text)
    at = len(before) + cut

    for match in everywhere.find(folded):
        start, end = folded.span(match.view, match.start, match.end)
        assert not start <= at < end


@settings(deadline=None)
@given(prefix=PLAIN_TEXT, suffix=PLAIN_TEXT, noise=st.sampled_from(["*", " ", "🔥", "·", "~", "-"]))
def test_a_term_with_something_inserted_everywhere_is_found_where_it_stands(
    prefix: str, suffix: str, noise: str
) -> None:
    term = "加微信看福利"
    text = f"{prefix}。{noise.join(term)}。{suffix}"
    folded = fold(text)
    found = {
        folded.span(match.view, match.start, match.end)
        for match in Lexicon([Term(term, frozenset({ViewName.SQUEEZED}))]).find(folded)
    }

    assert (len(prefix) + 1, len(prefix) + 1 + 2 * len(term) - 1) in found
