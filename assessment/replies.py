"""How soon young people get a reply (charter, 9): the share in time and the median, by limit, or nothing.

A row is one limit 答复时限: a question asked in working hours, outside them, or on a campus's own board; a
booking made while the station is open, or closed. A limit that fewer than ten people's questions ran under
in the period is not told, and no row is a sum of others, so nothing can be subtracted. Invitations of
experts are left out: there are few experts, and it would be a figure about each of them.

Refuses: a figure about fewer than `MINIMUM_AUTHORS` people; exact counts, which would let somebody who looks
often see single people ask.

Neighbours: `openness` publishes it; `models.clock` is the record, `alerts/clocks.py` has the limits.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from assessment.figures import Origin, durations
from models.clock import Clock
from models.post import Post
from models.service_vocabulary import ClockRule, ClockSubject
from models.threshold import MINIMUM_AUTHORS

MINUTE: Final = 60
HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class ReplyTime:
    """What came of one limit in a period; everything but `rule` is None where too few people asked.

    `n` are questions or bookings whose time is over or that were answered, rounded down to tens; `in_time`
    is the share answered within the limit, rounded to hundredths, what was never answered counting as late;
    `median_minutes` is over what was answered, None if too few people were. Units: hours, rows, 1, minutes.
    """

    rule: ClockRule
    limit_hours: int | None = None
    n: int | None = None
    in_time: float | None = None
    median_minutes: int | None = None
    origin: Origin = Origin.SYSTEM


def reply_times(session: Session, since: datetime, until: datetime, now: datetime) -> tuple[ReplyTime, ...]:
    """Return the reply times of what was asked from `since` up to `until`, one row for each limit.

    A clock that still runs within its limit at `now` is not counted yet, one that was withdrawn never. The
    people behind a question are its authors; a booking names nobody and counts as one.
    """
    rows = session.exec(
        select(Clock, Post.author)
        .outerjoin(
            Post, (col(Post.id) == col(Clock.subject_id)) & (col(Clock.subject) == ClockSubject.QUESTION)
        )
        .where(
            col(Clock.started_at) >= since,
            col(Clock.started_at) < until,
            col(Clock.withdrawn_at).is_(None),
            col(Clock.subject) != ClockSubject.INVITATION,
            col(Clock.stopped_at).is_not(None) | (col(Clock.due_at) < now),
        )
    ).all()
    asked: defaultdict[ClockRule, list[tuple[Clock, str]]] = defaultdict(list)
    for clock, author in rows:
        asked[clock.rule].append((clock, author or clock.id))
    return tuple(_told(rule, asked[rule]) for rule in ClockRule)


def _told(rule: ClockRule, asked: list[tuple[Clock, str]]) -> ReplyTime:
    if len({who for _, who in asked}) < MINIMUM_AUTHORS:
        return ReplyTime(rule)
    waited = [
        ((clock.stopped_at - clock.started_at).total_seconds(), who)
        for clock, who in asked
        if clock.stopped_at is not None
    ]
    enough = len({who for _, who in waited}) >= MINIMUM_AUTHORS
    median = durations([seconds for seconds, _ in waited]).p50 if enough else None
    first = asked[0][0]
    in_time = sum(one.stopped_at is not None and one.stopped_at <= one.due_at for one, _ in asked)
    return ReplyTime(
        rule,
        limit_hours=round((first.due_at - first.started_at).total_seconds() / HOUR),
        n=len(asked) - len(asked) % 10,
        in_time=round(in_time / len(asked), 2),
        median_minutes=None if median is None else round(median / MINUTE),
    )
