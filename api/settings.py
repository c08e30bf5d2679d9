"""What the operator decides by environment: the only module that reads it.

Every variable begins with `TINGJIAN_`. Policy (bands, rulebooks, thresholds of demands) is
versioned data and no variable. An unknown `TINGJIAN_` variable is an error, because a misspelt
one would silently leave a default in force.

Neighbours: `wiring` turns these values into the parts of the service.
"""

import os
import secrets
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from alerts.settings import LONGEST_CONSENT_DAYS
from models.errors import ConfigurationError

PREFIX = "TINGJIAN_"
MINIMUM_SECRET = 32
FOR_TESTS = ("TINGJIAN_TEST_",)


class Settings(BaseSettings):
    """The operator's settings. Frozen: a change needs a restart."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: str = Field(
        default="sqlite:///var/tingjian.db", description="sqlite:///PATH or postgresql://…", repr=False
    )
    secret: SecretStr | None = Field(
        default=None, description="At least 32 characters; signs cookies and keys the hashes of authors."
    )
    secret_file: Path = Field(
        default=Path("var/secret"), description="Read if no secret is set; made (mode 0600) if missing."
    )
    bundle: Path | None = Field(default=None, description="Folder of a bundle; the shipped one if unset.")
    transformer: Path | None = Field(
        default=None,
        description="Folder of a Hugging Face classifier that judges harms; needs the extra train.",
    )
    transformer_labels: str = Field(
        default="", description="What its labels mean: label=category,label=category."
    )
    rulebooks: Path | None = Field(default=None, description="Folder with the operator's own rule packs.")
    help_lines: Path | None = Field(
        default=None, description="File with the operator's own help lines, each with the day it was checked."
    )
    attachments: Path = Field(
        default=Path("var/attachments"),
        description="Folder of the files on disposal records; outside whatever is served.",
    )
    fonts: Path | None = Field(
        default=None, description="Folder with further Chinese fonts for the PDF of the official forms."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8311", description="Where people and platforms reach the service."
    )
    allow_private_webhooks: bool = Field(
        default=False, description="Let webhooks go to private and local addresses (tests, intranets)."
    )
    consent_days: int = Field(
        default=30,
        ge=0,
        le=LONGEST_CONSENT_DAYS,
        description="Days for which an archived help case keeps a name that its author let be known.",
    )
    smtp_host: str | None = Field(default=None, description="The server that takes mail to offices.")
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_security: str = Field(
        default="starttls", pattern="^(starttls|tls|none)$", description="starttls, tls or none."
    )
    smtp_user: str = Field(default="", description="Who signs in there; nobody if empty.")
    smtp_password: SecretStr | None = Field(default=None, description="The password for it.")
    smtp_authorities: Path | None = Field(
        default=None, description="File with the only authorities that may vouch for it."
    )
    mail_from: str = Field(default="", description="The address that mail comes from.")
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="Least to log."
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token for /metrics from elsewhere than this machine."
    )
    session_hours: int = Field(default=12, ge=1, le=72, description="How long a sign-in lasts.")
    session_idle_minutes: int = Field(
        default=120, ge=5, le=4320, description="How long a sign-in lasts without a request."
    )
    oidc_issuer: str | None = Field(
        default=None, description="Address of an identity provider (OpenID Connect) beside passwords."
    )
    oidc_client_id: str | None = Field(default=None, description="What the provider calls this service.")
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="The secret that the provider gave it; none for a public client."
    )
    oidc_name: str = Field(
        default="", max_length=40, description="What people call the provider, on the sign-in page."
    )
    oidc_email_domains: str = Field(
        default="",
        description="Domains whose verified addresses link to an account, such as a.example,b.example.",
    )
    oidc_allow_private: bool = Field(
        default=False, description="Let the provider be at a private address or without TLS (intranets)."
    )
    max_body_bytes: int = Field(
        default=1_000_000, ge=1_000, description="Largest body of an ordinary request."
    )
    max_batch_bytes: int = Field(
        default=64_000_000, ge=1_000, description="Largest body of a batch of posts."
    )
    database_pool: int = Field(default=10, ge=1, le=100, description="Connections kept to PostgreSQL.")
    read_seconds: int = Field(default=5, ge=1, description="Wait between two rounds of reading posts.")
    group_seconds: int = Field(
        default=30, ge=1, description="Longest wait between two rounds of grouping; after short ones, less."
    )
    deliver_seconds: int = Field(default=2, ge=1, description="Wait between two rounds of delivery.")
    undo_seconds: int = Field(
        default=30, ge=0, le=300, description="How long an officer's decision can be undone before it leaves."
    )
    referral_minutes: int = Field(
        default=10,
        ge=1,
        le=120,
        description="How long a referral may wait unopened before people are called.",
    )
    backtest_seconds: int = Field(default=2, ge=1, description="Wait between two rounds of back-testing.")
    sweep_seconds: int = Field(default=300, ge=1, description="Wait between two sweeps of what has run out.")

    @field_validator("public_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be http:// or https:// with a host, and no query")
        return value.rstrip("/")

    @field_validator("oidc_issuer")
    @classmethod
    def _issuer_address(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "https://unset")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must be https:// with a host, and no query")
        return value or None

    @property
    def email_domains(self) -> frozenset[str]:
        """The domains whose verified addresses link to an account."""
        return frozenset(one.strip().lower() for one in self.oidc_email_domains.split(",") if one.strip())

    @property
    def is_https(self) -> bool:
        """Whether people reach the service over TLS."""
        return self.public_url.startswith("https://")

    @property
    def public_origin(self) -> str:
        """Scheme, host and port of the public address, as a browser names an origin."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @classmethod
    def from_environment(cls) -> Self:
        """Return the settings of this process.

        Raises
        ------
        ConfigurationError
            If a variable is unknown or its value is not allowed. Values are not repeated.
        """
        known = {PREFIX + name.upper() for name in cls.model_fields}
        unknown = sorted(
            name
            for name in os.environ
            if name.startswith(PREFIX) and name not in known and not name.startswith(FOR_TESTS)
        )
        if unknown:
            raise ConfigurationError(f"unknown setting in the environment: {', '.join(unknown)}")
        try:
            return cls()
        except ValidationError as error:
            wrong = "; ".join(f"{PREFIX}{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
            raise ConfigurationError(wrong) from None

    def secret_bytes(self) -> bytes:
        """Return the secret that is set, or the one in the secret file, which is made if missing.

        Raises
        ------
        ConfigurationError
            If it is shorter than 32 characters, or the file cannot be read or made.
        """
        if self.secret is not None:
            value = self.secret.get_secret_value().strip()
        else:
            try:
                value = _read_or_make(self.secret_file)
            except OSError as error:
                raise ConfigurationError(
                    f"secret file {self.secret_file}: {error.strerror or 'cannot be used'}"
                ) from None
        if len(value) < MINIMUM_SECRET:
            raise ConfigurationError(f"the secret must have at least {MINIMUM_SECRET} characters")
        return value.encode()


def _read_or_make(path: Path) -> str:
    """Return the content of the file; two processes that start at once agree on one secret."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
