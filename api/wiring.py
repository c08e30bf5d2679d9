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
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from itsdangerous import Signer

from alerts.settings import AlertsSettings
from api.settings import Settings
from models.database import Database
from models.errors import ConfigurationError, Unavailable
from moderation.settings import ModerationSettings
from sentiment.settings import SentimentSettings

if TYPE_CHECKING:
    from alerts.channels import Channel
    from learning.bundle import Bundle
    from moderation.group_commit import GroupCommit
    from moderation.pipeline import Screener


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

    def close(self) -> None:
        """Give every connection back."""
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
    service = Service(
        settings=settings,
        database=Database(settings.database_url, pool_size=settings.database_pool),
        keys=Keys(settings.secret_bytes()),
    )
    if models:
        _furnish(service)
    return service


def _furnish(service: Service) -> None:
    # Imported here, because a command about accounts must not wait for a classifier's libraries.
    from alerts.channels import channels  # noqa: PLC0415
    from api.classifier import open_classifier  # noqa: PLC0415
    from moderation.pipeline import load_screener  # noqa: PLC0415

    settings = service.settings
    if settings.bundle != NO_BUNDLE:
        service.classifier = open_classifier(
            settings.bundle, settings.transformer, settings.transformer_labels
        )
        # Demands are grouped by the bundle's own vectors, for which the grouping was fitted.
        service.bundle = getattr(service.classifier, "beside", service.classifier)
    elif settings.transformer is not None:
        raise ConfigurationError("a transformer needs a bundle beside it: TINGJIAN_BUNDLE is none")
    service.moderation = ModerationSettings(operator_rulebooks=settings.rulebooks)
    service.screener = load_screener(service.moderation, service.classifier)
    service.alerts = AlertsSettings(allow_private=settings.allow_private_webhooks)
    service.channels = channels(service.alerts)


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
