"""What a session's list says about where it came from: coarse, and meant for its own person.

The browser's family and the system's, and the first half of the address. No version, no screen, no
place from a database of addresses: enough to tell one's own telephone from a stranger's computer.

Neighbours: `sessions` keeps it with the sign-in and forgets it with it.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

# In this order, because browsers carry the names of those that they descend from.
BROWSERS: Final = (
    ("MicroMessenger", "WeChat"),
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
)
SYSTEMS: Final = (
    ("HarmonyOS", "HarmonyOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def _first(agent: str, known: tuple[tuple[str, str], ...]) -> str | None:
    return next((name for sign, name in known if sign in agent), None)


def device_of(agent: str) -> str | None:
    """Return the families of browser and system that a User-Agent names, or None if it names neither."""
    found = [one for one in (_first(agent, BROWSERS), _first(agent, SYSTEMS)) if one is not None]
    return " · ".join(found) or None


def network_of(host: str | None) -> str | None:
    """Return the first half of an IPv4 address, or the first two groups of an IPv6 one."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, ipaddress.IPv4Address):
        return ".".join([*str(address).split(".")[:2], "*", "*"])
    return ":".join([*(group.lstrip("0") or "0" for group in address.exploded.split(":")[:2]), "*"])


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a sign-in came from, as far as it is kept."""

    device: str | None = None
    network: str | None = None

    @classmethod
    def of(cls, agent: str, host: str | None) -> Self:
        """Return the arrival of a request with this User-Agent from this address."""
        return cls(device_of(agent), network_of(host))
