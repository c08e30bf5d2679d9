"""`tingjian worker`: run the jobs until told to end."""

from api import logging
from api.wiring import open_service
from api.worker import run_worker


def worker() -> None:
    """Run the jobs (reading, grouping, delivery, sweeping) until SIGTERM."""
    with open_service(models=True) as service:
        logging.configure(service.settings.log_level)
        run_worker(service)
