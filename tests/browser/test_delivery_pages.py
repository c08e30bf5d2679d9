"""Alarms, messages, silences and the log of deliveries, as people see and work them."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser
from sqlmodel import select

from models.base import new_id
from models.notice import Alarm, Silence, raise_alarm
from models.office import OfficeMessage
from models.organisation import Organisation
from models.outbox import DeliveryAttempt, OutboxMessage, WebhookEndpoint
from models.vocabulary import ChannelKind, MessageState, Topic
from tests.support.browser import PHONE, Console, findings, sign_in, visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def seed(console: Console) -> tuple[str, str]:
    """Put an alarm, a silence, a message and a delivery that failed at the top; return message and alarm."""
    now = datetime.now(UTC)
    with console.database() as database, database.transaction() as session:
        top = next(path for path in session.exec(select(Organisation.path)).all() if "/" not in path)
        alarm = raise_alarm(session, top, Topic.REFERRAL_WAITING, new_id(), occurrence=new_id(), now=now)
        alarm.escalate_at = now + timedelta(hours=2)
        mail = WebhookEndpoint(
            organisation=top,
            url="duty-desk-of-the-provincial-office@office.example",
            secret="",
            name="值班邮箱",
            created_at=now,
            channel=ChannelKind.MAIL,
            group_seconds=300,
            topics=[Topic.EVENT_REPORTED.value],
        )
        session.add_all(
            [
                mail,
                Silence(
                    organisation=top,
                    topics=[Topic.RULE_DEMOTED.value],
                    begins_at=now,
                    ends_at=now + timedelta(hours=4),
                    reason="演练",
                    created_by="-",
                    created_at=now,
                ),
            ]
        )
        session.flush()
        message = OutboxMessage(
            key=new_id(),
            channel="mail",
            endpoint_id=mail.id,
            organisation=top,
            topic=Topic.EVENT_REPORTED,
            subject_id=new_id(),
            state=MessageState.DEAD,
            attempts=2,
            due_at=now,
            created_at=now,
            settled_at=now,
            last_error="smtp_550",
        )
        session.add(message)
        session.flush()
        for error in ("timeout", "smtp_550"):
            session.add(
                DeliveryAttempt(
                    message_id=message.id, at=now, succeeded=False, error=error, milliseconds=1200
                )
            )
        session.add(
            OfficeMessage(
                message_id=message.id,
                organisation=top,
                topic=Topic.DIGEST_WEEKLY,
                payload={"from": "2026-03-09", "to": "2026-03-15", "events": 3, "closed": 1},
                arrived_at=now,
            )
        )
        return message.id, alarm.id


def test_the_pages_hold_for_everybody_and_an_alarm_is_acknowledged_without_scripts(
    chromium: Browser, console: Console
) -> None:
    message, alarm = seed(console)
    addresses = ("/alarms", "/webhooks", "/deliveries?state=dead", f"/deliveries/{message}")
    found: dict[str, list[str]] = {}
    wide: dict[str, int] = {}
    for scheme, language in (("light", "zh"), ("dark", "en")):
        with visitor(chromium, console, color_scheme=scheme, viewport=PHONE) as page:
            page.goto("/sign-in")
            if language == "en":
                page.click(".who button")
            sign_in(page, "admin")
            for address in addresses:
                answer = page.goto(address)
                assert answer is not None
                assert answer.status == 200, address
                for panel in page.locator("details").all():
                    panel.evaluate("one => { one.open = true }")
                found[f"{address} {scheme}"] = findings(page)
                wide[f"{address} {scheme}"] = page.evaluate("document.documentElement.scrollWidth")
    with visitor(chromium, console, java_script_enabled=False) as page:
        sign_in(page, "admin")
        page.goto("/alarms")
        page.locator(f"[aria-labelledby=alarm-{alarm}] button").press("Enter")
        page.wait_for_url("**/alarms?done=alarm_acknowledged")
        page.goto("/deliveries?state=dead")
        page.click("a:has-text('smtp_550')")
        assert f"/deliveries/{message}" in page.content()

    assert not any(found.values()), {address: what for address, what in found.items() if what}
    assert all(width <= PHONE["width"] for width in wide.values()), wide
    with console.database() as database, database.reading() as session:
        assert session.get_one(Alarm, alarm).acknowledged_at is not None
