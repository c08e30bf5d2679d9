"""The jobs of this room, for the timetable: read, group, warm the board, count days, suggest, draw.

All are safe to run twice and to be killed anywhere. Neighbours: `reading`, `trend_days`, `demand/`.
"""

from sentiment.demand.grouping import GroupingReport, group_due
from sentiment.demand.missed import DrawReport, draw_due
from sentiment.demand.suggestions import SuggestReport, suggest_due
from sentiment.demand.warmth import WarmthReport, warm_due
from sentiment.reading import ReadingReport, read_due
from sentiment.trend_days import TrendReport, count_due

__all__ = [
    "DrawReport",
    "GroupingReport",
    "ReadingReport",
    "SuggestReport",
    "TrendReport",
    "WarmthReport",
    "count_due",
    "draw_due",
    "group_due",
    "read_due",
    "suggest_due",
    "warm_due",
]
