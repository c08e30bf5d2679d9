"""Reply clocks 答复时限: which limit holds, when it ends, whom it calls when, and one sentence that says why.

    question or invitation, working day, 9:00 up to 21:00     3 hours
    question or invitation, any other time                    12 hours
    question on a campus's own board                          24 hours
    booking made while the station is open                    1 hour
    booking made while it is closed                           12 hours

Pure: the moment, the calendar and `now` are arguments. 9:00:00 belongs to the working hours, 21:00:00 to
the night. A limit is counted in hours that pass, whatever days they fall on. Times are Asia/Shanghai.

Refuses: to name a limit for a day of a year that nobody has confirmed (`calendar`).

Neighbours: `questions`, `experts` and `stations` start clocks, `escalation` sweeps them.
"""

from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Final

from alerts.calendar import SHANGHAI, Calendar, Day
from models.service_vocabulary import CallStage, ClockRule, DayKind
from models.vocabulary import Words

OPENS: Final = time(9)
CLOSES: Final = time(21)

LIMITS: Final = MappingProxyType(
    {
        ClockRule.WORKING_HOURS: timedelta(hours=3),
        ClockRule.OFF_HOURS: timedelta(hours=12),
        ClockRule.CAMPUS: timedelta(hours=24),
        ClockRule.STATION_OPEN: timedelta(hours=1),
        ClockRule.STATION_CLOSED: timedelta(hours=12),
    }
)

WARNED: Final = 4
"""A warning comes when this part of the limit is left: a quarter."""

AFTER: Final = MappingProxyType(
    {
        CallStage.BREACH: timedelta(0),
        CallStage.LEAD: timedelta(minutes=30),
        CallStage.ABOVE: timedelta(hours=2),
    }
)
"""How long after the limit each stage comes."""


def rule_of_question(asked: datetime, calendar: Calendar, *, campus: bool) -> ClockRule:
    """Return the limit of a question by when and on what board it was asked.

    Raises
    ------
    YearNotConfirmed
        If the day's year is not confirmed. A campus's own board asks no calendar.
    """
    return ClockRule.CAMPUS if campus else rule_of_invitation(asked, calendar)


def rule_of_invitation(asked: datetime, calendar: Calendar) -> ClockRule:
    """Return the limit of an expert's answer by when the invitation went out.

    Raises
    ------
    YearNotConfirmed
        If the day's year is not confirmed.
    """
    works = calendar.at(asked).kind.is_working
    within = OPENS <= asked.astimezone(SHANGHAI).time() < CLOSES
    return ClockRule.WORKING_HOURS if works and within else ClockRule.OFF_HOURS


def rule_of_booking(*, is_open: bool) -> ClockRule:
    """Return the limit of a station's feedback by whether it is open when the booking is made."""
    return ClockRule.STATION_OPEN if is_open else ClockRule.STATION_CLOSED


def due(rule: ClockRule, started: datetime) -> datetime:
    """Return when the limit ends: a reply at this very moment is in time."""
    return started + LIMITS[rule]


def call_at(rule: ClockRule, due_at: datetime, stage: CallStage) -> datetime:
    """Return when a clock calls for a stage."""
    if stage is CallStage.WARNING:
        return due_at - LIMITS[rule] / WARNED
    return due_at + AFTER[stage]


def next_stage(stage: CallStage | None) -> CallStage | None:
    """Return the stage after this one; None after the last."""
    stages = list(CallStage)
    place = -1 if stage is None else stages.index(stage)
    return stages[place + 1] if place + 1 < len(stages) else None


def next_call(rule: ClockRule, due_at: datetime, stage: CallStage | None) -> datetime | None:
    """Return when the stage after `stage` is called for; None if it was the last."""
    following = next_stage(stage)
    return None if following is None else call_at(rule, due_at, following)


def explain(rule: ClockRule, started: datetime, due_at: datetime, calendar: Calendar) -> Words:
    """Return one sentence that says which limit holds, why, and until when.

    Raises
    ------
    YearNotConfirmed
        If the limit asks the calendar and the year is not confirmed.
    """
    local, until = started.astimezone(SHANGHAI), due_at.astimezone(SHANGHAI)
    zh = f"{until.month}月{until.day}日 {until:%H:%M} 前"
    en = f"until {until:%H:%M} on {until:%-d %B}"
    match rule:
        case ClockRule.CAMPUS:
            return Words(
                f"校园自己版块上的提问，24 小时内答复：{zh}。",
                f"A question on a campus's own board has 24 hours: {en}.",
            )
        case ClockRule.STATION_OPEN:
            return Words(
                f"{local:%H:%M} 在站点开放时间内预约，1 小时内反馈：{zh}。",
                f"A booking at {local:%H:%M}, while the station is open, has 1 hour: {en}.",
            )
        case ClockRule.STATION_CLOSED:
            return Words(
                f"{local:%H:%M} 在站点开放时间外预约，12 小时内反馈：{zh}。",
                f"A booking at {local:%H:%M}, while the station is closed, has 12 hours: {en}.",
            )
        case ClockRule.WORKING_HOURS | ClockRule.OFF_HOURS:
            return _by_day(rule, local, calendar.at(started), (zh, en))


def _by_day(rule: ClockRule, local: datetime, day: Day, until: tuple[str, str]) -> Words:
    zh, en = day.words.zh, day.words.en
    if rule is ClockRule.WORKING_HOURS:
        return Words(
            f"{zh}，{local:%H:%M} 在 9:00 至 21:00 之间，3 小时内答复：{until[0]}。",
            f"{en} and {local:%H:%M} is between 9:00 and 21:00, so the limit is 3 hours: {until[1]}.",
        )
    if day.kind in {DayKind.WORKING_DAY, DayKind.MAKE_UP_DAY}:
        return Words(
            f"{zh}，但 {local:%H:%M} 不在 9:00 至 21:00 之间，12 小时内答复：{until[0]}。",
            f"{en}, but {local:%H:%M} is not between 9:00 and 21:00, so the limit is 12 hours: {until[1]}.",
        )
    return Words(f"{zh}，12 小时内答复：{until[0]}。", f"{en}, so the limit is 12 hours: {until[1]}.")
