"""Make Word and PDF of the two official forms, and read a filled Word form back in.

Both look like the official tables. The PDF is set by typst and embeds an openly licensed Chinese font that is
found on the machine, or in the folder that the operator names. Word takes its template from
`templates/*.docx`, made by `scripts/make-form-templates`. Values are data everywhere: none is read as markup.

Refuses: a PDF without a Chinese font, with the way out; a file that is no Word form of this kind, has too
many parts, or lacks a field.

Neighbours: `forms` knows the fields; `cases` saves what was read back as a new version.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import typst
from docx import Document
from docx.opc.exceptions import PackageNotFoundError
from docxtpl import DocxTemplate, Listing

from alerts.forms import FORMS, FROM_CONSENT, LONG, Sheet
from models.errors import ConfigurationError, InvalidInput, TooLarge
from models.vocabulary import CaseKind

FOLDER: Final = Path(__file__).parent / "templates"
FAMILIES: Final = (
    "Noto Serif CJK SC",
    "Source Han Serif SC",
    "FandolFang R",
    "FandolSong",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
)
"""Openly licensed families that may be embedded, the most official-looking first."""

HEIGHTS: Final = MappingProxyType(
    {"details": 62, "coordination_opinion": 32, "result": 36, "leader_remark": 24}
)
"""Least height of the tall fields. Unit: millimetres."""

BROKEN: Final = MappingProxyType(
    {
        "group": "反映诉求的\n青年群体",
        "name": "反映诉求的\n用户姓名",
        "details": "诉求详情及\n开发运维组\n拟办意见",
        "coordination_opinion": "综合协调组\n意见",
        "leader_remark": "团省委领导\n批示",
    }
)
"""Labels too long for one line, broken where a reader would."""

SIGNS_A_LINE: Final = 28
WORD_LIMIT: Final = 2_000_000
WORD_UNPACKED: Final = 20_000_000
WORD_PARTS: Final = 200


class Kind(StrEnum):
    """A kind of file."""

    PDF = "pdf"
    WORD = "docx"


MEDIA_TYPES: Final = MappingProxyType(
    {
        Kind.PDF: "application/pdf",
        Kind.WORD: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    }
)


def make(kind: CaseKind, sheet: Sheet, wanted: Kind, fonts: Path | None = None) -> bytes:
    """Return a form as a file.

    Parameters
    ----------
    fonts
        A folder with further fonts, if the operator named one.

    Raises
    ------
    ConfigurationError
        If a PDF is wanted and there is no Chinese font.
    """
    return word(kind, sheet) if wanted is Kind.WORD else pdf(sheet, fonts)


def word(kind: CaseKind, sheet: Sheet) -> bytes:
    """Return a form as Word."""
    template = DocxTemplate(FOLDER / f"{kind.value}.docx")
    template.render({line.key: Listing(line.value) for line in sheet.lines}, autoescape=True)
    out = io.BytesIO()
    template.save(out)
    return out.getvalue()


def pdf(sheet: Sheet, fonts: Path | None = None) -> bytes:
    """Return a form as PDF, with its fonts embedded.

    Raises
    ------
    ConfigurationError
        If there is no Chinese font.
    """
    families = chinese_fonts(fonts)
    if not families:
        raise ConfigurationError(
            "no Chinese font for the PDF: install fonts-noto-cjk or fonts-wqy-zenhei, or name a folder with"
            " TINGJIAN_FONTS",
            code="font_missing",
        )
    made: bytes = typst.compile(
        FOLDER / "form.typ",
        format="pdf",
        font_paths=_found(fonts),
        ignore_system_fonts=True,  # they are in `_found` already
        sys_inputs={"form": json.dumps(_laid_out(sheet, families), ensure_ascii=False)},
    )
    return made


def chinese_fonts(fonts: Path | None = None) -> tuple[str, ...]:
    """Return the families of `FAMILIES` that there are."""
    there = set(_found(fonts).families())
    return tuple(family for family in FAMILIES if family in there)


@lru_cache(maxsize=4)
def _found(fonts: Path | None) -> typst.Fonts:
    """Return the fonts of this machine and of a folder; looking through them takes half a second."""
    return typst.Fonts(font_paths=[str(fonts)] if fonts else [])


def _laid_out(sheet: Sheet, families: tuple[str, ...]) -> dict[str, Any]:
    """Return the table as the template sets it: short fields two in a row, long ones across."""
    cells = [
        {
            "key": line.key,
            "label": BROKEN.get(line.key, line.words.zh),
            "value": line.value,
            "height": HEIGHTS.get(line.key, 0),
            "lines": sum(max(1, -(-len(part) // SIGNS_A_LINE)) for part in line.value.split("\n")),
        }
        for line in sheet.lines
    ]
    short = [one for one in cells if one["key"] not in HEIGHTS]
    paired, alone = short[:4], short[4:]
    return {
        "title": sheet.title.zh,
        "footer": sheet.footer.zh,
        "fonts": list(families[:2]),
        "pairs": [paired[start : start + 2] for start in range(0, len(paired), 2)] + [[one] for one in alone],
        "wide": [one for one in cells if one["key"] in HEIGHTS],
    }


def read_word(kind: CaseKind, content: bytes) -> dict[str, str]:
    """Return the fields of a filled Word form, by the words of their labels.

    What a form never keeps, such as a name, is left out.

    Raises
    ------
    TooLarge
        If it is larger than a form can be.
    InvalidInput
        If it is no Word form of this kind, or a field is missing; nothing is taken over then.
    """
    if len(content) > WORD_LIMIT:
        raise TooLarge("larger than a form can be")
    labels = {_bare(field.words.zh): field.key for field in FORMS[kind]}
    found: dict[str, str] = {}
    for table in _document(content).tables:
        for row in table.rows:
            cells: list[Any] = []
            for cell in row.cells:
                if not cells or cells[-1]._tc is not cell._tc:  # noqa: SLF001 - a merged cell comes again
                    cells.append(cell)
            for name, value in pairwise(cells):
                key = labels.get(_bare(name.text))
                if key is not None and key not in found:
                    found[key] = value.text.strip()[: LONG + 1]
    missing = sorted(set(labels.values()) - set(found))
    if missing:
        raise InvalidInput(
            "this is not the form, or a field is missing",
            code="form_incomplete",
            field=f"/fields/{missing[0]}",
        )
    return {key: value for key, value in found.items() if key not in FROM_CONSENT}


def _document(content: bytes) -> Any:  # noqa: ANN401 - python-docx's own class is behind a function
    """Open a Word file that is small enough inside as well."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            parts = packed.infolist()
            if len(parts) > WORD_PARTS or sum(part.file_size for part in parts) > WORD_UNPACKED:
                raise TooLarge("larger than a form can be")
        return Document(io.BytesIO(content))
    except (zipfile.BadZipFile, PackageNotFoundError, KeyError, ValueError):
        raise InvalidInput("this is no Word file", code="not_word", field="/file") from None


def _bare(label: str) -> str:
    return "".join(label.split())


def filled(before: Mapping[str, str], read: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a form after a Word form was read back: what it says, and else what was there."""
    return {**before, **read}
