"""Files on a record: what they are counts, and not what they say they are."""

import io
import zipfile
from pathlib import Path

import pytest

from alerts import attachments
from alerts.attachments import LIMIT, TYPES, Upload, media_type, safe_name
from models.casework import Attachment
from models.errors import InvalidInput, NotFound, TooLarge

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 20 + b"\x00\x00\x00\x00IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0" + b"\x00" * 20 + b"\xff\xd9"
PDF = b"%PDF-1.7\n1 0 obj\n%%EOF\n"
PROGRAM = b"MZ\x90\x00" + b"\x00" * 60


def office(*names: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:
        for name in names:
            # A name alone would be stamped with the time, and the name of a test is made of these bytes.
            packed.writestr(zipfile.ZipInfo(name), "<x/>")
    return made.getvalue()


WORD = office("[Content_Types].xml", "word/document.xml")
EXCEL = office("[Content_Types].xml", "xl/workbook.xml")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("方案.pdf", PDF),
        ("a.PNG", PNG),
        ("a.jpeg", JPEG),
        ("a.docx", WORD),
        ("a.xlsx", EXCEL),
        ("a.txt", "热水已修好。\n".encode()),
    ],
)
def test_what_is_what_it_says_is_taken(name: str, content: bytes) -> None:
    assert media_type(Upload(name, content)) == TYPES[Path(name).suffix.lower()]


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.pdf", PROGRAM, "file_disguised"),
        ("a.png", JPEG, "file_disguised"),
        ("a.jpg", b"\xff\xd8\xff" + PROGRAM, "file_disguised"),
        ("a.docx", EXCEL, "file_disguised"),
        ("a.docx", office("word/document.xml"), "file_disguised"),
        (
            "a.docx",
            office("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"),
            "file_disguised",
        ),
        ("a.xlsx", WORD[:40], "file_disguised"),
        ("a.txt", b"<script>alert(1)</script>", "file_disguised"),
        ("a.txt", b"\x00\x01\x02", "file_disguised"),
        ("a.txt", PDF, "file_disguised"),
        ("a.exe", PROGRAM, "file_kind"),
        ("a.svg", b"<svg/>", "file_kind"),
        ("a.pdf.html", PDF, "file_kind"),
        ("a", PDF, "file_kind"),
        ("a.pdf", b"", "empty"),
    ],
)
def test_what_pretends_is_refused(name: str, content: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        media_type(Upload(name, content))

    assert refused.value.problem_code == code


def test_a_file_over_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge):
        media_type(Upload("a.txt", b"a" * (LIMIT + 1)))


def test_a_name_keeps_no_path() -> None:
    assert safe_name("../../etc/passwd.txt") == "passwd.txt"
    assert safe_name("C:\\temp\\方案.pdf") == "方案.pdf"
    assert safe_name('a"b<c>.txt') == "abc.txt"
    for name in ("", "..", "/", "x" * 101 + ".txt"):
        with pytest.raises(InvalidInput):
            safe_name(name)


def test_content_that_was_changed_is_not_given_out(tmp_path: Path) -> None:
    import hashlib

    row = Attachment(sha256=hashlib.sha256(PDF).hexdigest(), subject_id="s", organisation="gd", name="a.pdf")
    place = attachments.place_of(tmp_path, row)
    attachments._keep(place, PDF)
    attachments._keep(place, PDF)
    assert attachments.content_of(tmp_path, row) == PDF
    assert place.stat().st_mode & 0o077 == 0
    place.chmod(0o600)
    place.write_bytes(PNG)
    with pytest.raises(NotFound) as changed:
        attachments.content_of(tmp_path, row)
    assert changed.value.problem_code == "file_changed"
    place.unlink()
    with pytest.raises(NotFound):
        attachments.content_of(tmp_path, row)
