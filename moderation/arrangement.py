"""What an edition stands for: the rulebook, the policy, the bundle and the screener that it arranges.

Nothing is switched on but through the door: `admit` builds what would run and asks `pipeline.admitted`,
which refuses with the texts that would be hit; then nothing is written. `admit_over` also asks about every
post that a granted objection restored (`regression`). The door takes seconds, so it stands outside any
transaction.

What was demoted stays demoted here, whatever a file or a setting says, and a proof below the published
level proves nothing.

Neighbours: `editions` holds the rows, `running` runs what is built here, `pipeline` screens with it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from learning.bundle import Bundle
from models.database import Database
from models.errors import ConfigurationError
from models.rulebook import ProposedPack
from models.vocabulary import RuleState
from moderation import regression
from moderation.editions import Edition, Plan
from moderation.pipeline import Screener, Standing, admitted
from moderation.policy import Band, Policy, Proof
from moderation.protected import ProtectedText, load_suite
from moderation.rulebook import Rulebook, read_rulebook
from moderation.settings import SHIPPED_RULEBOOKS, SHIPPED_SUITE

MANIFEST: Final = "manifest.json"

BundleOpener = Callable[[Path], Bundle]


@dataclass(frozen=True, slots=True)
class Base:
    """What the files give: folders, the policy and the bundle, and how further bundles are opened."""

    policy: Policy
    bundle: Bundle | None
    operator_rulebooks: tuple[Path, ...] = ()
    rulebooks: tuple[Path, ...] = (SHIPPED_RULEBOOKS,)
    suite: Path = SHIPPED_SUITE
    open_bundle: BundleOpener | None = None

    def protected(self) -> tuple[ProtectedText, ...]:
        """Return the protected suite."""
        return load_suite(self.suite)


def file_of(pack: ProposedPack) -> str:
    """Return what a proposed pack is called in messages."""
    return f"{pack.name}.yaml"


def read(base: Base, packs: Iterable[ProposedPack]) -> Rulebook:
    """Return the rulebook of the files and of proposed packs, compiled but not switched on."""
    return read_rulebook(
        base.rulebooks, base.operator_rulebooks, [(file_of(pack), pack.source) for pack in packs]
    )


def arranged(base: Policy, edition: Edition, *, trial: bool = False) -> Policy:
    """Return the policy that holds under an edition: thresholds, and who may remove by itself.

    A proof below the published level proves nothing, and what was demoted stays demoted whatever the
    policy's file says.
    """
    bands = dict(base.bands)
    for word, (review, with_signal) in {**edition.bands, **(edition.trial_bands if trial else {})}.items():
        takedown = bands[word].takedown
        bands[word] = Band(review, with_signal, takedown if takedown is None else max(takedown, review))
    won = {
        subject: Proof(float(proof["lower_bound"]), str(proof["measured_on"]))
        for subject, proof in edition.automatic.items()
        if float(proof["lower_bound"]) >= base.level
    }
    proven = {
        subject: proof for subject, proof in {**base.proven, **won}.items() if subject not in edition.demoted
    }
    return replace(
        base,
        version=f"{base.version}{edition.mark}",
        bands=MappingProxyType(bands),
        proven=MappingProxyType(proven),
        lifted=frozenset(won) & frozenset(proven),
    )


def bundle_entry(folder: Path) -> dict[str, str]:
    """Return how an edition names a bundle: its folder, and the SHA-256 of its manifest.

    Raises
    ------
    ConfigurationError
        If there is no manifest that can be read.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{folder / MANIFEST}:1: cannot be read: {error.strerror}") from error
    return {"folder": str(folder.resolve()), "manifest": hashlib.sha256(content).hexdigest()}


def opened(base: Base, entry: Mapping[str, str] | None) -> Bundle | None:
    """Return the bundle that an edition names, or None if it names none.

    Raises
    ------
    ConfigurationError
        If it is not there, or not the one that passed the door.
    """
    if entry is None:
        return None
    folder = Path(entry["folder"])
    if bundle_entry(folder)["manifest"] != entry["manifest"]:
        raise ConfigurationError(
            f"{folder / MANIFEST}:1: the manifest differs from the hash that passed the door"
        )
    if base.open_bundle is None:
        raise ConfigurationError("no further bundle can be opened here")
    return base.open_bundle(folder)


def standing(base: Base, edition: Edition, trial_bundle: Bundle | None = None) -> Standing:
    """Return what a screener must know of an edition."""
    by_state = {
        state: frozenset(rule for rule, held in edition.states.items() if held is state)
        for state in (RuleState.RETIRED, RuleState.SHADOW)
    }
    return Standing(
        mark=edition.mark,
        retired=by_state[RuleState.RETIRED],
        silent=by_state[RuleState.SHADOW],
        policy=arranged(base.policy, edition, trial=True) if edition.trial_bands else None,
        bundle=trial_bundle,
    )


def screener_of(base: Base, edition: Edition, rulebook: Rulebook) -> Screener:
    """Return the screener that an edition stands for, not switched on yet."""
    bundle = opened(base, edition.bundle) or base.bundle
    return Screener(
        rulebook,
        arranged(base.policy, edition),
        bundle,
        standing(base, edition, opened(base, edition.trial_bundle)),
    )


def admit(base: Base, plan: Plan) -> Screener:
    """Return the screener that a plan stands for, through the one door.

    Raises
    ------
    ConfigurationError, CharterViolation
        With what the door refuses, and why.
    """
    return admitted(screener_of(base, plan.edition, read(base, plan.packs)), base.protected())


def admit_over(database: Database, base: Base, before: Plan, wanted: Plan) -> Screener:
    """Return the screener of a plan, through the one door, and past the posts that objections restored.

    Raises
    ------
    ConfigurationError, CharterViolation
        With what the door refuses, and why; `regression`, if it would act again on a restored post.
    """
    made = admit(base, wanted)
    with database.reading() as session:
        if regression.is_asked(session):
            present = screener_of(base, before.edition, read(base, before.packs))
            regression.refuse_worse(regression.ask(session, present), regression.ask(session, made))
    return made
