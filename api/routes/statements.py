"""Statements of reasons as JSON, for whoever holds the link: its token cannot be guessed.

Neighbours: `moderation/statements.py`; the console shows the same as a page.
"""

from fastapi import APIRouter

from api.dependencies import Now, Reading
from api.schemas.appeals import StatementOut
from moderation import statements

router = APIRouter(prefix="/v1/statements", tags=["statements"])


@router.get("/{token}")
def get(token: str, session: Reading, now: Now) -> StatementOut:
    """Answer with the rule broken, the passage, whether a machine decided, and how to object."""
    return StatementOut.of(statements.view(session, token), now)
