"""Mail to an office, over the operator's own server: plain text and HTML, in the receiver's language.

The Message-ID is made of the message's id, so that every try is the same letter and a mail program
shows it once. A server's lasting refusal (5xx) of a letter is final; everything else is tried again.

Refuses: a way to the server that is not protected as the settings ask.

Neighbours: `alerts/composer.py` writes the letter; `delivery` decides when.
"""

import contextlib
import re
import smtplib
import socket
import ssl
import threading
import time
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import Final

from alerts.channels.channel import Envelope, Outcome
from alerts.composer import compose
from alerts.settings import AlertsSettings, MailSecurity, MailSettings
from models.errors import InvalidInput

ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z0-9-]{2,60}")
SENDER: Final = {"zh": "听见", "en": "Tingjian"}
LASTING: Final = 500
CLOSED: Final = 421
NO_CONNECTION: Final = "no_connection"


def check_address(text: str) -> str:
    """Return an address that mail may go to.

    Raises
    ------
    InvalidInput
        If it is not one plain address.
    """
    if not ADDRESS.fullmatch(text):
        raise InvalidInput("not a mail address", code="mail_address", field="/url")
    return text


class MailChannel:
    """Sends letters, one connection for each. One instance serves any number of threads."""

    def __init__(self, mail: MailSettings, settings: AlertsSettings) -> None:
        self._mail, self._timeout, self._public_url = mail, settings.timeout, settings.public_url
        self._tls = ssl.create_default_context(cafile=str(mail.authorities) if mail.authorities else None)

    def send(self, envelope: Envelope, *, at: datetime) -> Outcome:
        """Try once. See `Channel`."""
        del at  # a letter bears the time of its cause, the same at every try
        began = time.monotonic()
        outcome = self._try(letter_of(envelope, self._mail.sender, self._public_url))
        if outcome.error == NO_CONNECTION and time.monotonic() - began >= self._timeout:
            # It was ended by ourselves.
            outcome = Outcome(succeeded=False, error="timeout", slow=True)
        return replace(outcome, milliseconds=round((time.monotonic() - began) * 1000))

    def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _try(self, letter: EmailMessage) -> Outcome:
        try:
            with _Talk(self._mail, self._timeout, self._tls) as talk:
                talk.hand_over(letter)
        except smtplib.SMTPRecipientsRefused as error:
            return _refused(next(iter(error.recipients.values()))[0])
        except (smtplib.SMTPException, OSError) as error:
            return _failed(error)
        return Outcome(succeeded=True, status=250)


class _Talk(smtplib.SMTP):
    """A talk with the server that ends with its time, however slowly the server drips."""

    def __init__(self, mail: MailSettings, timeout: float, tls: ssl.SSLContext) -> None:
        self._mail, self._tls = mail, tls
        self._ending = threading.Timer(timeout, self._end)
        try:
            super().__init__(
                mail.host, mail.port, local_hostname=mail.sender.rpartition("@")[2], timeout=timeout
            )
        except BaseException:
            self._ending.cancel()
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        """Part politely, and never turn a letter that was taken into one that was not."""
        try:
            self.quit()
        except (smtplib.SMTPException, OSError):
            self.close()
        finally:
            self._ending.cancel()

    def hand_over(self, letter: EmailMessage) -> None:
        """Protect the line, sign in, and give the letter."""
        if self._mail.security is MailSecurity.STARTTLS:
            self.starttls(context=self._tls)
        if self._mail.user:
            self.login(self._mail.user, self._mail.password)
        self.send_message(letter)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = socket.create_connection((host, port), timeout)
        self._ending.start()
        if self._mail.security is MailSecurity.TLS:
            try:
                return self._tls.wrap_socket(opened, server_hostname=host)
            except BaseException:
                opened.close()
                raise
        return opened

    def _end(self) -> None:
        if self.sock is not None:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


def letter_of(envelope: Envelope, sender: str, public_url: str) -> EmailMessage:
    """Return the letter, the same at every try."""
    words = compose(envelope, public_url)
    letter = EmailMessage(policy=SMTP)
    letter["From"] = formataddr((SENDER.get(envelope.language, SENDER["zh"]), sender))
    letter["To"] = envelope.address
    letter["Subject"] = words.subject
    letter["Date"] = format_datetime(envelope.created_at)
    letter["Message-ID"] = f"<{envelope.id}@{sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    letter["Content-Language"] = "zh-CN" if envelope.language == "zh" else "en"
    letter.set_content(words.text)
    letter.add_alternative(words.html(envelope.language), subtype="html")
    # The boundary would be drawn anew at every try.
    letter.set_boundary(f"tingjian-{envelope.id}")
    return letter


def _refused(code: int) -> Outcome:
    return Outcome(
        succeeded=False,
        status=code,
        error=f"smtp_{code}",
        refused=code >= LASTING,
        slow=code == CLOSED,
    )


def _failed(error: Exception) -> Outcome:
    """Return what went wrong, as a code."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Outcome(succeeded=False, status=error.smtp_code, error="smtp_sign_in")
    if isinstance(error, smtplib.SMTPResponseException):
        return _refused(error.smtp_code)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome(succeeded=False, error="no_tls")
    if isinstance(error, ssl.SSLError):
        return Outcome(succeeded=False, error="tls")
    if isinstance(error, TimeoutError):
        return Outcome(succeeded=False, error="timeout", slow=True)
    return Outcome(succeeded=False, error=NO_CONNECTION, slow=True)
