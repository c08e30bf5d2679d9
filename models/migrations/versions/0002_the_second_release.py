"""the second release.

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op

from models.organisation import PathText

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "auditanchor",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "backtest",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("proposal", sa.JSON(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("cursor", sa.String(length=32), nullable=False),
        sa.Column("tallies", sa.JSON(), nullable=False),
        sa.Column("rulebook", sa.String(length=64), nullable=False),
        sa.Column("requested_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("backtest", schema=None) as batch_op:
        batch_op.create_index("ix_backtest_due", ["state", "created_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_backtest_organisation"), ["organisation"], unique=False)

    op.create_table(
        "notice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("subject_id", sa.String(length=32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "subject_id"),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("ix_notice_open", ["settled_at", "organisation"], unique=False)

    op.create_table(
        "proposedpack",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.String(length=120), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "quality_cursor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "quality_frame",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("organisation", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("stratum", sa.String(length=64), nullable=False),
        sa.Column("verdicts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "organisation", "kind", "stratum"),
    )
    op.create_table(
        "rulebookedition",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "rulenotice",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.String(length=120), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("rulenotice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rulenotice_organisation"), ["organisation"], unique=False)

    op.create_table(
        "ruletally",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("silent", sa.Boolean(), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("sample", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("ruletally", schema=None) as batch_op:
        batch_op.create_index("ix_rule_tally", ["subject", "silent", "day"], unique=False)

    op.create_table(
        "sighting",
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("author", sa.BigInteger(), nullable=False),
        sa.Column("copy_of", sa.BigInteger(), nullable=True),
        sa.Column("selling", sa.Boolean(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", "post_id"),
    )
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sighting_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_sighting_post_id"), ["post_id"], unique=False)

    op.create_table(
        "spentstate",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("state_hash", sa.String(length=64), nullable=False),
        sa.Column("spent_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("state_hash"),
    )
    with op.batch_alter_table("spentstate", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_spentstate_spent_at"), ["spent_at"], unique=False)

    op.create_table(
        "account_identity",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("linked_by", sa.String(length=120), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("issuer", "subject"),
    )
    with op.batch_alter_table("account_identity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_account_identity_account_id"), ["account_id"], unique=False)

    op.create_table(
        "exposure_day",
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("unfolded", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("account_id", "day", "category"),
    )
    op.create_table(
        "golden_item",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("expected", sa.String(length=32), nullable=False),
        sa.Column("expected_category", sa.String(length=32), nullable=True),
        sa.Column("added_by", sa.String(length=120), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("post_id"),
    )
    with op.batch_alter_table("golden_item", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_golden_item_organisation"), ["organisation"], unique=False)

    op.create_table(
        "recoverycode",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id", "code_hash"),
    )
    op.create_table(
        "secondfactor",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("secret", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account_id"),
    )
    op.create_table(
        "user_report",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("reporter", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision_id", sa.String(length=32), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    with op.batch_alter_table("user_report", schema=None) as batch_op:
        batch_op.create_index("ix_user_report_decision", ["decision_id"], unique=False)
        batch_op.create_index("ix_user_report_kept", ["received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_user_report_organisation"), ["organisation"], unique=False)
        batch_op.create_index("ix_user_report_post", ["post_id", "state"], unique=False)
        batch_op.create_index("ix_user_report_reporter", ["reporter", "received_at"], unique=False)

    op.create_table(
        "quality_sample",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("screening_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("stratum", sa.String(length=64), nullable=False),
        sa.Column("chance", sa.Float(), nullable=False),
        sa.Column("twice", sa.Boolean(), nullable=False),
        sa.Column("expected", sa.String(length=32), nullable=True),
        sa.Column("expected_category", sa.String(length=32), nullable=True),
        sa.Column("harmful", sa.Boolean(), nullable=True),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.ForeignKeyConstraint(
            ["screening_id"],
            ["screening.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("quality_sample", schema=None) as batch_op:
        batch_op.create_index("ix_quality_sample_drawn", ["kind", "organisation", "drawn_at"], unique=False)
        batch_op.create_index("ix_quality_sample_post", ["post_id"], unique=False)

    op.create_table(
        "quality_answer",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("sample_id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leaves_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decision_id", sa.String(length=32), nullable=True),
        sa.Column("batch", sa.String(length=32), nullable=True),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["quality_sample.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["reviewtask.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("quality_answer", schema=None) as batch_op:
        batch_op.create_index("ix_quality_answer_account", ["account_id", "answered_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_quality_answer_decision_id"), ["decision_id"], unique=False)
        batch_op.create_index("ix_quality_answer_due", ["settled", "leaves_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_quality_answer_sample_id"), ["sample_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_quality_answer_task_id"), ["task_id"], unique=False)

    op.create_table(
        "quality_sample_task",
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("sample_id", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["sample_id"],
            ["quality_sample.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["reviewtask.id"],
        ),
        sa.PrimaryKeyConstraint("task_id"),
    )
    with op.batch_alter_table("quality_sample_task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_quality_sample_task_sample_id"), ["sample_id"], unique=False)

    op.create_table(
        "second_reading",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("screening_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("why", sa.String(length=32), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=32), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch", sa.String(length=32), nullable=True),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("decided_by", sa.String(length=32), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_id", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "state <> 'confirmed' OR decided_by IS NOT NULL", name="ck_second_reading_somebody"
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR decided_by <> asked_by", name="ck_second_reading_other_person"
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.ForeignKeyConstraint(
            ["screening_id"],
            ["screening.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["reviewtask.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("second_reading", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_second_reading_batch"), ["batch"], unique=False)
        batch_op.create_index(batch_op.f("ix_second_reading_decision_id"), ["decision_id"], unique=False)
        batch_op.create_index("ix_second_reading_post", ["post_id"], unique=False)
        batch_op.create_index(
            "ix_second_reading_waiting", ["state", "organisation", "asked_at"], unique=False
        )

    op.create_table(
        "task_likeness",
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("copy_of", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["reviewtask.id"],
        ),
        sa.PrimaryKeyConstraint("key", "task_id"),
    )
    with op.batch_alter_table("task_likeness", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_likeness_noted_at"), ["noted_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_task_likeness_post_id"), ["post_id"], unique=False)

    op.create_table(
        "task_pass",
        sa.Column("task_id", sa.String(length=32), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
        ),
        sa.ForeignKeyConstraint(
            ["task_id"],
            ["reviewtask.id"],
        ),
        sa.PrimaryKeyConstraint("task_id", "account_id"),
    )
    with op.batch_alter_table("task_pass", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_pass_until"), ["until"], unique=False)

    op.create_table(
        "rule_outcome",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("decision_id", sa.String(length=32), nullable=False),
        sa.Column("upheld", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decision.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("rule_outcome", schema=None) as batch_op:
        batch_op.create_index("ix_rule_outcome", ["rule", "upheld"], unique=False)
        batch_op.create_index(batch_op.f("ix_rule_outcome_decision_id"), ["decision_id"], unique=False)

    op.create_table(
        "fresh_look",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("appeal_id", sa.String(length=32), nullable=False),
        sa.Column("statement_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("rule", sa.String(length=200), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.String(length=32), nullable=True),
        sa.Column("restored", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(
            ["appeal_id"],
            ["appeal.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["statement.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("appeal_id", "statement_id"),
    )
    with op.batch_alter_table("fresh_look", schema=None) as batch_op:
        batch_op.create_index("ix_fresh_look_open", ["settled_at", "organisation"], unique=False)
        batch_op.create_index(batch_op.f("ix_fresh_look_post_id"), ["post_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_fresh_look_statement_id"), ["statement_id"], unique=False)

    op.create_table(
        "regression_case",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("appeal_id", sa.String(length=32), nullable=False),
        sa.Column("post_id", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("category", sa.String(length=32), nullable=True),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["appeal_id"],
            ["appeal.id"],
        ),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["post.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("post_id", "revision"),
    )
    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("email", sa.String(length=200), nullable=True))
        batch_op.create_index(batch_op.f("ix_account_email"), ["email"], unique=False)

    with op.batch_alter_table("apikey", schema=None) as batch_op:
        batch_op.add_column(sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("appeal", schema=None) as batch_op:
        batch_op.add_column(sa.Column("followed_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.add_column(sa.Column("batch", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("leaves_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("before", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("second", sa.String(length=32), nullable=True))
        batch_op.create_index(batch_op.f("ix_decision_batch"), ["batch"], unique=False)

    with op.batch_alter_table("reviewtask", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lane", sa.Integer(), server_default="2", nullable=False))
        batch_op.add_column(sa.Column("rule", sa.String(length=120), nullable=True))
        batch_op.add_column(sa.Column("lease", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("leased_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("copy_of", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("noted_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("second", sa.String(length=32), nullable=True))
        batch_op.create_index(
            "ix_review_task_category",
            ["state", "category", "lane", "urgency", "due_at", "organisation", "second", "rule"],
            unique=False,
        )
        batch_op.create_index(
            "ix_review_task_order",
            ["state", "lane", "urgency", "due_at", "id", "organisation", "second"],
            unique=False,
        )

    with op.batch_alter_table("signin", schema=None) as batch_op:
        batch_op.add_column(sa.Column("device", sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column("network", sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column("method", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("second_factor_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("leaves_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column("category", nullable=True)


def downgrade() -> None:
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.alter_column("category", nullable=False)
        batch_op.drop_column("leaves_at")

    with op.batch_alter_table("signin", schema=None) as batch_op:
        batch_op.drop_column("second_factor_at")
        batch_op.drop_column("last_seen_at")
        batch_op.drop_column("method")
        batch_op.drop_column("network")
        batch_op.drop_column("device")

    with op.batch_alter_table("reviewtask", schema=None) as batch_op:
        batch_op.drop_index("ix_review_task_order")
        batch_op.drop_index("ix_review_task_category")
        batch_op.drop_column("second")
        batch_op.drop_column("noted_at")
        batch_op.drop_column("copy_of")
        batch_op.drop_column("opened_at")
        batch_op.drop_column("leased_at")
        batch_op.drop_column("lease")
        batch_op.drop_column("rule")
        batch_op.drop_column("lane")

    with op.batch_alter_table("decision", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_decision_batch"))
        batch_op.drop_column("second")
        batch_op.drop_column("before")
        batch_op.drop_column("leaves_at")
        batch_op.drop_column("batch")

    with op.batch_alter_table("appeal", schema=None) as batch_op:
        batch_op.drop_column("followed_at")

    with op.batch_alter_table("apikey", schema=None) as batch_op:
        batch_op.drop_column("last_used_at")

    with op.batch_alter_table("account", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_email"))
        batch_op.drop_column("email")

    op.drop_table("regression_case")
    with op.batch_alter_table("fresh_look", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_fresh_look_statement_id"))
        batch_op.drop_index(batch_op.f("ix_fresh_look_post_id"))
        batch_op.drop_index("ix_fresh_look_open")

    op.drop_table("fresh_look")
    with op.batch_alter_table("rule_outcome", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rule_outcome_decision_id"))
        batch_op.drop_index("ix_rule_outcome")

    op.drop_table("rule_outcome")
    with op.batch_alter_table("task_pass", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_pass_until"))

    op.drop_table("task_pass")
    with op.batch_alter_table("task_likeness", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_likeness_post_id"))
        batch_op.drop_index(batch_op.f("ix_task_likeness_noted_at"))

    op.drop_table("task_likeness")
    with op.batch_alter_table("second_reading", schema=None) as batch_op:
        batch_op.drop_index("ix_second_reading_waiting")
        batch_op.drop_index("ix_second_reading_post")
        batch_op.drop_index(batch_op.f("ix_second_reading_decision_id"))
        batch_op.drop_index(batch_op.f("ix_second_reading_batch"))

    op.drop_table("second_reading")
    with op.batch_alter_table("quality_sample_task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quality_sample_task_sample_id"))

    op.drop_table("quality_sample_task")
    with op.batch_alter_table("quality_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quality_answer_task_id"))
        batch_op.drop_index(batch_op.f("ix_quality_answer_sample_id"))
        batch_op.drop_index("ix_quality_answer_due")
        batch_op.drop_index(batch_op.f("ix_quality_answer_decision_id"))
        batch_op.drop_index("ix_quality_answer_account")

    op.drop_table("quality_answer")
    with op.batch_alter_table("quality_sample", schema=None) as batch_op:
        batch_op.drop_index("ix_quality_sample_post")
        batch_op.drop_index("ix_quality_sample_drawn")

    op.drop_table("quality_sample")
    with op.batch_alter_table("user_report", schema=None) as batch_op:
        batch_op.drop_index("ix_user_report_reporter")
        batch_op.drop_index("ix_user_report_post")
        batch_op.drop_index(batch_op.f("ix_user_report_organisation"))
        batch_op.drop_index("ix_user_report_kept")
        batch_op.drop_index("ix_user_report_decision")

    op.drop_table("user_report")
    op.drop_table("secondfactor")
    op.drop_table("recoverycode")
    with op.batch_alter_table("golden_item", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_golden_item_organisation"))

    op.drop_table("golden_item")
    op.drop_table("exposure_day")
    with op.batch_alter_table("account_identity", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_account_identity_account_id"))

    op.drop_table("account_identity")
    with op.batch_alter_table("spentstate", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_spentstate_spent_at"))

    op.drop_table("spentstate")
    with op.batch_alter_table("sighting", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sighting_post_id"))
        batch_op.drop_index(batch_op.f("ix_sighting_expires_at"))

    op.drop_table("sighting")
    with op.batch_alter_table("ruletally", schema=None) as batch_op:
        batch_op.drop_index("ix_rule_tally")

    op.drop_table("ruletally")
    with op.batch_alter_table("rulenotice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_rulenotice_organisation"))

    op.drop_table("rulenotice")
    op.drop_table("rulebookedition")
    op.drop_table("quality_frame")
    op.drop_table("quality_cursor")
    op.drop_table("proposedpack")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index("ix_notice_open")

    op.drop_table("notice")
    with op.batch_alter_table("backtest", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_backtest_organisation"))
        batch_op.drop_index("ix_backtest_due")

    op.drop_table("backtest")
    op.drop_table("auditanchor")
