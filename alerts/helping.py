"""Open an individual help case 帮扶个案 from a post whose author needs help from an institution.

The form begins with where and when, never with who: a name comes with the author's consent alone. The
demand in one line is the officer's, and repeats no sentence of the post.

Refuses: a post that is gone or outside the officer's places, a second case about one post, a line that
quotes the post or leads to a person.

Neighbours: `consent` asks the author, `handling` takes every further step, `forms` has the fields.
"""

from datetime import datetime
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from alerts import cases, disposal
from alerts.desks import Desk, Worker
from alerts.members import QUOTE
from alerts.redaction import redact
from models.errors import Conflict, InvalidInput, NotFound
from models.event import Case
from models.organisation import Organisation
from models.post import Post, PostRevision
from models.reading import Reading
from models.vocabulary import DOMAIN_WORDS, CaseKind, Domain, PostState, Step

TITLE: Final = 120
OPENED: Final = "已建立帮扶个案办理表。"


def open_help(
    session: Session, post_id: str, worker: Worker, *, title: str, domain: Domain | None, now: datetime
) -> Case:
    """Open a help case about one post.

    Raises
    ------
    NotFound
        If there is no such post in the worker's places.
    Conflict
        If there is a case about it already.
    InvalidInput
        If the line is empty, too long, names somebody or quotes the post, or no service can act on it.
    """
    post = session.exec(select(Post).where(col(Post.id) == post_id).with_for_update()).one_or_none()
    if post is None or post.state is PostState.DELETED or not worker.sits(Desk.OPERATIONS, post.organisation):
        raise NotFound("no such post, or none that you may see")
    if case_about(session, post.id) is not None:
        raise Conflict("there is a case about this post", code="case_open")
    reading = session.exec(select(Reading).where(col(Reading.post_id) == post.id)).first()
    chosen = domain or (reading.domain if reading is not None else Domain.NONE)
    if chosen is Domain.NONE:
        raise InvalidInput("name the service that can help", code="no_service_domain", field="/domain")
    case = Case(
        kind=CaseKind.HELP_CASE,
        organisation=post.organisation,
        opened_by=worker.account_id,
        opened_at=now,
        title=_line(session, post, title),
        domain=chosen,
        post_id=post.id,
    )
    session.add(case)
    session.flush()
    replies = session.exec(
        select(func.count())
        .select_from(Post)
        .where(
            col(Post.source) == post.source,
            col(Post.parent) == post.external_id,
            col(Post.state) == PostState.PUBLISHED,
        )
    ).one()
    where = session.get(Organisation, post.organisation)
    values = {
        "issued_on": now.astimezone(cases.SHANGHAI).date().isoformat(),
        "reported_at": f"{post.created_at.astimezone(cases.SHANGHAI):%Y-%m-%d %H:%M}",
        "replies": str(replies),
        "place": where.name if where is not None else post.organisation,
        "demand": case.title or "",
        "details": f"领域：{DOMAIN_WORDS[chosen].zh}。\n拟办意见：",
    }
    cases.first_form(session, case, values, worker, now)
    disposal.append(session, case, Step.FORM_OPENED, OPENED, actor=worker, now=now, details={"round": 1})
    session.flush()
    return case


def case_about(session: Session, post_id: str) -> str | None:
    """Return the help case about a post, if there is one. The caller asks who may know of it."""
    return session.exec(
        select(Case.id).where(col(Case.post_id) == post_id, col(Case.kind) == CaseKind.HELP_CASE)
    ).first()


def _line(session: Session, post: Post, title: str) -> str:
    """Return the officer's line, if it is one and tells of nobody."""
    line = " ".join(title.split())
    if not line or len(line) > TITLE:
        raise InvalidInput(f"one line of at most {TITLE} characters", code="empty", field="/title")
    text = session.exec(
        select(PostRevision.text).where(
            col(PostRevision.post_id) == post.id, col(PostRevision.revision) == post.revision
        )
    ).one_or_none()
    bare = "".join(line.split())
    if len(bare) >= QUOTE and bare in "".join((text or "").split()):
        raise InvalidInput("the line repeats the post", code="title_quotes_post", field="/title")
    if "【" in redact(line):
        raise InvalidInput("the line leads to a person", code="title_names_somebody", field="/title")
    return line
