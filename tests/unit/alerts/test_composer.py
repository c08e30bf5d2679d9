"""What people read of a message: in both languages, for every topic that goes to an office."""

from datetime import UTC, datetime

import pytest

from alerts import composer
from alerts.channels.channel import Envelope
from models.vocabulary import TO_PLATFORMS, Topic


def letter(topic: str, payload: dict[str, object], language: str = "zh") -> composer.Letter:
    envelope = Envelope(
        id="1" * 32,
        topic=topic,
        created_at=datetime(2026, 3, 16, 4, tzinfo=UTC),
        payload=payload,
        address="",
        secret="",
        language=language,
        office="广东省",
    )
    return composer.compose(envelope, "https://tingjian.example")


def test_every_topic_that_goes_to_an_office_has_words_of_its_own() -> None:
    assert {topic.value for topic in set(Topic) - TO_PLATFORMS} == composer.topics()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("topic", [*sorted(topic.value for topic in Topic), "not.yet.known"])
def test_a_message_that_lacks_every_member_is_still_a_letter(topic: str, language: str) -> None:
    told = letter(topic, {}, language)

    assert told.subject
    assert "{" not in told.subject + told.text
    assert "https://tingjian.example/" in told.text
    assert "1" * 32 in told.text


def test_a_name_that_an_author_let_be_known_is_in_no_letter() -> None:
    told = letter("case.shared", {"case": "c", "name": "王小明", "contact": "13800000000"})

    assert "王小明" not in told.text + told.html("zh")
    assert "13800000000" not in told.text


def test_a_group_tells_each_once_and_how_many_there_are() -> None:
    items = [{"title": f"事件{number}", "place_name": "东莞", "sequence": 1} for number in range(12)]
    told = letter("event.reported", {"count": 80, "items": items})

    assert told.subject.endswith("（80 条）")
    assert [line for line in told.lines if "事件9" in line]
    assert "另有 70 条。" in told.lines


def test_a_moment_is_told_as_people_in_shanghai_write_it() -> None:
    told = letter("referral.waiting", {"since": "2026-03-16T04:00:00+00:00"})

    assert "3月16日 12:00" in told.text
