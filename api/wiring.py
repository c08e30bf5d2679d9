"""Build the one `Service` that routes, commands and jobs take their parts from.

Nothing else constructs a database, a screener or a bundle. A part that a command does not need
is not loaded: `tingjian account` starts no classifier.

Neighbours: `settings` reads the environment; the rooms' own settings classes take values from it.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from itsdangerous import Signer

from alerts.settings import AlertsSettings, MailSecurity, MailSettings
from api.settings import Settings
from models.database import Database
from models.errors import ConfigurationError, Unavailable
from moderation.settings import ModerationSettings
from sentiment.settings import SentimentSettings

if TYPE_CHECKING:
    from alerts.channels import Channel
    from api.oidc import Provider
    from learning.bundle import Bundle
    from moderation.group_commit import GroupCommit
    from moderation.pipeline import Screener
    from moderation.queue import LastCounts


@dataclass(frozen=True)
class Keys:
    """Keys for separate uses, each derived from the one secret, so that none tells of another."""

    secret: bytes = field(repr=False)

    def derive(self, use: str) -> bytes:
        """Return 32 bytes for one use."""
        return hmac.digest(self.secret, b"tingjian/" + use.encode(), "sha256")

    @cached_property
    def authors(self) -> bytes:
        """Key of the hash that stands for an author."""
        return self.derive("authors")

    @cached_property
    def fingerprints(self) -> bytes:
        """Key of the fingerprint that proves what a deleted post was."""
        return self.derive("fingerprints")

    @cached_property
    def likeness(self) -> bytes:
        """Key of the fingerprints by which near-duplicates in the queue are found."""
        return self.derive("likeness")

    @cached_property
    def second_factors(self) -> bytes:
        """Key that seals the secrets of second factors and hashes recovery codes."""
        return self.derive("second-factors")

    @cached_property
    def provider(self) -> bytes:
        """Key that seals the cookie of a sign-in on its way through the identity provider."""
        return self.derive("provider")

    @cached_property
    def channels(self) -> bytes:
        """Key that seals addresses of chats and private keys of signatures."""
        return self.derive("channels")

    @cached_property
    def cookies(self) -> Signer:
        """Signer of session cookies."""
        return Signer(self.derive("cookies"), salt="sign-in", digest_method=hashlib.sha256)


@dataclass
class Service:
    """The parts of the running service. Tests hand in their own; `build_service` makes the real ones."""

    settings: Settings
    database: Database
    keys: Keys
    screener: "Screener | None" = None
    bundle: "Bundle | None" = None
    """What reads needs and groups them."""
    classifier: "Bundle | None" = None
    """What judges harms, as a rule the bundle; with a transformer, that and the bundle beside it."""
    moderation: ModerationSettings = field(default_factory=ModerationSettings)
    sentiment: SentimentSettings = field(default_factory=SentimentSettings)
    alerts: AlertsSettings = field(default_factory=AlertsSettings)
    channels: Mapping[str, "Channel"] = field(default_factory=dict)
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    @cached_property
    def intake(self) -> "GroupCommit":
        """The door for single posts.

        Raises
        ------
        Unavailable
            If no screener is loaded.
        """
        from moderation.group_commit import GroupCommit  # noqa: PLC0415 - as in `_furnish`

        if self.screener is None:
            raise Unavailable("no screener is loaded")
        return GroupCommit(self.database, self.screener, self.keys)

    @cached_property
    def last_counts(self) -> "LastCounts":
        """How much waits in the queue, as it was counted last."""
        from moderation.queue import LastCounts  # noqa: PLC0415 - as in `_furnish`

        return LastCounts()

    @cached_property
    def provider(self) -> "Provider | None":
        """The identity provider beside passwords, if the operator named one."""
        from api.oidc import Provider  # noqa: PLC0415 - as in `_furnish`

        if self.settings.oidc_issuer is None:
            return None
        return Provider(self.settings, self.keys.provider)

    def close(self) -> None:
        """Take what still waits, and give every connection back."""
        if self.__dict__.get("provider") is not None:
            self.provider.close()  # type: ignore[union-attr]
        if "intake" in self.__dict__:
            self.intake.close()
        for channel in self.channels.values():
            channel.close()
        self.database.close()


NO_BUNDLE = Path("none")
"""The value of TINGJIAN_BUNDLE that loads no classifier: rules run, and every verdict is at least hold."""


def build_service(settings: Settings, *, models: bool = True) -> Service:
    """Return a service over these settings; with `models` false, one with the records alone.

    Raises
    ------
    ConfigurationError
        If the secret, the database's address, a rulebook or a bundle cannot be used.
    """
    if settings.oidc_issuer is not None and settings.oidc_client_id is None:
        raise ConfigurationError("an identity provider needs TINGJIAN_OIDC_CLIENT_ID beside its issuer")
    service = Service(
        settings=settings,
        database=Database(settings.database_url, pool_size=settings.database_pool),
        keys=Keys(settings.secret_bytes()),
    )
    service.alerts = _alerts_settings(settings, service.keys)
    if models:
        _furnish(service)
    return service


def _alerts_settings(settings: Settings, keys: Keys) -> AlertsSettings:
    password = settings.smtp_password
    try:
        mail = settings.smtp_host and MailSettings(
            host=settings.smtp_host,
            sender=settings.mail_from,
            port=settings.smtp_port,
            security=MailSecurity(settings.smtp_security),
            user=settings.smtp_user,
            password=password.get_secret_value() if password else "",
            authorities=settings.smtp_authorities,
        )
    except ValueError as error:
        raise ConfigurationError(f"mail cannot be sent like this: {error}") from None
    return AlertsSettings(
        allow_private=settings.allow_private_webhooks,
        sealing=keys.channels,
        mail=mail or None,
        public_url=settings.public_url,
        consent_days=settings.consent_days,
    )


def _furnish(service: Service) -> None:
    # Imported here, because a command about accounts must not wait for a classifier's libraries.
    from alerts.channels import channels  # noqa: PLC0415
    from api.classifier import open_classifier  # noqa: PLC0415
    from api.passes import Passes  # noqa: PLC0415
    from learning.bundle import load_bundle  # noqa: PLC0415
    from moderation.arrangement import Base  # noqa: PLC0415
    from moderation.pipeline import load_screener  # noqa: PLC0415
    from moderation.running import RunningScreener  # noqa: PLC0415

    settings = service.settings
    if settings.bundle != NO_BUNDLE:
        service.classifier = open_classifier(
            settings.bundle, settings.transformer, settings.transformer_labels
        )
        # Demands are grouped by the bundle's own vectors, for which the grouping was fitted.
        service.bundle = getattr(service.classifier, "beside", service.classifier)
    elif settings.transformer is not None:
        raise ConfigurationError("a transformer needs a bundle beside it: TINGJIAN_BUNDLE is none")
    service.moderation = ModerationSettings(
        operator_rulebooks=settings.rulebooks,
        undo=timedelta(seconds=settings.undo_seconds),
        referral_unopened=timedelta(minutes=settings.referral_minutes),
    )
    content = _judged(settings)
    passes = Passes(settings.secret_file.parent / "passed", service.keys.derive("door"))
    has_passed = content is not None and passes.holds(content)
    first = load_screener(service.moderation, service.classifier, has_passed=has_passed)
    if content is not None and not has_passed and content == _judged(settings):
        passes.keep(content)
    base = Base(
        first.policy,
        first.bundle,
        operator_rulebooks=(settings.rulebooks,) if settings.rulebooks else (),
        open_bundle=load_bundle,
    )
    service.screener = RunningScreener(first, base, service.database)
    service.channels = channels(service.alerts, service.database)


def _judged(settings: Settings) -> str | None:
    """Return the hash of all that the door judges, or None where files do not tell it."""
    from api.passes import content_of  # noqa: PLC0415 - as in `_furnish`
    from learning.bundle import SHIPPED  # noqa: PLC0415 - as in `_furnish`

    bundle = None if settings.bundle == NO_BUNDLE else settings.bundle or SHIPPED
    named = [folder for folder in (bundle, settings.rulebooks) if folder is not None]
    if settings.transformer is not None or not all(folder.is_dir() for folder in named):
        return None
    return content_of(bundle, settings.rulebooks)


@contextmanager
def open_service(*, models: bool = False) -> Iterator[Service]:
    """Yield a service over the environment's settings and give its connections back at the end.

    Raises
    ------
    ConfigurationError
        If a setting cannot be used, or the database has not the schema of this release.
    """
    service = build_service(Settings.from_environment(), models=models)
    try:
        service.database.refuse_other_schema()
        yield service
    finally:
        service.close()
