"""Whether the process lives, whether it can serve, and what it counts.

`/metrics` answers to this machine, or to whoever sends the operator's token.
"""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from api import metrics
from api.dependencies import TheService, get_service
from api.wiring import Service
from models.errors import NotPermitted, Unavailable

router = APIRouter(tags=["health"])

LOCAL = frozenset({"127.0.0.1", "::1"})


@router.get("/health/live")
def live() -> dict[str, str]:
    """Say that the process lives."""
    return {"status": "ok"}


@router.get("/health/ready")
def ready(service: TheService) -> dict[str, str]:
    """Say whether the database has the schema and the rules are loaded; else 503."""
    try:
        revision = service.database.revision()
    except SQLAlchemyError:
        raise Unavailable("the database does not answer", code="database") from None
    if revision != service.database.newest_revision():
        raise Unavailable("the schema is not the one this release needs", code="schema")
    if service.screener is None:
        raise Unavailable("the rules are not loaded", code="rules")
    judge = service.classifier or service.bundle
    return {"status": "ok", "classifier": judge.name if judge else "none"}


def refuse_strangers(request: Request, service: Annotated[Service, Depends(get_service)]) -> None:
    """Refuse whoever is neither on this machine nor has the operator's token."""
    token = service.settings.metrics_token
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token is not None and hmac.compare_digest(sent.encode(), token.get_secret_value().encode()):
        return
    # A proxy on this machine would make everybody local, and it says so by this header.
    here = request.client is not None and request.client.host in LOCAL
    if not here or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        raise NotPermitted("metrics are for this machine, or need the operator's token")


@router.get("/metrics", dependencies=[Depends(refuse_strangers)], response_class=Response)
def counts() -> Response:
    """Give what Prometheus collects."""
    return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)
