"""The fourth release: activities of stations, who paraphrased an example, what was forgotten of a consent.

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op

from models.organisation import PathText

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "station_activity",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("station_id", sa.String(length=32), nullable=False),
        sa.Column("organisation", PathText(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("made_by", sa.String(length=120), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("taken >= 0 AND taken <= capacity", name="ck_station_activity_room"),
        sa.ForeignKeyConstraint(
            ["station_id"],
            ["station.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("station_activity", schema=None) as batch_op:
        batch_op.create_index("ix_station_activity_place", ["organisation", "starts_at"], unique=False)
        batch_op.create_index("ix_station_activity_station", ["station_id", "starts_at"], unique=False)

    op.create_table(
        "activity_sign_up",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("activity_id", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("signed_up_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rating", sa.Integer(), nullable=True),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["activity_id"],
            ["station_activity.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("activity_id", "source", "key"),
    )
    with op.batch_alter_table("caseconsent", schema=None) as batch_op:
        batch_op.add_column(sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("reportexample", schema=None) as batch_op:
        batch_op.add_column(sa.Column("paraphrased_by", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("paraphrased_at", sa.DateTime(timezone=True), nullable=True))

    # Until now whoever reported up was the one who paraphrased.
    op.execute(
        "UPDATE reportexample SET"
        " paraphrased_by = (SELECT reported_by FROM report WHERE report.id = reportexample.report_id),"
        " paraphrased_at = (SELECT reported_at FROM report WHERE report.id = reportexample.report_id)"
        " WHERE paraphrased"
    )


def downgrade() -> None:
    with op.batch_alter_table("reportexample", schema=None) as batch_op:
        batch_op.drop_column("paraphrased_at")
        batch_op.drop_column("paraphrased_by")

    with op.batch_alter_table("caseconsent", schema=None) as batch_op:
        batch_op.drop_column("forgotten_at")

    op.drop_table("activity_sign_up")
    with op.batch_alter_table("station_activity", schema=None) as batch_op:
        batch_op.drop_index("ix_station_activity_station")
        batch_op.drop_index("ix_station_activity_place")

    op.drop_table("station_activity")
