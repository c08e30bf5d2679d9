"""Whom a person in danger can reach at once: national lines that answer day and night, free of charge.

They go with every verdict *refer*, so that the platform can show them beside the post. They are
part of the product and no setting empties them.

Source: 12356 is the national psychological help line (National Health Commission, 2025); 12355 is
the youth service line of the youth league; 110 and 120 are the police and the ambulance.
"""

from dataclasses import dataclass
from typing import Any, Final

from models.vocabulary import CLAUSES, Category, Words


@dataclass(frozen=True, slots=True)
class HelpLine:
    """One number to call."""

    number: str
    name: Words


HELP_LINES: Final = (
    HelpLine("12356", Words("全国统一心理援助热线", "National psychological help line")),
    HelpLine("12355", Words("青少年服务台", "Youth service line")),
    HelpLine("120", Words("急救", "Ambulance")),
    HelpLine("110", Words("报警", "Police")),
)


def help_document() -> dict[str, Any]:
    """Return what an answer says beside the verdict *refer*."""
    clause = CLAUSES[Category.SELF_HARM]
    return {
        "clause": clause.number,
        "zh": clause.rule.zh,
        "en": clause.rule.en,
        "lines": [{"number": line.number, "zh": line.name.zh, "en": line.name.en} for line in HELP_LINES],
    }
