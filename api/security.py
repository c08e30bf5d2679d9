"""The one place that decides who may do what.

A role gives permissions at a node of the tree and under it. A key gives the permissions of its
scopes, for its own source and at its node and under it. Nothing here reads a database or a
request: `dependencies` finds out who is asking, and this module answers.

Two permissions hold at the node itself and nowhere under it (`nodes`): an office signs for the
reports that came to it and keeps its own webhooks, and does neither for the offices below.

The charter's bounds are in the table: an auditor reads everything, the audit log too, and decides
nothing; only an administrator manages accounts, keys and organisations; and no role may see who
an author is, because no permission for it exists.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from models.errors import NotFound, NotPermitted
from models.organisation import is_under
from models.vocabulary import KeyScope, Role


class Permission(StrEnum):
    """Something that may be done at a node and under it."""

    POSTS_WRITE = "posts:write"
    POSTS_READ = "posts:read"
    REVIEW_READ = "review:read"
    REVIEW_DECIDE = "review:decide"
    REVIEW_CARE = "review:care"
    REPORTS_WRITE = "reports:write"
    QUALITY_READ = "quality:read"
    QUALITY_LEAD = "quality:lead"
    APPEALS_WRITE = "appeals:write"
    APPEALS_READ = "appeals:read"
    APPEALS_DECIDE = "appeals:decide"
    DEMANDS_READ = "demands:read"
    DEMANDS_VERIFY = "demands:verify"
    DEMANDS_CORRECT = "demands:correct"
    EVENTS_READ = "events:read"
    EVENTS_ACT = "events:act"
    CASES_READ = "cases:read"
    CASES_EDIT = "cases:edit"
    CASES_RESULT = "cases:result"
    CASES_REVIEW = "cases:review"
    CASES_REMARK = "cases:remark"
    CASES_HELP = "cases:help"
    INCIDENTS = "incidents:handle"
    INBOX_READ = "inbox:read"
    INBOX_RECEIVE = "inbox:receive"
    CLOCKS_READ = "clocks:read"
    CLOCKS_ANSWER = "clocks:answer"
    ANSWERS_WRITE = "answers:write"
    DUTY_READ = "duty:read"
    DUTY_MANAGE = "duty:manage"
    EXPERTS_READ = "experts:read"
    EXPERTS_MANAGE = "experts:manage"
    STATIONS_READ = "stations:read"
    STATIONS_MANAGE = "stations:manage"
    STATIONS_REFER = "stations:refer"
    BOOKINGS_WRITE = "bookings:write"
    ALARMS_READ = "alarms:read"
    ALARMS_ACKNOWLEDGE = "alarms:acknowledge"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_MANAGE = "webhooks:manage"
    WEBHOOKS_OWN = "webhooks:own"
    DELIVERY_READ = "delivery:read"
    DELIVERY_RESEND = "delivery:resend"
    RULES_READ = "rules:read"
    RULES_CHANGE = "rules:change"
    TERMS_READ = "terms:read"
    BACKTESTS_READ = "backtests:read"
    BACKTESTS_RUN = "backtests:run"
    FIGURES_READ = "figures:read"
    AUDIT_READ = "audit:read"
    SETTINGS_READ = "settings:read"
    SETTINGS_CHANGE = "settings:change"
    ORGANISATIONS_READ = "organisations:read"
    ORGANISATIONS_MANAGE = "organisations:manage"
    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_MANAGE = "accounts:manage"
    KEYS_READ = "keys:read"
    KEYS_MANAGE = "keys:manage"


P = Permission
COMMON: Final = frozenset({P.ORGANISATIONS_READ, P.RULES_READ, P.FIGURES_READ})
ON_TIME: Final = frozenset(
    {
        *(P.CLOCKS_READ, P.DUTY_READ, P.EXPERTS_READ, P.STATIONS_READ),
        *(P.ALARMS_READ, P.ALARMS_ACKNOWLEDGE),
    }
)
"""Who has to answer what by when, who helps them, and what must not wait."""
LIAISON: Final = ON_TIME | {P.CLOCKS_ANSWER, P.DUTY_MANAGE, P.EXPERTS_MANAGE, P.STATIONS_REFER}
OFFICERS: Final = (
    COMMON
    | LIAISON
    | {
        P.POSTS_READ,
        P.REVIEW_READ,
        P.REVIEW_DECIDE,
        P.QUALITY_READ,
        P.APPEALS_READ,
        P.APPEALS_DECIDE,
        P.DEMANDS_READ,
        P.DEMANDS_CORRECT,
        P.EVENTS_READ,
        P.BACKTESTS_READ,
        P.BACKTESTS_RUN,
    }
)

ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.OFFICER: OFFICERS,
        Role.CARE: OFFICERS | {P.INCIDENTS, P.REVIEW_CARE},
        Role.COORDINATOR: COMMON
        | LIAISON
        | {
            P.STATIONS_MANAGE,
            P.POSTS_READ,
            P.DEMANDS_READ,
            P.DEMANDS_VERIFY,
            P.DEMANDS_CORRECT,
            P.EVENTS_READ,
            P.EVENTS_ACT,
            P.CASES_READ,
            P.CASES_EDIT,
            P.CASES_REVIEW,
            P.CASES_HELP,
            P.INCIDENTS,
            P.DELIVERY_READ,
        },
        Role.OPERATIONS: COMMON
        | ON_TIME
        | {
            P.CLOCKS_ANSWER,
            P.STATIONS_REFER,
            P.POSTS_READ,
            P.DEMANDS_READ,
            P.DEMANDS_VERIFY,
            P.DEMANDS_CORRECT,
            P.EVENTS_READ,
            P.EVENTS_ACT,
            P.CASES_READ,
            P.CASES_EDIT,
            P.CASES_HELP,
            P.INCIDENTS,
        },
        Role.LEAD_UNIT: COMMON | {P.DEMANDS_READ, P.EVENTS_READ, P.CASES_READ, P.CASES_RESULT},
        Role.PROVINCIAL_OFFICE: COMMON
        | ON_TIME
        | {
            P.DEMANDS_READ,
            P.EVENTS_READ,
            P.CASES_READ,
            P.INBOX_READ,
            P.INBOX_RECEIVE,
            P.CASES_REMARK,
            P.INCIDENTS,
            P.WEBHOOKS_OWN,
            P.DELIVERY_READ,
        },
        Role.STATION_MANAGER: COMMON | {P.STATIONS_READ, P.STATIONS_MANAGE},
        Role.AUDITOR: frozenset(one for one in Permission if one.value.endswith(":read")),
        Role.ADMINISTRATOR: COMMON
        | {
            P.WEBHOOKS_READ,
            P.WEBHOOKS_MANAGE,
            P.DELIVERY_READ,
            P.DELIVERY_RESEND,
            P.AUDIT_READ,
            P.SETTINGS_READ,
            P.SETTINGS_CHANGE,
            P.ORGANISATIONS_MANAGE,
            P.ACCOUNTS_READ,
            P.ACCOUNTS_MANAGE,
            P.KEYS_READ,
            P.KEYS_MANAGE,
            P.QUALITY_READ,
            P.QUALITY_LEAD,
            P.RULES_CHANGE,
            P.BACKTESTS_READ,
            P.BACKTESTS_RUN,
        },
    }
)

SCOPE_PERMISSIONS: Final[Mapping[KeyScope, frozenset[Permission]]] = MappingProxyType(
    {
        KeyScope.POSTS_WRITE: frozenset({P.POSTS_WRITE, P.ORGANISATIONS_READ}),
        KeyScope.POSTS_READ: frozenset({P.POSTS_READ, P.ORGANISATIONS_READ}),
        KeyScope.APPEALS_WRITE: frozenset({P.APPEALS_WRITE}),
        KeyScope.REPORTS_WRITE: frozenset({P.REPORTS_WRITE}),
        KeyScope.ANSWERS_WRITE: frozenset({P.ANSWERS_WRITE}),
        KeyScope.BOOKINGS_WRITE: frozenset({P.BOOKINGS_WRITE}),
        KeyScope.WEBHOOKS: frozenset({P.WEBHOOKS_READ, P.WEBHOOKS_MANAGE}),
    }
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: an account with its grants, or a key with its scopes and its source.

    `permissions` maps a node to what may be done at it and under it. `source` is set for a key
    and None for an account. `owes_code` and `owes_enrolment`: the session has to give, or first to
    enrol, its second factor. `actor` is the name that stands in the audit log.
    """

    id: str
    name: str
    permissions: Mapping[str, frozenset[Permission]]
    source: str | None = None
    language: str = "zh"
    must_change_password: bool = False
    owes_code: bool = False
    owes_enrolment: bool = False
    sign_in_id: str | None = None
    csrf: str = ""
    grants: tuple[tuple[Role, str], ...] = field(default=())

    @property
    def is_key(self) -> bool:
        """Whether a source's key is asking, and no person."""
        return self.source is not None

    @property
    def actor(self) -> str:
        """`key:ID` or `account:ID`."""
        return f"{'key' if self.is_key else 'account'}:{self.id}"


def permissions_of_grants(grants: Iterable[tuple[Role, str]]) -> Mapping[str, frozenset[Permission]]:
    """Return what several roles at several nodes allow, per node."""
    found: dict[str, frozenset[Permission]] = {}
    for role, organisation in grants:
        found[organisation] = found.get(organisation, frozenset()) | ROLE_PERMISSIONS[role]
    return found


def permissions_of_scopes(scopes: Iterable[KeyScope]) -> frozenset[Permission]:
    """Return what a key's scopes allow."""
    return frozenset().union(*(SCOPE_PERMISSIONS[scope] for scope in scopes))


def allows(principal: Principal, permission: Permission, organisation: str) -> bool:
    """Return whether `principal` may do `permission` at the node `organisation`."""
    return any(
        permission in permitted and is_under(organisation, root)
        for root, permitted in principal.permissions.items()
    )


def holds(principal: Principal, permission: Permission) -> bool:
    """Return whether `principal` may do `permission` anywhere at all."""
    return any(permission in permitted for permitted in principal.permissions.values())


def authorise(principal: Principal, permission: Permission, organisation: str) -> None:
    """Refuse unless `principal` may do `permission` at the node `organisation`.

    Raises
    ------
    NotPermitted
        If no grant or scope allows it there.
    """
    if not allows(principal, permission, organisation):
        raise NotPermitted(f"{permission.value} is not permitted here")


def authorise_found(principal: Principal, permission: Permission, organisation: str) -> None:
    """Refuse as `authorise` does, in the words of a thing that does not exist.

    For a thing that was looked up by its identifier: whoever may not see it is not told that it is there.

    Raises
    ------
    NotFound
        If no grant or scope allows it there.
    """
    if not allows(principal, permission, organisation):
        raise NotFound("no such thing, or none that you may see")


def authorise_source(principal: Principal, source: str) -> None:
    """Refuse a key that speaks for another source than its own. Accounts speak for no source.

    Raises
    ------
    NotPermitted
        If the key belongs to another source.
    """
    if principal.is_key and principal.source != source:
        raise NotPermitted("the key belongs to another source", code="wrong_source")


def nodes(principal: Principal, permission: Permission) -> list[str]:
    """Return every node at which `principal` itself was given `permission`, those under another too.

    For what an office does in its own name, and never in that of an office below it.
    """
    return sorted(root for root, permitted in principal.permissions.items() if permission in permitted)


def scopes(principal: Principal, permission: Permission) -> list[str]:
    """Return the highest nodes at which `principal` may do `permission`, in order; none under another."""
    roots = nodes(principal, permission)
    return [root for root in roots if not any(other != root and is_under(root, other) for other in roots)]
