"""The two official forms as Word and PDF: every field is there, looks as it should, and can be read back."""

import io
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from alerts import documents, forms
from models.errors import ConfigurationError, InvalidInput, TooLarge
from models.vocabulary import CaseKind

PICTURES = Path(__file__).parents[3] / "docs" / "images"
VALUES = {
    "issued_on": "2026-03-16",
    "group": "云岭师范学院学生",
    "period": "2026-03-01 至 2026-03-15",
    "topic_posts": "34",
    "place": "云岭师范学院南区",
    "reported_at": "2026-03-15 20:11",
    "replies": "12",
    "demand": "南区宿舍热水供应不足 #let *x* {{ a }} <b>&",
    "details": "领域：校园生活。\n截至统计时，共 34 条帖子，不少于 21 人反映。\n拟办意见：建议两周内检修。",
    "coordination_opinion": "请东莞市牵头办理。",
    "result": "循环泵已更换，水温恢复正常。",
    "leader_remark": "同意，持续跟进。",
}


def filled(kind: CaseKind, name: str | None = "陈小雨") -> forms.Sheet:
    fields = {field.key: VALUES.get(field.key, "") for field in forms.FORMS[kind]}
    return forms.sheet(kind, forms.checked(kind, fields), name=name)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} is not installed, and CI may not go without it")
        pytest.skip(f"{name} is not installed")
    return found


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def text_of(pdf: Path) -> str:
    done = subprocess.run([program("pdftotext"), "-raw", str(pdf), "-"], check=True, capture_output=True)
    return bare(done.stdout.decode())


def inked(page: Path) -> tuple[float, list[int]]:
    """Return the share of dark points of a grey picture, and the rows that are lines right across."""
    head, _, rest = page.read_bytes().partition(b"\n")
    size, _, rest = rest.partition(b"\n")
    _, _, points = rest.partition(b"\n")
    assert head == b"P5"
    width, height = (int(part) for part in size.split())
    rows = [points[start : start + width] for start in range(0, width * height, width)]
    dark = sum(sum(point < 128 for point in row) for row in rows)
    return dark / (width * height), [
        at for at, row in enumerate(rows) if sum(point < 160 for point in row) > 0.7 * width
    ]


@pytest.mark.parametrize("kind", list(CaseKind))
def test_the_pdf_holds_every_field_and_looks_like_the_official_table(kind: CaseKind, tmp_path: Path) -> None:
    program("pdftoppm")
    place = tmp_path / "form.pdf"
    place.write_bytes(documents.pdf(filled(kind)))
    text = text_of(place)
    for line in filled(kind).lines:
        assert bare(line.words.zh) in text, line.key
        assert bare(line.value) in text, line.key
    assert bare(forms.TITLES[kind].zh) in text
    assert bare(forms.FOOTER.zh) in text
    fonts = subprocess.run([program("pdffonts"), str(place)], check=True, capture_output=True).stdout.decode()
    described = fonts.splitlines()[2:]
    assert described
    assert all(re.search(r"\byes\s+yes\s+yes\b", one) for one in described), fonts  # embedded, cut, readable

    subprocess.run(
        ["pdftoppm", "-r", "50", "-gray", "-singlefile", str(place), str(tmp_path / "page")], check=True
    )
    share, lines = inked(tmp_path / "page.pgm")
    assert 0.01 < share < 0.15
    # The frame and the rules between rows run across the page: two rows of pairs, two short, four tall.
    assert len({at // 3 for at in lines}) >= 7
    if os.environ.get("TINGJIAN_TEST_PICTURES"):
        name = "form-" + kind.value.replace("_", "-")
        subprocess.run(
            ["pdftoppm", "-r", "70", "-png", "-singlefile", str(place), str(PICTURES / name)], check=True
        )


@pytest.mark.parametrize("kind", list(CaseKind))
def test_a_filled_word_form_is_read_back_as_it_was(kind: CaseKind) -> None:
    made = documents.word(kind, filled(kind))

    read = documents.read_word(kind, made)

    kept = {field.key for field in forms.FORMS[kind]} - forms.FROM_CONSENT
    assert read == {key: VALUES[key] for key in kept}
    other = next(one for one in CaseKind if one is not kind)
    with pytest.raises(InvalidInput) as wrong:
        documents.read_word(other, made)
    assert wrong.value.problem_code == "form_incomplete"


def test_libreoffice_opens_the_word_form(tmp_path: Path) -> None:
    office = program("soffice")
    kind = CaseKind.COLLECTIVE_DEMAND
    (tmp_path / "form.docx").write_bytes(documents.word(kind, filled(kind)))
    subprocess.run(
        [
            office,
            f"-env:UserInstallation=file://{tmp_path}/profile",
            "--headless",
            "--convert-to",
            "pdf",
            "form.docx",
        ],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        timeout=120,
    )
    text = text_of(tmp_path / "form.pdf")
    for line in filled(kind).lines:
        assert bare(line.words.zh) in text, line.key
        assert bare(line.value) in text, line.key


def test_what_is_no_form_is_refused_and_nothing_of_it_taken() -> None:
    kind = CaseKind.COLLECTIVE_DEMAND
    whole = documents.word(kind, filled(kind))
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as packed:
        for number in range(300):
            packed.writestr(f"{number}.xml", "")
    for content, code in (
        (b"", "not_word"),
        (b"%PDF-1.7", "not_word"),
        (whole[: len(whole) // 2], "not_word"),
        (many.getvalue(), "too_large"),
        (b"x" * (documents.WORD_LIMIT + 1), "too_large"),
    ):
        with pytest.raises((InvalidInput, TooLarge)) as wrong:
            documents.read_word(kind, content)
        assert wrong.value.problem_code == code


def test_a_machine_without_a_chinese_font_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "FAMILIES", ("A family that there is not",))

    with pytest.raises(ConfigurationError) as missing:
        documents.pdf(filled(CaseKind.HELP_CASE))

    assert missing.value.problem_code == "font_missing"
    assert "TINGJIAN_FONTS" in missing.value.detail


def test_a_name_is_on_the_form_only_while_it_is_let() -> None:
    shown = {line.key: line.value for line in filled(CaseKind.HELP_CASE, name=None).lines}

    assert shown["name"] == forms.NO_NAME
    assert forms.checked(CaseKind.HELP_CASE, {"name": "陈小雨"})["name"] == ""
