import threading
from datetime import UTC, datetime

from api import metrics
from api.timetable import RESTS, Job, Timetable, run_round, sparing


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
        assert came.wait(timeout=120)
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
    assert began.wait(timeout=120)
    threading.Timer(0.3, release.set).start()
    timetable.stop()
    assert ended.is_set()


class Watch:
    """A clock that stands until a round takes its time."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def resting(took: float, longest: float) -> tuple[float, list[datetime]]:
    """Return how long a sparing job rests after a round of so many seconds, by asking every half second."""
    watch, rounds = Watch(), list[datetime]()

    def work(now: datetime) -> None:
        rounds.append(now)
        watch.at += took

    job = sparing(Job("sparing", 1, work), longest, watch)
    job.run(clock())
    ended = watch.at
    while len(rounds) < 2:
        job.run(clock())
        watch.at += 0.5
    return watch.at - 0.5 - took - ended, rounds


def test_a_sparing_job_rests_so_long_that_it_takes_an_eighth_of_a_processor() -> None:
    rested, _ = resting(took=2.0, longest=30)

    assert RESTS * 2.0 <= rested <= RESTS * 2.0 + 0.5
    assert 2.0 / (2.0 + rested) <= 1 / 8


def test_a_sparing_job_comes_again_at_once_after_a_round_without_work() -> None:
    rested, _ = resting(took=0.0, longest=30)

    assert rested == 0


def test_a_sparing_job_never_rests_longer_than_it_may() -> None:
    rested, _ = resting(took=60.0, longest=30)

    assert rested == 30


def test_a_sparing_job_that_fails_rests_as_well() -> None:
    watch, rounds = Watch(), 0

    def fail(_: datetime) -> None:
        nonlocal rounds
        rounds += 1
        watch.at += 1
        raise RuntimeError

    job = sparing(Job("sparing", 1, fail), 30, watch)
    for _ in range(7):
        run_round(job, clock)
        watch.at += 0.9

    assert rounds == 1
