from pathlib import Path

import pytest

from models.errors import ConfigurationError
from moderation.protected import Breach, ProtectedText, described, load_suite
from moderation.settings import SHIPPED_SUITE


def test_the_shipped_suite_has_at_least_eight_hundred_texts() -> None:
    assert len(load_suite(SHIPPED_SUITE)) >= 800


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "a", "text": "b"}'])
def test_a_line_that_is_no_row_is_refused_with_its_place(tmp_path: Path, line: str) -> None:
    (tmp_path / "suite.jsonl").write_text(f"\n{line}\n", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"suite\.jsonl:2"):
        load_suite(tmp_path)


def test_an_id_stands_once(tmp_path: Path) -> None:
    row = '{"id": "a", "text": "b", "function": "c"}\n'
    (tmp_path / "suite.jsonl").write_text(row * 2, encoding="utf-8")

    with pytest.raises(ConfigurationError, match="occurs twice"):
        load_suite(tmp_path)


def test_breaches_are_named_up_to_a_limit() -> None:
    breaches = [
        Breach(ProtectedText(f"P-{number}", "联名", "petition"), ("spam.test",)) for number in range(3)
    ]

    assert described(breaches, limit=1).splitlines() == [
        "spam.test acts on P-0 (petition): 联名",
        "and 2 more",
    ]
