import threading
from datetime import UTC, datetime

from api import metrics
from api.timetable import Job, Timetable, run_round


def runs(job: str, outcome: str) -> float:
    return (
        metrics.REGISTRY.get_sample_value("tingjian_job_runs_total", {"job": job, "outcome": outcome}) or 0.0
    )


def clock() -> datetime:
    return datetime.now(UTC)


def test_a_round_gets_the_time_and_is_counted() -> None:
    seen: list[datetime] = []
    at = datetime(2026, 3, 16, tzinfo=UTC)

    run_round(Job("counted", 1, seen.append), lambda: at)

    assert seen == [at]
    assert runs("counted", "done") == 1.0


def test_a_job_that_fails_is_counted_and_ends_nothing() -> None:
    came = threading.Event()
    rounds = {"bad": 0}

    def bad(_: datetime) -> None:
        rounds["bad"] += 1
        raise RuntimeError("every time")

    def good(_: datetime) -> None:
        if rounds["bad"] >= 2:
            came.set()

    timetable = Timetable([Job("bad", 1, bad), Job("good", 1, good)], clock)
    timetable.start()
    try:
        assert came.wait(timeout=15)
    finally:
        timetable.stop()
    assert runs("bad", "failed") >= 2.0


def test_stopping_waits_for_the_round_that_runs() -> None:
    began, release, ended = threading.Event(), threading.Event(), threading.Event()

    def slow(_: datetime) -> None:
        began.set()
        release.wait(timeout=10)
        ended.set()

    timetable = Timetable([Job("slow", 60, slow)], clock)
    timetable.start()
    assert began.wait(timeout=10)
    threading.Timer(0.3, release.set).start()
    timetable.stop()
    assert ended.is_set()
