"""When which job runs: the only module that knows times.

A job is a plain function that may be run twice; a round that fails is logged and counted, and the
next one comes all the same. Each job has at most one round at a time in this process, and a round
that was missed is not made up for: the next does its work. Several workers side by side do no harm,
because each job leases what it takes or writes what is unique.

Neighbours: the rooms' `jobs`; `worker` and `app` start and stop this.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from api import metrics, sessions
from api.logging import describe
from api.wiring import Service

log = structlog.get_logger("timetable")


@dataclass(frozen=True, slots=True)
class Job:
    """A job, and the seconds between the starts of two rounds."""

    name: str
    seconds: int
    run: Callable[[datetime], object]


def jobs_of(service: Service) -> list[Job]:
    """Return every job of the service with its parts bound to it."""
    from alerts.jobs import deliver_due  # noqa: PLC0415 - the command line needs the table, not the rooms
    from moderation.holds import state_overdue_holds  # noqa: PLC0415 - as above
    from sentiment.jobs import group_due, read_due  # noqa: PLC0415 - as above

    settings, bundle = service.settings, service.bundle
    jobs: list[Job] = []

    def deliver(now: datetime) -> object:
        return deliver_due(service.database, service.channels, service.alerts, now)

    def forget(now: datetime) -> object:
        with service.database.transaction() as session:
            return sessions.forget_expired(session, now)

    def state_holds(now: datetime) -> object:
        return state_overdue_holds(service.database, now)

    if bundle is not None:
        # Without a bundle nothing is published by itself, and there is nothing to read with.
        def read(now: datetime) -> object:
            return read_due(service.database, bundle, service.sentiment, now)

        def group(now: datetime) -> object:
            return group_due(service.database, bundle, service.sentiment, now)

        jobs += [Job("read", settings.read_seconds, read), Job("group", settings.group_seconds, group)]
    return [
        *jobs,
        Job("deliver", settings.deliver_seconds, deliver),
        Job("forget_sign_ins", settings.sweep_seconds, forget),
        Job("state_overdue_holds", settings.sweep_seconds, state_holds),
    ]


def run_round(job: Job, clock: Callable[[], datetime]) -> None:
    """Run one round of a job. Whatever it raises ends the round and not the timetable."""
    begun = time.perf_counter()
    try:
        job.run(clock())
    except Exception as error:  # noqa: BLE001 - one job's failure must not end the others
        metrics.JOB_RUNS.labels(job.name, "failed").inc()
        log.error("job.failed", job=job.name, error=describe(error))  # noqa: TRY400 - the message stays out
    else:
        metrics.JOB_RUNS.labels(job.name, "done").inc()
        metrics.JOB_LAST_SUCCESS.labels(job.name).set_to_current_time()
    finally:
        metrics.JOB_SECONDS.labels(job.name).observe(time.perf_counter() - begun)


class Timetable:
    """Runs the jobs in threads of their own, one thread each, so that a slow one delays only itself."""

    def __init__(self, jobs: list[Job], clock: Callable[[], datetime]) -> None:
        options: dict[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(max(1, len(jobs)))}, job_defaults=options, timezone=UTC
        )
        for job in jobs:
            self._scheduler.add_job(
                run_round,
                "interval",
                seconds=job.seconds,
                args=(job, clock),
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
