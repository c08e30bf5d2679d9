"""Name a demand in one line, with words that its posts themselves use. Pure.

The words that set a demand apart are found by class-based tf-idf: how often a word stands in this
demand's posts, against how often in all. A word counts only if two people used it, so that a title
never carries what a single author wrote, such as a name.

It invents no word. Officers may rename; a name that a person gave is never overwritten.

Neighbours: `grouping` asks for a title when a demand changes.

Source
------
Grootendorst (2022), BERTopic: neural topic modeling with a class-based TF-IDF procedure.
"""

import math
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import rjieba

TERMS: Final = 8
"""Words that are kept for one demand."""

IN_TITLE: Final = 4
PEOPLE: Final = 2
"""People who must have used a word."""

LONGEST_TITLE: Final = 200

_WORD: Final = re.compile(r"[\u3400-\u9fffA-Za-z]{2,12}$")
_SAYS_NOTHING: Final = frozenset(
    re.split(
        " ",
        "我们 你们 他们 自己 大家 一个 什么 怎么 怎样 为什么 可以 不能 能不能 没有 "
        "还是 就是 不是 不会 不要 这个 那个 这样 现在 今天 昨天 明天 已经 请问 "
        "希望 知道 一下 有没有 是不是 时候 觉得 真的 因为 所以 但是 而且 如果 还有 "
        "这么 那么 这里 那里 这边 哪里 多少 几个 每天 一天 起来 出来 到底 一直 "
        "应该 需要 建议 有人 没人 不到 不了 还要 都是 一次",
    )
)


def words_of(text: str) -> list[str]:
    """Return the words of `text` that can stand in a title, each once."""
    # A window of a million posts holds each word once.
    cut = (sys.intern(word) for word in rjieba.cut(text) if _WORD.match(word) and word not in _SAYS_NOTHING)
    return list(dict.fromkeys(cut))


def shared_terms(
    posts: Sequence[tuple[str, Sequence[str]]], everywhere: Mapping[str, int], total: int
) -> list[str]:
    """Return the words that set these posts apart, most telling first.

    Parameters
    ----------
    posts
        For each post its author and its words (`words_of`).
    everywhere
        For each word, how many posts of the window use it.
    total
        How many posts the window has, >= 1.
    """
    people: dict[str, set[str]] = {}
    uses: Counter[str] = Counter()
    for author, words in posts:
        for word in words:
            people.setdefault(word, set()).add(author)
            uses[word] += 1
    telling = {
        word: count * math.log(1 + total / max(everywhere.get(word, count), count))
        for word, count in uses.items()
        if len(people[word]) >= PEOPLE
    }
    return sorted(telling, key=lambda word: (-telling[word], word))[:TERMS]


def title(terms: Sequence[str], place: str | None, domain_words: str) -> str:
    """Return the title: the place if there is one, then the most telling words, or the domain's name.

    A word that lies inside another that is already there is left out.
    """
    chosen: list[str] = []
    for term in terms:
        if len(chosen) == IN_TITLE:
            break
        if not any(term in other or other in term for other in [*chosen, place or ""] if other):
            chosen.append(term)
    said = "、".join(chosen) or domain_words
    return (f"{place}：{said}" if place else said)[:LONGEST_TITLE]
