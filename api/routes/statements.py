"""Statements of reasons as JSON, for whoever holds the link: its token cannot be guessed.

Neighbours: `moderation/statements.py` and `proofs.py`; the console shows the same as a page.
"""

from typing import Any

from fastapi import APIRouter, Request

from api.dependencies import Now, Reading
from api.schemas.appeals import StatementOut
from moderation import proofs, statements
from moderation.proofs import Trees

router = APIRouter(prefix="/v1/statements", tags=["statements"])


@router.get("/{token}")
def get(token: str, session: Reading, now: Now) -> StatementOut:
    """Answer with the rule broken, the passage, whether a machine decided, and how to object."""
    return StatementOut.of(statements.view(session, token, now=now), now)


@router.get("/{token}/proof")
def proof(request: Request, token: str, session: Reading, now: Now) -> dict[str, Any]:
    """Prove that the statement stands in the audit log: to be checked offline against a published anchor."""
    trees: Trees = request.app.state.trees
    return proofs.proof(session, token, trees, now=now)
