"""Which reviewed posts may teach, what they teach, and how the new bundle is judged."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.commands.train import train
from learning.bundle import load_bundle
from learning.cascade import CascadeBundle
from learning.encoder import HARM_COLUMNS
from learning.manifest import JointEntry, Manifest, read_manifest
from learning.training.comparison import compare, report
from learning.training.making import make_bundle
from learning.training.officers import Admitted, OfficerRow, admit, read_officer_rows
from learning.training.recipe import Recipe, read_recipe
from learning.training.refitting import moved, refit
from learning.training.sources import Roots
from models.errors import ConfigurationError, InvalidInput
from models.vocabulary import Category
from tests.support.tiny_cascade import write_tiny_cascade
from tests.support.tiny_lessons import write_tiny_lessons

# One process imports torch and teaches the tiny models; two would do it twice.
pytestmark = pytest.mark.xdist_group("learning")

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SCAM, SPAM, HATE = (HARM_COLUMNS.index(word) for word in (Category.SCAM, Category.SPAM, Category.HATE))


def row(text: str, category: Category | None = None, **changes: object) -> OfficerRow:
    values: dict[str, object] = {"author": 1, "officer": 1, "held_back": False, "exported_at": NOW, **changes}
    return OfficerRow.model_validate({"text": text, "category": category, **values})


def by_officers(*counts: int) -> list[OfficerRow]:
    """So many posts decided by the first officer, the second, and so on."""
    return [
        row(f"第{officer}人看的第{number}帖", author=100 * officer + number, officer=officer)
        for officer, count in enumerate(counts)
        for number in range(count)
    ]


def write(path: Path, rows: list[OfficerRow]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(one.model_dump(mode="json")) + b"\n" for one in rows))
    return path


# ---------------------------------------------------------------- reading


def test_what_was_written_is_read(tmp_path: Path) -> None:
    rows = [row("加微信", Category.SPAM), row("几点关门", author=2, held_back=True)]

    assert read_officer_rows(write(tmp_path / "rows.jsonl", rows), now=NOW) == rows


def test_a_row_that_is_none_is_named_by_its_line_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [row("好的")])
    path.write_bytes(path.read_bytes() + '{"text": "秘密的话", "category": "opinion"}\n'.encode())

    with pytest.raises(InvalidInput, match="line 2") as raised:
        read_officer_rows(path, now=NOW)
    assert "秘密" not in str(raised.value)


def test_a_file_of_last_week_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [row("好的")])

    assert read_officer_rows(path, now=NOW + timedelta(days=7))
    with pytest.raises(InvalidInput, match="export it again"):
        read_officer_rows(path, now=NOW + timedelta(days=7, seconds=1))


def test_an_author_who_stands_on_both_sides_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", [row("一"), row("二", held_back=True)])

    with pytest.raises(InvalidInput, match="both"):
        read_officer_rows(path, now=NOW)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_officer_rows(tmp_path / "nothing.jsonl", now=NOW)


# ---------------------------------------------------------------- admitting


def test_words_that_were_decided_both_ways_teach_nothing_and_are_counted() -> None:
    rows = [
        *by_officers(2, 2, 2),
        row("加 我", Category.SPAM, author=7),
        row("加我", None, author=8, officer=2),
    ]
    admitted = admit(rows)

    assert admitted.contradicted == 2
    assert len(admitted.teach) == 6


def test_words_of_a_post_that_is_held_back_do_not_teach() -> None:
    rows = [*by_officers(2, 2, 2), row("第0人看的第0帖", author=9, held_back=True)]
    admitted = admit(rows)

    assert admitted.held_back_words == 1
    assert "第0人看的第0帖" not in {one.text for one in admitted.teach}
    assert [one.text for one in admitted.held_back] == ["第0人看的第0帖"]


def test_words_that_many_say_teach_once() -> None:
    rows = [*by_officers(3, 3, 3), row("第1人看的第0帖", author=50, officer=2)]

    assert admit(rows).repeated == 1


def test_one_officer_alone_cannot_teach() -> None:
    with pytest.raises(ConfigurationError, match="too few officers"):
        admit(by_officers(50))


@given(st.lists(st.integers(1, 40), min_size=3, max_size=6), st.floats(0.34, 0.9), st.integers(0, 9))
def test_nobody_decided_more_than_the_share_whatever_the_order(
    counts: list[int], share: float, seed: int
) -> None:
    rows = by_officers(*counts)
    admitted = admit(rows, share=share, seed=seed)
    shuffled = random.Random(seed).sample(rows, len(rows))  # noqa: S311 - no secret
    found = Counter(one.officer for one in admitted.teach)

    assert max(found.values()) <= share * len(admitted.teach)
    assert len(admitted.teach) + admitted.over_share == len(rows)
    assert admit(shuffled, share=share, seed=seed).teach == admitted.teach


def test_officers_of_like_diligence_lose_nothing() -> None:
    assert admit(by_officers(10, 10, 10)).over_share == 0


# ---------------------------------------------------------------- refitting


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_lessons(tmp_path_factory.mktemp("lessons"))


@pytest.fixture(scope="module")
def recipe(place: Path) -> tuple[Recipe, str]:
    return read_recipe(str(place / "tiny.toml"))


@pytest.fixture(scope="module")
def roots(place: Path) -> Roots:
    return Roots(data=place, corpus=place, texts=place)


@pytest.fixture(scope="module")
def present(place: Path, recipe: tuple[Recipe, str], roots: Roots) -> Path:
    make_bundle(*recipe, roots, place / "tiny", lambda _: None)
    return place / "tiny"


def reviewed() -> tuple[OfficerRow, ...]:
    return tuple(row(f"刷单返利第{number}期", Category.SCAM, author=number) for number in range(40))


def test_a_head_learns_what_officers_found_and_the_rest_stays(
    present: Path, recipe: tuple[Recipe, str], roots: Roots, tmp_path: Path
) -> None:
    out = tmp_path / "new"
    made = refit(*recipe, reviewed(), roots, present=present, out=out, tell=lambda _: None)
    before, after = load_bundle(present), load_bundle(out)
    texts = ["刷单返利九折", "图书馆七七点关门吗"]

    assert before.harms(texts)[:, SCAM].max() == 0.0
    assert after.harms(texts)[0, SCAM] > after.harms(texts)[1, SCAM]
    assert made.taught == {"scam": 40}
    assert np.array_equal(before.encode(texts), after.encode(texts))
    assert np.array_equal(before.reads(texts).need, after.reads(texts).need)


def test_the_new_manifest_names_the_reviewed_posts_and_holds_none_of_them(
    present: Path, recipe: tuple[Recipe, str], roots: Roots, tmp_path: Path
) -> None:
    out = tmp_path / "new"
    refit(*recipe, reviewed(), roots, present=present, out=out, tell=lambda _: None)
    manifest = read_manifest(out)

    assert isinstance(manifest, Manifest)
    assert manifest.name == "new"
    assert manifest.sources[-1].rows == 40
    assert all("刷单返利" not in path.read_text(errors="ignore") for path in out.iterdir())


def test_no_refitted_head_is_surer_of_a_protected_text_than_the_ceiling(
    present: Path, recipe: tuple[Recipe, str], roots: Roots, tmp_path: Path
) -> None:
    rows = tuple(row(f"社招新，加微信报名{number}", Category.SPAM, author=number) for number in range(60))
    refit(*recipe, rows, roots, present=present, out=tmp_path / "new", tell=lambda _: None)

    assert load_bundle(tmp_path / "new").harms(["吉他社招新，加微信报名"]).max() <= 0.8 + 5e-3


def test_without_rows_nothing_is_made(
    present: Path, recipe: tuple[Recipe, str], roots: Roots, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="no reviewed post"):
        refit(*recipe, (), roots, present=present, out=tmp_path / "new", tell=lambda _: None)


def test_a_cascade_begins_with_the_new_first_stage(
    place: Path, present: Path, recipe: tuple[Recipe, str], roots: Roots
) -> None:
    whole = write_tiny_cascade(place / "tiny-cascade", present)
    more = tuple(row(f"加微信买药{number}", Category.SPAM, author=number) for number in range(40))
    refit(*recipe, (*reviewed(), *more), roots, present=whole, out=place / "next", tell=lambda _: None)
    before, after = load_bundle(whole), load_bundle(place / "next")

    assert isinstance(before, CascadeBundle)
    assert isinstance(after, CascadeBundle)
    assert after.first.name == "next-first"
    texts = ["刷单返利九折", "图书馆七七点关门吗"]
    assert before.first.harms(texts)[:, SCAM].max() == 0.0
    assert after.harms(texts)[0, SCAM] > after.harms(texts)[1, SCAM]
    assert after.harm_heads.encoder[SPAM] > before.harm_heads.encoder[SPAM]
    assert after.harm_heads.encoder[HATE] == before.harm_heads.encoder[HATE]
    assert np.array_equal(before.read_heads.offset, after.read_heads.offset)


def test_a_line_moves_to_what_rows_say_and_never_against_evidence() -> None:
    draw = np.random.default_rng(3)
    one, two = draw.normal(size=20_000), draw.normal(size=20_000)
    head = JointEntry(linear=1.0, encoder=0.1, offset=0.0, trained=True)
    truth = draw.random(20_000) < 1 / (1 + np.exp(-(2.0 * two - 1.0)))
    found = moved(head, one, two, truth)

    assert found.encoder == pytest.approx(2.0, abs=0.25)
    assert found.offset == pytest.approx(-1.0, abs=0.2)
    assert found.linear == pytest.approx(0.0, abs=0.1)
    assert moved(head, one, two, two < 0).encoder == 0.0


def test_a_line_stays_where_too_few_rows_speak() -> None:
    head = JointEntry(linear=1.0, encoder=0.1, offset=0.0, trained=True)
    none = np.zeros(100, dtype=bool)

    assert moved(head, np.ones(100), np.ones(100), none) is head
    assert (
        moved(head.model_copy(update={"trained": False}), np.ones(100), np.ones(100), ~none).trained is False
    )


# ---------------------------------------------------------------- comparing


def held_back() -> list[OfficerRow]:
    return [
        row(f"帖{number}", Category.SPAM if number % 2 else None, author=number // 4, held_back=True)
        for number in range(80)
    ]


def harms(rows: list[OfficerRow], *, of_harm: float, of_none: float) -> np.ndarray:
    found = np.full((len(rows), len(HARM_COLUMNS)), 0.01, dtype=np.float32)
    found[:, SPAM] = [of_harm if one.category else of_none for one in rows]
    return found


def test_a_better_bundle_gains_and_its_interval_says_so() -> None:
    rows = held_back()
    found = {
        one.name: one
        for one in compare(
            rows,
            harms(rows, of_harm=0.2, of_none=0.3),
            harms(rows, of_harm=0.9, of_none=0.1),
            [0.5] * len(HARM_COLUMNS),
        )
    }

    assert found["harms that ask for a person"].present.value == 0.0
    assert found["harms that ask for a person"].gained.lower == 1.0
    assert found["harmless posts left alone"].gained.value == 0.0
    assert found["harms under the right category"].new.value == 1.0
    assert found["spam, AUROC"].new.value == 1.0
    assert "scam, AUROC" not in found


def test_the_same_bundle_gains_nothing() -> None:
    rows = held_back()
    same = harms(rows, of_harm=0.6, of_none=0.4)

    for one in compare(rows, same, same, [0.5] * len(HARM_COLUMNS)):
        assert (one.gained.lower, one.gained.value, one.gained.upper) == (0.0, 0.0, 0.0)


def test_nothing_held_back_judges_nothing() -> None:
    with pytest.raises(InvalidInput, match="held back"):
        compare([], np.zeros((0, 10)), np.zeros((0, 10)), [0.5] * 10)


def test_the_report_tells_counts_and_figures_and_no_text(
    present: Path, recipe: tuple[Recipe, str], roots: Roots, tmp_path: Path
) -> None:
    made = refit(*recipe, reviewed(), roots, present=present, out=tmp_path / "new", tell=lambda _: None)
    rows = held_back()
    admitted = Admitted(reviewed(), tuple(rows), 3, 2, 1, 0)
    compared = compare(
        rows,
        harms(rows, of_harm=0.2, of_none=0.3),
        harms(rows, of_harm=0.9, of_none=0.1),
        [0.5] * len(HARM_COLUMNS),
    )
    written = report(made, "tiny", admitted, compared, gate="passed.", now=NOW)

    assert "40 reviewed posts, decided by 1 officers" in written
    assert "80 reviewed posts by 20 authors" in written
    assert "| scam | 40 |" in written
    assert "**+1.000 (+1.000 to +1.000)**" in written
    assert "刷单" not in written


# ---------------------------------------------------------------- the command


def command(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(train)
    result = CliRunner().invoke(app, ["officers", *words])
    return result.exit_code, result.output


def test_the_command_writes_a_bundle_and_lays_its_report_beside_it(
    place: Path, present: Path, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    rows = [
        row(f"刷单返利第{number}期", Category.SCAM, author=number, officer=number % 3, exported_at=now)
        for number in range(60)
    ]
    rows += [
        row(f"热水几点供应{number}", author=100 + number, officer=number % 3, held_back=True, exported_at=now)
        for number in range(8)
    ]
    file, out = write(tmp_path / "rows.jsonl", rows), tmp_path / "new"
    words = ["--rows", str(file), "--bundle", str(present), "--out", str(out), "--data", str(place)]
    code, output = command(*words, "--lessons", str(place / "tiny.toml"), "--texts", str(place))
    written = (tmp_path / "new.md").read_text(encoding="utf-8")

    assert code == 0, output
    assert load_bundle(out).name == "new"
    assert "8 reviewed posts by 8 authors of whom no post taught" in written
    assert "**The gate:**" in written
    assert "刷单" not in written


def test_the_command_asks_for_rows_and_for_posts_to_judge_by(tmp_path: Path) -> None:
    rows = [row(f"一{number}", officer=number % 3, exported_at=datetime.now(UTC)) for number in range(9)]
    file = write(tmp_path / "rows.jsonl", rows)

    assert "--rows" in command()[1]
    assert "held back" in command("--rows", str(file))[1]
