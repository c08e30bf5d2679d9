"""What the encoder answers, output by output: the harms, need, then the classes of domain and of tone."""

from typing import Final

from learning import cascade
from learning.encoder import DOMAIN_COLUMNS, HARM_COLUMNS, TONE_COLUMNS

HARMS: Final = tuple(word.value for word in HARM_COLUMNS)
DOMAINS: Final = tuple(word.value for word in DOMAIN_COLUMNS)
TONES: Final = tuple(word.value for word in TONE_COLUMNS)

HATE: Final = HARMS.index("hate")
ALONE: Final = len(HARMS) + 1
"""So many outputs are independent of one another: the harms and need."""

GROUPS: Final = ((ALONE, ALONE + len(DOMAINS)), (ALONE + len(DOMAINS), cascade.OUTPUTS))
"""Where the classes of domain and of tone stand, as (first, end)."""
