"""Where a webhook may go: out, and not into the operator's own network.

A name is resolved once and the connection is made to that very address, so that a name cannot be
public when it is looked at and private when it is called. Host and SNI keep the name, so
certificates are checked as ever. One private address among several is enough to refuse.

Neighbours: `webhook` uses the backend; `alerts/endpoints.py` asks `check_url` before it keeps one.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

from models.errors import InvalidInput

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], list[str]]
NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
LONGEST_URL: Final = 500


class Forbidden(httpcore.ConnectError):
    """The address lies in a network that requests may not reach."""


class Unresolved(httpcore.ConnectError):
    """The name has no address."""


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, in the system's order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Return whether an address is on the public internet, seen through tunnels and mappings."""
    address: Address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address.teredo is not None:
            inner = address.teredo[1]
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast and not address.is_reserved


def check_url(url: str, *, allow_private: bool) -> str:
    """Return a webhook's URL if it may be kept.

    A name is not resolved here: it may mean something else later, and is checked at every try.

    Raises
    ------
    InvalidInput
        If it is not http(s) with a host, carries a password or a fragment, or names a private address.
    """

    def refuse(detail: str, code: str = "url") -> InvalidInput:
        return InvalidInput(detail, code=code, field="/url")

    if len(url) > LONGEST_URL or any(sign <= " " for sign in url):
        raise refuse("not a URL that can be kept")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise refuse("needs http:// or https:// and a host")
    if parts.username or parts.password or parts.fragment:
        raise refuse("no password and no fragment in the URL")
    if parts.scheme == "http" and not allow_private:
        raise refuse("needs https://", "https_needed")
    try:
        public = is_public(parts.hostname)
    except ValueError:
        public = "." in parts.hostname and not parts.hostname.endswith((".local", ".internal", ".localhost"))
    if not public and not allow_private:
        raise refuse("the address is not on the public internet", "private_address")
    return url


class Deadline(threading.local):
    """When the try that this thread is making has to be over, on the monotonic clock."""

    at: float = float("inf")

    def left(self, timeout: float | None) -> float:
        """Return the shorter of `timeout` and what is left.

        Raises
        ------
        httpcore.ReadTimeout
            If nothing is left.
        """
        left = self.at - time.monotonic()
        if left <= 0.0:
            raise httpcore.ReadTimeout("the time for one try is over")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A stream none of whose waits goes past the deadline, however slowly the peer drips."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's own signature
        return self._stream.get_extra_info(info)


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to the address that was looked at, and to no private one unless that is allowed."""

    def __init__(self, *, allow_private: bool, deadline: Deadline, resolver: Resolver = resolve) -> None:
        self._allow_private = allow_private
        self._deadline = deadline
        self._resolver = resolver
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Resolve once, look at every address, connect to the first.

        Raises
        ------
        Forbidden
            If one of them is private.
        Unresolved
            If there is none.
        """
        try:
            addresses = self._resolver(host, port)
        except (OSError, UnicodeError):
            raise Unresolved("the name has no address") from None
        if not addresses:
            raise Unresolved("the name has no address")
        if not self._allow_private and not all(is_public(one) for one in addresses):
            raise Forbidden("the address is not on the public internet")
        stream = self._sockets.connect_tcp(
            addresses[0], port, self._deadline.left(timeout), local_address, socket_options
        )
        return _Stream(stream, self._deadline)
