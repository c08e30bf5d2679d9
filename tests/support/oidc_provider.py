"""A small real OpenID Connect provider over HTTP, with real keys, that a test tells how to misbehave.

It keeps to OpenID Connect Core 1.0 (code flow) and RFC 7636 (S256), and refuses what a good provider
refuses: a wrong redirect, a code that was used, a verifier that does not fit, a wrong client secret.
"""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "tingjian", "a secret of the provider"


def new_key(kid: str) -> RSAKey:
    """Return a key that nobody else has."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@cache
def first_key() -> RSAKey:
    """Return the key of every provider of a run: making one takes a third of a second."""
    return new_key("first")


@dataclass
class OidcProvider:
    """What it says and how; `claims` and `sign` may be changed between two sign-ins."""

    now: Callable[[], float]
    key: RSAKey = field(default_factory=first_key)
    subject: str = "u-1001"
    claims: dict[str, Any] = field(default_factory=dict)
    sign: Callable[[dict[str, Any]], str] | None = None
    issuer: str = ""
    described_issuer: str | None = None
    broken: bool = False
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def description(self) -> dict[str, Any]:
        return {
            "issuer": self.described_issuer or self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def approve(self, query: str) -> str:
        """Sign the person in and return where the browser goes next."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, body: str, authorization: str) -> tuple[int, dict[str, Any]]:
        sent = {name: values[0] for name, values in parse_qs(body).items()}
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization != expected:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(sent.get("code", ""), None)
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (
            asked is None
            or sent.get("grant_type") != "authorization_code"
            or sent.get("redirect_uri") != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        moment = int(self.now())
        claims = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": moment,
            "exp": moment + 300,
            "nonce": asked["nonce"],
        } | self.claims
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.sign(claims) if self.sign is not None else self.signed(claims)
        return 200, {"access_token": secrets.token_urlsafe(8), "token_type": "Bearer", "id_token": token}

    def signed(self, claims: dict[str, Any], key: RSAKey | None = None) -> str:
        key = key or self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: OidcProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.provider.asked.append(parts.path)
        if self.provider.broken:
            self.reply(503, {})
        elif parts.path == "/.well-known/openid-configuration":
            self.reply(200, self.provider.description())
        elif parts.path == "/keys":
            self.reply(200, self.provider.keys())
        elif parts.path == "/authorize":
            self.reply(302, {}, location=self.provider.approve(parts.query))
        else:
            self.reply(404, {})

    def do_POST(self) -> None:
        self.provider.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if self.provider.broken:
            self.reply(503, {})
        else:
            self.reply(*self.provider.token(body, self.headers.get("authorization", "")))

    def reply(self, status: int, answer: dict[str, Any], location: str | None = None) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if location is not None:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def oidc_provider(now: Callable[[], float]) -> Iterator[OidcProvider]:
    """Yield a provider that serves on this machine."""
    provider = OidcProvider(now)
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
