"""The two jobs of this room, for the timetable: read what was published, group what was read.

Both are safe to run twice and to be killed anywhere. Neighbours: `reading`, `demand/grouping`.
"""

from sentiment.demand.grouping import GroupingReport, group_due
from sentiment.reading import ReadingReport, read_due

__all__ = ["GroupingReport", "ReadingReport", "group_due", "read_due"]
