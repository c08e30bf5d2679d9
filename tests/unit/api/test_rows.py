import gzip
from pathlib import Path

import pytest

from api.commands.rows import rows_of
from models.errors import InvalidInput


def test_rows_that_have_every_field_come_in_their_order_plain_or_packed(tmp_path: Path) -> None:
    written = '{"text": "一", "label": 1}\n\n{"text": "二", "label": null}\n'
    plain, packed = tmp_path / "rows.jsonl", tmp_path / "rows.jsonl.gz"
    plain.write_text(written, encoding="utf-8")
    packed.write_bytes(gzip.compress(written.encode()))

    assert [row["text"] for row in rows_of(plain, ("label",))] == ["一", "二"]
    assert rows_of(packed, ("label",)) == rows_of(plain, ("label",))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "holds no row"),
        ('{"text": "一", "label": 1}\n{"text": "二"}\n', "line 2 of rows.jsonl lacks label"),
        ("nonsense\n", "line 1 of rows.jsonl: not JSON"),
        ('{"label": 1}\n', "line 1 of rows.jsonl: no text"),
    ],
)
def test_a_file_that_cannot_be_judged_whole_is_refused_by_its_line(
    tmp_path: Path, written: str, said: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(written, encoding="utf-8")

    with pytest.raises(InvalidInput, match=said):
        rows_of(file, ("label",))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        rows_of(tmp_path / "none.jsonl", ())
