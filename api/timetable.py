"""When which job runs: the only module that knows times.

A job is a plain function that may be run twice; a round that fails is logged and counted, and the
next one comes all the same. Each job has at most one round at a time in this process, and a round
that was missed is not made up for: the next does its work. Several workers side by side do no harm,
because each job leases what it takes or writes what is unique; what computes for long is done by one
process at a time.

Neighbours: the rooms' `jobs`; `worker` and `app` start and stop this.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from api import metrics, sessions
from api.logging import describe
from api.wiring import Service
from models.database import Database

log = structlog.get_logger("timetable")

# That a round still runs when the next is due is no news: `max_instances` is there for that.
logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)

HOUR = 3600

SOON = 5
"""Seconds after which demands are grouped again where that takes little time."""

RESTS = 7
"""How many times as long as its last round a sparing job rests: it takes an eighth of one processor."""

NIGHT = range(2, 5)
"""Hours in Shanghai in which the nightly run over the demands begins."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job, and the seconds between the starts of two rounds."""

    name: str
    seconds: int
    run: Callable[[datetime], object]


def jobs_of(service: Service) -> list[Job]:
    """Return every job of the service with its parts bound to it."""
    from alerts.jobs import deliver_due  # noqa: PLC0415 - the command line needs the table, not the rooms
    from moderation import referrals, sightings, similarity  # noqa: PLC0415 - as above
    from moderation.holds import state_overdue_holds  # noqa: PLC0415 - as above
    from sentiment.jobs import group_due, read_due  # noqa: PLC0415 - as above

    settings, bundle = service.settings, service.bundle
    jobs: list[Job] = []

    def deliver(now: datetime) -> object:
        return deliver_due(service.database, service.channels, service.alerts, now)

    def forget(now: datetime) -> object:
        with service.database.transaction() as session:
            return sessions.forget_expired(session, now)

    def forget_sightings(now: datetime) -> object:
        with service.database.transaction() as session:
            return sightings.forget_expired(session, now)

    def note_likeness(now: datetime) -> object:
        return similarity.note_likeness(service.database, service.keys.likeness, now)

    def watch_lanes(now: datetime) -> object:
        return referrals.watch_lanes(service.database, now, unopened=service.moderation.referral_unopened)

    def state_holds(now: datetime) -> object:
        return state_overdue_holds(service.database, now)

    if bundle is not None:
        # Without a bundle nothing is published by itself, and there is nothing to read with.
        def read(now: datetime) -> object:
            return read_due(service.database, bundle, service.sentiment, now)

        def group(now: datetime) -> object:
            return group_due(service.database, bundle, service.sentiment, now)

        jobs += [
            _alone(service.database, Job("read", settings.read_seconds, read)),
            sparing(
                _alone(service.database, Job("group", min(SOON, settings.group_seconds), group)),
                settings.group_seconds,
            ),
        ]
    return [
        *jobs,
        *_rulebook_jobs(service),
        *_event_jobs(service),
        *_quality_jobs(service),
        Job("deliver", settings.deliver_seconds, deliver),
        *_alarm_jobs(service),
        Job("forget_sign_ins", settings.sweep_seconds, forget),
        Job("forget_sightings", settings.sweep_seconds, forget_sightings),
        Job("note_likeness", settings.read_seconds, note_likeness),
        Job("watch_lanes", min(30, settings.sweep_seconds), watch_lanes),
        Job("state_overdue_holds", settings.sweep_seconds, state_holds),
        *_due_process_jobs(service),
        *_demand_jobs(service),
        *_on_time_jobs(service),
    ]


@dataclass(frozen=True, slots=True)
class Ended:
    """A round that came to its end. `outcome` is a word of `metrics`. Unit of `seconds`: seconds."""

    job: str
    outcome: str
    seconds: float


def _alone(database: Database, job: Job) -> Job:
    """Return the job as one that lets a round pass while another process is at it."""

    def run(now: datetime) -> object:
        with database.alone(job.name) as mine:
            return job.run(now) if mine else None

    return replace(job, run=run)


def sparing(job: Job, longest: float, clock: Callable[[], float] = time.monotonic) -> Job:
    """Return the job as one that rests after a round for `RESTS` times as long as it took, `longest` at most.

    So a job of short rounds looks often, and one of long rounds leaves the processor to others.
    """
    rested_at = 0.0

    def run(now: datetime) -> object:
        nonlocal rested_at
        begun = clock()
        if begun < rested_at:
            return None
        try:
            return job.run(now)
        finally:
            ended = clock()
            rested_at = ended + min(longest, RESTS * (ended - begun))

    return replace(job, run=run)


def _demand_jobs(service: Service) -> list[Job]:
    """Return what keeps the board: heat and trends, the nightly suggestions, the weekly blind sample."""
    from sentiment.jobs import count_due, draw_due, suggest_due, warm_due  # noqa: PLC0415 - as above
    from sentiment.trend_days import SHANGHAI  # noqa: PLC0415 - as above

    nights: set[object] = set()

    def warm(now: datetime) -> object:
        return warm_due(service.database, now)

    def count(now: datetime) -> object:
        return count_due(service.database, now)

    def draw(now: datetime) -> object:
        return draw_due(service.database, service.keys.derive("demand-samples"), now)

    def suggest(now: datetime) -> object:
        local = now.astimezone(SHANGHAI)
        if local.hour not in NIGHT or local.date() in nights:
            return None
        nights.add(local.date())
        return suggest_due(service.database, now)

    seconds = service.settings.sweep_seconds
    return [
        _alone(service.database, Job("warm_demands", min(30, seconds), warm)),
        _alone(service.database, Job("count_trends", seconds, count)),
        _alone(service.database, Job("suggest", seconds, suggest)),
        _alone(service.database, Job("draw_demand_sample", seconds, draw)),
    ]


def _due_process_jobs(service: Service) -> list[Job]:
    """Return what follows from granted objections, the daily anchor of the audit log, and whom it names."""
    from models import anchor  # noqa: PLC0415 - as above
    from moderation import fresh_looks, presence  # noqa: PLC0415 - as above

    def propose_looks(now: datetime) -> object:
        return fresh_looks.propose_due(service.database, now)

    def make_anchor(now: datetime) -> object:
        return anchor.anchor_due(service.database, now)

    def note_members(now: datetime) -> object:
        return presence.note_members(service.database, now)

    return [
        Job("propose_fresh_looks", service.settings.read_seconds, propose_looks),
        Job("anchor_audit", service.settings.sweep_seconds, make_anchor),
        _alone(service.database, Job("note_members", service.settings.sweep_seconds, note_members)),
    ]


def _on_time_jobs(service: Service) -> list[Job]:
    """Return what starts, hands on and sweeps reply clocks, and what keeps the duty roster."""
    from alerts import dispatch, duty, escalation, gaps, questions  # noqa: PLC0415 - as above

    def watch_questions(now: datetime) -> object:
        return questions.watch_questions(service.database, now)

    def hand_on(now: datetime) -> object:
        return dispatch.dispatch_due(service.database, now)

    def sweep_clocks(now: datetime) -> object:
        return escalation.sweep_clocks(service.database, now)

    def plan_duty(now: datetime) -> object:
        return duty.plan_due(service.database, now)

    def find_gaps(now: datetime) -> object:
        return gaps.find_gaps(service.database, now)

    often, seldom = max(service.settings.read_seconds, 10), service.settings.sweep_seconds
    return [
        _alone(service.database, Job("watch_questions", often, watch_questions)),
        _alone(service.database, Job("dispatch", often, hand_on)),
        _alone(service.database, Job("sweep_clocks", min(30, seldom), sweep_clocks)),
        _alone(service.database, Job("plan_duty", seldom, plan_duty)),
        _alone(service.database, Job("find_duty_gaps", seldom, find_gaps)),
    ]


def _alarm_jobs(service: Service) -> list[Job]:
    """Return what calls the next level for an alarm, and what writes the digests."""
    from alerts.jobs import digest_due, escalate_due  # noqa: PLC0415 - as above

    def escalate(now: datetime) -> object:
        return escalate_due(service.database, service.alerts, now)

    def digest(now: datetime) -> object:
        return digest_due(service.database, now)

    return [
        Job("escalate_alarms", min(30, service.settings.sweep_seconds), escalate),
        _alone(service.database, Job("write_digests", service.settings.sweep_seconds, digest)),
    ]


def _event_jobs(service: Service) -> list[Job]:
    """Return the look for surges and waves, and the forgetting of names that no case needs any more."""
    from alerts import surges  # noqa: PLC0415 - as above
    from alerts.jobs import forget_due  # noqa: PLC0415 - as above

    def watch(now: datetime) -> object:
        return surges.watch_surges(service.database, now)

    def forget_names(now: datetime) -> object:
        return forget_due(service.database, now, kept=timedelta(days=service.alerts.consent_days))

    seconds = max(HOUR, service.settings.sweep_seconds)
    return [
        _alone(service.database, Job("watch_surges", seconds, watch)),
        _alone(service.database, Job("forget_names", seconds, forget_names)),
    ]


def _rulebook_jobs(service: Service) -> list[Job]:
    """Return the jobs of the rulebook's life. Without a screener there is nothing to try or to demote."""
    from moderation import automation, backtest, tallies  # noqa: PLC0415 - as above
    from moderation.running import RunningScreener  # noqa: PLC0415 - as above

    settings, screener = service.settings, service.screener

    def fold(now: datetime) -> object:
        return tallies.fold_due(service.database, now)

    folding = Job("fold_tallies", settings.sweep_seconds, fold)
    if not isinstance(screener, RunningScreener):
        return [folding]

    def try_proposals(_: datetime) -> object:
        return backtest.backtest_due(service.database, screener.base, service.clock)

    def review_automation(now: datetime) -> object:
        return automation.review_due(service.database, screener.base.policy, now)

    return [
        folding,
        Job("backtest", settings.backtest_seconds, try_proposals),
        Job("review_automation", settings.sweep_seconds, review_automation),
    ]


def _quality_jobs(service: Service) -> list[Job]:
    """Return the drawing of blind samples, and what runs out or is forgotten about officers and reporters."""
    from moderation import drawing, exposure, reports, second_reading  # noqa: PLC0415 - as above

    def sample(now: datetime) -> object:
        return drawing.sample_due(service.database, service.keys.derive("samples"), now)

    def expire_seconds(now: datetime) -> object:
        return second_reading.expire_due(service.database, now)

    def forget_exposure(now: datetime) -> object:
        return exposure.forget_due(service.database, now)

    def sweep_reports(now: datetime) -> object:
        return reports.sweep_due(service.database, now)

    seconds = service.settings.sweep_seconds
    return [
        _alone(service.database, Job("sample", min(60, seconds), sample)),
        Job("expire_second_readings", seconds, expire_seconds),
        Job("forget_exposure", seconds, forget_exposure),
        Job("sweep_reports", seconds, sweep_reports),
    ]


def run_round(job: Job, clock: Callable[[], datetime], told: Callable[[Ended], None] | None = None) -> None:
    """Run one round of a job. Whatever it raises ends the round and not the timetable."""
    begun = time.perf_counter()
    outcome = metrics.DONE
    try:
        job.run(clock())
    except Exception as error:  # noqa: BLE001 - one job's failure must not end the others
        outcome = metrics.FAILED
        log.error("job.failed", job=job.name, error=describe(error))  # noqa: TRY400 - the message stays out
    ended = Ended(job.name, outcome, time.perf_counter() - begun)
    metrics.count_round(job=ended.job, outcome=ended.outcome, seconds=ended.seconds)
    if told is not None:
        told(ended)


class Timetable:
    """Runs the jobs in threads of their own, one thread each, so that a slow one delays only itself."""

    def __init__(
        self,
        jobs: list[Job],
        clock: Callable[[], datetime],
        *,
        told: Callable[[Ended], None] | None = None,
    ) -> None:
        options: dict[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(1, len(jobs)))}, job_defaults=options, timezone=UTC
        )
        for job in jobs:
            self._scheduler.add_job(
                run_round,
                "interval",
                seconds=job.seconds,
                args=(job, clock, told),
                id=job.name,
                next_run_time=datetime.now(UTC),
            )

    def start(self) -> None:
        """Begin; the first round of every job comes at once."""
        self._scheduler.start()
        log.info("timetable.started", jobs=[job.id for job in self._scheduler.get_jobs()])

    def stop(self) -> None:
        """Begin no more rounds and wait for those that run."""
        self._scheduler.shutdown(wait=True)
        log.info("timetable.stopped")
