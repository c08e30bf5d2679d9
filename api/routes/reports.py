"""Readers' reports over HTTP: a platform hands them on by its key, and asks what came of them.

Neighbours: `moderation/reports.py` does the work; the outbox tells the outcome as `report.decided`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.bodies import RawBody, parse_shallow, validated
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.schemas.quality import ReportIn, ReportOut
from api.security import Permission, Principal, scopes
from models.errors import NotPermitted
from models.post import Post
from models.quality import UserReport
from models.vocabulary import ReportState
from moderation import reports
from moderation.reports import Told

router = APIRouter(prefix="/v1/reports", tags=["reports"])

Platform = Annotated[Principal, Depends(require(Permission.REPORTS_WRITE))]
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": ReportIn.model_json_schema()}},
    }
}


def _out(report: UserReport, external_id: str, state: ReportState) -> ReportOut:
    return ReportOut(
        id=report.id,
        external_id=external_id,
        category=report.category,
        state=state,
        received_at=report.received_at,
        settled_at=report.settled_at if state is not ReportState.OPEN else None,
    )


def _source(principal: Principal) -> str:
    if principal.source is None:
        raise NotPermitted("reports come in by a platform's key")
    return principal.source


@router.post("", status_code=201, openapi_extra=BODY, responses={200: {"model": ReportOut}})
def receive(
    *,
    raw: RawBody,
    principal: Platform,
    session: Transaction,
    now: Now,
    service: TheService,
    response: Response,
) -> ReportOut:
    """Take a reader's report about one of the platform's posts; sent again, the first one is answered."""
    sent = validated(ReportIn, parse_shallow(raw))
    told = Told(_source(principal), sent.external_id, sent.category, sent.reporter, sent.text)
    received = reports.receive(
        session,
        told,
        key=service.keys.derive("reporters"),
        scope=scopes(principal, Permission.REPORTS_WRITE),
        reported_by=principal.actor,
        now=now,
    )
    if not received.created:
        response.status_code = 200
    return _out(received.report, sent.external_id, reports.state_outside(received.report, now))


@router.get("/{report_id}")
def state(report_id: str, principal: Platform, session: Reading, now: Now) -> ReportOut:
    """Tell what came of a report of one's own platform."""
    report, told = reports.find(session, report_id, _source(principal), now)
    return _out(report, session.get_one(Post, report.post_id).external_id, told)
