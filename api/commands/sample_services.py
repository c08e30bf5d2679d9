"""The service side of the sample: invented stations and experts, and a roster of its two accounts.

Neighbours: `sample` loads the rest and calls this once.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlmodel import Session

from alerts import duty, experts, stations
from alerts.actor import Actor
from alerts.duty import LayerPlan
from alerts.experts import ExpertPlan
from alerts.stations import StationPlan
from models.account import Account
from models.service_vocabulary import DutyCover, ExpertField

FILE: Final = Path(__file__).parents[1] / "sample" / "services.json"


def furnish_services(session: Session, root: str, people: tuple[Account, Account], now: datetime) -> None:
    """Put stations, experts and a roster for working days into the sample."""
    actor = Actor(people[0].id, people[0].name, (root,))
    rows = json.loads(FILE.read_text(encoding="utf-8"))
    for row in rows["stations"]:
        organisation = row.pop("organisation")
        plan = StationPlan(**{**row, "services": tuple(row["services"])})
        stations.make_station(session, organisation, plan, actor, now=now)
    for row in rows["experts"]:
        made = ExpertPlan(row["name"], ExpertField(row["field"]), row["title"], row["alliance"])
        experts.add_expert(session, root, made, actor, now=now)
    layer = LayerPlan(
        "工作日班",
        tuple(account.id for account in people),
        duty.today(now),
        cover=DutyCover.WORKING_DAYS,
        turn_days=5,
    )
    duty.make_layer(session, root, layer, actor, now=now)
