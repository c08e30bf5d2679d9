"""The posts of a demand, as verification, counting and examples read them from the records.

Only published posts count: a post that was removed, held, referred or deleted meanwhile does not.
Nothing here leaves the room: `disclosure` counts it, `redaction` cleans it, and of a post's words nothing
goes up but what an officer says in their own (`chosen_examples`).
"""

import unicodedata
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
    """What one post says, and which post it is: as an officer may read it, or as they put it."""

    post_id: str
    text: str


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
    """Return up to five examples in an officer's own words, each of another author.

    A post is quoted to nobody: an officer says in other words what it asks, and those are redacted besides.

    Parameters
    ----------
    chosen
        The posts to be told of; None for those that have a paraphrase.
    paraphrases
        By post, the officer's words.

    Raises
    ------
    InvalidInput
        If there are more than five, two of one author, or one that is not a post of the demand; if one has
        no paraphrase, or one that repeats the post; if a paraphrase is of no example.
    """
    if chosen is None:
        chosen = list(paraphrases)
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
        _example(member.post_id, texts[member.post_id], paraphrases.get(member.post_id, ""))
        for member in picked
        if member.post_id in texts
    ]


def _example(post_id: str, text: str, paraphrase: str) -> Example:
    if not paraphrase.strip():
        raise InvalidInput(
            "an example goes up in an officer's words alone",
            code="not_paraphrased",
            field=f"/paraphrases/{post_id}",
        )
    if repeats(paraphrase, text):
        raise InvalidInput(
            "the paraphrase repeats the post", code="paraphrase_repeats", field=f"/paraphrases/{post_id}"
        )
    return Example(post_id, redact(paraphrase)[:EXAMPLE_LENGTH])


def repeats(words: str, text: str) -> bool:
    """Return whether words repeat twelve characters of a text, or the whole of a shorter one.

    Only letters and digits count, in normal form: other punctuation or width makes no other words.
    """
    said, written = _bare(words), _bare(text)
    length = min(QUOTE, len(written))
    if length == 0:
        return False
    parts = {written[start : start + length] for start in range(len(written) - length + 1)}
    return any(said[start : start + length] in parts for start in range(len(said) - length + 1))


def _bare(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum())


def proposed_examples(session: Session, members: Sequence[Member]) -> list[Example]:
    """Return up to five typical posts, redacted, for an officer of the place to put into other words.

    Each is of another author, short, and one in which nothing had to be taken out. None of this goes up.
    """
    texts = texts_of(session, members)
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
