"""Decide which counts may leave: aggregated, about at least k people, not undone by subtraction.

A report never restates what an earlier one said in another cut. Each time it may add one
*release*: the posts that joined since the last one, cut into blocks by day and by place, so that
every block of the release holds posts of at least k distinct authors. A report's figures are sums
of such blocks. So whatever is subtracted from whatever, in one report or between any two of one
event, the smallest thing that can come out is a block, and a block is about k people or more:

- a cell with fewer authors is merged into "other"; if "other" is too small itself, the smallest
  cell joins it (complementary suppression);
- a day with fewer authors is merged with the days beside it;
- where spans of days hold whole places and only a few people besides, or the other way round, one number
  less the other would tell of those few: neighbouring spans are told together until no sum of days and
  sum of places differ by fewer than k people;
- if fewer than k authors spoke since the last release, nothing is added, and the earlier figures
  are repeated with the moment that they are from;
- a figure never goes down when posts are deleted, because the step would tell of a few people;
- the number of authors grows only by k or more people who had not been counted before.

Refuses: a first report about fewer than k people; `models.threshold` says which k the charter allows.

Neighbours: `redaction` cleans examples; `events` gathers the posts and keeps the figures.
Pure: no clock, no database. The same posts in the same order give the same figures.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from models.errors import CharterViolation
from models.threshold import LOWEST_AUTHORS, MINIMUM_AUTHORS, Threshold

RISING, FALLING = 1.25, 0.8
TREND_DAYS: Final = 14
MOST_SPANS: Final = 12
"""Spans of days in one release; more are told together, so that all sums of them can be tried."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One post as the counting needs it. It never leaves this module's callers.

    `author` is the keyed hash, `day` the date in Shanghai, `cell` the place or organisation.
    """

    author: str
    day: date
    cell: str


@dataclass(frozen=True, slots=True)
class Span:
    """Posts of one day or of several days in a row, both ends inclusive."""

    first: date
    last: date
    members: tuple[int, ...] = field(repr=False)

    @property
    def posts(self) -> int:
        """Number of posts, >= k."""
        return len(self.members)


@dataclass(frozen=True, slots=True)
class Cell:
    """Posts of one place or organisation; `name` is None for what was merged into "other"."""

    name: str | None
    members: tuple[int, ...] = field(repr=False)

    @property
    def posts(self) -> int:
        """Number of posts, >= k."""
        return len(self.members)


@dataclass(frozen=True, slots=True)
class Release:
    """What may be told about one set of posts. `members` of the blocks are positions in that set."""

    posts: int
    days: tuple[Span, ...]
    spread: tuple[Cell, ...]


def rounded_down(count: int) -> int:
    """Return a live count as it may be watched: in tens, under ten in fives, so that no one's step shows."""
    step = MINIMUM_AUTHORS if count >= MINIMUM_AUTHORS else LOWEST_AUTHORS
    return count - count % step


def distinct(voices: Sequence[Voice], members: Sequence[int]) -> int:
    """Return how many distinct authors stand behind some posts."""
    return len({voices[member].author for member in members})


def release(voices: Sequence[Voice], threshold: Threshold) -> Release | None:
    """Cut posts into blocks of at least k authors each, or return None if there are fewer in all.

    Parameters
    ----------
    voices
        The posts that joined since the last release.
    threshold
        The k to hold.
    """
    everyone = range(len(voices))
    if distinct(voices, everyone) < threshold.k:
        return None
    cells = _cells(voices, threshold.k)
    return Release(
        len(voices), tuple(_apart(voices, _days(voices, threshold.k), cells, threshold.k)), tuple(cells)
    )


def _days(voices: Sequence[Voice], k: int) -> list[Span]:
    """Join days in order until each span has k authors; a rest that has fewer joins the last span."""
    by_day: defaultdict[date, list[int]] = defaultdict(list)
    for position, voice in enumerate(voices):
        by_day[voice.day].append(position)
    spans: list[Span] = []
    first: date | None = None
    members: list[int] = []
    for day in sorted(by_day):
        first = first or day
        members += by_day[day]
        if distinct(voices, members) >= k:
            spans.append(Span(first, day, tuple(members)))
            first, members = None, []
    if members:
        last = spans.pop()
        spans.append(Span(last.first, max(by_day), (*last.members, *members)))
    return spans


def _cells(voices: Sequence[Voice], k: int) -> list[Cell]:
    """Merge cells under k authors into "other", and the smallest others too until it has k."""
    by_cell: defaultdict[str, list[int]] = defaultdict(list)
    for position, voice in enumerate(voices):
        by_cell[voice.cell].append(position)
    other: list[int] = []
    large: list[tuple[int, str]] = []
    for name, members in sorted(by_cell.items()):
        authors = distinct(voices, members)
        if authors < k:
            other += members
        else:
            large.append((authors, name))
    large.sort()
    while other and distinct(voices, other) < k:
        other += by_cell[large.pop(0)[1]]
    cells = [Cell(name, tuple(by_cell[name])) for _, name in large]
    cells.sort(key=lambda cell: (-cell.posts, cell.name or ""))
    return [*cells, Cell(None, tuple(sorted(other)))] if other else cells


def _apart(voices: Sequence[Voice], spans: list[Span], cells: list[Cell], k: int) -> list[Span]:
    """Join neighbouring spans until no sum of cells leaves a few people of the spans that hold it."""
    while len(spans) > MOST_SPANS:
        spans = _joined(
            spans, min(range(len(spans) - 1), key=lambda at: spans[at].posts + spans[at + 1].posts)
        )
    while len(spans) > 1 and (told := _leak(voices, spans, cells, k)) is not None:
        spans = _joined(spans, told if told < len(spans) - 1 else told - 1)
    return spans


def _joined(spans: list[Span], at: int) -> list[Span]:
    """Return the spans with the one at a place and the next told as one."""
    one, other = spans[at], spans[at + 1]
    both = Span(one.first, other.last, (*one.members, *other.members))
    return [*spans[:at], both, *spans[at + 2 :]]


def _leak(voices: Sequence[Voice], spans: list[Span], cells: list[Cell], k: int) -> int | None:
    """Return the first span of a set of spans that is some cells and a few people more, or None.

    All sets of spans are tried, at most 2 to the 12th. For each, only the cells that lie wholly in it can
    be taken away, and to take all of them leaves the fewest. The same sums the other way round are the
    complements of these, so they need no look of their own.
    """
    corners = _corners(voices, spans, cells)
    lies_in = [0] * len(cells)
    for at, place in corners:
        lies_in[place] |= 1 << at
    for chosen in range(1, 1 << len(spans)):
        whole = {place for place, spread in enumerate(lies_in) if spread & ~chosen == 0}
        if whole and 0 < _left(corners, chosen, whole, k) < k:
            return (chosen & -chosen).bit_length() - 1
    return None


def _corners(
    voices: Sequence[Voice], spans: list[Span], cells: list[Cell]
) -> dict[tuple[int, int], set[str]]:
    """Return the people of each span and cell together, where there are any."""
    span_of = {member: at for at, span in enumerate(spans) for member in span.members}
    corners: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
    for place, cell in enumerate(cells):
        for member in cell.members:
            corners[span_of[member], place].add(voices[member].author)
    return corners


def _left(
    corners: Mapping[tuple[int, int], set[str]], chosen: int, whole: Collection[int], enough: int
) -> int:
    """Return how many people a set of spans holds outside some cells; no more than `enough` are counted."""
    people: set[str] = set()
    for (at, place), authors in corners.items():
        if chosen >> at & 1 and place not in whole:
            people |= authors
            if len(people) >= enough:
                break
    return len(people)


def within(counts: Mapping[str, Any], since: date, until: date) -> int:
    """Return the posts of a period, from whole published spans alone. Unit: posts, 0 or of k people.

    A span that reaches over an end of the period is left out: a sum of spans is the only thing that may
    be told about any period, and the difference of two such sums is one again.
    """
    return sum(
        row["posts"]
        for row in counts["days"]
        if since.isoformat() <= row["from"] and row["to"] <= until.isoformat()
    )


def counted(
    earlier: Mapping[str, Any] | None,
    added: Release | None,
    new_authors: int,
    threshold: Threshold,
    as_of: datetime,
) -> dict[str, Any]:
    """Return the counts of a report: those of the one before, and what this release adds.

    Parameters
    ----------
    earlier
        The counts of the event's last report, or None for the first.
    added
        What is new, or None if it is about too few people: then the earlier counts are repeated.
    new_authors
        Distinct authors who had not spoken by `earlier["authors_as_of"]`. Unit: people, >= 0.
    threshold
        The k to hold.
    as_of
        The moment up to which posts were looked at.

    Raises
    ------
    CharterViolation
        If this is the first report and it would be about fewer than k people.
    """
    if earlier is None and (added is None or new_authors < threshold.k):
        raise CharterViolation("too few people for a report", code="too_few_authors")
    counts: dict[str, Any] = dict(earlier or {"posts": 0, "authors": 0, "days": [], "spread": []})
    counts["repeated"] = added is None
    if added is None:
        return counts
    counts["as_of"] = as_of.isoformat()
    counts["minimum_authors"] = threshold.k
    counts["posts"] += added.posts
    if new_authors >= threshold.k:
        counts["authors"] += new_authors
        counts["authors_as_of"] = as_of.isoformat()
    counts["days"] = sorted(
        [*counts["days"], *(_day_row(span) for span in added.days)], key=lambda row: (row["from"], row["to"])
    )
    sums: defaultdict[str | None, int] = defaultdict(int)
    for row in counts["spread"]:
        sums[row["cell"]] += row["posts"]
    for cell in added.spread:
        sums[cell.name] += cell.posts
    counts["spread"] = [
        {"cell": name, "posts": posts}
        for name, posts in sorted(sums.items(), key=lambda item: (item[0] is None, -item[1], item[0] or ""))
    ]
    counts["period"] = {
        "from": counts["days"][0]["from"],
        "to": max(row["to"] for row in counts["days"]),
    }
    counts["trend"] = trend(counts["days"])
    return counts


def _day_row(span: Span) -> dict[str, Any]:
    return {"from": span.first.isoformat(), "to": span.last.isoformat(), "posts": span.posts}


def trend(days: Sequence[Mapping[str, Any]]) -> str:
    """Return "rising", "steady", "falling" or "unknown", from published spans alone.

    The rate of the later half of the last 14 days is set against the earlier half; a span's posts
    count evenly over its days. Fewer than two days say nothing.
    """
    rates: defaultdict[date, float] = defaultdict(float)
    for row in days:
        first, last = date.fromisoformat(row["from"]), date.fromisoformat(row["to"])
        length = (last - first).days + 1
        for offset in range(length):
            rates[first + timedelta(days=offset)] += row["posts"] / length
    if not rates:
        return "unknown"
    last, first = max(rates), min(rates)
    half = min(TREND_DAYS, (last - first).days + 1) // 2
    if half == 0:
        return "unknown"
    later = sum(rates.get(last - timedelta(days=offset), 0.0) for offset in range(half))
    before = sum(rates.get(last - timedelta(days=offset), 0.0) for offset in range(half, 2 * half))
    if later > before * RISING:
        return "rising"
    return "falling" if later < before * FALLING else "steady"
