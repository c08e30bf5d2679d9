"""A real SMTP server that takes mail, or refuses, or hangs; with a certificate of its own."""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "tingjian", "plum-tree"


@dataclass
class Mailbox:
    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    signed_in: list[bool] = field(default_factory=list)
    answer: str = "250 OK"
    ended: threading.Event = field(default_factory=threading.Event)
    hang: float = 0.0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's naming
        del server
        if self.hang:
            import asyncio

            for _ in range(int(self.hang / 0.05)):
                if self.ended.is_set():
                    break
                await asyncio.sleep(0.05)
        if self.answer.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            self.raw.append(content)
            self.letters.append(message_from_bytes(content, policy=default))  # type: ignore[arg-type]
            self.over_tls.append(session.ssl is not None)
            self.signed_in.append(bool(session.authenticated))
        return self.answer


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's TLS context for localhost and the file of the authority that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / "authority.pem", folder / "key.pem"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, private)
    return context, authority


class _Controller(Controller):
    """Binds to a free port and tells which."""

    def __init__(self, box: Mailbox, *, implicit: ssl.SSLContext | None, **options: Any) -> None:
        super().__init__(box, hostname="localhost", port=0, ssl_context=implicit, **options)

    def _trigger_server(self) -> None:
        """Knock at the port that was given, so that the server is made, and say nothing."""
        assert self.server is not None
        with socket.create_connection(self.server.sockets[0].getsockname()[:2], 5):
            self._factory_invoked.wait(5)


@contextmanager
def mailbox(
    tls: ssl.SSLContext | None = None, *, implicit: bool = False, password: bool = False
) -> Iterator[Mailbox]:
    """Yield a server: with `tls` it offers STARTTLS, or speaks TLS from the start with `implicit`."""
    box = Mailbox()

    def sign_in(_: object, __: object, ___: object, ____: object, data: Any) -> AuthResult:
        good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=False, auth_data=data.login if good else None)

    options: dict[str, Any] = {}
    if tls is not None and not implicit:
        options |= {"tls_context": tls, "require_starttls": True}
    if password:
        options |= {"authenticator": sign_in, "auth_required": True, "auth_require_tls": not implicit}
    controller = _Controller(box, implicit=tls if implicit else None, **options)
    controller.start()
    assert controller.server is not None
    box.port = controller.server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        box.ended.set()
        controller.stop()
