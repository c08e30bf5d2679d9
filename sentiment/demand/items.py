"""Posts on record as the grouping compares them, for whoever asks outside of a run.

Neighbours: `grouping` builds the same for a whole window; `explaining`, `similar`, `suggestions` and
`missed` ask here for a few posts.
"""

from collections import Counter
from collections.abc import Collection

import numpy as np
import sqlalchemy as sa
from sqlmodel import Session, col, select

from models.demand import DemandMember
from models.post import Post, PostRevision
from models.reading import Reading
from models.vocabulary import PostState
from sentiment.demand.grouping import item_of
from sentiment.demand.scoring import Item


def items_of(session: Session, posts: Collection[str]) -> dict[str, Item]:
    """Return the published ones of `posts` as items, oldest first.

    Vectors of two bundles cannot be compared: posts that were read by another one than most are judged
    by their other parts.
    """
    rows = session.execute(
        select(Reading, Post.author, PostRevision.text)
        .join(Post, col(Post.id) == col(Reading.post_id))
        .join(
            PostRevision,
            sa.and_(
                col(PostRevision.post_id) == col(Reading.post_id),
                col(PostRevision.revision) == col(Reading.revision),
            ),
        )
        .where(
            col(Reading.post_id).in_(posts),
            col(Post.state) == PostState.PUBLISHED,
            col(Post.revision) == col(Reading.revision),
        )
        .order_by(col(Reading.posted_at), col(Reading.post_id))
    ).all()
    read_by = Counter(reading.bundle for reading, _, _ in rows).most_common(1)
    bundle = read_by[0][0] if read_by else None
    size = max(
        (len(reading.vector or b"") // 2 for reading, _, _ in rows if reading.bundle == bundle), default=0
    )
    found = {}
    for reading, author, text in rows:
        vector = np.frombuffer(reading.vector or b"", dtype="<f2").astype(np.float32)
        if reading.bundle != bundle or len(vector) != size:
            vector = np.zeros(size, dtype=np.float32)
        found[reading.post_id] = item_of(
            key=reading.post_id,
            author=author,
            organisation=reading.organisation,
            posted=reading.posted_at,
            text=text or "",
            vector=vector,
            domain=reading.domain,
            domain_probability=reading.domain_probability,
            need=reading.need_probability,
            place=reading.place,
        )
    return found


def newest_of(session: Session, demands: Collection[str], each: int) -> dict[str, list[str]]:
    """Return for each demand its newest published posts, at most so many."""
    found: dict[str, list[str]] = {one: [] for one in demands}
    rows = session.exec(
        select(DemandMember.demand_id, DemandMember.post_id)
        .join(Post, col(Post.id) == col(DemandMember.post_id))
        .where(col(DemandMember.demand_id).in_(demands), col(Post.state) == PostState.PUBLISHED)
        .order_by(col(Post.created_at).desc(), col(Post.id))
    )
    for demand, post in rows:
        if len(found[demand]) < each:
            found[demand].append(post)
    return found
