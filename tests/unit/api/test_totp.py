"""One-time codes against the vectors of RFC 4226 and RFC 6238, their window, and what is never taken."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import totp

SEED = b"12345678901234567890"
SEEDS = {"sha1": SEED, "sha256": (SEED * 2)[:32], "sha512": (SEED * 4)[:64]}
NOW = datetime(2026, 3, 16, 4, 0, tzinfo=UTC)

# RFC 6238, appendix B.
VECTORS = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector[0]))
def test_the_codes_are_those_of_rfc_6238(vector: tuple[int, str, str, str]) -> None:
    seconds, *expected = vector
    found = [
        totp.code_at(SEEDS[digest], seconds // totp.STEP_SECONDS, digits=8, digest=digest)
        for digest in ("sha1", "sha256", "sha512")
    ]
    assert found == expected


def test_the_codes_are_those_of_rfc_4226() -> None:
    expected = "755224 287082 359152 969429 338314 254676 287922 162583 399871 520489"
    assert [totp.code_at(SEED, step) for step in range(10)] == expected.split()


@pytest.mark.parametrize(("steps", "taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_code_of_one_step_to_either_side_is_taken_and_no_further(*, steps: int, taken: bool) -> None:
    code = totp.code_at(SEED, totp.step_at(NOW) + steps)
    assert (totp.matching_step(SEED, code, NOW) is not None) == taken


def test_a_step_that_was_used_is_refused_with_all_before_it() -> None:
    step = totp.step_at(NOW)
    code = totp.code_at(SEED, step)
    assert totp.matching_step(SEED, code, NOW, after=step - 1) == step
    assert totp.matching_step(SEED, code, NOW, after=step) is None
    assert totp.matching_step(SEED, totp.code_at(SEED, step - 1), NOW, after=step) is None


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "１２３４５６", "12345\u0661", "-12345"])
def test_what_is_not_six_digits_is_no_code(typed: str) -> None:
    assert totp.matching_step(SEED, typed, NOW) is None


def test_blanks_between_the_digits_do_no_harm() -> None:
    code = totp.code_at(SEED, totp.step_at(NOW))
    assert totp.matching_step(SEED, f" {code[:3]} {code[3:]} ", NOW) == totp.step_at(NOW)


@given(st.binary(min_size=20, max_size=20), st.integers(min_value=0, max_value=2**40))
def test_a_code_has_always_six_digits(secret: bytes, step: int) -> None:
    code = totp.code_at(secret, step)
    assert len(code) == 6
    assert code.isdigit()


def test_the_address_of_the_qr_code_holds_what_an_app_needs() -> None:
    address = urlsplit(totp.address(SEED, issuer="Tingjian", login="wang"))
    assert (address.scheme, address.netloc, address.path) == ("otpauth", "totp", "/Tingjian%3Awang")
    assert parse_qs(address.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Tingjian"],
    }


def test_the_step_changes_every_thirty_seconds() -> None:
    assert totp.step_at(NOW + timedelta(seconds=29)) == totp.step_at(NOW)
    assert totp.step_at(NOW + timedelta(seconds=30)) == totp.step_at(NOW) + 1
