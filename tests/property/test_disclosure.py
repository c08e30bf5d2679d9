"""Laws of disclosure: whatever is subtracted from whatever, no cell under k people comes out.

The attacker here knows every number of every report and what each is about: which release, which
span of days, which cell. Every number is the size of a known set of posts; the attacker subtracts
one from another wherever one set holds the other, and goes on with what comes out. Each set that
can be had this way must be empty or of at least k people.
"""

import random
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.disclosure import Release, Voice, counted, release, trend, within
from alerts.redaction import redact
from models.threshold import Threshold

FIRST = date(2026, 3, 1)
START = datetime(2026, 3, 1, tzinfo=UTC)

voices = st.builds(
    Voice,
    author=st.integers(0, 40).map(lambda number: f"a{number}"),
    day=st.integers(0, 30).map(lambda day: FIRST + timedelta(days=day)),
    cell=st.sampled_from(["gd", "gd/a", "gd/b", "gd/c", "gd/d"]),
)
months = st.lists(st.lists(voices, max_size=60), min_size=1, max_size=4)
thresholds = st.sampled_from([Threshold(), Threshold(12), Threshold(5, "小镇人数少")])


def people(posts: list[Voice], members: frozenset[int]) -> int:
    return len({posts[member].author for member in members})


def history(
    batches: list[list[Voice]], threshold: Threshold
) -> tuple[list[Voice], list[tuple[dict[str, Any], Release | None, int]]]:
    """Report after every batch, as `events` does; what is not released yet waits for the next report."""
    posts: list[Voice] = []
    made: list[tuple[dict[str, Any], Release | None, int]] = []
    counts: dict[str, Any] | None = None
    released = known_until = 0
    for turn, batch in enumerate(batches):
        posts += batch
        fresh = posts[released:]
        added = release(fresh, threshold)
        if counts is None and added is None:
            continue
        earlier = {voice.author for voice in posts[:known_until]}
        new = len({voice.author for voice in posts} - earlier)
        before = counts["authors"] if counts else 0
        counts = counted(counts, added, new, threshold, START + timedelta(days=turn))
        made.append((counts, added, released))
        if added is not None:
            released = len(posts)
            if counts["authors"] != before:
                known_until = len(posts)
    return posts, made


def published_sets(made: list[tuple[dict[str, Any], Release | None, int]]) -> list[frozenset[int]]:
    """Return the set of posts behind every number of every report, checking that the numbers fit."""
    total: frozenset[int] = frozenset()
    cells: dict[str | None, frozenset[int]] = {}
    spans: list[tuple[str, str, int]] = []
    found: set[frozenset[int]] = set()
    for counts, added, offset in made:
        if added is not None:
            everything = frozenset(range(offset, offset + added.posts))
            total |= everything
            for cell in added.spread:
                shifted = frozenset(member + offset for member in cell.members)
                cells[cell.name] = cells.get(cell.name, frozenset()) | shifted
            for span in added.days:
                shifted = frozenset(member + offset for member in span.members)
                found.add(shifted)
                spans.append((span.first.isoformat(), span.last.isoformat(), len(shifted)))
        assert counts["posts"] == len(total)
        assert {row["cell"]: row["posts"] for row in counts["spread"]} == {
            name: len(members) for name, members in cells.items()
        }
        assert sorted((row["from"], row["to"], row["posts"]) for row in counts["days"]) == sorted(spans)
        found |= {total, *cells.values()}
    return list(found)


def closure(sets: list[frozenset[int]], rounds: int = 2) -> set[frozenset[int]]:
    """Return every set that subtraction gives, again and again."""
    known = set(sets)
    for _ in range(rounds):
        fresh = {
            larger - smaller
            for one, other in combinations(known, 2)
            for larger, smaller in ((one, other), (other, one))
            if smaller <= larger
        } - known
        if not fresh or len(known) > 400:
            break
        known |= fresh
    return known - {frozenset()}


@given(months, thresholds)
@settings(max_examples=150, deadline=None)
def test_no_cell_under_k_comes_out_by_subtraction(batches: list[list[Voice]], threshold: Threshold) -> None:
    posts, made = history(batches, threshold)

    for recovered in closure(published_sets(made)):
        assert people(posts, recovered) >= threshold.k


@given(months, thresholds)
@settings(max_examples=150, deadline=None)
def test_any_two_reports_differ_by_nothing_or_by_k_people(
    batches: list[list[Voice]], threshold: Threshold
) -> None:
    _, made = history(batches, threshold)

    for (one, _, _), (other, _, _) in combinations(made, 2):
        pairs = [(one["posts"], other["posts"]), (one["authors"], other["authors"])]
        before = {row["cell"]: row["posts"] for row in one["spread"]}
        pairs += [(before.get(row["cell"], 0), row["posts"]) for row in other["spread"]]
        for less, more in pairs:
            assert more == less or more - less >= threshold.k


def sums(blocks: list[int]) -> set[int]:
    """Return every union of blocks, each a set of posts as the bits of a number."""
    found = {0}
    for block in blocks:
        found |= {union | block for union in found}
    return found


def rests(days: set[int], places: set[int]) -> Iterator[int]:
    """Give what is left wherever a sum of one kind holds one of the other."""
    for one in days:
        for other in places:
            both = one & other
            if one != other and both in {one, other}:
                yield one ^ other


def members(bits: int, offset: int) -> frozenset[int]:
    return frozenset(offset + place for place in range(bits.bit_length()) if bits >> place & 1)


def random_history(dice: random.Random) -> tuple[list[list[Voice]], Threshold]:
    """Draw a history in which places, days and people hang together, as they do in life."""
    k = dice.choice([5, 10])
    cells = dice.sample(["gd", "gd/a", "gd/b", "gd/c"], dice.randint(1, 4))
    batches = []
    for turn in range(dice.randint(1, 3)):
        homes = {cell: dice.randint(0, 4) for cell in cells}
        batch = []
        for _ in range(dice.randint(0, 5 * k)):
            cell = dice.choice(cells)
            day = homes[cell] if dice.random() < 0.85 else dice.randint(0, 4)
            batch.append(Voice(f"a{dice.randint(0, 6 * k)}", FIRST + timedelta(days=5 * turn + day), cell))
        batches.append(batch)
    return batches, Threshold(k, "小镇人数少" if k < 10 else "")


def test_nothing_small_comes_out_of_any_two_reports_of_ten_thousand_histories() -> None:
    """All pairs of sums of days and sums of places, of any reports: none is another and a few people more.

    A release is counted by days and by places. Whoever knows which posts each number counts adds numbers
    of either kind and subtracts a smaller set from one that holds it. Days, places and releases are apart
    from one another, so it is enough to look at each release by itself, whatever reports it stands between.
    """
    dice = random.Random(20260316)  # noqa: S311 - a repeatable choice
    compared = released = 0
    for _ in range(10_000):
        batches, threshold = random_history(dice)
        posts, made = history(batches, threshold)
        for _, added, offset in made:
            if added is None:
                continue
            released += 1
            days = sums([sum(1 << member for member in span.members) for span in added.days])
            places = sums([sum(1 << member for member in cell.members) for cell in added.spread])
            compared += len(days) * len(places)
            for rest in rests(days, places):
                assert people(posts, members(rest, offset)) >= threshold.k
        for (one_counts, _, _), (other_counts, _, _) in combinations(made, 2):
            for first in range(0, 15, 5):
                since, until = FIRST + timedelta(days=first), FIRST + timedelta(days=first + 6)
                step = within(other_counts, since, until) - within(one_counts, since, until)
                assert step == 0 or step >= threshold.k
    assert released > 5_000
    assert compared > 100_000


@given(months, thresholds)
@settings(max_examples=100, deadline=None)
def test_a_report_never_takes_a_number_back(batches: list[list[Voice]], threshold: Threshold) -> None:
    _, made = history(batches, threshold)

    for (one, _, _), (other, _, _) in pairwise(made):
        assert other["posts"] >= one["posts"]
        assert other["authors"] >= one["authors"]


@given(st.lists(voices, max_size=80), thresholds)
@settings(max_examples=150, deadline=None)
def test_a_release_accounts_for_every_post_in_each_cut(posts: list[Voice], threshold: Threshold) -> None:
    made = release(posts, threshold)

    if made is None:
        assert people(posts, frozenset(range(len(posts)))) < threshold.k
        return
    for cut in (made.days, made.spread):
        members = [member for block in cut for member in block.members]
        assert sorted(members) == list(range(len(posts)))
        assert all(people(posts, frozenset(block.members)) >= threshold.k for block in cut)


@given(months, thresholds)
@settings(max_examples=50, deadline=None)
def test_figures_hold_no_author(batches: list[list[Voice]], threshold: Threshold) -> None:
    _, made = history(
        [[Voice(f"AUTHOR-{one.author}", one.day, one.cell) for one in b] for b in batches], threshold
    )

    assert all("AUTHOR" not in str(counts) for counts, _, _ in made)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3), st.integers(1, 50)), max_size=10))
def test_the_trend_is_one_of_four_words(rows: list[tuple[int, int, int]]) -> None:
    days = [
        {
            "from": (FIRST + timedelta(days=first)).isoformat(),
            "to": (FIRST + timedelta(days=first + length)).isoformat(),
            "posts": posts,
        }
        for first, length, posts in rows
    ]

    assert trend(days) in {"rising", "steady", "falling", "unknown"}


digits = st.text("0123456789", min_size=11, max_size=11).map(lambda text: "1" + text[1:])
separators = st.sampled_from(["", " ", "-", "  ", ".", "·", "/", "\u200b"])
WIDE = {ord(str(digit)): 0xFF10 + digit for digit in range(10)}
SPOKEN = {ord(str(digit)): sign for digit, sign in enumerate("零一二三四五六七八九")}
widths = st.sampled_from([{}, WIDE, SPOKEN])
around = st.text("我们宿舍食堂热水电费一直没有解决请问怎么办，。！？、…\n ", max_size=30)
handles = st.from_regex(r"[a-z][a-z0-9_\-]{5,14}", fullmatch=True)
leads = st.sampled_from(
    ["微信", "微信号：", "加我vx", "wx ", "QQ号 ", "v信", "加微信：", "WeChat:", "抖音号 "]
)
NUMERALS = {sign: str(place) for place, sign in enumerate("零一二三四五六七八九")}


def bare(text: str) -> str:
    """Return the digits of a text however they are written, and nothing else."""
    return "".join(NUMERALS.get(sign, sign) for sign in text if sign.isdigit() or sign in NUMERALS)


@st.composite
def phones(draw: st.DrawFn) -> tuple[str, str]:
    """A phone number, plain and as people write it to get past a filter."""
    number, group = draw(digits), draw(st.integers(2, 6))
    parts = [number[start : start + group] for start in range(0, len(number), group)]
    return number, draw(separators).join(parts).translate(draw(widths))


@given(around, phones(), around)
@settings(max_examples=300, deadline=None)
def test_no_phone_number_stays_in_an_example(before: str, phone: tuple[str, str], after: str) -> None:
    number, written = phone

    assert number[2:9] not in bare(redact(f"{before}{written}{after}"))


@given(
    around,
    st.from_regex(r"[1-6][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-2][1-8][0-9]{3}[0-9Xx]", fullmatch=True),
    around,
)
@settings(max_examples=150, deadline=None)
def test_no_identity_number_stays_in_an_example(before: str, number: str, after: str) -> None:
    assert number[:-1] not in redact(f"{before}{number}{after}")
    assert number[6:14] not in redact(f"{before}{number}{after}")


@given(around, st.from_regex(r"[a-z][a-z0-9]{2,10}@[a-z]{2,8}\.(com|cn|edu\.cn)", fullmatch=True), around)
@settings(max_examples=150, deadline=None)
def test_no_mail_address_stays_in_an_example(before: str, address: str, after: str) -> None:
    cleaned = redact(f"{before}{address}{after}")

    assert address not in cleaned
    assert "@" not in cleaned


@given(around, leads, handles, around)
@example("", "微信", "abcdef", "")
@settings(max_examples=200, deadline=None)
def test_no_handle_stays_in_an_example(before: str, lead: str, handle: str, after: str) -> None:
    assert handle not in redact(f"{before}{lead}{handle} {after}")


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_text_can_be_redacted_and_keeps_no_long_number(text: str) -> None:
    assert re.search(r"[0-9]{7}", redact(text)) is None
