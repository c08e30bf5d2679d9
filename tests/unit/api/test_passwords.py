import runpy

import pytest
from argon2 import extract_parameters, profiles

from api import passwords
from models.errors import InvalidInput


def test_the_right_password_matches_and_another_does_not() -> None:
    stored = passwords.hash_password("a long enough one")
    assert stored.startswith("$argon2id$")
    assert passwords.matches(stored, "a long enough one")
    assert not passwords.matches(stored, "a long enough two")


def test_a_password_costs_whoever_guesses_it_what_rfc_9106_asks_for() -> None:
    # The other tests hash cheaply; what the service itself would use is what its module makes.
    fresh = runpy.run_path(passwords.__file__)
    stored = fresh["hash_password"]("a long enough one")
    assert extract_parameters(stored) == profiles.RFC_9106_LOW_MEMORY
    assert fresh["matches"](stored, "a long enough one")
    assert not fresh["matches"](stored, "a long enough two")


def test_nobody_has_no_password_that_matches() -> None:
    assert not passwords.matches(None, "anything at all")
    assert not passwords.matches("not a hash", "anything at all")


@pytest.mark.parametrize("weak", ["short", "x" * 201, "my-wang.li-password"])
def test_weak_passwords_are_refused_without_being_repeated(weak: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        passwords.check_strength(weak, "wang.li")
    assert weak not in refused.value.detail


def test_one_time_passwords_differ_and_are_strong_enough() -> None:
    made = {passwords.one_time_password() for _ in range(50)}
    assert len(made) == 50
    for one in made:
        passwords.check_strength(one, "wang.li")
