"""How many people have to say something before it may be told: 10, or 5 with a recorded reason.

Neighbours: `disclosure.Threshold` holds the charter's bounds; `models.demand.Setting` the record.
"""

from typing import Final

from sqlmodel import Session, col, select

from alerts.disclosure import LOWEST_AUTHORS, MINIMUM_AUTHORS, Threshold
from models.demand import Setting
from models.organisation import ancestors

KEY: Final = "demand_min_authors"


def threshold_for(session: Session, organisation: str) -> Threshold:
    """Return the threshold in force at a node: the newest setting of the nearest node that has one.

    A recorded value that the charter does not allow counts as 10.
    """
    rows = session.exec(
        select(Setting)
        .where(col(Setting.key) == KEY, col(Setting.organisation).in_(ancestors(organisation)))
        .order_by(col(Setting.changed_at))
    ).all()
    if not rows:
        return Threshold()
    nearest = max(rows, key=lambda row: (len(row.organisation), row.changed_at))
    if not isinstance(nearest.value, int) or isinstance(nearest.value, bool):
        return Threshold()
    if nearest.value >= MINIMUM_AUTHORS:
        return Threshold(nearest.value)
    if nearest.value >= LOWEST_AUTHORS and nearest.reason.strip():
        return Threshold(nearest.value, nearest.reason)
    return Threshold()
