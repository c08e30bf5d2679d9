"""What an operator may set about moderation. Values arrive by constructor, never from the environment.

What is judged, and how strictly, is no setting: it is versioned data in `policies/` and `rulebooks/`.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

ROOM: Final = Path(__file__).parent
SHIPPED_RULEBOOKS: Final = ROOM / "rulebooks"
SHIPPED_SUITE: Final = ROOM / "protected_suite"
SHIPPED_POLICY: Final = ROOM / "policies" / "2026-11.yaml"


@dataclass(frozen=True, slots=True)
class ModerationSettings:
    """Where the operator's own rules stand, and which policy decides.

    Parameters
    ----------
    operator_rulebooks
        A directory of the operator's own packs, or None. Its rules can at most hold.
    policy
        The policy file; by default the one shipped.
    undo
        How long a person's decision can be taken back before anything of it leaves.
    referral_unopened
        How long a referral may wait unopened before people are called to it.
    """

    operator_rulebooks: Path | None = None
    policy: Path = SHIPPED_POLICY
    undo: timedelta = timedelta(seconds=30)
    referral_unopened: timedelta = timedelta(minutes=10)
