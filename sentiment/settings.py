"""What an operator may set about reading and grouping. Values arrive by constructor.

The floor of the charter is no setting: fewer than ten people need a recorded reason, and fewer
than five are refused whatever the reason says (`models.threshold`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.threshold import MINIMUM_AUTHORS
from sentiment.place import HOME_PROVINCE

WINDOW: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class SentimentSettings:
    """How posts are read and how they are grouped.

    Parameters
    ----------
    home_province
        The province whose districts and towns are known by their short names.
    window
        How far back posts count towards a demand that is still gathering.
    minimum_authors
        Distinct authors from which a demand is proposed, where no place has its own number.
    read_at_once
        Posts that the reading job reads at once; it writes them a few at a time.
    """

    home_province: str = HOME_PROVINCE
    window: timedelta = WINDOW
    minimum_authors: int = MINIMUM_AUTHORS
    read_at_once: int = 500

    def __post_init__(self) -> None:
        if self.minimum_authors < MINIMUM_AUTHORS:
            raise ValueError(
                f"need at least {MINIMUM_AUTHORS} authors; a place may be set lower, with a reason"
            )
        if self.window <= timedelta(0) or self.read_at_once < 1:
            raise ValueError("the window and the batch must be positive")
