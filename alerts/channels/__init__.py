"""The ways a message can leave, by the name that an outbox row holds."""

from alerts.channels.channel import Channel, Envelope, Outcome
from alerts.channels.webhook import WebhookChannel
from alerts.settings import AlertsSettings
from models.database import Database
from models.vocabulary import ChannelKind

__all__ = ["Channel", "Envelope", "Outcome", "channels"]


def channels(settings: AlertsSettings, database: Database | None = None) -> dict[str, Channel]:
    """Return every channel that these settings can serve. Close them when done.

    Mail needs a server, chats a key that opens their addresses, and the inbox the database.
    """
    found: dict[str, Channel] = {ChannelKind.WEBHOOK.value: WebhookChannel(settings)}
    if settings.sealing is not None:
        from alerts.channels.chat import ChatChannel  # noqa: PLC0415 - the library behind it takes long to load

        found[ChannelKind.CHAT.value] = ChatChannel(settings)
    if settings.mail is not None:
        from alerts.channels.mail import MailChannel  # noqa: PLC0415 - only who sends mail needs it

        found[ChannelKind.MAIL.value] = MailChannel(settings.mail, settings)
    if database is not None:
        from alerts.channels.inbox import InboxChannel  # noqa: PLC0415 - as above

        found[ChannelKind.INBOX.value] = InboxChannel(database)
    return found
