"""The help lines: complete, dialled, and checked by somebody."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from api.commands.serve import warn_of_stale_help_lines
from api.help_lines import CHECKED_FOR, help_lines
from api.settings import Settings
from models.errors import ConfigurationError

OWN = """
[[local]]
number = "0769-12355"
name = { zh = "东莞青少年服务台", en = "Dongguan youth line" }
about = { zh = "本地志愿者接听", en = "Local volunteers" }
hours = { zh = "9:00–21:00", en = "9 to 21" }
audience = { zh = "在东莞的青少年", en = "Young people in Dongguan" }
checked = 2026-01-05
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "lines.toml"
    file.write_text(OWN, encoding="utf-8")
    return file


def test_the_product_has_several_lines_each_with_the_day_on_which_it_was_checked() -> None:
    lines = help_lines()
    assert {line.number for line in lines.national} >= {"12355", "12356", "110", "120"}
    for line in lines.all:
        assert line.checked.year >= 2026
        assert line.dial
        for said in (line.name, line.about, line.hours, line.audience):
            assert set(said) == {"zh", "en"}


def test_an_operator_adds_lines_and_takes_none_away(own: Path) -> None:
    lines = help_lines(own)
    assert lines.national == help_lines().national
    assert [line.dial for line in lines.local] == ["076912355"]


def test_a_check_is_good_for_half_a_year(own: Path) -> None:
    (line,) = help_lines(own).local
    assert not line.is_stale(line.checked + CHECKED_FOR)
    assert line.is_stale(date(2026, 8, 1))
    assert replace(line, checked=date(2026, 7, 1)).is_stale(date(2026, 8, 1)) is False


def test_the_start_warns_of_a_line_that_nobody_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.toml"
    file.write_text(OWN.replace("2026-01-05", "2020-01-05"), encoding="utf-8")
    warn_of_stale_help_lines(Settings(help_lines=file))
    told = capsys.readouterr().err
    assert "0769-12355" in told
    assert "2020-01-05" in told


@pytest.mark.parametrize(
    "broken",
    [
        OWN.replace("checked = 2026-01-05", ""),
        OWN.replace("checked = 2026-01-05", 'checked = "lately"'),
        OWN.replace('en = "9 to 21"', 'fr = "9 à 21"'),
        OWN.replace('"0769-12355"', '"call us"'),
        OWN.replace('zh = "本地志愿者接听"', 'zh = " "'),
        "[[local]\n",
        OWN + 'note = "x"\n',
    ],
)
def test_a_line_that_lacks_something_is_refused(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "lines.toml"
    file.write_text(broken, encoding="utf-8")
    with pytest.raises(ConfigurationError):
        help_lines(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        help_lines(tmp_path / "none.toml")
