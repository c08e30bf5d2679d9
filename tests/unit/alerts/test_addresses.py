"""Where webhooks may go, and how long they wait."""

import pytest

from alerts.channels.address import check_url, is_public
from alerts.channels.webhook import retry_after
from alerts.delivery import next_wait
from alerts.settings import WAITS, AlertsSettings
from models.errors import InvalidInput
from tests.conftest import NOW


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - nothing is bound to it here
        "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "::", "::1", "fc00::1", "fe80::1%eth0", "::ffff:10.0.0.1",
        "2002:7f00:1::", "64:ff9b::7f00:1", "ff02::1", "198.18.0.1",
    ],
)  # fmt: skip
def test_private_addresses_are_seen_through_every_disguise(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/in", "https://127.0.0.1/in", "https://[::1]/in", "https://10.1.1.1",
        "https://localhost/in", "https://printer.local/", "https://intranet/", "https://user:pw@hooks.example/",
        "https://hooks.example/#part", "ftp://hooks.example/", "https:///in", "https://hooks.example:99999/",
        "https://hooks.example/ in", "javascript:alert(1)", "https://hooks.example/" + "x" * 500, "",
    ],
)  # fmt: skip
def test_a_url_that_must_not_be_called_is_not_kept(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_url(url, allow_private=False)

    assert refused.value.field == "/url"


def test_a_public_url_is_kept_and_a_private_one_if_the_operator_allows() -> None:
    assert check_url("https://hooks.example/in?x=1", allow_private=False)
    assert check_url("http://127.0.0.1:8000/in", allow_private=True)


def test_the_waits_add_up_to_about_three_days() -> None:
    assert 2.5 < sum(WAITS) / 86_400 < 3.2
    assert list(WAITS) == sorted(WAITS)


def test_a_wait_is_spread_by_a_fifth_and_always_the_same_for_the_same_failure() -> None:
    settings = AlertsSettings()
    waits = [next_wait(settings, f"{number:032x}", 3) for number in range(200)]

    assert all(96.0 <= wait <= 144.0 for wait in waits)
    assert max(waits) - min(waits) > 30.0
    assert waits[0] == next_wait(settings, f"{0:032x}", 3)


def test_the_longer_wait_holds_up_to_a_day() -> None:
    settings = AlertsSettings()

    assert next_wait(settings, "m", 1, 300.0) == 300.0
    assert next_wait(settings, "m", 6, 1.0) > 8000.0
    assert next_wait(settings, "m", 1, 10.0**8) == 86_400.0


@pytest.mark.parametrize("value", [None, "", "soon", "-5", "²", "Mon, 99 Foo"])
def test_a_retry_after_that_says_nothing_is_ignored(value: str | None) -> None:
    assert retry_after(value, NOW) is None


@pytest.mark.parametrize(("timeout", "lease"), [(0.0, 5.0), (10.0, 10.0)])
def test_a_lease_that_is_no_longer_than_a_try_is_refused(timeout: float, lease: float) -> None:
    with pytest.raises(ValueError, match="lease"):
        AlertsSettings(timeout=timeout, lease=lease)
