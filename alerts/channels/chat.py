"""Chats: an address in apprise's form (`wecombot://KEY`), sealed at rest and opened here only.

The robots of WeCom, DingTalk, Feishu and Lark are called by ourselves (`robots`); other services are
called through apprise. Only services whose hosts are fixed by apprise are taken, so that an address
cannot lead a request into the operator's own network; those that name a host of their own are taken
where private addresses are allowed. apprise follows no redirect here and writes no log, because its
lines hold addresses.

Refuses: any other service, and options that would weaken the connection.

Neighbours: `alerts/composer.py` writes the text; `alerts/endpoints.py` seals the address.
"""

import importlib
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import apprise
import httpcore
import httpx

from alerts.channels import robots
from alerts.channels.address import Deadline, Forbidden, GuardedBackend, Resolver, Unresolved, resolve
from alerts.channels.channel import Envelope, Outcome
from alerts.composer import compose
from alerts.settings import AlertsSettings
from models.errors import InvalidInput, Unavailable
from models.sealing import BrokenSeal, unseal

FIXED: Final[Mapping[str, tuple[str, str]]] = {
    "wecombot": ("wecombot", "NotifyWeComBot"),
    "dingtalk": ("dingtalk", "NotifyDingTalk"),
    "feishu": ("feishu", "NotifyFeishu"),
    "lark": ("lark", "NotifyLark"),
    "discord": ("discord", "NotifyDiscord"),
    "pushplus": ("pushplus", "NotifyPushplus"),
    "slack": ("slack", "NotifySlack"),
    "tgram": ("telegram", "NotifyTelegram"),
    "wxpusher": ("wxpusher", "NotifyWxPusher"),
}
"""Services of the public internet whose hosts stand in apprise's code: its module and class for each."""
INTRANET: Final[Mapping[str, tuple[str, str]]] = {
    "json": ("custom_json", "NotifyJSON"),
    "jsons": ("custom_json", "NotifyJSON"),
    "gotify": ("gotify", "NotifyGotify"),
    "gotifys": ("gotify", "NotifyGotify"),
    "mmost": ("mattermost", "NotifyMattermost"),
    "mmosts": ("mattermost", "NotifyMattermost"),
    "rocket": ("rocketchat", "NotifyRocketChat"),
    "rockets": ("rocketchat", "NotifyRocketChat"),
}
"""Services that an operator runs on a host of their own."""
WEAKENING: Final = frozenset({"verify", "redirect", "cto", "rto", "mode", "format", "overflow"})
LONGEST: Final = 500

logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


def check_chat(text: str, *, allow_private: bool) -> str:
    """Return the kind of a chat's address if it may be kept, such as `feishu`.

    Raises
    ------
    InvalidInput
        If apprise does not know it, or it is none of the services that are taken.
    """
    kind = urlsplit(text).scheme.lower() if len(text) <= LONGEST and text.isprintable() else ""
    if kind not in FIXED and not (allow_private and kind in INTRANET):
        raise InvalidInput("not a chat that messages may go to", code="chat_address", field="/url")
    if {name.lower() for name, _ in parse_qsl(urlsplit(text).query, keep_blank_values=True)} & WEAKENING:
        raise InvalidInput("no options for the connection", code="chat_address", field="/url")
    if _plugin(text) is None:
        raise InvalidInput("the address is not complete", code="chat_address", field="/url")
    return kind


def _plugin(text: str) -> Any:  # noqa: ANN401 - a plugin of the library
    """Return the library's plugin for an address, or None if the address is not complete.

    Only the plugin that is needed is loaded: to load all of them takes a second, and warns.
    """
    kind = urlsplit(text).scheme.lower()
    module, name = {**FIXED, **INTRANET}[kind]
    plugin = getattr(importlib.import_module(f"apprise.plugins.{module}"), name)
    asset = apprise.AppriseAsset(
        app_id="Tingjian", app_desc="Tingjian", async_mode=False, http_redirects=False, secure_logging=True
    )
    try:
        parsed = plugin.parse_url(text)
        return plugin(**parsed, asset=asset) if parsed else None
    except TypeError:
        # So the library refuses an address, and so it fails on one that lacks a part.
        return None


class ChatChannel:
    """Sends letters to chats. One instance serves any number of threads."""

    def __init__(
        self,
        settings: AlertsSettings,
        *,
        resolver: Resolver = resolve,
        hosts: Mapping[str, str] = robots.HOSTS,
    ) -> None:
        self._settings, self._hosts = settings, hosts
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=settings.threads,
            keepalive_expiry=15.0,
            network_backend=GuardedBackend(
                allow_private=settings.allow_private, deadline=self._deadline, resolver=resolver
            ),
        )

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        """Try once. See `Channel`."""
        began = time.monotonic()
        try:
            address = self._opened(envelope)
            kind = check_chat(address, allow_private=self._settings.allow_private)
        except (BrokenSeal, Unavailable, InvalidInput):
            return Outcome(succeeded=False, error="address", refused=True)
        letter = compose(envelope, self._settings.public_url)
        plugin = _plugin(address)
        if kind in robots.HOSTS:
            text = f"{letter.subject}\n{letter.text}"
            outcome = self._robot(*robots.request_of(plugin, kind, self._hosts, text, at))
        else:
            plugin.socket_connect_timeout = plugin.socket_read_timeout = self._settings.timeout / 2
            sent = plugin.notify(title=letter.subject, body=letter.text)
            outcome = Outcome(succeeded=True) if sent else Outcome(succeeded=False, error="not_taken")
        return replace(outcome, milliseconds=round((time.monotonic() - began) * 1000))

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def _opened(self, envelope: Envelope) -> str:
        if self._settings.sealing is None or envelope.sealed is None:
            raise Unavailable("there is no key to open what is sealed")
        return unseal(self._settings.sealing, envelope.sealed, envelope.endpoint_id).decode()

    def _robot(self, address: str, body: bytes) -> Outcome:
        timeout = self._settings.timeout
        self._deadline.at = time.monotonic() + timeout
        try:
            with self._pool.stream(
                "POST",
                address,
                headers=[("content-type", "application/json; charset=utf-8"), ("user-agent", "tingjian/1")],
                content=body,
                extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout)},
            ) as response:
                return robots.judged(response)
        except Forbidden:
            return Outcome(succeeded=False, error="private_address")
        except Unresolved:
            return Outcome(succeeded=False, error="no_address", slow=True)
        except (httpcore.TimeoutException, TimeoutError):
            return Outcome(succeeded=False, error="timeout", slow=True)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError):
            return Outcome(succeeded=False, error="no_connection", slow=True)
