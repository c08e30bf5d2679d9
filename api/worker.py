"""The process that runs the jobs: `tingjian worker`.

SIGTERM and SIGINT let the rounds that run come to their end, then the process ends. A process that
is killed instead loses nothing: what it had leased becomes due again.
"""

import signal
import threading

from api.timetable import Timetable, jobs_of
from api.wiring import Service


def run_worker(service: Service, *, stop: threading.Event | None = None) -> None:
    """Run the timetable until `stop` is set; without one, until this process is told to end."""
    if stop is None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    timetable = Timetable(jobs_of(service), service.clock)
    timetable.start()
    try:
        stop.wait()
    finally:
        timetable.stop()
