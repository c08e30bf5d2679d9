import pytest

from api.security import (
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    Permission,
    Principal,
    allows,
    authorise,
    authorise_found,
    authorise_source,
    holds,
    permissions_of_grants,
    scopes,
)
from models.errors import NotFound, NotPermitted
from models.vocabulary import KeyScope, Role

MANAGEMENT = {
    Permission.ACCOUNTS_MANAGE,
    Permission.KEYS_MANAGE,
    Permission.ORGANISATIONS_MANAGE,
    Permission.SETTINGS_CHANGE,
}


def principal(*grants: tuple[Role, str]) -> Principal:
    return Principal(id="a", name="a", permissions=permissions_of_grants(grants), grants=grants)


def test_a_role_holds_at_its_node_and_under_it_and_nowhere_else() -> None:
    officer = principal((Role.OFFICER, "gd/dongguan"))

    assert allows(officer, Permission.REVIEW_DECIDE, "gd/dongguan")
    assert allows(officer, Permission.REVIEW_DECIDE, "gd/dongguan/houjie")
    assert not allows(officer, Permission.REVIEW_DECIDE, "gd")
    assert not allows(officer, Permission.REVIEW_DECIDE, "gd/foshan")


def test_a_place_whose_name_begins_alike_is_another_place() -> None:
    assert not allows(principal((Role.OFFICER, "gd/dong")), Permission.REVIEW_DECIDE, "gd/dongguan")


def test_auditors_read_everything_and_decide_nothing() -> None:
    may = ROLE_PERMISSIONS[Role.AUDITOR]

    assert may == {one for one in Permission if one.value.endswith(":read")}
    assert Permission.AUDIT_READ in may


@pytest.mark.parametrize("permission", sorted(MANAGEMENT))
def test_only_administrators_manage(permission: Permission) -> None:
    holders = {role for role, may in ROLE_PERMISSIONS.items() if permission in may}
    assert holders == {Role.ADMINISTRATOR}


def test_administrators_neither_read_nor_decide_about_posts() -> None:
    may = ROLE_PERMISSIONS[Role.ADMINISTRATOR]
    assert not may & {
        Permission.POSTS_READ,
        Permission.REVIEW_READ,
        Permission.REVIEW_DECIDE,
        Permission.APPEALS_DECIDE,
        Permission.DEMANDS_VERIFY,
    }


@pytest.mark.parametrize(
    ("permission", "role"),
    [
        (Permission.REVIEW_CARE, Role.CARE),
        (Permission.CASES_REVIEW, Role.COORDINATOR),
        (Permission.CASES_REMARK, Role.PROVINCIAL_OFFICE),
        (Permission.CASES_RESULT, Role.LEAD_UNIT),
        (Permission.INBOX_RECEIVE, Role.PROVINCIAL_OFFICE),
    ],
)
def test_each_step_belongs_to_one_role(permission: Permission, role: Role) -> None:
    assert {one for one, may in ROLE_PERMISSIONS.items() if permission in may} == {role}


def test_the_operations_team_prepares_what_the_coordination_group_reviews() -> None:
    for permission in (Permission.DEMANDS_VERIFY, Permission.CASES_EDIT, Permission.CASES_HELP):
        may = {role for role, permitted in ROLE_PERMISSIONS.items() if permission in permitted}
        assert may == {Role.OPERATIONS, Role.COORDINATOR}


def test_officers_decide_and_those_trained_for_people_in_danger_are_officers() -> None:
    deciding = {one for one, may in ROLE_PERMISSIONS.items() if Permission.REVIEW_DECIDE in may}
    assert deciding == {Role.OFFICER, Role.CARE}
    assert ROLE_PERMISSIONS[Role.CARE] - ROLE_PERMISSIONS[Role.OFFICER] == {
        Permission.REVIEW_CARE,
        Permission.INCIDENTS,
    }


def test_no_role_may_write_posts_or_object_in_an_authors_name() -> None:
    assert not any(
        may & {Permission.POSTS_WRITE, Permission.APPEALS_WRITE} for may in ROLE_PERMISSIONS.values()
    )


def test_no_key_may_decide_or_manage_people() -> None:
    may = frozenset().union(*SCOPE_PERMISSIONS.values())
    assert not may & (MANAGEMENT | {Permission.REVIEW_DECIDE, Permission.DEMANDS_VERIFY})
    assert set(SCOPE_PERMISSIONS) == set(KeyScope)


def test_every_permission_is_somebodys() -> None:
    given = frozenset().union(*ROLE_PERMISSIONS.values(), *SCOPE_PERMISSIONS.values())
    assert given == set(Permission)


def test_scopes_are_the_highest_nodes_only() -> None:
    someone = principal(
        (Role.OFFICER, "gd/dongguan/houjie"), (Role.OFFICER, "gd/dongguan"), (Role.LEAD_UNIT, "gd")
    )

    assert scopes(someone, Permission.REVIEW_DECIDE) == ["gd/dongguan"]
    assert scopes(someone, Permission.CASES_RESULT) == ["gd"]
    assert scopes(someone, Permission.AUDIT_READ) == []
    assert not holds(someone, Permission.AUDIT_READ)


def test_refusals_say_what_is_refused_and_not_what_is_there() -> None:
    officer = principal((Role.OFFICER, "gd/dongguan"))

    with pytest.raises(NotPermitted):
        authorise(officer, Permission.REVIEW_DECIDE, "gd/foshan")
    with pytest.raises(NotFound):
        authorise_found(officer, Permission.REVIEW_DECIDE, "gd/foshan")


def test_a_key_speaks_for_its_own_source_only() -> None:
    key = Principal(id="k", name="k", permissions={}, source="forum")

    authorise_source(key, "forum")
    with pytest.raises(NotPermitted) as refused:
        authorise_source(key, "other")
    assert refused.value.problem_code == "wrong_source"
