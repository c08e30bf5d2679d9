"""Who acts on events and cases, in the words of this room.

The roof decides what somebody may do and hands over the nodes at which they may do this; the room
only checks that the thing lies under one of them.
"""

from dataclasses import dataclass

from models.errors import NotFound
from models.organisation import reaches


@dataclass(frozen=True, slots=True)
class Actor:
    """An account with the nodes at and under which it may do what it is about to do."""

    account_id: str
    name: str
    scope: tuple[str, ...]

    @property
    def audit_name(self) -> str:
        """The name that stands in the audit log."""
        return f"account:{self.account_id}"

    def reaches(self, organisation: str) -> bool:
        """Return whether `organisation` lies at or under one of the nodes."""
        return reaches(self.scope, organisation)

    def require(self, organisation: str) -> None:
        """Refuse, in the words of a thing that does not exist, what lies outside the scope.

        Raises
        ------
        NotFound
            If no node of the scope reaches `organisation`.
        """
        if not self.reaches(organisation):
            raise NotFound("no such thing, or none that you may see")
