"""Texts that an office may begin from when it writes to authors, by service domain.

They are a beginning: the officer reads and changes every one before it goes, and the service sends none by
itself (charter, 8).

Neighbours: `templates/responses.toml` holds the texts; the console puts one into the box when asked.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from alerts.case_steps import TO_AUTHORS
from models.errors import ConfigurationError
from models.vocabulary import Domain, Step

FILE: Final = Path(__file__).parent / "templates" / "responses.toml"
SOMEBODY: Final = "承办单位"
SOON: Final = "近期"


@cache
def responses() -> Mapping[Domain, Mapping[Step, str]]:
    """Return the texts by domain and step.

    Raises
    ------
    ConfigurationError
        If a domain has not exactly one text for each step that goes to the authors.
    """
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    wanted = {step.value for step in TO_AUTHORS}
    for domain in Domain:
        if domain is not Domain.NONE and set(found.get(domain.value, {})) != wanted:
            raise ConfigurationError(f"responses.toml: {domain.value} needs {', '.join(sorted(wanted))}")
    return {Domain(name): {Step(step): text for step, text in texts.items()} for name, texts in found.items()}


def suggested(domain: Domain | None, step: Step, *, demand: str, unit: str | None, due: str | None) -> str:
    """Return the text to begin from, or an empty one if there is none."""
    text = responses().get(domain or Domain.NONE, {}).get(step, "")
    return text.replace("{demand}", demand).replace("{unit}", unit or SOMEBODY).replace("{due}", due or SOON)
