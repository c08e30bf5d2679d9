"""the third release.

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op

from models.organisation import PathText

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("occurrence", sa.String(length=100), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("level", PathText(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("escalate_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("topic", "subject_id", "occurrence"),
    )
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.create_index("ix_alarm_open", ["acknowledged_at", "escalate_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_alarm_organisation"), ["organisation"], unique=False)

    op.create_table(
        "clock",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.String(length=32), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stage", sa.String(length=32), nullable=True),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("subject", "subject_id"),
    )
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.create_index("ix_clock_board", ["organisation", "stopped_at", "due_at"], unique=False)
        batch_op.create_index("ix_clock_sweep", ["stopped_at", "withdrawn_at", "next_at"], unique=False)

    op.create_table(
        "confirmed_year",
        sa.Column("year", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holidays", sa.JSON(), nullable=False),
        sa.Column("working", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("confirmed_by", sa.String(length=120), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("year", "sequence"),
    )
    op.create_table(
        "duty_feed",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash"),
    )
    with op.batch_alter_table("duty_feed", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duty_feed_organisation"), ["organisation"], unique=False)

    op.create_table(
        "duty_gap",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("holiday", sa.String(length=40), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation", "day"),
    )
    op.create_table(
        "duty_layer",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("cover", sa.String(length=32), nullable=False),
        sa.Column("people", sa.JSON(), nullable=False),
        sa.Column("turn_days", sa.Integer(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation", "name"),
    )
    op.create_table(
        "expert",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("alliance", sa.String(length=120), nullable=False),
        sa.Column("field", sa.String(length=32), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("expert", schema=None) as batch_op:
        batch_op.create_index("ix_expert_field", ["organisation", "field"], unique=False)

    op.create_table(
        "feed_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("incidents", sa.Boolean(), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key_hash"),
    )
    with op.batch_alter_table("feed_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_feed_key_organisation"), ["organisation"], unique=False)

    op.create_table(
        "silence",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("silence", schema=None) as batch_op:
        batch_op.create_index("ix_silence_holds", ["organisation", "ends_at"], unique=False)

    op.create_table(
        "station",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("telephone", sa.String(length=40), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("hours", sa.JSON(), nullable=False),
        sa.Column("closed_on", sa.JSON(), nullable=False),
        sa.Column("on_holidays", sa.Boolean(), nullable=False),
        sa.Column("services", sa.JSON(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("slot_minutes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("station", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_station_organisation"), ["organisation"], unique=False)

    op.create_table(
        "trend_day",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("domain", sa.String(length=32), nullable=True),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("authors", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("trend_day", schema=None) as batch_op:
        batch_op.create_index("ix_trend_day_place", ["organisation", "domain", "day"], unique=False)

    op.create_table(
        "attachment",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("added_by", sa.String(length=32), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["added_by"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.create_index("ix_attachment_subject", ["subject_id", "added_at"], unique=False)

    op.create_table(
        "clock_call",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("about", PathText(), nullable=False),
        sa.Column("clocks", sa.JSON(), nullable=False),
        sa.Column("earliest_due", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_by", sa.String(length=32), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["seen_by"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("clock_call", schema=None) as batch_op:
        batch_op.create_index("ix_clock_call_last", ["about", "stage", "raised_at"], unique=False)
        batch_op.create_index("ix_clock_call_open", ["organisation", "seen_at"], unique=False)

    op.create_table(
        "demandprobe",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("clustered", sa.Boolean(), nullable=False),
        sa.Column("demand_id", sa.String(length=32), nullable=True),
        sa.Column("population", sa.Integer(), nullable=False),
        sa.Column("candidates", sa.JSON(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answer", sa.String(length=32), nullable=True),
        sa.Column("chosen_id", sa.String(length=32), nullable=True),
        sa.Column("answered_by", sa.String(length=120), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("week", "post_id"),
    )
    with op.batch_alter_table("demandprobe", schema=None) as batch_op:
        batch_op.create_index("ix_demandprobe_open", ["answered_at", "organisation"], unique=False)

    op.create_table(
        "duty_turn",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("layer_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=32), nullable=False),
        sa.Column("changed_by", sa.String(length=120), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["layer_id"],
            ["duty_layer.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("layer_id", "day"),
    )
    with op.batch_alter_table("duty_turn", schema=None) as batch_op:
        batch_op.create_index("ix_duty_turn_day", ["organisation", "day"], unique=False)
        batch_op.create_index("ix_duty_turn_frozen", ["frozen_at", "day"], unique=False)

    op.create_table(
        "handover",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("clock_id", sa.String(length=32), nullable=False),
        sa.Column("from_organisation", PathText(), nullable=False),
        sa.Column("to_organisation", PathText(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("place", sa.String(length=120), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=120), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.String(length=120), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["clock.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("handover", schema=None) as batch_op:
        batch_op.create_index("ix_handover_clock", ["clock_id"], unique=False)
        batch_op.create_index("ix_handover_open", ["state", "from_organisation"], unique=False)

    op.create_table(
        "holiday_report",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("to_organisation", PathText(), nullable=False),
        sa.Column("holiday", sa.String(length=40), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("turns", sa.JSON(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("reported_by", sa.String(length=32), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["reported_by"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("organisation", "first_day", "sequence"),
    )
    with op.batch_alter_table("holiday_report", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_holiday_report_to_organisation"), ["to_organisation"], unique=False
        )

    op.create_table(
        "invitation",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("expert_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("field", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("invited_by", sa.String(length=120), nullable=False),
        sa.Column("invited_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["expert_id"],
            ["expert.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("expert_id", "post_id"),
        sa.UniqueConstraint("token_hash"),
    )
    with op.batch_alter_table("invitation", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_invitation_organisation"), ["organisation"], unique=False)
        batch_op.create_index("ix_invitation_post", ["post_id"], unique=False)

    op.create_table(
        "member_note",
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("post_id"),
    )
    op.create_table(
        "question_answer",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("clock_id", sa.String(length=32), nullable=False),
        sa.Column("answer_key", sa.String(length=200), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=True),
        sa.Column("answered_by", sa.String(length=32), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reported_by", sa.String(length=120), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["clock_id"],
            ["clock.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("clock_id", "answer_key"),
    )
    with op.batch_alter_table("question_answer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_question_answer_post_id"), ["post_id"], unique=False)

    op.create_table(
        "station_slot",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("station_id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("booked", sa.Integer(), nullable=False),
        sa.CheckConstraint("booked >= 0 AND booked <= capacity", name="ck_station_slot_room"),
        sa.ForeignKeyConstraint(
            ["station_id"],
            ["station.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("station_id", "starts_at"),
    )
    op.create_table(
        "demandcorrection",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("demand_id", sa.String(length=32), nullable=False),
        sa.Column("other_id", sa.String(length=32), nullable=True),
        sa.Column("posts", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=120), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undo_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undoes", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["demand_id"],
            ["demand.id"],
        ),
        sa.ForeignKeyConstraint(
            ["other_id"],
            ["demand.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("demandcorrection", schema=None) as batch_op:
        batch_op.create_index("ix_demandcorrection_demand", ["demand_id", "made_at"], unique=False)
        batch_op.create_index("ix_demandcorrection_other", ["other_id"], unique=False)

    op.create_table(
        "demandsuggestion",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("demand_id", sa.String(length=32), nullable=False),
        sa.Column("other_id", sa.String(length=32), nullable=True),
        sa.Column("posts", sa.JSON(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("suggested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_reason", sa.Text(), nullable=True),
        sa.Column("correction_id", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["demand_id"],
            ["demand.id"],
        ),
        sa.ForeignKeyConstraint(
            ["other_id"],
            ["demand.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("fingerprint"),
    )
    with op.batch_alter_table("demandsuggestion", schema=None) as batch_op:
        batch_op.create_index("ix_demandsuggestion_state", ["state", "organisation"], unique=False)

    op.create_table(
        "demandvoice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("demand_id", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=64), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=True),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["demand_id"],
            ["demand.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("demand_id", "author"),
    )
    op.create_table(
        "officemessage",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("read_by", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["outboxmessage.id"],
        ),
        sa.ForeignKeyConstraint(
            ["read_by"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("message_id"),
    )
    with op.batch_alter_table("officemessage", schema=None) as batch_op:
        batch_op.create_index("ix_office_message", ["organisation", "arrived_at"], unique=False)

    op.create_table(
        "eventpost",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("event_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["event.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", "post_id"),
    )
    with op.batch_alter_table("eventpost", schema=None) as batch_op:
        batch_op.create_index("ix_event_post_post", ["post_id"], unique=False)

    op.create_table(
        "caseconsent",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("item", sa.String(length=32), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("wording", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=32), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["asked_by"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["demand_case.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token_hash", "item"),
    )
    with op.batch_alter_table("caseconsent", schema=None) as batch_op:
        batch_op.create_index("ix_case_consent_case", ["case_id", "item"], unique=False)

    op.create_table(
        "caserating",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("ballot", sa.String(length=32), nullable=False),
        sa.Column("rating", sa.String(length=32), nullable=False),
        sa.Column("rated_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["demand_case.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("case_id", "round", "ballot"),
    )
    op.create_table(
        "casetelling",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("authors", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["demand_case.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("casetelling", schema=None) as batch_op:
        batch_op.create_index("ix_case_telling_case", ["case_id", "round", "step"], unique=False)

    op.create_table(
        "caseunit",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("part", sa.String(length=32), nullable=False),
        sa.Column("named_by", sa.String(length=32), nullable=False),
        sa.Column("named_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["demand_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["named_by"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("caseunit", schema=None) as batch_op:
        batch_op.create_index("ix_case_unit_case", ["case_id", "ended_at"], unique=False)
        batch_op.create_index("ix_case_unit_place", ["organisation", "ended_at"], unique=False)

    op.create_table(
        "station_referral",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("station_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=True),
        sa.Column("case_id", sa.String(length=32), nullable=True),
        sa.Column("service", sa.String(length=60), nullable=False),
        sa.Column("referred_by", sa.String(length=120), nullable=False),
        sa.Column("referred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["demand_case.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.ForeignKeyConstraint(
            ["station_id"],
            ["station.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("station_referral", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_station_referral_organisation"), ["organisation"], unique=False)
        batch_op.create_index("ix_station_referral_post", ["post_id"], unique=False)

    op.create_table(
        "booking",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("station_id", sa.String(length=32), nullable=False),
        sa.Column("slot_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("service", sa.String(length=60), nullable=False),
        sa.Column("referral_id", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=120), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("result_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["referral_id"],
            ["station_referral.id"],
        ),
        sa.ForeignKeyConstraint(
            ["slot_id"],
            ["station_slot.id"],
        ),
        sa.ForeignKeyConstraint(
            ["station_id"],
            ["station.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source", "key"),
    )
    with op.batch_alter_table("booking", schema=None) as batch_op:
        batch_op.create_index("ix_booking_place", ["organisation", "requested_at"], unique=False)
        batch_op.create_index("ix_booking_station", ["station_id", "state", "requested_at"], unique=False)

    with op.batch_alter_table("demand", schema=None) as batch_op:
        batch_op.add_column(sa.Column("cohesion", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("delay_seconds", sa.Float(), nullable=True))
        batch_op.add_column(sa.Column("delay_posts", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("in_concert", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("voices", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("heat", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("heat_parts", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("trend", sa.String(length=32), nullable=True))

    with op.batch_alter_table("demand_case", schema=None) as batch_op:
        batch_op.add_column(sa.Column("title", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("domain", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("post_id", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("lead", PathText(), nullable=True))
        batch_op.add_column(sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("due_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("round", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("recurs_from", sa.String(length=32), nullable=True))
        batch_op.create_index(batch_op.f("ix_demand_case_lead"), ["lead"], unique=False)
        batch_op.create_index(batch_op.f("ix_demand_case_post_id"), ["post_id"], unique=False)

    with op.batch_alter_table("demandfact", schema=None) as batch_op:
        batch_op.add_column(sa.Column("correction_id", sa.String(length=32), nullable=True))

    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("immediate", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )
        batch_op.add_column(sa.Column("summary", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("outboxmessage", schema=None) as batch_op:
        batch_op.add_column(sa.Column("grouped_into", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("silenced_by", sa.String(length=32), nullable=True))
        batch_op.create_index(batch_op.f("ix_outboxmessage_grouped_into"), ["grouped_into"], unique=False)

    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.add_column(sa.Column("urgency", sa.Float(), nullable=True))

    with op.batch_alter_table("reportexample", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("paraphrased", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )

    with op.batch_alter_table("reviewtask", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lot", sa.SmallInteger(), nullable=True))

    with op.batch_alter_table("webhookendpoint", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("channel", sa.String(length=32), server_default="webhook", nullable=False)
        )
        batch_op.add_column(sa.Column("name", sa.String(length=120), server_default="", nullable=False))
        batch_op.add_column(sa.Column("language", sa.String(length=2), server_default="zh", nullable=False))
        batch_op.add_column(sa.Column("signing", sa.String(length=32), server_default="hmac", nullable=False))
        batch_op.add_column(sa.Column("sealed", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("public_key", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("old_secret", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("group_seconds", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("repeat_seconds", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("webhookendpoint", schema=None) as batch_op:
        batch_op.drop_column("repeat_seconds")
        batch_op.drop_column("group_seconds")
        batch_op.drop_column("old_secret_until")
        batch_op.drop_column("old_secret")
        batch_op.drop_column("public_key")
        batch_op.drop_column("sealed")
        batch_op.drop_column("signing")
        batch_op.drop_column("language")
        batch_op.drop_column("name")
        batch_op.drop_column("channel")

    with op.batch_alter_table("reviewtask", schema=None) as batch_op:
        batch_op.drop_column("lot")

    with op.batch_alter_table("reportexample", schema=None) as batch_op:
        batch_op.drop_column("paraphrased")

    with op.batch_alter_table("reading", schema=None) as batch_op:
        batch_op.drop_column("urgency")

    with op.batch_alter_table("outboxmessage", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outboxmessage_grouped_into"))
        batch_op.drop_column("silenced_by")
        batch_op.drop_column("grouped_into")

    with op.batch_alter_table("event", schema=None) as batch_op:
        batch_op.drop_column("verified_at")
        batch_op.drop_column("summary")
        batch_op.drop_column("immediate")

    with op.batch_alter_table("demandfact", schema=None) as batch_op:
        batch_op.drop_column("correction_id")

    with op.batch_alter_table("demand_case", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_demand_case_post_id"))
        batch_op.drop_index(batch_op.f("ix_demand_case_lead"))
        batch_op.drop_column("recurs_from")
        batch_op.drop_column("round")
        batch_op.drop_column("settled_at")
        batch_op.drop_column("due_at")
        batch_op.drop_column("assigned_at")
        batch_op.drop_column("lead")
        batch_op.drop_column("post_id")
        batch_op.drop_column("domain")
        batch_op.drop_column("title")

    with op.batch_alter_table("demand", schema=None) as batch_op:
        batch_op.drop_column("trend")
        batch_op.drop_column("heat_parts")
        batch_op.drop_column("heat")
        batch_op.drop_column("voices")
        batch_op.drop_column("in_concert")
        batch_op.drop_column("delay_posts")
        batch_op.drop_column("delay_seconds")
        batch_op.drop_column("cohesion")

    with op.batch_alter_table("booking", schema=None) as batch_op:
        batch_op.drop_index("ix_booking_station")
        batch_op.drop_index("ix_booking_place")

    op.drop_table("booking")
    with op.batch_alter_table("station_referral", schema=None) as batch_op:
        batch_op.drop_index("ix_station_referral_post")
        batch_op.drop_index(batch_op.f("ix_station_referral_organisation"))

    op.drop_table("station_referral")
    with op.batch_alter_table("caseunit", schema=None) as batch_op:
        batch_op.drop_index("ix_case_unit_place")
        batch_op.drop_index("ix_case_unit_case")

    op.drop_table("caseunit")
    with op.batch_alter_table("casetelling", schema=None) as batch_op:
        batch_op.drop_index("ix_case_telling_case")

    op.drop_table("casetelling")
    op.drop_table("caserating")
    with op.batch_alter_table("caseconsent", schema=None) as batch_op:
        batch_op.drop_index("ix_case_consent_case")

    op.drop_table("caseconsent")
    with op.batch_alter_table("eventpost", schema=None) as batch_op:
        batch_op.drop_index("ix_event_post_post")

    op.drop_table("eventpost")
    with op.batch_alter_table("officemessage", schema=None) as batch_op:
        batch_op.drop_index("ix_office_message")

    op.drop_table("officemessage")
    op.drop_table("demandvoice")
    with op.batch_alter_table("demandsuggestion", schema=None) as batch_op:
        batch_op.drop_index("ix_demandsuggestion_state")

    op.drop_table("demandsuggestion")
    with op.batch_alter_table("demandcorrection", schema=None) as batch_op:
        batch_op.drop_index("ix_demandcorrection_other")
        batch_op.drop_index("ix_demandcorrection_demand")

    op.drop_table("demandcorrection")
    op.drop_table("station_slot")
    with op.batch_alter_table("question_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_question_answer_post_id"))

    op.drop_table("question_answer")
    op.drop_table("member_note")
    with op.batch_alter_table("invitation", schema=None) as batch_op:
        batch_op.drop_index("ix_invitation_post")
        batch_op.drop_index(batch_op.f("ix_invitation_organisation"))

    op.drop_table("invitation")
    with op.batch_alter_table("holiday_report", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_holiday_report_to_organisation"))

    op.drop_table("holiday_report")
    with op.batch_alter_table("handover", schema=None) as batch_op:
        batch_op.drop_index("ix_handover_open")
        batch_op.drop_index("ix_handover_clock")

    op.drop_table("handover")
    with op.batch_alter_table("duty_turn", schema=None) as batch_op:
        batch_op.drop_index("ix_duty_turn_frozen")
        batch_op.drop_index("ix_duty_turn_day")

    op.drop_table("duty_turn")
    with op.batch_alter_table("demandprobe", schema=None) as batch_op:
        batch_op.drop_index("ix_demandprobe_open")

    op.drop_table("demandprobe")
    with op.batch_alter_table("clock_call", schema=None) as batch_op:
        batch_op.drop_index("ix_clock_call_open")
        batch_op.drop_index("ix_clock_call_last")

    op.drop_table("clock_call")
    with op.batch_alter_table("attachment", schema=None) as batch_op:
        batch_op.drop_index("ix_attachment_subject")

    op.drop_table("attachment")
    with op.batch_alter_table("trend_day", schema=None) as batch_op:
        batch_op.drop_index("ix_trend_day_place")

    op.drop_table("trend_day")
    with op.batch_alter_table("station", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_station_organisation"))

    op.drop_table("station")
    with op.batch_alter_table("silence", schema=None) as batch_op:
        batch_op.drop_index("ix_silence_holds")

    op.drop_table("silence")
    with op.batch_alter_table("feed_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_feed_key_organisation"))

    op.drop_table("feed_key")
    with op.batch_alter_table("expert", schema=None) as batch_op:
        batch_op.drop_index("ix_expert_field")

    op.drop_table("expert")
    op.drop_table("duty_layer")
    op.drop_table("duty_gap")
    with op.batch_alter_table("duty_feed", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_duty_feed_organisation"))

    op.drop_table("duty_feed")
    op.drop_table("confirmed_year")
    with op.batch_alter_table("clock", schema=None) as batch_op:
        batch_op.drop_index("ix_clock_sweep")
        batch_op.drop_index("ix_clock_board")

    op.drop_table("clock")
    with op.batch_alter_table("alarm", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alarm_organisation"))
        batch_op.drop_index("ix_alarm_open")

    op.drop_table("alarm")
