"""What must hold when everything has come to rest: the posts and their messages. Cases: `casework`."""

from collections import Counter
from collections.abc import Mapping

from sqlmodel import col, select

from models import audit
from models.database import Database
from models.outbox import OutboxMessage, WebhookEndpoint
from models.post import Post, PostRevision
from models.screening import Screening
from models.vocabulary import MessageState, Topic, Verdict
from tests.kills.traffic import SOURCE, Moody, Sent


def faults_of_posts(database: Database, sent: Sent) -> list[str]:
    """Compare what was accepted with what is there."""
    with database.reading() as session:
        posts = session.exec(select(Post.external_id, Post.id).where(Post.source == SOURCE)).all()
        revisions = Counter(
            session.exec(
                select(Post.external_id, PostRevision.revision)
                .join(Post, col(Post.id) == col(PostRevision.post_id))
                .where(Post.source == SOURCE)
            ).all()
        )
        screenings = Counter(
            session.exec(
                select(Post.external_id, Screening.revision)
                .join(Post, col(Post.id) == col(Screening.post_id))
                .where(Post.source == SOURCE)
            ).all()
        )
        chain = audit.first_break(session)
    there = {(name, revision) for name, revision in revisions}
    faults = [f"lost: {name} revision {revision}" for name, revision in sorted(set(sent.accepted) - there)]
    faults += [f"nobody sent: {one}" for one in sorted(there - sent.tried)]
    faults += [
        f"{name} is there {count} times" for name, count in Counter(n for n, _ in posts).items() if count > 1
    ]
    faults += [f"{one} has {count} contents" for one, count in revisions.items() if count != 1]
    faults += [f"{one} has {screenings[one]} screenings" for one in there if screenings[one] != 1]
    if sent.refused:
        faults.append(f"refused: {dict(sent.refused)}")
    if chain is not None:
        faults.append(f"the audit chain breaks at {chain}")
    return faults


def faults_of_messages(database: Database, tempers: Mapping[str, Moody]) -> list[str]:
    """Compare what had to be told with what the receivers took."""
    with database.reading() as session:
        owed = session.exec(
            select(Screening.post_id, Screening.revision).where(col(Screening.verdict) != Verdict.PUBLISH)
        ).all()
        messages = session.exec(select(OutboxMessage)).all()
        hooks = dict(session.exec(select(WebhookEndpoint.id, WebhookEndpoint.source)).all())
        known = set(session.exec(select(OutboxMessage.id)).all())
        open_ids = session.exec(
            select(OutboxMessage.id).where(
                col(OutboxMessage.state).not_in([MessageState.DELIVERED, MessageState.GROUPED])
            )
        ).all()
    faults = [f"not delivered: {one}" for one in open_ids]
    told = Counter(
        (one.endpoint_id, one.subject_id, one.payload["revision"])
        for one in messages
        if one.topic is Topic.POST_SCREENED
    )
    for endpoint, temper in tempers.items():
        for post, revision in owed if hooks[endpoint] == SOURCE else ():
            if told[endpoint, post, revision] != 1:
                faults.append(f"{told[endpoint, post, revision]} messages for {post} revision {revision}")
        mine = {one.id for one in messages if one.endpoint_id == endpoint}
        faults += [f"never taken: {one}" for one in sorted(mine - set(temper.taken))]
        faults += [f"unknown id: {one}" for one in sorted(set(temper.bodies) - known)]
        faults += [f"two bodies: {one}" for one, bodies in temper.bodies.items() if len(bodies) > 1]
        if temper.forged:
            faults.append(f"{temper.forged} bad signatures")
    return faults
