"""A session's list tells one's own telephone from a stranger's computer, and no more."""

import pytest

from api.arrival import Arrival, device_of, network_of

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML) Chrome/140.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (CHROME, "Chrome · Windows"),
        (CHROME + " Edg/140.0", "Edge · Windows"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/130 MicroMessenger/8.0", "WeChat · Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18 Safari/604", "Safari · iOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        ("curl/8.5", None),
        ("", None),
    ],
)
def test_the_families_are_named_and_no_version(agent: str, device: str | None) -> None:
    assert device_of(agent) == device


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.7", "203.0.*.*"),
        ("::ffff:203.0.113.7", "203.0.*.*"),
        ("2001:db8:1:2::3", "2001:db8:*"),
        ("fe80::1%eth0", "fe80:0:*"),
        ("testclient", None),
        (None, None),
    ],
)
def test_half_of_the_address_is_kept(host: str | None, network: str | None) -> None:
    assert network_of(host) == network


def test_nothing_a_browser_sends_makes_an_arrival_fail() -> None:
    assert Arrival.of("\x00" * 10_000, "999.1.1.1") == Arrival()
