"""A question with its clock, a roster, an expert and a station with a booking, for tests of who gets in."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlmodel import Session, select

from alerts import (
    activities,
    attachments,
    bookings,
    dispatch,
    duty,
    duty_feed,
    experts,
    gaps,
    questions,
    sign_ups,
    stations,
)
from alerts.actor import Actor
from models.account import Grant
from models.base import new_id
from models.clock import Clock, ClockCall, Handover
from models.post import Post
from models.service_vocabulary import CallStage, ClockRule, ClockSubject, ExpertField, HandoverState

__all__ = ["PNG", "furnish", "furnish_place", "questions"]
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 20 + b"\x00\x00\x00\x00IEND\xaeB`\x82"


def furnish(session: Session, officer: str, now: datetime, folder: Path) -> dict[str, str]:
    """Put a question with its clock, a roster, an expert and a station with what it does at gd/dongguan."""
    actor = Actor(officer, "o", ("gd",))
    asked = session.exec(select(Post).where(Post.external_id == "asked")).one()
    handed = session.exec(select(Post).where(Post.external_id == "handed")).one()
    running = session.exec(select(Clock).where(Clock.subject_id == asked.id)).one()
    other = session.exec(select(Clock).where(Clock.subject_id == handed.id)).one()
    calling = ClockCall(
        stage=CallStage.WARNING,
        organisation="gd/dongguan",
        about="gd/dongguan",
        clocks=[running.id],
        earliest_due=running.due_at,
        raised_at=now,
    )
    suggestion = Handover(
        clock_id=running.id,
        from_organisation="gd/dongguan",
        to_organisation="gd/dongguan/houjie",
        state=HandoverState.SUGGESTED,
        reason="帖子提到这个地方。",
        made_by="service",
        made_at=now,
    )
    session.add_all([calling, suggestion])
    dispatch.hand_over(session, other.id, actor, "gd/dongguan", reason="东莞的事", now=now)
    people = sorted(duty.serving(session, "gd/dongguan"))[:2]
    plan = duty.LayerPlan("主班", tuple(people), date(2026, 3, 16))
    layer = duty.make_layer(session, "gd/dongguan", plan, actor, now=now)
    turns = duty.turns_between(session, "gd/dongguan", date(2026, 3, 20), date(2026, 3, 21))
    report = gaps.report_holiday(session, "gd/dongguan", date(2026, 4, 4), actor, now=now)
    duty.override(session, layer.id, date(2026, 4, 4), people[1], actor, reason="换人", now=now)
    feed, feed_token = duty_feed.make_feed(session, "gd/dongguan", actor, now=now)
    expert = experts.add_expert(
        session, "gd/dongguan", experts.ExpertPlan("王老师", ExpertField.LAW), actor, now=now
    )
    _, token = experts.invite(session, expert.id, other.id, actor, now=now)
    hours = {str(day): [["09:00", "18:00"]] for day in range(1, 8)}
    station = stations.make_station(
        session,
        "gd/dongguan",
        stations.StationPlan("青年之家", "体育路", hours, ("法律咨询",), capacity=2),
        actor,
        now=now,
    )
    booking, _ = bookings.book(
        session,
        station.id,
        bookings.Wish("one", datetime(2026, 3, 17, 2, tzinfo=UTC), "法律咨询"),
        source="forum",
        scope=["gd"],
        actor="key:test",
        now=now,
    )
    activity = activities.plan_activity(
        session,
        station.id,
        activities.ActivityPlan("简历门诊", now + timedelta(days=2), now + timedelta(days=2, hours=2), 5),
        actor,
        now=now,
    )
    signed, _ = sign_ups.sign_up(
        session, activity.id, "one", source="forum", scope=["gd"], actor="key:test", now=now
    )
    later = now + timedelta(days=3)
    photo = attachments.to_activity(
        session, activity.id, actor, attachments.Upload("a.png", PNG), folder, now=later
    )
    return {
        "clock_id": running.id,
        "handed_clock_id": other.id,
        "asked_id": asked.id,
        "call_id": calling.id,
        "handover_id": suggestion.id,
        "layer_id": layer.id,
        "serving_id": people[0],
        "turn_id": turns[0].id,
        "other_turn_id": turns[1].id,
        "holiday_id": report.id,
        "duty_feed_id": feed.id,
        "duty_feed_token": feed_token,
        "expert_id": expert.id,
        "invitation_token": token,
        "station_id": station.id,
        "booking_id": booking.id,
        "activity_id": activity.id,
        "sign_up_id": signed.id,
        "photo_id": photo.id,
    }


def furnish_place(session: Session, now: datetime, place: str, word: str) -> None:
    """Put a clock with its call and a proposal, a roster, an expert and a station at a place, all named."""
    clock = Clock(
        subject=ClockSubject.QUESTION,
        subject_id=new_id(),
        organisation=place,
        rule=ClockRule.WORKING_HOURS,
        started_at=now,
        due_at=now + timedelta(hours=3),
    )
    session.add(clock)
    session.flush()
    session.add_all(
        [
            ClockCall(
                stage=CallStage.WARNING,
                organisation=place,
                about=place,
                clocks=[clock.id],
                earliest_due=clock.due_at,
                raised_at=now,
            ),
            Handover(
                clock_id=clock.id,
                from_organisation=place,
                to_organisation="gd/dongguan/houjie",
                state=HandoverState.SUGGESTED,
                place=word,
                reason=f"{word}的帖子",
                made_by="service",
                made_at=now,
            ),
        ]
    )
    actor = Actor("c" * 32, "协调员", (place,))
    somebody = session.exec(select(Grant.account_id).where(Grant.organisation == place)).first() or ""
    plan = duty.LayerPlan(f"{word}主班", (somebody,), date(2026, 3, 16))
    duty.make_layer(session, place, plan, actor, now=now)
    if "/" in place:
        gaps.report_holiday(session, place, date(2026, 4, 4), actor, now=now)
    experts.add_expert(session, place, experts.ExpertPlan(f"{word}律师", ExpertField.LAW), actor, now=now)
    hours = {str(day): [["09:00", "18:00"]] for day in range(1, 8)}
    made = stations.StationPlan(f"{word}青年之家", f"{word}路", hours, ("法律咨询",))
    station = stations.make_station(session, place, made, actor, now=now)
    activities.plan_activity(
        session,
        station.id,
        activities.ActivityPlan(f"{word}读书会", now + timedelta(days=2), now + timedelta(days=3), 5),
        actor,
        now=now,
    )
    wish = bookings.Wish(word, datetime(2026, 3, 17, 2, tzinfo=UTC), "法律咨询")
    bookings.book(session, station.id, wish, source="forum", scope=["gd"], actor="key:test", now=now)
