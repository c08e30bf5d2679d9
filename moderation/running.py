"""The screener that runs: it picks up a new edition of the rulebook between batches, without a restart.

Whoever takes posts in asks for `pinned()` at the start of a batch and keeps what it got to the end, so
no batch sees two editions. At most once a second that question costs one small query for the newest
edition's number. A change of states, thresholds or rights holds from the next batch on. One that brings
another pack or bundle is built and taken through the door beside the work, and holds once it is ready.

What cannot be used (a bundle that is gone, a pack that this release's suite refuses) is left out and
logged, and the rest of the edition holds all the same: a right to remove that was taken away stays away.

Neighbours: `editions` says what holds; `intake` pins; `pipeline.Screener` does the work.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from models.database import Database
from models.errors import TingjianError
from moderation import arrangement, editions
from moderation.arrangement import Base
from moderation.editions import Edition, Plan
from moderation.pipeline import Outcome, Screener

log = structlog.get_logger("rulebook")

POLL_SECONDS: Final = 1.0


class RunningScreener(Screener):
    """A screener over the newest edition in a database. Safe to call from any thread.

    Parameters
    ----------
    first
        What the files alone give, through the door already.
    base
        The same, as editions are built on it.
    database
        Where the editions are. It is not asked before the first batch.
    clock
        Seconds that only grow, for how often it is asked.
    """

    def __init__(
        self,
        first: Screener,
        base: Base,
        database: Database,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(first.rulebook, first.policy, first.bundle, first.standing)
        self.base = base
        self._database = database
        self._clock = clock
        self._asked: float | None = None
        self._number = 0
        self._current = first
        self._files = first
        self._held = Edition()
        self._lock = threading.Lock()
        self._building = threading.Lock()

    def pinned(self) -> Screener:
        """Return the screener that holds now; whoever keeps it sees no later change."""
        now = self._clock()
        first = self._asked is None
        due = first or now - (self._asked or 0.0) >= POLL_SECONDS
        # Whoever comes first asks; at the very start the others wait, later they go on with what holds.
        if due and self._lock.acquire(blocking=first):
            try:
                if first is (self._asked is None):
                    self._asked = now
                    self._ask(wait=first)
            finally:
                self._lock.release()
        return self._current

    def refresh(self) -> Screener:
        """Take the newest edition now, whatever must be built; return what holds then."""
        with self._lock:
            self._asked = self._clock()
            self._ask(wait=True)
        return self._current

    def screen(self, texts: Sequence[str]) -> list[Outcome]:
        """Return an outcome for each text, all under one edition."""
        return self.pinned().screen(texts)

    def _ask(self, *, wait: bool) -> None:
        """Take up the newest edition; the caller has the lock."""
        try:
            with self._database.reading() as session:
                number = editions.newest_number(session)
                if number == self._number:
                    return
                plan = editions.standing_plan(session)
        except SQLAlchemyError as error:
            # A database that cannot be asked cannot take posts either; what holds goes on holding.
            log.warning("rulebook.not_asked", error=type(error).__name__)
            return
        if (wait and self._number == 0 and plan.edition.tries_more) or self._needs_building(plan):
            # What needs no building holds at once, above all a right that was taken away.
            self._hold(self._lighter(plan.edition))
            if wait:
                self._build(plan)
            else:
                threading.Thread(target=self._build, args=(plan,), daemon=True).start()
        else:
            self._hold(self._lighter(plan.edition))
        self._number = plan.edition.number

    def _needs_building(self, plan: Plan) -> bool:
        """Tell whether packs or bundles change. At the start, thresholds pass the door anew as well."""
        running = self._current
        digests = {pack.digest for pack in self._files.rulebook.packs} | set(plan.edition.packs)
        return (
            {pack.digest for pack in running.rulebook.packs} != digests
            or plan.edition.bundle != self._held.bundle
            or plan.edition.trial_bundle != self._held.trial_bundle
        )

    def _lighter(self, edition: Edition) -> Screener:
        """Return what runs, with the states, thresholds and rights of an edition."""
        running = self._current
        return Screener(
            running.rulebook,
            arrangement.arranged(self.base.policy, edition),
            running.bundle,
            arrangement.standing(self.base, edition, running.standing.bundle),
        )

    def _build(self, plan: Plan) -> None:
        with self._building:
            built, edition = self._built(plan)
            if plan.edition.number < self._number:
                return  # a later edition came meanwhile, and takes its own way
            self._held = edition
            self._hold(built)

    def _built(self, plan: Plan) -> tuple[Screener, Edition]:
        """Return the screener of an edition, without what cannot be used, and what of it is in use."""
        without: tuple[dict[str, object], ...] = (
            {},
            {"trial_bundle": None, "trial_bands": {}},
            {"trial_bundle": None, "trial_bands": {}, "bundle": None, "bands": {}},
        )
        for left_out in without:
            edition = replace(plan.edition, **left_out)  # type: ignore[arg-type]
            try:
                return arrangement.admit(self.base, Plan(edition, plan.packs)), edition
            except TingjianError as error:
                log.error(  # noqa: TRY400 - ours; the detail says it all
                    "rulebook.part_refused",
                    edition=plan.edition.number,
                    left_out=sorted(left_out),
                    detail=error.detail,
                )
        bare = replace(plan.edition, bundle=None, trial_bundle=None, trial_bands={}, bands={}, packs=())
        known = {rule.id for rule in self._files.rulebook.rules}
        bare = replace(bare, states={rule: held for rule, held in bare.states.items() if rule in known})
        return arrangement.screener_of(self.base, bare, self._files.rulebook), bare

    def _hold(self, screener: Screener) -> None:
        self._current = screener
        # For whoever reads what runs; a batch has its own.
        self.rulebook, self.policy = screener.rulebook, screener.policy
        self.bundle, self.standing = screener.bundle, screener.standing
        log.info("rulebook.running", rulebook=screener.revision, policy=screener.policy.version)
