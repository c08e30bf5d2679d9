"""Every table, imported once, so that the migrations see all of them."""

from sqlmodel import SQLModel

from models import account, audit, demand, event, organisation, outbox, post, reading, review, screening

TABLES = (account, audit, demand, event, organisation, outbox, post, reading, review, screening)
METADATA = SQLModel.metadata
