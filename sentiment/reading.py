"""Read the published posts that nobody has read yet, and forget the reading of those withdrawn.

A post is due when its newest revision was not read. A batch is read with no lock held, and written a
few posts at a time, so that nobody waits for long who takes posts in meanwhile. The reading and the
mark that it was read stand or fall together, so a crash leaves the post due and nothing twice; what
changed while it was read stays due too.
A post that is no longer published loses its reading, and its place in a demand with it. Only the
place in a verified demand stays, unseen while the post is: what was told of it was told, and a post
that comes back must not count a second time as one that joined.

It keeps no text: the place is an offset, the vector is the bundle's.

Neighbours: `pipeline` reads; `demand/grouping` continues with what is left here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from sqlmodel import Session, col, delete, select, update
from sqlmodel.sql.expression import SelectOfScalar

from learning.bundle import Bundle
from models.database import Database
from models.demand import Demand, DemandMember
from models.organisation import Organisation
from models.post import Post, PostRevision
from models.reading import Reading
from models.vocabulary import DemandState, PostState
from sentiment.pipeline import Read, load_reader
from sentiment.place import Gazetteer, load_gazetteer
from sentiment.settings import SentimentSettings
from sentiment.urgency import urgency

WRITTEN_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class ReadingReport:
    """What one run did: posts read, needs among them, readings withdrawn, and whether more are due."""

    read: int
    needs: int
    withdrawn: int
    more: bool


def read_due(
    database: Database, bundle: Bundle, settings: SentimentSettings, now: datetime, *, limit: int = 5000
) -> ReadingReport:
    """Read up to `limit` published posts whose newest revision is unread, oldest first."""
    withdrawn = 0
    with database.reading() as session:
        gone = session.exec(_gone().limit(1)).first() is not None
        gazetteer = gazetteer_of(session, settings)
    if gone:
        with database.transaction() as session:
            withdrawn = _withdraw(session)
    reader = load_reader(bundle, gazetteer)
    read = needs = 0
    while read < limit:
        batch = min(settings.read_at_once, limit - read)
        with database.reading() as session:
            due = _due(session, batch)
        reads = reader.read([post.text for post in due], [post.organisation for post in due]) if due else []
        done = 0
        for start in range(0, len(due), WRITTEN_AT_ONCE):
            few = slice(start, start + WRITTEN_AT_ONCE)
            with database.transaction() as session:
                written = _write(session, due[few], reads[few], reader.bundle.name, now)
            done += len(written)
            needs += sum(reading.is_need for reading in written)
        read += done
        if len(due) < batch:
            return ReadingReport(read, needs, withdrawn, more=False)
        if not done:
            break  # somebody else is at every one of them
    return ReadingReport(read, needs, withdrawn, more=True)


def gazetteer_of(session: Session, settings: SentimentSettings) -> Gazetteer:
    """Return the gazetteer with the tree's own names."""
    nodes = session.exec(select(Organisation.path, Organisation.name, Organisation.names)).all()
    return load_gazetteer(nodes, home=settings.home_province)


def _gone() -> SelectOfScalar[str]:
    return select(Post.id).where(Post.state != PostState.PUBLISHED, col(Post.read_revision) > 0)


def _withdraw(session: Session) -> int:
    """Take the reading and the membership of every post that is not published any more."""
    gone = _gone()
    _leave(session, gone)
    taken: Any = session.execute(delete(Reading).where(col(Reading.post_id).in_(gone)))
    session.execute(
        update(Post)
        .where(col(Post.state) != PostState.PUBLISHED, col(Post.read_revision) > 0)
        .values(read_revision=0)
        .execution_options(synchronize_session=False)
    )
    return int(taken.rowcount)


def _leave(session: Session, posts: Any) -> None:  # noqa: ANN401 - identifiers, or a query for them
    """Take posts out of the demands that nobody has verified; the next grouping counts those anew."""
    told = select(Demand.id).where(Demand.state == DemandState.VERIFIED)
    leaving = (col(DemandMember.post_id).in_(posts), col(DemandMember.demand_id).not_in(told))
    left = select(DemandMember.demand_id).where(*leaving)
    session.execute(
        update(Demand)
        .where(col(Demand.id).in_(left))
        .values(recount_due=True)
        .execution_options(synchronize_session=False)
    )
    session.execute(delete(DemandMember).where(*leaving).execution_options(synchronize_session=False))


@dataclass(frozen=True, slots=True)
class _Due:
    """A revision that nobody has read yet."""

    post_id: str
    revision: int
    organisation: str
    text: str


def _due(session: Session, limit: int) -> list[_Due]:
    found = session.execute(
        select(Post.id, Post.revision, Post.organisation, PostRevision.text)
        .join(
            PostRevision,
            sa.and_(
                col(PostRevision.post_id) == col(Post.id), col(PostRevision.revision) == col(Post.revision)
            ),
        )
        .where(Post.state == PostState.PUBLISHED, col(Post.read_revision) < col(Post.revision))
        .order_by(col(Post.created_at), col(Post.id))
        .limit(limit)
    ).all()
    return [_Due(post, revision, organisation, text or "") for post, revision, organisation, text in found]


def _write(
    session: Session, due: Sequence[_Due], reads: Sequence[Read], bundle: str, now: datetime
) -> list[Reading]:
    """Write what was read. A post that somebody has in hand, or that changed meanwhile, is passed by."""
    read = {post.post_id: (post.revision, one) for post, one in zip(due, reads, strict=True)}
    locked = session.exec(
        select(Post)
        .where(col(Post.id).in_(read), col(Post.read_revision) < col(Post.revision))
        .order_by(col(Post.id))
        .with_for_update(skip_locked=True)
    ).all()
    posts = [
        post for post in locked if post.state is PostState.PUBLISHED and post.revision == read[post.id][0]
    ]
    ids = [post.id for post in posts]
    _leave(session, ids)
    session.execute(delete(Reading).where(col(Reading.post_id).in_(ids)))
    texts = {one.post_id: one.text for one in due}
    readings = [_record(post, read[post.id][1], bundle, now) for post in posts]
    for reading in readings:
        reading.urgency = urgency(texts[reading.post_id])
    session.add_all(readings)
    for post in posts:
        post.read_revision = post.revision
    session.flush()
    return readings


def _record(post: Post, read: Read, bundle: str, now: datetime) -> Reading:
    place = read.place
    return Reading(
        post_id=post.id,
        revision=post.revision,
        organisation=post.organisation,
        is_need=read.is_need,
        need_probability=read.need,
        domain=read.domain,
        domain_probability=read.domain_probability,
        tone=read.tone,
        place=place.name if place else None,
        place_start=place.start if place else None,
        place_end=place.end if place else None,
        vector=read.vector.astype(np.dtype("<f2")).tobytes(),
        bundle=bundle,
        posted_at=post.created_at,
        read_at=now,
    )
