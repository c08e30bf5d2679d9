"""How a demand grows: posts and people on each day. Pure.

A day is a day in Shanghai. People are counted once a day here and once over all in the total; no
day says who.

Neighbours: the demand's card shows it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True, slots=True)
class Day:
    """One day: posts of it, people who wrote them, and people who wrote for the first time."""

    day: date
    posts: int
    authors: int
    new_authors: int


def per_day(posts: Iterable[tuple[datetime, str]]) -> list[Day]:
    """Return every day from the first post to the last, the empty ones too.

    Parameters
    ----------
    posts
        For each post when it was posted (aware) and the opaque key of its author.
    """
    rows = sorted((posted.astimezone(SHANGHAI).date(), author) for posted, author in posts)
    if not rows:
        return []
    known: set[str] = set()
    days = []
    day = rows[0][0]
    while day <= rows[-1][0]:
        authors = [author for when, author in rows if when == day]
        days.append(Day(day, len(authors), len(set(authors)), len(set(authors) - known)))
        known.update(authors)
        day += timedelta(days=1)
    return days
