"""What is conspicuous in how posts come, and what must never be."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.errors import CharterViolation, ConfigurationError
from models.vocabulary import Verdict
from moderation.behaviour import (
    MOST,
    Behaviour,
    BehaviourKind,
    Memory,
    Sighting,
    alike,
    author_key,
    copy_keys,
    fingerprints,
    is_conspicuous,
    sells,
)
from moderation.door import failing_tests
from moderation.normalise import fold
from moderation.policy import Evidence, decide, load_policy
from moderation.protected import load_suite
from moderation.rulebook import Rulebook, read_rulebook
from moderation.settings import SHIPPED_POLICY, SHIPPED_RULEBOOKS, SHIPPED_SUITE
from tests.support.rulebooks import rule, rulebook

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SALT = b"s" * 32
WAVE = Behaviour(BehaviourKind.WAVE, at_least=5, within=timedelta(hours=2), authors=3, selling=True)


@pytest.fixture(scope="module")
def shipped() -> Rulebook:
    return read_rulebook([SHIPPED_RULEBOOKS])


def copy_of(text: str, salt: bytes = SALT) -> int | None:
    return fingerprints([fold(text)], salt)[0]


def test_near_duplicates_are_alike_and_others_are_not() -> None:
    advert = "寝室代购零食饮料全场包邮，想要的同学加微信 lingshi_demo1 看价目单"

    assert alike(
        copy_of(advert), copy_of("寝室代购零食饮料全场包邮！！想要的同学加微信 lingshi_demo22 看价目单～")
    )
    assert alike(
        copy_of(advert), copy_of("寝*室*代*购零食饮料全场包邮，想要的同学加微信 lingshi_demo1 看价目单")
    )
    assert not alike(copy_of(advert), copy_of("请问图书馆周末几点开门，可以带饮料进去自习吗，谢谢同学们"))


def test_a_short_text_has_no_fingerprint_and_is_like_nothing() -> None:
    assert copy_of("谢谢楼主分享") is None
    assert not alike(None, None)


def test_a_fingerprint_depends_on_the_salt_and_not_on_the_batch() -> None:
    text, other = "四级资料转让价格低要的加我详谈呀", "请问图书馆周末几点开门可以自习吗"

    assert fingerprints([fold(other), fold(text)], SALT)[1] == copy_of(text)
    assert copy_of(text, b"t" * 32) != copy_of(text)
    assert author_key("a" * 64, SALT) != author_key("a" * 64, b"t" * 32)


def test_near_duplicates_find_each_other_under_a_key() -> None:
    one = copy_of("校园卡套餐低价办理，加微信 taocan_demo1 马上开通")
    other = copy_of("校园卡套餐低价办理，加微信 taocan_demo7 马上开通哦")
    assert one is not None
    assert other is not None

    assert set(copy_keys(one, SALT)) & set(copy_keys(other, SALT))


def test_a_wave_needs_copies_and_authors_and_time() -> None:
    def seen(count: int, *, authors: int, hours: int = 1, selling: bool = True) -> list[Sighting]:
        return [
            Sighting(number % authors, 7, NOW - timedelta(hours=hours), selling) for number in range(count)
        ]

    post = Sighting(99, 7, NOW, selling=True)

    assert is_conspicuous(WAVE, post, seen(4, authors=4))
    assert not is_conspicuous(WAVE, post, seen(3, authors=3))
    assert not is_conspicuous(WAVE, post, seen(9, authors=1))
    assert not is_conspicuous(WAVE, post, seen(9, authors=9, hours=3))
    assert not is_conspicuous(WAVE, post, seen(9, authors=9, selling=False))
    assert not is_conspicuous(WAVE, Sighting(99, 7, NOW, selling=False), seen(9, authors=9))


def test_no_rule_can_make_a_wave_of_posts_that_sell_nothing() -> None:
    with pytest.raises(CharterViolation, match="a demand"):
        Behaviour(BehaviourKind.WAVE, at_least=5, within=timedelta(hours=2), authors=3, selling=False)


@pytest.mark.parametrize(
    ("behaviour", "changes", "error"),
    [
        ({"kind": "wave", "at_least": 5, "authors": 3, "minutes": 60}, {}, CharterViolation),
        (
            {"kind": "wave", "at_least": 5, "authors": 3, "minutes": 60},
            {"action": "signal"},
            CharterViolation,
        ),
        ({"kind": "repetition", "at_least": 5, "minutes": 60}, {}, CharterViolation),
        ({"kind": "rate", "at_least": 5, "minutes": 60}, {}, CharterViolation),
        (
            {"kind": "rate", "at_least": 5, "minutes": 60, "selling": True},
            {"action": "remove"},
            CharterViolation,
        ),
        (
            {"kind": "rate", "at_least": 5, "minutes": 60, "selling": True},
            {"category": "harassment", "clause": "C4"},
            CharterViolation,
        ),
        ({"kind": "rate", "at_least": 2, "minutes": 60, "selling": True}, {}, ConfigurationError),
        ({"kind": "rate", "at_least": 5, "minutes": 30, "selling": True}, {}, ConfigurationError),
        ({"kind": "rate", "at_least": 5, "minutes": 100_000, "selling": True}, {}, ConfigurationError),
        ({"kind": "rate", "at_least": 5, "minutes": 10**18, "selling": True}, {}, ConfigurationError),
        ({"kind": "rate", "at_least": "5", "minutes": 60, "selling": True}, {}, ConfigurationError),
        (
            {"kind": "rate", "at_least": 5, "minutes": 60, "authors": 4, "selling": True},
            {},
            ConfigurationError,
        ),
        ({"kind": "opinion", "at_least": 5, "minutes": 60}, {"action": "signal"}, ConfigurationError),
        (
            {"kind": "rate", "at_least": 5, "minutes": 60, "selling": True},
            {"any": ["招代理"]},
            ConfigurationError,
        ),
        ("often", {}, ConfigurationError),
    ],
)
def test_a_rule_beyond_the_bounds_is_refused(
    tmp_path: Path, behaviour: Any, changes: dict[str, Any], error: type[Exception]
) -> None:
    given = {"any": None, "tests": {"hit": [{"say": ["一二三"], "times": 5, "minutes": 5}]}, **changes}

    with pytest.raises(error, match=r"spam\.yaml:\d+: rule spam\.test"):
        rulebook(tmp_path, rule(behaviour=behaviour, **given))


def test_a_scene_that_fails_is_reported_with_its_text(tmp_path: Path) -> None:
    scenes = {
        "hit": [{"say": ["今天有点冷"], "times": 3, "minutes": 5}],
        "miss": [{"say": ["今天有点热"], "times": 8, "minutes": 5}],
    }
    book = rulebook(
        tmp_path,
        rule(
            action="signal", any=None, behaviour={"kind": "rate", "at_least": 5, "minutes": 60}, tests=scenes
        ),
    )

    assert [failure.rpartition(" ")[2] for failure in failing_tests(book)] == ["今天有点冷", "今天有点热"]


def test_the_shipped_scenes_play_as_they_say(shipped: Rulebook) -> None:
    assert failing_tests(shipped) == []
    assert {found.behaviour.kind for found in shipped.behaviours if found.behaviour} == set(BehaviourKind)


def test_whatever_is_protected_may_be_said_by_a_hundred_people_in_an_hour(shipped: Rulebook) -> None:
    policy = load_policy(SHIPPED_POLICY)
    held = []
    for text in load_suite(SHIPPED_SUITE):
        view = fold(text.text)
        hits = shipped.hits(view)
        copy = fingerprints([view], SALT)[0]
        seen = [Sighting(author, copy, NOW, sells(view, hits)) for author in range(MOST - 1)]
        found = shipped.conspicuous(view, Sighting(-1, copy, NOW, sells(view, hits)), seen)
        if decide(Evidence((*hits, *found), {}), policy).verdict is not Verdict.PUBLISH:
            held.append(text.text)

    assert held == []


def test_whatever_is_protected_may_be_said_again_and_again_by_one_person(shipped: Rulebook) -> None:
    policy = load_policy(SHIPPED_POLICY)
    held = []
    for text in load_suite(SHIPPED_SUITE):
        view = fold(text.text)
        hits = shipped.hits(view)
        copy = fingerprints([view], SALT)[0]
        seen = [Sighting(1, copy, NOW, sells(view, hits))] * (MOST - 1)
        found = shipped.conspicuous(view, seen[0], seen)
        if decide(Evidence((*hits, *found), {}), policy).verdict is not Verdict.PUBLISH:
            held.append(text.text)

    assert held == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("代购零食包邮，加微信 lingshi_demo2 看价目单", True),
        ("低价出一批耳机，要的加微信 erji_demo3", True),
        ("看这个 http://192.168.7.9/a.apk 安装", True),
        ("暖气不热的同学填一下问卷 wenjuan-demo.com/r/nuanqi", False),
        ("拼车回家的加我微信 pinche_demo1，人齐就走", False),
        ("提醒大家：低价代购加微信 pianzi_demo1 的是骗子", False),
        ("宿舍维修打电话 020-12345678，优惠没有", False),
        ("食堂套餐涨价，低价菜没了", False),
    ],
)
def test_a_post_sells_only_where_trade_and_a_way_to_reach_the_seller_meet(
    shipped: Rulebook, text: str, *, expected: bool
) -> None:
    view = fold(text)

    assert sells(view, shipped.hits(view)) is expected


def test_no_more_than_a_hundred_posts_of_one_author_are_kept_from_an_hour() -> None:
    memory = Memory(SALT)
    kept = [
        memory.add(Sighting(1, None, NOW + timedelta(seconds=number), selling=False)) for number in range(150)
    ]

    assert sum(kept) == MOST
    assert memory.add(Sighting(1, None, NOW + timedelta(hours=2), selling=False))
