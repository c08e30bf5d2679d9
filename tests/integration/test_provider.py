"""Signing in through a real OpenID Connect provider over HTTP, and every token that does not hold."""

import base64
import hmac
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api import accounts, oidc
from api.settings import Settings
from api.wiring import Service
from models.account import Account, Grant, Identity, SignIn
from models.audit import AuditEntry
from models.database import Database
from models.errors import Unavailable
from models.vocabulary import Role
from tests.support import oidc_provider as support
from tests.support.oidc_provider import CLIENT, SECRET, OidcProvider, oidc_provider
from tests.support.services import OPERATOR, Clock, client_of, make_account, make_service, plant


@pytest.fixture
def clock(now: object) -> Clock:
    return Clock(now)  # type: ignore[arg-type]


@pytest.fixture
def provider(clock: Clock) -> Iterator[OidcProvider]:
    with oidc_provider(lambda: clock().timestamp()) as provider:
        yield provider


def service_of(database: Database, provider: OidcProvider, clock: Clock, **settings: object) -> Service:
    service = make_service(
        database,
        clock(),
        **{
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_name": "省统一身份",
            "oidc_allow_private": True,
            "oidc_email_domains": "example.cn",
        }
        | settings,
    )
    service.clock = clock
    return service


@pytest.fixture
def service(database: Database, provider: OidcProvider, clock: Clock) -> Iterator[Service]:
    plant(database, clock())
    make_account(database, clock(), "wang", (Role.OFFICER, "gd/dongguan"))
    service = service_of(database, provider, clock)
    yield service
    assert service.provider is not None
    service.provider.close()


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def link(service: Service, subject: str = "u-1001") -> str:
    with service.database.transaction() as session:
        account = accounts.by_login(session, "wang")
        assert service.settings.oidc_issuer is not None
        accounts.link(
            session,
            OPERATOR,
            account.id,
            issuer=service.settings.oidc_issuer,
            subject=subject,
            now=service.clock(),
        )
        return account.id


def leave(client: TestClient, next_: str = "/demands") -> str:
    """Go out to the provider, sign in there, and return the address that the browser is sent back to."""
    out = client.get(f"/sign-in/provider?next={next_}")
    assert out.status_code == 303, out.text
    there = httpx.get(out.headers["location"])
    assert there.status_code == 302, there.text
    back = urlsplit(there.headers["location"])
    return f"{back.path}?{back.query}"


def is_signed_in(client: TestClient) -> bool:
    return client.get("/v1/me").status_code == 200


def test_a_linked_subject_signs_in_and_goes_on_to_the_page_it_wanted(
    client: TestClient, service: Service
) -> None:
    account = link(service)
    answer = client.get(leave(client))

    assert (answer.status_code, answer.headers["location"]) == (303, "/demands")
    assert client.get("/v1/me").json()["id"] == account
    with service.database.reading() as session:
        (opened,) = session.exec(select(SignIn)).all()
        assert opened.method == "provider"
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "sign_in")).one()
        assert entry.details == {"method": "provider"}


def test_the_sign_in_page_leads_there_by_name(client: TestClient) -> None:
    page = client.get("/sign-in?next=/demands").text
    assert "省统一身份" in page
    assert 'href="/sign-in/provider?next=/demands"' in page


def test_what_goes_out_has_pkce_state_and_nonce_and_no_secret(client: TestClient) -> None:
    out = client.get("/sign-in/provider")
    asked = parse_qs(urlsplit(out.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert min(len(asked[name][0]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert asked["redirect_uri"] == ["http://127.0.0.1:8311/sign-in/provider/callback"]
    cookie = out.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert asked["nonce"][0] not in cookie
    assert SECRET not in out.headers["location"]


def test_a_subject_that_nobody_linked_gets_no_account_and_is_told_its_number(
    client: TestClient, service: Service
) -> None:
    answer = client.get(leave(client))
    assert answer.status_code == 403
    assert "u-1001" in answer.text
    assert not is_signed_in(client)
    with service.database.reading() as session:
        assert len(session.exec(select(Account)).all()) == 1
        assert len(session.exec(select(Grant)).all()) == 1


@pytest.mark.parametrize(
    ("claims", "let_in"),
    [
        ({"email": "wang@example.cn", "email_verified": True}, True),
        ({"email": "WANG@Example.cn", "email_verified": True}, True),
        ({"email": "wang@example.cn", "email_verified": False}, False),
        ({"email": "wang@example.cn", "email_verified": "false"}, False),
        ({"email": "wang@example.cn", "email_verified": "true"}, False),
        ({"email": "wang@example.cn"}, False),
        ({"email": "wang@other.cn", "email_verified": True}, False),
        ({"email": "wang@evil.example.cn", "email_verified": True}, False),
        ({"email": ["wang@example.cn"], "email_verified": True}, False),
    ],
)
def test_only_a_verified_address_of_an_allowed_domain_links(
    client: TestClient, service: Service, provider: OidcProvider, claims: dict[str, object], *, let_in: bool
) -> None:
    with service.database.transaction() as session:
        account = accounts.by_login(session, "wang")
        accounts.set_email(session, OPERATOR, account.id, "wang@example.cn", service.clock())
    provider.claims = claims
    client.get(leave(client))
    assert is_signed_in(client) == let_in
    with service.database.reading() as session:
        assert len(session.exec(select(Identity)).all()) == let_in


def test_an_address_links_once_and_from_then_on_the_subject_counts(
    client: TestClient, service: Service, provider: OidcProvider
) -> None:
    with service.database.transaction() as session:
        account = accounts.by_login(session, "wang")
        accounts.set_email(session, OPERATOR, account.id, "wang@example.cn", service.clock())
    provider.claims = {"email": "wang@example.cn", "email_verified": True}
    client.get(leave(client))
    provider.claims = {}
    with client_of(service) as later:
        later.get(leave(later))
        assert is_signed_in(later)


def test_a_locked_account_does_not_come_in_through_the_provider(client: TestClient, service: Service) -> None:
    account = link(service)
    with service.database.transaction() as session:
        accounts.disable(session, OPERATOR, account, service.clock())
    assert client.get(leave(client)).status_code == 403
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"aud": "another service"},
        {"aud": ["another service"]},
        {"aud": [CLIENT, "another service"]},
        {"aud": [CLIENT, "another service"], "azp": "another service"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "never"},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"nonce": "another nonce"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 1001},
        {"sub": "u" * 256},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_opens_nothing(
    client: TestClient, service: Service, provider: OidcProvider, claims: dict[str, object]
) -> None:
    link(service)
    provider.claims = claims
    answer = client.get(leave(client))
    assert answer.status_code == 401, answer.text
    assert not is_signed_in(client)


def test_a_token_signed_by_somebody_else_opens_nothing(
    client: TestClient, service: Service, provider: OidcProvider
) -> None:
    link(service)
    stranger = support.new_key("first")
    provider.sign = lambda claims: provider.signed(claims, stranger)
    assert client.get(leave(client)).status_code == 401
    assert not is_signed_in(client)


def test_a_tampered_token_opens_nothing(client: TestClient, service: Service, provider: OidcProvider) -> None:
    link(service)

    def tampered(claims: dict[str, object]) -> str:
        head, _, signature = provider.signed(claims).split(".")
        _, body, _ = provider.signed(claims | {"sub": "u-1"}).split(".")
        return f"{head}.{body}.{signature}"

    provider.sign = tampered
    assert client.get(leave(client)).status_code == 401


def by_hand(header: dict[str, str], claims: dict[str, object], key: bytes) -> str:
    """Return a token that a library would refuse to make: MAC'd with whatever one likes, or with nothing."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)
    )
    mac = hmac.digest(key, head + b"." + body, "sha256") if key else b""
    return b".".join([head, body, base64.urlsafe_b64encode(mac).rstrip(b"=")]).decode()


def test_an_unsigned_token_and_one_signed_with_the_public_key_open_nothing(
    service: Service, provider: OidcProvider
) -> None:
    link(service)
    public = provider.key.as_pem(private=False)
    for sign in (
        lambda claims: by_hand({"alg": "none"}, claims, b""),
        lambda claims: by_hand({"alg": "HS256", "kid": "first"}, claims, public),
        lambda claims: by_hand({"alg": "RS256", "kid": "first"}, claims, public),
        lambda _: "not a token",
        lambda _: "",
    ):
        provider.sign = sign
        with client_of(service) as other:
            assert other.get(leave(other)).status_code == 401
            assert not is_signed_in(other)


def test_keys_that_the_provider_changed_are_fetched_anew(
    client: TestClient, service: Service, provider: OidcProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "NEW_KEYS", 0.0)
    link(service)
    client.get(leave(client))
    provider.key = support.new_key("second")
    with client_of(service) as later:
        later.get(leave(later))
        assert is_signed_in(later)


def test_a_way_is_gone_once(client: TestClient, service: Service) -> None:
    link(service)
    way = client.get("/sign-in/provider").headers
    cookie = way["set-cookie"].partition(";")[0]
    back = urlsplit(httpx.get(way["location"]).headers["location"])
    address = f"{back.path}?{back.query}"
    with client_of(service) as first, client_of(service) as second:
        assert first.get(address, headers={"cookie": cookie}).status_code == 303
        assert second.get(address, headers={"cookie": cookie}).status_code == 401
        assert not is_signed_in(second)


def test_a_way_that_another_browser_began_ends_nowhere(client: TestClient, service: Service) -> None:
    link(service)
    address = leave(client)
    with client_of(service) as victim:
        assert victim.get(address).status_code == 401
        leave(victim)
        assert victim.get(address).status_code == 401
        assert not is_signed_in(victim)


def test_a_way_that_took_too_long_ends_nowhere(client: TestClient, service: Service, clock: Clock) -> None:
    link(service)
    address = leave(client)
    clock.turn(minutes=10)
    assert client.get(address).status_code == 401


@pytest.mark.parametrize("change", ["state=other", "code=other", "error=access_denied", "iss=https://evil"])
def test_a_changed_way_back_ends_nowhere(client: TestClient, service: Service, change: str) -> None:
    link(service)
    name, _, value = change.partition("=")
    parts = urlsplit(leave(client))
    query = {key: values[0] for key, values in parse_qs(parts.query).items()} | {name: value}
    assert client.get(parts.path, params=query).status_code == 401
    assert not is_signed_in(client)


@pytest.mark.parametrize("wanted", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_nobody_is_sent_on_to_another_site(client: TestClient, service: Service, wanted: str) -> None:
    link(service)
    assert client.get(leave(client, wanted)).headers["location"] == "/"


def test_a_provider_that_is_out_of_order_is_told_and_the_password_still_works(
    client: TestClient, service: Service, provider: OidcProvider
) -> None:
    provider.broken = True
    answer = client.get("/sign-in/provider")
    assert answer.status_code == 503
    assert "统一登录服务暂时不可用" in answer.text
    assert 'name="password"' in answer.text
    provider.broken = False
    link(service)
    address = leave(client)
    provider.broken = True
    assert client.get(address).status_code == 503


def test_a_provider_that_names_another_issuer_is_not_used(client: TestClient, provider: OidcProvider) -> None:
    provider.described_issuer = "https://evil.example"
    assert client.get("/sign-in/provider").status_code == 503


def test_a_private_address_is_not_asked_unless_the_operator_allows_it(
    provider: OidcProvider, clock: Clock
) -> None:
    settings = Settings(oidc_issuer=provider.issuer, oidc_client_id=CLIENT)
    guarded = oidc.Provider(settings, bytes(32))
    with pytest.raises(Unavailable):
        guarded.leave("/", clock())
    assert provider.asked == []
    guarded.close()


def test_whoever_comes_through_the_provider_ends_the_browsers_old_session(
    client: TestClient, service: Service
) -> None:
    link(service)
    client.get(leave(client))
    old = client.cookies["tingjian"]
    client.get(leave(client))
    assert client.cookies["tingjian"] != old
    with client_of(service) as other:
        other.cookies.set("tingjian", old)
        assert not is_signed_in(other)


def test_without_a_provider_there_is_no_way_out(database: Database, clock: Clock) -> None:
    plant(database, clock())
    with client_of(make_service(database, clock())) as client:
        assert "/sign-in/provider" not in client.get("/sign-in").text
        for path in ("/sign-in/provider", "/sign-in/provider/callback?state=a&code=b"):
            assert client.get(path).headers["location"] == "/sign-in"
