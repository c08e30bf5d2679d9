"""Every route × every role × every place: who is let in and who is not, against a table written by hand.

Everything that is asked for lies at `gd/dongguan` (reports that came up lie at `gd`). Accounts stand
at the province above it, at the very place, at the town below it, and at the city beside it. A route
that is not in the table fails the first test, so a new door cannot open unnoticed.
"""

import shutil
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlmodel import Session, col, select

from alerts import attachments, cases, consent, documents, events, forms, helping, incidents
from alerts.actor import Actor as AlertsActor
from alerts.attachments import Upload
from alerts.desks import Desk, Worker
from api import sessions
from api.app import create_app
from api.casework import links_of
from api.wiring import Service
from models.account import Account, ApiKey, Grant, Identity, SecondFactor, SignIn
from models.casework import CaseUnit
from models.correction import DemandCorrection, DemandProbe, DemandSuggestion
from models.database import Database
from models.demand import Demand, DemandFact, DemandMember
from models.event import Case, InboxItem
from models.notice import Notice
from models.outbox import OutboxMessage, WebhookEndpoint
from models.post import Post
from models.quality import GoldenItem, UserReport
from models.reading import Reading
from models.review import FreshLook, ReviewTask, Statement
from models.rulebook import Backtest, RuleNotice
from models.screening import Screening
from models.vocabulary import (
    Action,
    CaseState,
    Category,
    ConsentItem,
    CorrectionKind,
    DemandState,
    Domain,
    EventKind,
    KeyScope,
    MessageState,
    NoticeKind,
    Role,
    SecondReason,
    SuggestionKind,
    TaskState,
    Tone,
    Topic,
    UnitPart,
)
from moderation import appeals, second_reading
from moderation.drafts import draft
from moderation.intake import Caller, take
from moderation.proposals import Proposal, ProposalKind
from tests.conftest import NOW
from tests.support import on_time
from tests.support.called import call
from tests.support.rulebooks import rule, running
from tests.support.screeners import ScriptedScreener
from tests.support.services import PASSWORD, make_account, make_key, make_service, plant
from tests.support.wording import ListeningBundle

PLACES = {
    "above": "gd",
    "own": "gd/dongguan",
    "below": "gd/dongguan/houjie",
    "beside": "gd/foshan",
}
OFFICER, COORDINATOR, LEAD, OFFICE, AUDITOR, ADMIN, CARE, OPERATIONS, STATION = Role
WORKERS = {OFFICER, COORDINATOR, OPERATIONS, LEAD, OFFICE, AUDITOR}
EVERYBODY = set(Role)
CORRECTORS = {OFFICER, COORDINATOR, OPERATIONS}
MEMBER = {"posts": ["{member_id}"]}
OWN_OFFICE = frozenset({OFFICE})
ON_TIME = {OFFICER, COORDINATOR, OPERATIONS, OFFICE, AUDITOR}
ANSWERING = {OFFICER, COORDINATOR, OPERATIONS}
LIAISON = {OFFICER, COORDINATOR}
STATION_READERS = ON_TIME | {STATION}
MANAGERS = {COORDINATOR, STATION}
NEEDS_SIGN_IN, REFUSED = {401}, {403, 404}
CSRF = "a token"
WEBHOOK = "http://127.0.0.1:9/hook"


@dataclass(frozen=True)
class Door:
    """One route, and whom it lets in.

    `public`: whoever comes. `signed`: whoever has signed in. Otherwise `roles` at `at` or above it; a
    `listing` lets its roles in from every place and shows `shows` only to those at `at` or above it.
    `own` are roles that get in at the very place `at` and at none above it.
    `scope` is what a key of the right source needs; without one no key gets in.
    """

    method: str
    path: str
    roles: set[Role] = field(default_factory=set)
    at: str = "gd/dongguan"
    listing: bool = False
    shows: str = ""
    own: frozenset[Role] = frozenset()
    scope: KeyScope | None = None
    by_source: bool = True
    public: bool = False
    signed: bool = False
    json: Any = None
    form: dict[str, str] | None = None
    file: str = ""

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    def admits(self, role: Role, place: str) -> bool:
        if self.public or self.signed:
            return True
        if role is CARE and CARE not in self.roles:  # an officer who is trained for people in danger besides
            role = OFFICER
        if role in self.own:
            return self.listing or self.at == place
        if role not in self.roles:
            return False
        return self.listing or self.at == place or self.at.startswith(place + "/")

    def reveals(self, role: Role, place: str) -> bool:
        return self.at == place or (role not in self.own and self.at.startswith(place + "/"))


def post_body(number: str) -> dict[str, Any]:
    return {
        "source": "forum",
        "external_id": number,
        "revision": 1,
        "kind": "question",
        "organisation": "gd/dongguan",
        "author": "somebody",
        "text": "图书馆周末几点开门？",
        "created_at": (NOW - timedelta(minutes=3)).isoformat(),
    }


def edit_body() -> dict[str, Any]:
    sent = post_body("new")
    return {key: value for key, value in sent.items() if key not in {"source", "external_id"}}


POSTS = {OFFICER, COORDINATOR, OPERATIONS, AUDITOR}
RAISERS = {COORDINATOR, OPERATIONS}
CASE_READERS = WORKERS - {OFFICER}
EVENT = {
    "kind": "safety_incident",
    "organisation": "gd/dongguan",
    "domain": "health",
    "title": "多人不适",
    "summary": "晚饭后多人不适",
}
DECISION = {"action": "publish", "version": 1, "reason": "没有问题"}
ACCOUNT = {"login": "new", "name": "新", "grants": [{"role": "officer", "organisation": "gd/dongguan"}]}
KEY = {"source": "new", "name": "new", "organisation": "gd/dongguan", "scopes": ["posts:read"]}
NODE = {"path": "gd/dongguan/changan", "name": "长安镇", "kind": "county"}
SETTING = {"key": "demand_min_authors", "value": 20, "organisation": "gd/dongguan", "reason": "试用"}
LAYER = {"name": "新班", "people": ["{serving_id}"], "begins_on": "2026-03-16"}
LAYER_FORM = {
    "name": "新班",
    "people": "{serving_id}",
    "begins_on": "2026-03-16",
    "cover": "every_day",
    "turn_days": "1",
    "position": "1",
}
OVERRIDE = {"day": "2026-03-17", "account_id": "{serving_id}", "reason": "顶班"}
OVERRIDE_FORM = {"layer": "{layer_id}", "day": "2026-03-17", "person": "{serving_id}", "reason": "顶班"}
SWAP = {"one": "{turn_id}", "other": "{other_turn_id}", "reason": "换班"}
HOLIDAY = {"organisation": "gd/dongguan", "first_day": "2026-04-04"}
STATION_BODY = {
    "name": "青年之家",
    "address": "体育路",
    "hours": {"1": [["09:00", "18:00"]]},
    "services": ["法律咨询"],
}
STATION_FORM = {
    "name": "青年之家",
    "address": "体育路",
    "hours": "1-5 09:00-18:00",
    "services": "法律咨询",
    "capacity": "1",
    "slot_minutes": "60",
}
EXPERT = {"organisation": "gd/dongguan", "name": "周律师", "field": "law"}
ACTIVITY = {
    "title": "读书会",
    "starts_at": "2026-03-21T10:00:00+08:00",
    "ends_at": "2026-03-21T12:00:00+08:00",
    "capacity": 10,
}
ACTIVITY_FORM = {
    "title": "读书会",
    "starts_at": "2026-03-21T10:00",
    "ends_at": "2026-03-21T12:00",
    "capacity": "10",
}
BOOK = {"key": "another", "starts_at": "2026-03-17T10:00:00+08:00", "service": "法律咨询"}
AN_ANSWER = {"answer": "a1", "by": "expert", "answered_at": NOW.isoformat()}
HAND = {"organisation": "gd/foshan", "reason": "佛山的事"}

TRIERS = {OFFICER, ADMIN}
TRIAL_FORM = {
    "kind": "rule",
    "rule": "spam.test",
    "organisation": "gd/dongguan",
    "since": "2026-03-01",
    "until": "2026-03-16",
    "reason": "试一试",
}
TRIAL = TRIAL_FORM | {"since": "2026-03-01T00:00:00Z", "until": "2026-03-16T00:00:00Z"}
WHY = {"reason": "试用"}
CALLED = {OFFICER, COORDINATOR, OPERATIONS, OFFICE}
FEED = {"organisation": "gd/dongguan", "name": "大屏"}
SILENCE = {
    "organisation": "gd/dongguan",
    "ends_at": (NOW + timedelta(hours=1)).isoformat(),
    "reason": "演练",
}
ROLE_FORM = {"role": "auditor", "organisation": "gd/dongguan", **WHY}

DOORS = [
    Door("GET", "/health/live", public=True),
    Door("GET", "/health/ready", public=True),
    Door("GET", "/metrics", public=True),  # for this machine; test_sign_in asks from elsewhere
    Door("GET", "/v1/openapi.json", public=True),
    Door("GET", "/v1/public/clauses", public=True),
    Door("GET", "/v1/public/domains", public=True),
    Door("GET", "/v1/public/rules", public=True),
    Door("GET", "/v1/public/openness?month=2026-03", public=True),
    Door("GET", "/v1/public/audit/anchors", public=True),
    Door("GET", "/v1/statements/{token}", public=True),
    Door("GET", "/v1/statements/{token}/proof", public=True),
    Door("POST", "/v1/sign-in", public=True, json={"login": "officer-own", "password": PASSWORD}),
    Door("POST", "/v1/sign-out", signed=True),
    Door("GET", "/v1/me", signed=True),
    Door("PUT", "/v1/me/password", signed=True, json={"current": PASSWORD, "new": "quite another one"}),
    Door("GET", "/v1/me/sessions", signed=True),
    Door("DELETE", "/v1/me/sessions", signed=True),
    Door("DELETE", "/v1/me/sessions/{session_id}"),  # for whoever's it is, and nobody else
    Door("POST", "/v1/me/second-factor", signed=True),
    Door("POST", "/v1/me/second-factor/confirm", signed=True, json={"code": "000000"}),
    Door("POST", "/v1/me/second-factor/give", signed=True, json={"code": "000000"}),
    # accounts, keys, organisations, settings
    Door("GET", "/v1/accounts", {AUDITOR, ADMIN}, listing=True, shows="{account_id}"),
    Door("POST", "/v1/accounts", {ADMIN}, json=ACCOUNT),
    Door("GET", "/v1/accounts/{account_id}", {AUDITOR, ADMIN}),
    Door("POST", "/v1/accounts/{account_id}/disable", {ADMIN}),
    Door("POST", "/v1/accounts/{account_id}/enable", {ADMIN}),
    Door("POST", "/v1/accounts/{account_id}/password", {ADMIN}),
    Door(
        "POST",
        "/v1/accounts/{account_id}/grants",
        {ADMIN},
        json={"role": "auditor", "organisation": "gd/dongguan"},
    ),
    Door("DELETE", "/v1/accounts/{account_id}/grants/{grant_id}", {ADMIN}),
    Door("PUT", "/v1/accounts/{account_id}/email", {ADMIN}, json={"email": "li@example.cn"}),
    Door("GET", "/v1/accounts/{account_id}/identities", {AUDITOR, ADMIN}),
    Door("POST", "/v1/accounts/{account_id}/identities", {ADMIN}, json={"subject": "somebody"}),
    Door("DELETE", "/v1/accounts/{account_id}/identities/{identity_id}", {ADMIN}),
    Door("DELETE", "/v1/accounts/{account_id}/second-factor", {ADMIN}),
    Door("GET", "/v1/accounts/{account_id}/sessions", {ADMIN}),
    Door("DELETE", "/v1/accounts/{account_id}/sessions", {ADMIN}),
    Door("DELETE", "/v1/accounts/{account_id}/sessions/{session_id}", {ADMIN}),
    Door("GET", "/v1/keys", {AUDITOR, ADMIN}, listing=True, shows="{key_id}"),
    Door("POST", "/v1/keys", {ADMIN}, json=KEY),
    Door("DELETE", "/v1/keys/{key_id}", {ADMIN}),
    Door(
        "GET",
        "/v1/organisations",
        EVERYBODY,
        listing=True,
        shows='"gd/dongguan"',
        scope=KeyScope.POSTS_WRITE,
        by_source=False,
    ),
    Door("POST", "/v1/organisations", {ADMIN}, json=NODE),
    Door("GET", "/v1/settings", {AUDITOR, ADMIN}, listing=True),
    Door("POST", "/v1/settings", {ADMIN}, json=SETTING),
    # the rulebook: it holds everywhere, so it is changed at the top of the tree
    Door("GET", "/v1/rules", EVERYBODY, listing=True),
    Door("POST", "/v1/rules/{rule_id}/state", {ADMIN}, at="gd", json={"state": "shadow", "reason": "试行"}),
    Door("POST", "/v1/rules/{rule_id}/proof", {ADMIN}, at="gd", json={"reason": "够准"}),
    Door("GET", "/v1/editions", EVERYBODY, listing=True),
    Door("POST", "/v1/editions:rollback", {ADMIN}, at="gd", json={"reason": "退回"}),
    Door("GET", "/v1/backtests", TRIERS | {AUDITOR}, listing=True, shows="{run_id}"),
    Door("POST", "/v1/backtests", TRIERS, json=TRIAL),
    Door("GET", "/v1/backtests/{run_id}", TRIERS | {AUDITOR}),
    Door("GET", "/v1/backtests/{run_id}/sample", TRIERS - {ADMIN} | {AUDITOR}),
    Door("POST", "/v1/backtests/{run_id}:cancel", TRIERS),
    Door(
        "POST", "/v1/backtests/{run_id}:switch", {ADMIN}, at="gd", json={"state": "shadow", "reason": "试行"}
    ),
    Door("GET", "/v1/rule-notices", {ADMIN}, at="gd"),
    Door("POST", "/v1/rule-notices/{rule_notice_id}:seen", {ADMIN}, at="gd"),
    # posts: written by a source's key and by nobody else
    Door("POST", "/v1/posts", scope=KeyScope.POSTS_WRITE, json=post_body("new")),
    Door("POST", "/v1/posts:batch", scope=KeyScope.POSTS_WRITE, by_source=False, json=[post_body("new")]),
    Door("PUT", "/v1/posts/forum/new", scope=KeyScope.POSTS_WRITE, json=edit_body()),
    Door("GET", "/v1/posts/forum/held", POSTS, scope=KeyScope.POSTS_READ),
    Door("DELETE", "/v1/posts/forum/held", scope=KeyScope.POSTS_WRITE),
    # review and appeals
    Door("GET", "/v1/reviews", {OFFICER, AUDITOR}, listing=True, shows="{task_id}"),
    Door("POST", "/v1/reviews/next", {OFFICER}, listing=True, shows="{task_id}"),
    Door("POST", "/v1/reviews/{task_id}/lease", {OFFICER}),
    Door("DELETE", "/v1/reviews/{task_id}/lease", {OFFICER}),
    Door("PUT", "/v1/reviews/{task_id}/lease", {OFFICER}),
    Door("POST", "/v1/reviews/{task_id}/decision", {OFFICER}, json=DECISION),
    Door("POST", "/v1/reviews/{task_id}/card", {OFFICER}),
    Door("POST", "/v1/reviews/{task_id}/alike", {OFFICER}),
    Door("POST", "/v1/reviews/{task_id}/standing", {OFFICER}, json={"again": True}),
    Door(
        "POST",
        "/v1/reviews/decisions",
        {OFFICER},
        listing=True,
        shows='"decided":[{{',
        json={"tasks": [{"task_id": "{task_id}", "version": 1}], "action": "publish"},
    ),
    Door("POST", "/v1/reviews/decisions/{decision_id}/undo"),  # for whoever decided, and nobody else
    Door("GET", "/v1/reviews/notices", {OFFICER, AUDITOR}, listing=True, shows="{notice_id}"),
    Door("POST", "/v1/reviews/{task_id}/pass", {OFFICER}),
    Door("POST", "/v1/reviews/{task_id}/unfolded", {OFFICER}),
    Door("GET", "/v1/second-readings", {OFFICER}, listing=True, shows="{reading_id}"),
    Door("POST", "/v1/second-readings/{reading_id}", {OFFICER}, json={"outcome": "declined"}),
    Door("GET", "/v1/quality", {OFFICER, AUDITOR, ADMIN}, listing=True),
    Door("GET", "/v1/quality/mine", {OFFICER}, listing=True),
    Door("GET", "/v1/quality/officers", {ADMIN}, listing=True),
    Door("GET", "/v1/quality/golden", {ADMIN}, listing=True, shows="{golden_id}"),
    Door("POST", "/v1/quality/golden", {ADMIN}, json={"post_id": "{held_id}", "expected": "publish"}),
    Door("DELETE", "/v1/quality/golden/{golden_id}", {ADMIN}),
    Door(
        "POST",
        "/v1/reports",
        scope=KeyScope.REPORTS_WRITE,
        json={"external_id": "held", "category": "spam", "reporter": "a reader"},
    ),
    Door("GET", "/v1/reports/{report_id}", scope=KeyScope.REPORTS_WRITE),
    Door("POST", "/v1/appeals", scope=KeyScope.APPEALS_WRITE, json={"token": "{token}", "text": "冤枉"}),
    Door("GET", "/v1/appeals", {OFFICER, AUDITOR}, listing=True, shows="{appeal_id}"),
    Door(
        "POST",
        "/v1/appeals/{appeal_id}/decision",
        {OFFICER},
        json={"outcome": "reversed", "answer": "已恢复"},
    ),
    Door("GET", "/v1/appeals/fresh-looks", {OFFICER, AUDITOR}, listing=True, shows="{look_id}"),
    Door("POST", "/v1/appeals/fresh-looks/{look_id}", {OFFICER}, json={"restore": True}),
    # demands, events, cases, inbox
    Door("GET", "/v1/demands", WORKERS, listing=True, shows="{demand_id}"),
    Door("GET", "/v1/demands/{demand_id}", WORKERS),
    Door("POST", "/v1/demands/{demand_id}:verify", RAISERS, json={"note": "已核实"}),
    Door("POST", "/v1/demands/{demand_id}:reject", RAISERS, json={"reason": "重复"}),
    Door("GET", "/v1/demands/{demand_id}/corrections", WORKERS),
    Door("POST", "/v1/demands/{demand_id}/posts:confirm", CORRECTORS, json=MEMBER),
    Door("POST", "/v1/demands/{demand_id}/posts:remove", CORRECTORS, json=MEMBER),
    Door(
        "POST",
        "/v1/demands/{demand_id}/posts:move",
        CORRECTORS,
        json=MEMBER | {"to": "{other_demand_id}"},
    ),
    Door("POST", "/v1/demands/{demand_id}:split", CORRECTORS, json=MEMBER),
    Door("POST", "/v1/demands/{demand_id}:merge", CORRECTORS, json={"other": "{other_demand_id}"}),
    Door("POST", "/v1/demands/{demand_id}:rename", CORRECTORS, json={"title": "热水"}),
    Door("POST", "/v1/demand-corrections/{correction_id}:undo", CORRECTORS),
    Door("GET", "/v1/demand-contradictions", CORRECTORS, listing=True, shows="{disputed_id}"),
    Door("GET", "/v1/demand-suggestions", WORKERS, listing=True, shows="{suggestion_id}"),
    Door("POST", "/v1/demand-suggestions/{suggestion_id}:accept", CORRECTORS, json={}),
    Door("POST", "/v1/demand-suggestions/{suggestion_id}:dismiss", CORRECTORS, json={}),
    Door(
        "POST",
        "/v1/demands/similar",
        scope=KeyScope.POSTS_WRITE,
        by_source=False,
        json={"text": "没有热水", "organisation": "gd/dongguan"},
    ),
    Door(
        "POST",
        "/v1/demands/{demand_id}/voices",
        scope=KeyScope.POSTS_WRITE,
        by_source=False,
        json={"author": "somebody"},
    ),
    Door(
        "POST",
        "/v1/demands/{demand_id}/voices:withdraw",
        scope=KeyScope.POSTS_WRITE,
        by_source=False,
        json={"author": "somebody"},
    ),
    Door("GET", "/v1/trends", WORKERS, listing=True),
    Door("GET", "/v1/demand-sample", CORRECTORS, listing=True, shows="{probe_id}"),
    Door("GET", "/v1/demand-sample/recall", WORKERS, listing=True),
    Door("POST", "/v1/demand-sample/{probe_id}", CORRECTORS, json={"answer": "none"}),
    Door("GET", "/v1/events", WORKERS, listing=True, shows="{event_id}"),
    Door("POST", "/v1/events", RAISERS, json=EVENT),
    Door("GET", "/v1/events/{event_id}", WORKERS),
    Door("GET", "/v1/events/{danger_id}", RAISERS | {OFFICE, CARE}),
    Door(
        "POST",
        "/v1/events/{surge_id}:settle",
        RAISERS,
        json={"step": "verify", "text": "属实", "version": 1},
    ),
    Door("POST", "/v1/events/{event_id}:report", RAISERS, json={}),
    Door("POST", "/v1/events/{event_id}:step", RAISERS, json={"step": "act", "text": "已处理"}),
    Door("POST", "/v1/events/{event_id}:open-form", RAISERS),
    Door("GET", "/v1/cases", CASE_READERS, listing=True, shows="{case_id}"),
    Door("POST", "/v1/cases", RAISERS, json={"post_id": "{held_id}", "title": "热水", "domain": "housing"}),
    Door("GET", "/v1/cases/{case_id}", CASE_READERS),
    Door("GET", "/v1/cases/{help_id}", RAISERS),
    Door("GET", "/v1/cases/{case_id}/form", CASE_READERS),
    Door("PUT", "/v1/cases/{case_id}/form", RAISERS, json={"version": 1, "fields": {}}),
    Door("GET", "/v1/cases/{case_id}/form.docx", CASE_READERS),
    Door(
        "POST",
        "/v1/cases/{case_id}/form:read",
        RAISERS | {LEAD, OFFICE},
        form={"version": "1"},
        file="f.docx",
    ),
    Door("POST", "/v1/cases/{case_id}:step", {LEAD}, json={"step": "accepted", "version": "{case_version}"}),
    Door("POST", "/v1/cases/{help_id}:ask-consent", RAISERS, json={"items": ["name"]}),
    Door(
        "POST", "/v1/attachments", RAISERS | {LEAD, OFFICE}, form={"subject": "{case_id}"}, file="notes.txt"
    ),
    Door("GET", "/v1/attachments/{attachment_id}", CASE_READERS),
    Door("GET", "/v1/ratings/{rating}", public=True),
    Door("POST", "/v1/ratings/{rating}", public=True, json={"rating": "solved"}),
    Door("GET", "/v1/consents/{consent}", public=True),
    Door("POST", "/v1/consents/{consent}", public=True, json={"values": {"name": "陈"}}),
    Door("DELETE", "/v1/consents/{consent}", public=True),
    Door("GET", "/v1/public/demands", public=True),
    Door("GET", "/v1/public/demands/{event_id}", public=True),
    Door("GET", "/v1/inbox", {OFFICE, AUDITOR}, at="gd", listing=True, shows="{item_id}"),
    Door("GET", "/v1/inbox/{item_id}", {OFFICE, AUDITOR}, at="gd"),
    Door("POST", "/v1/inbox/{item_id}:read", {OFFICE}, at="gd"),
    # clocks, dispatch, duty, experts, stations
    Door("GET", "/v1/clocks", ON_TIME, listing=True, shows="{clock_id}"),
    Door("GET", "/v1/clocks/{clock_id}", ON_TIME),
    Door("POST", "/v1/clocks/{clock_id}:answer", ANSWERING, json={"version": 1}),
    Door("POST", "/v1/clocks/{clock_id}:hand-over", ANSWERING, json=HAND),
    Door("POST", "/v1/clocks/{handed_clock_id}:return", ANSWERING, json={"reason": "转错了"}),
    Door("POST", "/v1/clock-calls/{call_id}:seen", ANSWERING),
    Door("POST", "/v1/questions/asked/answers", scope=KeyScope.ANSWERS_WRITE, json=AN_ANSWER),
    Door("GET", "/v1/dispatch", ON_TIME, listing=True, shows="{handover_id}"),
    Door("POST", "/v1/dispatch/{handover_id}", ANSWERING, json={"take": False}),
    Door("GET", "/v1/duty?month=2026-03", ON_TIME, listing=True, shows="{turn_id}"),
    Door("POST", "/v1/duty/layers", LIAISON, json={**LAYER, "organisation": "gd/dongguan"}),
    Door("PUT", "/v1/duty/layers/{layer_id}", LIAISON, json={**LAYER, "version": 1}),
    Door("POST", "/v1/duty/layers/{layer_id}/overrides", LIAISON, json=OVERRIDE),
    Door("POST", "/v1/duty/swaps", LIAISON, json=SWAP),
    Door("GET", "/v1/duty/reports", ON_TIME, at="gd", listing=True, shows="{holiday_id}"),
    Door("POST", "/v1/duty/reports", LIAISON, json=HOLIDAY),
    Door("POST", "/v1/duty/feeds", LIAISON, json={"organisation": "gd/dongguan"}),
    Door("DELETE", "/v1/duty/feeds/{duty_feed_id}", LIAISON),
    Door("GET", "/v1/duty/feeds/{duty_feed_token}.ics", public=True),
    Door("GET", "/v1/experts", ON_TIME, listing=True, shows="{expert_id}"),
    Door("POST", "/v1/experts", LIAISON, json=EXPERT),
    Door("DELETE", "/v1/experts/{expert_id}?version=1", LIAISON),
    Door("POST", "/v1/experts/{expert_id}/invitations", LIAISON, json={"clock_id": "{clock_id}"}),
    Door("GET", "/v1/public/stations", public=True),
    Door("GET", "/v1/public/stations/{station_id}/slots?day=2026-03-17", public=True),
    Door("POST", "/v1/stations", MANAGERS, json={**STATION_BODY, "organisation": "gd/dongguan"}),
    Door("PUT", "/v1/stations/{station_id}", MANAGERS, json={**STATION_BODY, "version": 1}),
    Door("DELETE", "/v1/stations/{station_id}?version=1", MANAGERS),
    Door(
        "POST",
        "/v1/stations/{station_id}/bookings",
        scope=KeyScope.BOOKINGS_WRITE,
        by_source=False,
        json=BOOK,
    ),
    Door("GET", "/v1/bookings", STATION_READERS, listing=True, shows="{booking_id}"),
    Door("POST", "/v1/bookings/{booking_id}:decide", MANAGERS, json={"confirm": True, "version": 1}),
    Door("POST", "/v1/bookings/{booking_id}:settle", MANAGERS, json={"served": False, "version": 1}),
    Door("POST", "/v1/bookings/{booking_id}:cancel", scope=KeyScope.BOOKINGS_WRITE),
    Door("POST", "/v1/bookings/{booking_id}:rate", scope=KeyScope.BOOKINGS_WRITE, json={"stars": 5}),
    Door("GET", "/v1/public/activities", public=True),
    Door("GET", "/v1/activities", STATION_READERS, listing=True, shows="{activity_id}"),
    Door("GET", "/v1/activities/{activity_id}", STATION_READERS),
    Door("POST", "/v1/stations/{station_id}/activities", MANAGERS, json=ACTIVITY),
    Door("POST", "/v1/activities/{activity_id}:call-off", MANAGERS, json={"reason": "停电", "version": 1}),
    Door("POST", "/v1/activities/{activity_id}:attendance", MANAGERS, json={"came": [], "version": 1}),
    Door(
        "POST",
        "/v1/activities/{activity_id}/sign-ups",
        scope=KeyScope.BOOKINGS_WRITE,
        by_source=False,
        json={"key": "another"},
    ),
    Door("POST", "/v1/sign-ups/{sign_up_id}:cancel", scope=KeyScope.BOOKINGS_WRITE),
    Door("POST", "/v1/sign-ups/{sign_up_id}:rate", scope=KeyScope.BOOKINGS_WRITE, json={"stars": 5}),
    Door(
        "POST",
        "/v1/referrals",
        ANSWERING,
        json={"station_id": "{station_id}", "service": "法律咨询", "post_id": "{asked_id}"},
    ),
    # webhooks and deliveries
    Door(
        "GET",
        "/v1/webhooks",
        {AUDITOR, ADMIN},
        listing=True,
        shows="{endpoint_id}",
        own=OWN_OFFICE,
        scope=KeyScope.WEBHOOKS,
        by_source=False,
    ),
    Door(
        "POST",
        "/v1/webhooks",
        {ADMIN},
        own=OWN_OFFICE,
        scope=KeyScope.WEBHOOKS,
        by_source=False,
        json={"url": WEBHOOK, "organisation": "gd/dongguan"},
    ),
    Door("DELETE", "/v1/webhooks/{endpoint_id}", {ADMIN}, own=OWN_OFFICE),
    Door("DELETE", "/v1/webhooks/{source_endpoint_id}", {ADMIN}, scope=KeyScope.WEBHOOKS),
    Door("POST", "/v1/webhooks/{endpoint_id}:test", {ADMIN}, own=OWN_OFFICE),
    Door("POST", "/v1/webhooks/{endpoint_id}:rotate-secret", {ADMIN}, own=OWN_OFFICE),
    Door("PATCH", "/v1/webhooks/{endpoint_id}", {ADMIN}, own=OWN_OFFICE, json={"topics": ["duty.gap"]}),
    Door(
        "GET",
        "/v1/deliveries",
        {COORDINATOR, OFFICE, AUDITOR, ADMIN},
        listing=True,
        shows="{message_id}",
        scope=KeyScope.WEBHOOKS,
        by_source=False,
    ),
    Door("POST", "/v1/deliveries/{message_id}:replay", {ADMIN}, own=OWN_OFFICE),
    Door("GET", "/v1/deliveries/{message_id}", {COORDINATOR, OFFICE, AUDITOR, ADMIN}),
    Door(
        "POST",
        "/v1/deliveries:replay-dead",
        {ADMIN},
        listing=True,
        own=OWN_OFFICE,
        scope=KeyScope.WEBHOOKS,
        by_source=False,
    ),
    # alarms, silences, inboxes, feeds
    Door("GET", "/v1/alarms", CALLED | {AUDITOR}, listing=True, shows="{alarm_id}"),
    Door("POST", "/v1/alarms/{alarm_id}:acknowledge", CALLED),
    Door("GET", "/v1/silences", {AUDITOR, ADMIN}, listing=True, shows="{silence_id}", own=OWN_OFFICE),
    Door("POST", "/v1/silences", {ADMIN}, own=OWN_OFFICE, json=SILENCE),
    Door("POST", "/v1/silences/{silence_id}:end", {ADMIN}, own=OWN_OFFICE),
    Door("GET", "/v1/messages", {OFFICE, AUDITOR}, listing=True, shows="{office_message_id}"),
    Door("POST", "/v1/messages/{office_message_id}:read", own=OWN_OFFICE),
    Door("GET", "/v1/feed-keys", {AUDITOR, ADMIN}, listing=True, shows="{feed_id}", own=OWN_OFFICE),
    Door("POST", "/v1/feed-keys", {ADMIN}, own=OWN_OFFICE, json=FEED),
    Door("DELETE", "/v1/feed-keys/{feed_id}", {ADMIN}, own=OWN_OFFICE),
    Door("GET", "/v1/feeds/{feed_token}/atom", public=True),
    Door("GET", "/v1/feeds/{feed_token}/cap/{incident_id}", public=True),
    Door("GET", "/v1/events/{incident_id}/cap", {CARE, COORDINATOR, OPERATIONS, OFFICE}),
    # the console
    Door("GET", "/static/console.css", public=True),
    Door("GET", "/help", public=True),
    Door("GET", "/sign-in", public=True),
    Door("POST", "/sign-in", public=True, form={"login": "officer-own", "password": PASSWORD}),
    Door("GET", "/sign-in/provider", public=True),
    Door("GET", "/sign-in/provider/callback", public=True),
    Door("GET", "/second-factor", signed=True),
    Door("POST", "/second-factor", signed=True, form={"code": "000000"}),
    Door("GET", "/second-factor/enrol", signed=True),
    Door("POST", "/second-factor/enrol", signed=True, form={"code": "000000"}),
    Door("POST", "/second-factor/codes", signed=True, form={"code": "000000"}),
    Door("GET", "/sessions", signed=True),
    Door("POST", "/sessions", signed=True),
    Door("POST", "/language", public=True, form={"language": "en"}),
    Door("GET", "/statements/{token}", public=True),
    Door("POST", "/statements/{token}/appeal", public=True, form={"text": "冤枉"}),
    Door("GET", "/", signed=True),
    Door("POST", "/sign-out", signed=True),
    Door("GET", "/password", signed=True),
    Door(
        "POST",
        "/password",
        signed=True,
        form={"current": PASSWORD, "new": "quite another one", "again": "quite another one"},
    ),
    Door("GET", "/queue", {OFFICER, AUDITOR}, listing=True),
    Door("GET", "/queue/{task_id}", {OFFICER}),
    Door("GET", "/queue/list", {OFFICER, AUDITOR}, listing=True),
    Door("POST", "/queue/list", {OFFICER}, listing=True, form={"source": "forum", "author": "somebody"}),
    Door("POST", "/queue/undo", form={"decision": "{decision_id}"}),
    Door("POST", "/queue/leave", {OFFICER}, form={"task": "{task_id}:none"}),
    Door("POST", "/queue/{task_id}/keep", {OFFICER}),
    Door("POST", "/queue/{task_id}/standing", {OFFICER}, form={"again": "1"}),
    Door("GET", "/queue/{task_id}/alike", {OFFICER}),
    Door("POST", "/queue/{task_id}/alike", {OFFICER}, form={"action": "publish", "seen": "{task_id}:1"}),
    Door("POST", "/queue/{task_id}/pass", {OFFICER}),
    Door("POST", "/queue/{task_id}/unfolded", {OFFICER}),
    Door("GET", "/second", {OFFICER}, listing=True),
    Door("POST", "/second/{reading_id}", {OFFICER}, form={"outcome": "declined"}),
    Door("GET", "/quality", {OFFICER, AUDITOR, ADMIN}, listing=True),
    Door("POST", "/quality/golden", {ADMIN}, form={"post": "{held_id}", "expected": "publish"}),
    Door("POST", "/quality/golden/{golden_id}/retire", {ADMIN}),
    Door("POST", "/queue/{task_id}", {OFFICER}, form={"action": "publish", "version": "1", "reason": "好"}),
    Door("GET", "/appeals", {OFFICER, AUDITOR}, listing=True),
    Door("POST", "/appeals/{appeal_id}", {OFFICER}, form={"outcome": "reversed", "answer": "已恢复"}),
    Door("POST", "/appeals/fresh-looks/{look_id}", {OFFICER}, form={"restore": "true"}),
    Door("GET", "/demands", WORKERS, listing=True, shows="{demand_id}"),
    Door("GET", "/demands/{demand_id}", WORKERS),
    Door("POST", "/demands/{demand_id}/verify", RAISERS, form={"version": "1", "note": "已核实"}),
    Door("POST", "/demands/{demand_id}/reject", RAISERS, form={"version": "1", "reason": "重复"}),
    Door("POST", "/demands/{demand_id}/act", CORRECTORS, form={"act": "confirm", "posts": "{member_id}"}),
    Door("POST", "/demand-corrections/{correction_id}/undo", CORRECTORS),
    Door("GET", "/demand-contradictions", CORRECTORS, listing=True, shows="{disputed_id}"),
    Door("POST", "/demand-contradictions/{disputed_id}", CORRECTORS, form={"demand": ""}),
    Door("GET", "/demand-suggestions", WORKERS, listing=True, shows="{suggestion_id}"),
    Door("POST", "/demand-suggestions/{suggestion_id}", CORRECTORS, form={"outcome": "dismiss"}),
    Door("GET", "/trends", WORKERS, listing=True),
    Door("GET", "/demand-sample", CORRECTORS, listing=True, shows="{probe_id}"),
    Door("POST", "/demand-sample/{probe_id}", CORRECTORS, form={"demand": "none"}),
    Door("GET", "/events", WORKERS, listing=True, shows="{event_id}"),
    Door("GET", "/events/new", RAISERS | {OFFICE, CARE}, listing=True),
    Door("POST", "/events/new", RAISERS, form=EVENT),
    Door("GET", "/events/{event_id}", WORKERS),
    Door("POST", "/events/{event_id}/report", RAISERS),
    Door(
        "POST",
        "/events/{surge_id}/settle",
        RAISERS,
        form={"step": "verify", "version": "1", "text": "属实"},
    ),
    Door(
        "POST",
        "/events/{event_id}/steps",
        RAISERS,
        form={"step": "act", "version": "{event_version}", "text": "已处理"},
    ),
    Door("GET", "/cases", CASE_READERS, listing=True, shows="{case_id}"),
    Door("GET", "/cases/help", RAISERS, listing=True),
    Door("POST", "/cases/help", RAISERS, form={"post": "{held_id}", "title": "热水", "domain": "housing"}),
    Door("GET", "/cases/{case_id}", CASE_READERS),
    Door("POST", "/cases/{case_id}", RAISERS | {LEAD, OFFICE}, form={"version": "1"}),
    Door("POST", "/cases/{case_id}/steps", {LEAD}, form={"step": "accepted", "version": "{case_version}"}),
    Door("POST", "/cases/{help_id}/consents", RAISERS, form={"item": "name"}),
    Door("GET", "/cases/{case_id}/form.docx", CASE_READERS),
    Door(
        "POST", "/cases/{case_id}/form/read", RAISERS | {LEAD, OFFICE}, form={"version": "1"}, file="f.docx"
    ),
    Door("POST", "/attachments", RAISERS | {LEAD, OFFICE}, form={"subject": "{case_id}"}, file="notes.txt"),
    Door("GET", "/attachments/{attachment_id}", CASE_READERS),
    Door("GET", "/rate/{rating}", public=True),
    Door("POST", "/rate/{rating}", public=True, form={"rating": "solved"}),
    Door("GET", "/rated", public=True),
    Door("GET", "/consents/{consent}", public=True),
    Door("POST", "/consents/{consent}", public=True, form={"agree": "1", "name": "陈"}),
    Door("POST", "/consents/{consent}/revoke", public=True),
    Door("GET", "/public/demands", public=True),
    Door("GET", "/public/demands/{event_id}", public=True),
    Door("GET", "/clocks", ON_TIME, listing=True, shows="{clock_id}"),
    Door("GET", "/clocks/{clock_id}", ON_TIME),
    Door("POST", "/clocks/calls/{call_id}", ANSWERING),
    Door("POST", "/clocks/{clock_id}/answer", ANSWERING, form={"by": "expert", "version": "1"}),
    Door("POST", "/clocks/{clock_id}/hand-over", ANSWERING, form={**HAND, "version": "1"}),
    Door("POST", "/clocks/{handed_clock_id}/return", ANSWERING, form={"reason": "转错了", "version": "2"}),
    Door("POST", "/clocks/{clock_id}/invite", LIAISON, form={"expert": "{expert_id}"}),
    Door("POST", "/clocks/{clock_id}/refer", ANSWERING, form={"station": "{station_id}:法律咨询"}),
    Door("GET", "/dispatch", ON_TIME, listing=True, shows="/clocks/{clock_id}"),
    Door("POST", "/dispatch/{handover_id}", ANSWERING, form={"take": "false"}),
    Door("GET", "/duty?organisation=gd/dongguan", ON_TIME),
    Door("POST", "/duty/layers", LIAISON, form={**LAYER_FORM, "organisation": "gd/dongguan"}),
    Door("POST", "/duty/layers/{layer_id}", LIAISON, form={**LAYER_FORM, "version": "1"}),
    Door("POST", "/duty/override", LIAISON, form=OVERRIDE_FORM),
    Door("POST", "/duty/swap", LIAISON, form=SWAP),
    Door("POST", "/duty/report", LIAISON, form=HOLIDAY),
    Door("POST", "/duty/feeds", LIAISON, form={"organisation": "gd/dongguan"}),
    Door("POST", "/duty/feeds/{duty_feed_id}/end", LIAISON),
    Door("GET", "/experts", ON_TIME, listing=True, shows="王老师"),
    Door("POST", "/experts", LIAISON, form=EXPERT),
    Door("POST", "/experts/{expert_id}/end", LIAISON, form={"version": "1"}),
    Door("GET", "/invitations/{invitation_token}", public=True),
    Door("POST", "/invitations/{invitation_token}", public=True, form={"answered": "true"}),
    Door("GET", "/stations", STATION_READERS, listing=True, shows="{station_id}"),
    Door("POST", "/stations", MANAGERS, form={**STATION_FORM, "organisation": "gd/dongguan"}),
    Door("GET", "/stations/{station_id}", STATION_READERS),
    Door("POST", "/stations/{station_id}", MANAGERS, form={**STATION_FORM, "version": "1"}),
    Door("POST", "/stations/{station_id}/end", MANAGERS, form={"version": "1"}),
    Door("POST", "/bookings/{booking_id}/decide", MANAGERS, form={"confirm": "true", "version": "1"}),
    Door("POST", "/bookings/{booking_id}/settle", MANAGERS, form={"served": "false", "version": "1"}),
    Door("GET", "/activities/{activity_id}", STATION_READERS),
    Door("POST", "/stations/{station_id}/activities", MANAGERS, form=ACTIVITY_FORM),
    Door("POST", "/activities/{activity_id}/attendance", MANAGERS, form={"version": "1"}),
    Door("POST", "/activities/{activity_id}/call-off", MANAGERS, form={"version": "1", "reason": "停电"}),
    Door("POST", "/activities/{activity_id}/photos", MANAGERS, form={}, file="notes.txt"),
    Door("GET", "/activities/{activity_id}/photos/{photo_id}", STATION_READERS),
    Door("GET", "/inbox", {OFFICE, AUDITOR}, at="gd", listing=True, shows="热水停供二"),
    Door("GET", "/inbox/{item_id}", {OFFICE, AUDITOR}, at="gd"),
    Door("POST", "/inbox/{item_id}", {OFFICE}, at="gd"),
    Door("GET", "/rulebook", EVERYBODY, listing=True),
    Door("POST", "/rulebook/notices/{rule_notice_id}", {ADMIN}, at="gd"),
    Door("GET", "/rulebook/rules/{rule_id}", EVERYBODY, listing=True),
    Door("POST", "/rulebook/rules/{rule_id}", {ADMIN}, at="gd", form={"to": "shadow", "reason": "试行"}),
    Door("GET", "/rulebook/editions", EVERYBODY, listing=True),
    Door("POST", "/rulebook/editions", {ADMIN}, at="gd", form={"number": "0", "reason": "退回"}),
    Door("GET", "/rulebook/backtests", TRIERS | {AUDITOR}, listing=True, shows="{run_id}"),
    Door("POST", "/rulebook/backtests", TRIERS, form=TRIAL_FORM),
    Door("GET", "/rulebook/backtests/{run_id}", TRIERS | {AUDITOR}),
    Door("POST", "/rulebook/backtests/{run_id}", {ADMIN}, at="gd", form={"to": "shadow", "reason": "试行"}),
    Door("POST", "/rulebook/backtests/{run_id}/cancel", TRIERS),
    Door("GET", "/deliveries", {COORDINATOR, OFFICE, AUDITOR, ADMIN}, listing=True, shows="{message_id}"),
    Door("GET", "/deliveries/{message_id}", {COORDINATOR, OFFICE, AUDITOR, ADMIN}),
    Door("POST", "/deliveries/{message_id}/replay", {ADMIN}, own=OWN_OFFICE),
    Door("GET", "/alarms", CALLED | {AUDITOR}, listing=True, shows="{alarm_id}"),
    Door("POST", "/alarms/{alarm_id}", CALLED),
    Door("POST", "/alarms/messages/{office_message_id}", own=OWN_OFFICE),
    Door(
        "POST",
        "/webhooks/silences",
        {ADMIN},
        own=OWN_OFFICE,
        form={"organisation": "gd/dongguan", "hours": "1", **WHY},
    ),
    Door("POST", "/webhooks/silences/{silence_id}/end", {ADMIN}, own=OWN_OFFICE),
    Door(
        "POST",
        "/webhooks/feeds",
        {ADMIN},
        own=OWN_OFFICE,
        form={"organisation": "gd/dongguan", "name": "大屏"},
    ),
    Door("POST", "/webhooks/feeds/{feed_id}/revoke", {ADMIN}, own=OWN_OFFICE),
    Door("GET", "/audit", {AUDITOR, ADMIN}, listing=True),
    # the administrators' pages
    Door("GET", "/accounts", {AUDITOR, ADMIN}, listing=True, shows="{account_id}"),
    Door("POST", "/accounts", {ADMIN}, form={"login": "new", "name": "新", **ROLE_FORM}),
    Door("GET", "/accounts/{account_id}", {AUDITOR, ADMIN}),
    Door("POST", "/accounts/{account_id}/grant", {ADMIN}, form=ROLE_FORM),
    Door("POST", "/accounts/{account_id}/ungrant", {ADMIN}, form={"grant": "{grant_id}", **WHY}),
    Door("POST", "/accounts/{account_id}/lock", {ADMIN}, form=WHY),
    Door("POST", "/accounts/{account_id}/unlock", {ADMIN}, form=WHY),
    Door("POST", "/accounts/{account_id}/password", {ADMIN}, form=WHY),
    Door("POST", "/accounts/{account_id}/second-factor", {ADMIN}, form=WHY),
    Door("POST", "/accounts/{account_id}/email", {ADMIN}, form={"email": "li@example.cn", **WHY}),
    Door("POST", "/accounts/{account_id}/link", {ADMIN}, form={"subject": "somebody", **WHY}),
    Door("POST", "/accounts/{account_id}/unlink", {ADMIN}, form={"identity": "{identity_id}", **WHY}),
    Door("POST", "/accounts/{account_id}/sessions", {ADMIN}, form={"session": "{session_id}", **WHY}),
    Door("GET", "/keys", {AUDITOR, ADMIN}, listing=True, shows="{key_id}"),
    Door(
        "POST",
        "/keys",
        {ADMIN},
        form={"source": "new", "organisation": "gd/dongguan", "scope": "posts:read", **WHY},
    ),
    Door("POST", "/keys/{key_id}/revoke", {ADMIN}, form=WHY),
    Door("GET", "/webhooks", {AUDITOR, ADMIN}, listing=True, shows="{endpoint_id}", own=OWN_OFFICE),
    Door(
        "POST",
        "/webhooks",
        {ADMIN},
        own=OWN_OFFICE,
        form={"url": WEBHOOK, "organisation": "gd/dongguan", **WHY},
    ),
    Door("POST", "/webhooks/{endpoint_id}/rotate", {ADMIN}, own=OWN_OFFICE, form=WHY),
    Door("POST", "/webhooks/{endpoint_id}/topics", {ADMIN}, own=OWN_OFFICE, form=WHY),
    Door("POST", "/webhooks/{endpoint_id}/test", {ADMIN}, own=OWN_OFFICE),
    Door("POST", "/webhooks/{endpoint_id}/disable", {ADMIN}, own=OWN_OFFICE, form=WHY),
    Door("GET", "/settings", {AUDITOR, ADMIN}, listing=True),
    Door("POST", "/settings", {ADMIN}, form={**SETTING, "value": "20"}),
    Door("GET", "/audit/export?format=jsonl", {AUDITOR, ADMIN}, listing=True, shows="{token_statement}"),
]

T = TypeVar("T")


@dataclass(frozen=True)
class Loop:
    """One event loop in a thread of its own: the main thread's may belong to a browser."""

    portal: BlockingPortal

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        async def awaited() -> T:
            return await asked

        return self.portal.call(awaited)


@dataclass
class World:
    """A database with one of everything, and what it is called."""

    path: Path
    service: Service
    app: FastAPI
    names: dict[str, str]
    cookies: dict[tuple[Role, str], str]
    keys: dict[str, str]
    files: dict[str, bytes]
    loop: Loop
    fresh: bool = False

    def renew(self) -> None:
        """Bring back the records as they were before anybody came."""
        if self.fresh:
            return
        # The pool is emptied and goes on: a database that was closed would connect anew for each request.
        self.service.database.engine.dispose()
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.path.with_name("kept.db"), self.path)
        self.fresh = True


def _post(service: Service, number: str, text: str, author: str = "somebody") -> None:
    fields = {**post_body(number), "text": text, "author": author}
    (taken,) = take(
        service.database,
        service.screener,
        [draft(fields, now=NOW)],
        caller=Caller("forum", "key:test", ("gd",)),
        keys=service.keys,
        now=NOW,
    )
    assert taken.problem is None, taken.problem


def _demand(session: Session, title: str, posts: list[Post]) -> Demand:
    demand = Demand(
        title=title,
        domain=Domain.CAMPUS_LIFE,
        organisation="gd/dongguan",
        state=DemandState.PROPOSED,
        posts=len(posts),
        authors=len(posts),
        terms=["热水"],
        first_posted_at=NOW - timedelta(days=4),
        last_posted_at=NOW,
        tenth_author_at=NOW,
        proposed_at=NOW,
    )
    session.add(demand)
    session.flush()
    for post in posts:
        session.add(DemandMember(demand_id=demand.id, post_id=post.id, probability=0.9, joined_at=NOW))
        session.add(
            Reading(
                post_id=post.id,
                revision=1,
                organisation=post.organisation,
                is_need=True,
                need_probability=0.9,
                domain=Domain.CAMPUS_LIFE,
                domain_probability=0.9,
                tone=Tone.NEGATIVE,
                posted_at=post.created_at,
                read_at=NOW,
                clustered_at=NOW,
            )
        )
    session.flush()
    return demand


def _looked_after(session: Session, officer: str) -> tuple[str, str, str]:
    """Put a removal before a second officer, make a post golden, and let a reader report one."""
    posts = {
        number: session.exec(select(Post).where(Post.external_id == number)).one()
        for number in ("water-0", "water-1", "removed")
    }
    shown = session.exec(select(Screening).where(Screening.post_id == posts["water-0"].id)).one()
    waiting = ReviewTask(
        post_id=shown.post_id,
        screening_id=shown.id,
        organisation="gd/dongguan",
        category=Category.HATE,
        due_at=NOW,
        created_at=NOW,
    )
    session.add(waiting)
    session.flush()
    reading = second_reading.propose(
        session, waiting, officer, SecondReason.RARE_CATEGORY, category=Category.HATE, reason="仇恨", now=NOW
    )
    golden = GoldenItem(
        post_id=posts["water-1"].id,
        organisation="gd/dongguan",
        expected=Action.PUBLISH,
        added_by="test",
        added_at=NOW,
    )
    report = UserReport(
        source="forum",
        post_id=posts["removed"].id,
        revision=1,
        organisation="gd/dongguan",
        category=Category.SPAM,
        received_at=NOW,
    )
    session.add_all([golden, report])
    session.flush()
    return reading.id, golden.id, report.id


def _worked_on(
    session: Session, service: Service, verifier: Account, case: Case, posts: list[Post]
) -> dict[str, str]:
    """Open two help cases, one with a result to rate; raise a surge and an incident; attach a file."""
    place = ("gd/dongguan",)
    worker = Worker(
        verifier.id, verifier.name, place, desks=dict.fromkeys(Desk, place), reads=place, helps=place
    )
    first, rated = (
        helping.open_help(session, post.id, worker, title="停水后需要帮助", domain=Domain.HOUSING, now=NOW)
        for post in posts[:2]
    )
    rated.state = CaseState.RESULT_GIVEN
    session.add(rated)
    link = consent.ask(session, rated.id, worker, [ConsentItem.NAME], now=NOW, links=links_of(service))
    drafts = [
        incidents.Draft(EventKind.NEED_SURGE, "gd/dongguan", Domain.HOUSING, "住房诉求激增", "近日增多"),
        incidents.Draft(
            EventKind.SAFETY_INCIDENT, "gd/dongguan", Domain.HEALTH, "多人不适", "晚饭后不适", immediate=True
        ),
    ]
    surge, danger = (incidents.raise_event(session, draft, worker, now=NOW) for draft in drafts)
    upload = Upload("notes.txt", b"notes")
    file = attachments.to_case(session, case.id, worker, upload, service.settings.attachments, now=NOW)
    return {
        "help_id": first.id,
        "surge_id": surge.id,
        "danger_id": danger.id,
        "rating": links_of(service).rating(rated.id, 1, posts[1].author).rsplit("/", 1)[1],
        "consent": link.rsplit("/", 1)[1],
        "attachment_id": file.id,
    }


def _word_form(service: Service, case_id: str) -> bytes:
    """Return the form of a case as somebody who changed nothing would send it back."""
    with service.database.reading() as session:
        case = session.get_one(Case, case_id)
        return documents.word(case.kind, forms.sheet(case.kind, cases.newest_form(session, case).fields))


def _corrected(session: Session, first: Demand, second: Demand, posts: list[Post]) -> dict[str, str]:
    """Put a correction, a suggestion, two words that differ and a post of the blind sample on record."""
    done = DemandCorrection(
        kind=CorrectionKind.CONFIRM,
        organisation="gd/dongguan",
        demand_id=first.id,
        posts=[posts[3].id],
        before={"facts": [], "members": [], "put": [], "states": {first.id: first.state.value}},
        reason="",
        made_by="account:test",
        made_at=NOW,
        undo_until=NOW + timedelta(seconds=30),
    )
    suggestion = DemandSuggestion(
        kind=SuggestionKind.SPLIT,
        organisation="gd/dongguan",
        demand_id=first.id,
        posts=[posts[4].id],
        probability=0.9,
        fingerprint="test",
        suggested_at=NOW,
    )
    probe = DemandProbe(
        week=NOW.date(),
        post_id=posts[5].id,
        organisation="gd/dongguan",
        clustered=False,
        population=1,
        candidates=[first.id],
        drawn_at=NOW,
    )
    session.add_all([done, suggestion, probe])
    for demand in (first, second):
        session.add(
            DemandFact(
                demand_id=demand.id,
                post_id=posts[2].id,
                belongs=True,
                reason="",
                decided_by="account:test",
                decided_at=NOW,
            )
        )
    session.flush()
    return {
        "member_id": posts[1].id,
        "disputed_id": posts[2].id,
        "other_demand_id": second.id,
        "correction_id": done.id,
        "suggestion_id": suggestion.id,
        "probe_id": probe.id,
    }


def _furnish(service: Service) -> dict[str, str]:
    """Put one of everything at gd/dongguan and return the identifiers."""
    _post(service, "held", "加薇领取资料")
    _post(service, "removed", "刷单日结")
    _post(service, "appealed", "刷单日结，名额有限")
    for number in range(24):
        _post(
            service,
            f"water-{number}",
            f"宿舍{number}栋的热水已经停了第{number}天，请尽快修好",
            f"user-{number}",
        )
    _post(service, "asked", "图书馆周末几点开门？", "asker")
    _post(service, "handed", "市图书馆周末几点开门？", "other")
    with service.database.transaction() as session:
        session.exec(select(Post).where(Post.external_id == "handed")).one().organisation = "gd"
    on_time.questions.watch_questions(service.database, NOW)
    target = make_account(service.database, NOW, "target", (Role.OFFICER, "gd/dongguan"))
    make_key(service.database, NOW, source="target")
    with service.database.transaction() as session:
        water = session.exec(select(Post).where(col(Post.external_id).startswith("water-"))).all()
        first = _demand(session, "热水停供一", list(water[:12]))
        second = _demand(session, "热水停供二", list(water[12:]))
        corrected = _corrected(session, first, second, list(water[:12]))
        verifier = session.exec(select(Account).where(Account.login == "coordinator-own")).one()
        actor = AlertsActor(verifier.id, verifier.name, ("gd/dongguan",))
        event = events.verify_demand(session, second.id, actor, now=NOW, note="已核实")
        case = cases.case_of_event(session, event.id)
        assert case is not None
        case.state, case.lead = CaseState.ASSIGNED, "gd/dongguan"
        session.add(
            CaseUnit(
                case_id=case.id,
                organisation="gd/dongguan",
                part=UnitPart.LEAD,
                named_by=verifier.id,
                named_at=NOW,
            )
        )
        statements = {
            number: session.exec(
                select(Statement)
                .join(Post, col(Post.id) == col(Statement.post_id))
                .where(Post.external_id == number)
            ).one()
            for number in ("removed", "appealed")
        }
        appeal = appeals.submit(session, statements["appealed"].token, "我没有刷单", now=NOW)
        hooks = [
            WebhookEndpoint(
                source=source, organisation="gd/dongguan", url=WEBHOOK, secret="whsec_MA==", created_at=NOW
            )
            for source in (None, "forum")
        ]
        session.add_all(hooks)
        session.flush()
        message = OutboxMessage(
            key="a settled one",
            channel="webhook",
            endpoint_id=hooks[0].id,
            organisation="gd/dongguan",
            topic=Topic.EVENT_REPORTED,
            subject_id=event.id,
            state=MessageState.DEAD,
            due_at=NOW,
            created_at=NOW,
            settled_at=NOW,
        )
        session.add(message)
        session.flush()
        task = session.exec(
            select(ReviewTask)
            .join(Post, col(Post.id) == col(ReviewTask.post_id))
            .where(ReviewTask.state == TaskState.OPEN, Post.external_id == "held")
        ).one()
        notice = Notice(
            kind=NoticeKind.REFERRAL_WAITING,
            organisation="gd/dongguan",
            subject_id="1" * 32,
            since=NOW,
            raised_at=NOW,
        )
        session.add(notice)
        session.flush()
        look = FreshLook(
            appeal_id=appeal.id,
            statement_id=statements["removed"].id,
            post_id=statements["removed"].post_id,
            organisation="gd/dongguan",
            rule="test/scam",
            proposed_at=NOW,
        )
        session.add(look)
        session.flush()
        item = session.exec(select(InboxItem).where(InboxItem.organisation == "gd")).one()
        run = Backtest(
            organisation="gd/dongguan",
            proposal=Proposal(ProposalKind.RULE, rule="spam.test").document(),
            since=NOW - timedelta(days=1),
            until=NOW,
            requested_by="command:test",
            created_at=NOW,
        )
        rule_notice = RuleNotice(organisation="gd", subject="spam.test", text="a test", raised_at=NOW)
        session.add_all([run, rule_notice])
        known = Identity(
            account_id=target.id, issuer="https://id.example", subject="t", linked_by="-", linked_at=NOW
        )
        elsewhere = SignIn(
            account_id=target.id, csrf="-", created_at=NOW, expires_at=NOW + timedelta(hours=1)
        )
        factor = SecondFactor(account_id=target.id, secret="-", created_at=NOW, confirmed_at=NOW)
        session.add_all([known, elsewhere, factor])
        session.flush()
        more = _worked_on(session, service, verifier, case, list(water))
        pending, golden, report = _looked_after(session, target.id)
        return {
            **on_time.furnish(session, target.id, NOW, service.settings.attachments),
            **call(session, NOW, "gd/dongguan", reporter=verifier.id),
            **corrected,
            "reading_id": pending,
            "golden_id": golden,
            "report_id": report,
            "held_id": task.post_id,
            "identity_id": known.id,
            "session_id": elsewhere.id,
            "account_id": target.id,
            "grant_id": session.exec(select(Grant.id).where(Grant.account_id == target.id)).one(),
            "key_id": session.exec(select(ApiKey.id).where(ApiKey.source == "target")).one(),
            "token": statements["removed"].token,
            "token_statement": statements["removed"].id,
            "look_id": look.id,
            "task_id": task.id,
            "appeal_id": appeal.id,
            "decision_id": "0" * 32,
            "notice_id": notice.id,
            "demand_id": first.id,
            "event_id": event.id,
            "event_version": str(event.version),
            "case_id": case.id,
            **more,
            "case_version": str(case.version),
            "item_id": item.id,
            "endpoint_id": hooks[0].id,
            "source_endpoint_id": hooks[1].id,
            "message_id": message.id,
            "rule_id": "spam.test",
            "run_id": run.id,
            "rule_notice_id": rule_notice.id,
        }


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[World]:
    path = tmp_path_factory.mktemp("access") / "world.db"
    shutil.copy(sqlite_template, path)
    service = make_service(
        Database(f"sqlite:///{path}"),
        NOW,
        allow_private_webhooks=True,
        attachments=path.with_name("attachments"),
    )
    service.screener = ScriptedScreener()  # type: ignore[assignment]
    service.bundle = ListeningBundle()
    service.alerts = type(service.alerts)(allow_private=True)
    plant(service.database, NOW)
    cookies: dict[tuple[Role, str], str] = {}
    for role in Role:
        for where, place in PLACES.items():
            account = make_account(service.database, NOW, f"{role.value}-{where}", (role, place))
            opened = SignIn(
                account_id=account.id, csrf=CSRF, created_at=NOW, expires_at=NOW + timedelta(hours=1)
            )
            with service.database.transaction() as session:
                session.add(opened)
            cookies[role, place] = service.keys.cookies.sign(opened.id).decode()
    names = _furnish(service)
    service.screener = running(service.database, path.with_name("rulebook"), rule())
    keys = {scope.value: make_key(service.database, NOW, scope) for scope in KeyScope}
    keys["of another source"] = make_key(service.database, NOW, source="other")
    keys["at another place"] = make_key(service.database, NOW, organisation="gd/foshan")
    files = {"notes.txt": b"notes", "f.docx": _word_form(service, names["case_id"])}
    service.database.engine.dispose()
    shutil.copy(path, path.with_name("kept.db"))
    with start_blocking_portal() as portal:
        yield World(path, service, create_app(service), names, cookies, keys, files, Loop(portal))
    service.database.close()


class Visitor:
    """Asks for one door, each time in a world that nobody has changed. Who was refused changed nothing."""

    def __init__(self, world: World, door: Door) -> None:
        self.world, self.door = world, door
        # Without a lifespan, which would end with closing the service.
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(world.app, client=("127.0.0.1", 50000)),
            base_url="http://127.0.0.1:8311",
            trust_env=False,
        )
        world.renew()

    async def __call__(self, headers: dict[str, str]) -> httpx.Response:
        if self.door.method != "GET":
            self.world.renew()
        self.client.cookies.clear()
        answer = await self.client.request(
            self.door.method,
            self._filled(self.door.path),
            headers=headers,
            json=self._filled(self.door.json),
            data=self._filled(self.door.form),
            files={"file": (self.door.file, self.world.files[self.door.file])} if self.door.file else None,
        )
        if answer.status_code not in NEEDS_SIGN_IN | REFUSED:
            self.world.fresh = False
        return answer

    async def as_role(self, role: Role, place: str) -> httpx.Response:
        cookie = f"{sessions.cookie_name(self.world.service.settings)}={self.world.cookies[role, place]}"
        return await self({"cookie": cookie, "x-csrf-token": CSRF})

    async def with_key(self, name: str) -> httpx.Response:
        return await self({"authorization": f"Bearer {self.world.keys[name]}"})

    def shown(self) -> str:
        return str(self._filled(self.door.shows))

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._filled(inner) for inner in value]
        if isinstance(value, str) and "{" in value:
            filled = value.format(**self.world.names)
            return int(filled) if value == "{case_version}" else filled
        return value


def is_let_in(answer: httpx.Response) -> bool:
    """Return whether the door opened. A conflict is an answer from inside."""
    to_sign_in = answer.headers.get("location", "").startswith("/sign-in?next=")
    assert answer.status_code < 500, answer.text
    assert answer.status_code in {200, 201, 202, 204, 207, 303, 401, 403, 404, 409}, answer.text
    return answer.status_code not in NEEDS_SIGN_IN | REFUSED and not to_sign_in


def test_every_route_is_in_the_table(world: World) -> None:
    served = {
        f"{method} {context.path}"
        for context in iter_route_contexts(world.app.routes)
        for method in (context.methods or {"GET"}) - {"HEAD"}
    }
    known = {f"{door.method} {door.path.partition('?')[0]}" for door in DOORS}
    for concrete, template in {
        "/v1/posts/forum/new": "/v1/posts/{source}/{external_id:path}",
        "/v1/posts/forum/held": "/v1/posts/{source}/{external_id:path}",
        "{source_endpoint_id}": "{endpoint_id}",
        "/v1/questions/asked/answers": "/v1/questions/{external_id:path}/answers",
        "{handed_clock_id}": "{clock_id}",
        "{invitation_token}": "{token}",
        "{duty_feed_id}": "{feed_id}",
        "{duty_feed_token}": "{token}",
        "{incident_id}": "{event_id}",
        "/static/console.css": "/static",
        "/form.docx": "/form.{kind}",
        "{danger_id}": "{event_id}",
        "{surge_id}": "{event_id}",
        "{help_id}": "{case_id}",
        "{rating}": "{token}",
        "{consent}": "{token}",
    }.items():
        known = {name.replace(concrete, template) for name in known}

    assert served - known == set(), "routes without a row in the table"
    assert known - served == set(), "rows without a route"


async def wrongly_met(world: World, door: Door) -> list[str]:
    """Return for whom, of every role at every place, the door does what the table does not say."""
    visit = Visitor(world, door)
    wrong = []
    for role in Role:
        for where, place in PLACES.items():
            answer = await visit.as_role(role, place)
            if is_let_in(answer) != door.admits(role, place):
                wrong.append(f"{role.value} {where}: {answer.status_code} {answer.text[:120]}")
            elif door.listing and door.shows and is_let_in(answer):
                sees = visit.shown() in answer.text
                if sees != door.reveals(role, place):
                    wrong.append(f"{role.value} {where}: {'sees' if sees else 'does not see'} {door.shows}")
    return wrong


@pytest.mark.parametrize("door", DOORS, ids=[door.name for door in DOORS])
def test_each_role_at_each_place(world: World, door: Door) -> None:
    assert world.loop.run(wrongly_met(world, door)) == []


def test_nobody_who_has_not_signed_in(world: World) -> None:
    async def wrong() -> list[str]:
        answers = [(door, await Visitor(world, door)({})) for door in DOORS]
        return [
            f"{door.name}: {answer.status_code} {answer.text[:120]}"
            for door, answer in answers
            if is_let_in(answer) != door.public
        ]

    assert world.loop.run(wrong()) == []


def opens(door: Door, name: str) -> bool:
    """Return whether the key of this name opens the door."""
    if door.scope is None:
        return False
    if name == "of another source":
        return not door.by_source
    if door.path == "/v1/organisations":
        return door.method == "GET" and (name == door.scope.value or name.startswith("posts:"))
    return name == door.scope.value


# A key holds at its place; what the one "at another place" lists or writes there is its own.
@pytest.mark.parametrize("name", [*(scope.value for scope in KeyScope), "of another source"])
def test_each_key(world: World, name: str) -> None:
    async def wrong() -> list[str]:
        doors = [door for door in DOORS if not (door.public or door.signed)]
        answers = [(door, await Visitor(world, door).with_key(name)) for door in doors]
        return [
            f"{door.name}: {answer.status_code} {answer.text[:120]}"
            for door, answer in answers
            if is_let_in(answer) != opens(door, name)
        ]

    assert world.loop.run(wrong()) == []


def test_no_cookie_changes_anything_without_its_token(world: World) -> None:
    cookie = f"tingjian={world.cookies[Role.ADMINISTRATOR, 'gd']}"

    async def wrong() -> list[str]:
        doors = [door for door in DOORS if door.method != "GET" and not door.public]
        answers = [
            (door, await Visitor(world, door)(headers))
            for door in doors
            for headers in ({"cookie": cookie}, {"cookie": cookie, "x-csrf-token": "another token"})
        ]
        return [
            f"{door.name}: {answer.status_code} {answer.text[:120]}"
            for door, answer in answers
            if answer.status_code != 403
        ]

    assert world.loop.run(wrong()) == []


def test_a_key_of_one_place_writes_and_reads_nothing_at_another(world: World) -> None:
    for method, path in (("POST", "/v1/posts"), ("GET", "/v1/posts/forum/held")):
        door = next(one for one in DOORS if (one.method, one.path) == (method, path))
        assert world.loop.run(Visitor(world, door).with_key("at another place")).status_code in REFUSED


def test_a_disabled_account_gets_nowhere(world: World) -> None:
    door = Door("GET", "/v1/me", signed=True)
    visit = Visitor(world, door)
    world.fresh = False
    with world.service.database.transaction() as session:
        account = session.exec(select(Account).where(Account.login == "officer-own")).one()
        account.disabled_at = datetime(2026, 3, 16, tzinfo=NOW.tzinfo)
        session.add(account)
    assert world.loop.run(visit.as_role(Role.OFFICER, "gd/dongguan")).status_code == 401
