"""Read the published posts that nobody has read yet, and forget the reading of those withdrawn.

A post is due when its newest revision was not read. Each batch is one transaction: the reading and
the mark that it was read stand or fall together, so a crash leaves the post due and nothing twice.
A post that is no longer published loses its reading, and its place in a demand with it. Only the
place in a verified demand stays, unseen while the post is: what was told of it was told, and a post
that comes back must not count a second time as one that joined.

It keeps no text: the place is an offset, the vector is the bundle's.

Neighbours: `pipeline` reads; `demand/grouping` continues with what is left here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlmodel import Session, col, delete, select, update

from learning.bundle import Bundle
from models.database import Database
from models.demand import Demand, DemandMember
from models.organisation import Organisation
from models.post import Post, PostRevision
from models.reading import Reading
from models.vocabulary import DemandState, PostState
from sentiment.pipeline import Read, Reader, load_reader
from sentiment.place import Gazetteer, load_gazetteer
from sentiment.settings import SentimentSettings


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
    with database.transaction() as session:
        withdrawn = _withdraw(session)
        gazetteer = gazetteer_of(session, settings)
    reader = load_reader(bundle, gazetteer)
    read = needs = 0
    while read < limit:
        batch = min(settings.read_at_once, limit - read)
        with database.transaction() as session:
            done = _read_batch(session, reader, now, batch)
        read += len(done)
        needs += sum(reading.is_need for reading in done)
        if len(done) < batch:
            return ReadingReport(read, needs, withdrawn, more=False)
    return ReadingReport(read, needs, withdrawn, more=True)


def gazetteer_of(session: Session, settings: SentimentSettings) -> Gazetteer:
    """Return the gazetteer with the tree's own names."""
    nodes = session.exec(select(Organisation.path, Organisation.name, Organisation.names)).all()
    return load_gazetteer(nodes, home=settings.home_province)


def _withdraw(session: Session) -> int:
    """Take the reading and the membership of every post that is not published any more."""
    gone = select(Post.id).where(Post.state != PostState.PUBLISHED, col(Post.read_revision) > 0)
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


def _read_batch(session: Session, reader: Reader, now: datetime, limit: int) -> list[Reading]:
    """Read one batch. Its posts stay locked until the batch is done, and another worker passes them by."""
    due = session.execute(
        select(Post, PostRevision.text)
        .join(
            PostRevision,
            sa.and_(
                col(PostRevision.post_id) == col(Post.id), col(PostRevision.revision) == col(Post.revision)
            ),
        )
        .where(Post.state == PostState.PUBLISHED, col(Post.read_revision) < col(Post.revision))
        .order_by(col(Post.created_at), col(Post.id))
        .limit(limit)
        .with_for_update(of=sa.inspect(Post).local_table, skip_locked=True)
    ).all()
    if not due:
        return []
    posts: Sequence[Post] = [post for post, _ in due]
    reads = reader.read([text or "" for _, text in due], [post.organisation for post in posts])
    ids = [post.id for post in posts]
    _leave(session, ids)
    session.execute(delete(Reading).where(col(Reading.post_id).in_(ids)))
    readings = [_record(post, read, reader.bundle.name, now) for post, read in zip(posts, reads, strict=True)]
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
