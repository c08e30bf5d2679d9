"""What is sealed opens unchanged, with its key, about its thing, and otherwise not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sealing import BrokenSeal, seal, unseal

KEY = bytes(range(32))


@given(st.binary(max_size=300), st.text(max_size=40))
def test_what_was_sealed_opens(secret: bytes, about: str) -> None:
    assert unseal(KEY, seal(KEY, secret, about), about) == secret


def test_the_same_secret_is_never_sealed_alike() -> None:
    assert seal(KEY, b"secret", "a") != seal(KEY, b"secret", "a")


@given(st.integers(min_value=0, max_value=200), st.integers(min_value=1, max_value=255))
def test_a_changed_seal_does_not_open(at: int, change: int) -> None:
    sealed = bytearray(seal(KEY, b"secret", "a").encode())
    at %= len(sealed)
    sealed[at] ^= change
    try:
        opened = unseal(KEY, sealed.decode("latin-1"), "a")
    except BrokenSeal:
        return
    # The last letter of base64 has bits that say nothing; what opens is still what was sealed.
    assert opened == b"secret"


@pytest.mark.parametrize(("key", "about"), [(bytes(32), "a"), (KEY, "b")])
def test_another_key_or_another_thing_does_not_open_it(key: bytes, about: str) -> None:
    with pytest.raises(BrokenSeal):
        unseal(key, seal(KEY, b"secret", "a"), about)


@pytest.mark.parametrize("sealed", ["", "x", "é", "AAAA", "=" * 40])
def test_what_was_never_sealed_does_not_open(sealed: str) -> None:
    with pytest.raises(BrokenSeal):
        unseal(KEY, sealed, "a")
