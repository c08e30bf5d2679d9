"""Sign in through an identity provider: OpenID Connect, authorisation code with PKCE, beside passwords.

The way out puts state, nonce, verifier and the page to go on to into one sealed cookie of ten
minutes, so nothing is written for whoever only knocks. The way back needs that cookie and its
state, goes once, and brings an ID token whose signature, issuer, audience, expiry and nonce are
checked. What comes out is an `Identity` that `sessions` matches with an account; nothing here
makes accounts or gives roles.

Refuses: a provider whose description names another issuer; algorithms that are not asymmetric; an
address in a private network, unless the operator allows it; redirects of the provider's own.

Neighbours: `alerts/channels/address.py` guards where requests go; authlib builds requests and checks
claims, joserfc the signature; `accounts` links subjects.
"""

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore
import httpx
import orjson
import structlog
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.client import OAuth2Client
from authlib.oauth2.rfc6749.parameters import prepare_token_request
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from alerts.channels.address import Deadline, Forbidden, GuardedBackend, Resolver, Unresolved, resolve
from api.settings import Settings
from models import sealing
from models.account import SpentState
from models.errors import NotAuthenticated, NotFound, Unavailable

log = structlog.get_logger("oidc")

ALGORITHMS: Final = ("RS256", "PS256", "ES256", "EdDSA")
LEEWAY_SECONDS: Final = 60
ON_THE_WAY: Final = timedelta(minutes=10)
DESCRIBED: Final = 3600.0
NEW_KEYS: Final = 60.0
TIMEOUT: Final = 10.0
LARGEST_ANSWER: Final = 512 * 1024
LONGEST_SUBJECT: Final = 255
CALLBACK: Final = "/sign-in/provider/callback"
ABOUT_COOKIE: Final = "oidc-cookie"


@dataclass(frozen=True, slots=True)
class Identified:
    """Whom the provider vouches for. `email` is set only if the provider says that it is verified."""

    issuer: str
    subject: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """Where to send the browser, and the sealed cookie that it brings back."""

    address: str
    cookie: str


def refused(detail: str) -> NotAuthenticated:
    """Return the error of an answer that does not hold."""
    return NotAuthenticated(detail, code="provider_refused")


def unavailable(detail: str) -> Unavailable:
    """Return the error of a provider that does not answer as it should."""
    return Unavailable(detail, code="provider_unavailable")


def state_hash(state: str) -> str:
    """Return under which name a spent state is kept."""
    return hashlib.sha256(state.encode()).hexdigest()


def spend(session: Session, state: str, now: datetime) -> None:
    """Use a state up.

    Raises
    ------
    NotAuthenticated
        If it was used before.
    """
    try:
        with session.begin_nested():
            session.add(SpentState(state_hash=state_hash(state), spent_at=now))
    except IntegrityError:
        raise refused("this way through the provider was gone before") from None


class Provider:
    """The one provider that the operator named. Any number of threads may ask."""

    def __init__(self, settings: Settings, key: bytes, *, resolver: Resolver = resolve) -> None:
        if settings.oidc_issuer is None or settings.oidc_client_id is None:
            raise NotFound("no identity provider is set up", code="no_provider")
        self.issuer = settings.oidc_issuer
        self.name = settings.oidc_name
        self._client_id = settings.oidc_client_id
        self._client_secret = (
            settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
        )
        self._back = settings.public_url + CALLBACK
        self._allow_private = settings.oidc_allow_private
        self._key = key
        self._deadline = Deadline()
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=8,
            keepalive_expiry=15.0,
            network_backend=GuardedBackend(
                allow_private=self._allow_private, deadline=self._deadline, resolver=resolver
            ),
        )
        self._lock = Lock()
        self._described: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def close(self) -> None:
        """Close every connection."""
        self._pool.close()

    def leave(self, next_: str, now: datetime) -> Leaving:
        """Return where to send a browser that wants to sign in.

        Raises
        ------
        Unavailable
            If the provider does not describe itself.
        """
        endpoint = self._description()["authorization_endpoint"]
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        client = OAuth2Client(
            None,
            client_id=self._client_id,
            scope="openid email",
            redirect_uri=self._back,
            code_challenge_method="S256",
        )
        address, _ = client.create_authorization_url(
            endpoint, state=state, code_verifier=verifier, nonce=nonce
        )
        content = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "next": next_,
            "until": int((now + ON_THE_WAY).timestamp()),
        }
        return Leaving(str(address), sealing.seal(self._key, orjson.dumps(content), ABOUT_COOKIE))

    def opened(self, cookie: str | None, state: str, now: datetime) -> dict[str, str]:
        """Return what the cookie of the way out holds, if it belongs to this state and is fresh.

        Raises
        ------
        NotAuthenticated
            If it is missing, changed, too old, or of another way.
        """
        try:
            content = orjson.loads(sealing.unseal(self._key, cookie or "", ABOUT_COOKIE))
        except (sealing.BrokenSeal, orjson.JSONDecodeError):
            raise refused("the browser brings no sign-in that was begun here") from None
        if not state or not secrets.compare_digest(content["state"].encode(), state.encode()):
            raise refused("the state is not the one that was sent out")
        if content.pop("until") <= now.timestamp():
            raise refused("the sign-in took too long")
        return {name: str(value) for name, value in content.items()}

    def identify(self, code: str, way: Mapping[str, str], now: datetime) -> Identified:
        """Exchange a code for an ID token and return whom it names.

        Raises
        ------
        NotAuthenticated
            If the provider refuses the code, or its token does not hold.
        Unavailable
            If the provider does not answer.
        """
        described = self._description()
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        body = prepare_token_request(
            "authorization_code", "", redirect_uri=self._back, code=code, code_verifier=way["verifier"]
        )
        supported = described.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        method = "none"
        if self._client_secret is not None:
            method = "client_secret_basic" if "client_secret_basic" in supported else "client_secret_post"
        endpoint, headers, body = ClientAuth(self._client_id, self._client_secret, method).prepare(
            "POST", described["token_endpoint"], headers, body
        )
        status, answer = self._ask("POST", endpoint, headers, body.encode())
        token = answer.get("id_token")
        if status != HTTPStatus.OK or not isinstance(token, str):
            log.warning("oidc.code_refused", status=status)
            raise refused("the provider did not take the code")
        return self._checked(token, way["nonce"], answer.get("access_token"), now)

    def _checked(self, token: str, nonce: str, access: object, now: datetime) -> Identified:
        try:
            decoded = self._decoded(token)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                    "sub": {"essential": True, "allow_blank": False},
                },
                {"nonce": nonce, "client_id": self._client_id, "access_token": access},
            )
            claims.validate(int(now.timestamp()), LEEWAY_SECONDS)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            # The kind of fault is for the operator; a token is never repeated.
            log.warning("oidc.token_refused", error=type(error).__name__)
            raise refused("the provider's token does not hold") from None
        subject, email = claims["sub"], claims.get("email")
        if len(subject) > LONGEST_SUBJECT:
            raise refused("the provider's token does not hold")
        # Only a plain true counts: some providers write the word "false", which is true to Python.
        verified = claims.get("email_verified") is True and isinstance(email, str)
        return Identified(self.issuer, subject, str(email).strip().lower() if verified else None)

    def _decoded(self, token: str) -> jwt.Token:
        """Check the signature; keys that were changed meanwhile are fetched anew, once a minute at most."""
        try:
            return jwt.decode(token, self._key_set(), algorithms=list(ALGORITHMS))
        except (JoseError, ValueError):
            return jwt.decode(token, self._key_set(oldest=NEW_KEYS), algorithms=list(ALGORITHMS))

    def _description(self) -> Mapping[str, Any]:
        with self._lock:
            known = self._described
        if known is not None and time.monotonic() - known[0] < DESCRIBED:
            return known[1]
        status, found = self._ask("GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if status != HTTPStatus.OK or found.get("issuer") != self.issuer:
            raise unavailable("the provider's description names another issuer, or there is none")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            self._refuse_address(found.get(name))
        with self._lock:
            self._described = (time.monotonic(), found)
        return found

    def _refuse_address(self, address: object) -> None:
        parts = urlsplit(address) if isinstance(address, str) else None
        allowed = {"https", "http"} if self._allow_private else {"https"}
        if parts is None or parts.scheme not in allowed or not parts.hostname:
            raise unavailable("the provider's description has an address that cannot be used")

    def _key_set(self, *, oldest: float = DESCRIBED) -> KeySet:
        with self._lock:
            known = self._keys
        if known is not None and time.monotonic() - known[0] < oldest:
            return known[1]
        status, found = self._ask("GET", self._description()["jwks_uri"])
        if status != HTTPStatus.OK or not isinstance(found.get("keys"), list):
            raise unavailable("the provider shows no keys")
        # A shared secret among the public keys would let anybody who reads them sign.
        public = [one for one in found["keys"] if isinstance(one, dict) and one.get("kty") != "oct"]
        try:
            keys = KeySet.import_key_set({"keys": public})
        except (JoseError, ValueError, KeyError, TypeError):
            raise unavailable("the provider's keys cannot be read") from None
        with self._lock:
            self._keys = (time.monotonic(), keys)
        return keys

    def _ask(
        self, method: str, address: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON object that the provider answers with; an empty one for none.

        Raises
        ------
        Unavailable
            If there is no answer in time, or no connection may be made.
        """
        self._deadline.at = time.monotonic() + TIMEOUT
        sent = {"accept": "application/json", "user-agent": "tingjian/1"} | dict(headers or {})
        try:
            with self._pool.stream(
                method,
                address,
                headers=list(sent.items()),
                content=body or None,
                extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT)},
            ) as response:
                read = bytearray()
                for chunk in response.iter_stream():
                    read += chunk
                    if len(read) > LARGEST_ANSWER:
                        raise unavailable("the provider's answer is too large")
        except (Forbidden, Unresolved) as error:
            log.warning("oidc.no_address", error=type(error).__name__)
            raise unavailable("the provider's address may not be reached") from None
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.UnsupportedProtocol,
            OSError,
        ) as error:
            log.warning("oidc.no_answer", error=type(error).__name__)
            raise unavailable("the provider does not answer") from None
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise unavailable("the provider is out of order")
        try:
            found = orjson.loads(bytes(read))
        except orjson.JSONDecodeError:
            found = {}
        return response.status, found if isinstance(found, dict) else {}
