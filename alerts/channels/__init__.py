"""The ways a message can leave, by the name that an outbox row holds."""

from alerts.channels.channel import Channel, Envelope, Outcome
from alerts.channels.webhook import WebhookChannel
from alerts.settings import AlertsSettings

__all__ = ["Channel", "Envelope", "Outcome", "channels"]


def channels(settings: AlertsSettings) -> dict[str, Channel]:
    """Return every channel. Close them when done."""
    return {"webhook": WebhookChannel(settings)}
