"""The one way in for posts: HTTP, batch and file all come through `take`.

A draft is looked up by (source, external id, revision). Known with the same content: the stored
answer. Known with another: refused. New: screened and recorded. Later revision: an edit. The
screener runs outside any transaction; one short transaction then writes everything, so a post is
either taken with its verdict or not at all, and two requests that race end in one row and one
answer.

Refuses: drafts for another source or place than the caller's, older revisions, deleted posts.

Neighbours: `drafts` checks the fields; `screening` does what follows from a verdict; `deletion`
is the way out.
"""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from models.base import new_id
from models.database import Database
from models.errors import (
    Conflict,
    Gone,
    InvalidInput,
    NotFound,
    NotPermitted,
    RevisionConflict,
    StaleVersion,
    TingjianError,
)
from models.organisation import Organisation, is_under
from models.post import Post, PostRevision
from models.screening import Screening
from models.vocabulary import Category, PostState, Verdict
from moderation.drafts import Draft, can_be_key
from moderation.helplines import help_document
from moderation.pipeline import Outcome, Screener
from moderation.screening import STATE_OF, Recorded, Screened, record_many

BATCH_LIMIT: Final = 1_000


class ContentKeys(Protocol):
    """The secrets that intake hashes with; see `api/wiring.py`."""

    @property
    def authors(self) -> bytes:
        """Key of the hash that stands for an author."""

    @property
    def fingerprints(self) -> bytes:
        """Key of the fingerprint that proves what a deleted post was."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose word posts come in. `organisations` are the highest nodes it may write to; None for all."""

    source: str
    actor: str
    organisations: tuple[str, ...] | None = None

    def reaches(self, organisation: str) -> bool:
        """Whether the caller may write to this node of the tree."""
        return self.organisations is None or any(is_under(organisation, root) for root in self.organisations)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform is answered about one revision. `state` is the post's state now."""

    id: str
    source: str
    external_id: str
    revision: int
    verdict: Verdict
    state: PostState
    category: Category | None
    reasons: list[dict[str, Any]]
    probabilities: dict[str, float]
    rulebook: str
    bundle: str | None
    policy: str
    screened_at: datetime

    def document(self) -> dict[str, Any]:
        """Return the answer as JSON carries it, with the help lines where a person may be in danger."""
        found: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        if self.verdict is Verdict.REFER:
            found["help"] = help_document()
        return found


@dataclass(slots=True)
class Taken:
    """What became of one draft: an answer, new or repeated, or a problem."""

    answer: Answer | None = None
    created: bool = False
    problem: TingjianError | None = None


def author_hash(keys: ContentKeys, source: str, author: str) -> str:
    """Return what stands for an author: the same for the same key of the same source, and no way back."""
    return hmac.digest(keys.authors, f"{source}\0{author}".encode(), "sha256").hex()


def fingerprint(keys: ContentKeys, draft: Draft) -> str:
    """Return the keyed hash of what makes a draft's content. Likes change, and are not in it."""
    content = [
        draft.kind,
        draft.parent,
        draft.organisation,
        draft.author,
        draft.text,
        draft.created_at,
        draft.place,
    ]
    return hmac.digest(keys.fingerprints, orjson.dumps(content), "sha256").hex()


@dataclass(slots=True)
class _Item:
    """One draft on its way in."""

    draft: Draft
    taken: Taken
    fingerprint: str
    author: str
    outcome: Outcome | None = field(default=None)

    def refuse(self, problem: TingjianError) -> None:
        self.taken.problem = problem

    def answer(self, post: Post, screening: Screening | Recorded, *, created: bool) -> None:
        self.taken.created = created
        self.taken.answer = answer(post, screening)


def take(
    database: Database,
    screener: Screener,
    drafts: Sequence[Draft | TingjianError],
    *,
    caller: Caller,
    keys: ContentKeys,
    now: datetime,
) -> list[Taken]:
    """Take drafts in; return what became of each, in the order of `drafts`.

    A draft may already be the error that it has become; it comes back as that. One draft's problem
    does not touch the others. Everything goes in one transaction, except that several revisions of
    one post follow each other in a transaction each.
    """
    results: list[Taken] = []
    items: list[_Item] = []
    for draft in drafts:
        taken = Taken()
        results.append(taken)
        if isinstance(draft, TingjianError):
            taken.problem = draft
        else:
            items.append(
                _Item(
                    draft,
                    taken,
                    fingerprint(keys, draft),
                    author_hash(keys, draft.source, draft.author),
                )
            )
    items = _permitted(database, items, caller)
    if items:
        _screen(database, screener, items, caller.source)
        waiting = items
        while waiting:
            with database.transaction() as session:
                waiting = _one_of_each_post(session, screener, waiting, caller, now)
    return results


def _permitted(database: Database, items: Sequence[_Item], caller: Caller) -> list[_Item]:
    """Refuse what names another source or place than the caller's, or a place that is not in the tree."""
    named = {item.draft.organisation for item in items}
    with database.reading() as session:
        existing = set(session.exec(select(Organisation.path).where(col(Organisation.path).in_(named))).all())
    permitted = []
    for item in items:
        path = item.draft.organisation
        if item.draft.source != caller.source:
            item.refuse(
                NotPermitted("the key belongs to another source", code="wrong_source", field="/source")
            )
        elif path not in existing:
            item.refuse(
                InvalidInput(
                    "there is no such organisation", code="unknown_organisation", field="/organisation"
                )
            )
        elif not caller.reaches(path):
            item.refuse(_out_of_reach())
        else:
            permitted.append(item)
    return permitted


def _screen(database: Database, screener: Screener, items: Sequence[_Item], source: str) -> None:
    """Screen, outside any transaction, what is not on record yet; a text that comes twice only once."""
    with database.reading() as session:
        known = set(
            session.exec(
                select(Post.external_id, PostRevision.revision)
                .join(PostRevision, col(PostRevision.post_id) == col(Post.id))
                .where(
                    col(Post.source) == source,
                    col(Post.external_id).in_({item.draft.external_id for item in items}),
                )
            ).all()
        )
    new = [item for item in items if (item.draft.external_id, item.draft.revision) not in known]
    texts = list(dict.fromkeys(item.draft.text for item in new))
    outcomes = dict(zip(texts, screener.screen(texts), strict=True)) if texts else {}
    for item in new:
        item.outcome = outcomes[item.draft.text]


def _one_of_each_post(
    session: Session, screener: Screener, items: Sequence[_Item], caller: Caller, now: datetime
) -> list[_Item]:
    """Take the first waiting draft of each post; return those that must wait for another round.

    A repeat of a draft taken in this round shares its answer and waits for nothing.
    """
    first: dict[str, _Item] = {}
    repeats: list[tuple[_Item, _Item]] = []
    later: list[_Item] = []
    queued: set[str] = set()
    for item in items:
        chosen = first.setdefault(item.draft.external_id, item)
        if chosen is item:
            continue
        same = (item.draft.revision, item.fingerprint) == (chosen.draft.revision, chosen.fingerprint)
        if same and item.draft.external_id not in queued:
            repeats.append((item, chosen))
        else:
            queued.add(item.draft.external_id)
            later.append(item)
    _take_each(session, screener, first, caller, now)
    for item, chosen in repeats:
        item.taken.answer, item.taken.problem = chosen.taken.answer, chosen.taken.problem
    return later


def _take_each(
    session: Session, screener: Screener, items: dict[str, _Item], caller: Caller, now: datetime
) -> None:
    """Take drafts of different posts, each new, known or an edit."""
    inserted = _insert_missing(session, items, caller.source, now)
    posts = session.exec(
        select(Post)
        .where(col(Post.source) == caller.source, col(Post.external_id).in_(items))
        .order_by(col(Post.external_id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    old = [post for post in posts if inserted.get(post.external_id) != post.id]
    stored = _stored(session, {post.id for post in old})
    entries: list[Screened] = []
    for post in posts:
        item = items[post.external_id]
        if inserted.get(post.external_id) == post.id:
            entries.append(Screened(post, _outcome(screener, item), fresh=True))
        elif _is_edit(item, post, stored, caller):
            _apply(post, item.draft)
            entries.append(Screened(post, _outcome(screener, item)))
    if entries:
        session.execute(
            sa.insert(SQLModel.metadata.tables["postrevision"]),
            [
                {
                    "id": new_id(),
                    "post_id": entry.post.id,
                    "revision": entry.post.revision,
                    "text": items[entry.post.external_id].draft.text,
                    "fingerprint": items[entry.post.external_id].fingerprint,
                    "received_at": now,
                }
                for entry in entries
            ],
        )
    for entry, screening in zip(entries, record_many(session, entries, now=now), strict=True):
        items[entry.post.external_id].answer(entry.post, screening, created=True)


def _outcome(screener: Screener, item: _Item) -> Outcome:
    """Return the outcome made before; make it now if the post looked known then."""
    if item.outcome is None:
        item.outcome = screener.screen([item.draft.text])[0]
    return item.outcome


def _insert_missing(session: Session, items: dict[str, _Item], source: str, now: datetime) -> dict[str, str]:
    """Insert a row for every post that has none; return the id proposed for each.

    Whoever loses a race finds the other's id in the table instead of its own. The rows go in the
    order of their keys, so that two batches never wait for each other crosswise.
    """
    known = set(
        session.exec(
            select(Post.external_id).where(col(Post.source) == source, col(Post.external_id).in_(items))
        ).all()
    )
    proposed: dict[str, str] = {}
    rows = []
    for external_id in sorted(items.keys() - known):
        item = items[external_id]
        if item.outcome is None:
            continue
        proposed[external_id] = new_id()
        verdict = item.outcome.verdict
        rows.append(
            {
                "id": proposed[external_id],
                "source": source,
                "external_id": external_id,
                "revision": item.draft.revision,
                "kind": item.draft.kind,
                "parent": item.draft.parent,
                "organisation": item.draft.organisation,
                "author": item.author,
                "state": STATE_OF[verdict],
                "category": item.outcome.category if verdict is not Verdict.PUBLISH else None,
                "place": item.draft.place,
                "likes": item.draft.likes,
                "created_at": item.draft.created_at,
                "received_at": now,
                "read_revision": 0,
                "version": 1,
            }
        )
    if rows:
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        session.execute(
            insert(SQLModel.metadata.tables["post"]).on_conflict_do_nothing(
                index_elements=["source", "external_id"]
            ),
            rows,
        )
    return proposed


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is on record about posts: fingerprints and the newest screening, per revision."""

    fingerprints: dict[tuple[str, int], str]
    screenings: dict[tuple[str, int], Screening]


def _stored(session: Session, posts: Iterable[str]) -> _Stored:
    wanted = set(posts)
    if not wanted:
        return _Stored({}, {})
    revisions = session.exec(
        select(PostRevision.post_id, PostRevision.revision, PostRevision.fingerprint).where(
            col(PostRevision.post_id).in_(wanted)
        )
    ).all()
    screenings = session.exec(
        select(Screening).where(col(Screening.post_id).in_(wanted)).order_by(col(Screening.sequence))
    ).all()
    return _Stored(
        {(post, revision): content for post, revision, content in revisions},
        {(one.post_id, one.revision): one for one in screenings},
    )


def _is_edit(item: _Item, post: Post, stored: _Stored, caller: Caller) -> bool:
    """Return whether the draft is a later revision of `post`; if not, answer or refuse it."""
    draft = item.draft
    key = (post.id, draft.revision)
    if post.state is PostState.DELETED:
        item.refuse(Gone("the post was deleted", field="/external_id"))
    elif key in stored.fingerprints:
        if hmac.compare_digest(stored.fingerprints[key], item.fingerprint):
            item.answer(post, stored.screenings[key], created=False)
        else:
            item.refuse(
                RevisionConflict("this revision was sent before with another content", field="/revision")
            )
    elif draft.revision < post.revision:
        item.refuse(
            StaleVersion("a later revision is already here", field="/revision", current=post.revision)
        )
    elif item.author != post.author:
        item.refuse(Conflict("an edit keeps its author", code="author_changed", field="/author"))
    elif not caller.reaches(post.organisation):
        item.refuse(_out_of_reach())
    else:
        return True
    return False


def _out_of_reach() -> NotPermitted:
    return NotPermitted(
        "the key does not reach this organisation",
        code="organisation_not_permitted",
        field="/organisation",
    )


def _apply(post: Post, draft: Draft) -> None:
    """Bring the post to the draft's revision."""
    post.revision = draft.revision
    post.kind, post.parent = draft.kind, draft.parent
    post.organisation, post.place = draft.organisation, draft.place
    post.likes, post.created_at = draft.likes, draft.created_at
    post.version += 1


def answer(post: Post, screening: Screening | Recorded) -> Answer:
    """Return what the platform is told about one screening of `post`."""
    return Answer(
        id=post.id,
        source=post.source,
        external_id=post.external_id,
        revision=screening.revision,
        verdict=screening.verdict,
        state=post.state,
        category=screening.category,
        reasons=screening.reasons,
        probabilities=screening.probabilities,
        rulebook=screening.rulebook,
        bundle=screening.bundle,
        policy=screening.policy,
        screened_at=screening.screened_at,
    )


def current(session: Session, source: str, external_id: str, *, scope: Sequence[str] | None) -> Answer:
    """Return where a post stands now.

    Raises
    ------
    NotFound
        If there is none, or none within `scope`.
    Gone
        If it was deleted.
    """
    if not (can_be_key(source) and can_be_key(external_id)):
        raise NotFound("there is no such post")
    post = session.exec(
        select(Post).where(col(Post.source) == source, col(Post.external_id) == external_id)
    ).first()
    if post is None or (scope is not None and not any(is_under(post.organisation, root) for root in scope)):
        raise NotFound("there is no such post")
    if post.state is PostState.DELETED:
        raise Gone("the post was deleted")
    newest = session.exec(
        select(Screening)
        .where(col(Screening.post_id) == post.id, col(Screening.revision) == post.revision)
        .order_by(col(Screening.sequence).desc())
    ).first()
    if newest is None:
        raise NotFound("the post has no verdict yet")
    return answer(post, newest)
