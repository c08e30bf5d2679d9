"""Both languages say everything, and no page says anything of its own."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from api.console import page, words
from models import vocabulary
from models.errors import ConfigurationError
from models.vocabulary import Category, Domain

CONSOLE = Path(words.__file__).parent
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
HAN = re.compile(r"[\u3400-\u9fff\u3000-\u303f\uff00-\uffef]")
ENGLISH_TEXT = re.compile(r">[^<>{}]*[A-Za-z]{2,}[^<>{}]*<")
KEY = re.compile(r"""\bt\(\s*["']([A-Za-z_]+\.[a-z_.]+)["'](\s*~)?""")
SHOWN_WORDS = (
    vocabulary.PostKind,
    vocabulary.Verdict,
    vocabulary.ReasonSource,
    vocabulary.AppealState,
    vocabulary.DemandState,
    vocabulary.EventState,
    vocabulary.Step,
    vocabulary.CaseKind,
    vocabulary.CaseState,
    vocabulary.MessageState,
    vocabulary.Topic,
    vocabulary.RuleState,
    vocabulary.BacktestState,
)


def test_every_key_has_both_languages() -> None:
    assert len(words.phrases()) > 250
    for key, phrase in words.phrases().items():
        assert set(phrase) == set(words.LANGUAGES), key
        places = [set(re.findall(r"{(\w+)}", text)) for text in phrase.values()]
        assert places[0] == places[1], key
        assert not HAN.search(phrase["en"]) or key == "common.other_language", key


@pytest.mark.parametrize("kind", SHOWN_WORDS, ids=lambda kind: kind.__name__)
def test_every_word_that_a_page_shows_is_called_something(kind: type[StrEnum]) -> None:
    for member in kind:
        assert words.word(member, "zh")
        assert words.word(member, "en")


def test_harms_and_domains_are_called_what_the_published_lists_call_them() -> None:
    assert words.word(Category.SPAM, "zh") == "垃圾广告"
    assert words.word(Domain.HOUSING, "en") == "Housing"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_sentence_of_its_own(template: Path) -> None:
    text = re.sub(r"{#.*?#}", "", template.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not HAN.search(text)
    outside = re.sub(r"<kbd>.*?</kbd>", "", re.sub(r"{{.*?}}|{%.*?%}", "", text, flags=re.DOTALL))
    assert not ENGLISH_TEXT.search(outside)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_key_that_a_template_asks_for_is_there(template: Path) -> None:
    asked = KEY.findall(template.read_text(encoding="utf-8"))
    assert [key for key, joined in asked if not joined and not words.has(key)] == []
    begun = [key for key, joined in asked if joined]
    assert [key for key in begun if not any(one.startswith(key) for one in words.phrases())] == []


def test_every_part_of_the_navigation_and_every_status_has_words() -> None:
    for name, _, _ in page.NAVIGATION:
        assert words.has(f"nav.{name}")
    for status in (400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503):
        assert words.has(f"error.status_{status}")


def test_words_without_one_language_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "words.toml"
    file.write_text('[a]\nb = { zh = "有" }\n', encoding="utf-8")
    monkeypatch.setattr(words, "FILE", file)
    words.phrases.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match=r"a\.b"):
            words.phrases()
    finally:
        monkeypatch.undo()
        words.phrases.cache_clear()
