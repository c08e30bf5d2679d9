"""Which posts were put on the audit log as voices of an open demand, so that none can vanish from it."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH, moment


class MemberNote(SQLModel, table=True):
    """A post that the audit log names as a voice of a demand. The log itself has it for good."""

    __tablename__ = "member_note"

    post_id: str = Field(primary_key=True, foreign_key="post.id", max_length=ID_LENGTH)
    noted_at: datetime = moment()
