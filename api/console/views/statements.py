"""The statement of reasons that an author reads, and the objection: public, for whoever holds the link.

The page shows the passages and no more of the post, names no officer, and counts nobody's visits.
"""

from typing import Annotated

from fastapi import Depends, Form, Request, Response

from api.console import page
from api.console.console import pages
from api.console.views.entrance import own_site
from api.dependencies import Now, Reading, Transaction
from models.errors import InvalidInput
from moderation import appeals, proofs, statements

router = pages()


@router.get("/statements/{token}")
def statement_page(request: Request, token: str, session: Reading, now: Now) -> Response:
    """Show the rule, the passages, who decided, and how to object."""
    view = statements.view(session, token, now=now)
    entry = proofs.entry_of(session, view.statement)
    return page.render(
        request,
        "statement.html",
        view=view,
        fields=view.fields,
        can_appeal=view.can_appeal(now),
        limit=appeals.TEXT_LIMIT,
        provable=entry is not None and proofs.is_provable(session, entry),
    )


@router.post("/statements/{token}/appeal", dependencies=[Depends(own_site)])
def appeal(
    token: str, session: Transaction, now: Now, text: Annotated[str, Form(max_length=20_000)] = ""
) -> Response:
    """Take the objection. Holding the link is the proof that the author sends it."""
    if not text.strip():
        raise InvalidInput("an objection says something", code="no_appeal_text", field="/text")
    appeals.submit(session, token, text.replace("\r\n", "\n"), now=now)
    return page.go(f"/statements/{token}", "appealed")
