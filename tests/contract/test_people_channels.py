"""Mail, chats and the inbox against peers that others wrote, and against peers that behave badly."""

import base64
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlmodel import select

from alerts.channels.channel import Envelope
from alerts.channels.chat import ChatChannel, check_chat
from alerts.channels.inbox import InboxChannel
from alerts.channels.mail import MailChannel, check_address
from alerts.settings import AlertsSettings, MailSecurity, MailSettings
from models.database import Database
from models.errors import InvalidInput
from models.office import OfficeMessage
from models.outbox import OutboxMessage, tell_office
from models.sealing import seal
from models.vocabulary import ChannelKind, Topic
from tests.support import voices
from tests.support.mailbox import PASSWORD, USER, certificate, mailbox
from tests.support.receiver import Answer, Received, receiver

KEY = b"k" * 32
AT = datetime(2026, 3, 16, 4, tzinfo=UTC)
# A peer hangs for 20 s and the limit is 1 s: far enough from both for a busy machine.
LEFT_BY = 10.0
OPEN = AlertsSettings(allow_private=True, timeout=1.0, sealing=KEY, public_url="https://tingjian.example")
MESSAGE = "0" * 31 + "1"
FIGURES = {
    "title": "宿舍热水停供",
    "sequence": 2,
    "organisation": "gd/dongguan",
    "names": {"gd/dongguan": "东莞市"},
    "doing": "正在检修",
    "counts": {"posts": 40, "authors": 20},
}


def envelope(**changes: object) -> Envelope:
    values: dict[str, object] = {
        "id": MESSAGE,
        "topic": "event.reported",
        "created_at": AT,
        "payload": {"event": "e1", "figures": FIGURES},
        "address": "office@gd.example",
        "secret": "",
        "endpoint_id": "e" * 32,
        "organisation": "gd",
        "office": "广东省",
    }
    return Envelope(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


def server(port: int, security: MailSecurity, authorities: Path | None, **more: str) -> MailChannel:
    mail = MailSettings("localhost", "tingjian@gd.example", port, security, authorities=authorities, **more)
    return MailChannel(mail, OPEN)


def test_a_mail_server_takes_letters_over_starttls_in_the_language_of_the_office(
    tls: tuple[ssl.SSLContext, Path],
) -> None:
    context, authority = tls
    with mailbox(context, password=True) as box:
        post = server(box.port, MailSecurity.STARTTLS, authority, user=USER, password=PASSWORD)
        first = post.send(envelope(), at=AT)
        again = post.send(envelope(), at=datetime.now(UTC))
        english = post.send(envelope(id="2" * 32, language="en", office="Guangdong"), at=AT)
        wrong = server(box.port, MailSecurity.STARTTLS, authority, user=USER, password="no").send(
            envelope(), at=AT
        )

    assert (first.succeeded, again.succeeded, english.succeeded) == (True, True, True), first
    assert (wrong.succeeded, wrong.error, wrong.refused) == (False, "smtp_sign_in", False)
    assert (box.over_tls, box.signed_in) == ([True] * 3, [True] * 3)
    letter, same, other = box.letters
    assert box.raw[0] == box.raw[1], "every try is the same letter"
    assert letter["message-id"] == same["message-id"] == f"<{MESSAGE}@gd.example>"
    assert letter["subject"] == "【听见】事件上报：宿舍热水停供"
    assert letter["auto-submitted"] == "auto-generated"
    plain, page = (letter.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    for told in ("东莞市", "40", "20", "正在检修", "https://tingjian.example/inbox"):
        assert told in plain
        assert told in page
    assert other["subject"] == "[Tingjian] Event reported: 宿舍热水停供"
    assert "40 posts by 20 people" in other.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_mail_goes_over_tls_and_never_to_a_server_that_nobody_vouches_for(
    tls: tuple[ssl.SSLContext, Path],
) -> None:
    context, authority = tls
    with mailbox(context, implicit=True) as box:
        taken = server(box.port, MailSecurity.TLS, authority).send(envelope(), at=AT)
        unknown = server(box.port, MailSecurity.TLS, None).send(envelope(), at=AT)
    with mailbox() as bare:
        unprotected = server(bare.port, MailSecurity.STARTTLS, authority).send(envelope(), at=AT)
    gone = server(bare.port, MailSecurity.NONE, None).send(envelope(), at=AT)

    assert taken.succeeded
    assert (unknown.succeeded, unknown.error) == (False, "tls")
    assert (unprotected.succeeded, unprotected.error) == (False, "no_tls")
    assert (gone.succeeded, gone.error, gone.slow) == (False, "no_connection", True)
    assert len(box.letters) == 1
    assert bare.letters == []


def test_a_lasting_refusal_is_final_a_passing_one_is_not_and_a_hanging_server_is_left() -> None:
    outcomes = []
    with mailbox() as box:
        post = server(box.port, MailSecurity.NONE, None)
        for answer in ("550 no such office", "451 later"):
            box.answer = answer
            outcomes.append(post.send(envelope(), at=AT))
        box.answer, box.hang = "250 OK", 20.0
        began = time.monotonic()
        hanging = post.send(envelope(), at=AT)
        spent = time.monotonic() - began
        box.ended.set()

    assert [(one.error, one.refused) for one in outcomes] == [("smtp_550", True), ("smtp_451", False)]
    assert (hanging.error, hanging.slow) == ("timeout", True)
    assert spent < LEFT_BY


def test_no_value_begins_a_header_or_markup_of_its_own() -> None:
    evil = {**FIGURES, "title": "热水\r\nBcc: all@example.com <script>alert(1)</script>"}
    with mailbox() as box:
        sent = server(box.port, MailSecurity.NONE, None).send(envelope(payload={"figures": evil}), at=AT)

    assert sent.succeeded
    letter = box.letters[0]
    assert letter["bcc"] is None
    assert "<script>" not in letter.get_body(("html",)).get_content()  # type: ignore[union-attr]
    for address in ("a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "两@b.example", "a@b"):
        with pytest.raises(InvalidInput):
            check_address(address)
    with pytest.raises(ValueError, match="a password needs"):
        MailSettings("h", "a@b.example", security=MailSecurity.NONE, user="u")


@pytest.fixture
def robots() -> Iterator[tuple[ChatChannel, list[Answer], list[Received]]]:
    answers: list[Answer] = []
    with receiver(lambda _: answers.pop(0)) as peer:
        base = peer.url.removesuffix("/hook")
        hosts = dict.fromkeys(("wecombot", "dingtalk", "feishu", "lark"), base)
        channel = ChatChannel(OPEN, hosts=hosts)
        yield channel, answers, peer.received
        channel.close()


def chat(address: str, **changes: object) -> Envelope:
    return envelope(address="chat://…", sealed=seal(KEY, address.encode(), "e" * 32), **changes)


WECOM = "wecombot://12345678-1234-1234-1234-1234567890ab"
FEISHU = "feishu://abcdefabcdefabcdefabcdefabcdef12"
DINGTALK = "dingtalk://SEC1234567890@abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd"


def test_robots_are_believed_only_if_status_and_number_say_so(
    robots: tuple[ChatChannel, list[Answer], list[Received]],
) -> None:
    channel, answers, received = robots
    for body, expected in (
        (b'{"errcode": 0, "errmsg": "ok"}', (True, None, False)),
        (b'{"errcode": 93000, "errmsg": "invalid webhook url"}', (False, "refused_93000", False)),
        (b'{"errcode": 45009, "errmsg": "freq"}', (False, "refused_45009", True)),
        (b"<html>captive portal</html>", (False, "answer", False)),
    ):
        answers.append(Answer(200, body=body))
        outcome = channel.send(chat(WECOM), at=AT)
        assert (outcome.succeeded, outcome.error, outcome.slow) == expected
    answers.append(Answer(302, headers={"location": "http://169.254.169.254/"}))
    assert channel.send(chat(WECOM), at=AT).error == "redirect"

    sent = json.loads(received[0].body)["text"]["content"]
    assert "事件上报：宿舍热水停供" in sent
    assert MESSAGE in sent, "people can see that a repeat is one"
    assert received[0].path.endswith("key=12345678-1234-1234-1234-1234567890ab")


def test_feishu_and_dingtalk_get_their_own_forms_and_dingtalk_its_signature(
    robots: tuple[ChatChannel, list[Answer], list[Received]],
) -> None:
    channel, answers, received = robots
    answers += [Answer(200, body=b'{"code": 0}'), Answer(200, body=b'{"errcode": 0}')]
    feishu, dingtalk = channel.send(chat(FEISHU), at=AT), channel.send(chat(DINGTALK), at=AT)

    assert (feishu.succeeded, dingtalk.succeeded) == (True, True)
    assert json.loads(received[0].body)["msg_type"] == "text"
    asked = parse_qs(urlsplit(received[1].path).query)
    moment = asked["timestamp"][0]
    digest = hmac.new(b"SEC1234567890", f"{moment}\nSEC1234567890".encode(), hashlib.sha256).digest()
    assert asked["sign"] == [base64.b64encode(digest).decode()]
    assert moment == str(int(AT.timestamp() * 1000))


def test_other_services_go_through_the_library_which_follows_no_redirect() -> None:
    channel = ChatChannel(OPEN)
    with receiver() as elsewhere, receiver() as peer:
        port = peer.server.server_port
        taken = channel.send(chat(f"json://127.0.0.1:{port}/in"), at=AT)
        peer.answer = lambda _: Answer(302, headers={"location": elsewhere.url})
        led_away = channel.send(chat(f"json://127.0.0.1:{port}/in"), at=AT)
    channel.close()

    assert (taken.succeeded, led_away.succeeded, led_away.error) == (True, False, "not_taken")
    assert elsewhere.received == []
    assert "宿舍热水停供" in json.loads(peer.received[0].body)["title"]


@pytest.mark.parametrize(
    "address",
    [
        "json://127.0.0.1/in",
        "jsons://hooks.example/in",
        "gotify://10.0.0.1/token",
        "mailto://user:pass@example.com",
        "syslog://",
        "file:///etc/passwd",
        "wecombot://",
        f"{WECOM}?verify=no",
        f"{FEISHU}?redirect=yes",
        "feishu://a\nb",
        "x" * 600,
    ],
)
def test_only_chats_whose_hosts_are_fixed_are_taken(address: str) -> None:
    with pytest.raises(InvalidInput):
        check_chat(address, allow_private=False)


def test_a_chat_is_never_called_at_a_private_address_nor_with_a_seal_that_was_moved() -> None:
    private = replace(OPEN, allow_private=False)
    with receiver() as peer:
        base = peer.url.removesuffix("/hook").replace("127.0.0.1", "robot.example")
        channel = ChatChannel(private, resolver=lambda *_: ["127.0.0.1"], hosts={"wecombot": base})
        led_inside = channel.send(chat(WECOM), at=AT)
        moved = channel.send(chat(WECOM, endpoint_id="f" * 32), at=AT)
        channel.close()

    assert led_inside.error == "private_address"
    assert (moved.error, moved.refused) == ("address", True)
    assert peer.received == []


def test_no_secret_of_a_channel_is_printed() -> None:
    shown = repr(chat(WECOM, secret="whsec_MA==", old_secret="whsec_MQ==")) + repr(
        replace(OPEN, mail=MailSettings("h", "a@b.example", user="u", password=PASSWORD))
    )
    for hidden in ("12345678-1234", "whsec_", PASSWORD, "sealed", repr(KEY)):
        assert hidden not in shown


def test_an_inbox_holds_a_message_once_however_often_it_comes(database: Database) -> None:
    channel = InboxChannel(database)
    with database.transaction() as session:
        voices.plant(session, AT)
        listening = voices.listen(session, AT, source=None, organisation="gd")
        hook = session.get_one(voices.WebhookEndpoint, listening)
        hook.channel = ChannelKind.INBOX
        session.add(hook)
        session.flush()
        tell_office(session, "gd", Topic.EVENT_REPORTED, "e" * 32, payload={"x": 1}, now=AT, occurrence="1")
        message = session.exec(select(OutboxMessage)).one()
    sent = envelope(id=message.id, payload=message.payload)
    outcomes = [channel.send(sent, at=AT) for _ in range(2)]

    assert [one.succeeded for one in outcomes] == [True, True]
    with database.reading() as session:
        assert [one.message_id for one in session.exec(select(OfficeMessage))] == [message.id]
