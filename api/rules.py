"""What the edge knows of the rulebook: who may change it, what is published of it, what can be tried.

The rulebook holds for every place alike, so only an administrator of a whole tree changes it. A
back-test is about a part of the tree, and whoever runs it has that part.

Counts of the whole service are published as they are. Counts of one place under five are told as fewer
than five to whoever may not read the posts there.

Neighbours: routes, console and command line call this; `moderation/switching`, `backtest` and `automation`
do the work.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final

from sqlmodel import Session

from api.accounts import Actor
from api.security import Permission, Principal, allows, nodes
from api.wiring import Service
from learning.bundle import SHIPPED
from models.errors import ConfigurationError, InvalidInput, NotPermitted, Unavailable
from models.rulebook import Backtest
from models.threshold import LOWEST_AUTHORS
from models.vocabulary import Category, RuleState
from moderation import arrangement, automation, backtest_counts, editions, tallies
from moderation.arrangement import Base
from moderation.editions import Change, Edition
from moderation.outcomes import judgements, precisions
from moderation.pipeline import Screener
from moderation.precision import Precision
from moderation.proposals import Proposal, ProposalKind
from moderation.rules import Hit, Rule
from moderation.running import RunningScreener
from moderation.tallies import Tally

FRESH: Final = timedelta(minutes=5)
LONGEST_PACK: Final = 200_000
"""Characters of a pack that is sent in. A larger one is a file."""

FEW: Final = LOWEST_AUTHORS


def running(service: Service) -> RunningScreener:
    """Return the screener that runs.

    Raises
    ------
    Unavailable
        If none is loaded here.
    """
    if not isinstance(service.screener, RunningScreener):
        raise Unavailable("no rulebook is loaded here")
    return service.screener


def base_of(service: Service) -> Base:
    """Return what editions are built on."""
    return running(service).base


def may_change(principal: Principal) -> bool:
    """Tell whether somebody may change the rulebook: at the top of a tree, because it holds everywhere."""
    return any("/" not in root for root in nodes(principal, Permission.RULES_CHANGE))


def change_by(actor: Actor, reason: str, now: datetime) -> Change:
    """Return a change by somebody who may change the rulebook.

    Raises
    ------
    NotPermitted
        If the actor may not.
    InvalidInput
        `no_change_reason`, without a reason.
    """
    if actor.by is not None and not may_change(actor.by):
        raise NotPermitted("the rulebook is changed by an administrator of the whole tree")
    return Change(actor.name, reason, now)


@contextmanager
def refused_in_words() -> Iterator[None]:
    """Turn a refusal of something that was sent in into an answer about it, instead of a fault of ours.

    Raises
    ------
    InvalidInput
        `rulebook_refused`, with file, line and reason.
    """
    try:
        yield
    except ConfigurationError as error:
        raise InvalidInput(error.detail, code="rulebook_refused", field="/source") from error


# --- What is published.


@dataclass(frozen=True, slots=True)
class PublishedRule:
    """A rule with its state, and what is known about how it does. Counts are of the whole service."""

    rule: Rule
    state: RuleState
    removes: bool
    demoted: str | None
    hits: int
    precision: Precision
    trial: Tally | None

    def terms(self, *, all_of_them: bool) -> list[str] | None:
        """Return what the rule looks for; None where that is for auditors only."""
        return list(self.rule.terms) if self.rule.public or all_of_them else None


class RuleFigures:
    """What is known about every rule, worked out at most once in five minutes for each edition."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: tuple[datetime, str, list[PublishedRule]] | None = None

    def of(self, service: Service, now: datetime) -> list[PublishedRule]:
        """Return every rule that is active or in shadow or retired, in the order of the rulebook."""
        if not isinstance(service.screener, Screener):
            return []
        screener = service.screener.pinned()
        with self._lock:
            kept = self._kept
            if kept is None or now - kept[0] > FRESH or kept[1] != screener.revision:
                with service.database.reading() as session:
                    kept = (now, screener.revision, _published(session, screener, now))
                self._kept = kept
            return kept[2]


def _published(session: Session, screener: Screener, now: datetime) -> list[PublishedRule]:
    edition = editions.newest(session)
    since = tallies.day_of(now - tallies.WINDOW)
    hits, trials = tallies.hits_since(session, since), tallies.silent_since(session, since)
    found = precisions(judgements(session, now - automation.LOOKS_BACK, now).values())
    standing, policy = screener.standing, screener.policy
    return [
        PublishedRule(
            rule=rule,
            state=_state(rule.id, standing.retired, standing.silent),
            removes=_removes(rule, screener),
            demoted=_why(edition, rule.id) if rule.id not in policy.proven else None,
            hits=hits.get(rule.id, 0),
            precision=found.get(rule.id, Precision()),
            trial=trials.get(rule.id) if rule.id in standing.silent else None,
        )
        for rule in screener.rulebook.rules
    ]


def _state(rule: str, retired: frozenset[str], silent: frozenset[str]) -> RuleState:
    if rule in retired:
        return RuleState.RETIRED
    return RuleState.SHADOW if rule in silent else RuleState.ACTIVE


def _removes(rule: Rule, screener: Screener) -> bool:
    return screener.policy.removes(Hit(rule, ()))


def _why(edition: Edition, rule: str) -> str | None:
    demoted = edition.demoted.get(rule)
    if demoted is None:
        return None
    return f"{demoted['lower_bound']:.4f} < {demoted['level']:.2f}, {demoted['at'][:10]}"


# --- What can be tried.


def bundles(service: Service) -> dict[str, Path]:
    """Return the bundles that can be tried by name: those beside the shipped one and the one in use."""
    folders = {SHIPPED.parent}
    if service.settings.bundle is not None:
        folders.add(service.settings.bundle.resolve().parent)
    return {
        manifest.parent.name: manifest.parent
        for folder in sorted(folders)
        for manifest in sorted(folder.glob(f"*/{arrangement.MANIFEST}"))
    }


def proposal_of(
    service: Service,
    kind: ProposalKind,
    *,
    rule: str = "",
    source: str = "",
    bands: Mapping[Category, tuple[float, float]] | None = None,
    bundle: str = "",
) -> Proposal:
    """Return what somebody wants to try; a bundle by its name alone.

    Raises
    ------
    InvalidInput
        If what the kind needs is missing.
    """
    if kind is ProposalKind.RULE and not rule.strip():
        raise InvalidInput("name the rule", code="no_rule", field="/rule")
    if kind is ProposalKind.PACK and not source.strip():
        raise InvalidInput("send the pack as YAML", code="no_pack", field="/source")
    if len(source) > LONGEST_PACK:
        raise InvalidInput(f"a pack has at most {LONGEST_PACK} characters", field="/source")
    if kind is ProposalKind.BANDS and not bands:
        raise InvalidInput("give at least one pair of thresholds", code="no_bands", field="/bands")
    folder = ""
    if kind is ProposalKind.BUNDLE:
        known = bundles(service)
        if bundle not in known:
            raise InvalidInput("there is no such bundle here", code="no_bundle", field="/bundle")
        folder = str(known[bundle])
    return Proposal(
        kind,
        rule=rule.strip() if kind is ProposalKind.RULE else "",
        source=source.replace("\r\n", "\n") if kind is ProposalKind.PACK else "",
        bands=dict(bands or {}) if kind is ProposalKind.BANDS else {},
        bundle=folder,
    )


def figures_for(principal: Principal | None, run: Backtest) -> dict[str, Any]:
    """Return what a run found, as somebody may see it: small counts of a place only with its posts."""
    found = backtest_counts.figures(run)
    if principal is None or allows(principal, Permission.POSTS_READ, run.organisation):
        return found
    if found["confirmed"] + found["overturned"] < FEW:
        found |= dict.fromkeys(_SHARES)
    return {name: _coarse(name, value) for name, value in found.items()}


_SHARES: Final = frozenset({"precision", "precision_low", "precision_high", "precision_bound"})
_WHOLE: Final = _SHARES | {"posts"}


def _coarse(name: str, value: Any) -> Any:  # noqa: ANN401 - a count, or counts by word
    if isinstance(value, dict):
        return {word: _few(count) for word, count in value.items()}
    return value if name in _WHOLE else _few(value)


def _few(count: int) -> int | str:
    return f"<{FEW}" if 0 < count < FEW else count
