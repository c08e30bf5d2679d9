"""The posts of a demand, as verification, counting and examples read them from the records.

Only published posts count: a post that was removed, held, referred or deleted meanwhile does not.
Nothing here leaves the room: `disclosure` counts it, `redaction` cleans it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from alerts.disclosure import Voice
from alerts.redaction import redact
from models.casework import EventPost
from models.demand import DemandMember
from models.errors import InvalidInput
from models.event import Event
from models.post import Post, PostRevision
from models.reading import Reading
from models.vocabulary import EventKind, PostState

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
EXAMPLES: Final = 5
EXAMPLE_LENGTH: Final = 300
SHORTEST, LONGEST = 8, 200
QUOTE: Final = 12


@dataclass(frozen=True, slots=True)
class Member:
    """One post of a demand, without its text."""

    post_id: str
    source: str
    external_id: str
    author: str
    organisation: str
    place: str | None
    created_at: datetime
    joined_at: datetime
    probability: float

    def voice(self, spread_by: str) -> Voice:
        """Return the post as the counting needs it."""
        cell = self.organisation if spread_by == "organisation" else self.place or ""
        return Voice(self.author, self.created_at.astimezone(SHANGHAI).date(), cell)


@dataclass(frozen=True, slots=True)
class Example:
    """One redacted example and the post it is from."""

    post_id: str
    text: str
    paraphrased: bool = False


def members_of(session: Session, demand_id: str) -> list[Member]:
    """Return the published posts of a demand, in the order in which they joined."""
    rows = session.exec(
        select(DemandMember, Post, Reading.place)
        .join(Post, col(Post.id) == col(DemandMember.post_id))
        .outerjoin(Reading, col(Reading.post_id) == col(Post.id))
        .where(col(DemandMember.demand_id) == demand_id, col(Post.state) == PostState.PUBLISHED)
        .order_by(col(DemandMember.joined_at), col(Post.id))
    ).all()
    return [
        Member(
            post_id=post.id,
            source=post.source,
            external_id=post.external_id,
            author=post.author,
            organisation=post.organisation,
            place=place or post.place,
            created_at=post.created_at,
            joined_at=member.joined_at,
            probability=member.probability,
        )
        for member, post, place in rows
    ]


def members_of_event(session: Session, event: Event) -> list[Member]:
    """Return the posts of an event: those of its demand, or those that were put into it.

    An event about the platform's order is about posts that were held or removed; they count as well.
    """
    if event.demand_id is not None:
        return members_of(session, event.demand_id)
    states = [PostState.PUBLISHED, PostState.REFERRED]
    if event.kind is EventKind.PLATFORM_INTEGRITY:
        states += [PostState.HELD, PostState.REMOVED]
    rows = session.exec(
        select(EventPost, Post, Reading.place)
        .join(Post, col(Post.id) == col(EventPost.post_id))
        .outerjoin(Reading, col(Reading.post_id) == col(Post.id))
        .where(col(EventPost.event_id) == event.id, col(Post.state).in_(states))
        .order_by(col(EventPost.joined_at), col(Post.id))
    ).all()
    return [
        Member(
            post_id=post.id,
            source=post.source,
            external_id=post.external_id,
            author=post.author,
            organisation=post.organisation,
            place=place or post.place,
            created_at=post.created_at,
            joined_at=member.joined_at,
            probability=1.0,
        )
        for member, post, place in rows
    ]


def author_count(members: Sequence[Member]) -> int:
    """Return how many distinct people wrote these posts."""
    return len({member.author for member in members})


def texts_of(session: Session, members: Sequence[Member]) -> dict[str, str]:
    """Return the current text of each post that still has one."""
    rows = session.exec(
        select(PostRevision.post_id, PostRevision.text)
        .join(
            Post,
            (col(Post.id) == col(PostRevision.post_id)) & (col(Post.revision) == col(PostRevision.revision)),
        )
        .where(col(Post.id).in_([member.post_id for member in members]))
    ).all()
    return {post_id: text for post_id, text in rows if text}


def chosen_examples(
    session: Session,
    members: Sequence[Member],
    chosen: Sequence[str] | None,
    paraphrases: Mapping[str, str],
) -> list[Example]:
    """Return up to five redacted examples, each of another author.

    An officer's paraphrase stands in place of the post's own words, and is redacted as they are; it must
    not repeat them.

    `chosen` are an officer's posts; None lets the service choose, and then only among short posts
    in which nothing had to be taken out.

    Raises
    ------
    InvalidInput
        If there are more than five, two of one author, or one that is not a post of the demand; if a
        paraphrase is of no example, or repeats the post.
    """
    if chosen is None and paraphrases:
        chosen = list(paraphrases)
    if chosen is None:
        return _automatic(members, texts_of(session, members))
    if len(chosen) > EXAMPLES or len(set(chosen)) != len(chosen):
        raise InvalidInput(f"at most {EXAMPLES} different examples", code="examples", field="/examples")
    known = {member.post_id: member for member in members}
    if not set(chosen) <= set(known):
        raise InvalidInput("an example is not a post of this demand", code="examples", field="/examples")
    picked = [known[post_id] for post_id in chosen]
    if author_count(picked) != len(picked):
        raise InvalidInput("two examples have one author", code="examples", field="/examples")
    if not set(paraphrases) <= set(chosen):
        raise InvalidInput("a paraphrase is of no example", code="examples", field="/paraphrases")
    texts = texts_of(session, picked)
    return [
        _example(member.post_id, texts[member.post_id], paraphrases.get(member.post_id))
        for member in picked
        if member.post_id in texts
    ]


def _example(post_id: str, text: str, paraphrase: str | None) -> Example:
    if paraphrase is None or not paraphrase.strip():
        return Example(post_id, redact(text)[:EXAMPLE_LENGTH])
    if repeats(paraphrase, text):
        raise InvalidInput(
            "the paraphrase repeats the post", code="paraphrase_repeats", field=f"/paraphrases/{post_id}"
        )
    return Example(post_id, redact(paraphrase)[:EXAMPLE_LENGTH], paraphrased=True)


def repeats(words: str, text: str) -> bool:
    """Return whether words repeat twelve characters of a text, or the whole of a shorter one."""
    said, written = "".join(words.split()), "".join(text.split())
    length = min(QUOTE, len(written))
    if length == 0:
        return False
    parts = {written[start : start + length] for start in range(len(written) - length + 1)}
    return any(said[start : start + length] in parts for start in range(len(said) - length + 1))


def _automatic(members: Sequence[Member], texts: dict[str, str]) -> list[Example]:
    found: dict[str, Example] = {}
    for member in sorted(members, key=lambda one: (-one.probability, one.post_id)):
        text = texts.get(member.post_id, "")
        if member.author in found or not SHORTEST <= len(text) <= LONGEST:
            continue
        redacted = redact(text)
        if "【" not in redacted:
            found[member.author] = Example(member.post_id, redacted)
        if len(found) == EXAMPLES:
            break
    return list(found.values())


def quotes_a_post(title: str, session: Session, members: Sequence[Member], k: int) -> bool:
    """Return whether a title repeats, word for word, what fewer than k people wrote."""
    wanted = "".join(title.split())
    if len(wanted) < QUOTE:
        return False
    texts = texts_of(session, members)
    saying = {member.author for member in members if wanted in "".join(texts.get(member.post_id, "").split())}
    return 0 < len(saying) < k
