"""Experts of the service alliances 服务联盟专家 by field, and the invitations to answer a question."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, UniqueConstraint

from models.base import Record, moment, word
from models.organisation import place_in_tree
from models.service_vocabulary import ExpertField, InvitationState


class Expert(Record, table=True):
    """Somebody who answers questions in one field when invited. `alliance` is what they belong to."""

    __table_args__ = (sa.Index("ix_expert_field", "organisation", "field"),)

    organisation: str = place_in_tree(index=False)
    name: str = Field(max_length=64)
    title: str = Field(default="", max_length=120)
    alliance: str = Field(default="", max_length=120)
    field: ExpertField = word(ExpertField)
    created_by: str = Field(max_length=120)
    created_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    version: int = 1


class Invitation(Record, table=True):
    """An expert is asked to answer one question. The link's token is kept as its hash alone."""

    __table_args__ = (
        UniqueConstraint("expert_id", "post_id"),
        sa.Index("ix_invitation_post", "post_id"),
    )

    expert_id: str = Field(foreign_key="expert.id", max_length=32)
    post_id: str = Field(foreign_key="post.id", max_length=32)
    organisation: str = place_in_tree()
    field: ExpertField = word(ExpertField)
    state: InvitationState = word(InvitationState, default=InvitationState.OPEN)
    token_hash: str = Field(unique=True, max_length=64)
    invited_by: str = Field(max_length=120)
    invited_at: datetime = moment()
    settled_at: datetime | None = moment(nullable=True)
    reason: str = Field(default="", max_length=500)
