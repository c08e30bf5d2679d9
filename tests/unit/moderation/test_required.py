"""The words that a pattern needs: every text that it matches holds one of them."""

import pytest
import re2

from moderation.normalise import fold
from moderation.required import required_words
from moderation.rulebook import read_rulebook
from moderation.settings import SHIPPED_RULEBOOKS


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("招代理", {"招代理"}),
        ("看.{0,4}福利", {"福利"}),
        ("(?:出|卖)大麻", {"出大麻", "卖大麻"}),
        ("[出卖]大麻", {"出大麻", "卖大麻"}),
        ("(?:加微|私聊)?办证", {"办证"}),
        ("(?:很)+便宜", {"便宜"}),
        ("加{2}微", {"加", "微"}),
        ("(?:代写|.*)", None),
        ("[0-9]{3,}", None),
        ("[^信]", None),
        ("((", None),
    ],
)
def test_the_words_of_which_one_must_occur(source: str, words: set[str] | None) -> None:
    found = required_words(source)

    assert found == words or (found is not None and words is not None and found <= words)


def test_no_shipped_pattern_matches_a_text_without_one_of_its_words() -> None:
    rulebook = read_rulebook([SHIPPED_RULEBOOKS])
    texts = [fold(text).plain for rule in rulebook.rules for text in (*rule.must_hit, *rule.must_miss)]
    tried = 0
    for pattern in rulebook._patterns:
        words = required_words(pattern.source)
        compiled = re2.compile(pattern.source)
        for text in texts:
            if compiled.search(text):
                tried += 1
                assert words is None or any(word in text for word in words)

    assert tried > 100
