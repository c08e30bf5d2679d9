"""`tingjian worker`: run the jobs until told to end."""

import sys
from typing import Annotated

import typer

from api import logging
from api.wiring import open_service
from api.worker import run_beside, run_worker


def worker(
    *,
    beside: Annotated[
        bool, typer.Option("--beside", hidden=True, help="End with the server that started this.")
    ] = False,
) -> None:
    """Run the jobs (reading, grouping, delivery, sweeping) until SIGTERM."""
    with open_service(models=True) as service:
        logging.configure(service.settings.log_level)
        if beside:
            run_beside(service, sys.stdin.buffer, sys.stdout.buffer)
        else:
            run_worker(service)
