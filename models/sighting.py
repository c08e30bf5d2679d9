"""What intake remembers for a day about how posts come: keyed hashes and times, no text and no name."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from models.base import ID_LENGTH, moment


class SightingRow(SQLModel, table=True):
    """One post under one key: its author's, or one that it shares with its copies if it sells.

    Author, key and fingerprint are hashes under the installation's secret. The row goes with its post,
    and at the latest when it expires.
    """

    __tablename__ = "sighting"

    key: int = Field(primary_key=True, sa_type=sa.BigInteger)
    post_id: str = Field(primary_key=True, max_length=ID_LENGTH, index=True)
    author: int = Field(sa_type=sa.BigInteger)
    copy_of: int | None = Field(default=None, sa_type=sa.BigInteger)
    selling: bool
    written_at: datetime = moment()
    expires_at: datetime = moment(index=True)
