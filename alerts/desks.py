"""Who sits at which desk of the demand mechanism, and what of it they see.

The official workflow has four desks: the operations team 开发运维组 verifies, answers first and fills in
the form; the coordination group 综合协调组 reviews it, names the units and archives; a unit 牵头办理部门或
地市 makes the plan, carries it out and reports; the office's leader remarks on the result.

Refuses: a step of a desk at which the worker does not sit for this case, and, in the words of a thing
that does not exist, every case that they may not see. A help case is seen by those who work on it alone.

Neighbours: the roof says where somebody sits; `case_steps` says which step is whose. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from alerts.actor import Actor
from models.errors import NotFound, NotPermitted
from models.event import Case
from models.organisation import reaches
from models.vocabulary import CaseKind


class Desk(StrEnum):
    """A desk of the demand mechanism."""

    OPERATIONS = "operations"
    COORDINATION = "coordination"
    UNIT = "unit"
    LEADER = "leader"


@dataclass(frozen=True, slots=True)
class Worker(Actor):
    """Somebody with the nodes at and under which they sit at each desk, and see cases and help cases."""

    desks: Mapping[Desk, tuple[str, ...]] = field(default_factory=dict)
    reads: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()

    def sits(self, desk: Desk, place: str | None) -> bool:
        """Return whether they sit at a desk for `place`."""
        return place is not None and _reach(self.desks.get(desk, ()), place)

    def at(self, case: Case, units: Sequence[str] = ()) -> frozenset[Desk]:
        """Return the desks at which they sit for a case; `units` are all units that have it now."""
        found = {
            desk
            for desk in (Desk.OPERATIONS, Desk.COORDINATION, Desk.LEADER)
            if self.sits(desk, case.organisation)
        }
        if any(self.sits(Desk.UNIT, unit) for unit in units):
            found.add(Desk.UNIT)
        return frozenset(found)

    def sees(self, case: Case, units: Sequence[str] = ()) -> bool:
        """Return whether they may see a case."""
        if any(self.sits(Desk.UNIT, unit) for unit in units):
            return True
        scope = self.helps if case.kind is CaseKind.HELP_CASE else self.reads
        return _reach(scope, case.organisation)

    def reads_at(self, place: str) -> bool:
        """Return whether they read the demands' cases at a place."""
        return _reach(self.reads, place)

    def require_sight(self, case: Case, units: Sequence[str] = ()) -> None:
        """Refuse a case that they may not see.

        Raises
        ------
        NotFound
            If it is not theirs to see.
        """
        if not self.sees(case, units):
            raise NotFound("no such case, or none that you may see")

    def require_desk(self, case: Case, units: Sequence[str], desks: Sequence[Desk]) -> None:
        """Refuse unless they see the case and sit at one of the desks for it.

        Raises
        ------
        NotFound
            If they may not see it.
        NotPermitted
            If the step is another desk's.
        """
        self.require_sight(case, units)
        if not self.at(case, units) & set(desks):
            raise NotPermitted(f"this is for the desk: {', '.join(desks)}", code="another_desk")


def _reach(scope: Sequence[str], place: str) -> bool:
    return reaches(scope, place)
