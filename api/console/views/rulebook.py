"""The rulebook: its rules and their figures, its editions, and back-tests from start to promotion.

A back-test runs in the worker; its page shows how far it has come and asks again by itself, with
scripts or by a link. The sample is shown to whoever may read posts there, and the look is audited.
What the door refuses is shown in its own words, with file, line and the texts it would hit.

Neighbours: `api/rules.py` knows who may; `moderation/switching`, `backtest`, `automation` do the work.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import Depends, Form, Request, Response
from sqlmodel import Session

from api import rules as life
from api.accounts import Actor
from api.console import page
from api.console.console import pages
from api.console.names import organisation_names
from api.dependencies import Now, Reading, TheService, Transaction, require
from api.security import Permission, Principal, allows, authorise, authorise_found, holds, scopes
from models.errors import CharterViolation, Conflict, InvalidInput, NotFound, TingjianError
from models.rulebook import Backtest, RuleNotice
from models.vocabulary import BacktestState, Category, RuleState
from moderation import automation, backtest, backtest_sample, editions, proposals, switching
from moderation.editions import Change
from moderation.proposals import Proposal, ProposalKind

router = pages()

Reader = Annotated[Principal, Depends(require(Permission.RULES_READ))]
Changer = Annotated[Principal, Depends(require(Permission.RULES_CHANGE))]
RunReader = Annotated[Principal, Depends(require(Permission.BACKTESTS_READ))]
Runner = Annotated[Principal, Depends(require(Permission.BACKTESTS_RUN))]
Written = Annotated[str, Form(max_length=editions.REASON_LIMIT)]

OVER = frozenset({BacktestState.DONE, BacktestState.CANCELLED, BacktestState.FAILED})


@router.get("/rulebook")
def listing(request: Request, principal: Reader, service: TheService, session: Reading, now: Now) -> Response:
    """Show every rule with its state and its figures, and what the operators must know."""
    wanted = request.query_params.get("state", "")
    state = RuleState(wanted) if wanted in set(RuleState) else None
    found = _figures(request).of(service, now)
    return page.render(
        request,
        "rulebook.html",
        principal=principal,
        rules=[one for one in found if state is None or one.state is state],
        state=state,
        states=list(RuleState),
        notices=_notices(session, principal),
    )


def _figures(request: Request) -> life.RuleFigures:
    figures: life.RuleFigures = request.app.state.rule_figures
    return figures


def _notices(session: Session, principal: Principal) -> list[RuleNotice]:
    return automation.open_notices(session) if life.may_change(principal) else []


@router.post("/rulebook/notices/{rule_notice_id}")
def see_notice(rule_notice_id: str, principal: Changer, session: Transaction, now: Now) -> Response:
    """Put on record that a notice was seen."""
    life.change_by(Actor.of(principal), "seen", now)
    automation.see(session, rule_notice_id, actor=principal.actor, now=now)
    return page.go("/rulebook", "notice_seen")


@router.get("/rulebook/rules/{rule_id}")
def one_rule(request: Request, rule_id: str, principal: Reader, service: TheService, now: Now) -> Response:
    """Show one rule with all that is public about it."""
    return _rule_page(request, principal, rule_id, service=service, now=now)


def _rule_page(
    request: Request,
    principal: Principal,
    rule_id: str,
    *,
    service: TheService,
    now: datetime,
    refused: TingjianError | None = None,
) -> Response:
    one = next((one for one in _figures(request).of(service, now) if one.rule.id == rule_id), None)
    if one is None:
        raise NotFound("there is no such rule")
    return page.render(
        request,
        "rule.html",
        principal=principal,
        status=refused.status if refused else 200,
        one=one,
        terms=one.terms(all_of_them=holds(principal, Permission.TERMS_READ)),
        states=[state for state in RuleState if state is not one.state],
        may_change=life.may_change(principal),
        refused=refused.detail if refused else None,
    )


@router.post("/rulebook/rules/{rule_id}")
def change_rule(
    *,
    request: Request,
    rule_id: str,
    principal: Changer,
    service: TheService,
    now: Now,
    to: Annotated[str, Form()],
    reason: Written = "",
) -> Response:
    """Promote a rule, put it in shadow, retire it, or let it remove by itself if that is proven."""
    change = life.change_by(Actor.of(principal), reason, now)
    base = life.base_of(service)
    try:
        with life.refused_in_words():
            if to == "proof":
                automation.prove(service.database, base, rule_id, change)
            else:
                proposal = Proposal(ProposalKind.RULE, rule=rule_id)
                switching.switch(service.database, base, proposal, _state(to), change)
    except (CharterViolation, Conflict, InvalidInput) as error:
        return _rule_page(request, principal, rule_id, service=service, now=now, refused=error)
    life.running(service).refresh()
    return page.go(f"/rulebook/rules/{rule_id}", "rule_changed")


def _state(written: str) -> RuleState:
    if written not in set(RuleState):
        raise InvalidInput("no rule can be in that state", field="/to")
    return RuleState(written)


@router.get("/rulebook/editions")
def history(request: Request, principal: Reader, session: Reading) -> Response:
    """Show what the rulebook was, newest first, with the way back."""
    return _history_page(request, principal, session)


def _history_page(
    request: Request, principal: Principal, session: Session, refused: TingjianError | None = None
) -> Response:
    return page.render(
        request,
        "editions.html",
        principal=principal,
        status=refused.status if refused else 200,
        rows=editions.history(session, limit=100),
        may_change=life.may_change(principal),
        refused=refused.detail if refused else None,
    )


@router.post("/rulebook/editions")
def roll_back(
    *,
    request: Request,
    principal: Changer,
    service: TheService,
    now: Now,
    number: Annotated[int, Form(ge=0)],
    reason: Written = "",
) -> Response:
    """Go back to an earlier edition in one step."""
    change = life.change_by(Actor.of(principal), reason, now)
    try:
        with life.refused_in_words():
            switching.roll_back(service.database, life.base_of(service), number, change)
    except (CharterViolation, Conflict, InvalidInput) as error:
        with service.database.reading() as session:
            return _history_page(request, principal, session, error)
    life.running(service).refresh()
    return page.go("/rulebook/editions", "rolled_back")


@router.get("/rulebook/backtests")
def runs(request: Request, principal: RunReader, service: TheService, session: Reading, now: Now) -> Response:
    """Show the back-tests within reach, and the form that starts one."""
    return _runs_page(request, principal, service, session, now=now)


def _runs_page(
    request: Request,
    principal: Principal,
    service: TheService,
    session: Session,
    *,
    now: datetime,
    refused: TingjianError | None = None,
    filled: dict[str, Any] | None = None,
) -> Response:
    found = backtest.listed(session, scopes(principal, Permission.BACKTESTS_READ))
    places = scopes(principal, Permission.BACKTESTS_RUN)
    today = now.astimezone(page.SHANGHAI).date()
    usual = {
        "kind": "pack",
        "source": "",
        "rule": request.query_params.get("rule", ""),
        "category": Category.SPAM.value,
        "review": "",
        "with_signal": "",
        "bundle": "",
        "organisation": places[0] if places else "",
        "since": (today - timedelta(days=30)).isoformat(),
        "until": today.isoformat(),
        "reason": "",
    }
    if usual["rule"]:
        usual["kind"] = "rule"
    return page.render(
        request,
        "backtests.html",
        principal=principal,
        status=refused.status if refused else 200,
        runs=[(run, Proposal.of(run.proposal)) for run in found],
        names=organisation_names(session, {run.organisation for run in found}),
        places=places,
        kinds=list(ProposalKind),
        bundles=sorted(life.bundles(service)),
        rules=[one.rule.id for one in _figures(request).of(service, now)],
        filled=usual | (filled or {}),
        refused=refused.detail if refused else None,
    )


async def sent_fields(request: Request) -> dict[str, str]:
    """Return the fields of a form of which only some are filled, by what is to be tried."""
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str) and name != "csrf"}


@router.post("/rulebook/backtests")
def start(
    request: Request,
    principal: Runner,
    service: TheService,
    now: Now,
    given: Annotated[dict[str, str], Depends(sent_fields)],
) -> Response:
    """Put a back-test on record; the worker begins at once."""
    try:
        with service.database.transaction() as session, life.refused_in_words():
            authorise(principal, Permission.BACKTESTS_RUN, given.get("organisation", ""))
            period = backtest.Period(
                given["organisation"], _day(given, "since"), _day(given, "until") + timedelta(days=1)
            )
            change = Change(principal.actor, given.get("reason", ""), now)
            run = backtest.request(session, _proposal(service, given), period, change)
    except (CharterViolation, Conflict, InvalidInput) as error:
        with service.database.reading() as session:
            return _runs_page(request, principal, service, session, now=now, refused=error, filled=given)
    return page.go(f"/rulebook/backtests/{run.id}")


def _day(given: dict[str, str], name: str) -> datetime:
    try:
        day = date.fromisoformat(given.get(name, ""))
    except ValueError:
        raise InvalidInput(f"{name} is a day such as 2026-03-16", field=f"/{name}") from None
    return datetime.combine(day, time(), page.SHANGHAI).astimezone(UTC)


def _proposal(service: TheService, given: dict[str, str]) -> Proposal:
    kind = given.get("kind", "")
    if kind not in set(ProposalKind):
        raise InvalidInput("choose what to try", field="/kind")
    bands = {}
    if kind == ProposalKind.BANDS:
        try:
            review, with_signal = float(given["review"]), float(given["with_signal"] or given["review"])
            bands = {Category(given["category"]): (review, with_signal)}
        except (KeyError, ValueError):
            raise InvalidInput("thresholds are numbers between 0.2 and 1", field="/review") from None
    return life.proposal_of(
        service,
        ProposalKind(kind),
        rule=given.get("rule", ""),
        source=given.get("source", ""),
        bands=bands,
        bundle=given.get("bundle", ""),
    )


@router.get("/rulebook/backtests/{run_id}")
def one_run(request: Request, run_id: str, principal: RunReader, session: Transaction, now: Now) -> Response:
    """Show how far a back-test has come; once it is over, what it found, and the sample."""
    run = backtest.find(session, run_id)
    authorise_found(principal, Permission.BACKTESTS_READ, run.organisation)
    return _run_page(request, principal, session, run, now=now)


def _run_page(
    request: Request,
    principal: Principal,
    session: Session,
    run: Backtest,
    *,
    now: datetime,
    refused: TingjianError | None = None,
) -> Response:
    proposal = Proposal.of(run.proposal)
    sees = allows(principal, Permission.POSTS_READ, run.organisation)
    shown = (
        backtest_sample.passages(
            session,
            run,
            lambda place: allows(principal, Permission.POSTS_READ, place),
            actor=principal.actor,
            now=now,
        )
        if sees and run.state is BacktestState.DONE
        else []
    )
    edition = editions.newest(session)
    return page.render(
        request,
        "backtest.html",
        principal=principal,
        status=refused.status if refused else 200,
        run=run,
        proposal=proposal,
        state_now=proposals.state_of(edition, proposal),
        over=run.state in OVER,
        found=life.figures_for(principal, run),
        sample=shown,
        sees=sees,
        names=organisation_names(session, {run.organisation} | {one.organisation for one in shown}),
        may_cancel=allows(principal, Permission.BACKTESTS_RUN, run.organisation),
        may_change=life.may_change(principal),
        refused=refused.detail if refused else None,
    )


@router.post("/rulebook/backtests/{run_id}/cancel")
def cancel(run_id: str, principal: Runner, session: Transaction, now: Now) -> Response:
    """End a back-test before its time."""
    run = backtest.find(session, run_id)
    authorise_found(principal, Permission.BACKTESTS_RUN, run.organisation)
    backtest.cancel(session, run, actor=principal.actor, now=now)
    return page.go(f"/rulebook/backtests/{run_id}", "backtest_cancelled")


@router.post("/rulebook/backtests/{run_id}")
def switch(
    *,
    request: Request,
    run_id: str,
    principal: Changer,
    service: TheService,
    now: Now,
    to: Annotated[str, Form()],
    reason: Written = "",
) -> Response:
    """Promote what was tried, let it run in shadow, or take it back."""
    change = life.change_by(Actor.of(principal), reason, now)
    with service.database.reading() as session:
        run = backtest.find(session, run_id)
    try:
        with life.refused_in_words():
            switching.switch(
                service.database, life.base_of(service), Proposal.of(run.proposal), _state(to), change
            )
    except (CharterViolation, Conflict, InvalidInput) as error:
        with service.database.transaction() as session:
            return _run_page(request, principal, session, run, now=now, refused=error)
    life.running(service).refresh()
    return page.go(f"/rulebook/backtests/{run_id}", "rule_changed")
