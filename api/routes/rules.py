"""The rulebook's life over HTTP: states, editions, back-tests, proofs and notices.

The door of the rulebook takes seconds, so a change opens its own short transaction when it has passed.

Neighbours: `api/rules.py` knows who may; `moderation/switching`, `backtest` and `automation` do the work.
"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, status
from sqlmodel import Session

from api.accounts import Actor
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.rules import (
    RuleFigures,
    base_of,
    change_by,
    figures_for,
    may_change,
    proposal_of,
    refused_in_words,
)
from api.schemas.alerts import Identifier
from api.schemas.rules import (
    BacktestBody,
    BacktestOut,
    EditionOut,
    NoticeOut,
    PassageOut,
    ReasonBody,
    RollbackBody,
    RuleId,
    RuleOut,
    StateBody,
    rule_out,
)
from api.security import Permission, Principal, allows, authorise, authorise_found, holds, scopes
from models.errors import InvalidInput, NotPermitted
from models.rulebook import Backtest, RulebookEdition
from moderation import automation, backtest, backtest_sample, editions, switching
from moderation.editions import Change, Edition
from moderation.proposals import Proposal, ProposalKind

router = APIRouter(prefix="/v1", tags=["rules"])

RuleReader = Annotated[Principal, Depends(require(Permission.RULES_READ))]
Changer = Annotated[Principal, Depends(require(Permission.RULES_CHANGE))]
RunReader = Annotated[Principal, Depends(require(Permission.BACKTESTS_READ))]
Runner = Annotated[Principal, Depends(require(Permission.BACKTESTS_RUN))]
PostReader = Annotated[Principal, Depends(require(Permission.POSTS_READ))]


@router.get("/rules")
def rules(request: Request, principal: RuleReader, service: TheService, now: Now) -> list[RuleOut]:
    """List every rule with its state and figures; an auditor sees every term."""
    figures: RuleFigures = request.app.state.rule_figures
    all_terms = holds(principal, Permission.TERMS_READ)
    return [rule_out(one, all_terms=all_terms) for one in figures.of(service, now)]


@router.post("/rules/{rule_id}/state")
def set_state(
    rule_id: RuleId, body: StateBody, principal: Changer, service: TheService, now: Now
) -> EditionOut:
    """Promote a rule, put it in shadow or retire it."""
    change = change_by(Actor.of(principal), body.reason, now)
    proposal = Proposal(ProposalKind.RULE, rule=rule_id)
    with refused_in_words():
        made = switching.switch(service.database, base_of(service), proposal, body.state, change)
    return _edition(service, made)


@router.post("/rules/{rule_id}/proof")
def prove(rule_id: RuleId, body: ReasonBody, principal: Changer, service: TheService, now: Now) -> EditionOut:
    """Let a rule remove without a person, if officers' decisions prove it."""
    change = change_by(Actor.of(principal), body.reason, now)
    with refused_in_words():
        made = automation.prove(service.database, base_of(service), rule_id, change)
    return _edition(service, made)


def _edition(service: TheService, made: Edition) -> EditionOut:
    with service.database.reading() as session:
        return EditionOut.of(session.get_one(RulebookEdition, made.number))


@router.get("/editions")
def listed_editions(principal: RuleReader, session: Reading) -> list[EditionOut]:
    """List the newest editions of the rulebook."""
    del principal
    return [EditionOut.of(row) for row in editions.history(session)]


@router.post("/editions:rollback")
def roll_back(body: RollbackBody, principal: Changer, service: TheService, now: Now) -> EditionOut:
    """Go back to an earlier edition. No right to remove comes back with it."""
    change = change_by(Actor.of(principal), body.reason, now)
    with refused_in_words():
        made = switching.roll_back(service.database, base_of(service), body.number, change)
    return _edition(service, made)


@router.get("/backtests")
def listed_runs(principal: RunReader, session: Reading) -> list[BacktestOut]:
    """List the newest back-tests within reach."""
    return [run_out(principal, run) for run in _runs(session, principal)]


def _runs(session: Session, principal: Principal) -> list[Backtest]:
    return backtest.listed(session, scopes(principal, Permission.BACKTESTS_READ))


@router.post("/backtests", status_code=status.HTTP_202_ACCEPTED)
def start_run(
    body: BacktestBody, principal: Runner, service: TheService, session: Transaction, now: Now
) -> BacktestOut:
    """Put a back-test on record; a worker starts it."""
    authorise(principal, Permission.BACKTESTS_RUN, body.organisation)
    proposal = proposal_of(
        service,
        body.kind,
        rule=body.rule,
        source=body.source,
        bands={word: (band.review, band.with_signal) for word, band in body.bands.items()},
        bundle=body.bundle,
    )
    period = backtest.Period(body.organisation, _aware(body.since, "/since"), _aware(body.until, "/until"))
    change = Change(principal.actor, body.reason, now)
    with refused_in_words():
        return run_out(principal, backtest.request(session, proposal, period, change))


def _aware(value: datetime, field: str) -> datetime:
    if value.tzinfo is None:
        raise InvalidInput("a time has its zone", field=field)
    return value.astimezone(UTC)


@router.get("/backtests/{run_id}")
def one_run(run_id: Identifier, principal: RunReader, session: Reading) -> BacktestOut:
    """Show how far a back-test has come and what it found."""
    run = backtest.find(session, run_id)
    authorise_found(principal, Permission.BACKTESTS_READ, run.organisation)
    return run_out(principal, run)


@router.post("/backtests/{run_id}:cancel", status_code=status.HTTP_204_NO_CONTENT)
def cancel_run(run_id: Identifier, principal: Runner, session: Transaction, now: Now) -> None:
    """End a back-test before its time."""
    run = backtest.find(session, run_id)
    authorise_found(principal, Permission.BACKTESTS_RUN, run.organisation)
    backtest.cancel(session, run, actor=principal.actor, now=now)


@router.get("/backtests/{run_id}/sample")
def sample(run_id: Identifier, principal: PostReader, session: Transaction, now: Now) -> list[PassageOut]:
    """Show the posts of the sample. The look is on the audit log."""
    run = backtest.find(session, run_id)
    authorise_found(principal, Permission.BACKTESTS_READ, run.organisation)
    authorise_found(principal, Permission.POSTS_READ, run.organisation)
    found = backtest_sample.passages(
        session,
        run,
        lambda place: allows(principal, Permission.POSTS_READ, place),
        actor=principal.actor,
        now=now,
    )
    return [
        PassageOut(
            post=one.post_id,
            organisation=one.organisation,
            text=one.text,
            spans=list(one.spans),
            by=list(one.by),
            change=one.change,
        )
        for one in found
    ]


@router.post("/backtests/{run_id}:switch")
def switch(
    run_id: Identifier, body: StateBody, principal: Changer, service: TheService, now: Now
) -> EditionOut:
    """Promote what was tried, put it in shadow, or take it back."""
    change = change_by(Actor.of(principal), body.reason, now)
    with service.database.reading() as session:
        proposal = Proposal.of(backtest.find(session, run_id).proposal)
    with refused_in_words():
        made = switching.switch(service.database, base_of(service), proposal, body.state, change)
    return _edition(service, made)


@router.get("/rule-notices")
def notices(principal: Changer, session: Reading) -> list[NoticeOut]:
    """List what the operators must know about the rulebook and nobody has seen yet."""
    if not may_change(principal):
        raise NotPermitted("the rulebook is looked after at the top of the tree")
    return [NoticeOut.of(row) for row in automation.open_notices(session)]


@router.post("/rule-notices/{rule_notice_id}:seen")
def see_notice(rule_notice_id: Identifier, principal: Changer, session: Transaction, now: Now) -> NoticeOut:
    """Put on record that a notice was seen."""
    if not may_change(principal):
        raise NotPermitted("the rulebook is looked after at the top of the tree")
    return NoticeOut.of(automation.see(session, rule_notice_id, actor=principal.actor, now=now))


def run_out(principal: Principal, run: Backtest) -> BacktestOut:
    """Return a run as it goes out."""
    proposal = Proposal.of(run.proposal)
    return BacktestOut(
        id=run.id,
        organisation=run.organisation,
        kind=proposal.kind,
        subject=proposal.subject,
        since=run.since,
        until=run.until,
        state=run.state,
        posts=run.posts,
        judged=run.judged,
        rulebook=run.rulebook,
        requested_by=run.requested_by,
        created_at=run.created_at,
        finished_at=run.finished_at,
        problem=run.problem,
        figures=figures_for(principal, run),
    )
