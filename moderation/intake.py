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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
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
from models.organisation import reaches
from models.post import NewPost, Post, PostRevision
from models.prepared import Listed, Prepared, PreparedList
from models.screening import Screening
from models.vocabulary import Category, PostState, Verdict
from moderation import sightings
from moderation.behaviour import Sighting
from moderation.drafts import Draft, can_be_key
from moderation.helplines import help_document
from moderation.pipeline import Outcome, Screener
from moderation.screening import STATE_OF, Recorded, Screened, record_many

BATCH_LIMIT: Final = 1_000
AT_ONCE: Final = 100
"""Posts that are screened at once, and written in one transaction."""


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
        return self.organisations is None or reaches(self.organisations, organisation)


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
    sighting: Sighting | None = field(default=None)

    def refuse(self, problem: TingjianError) -> None:
        self.taken.problem = problem

    def answer(self, post: Post | NewPost, screening: Screening | Recorded, *, created: bool) -> None:
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
    does not touch the others. A long batch goes in a few transactions, so that a post that comes alone
    waits for a part of it and not for the whole; several revisions of one post follow each other.
    """
    screener = screener.pinned()  # one edition of the rulebook for the whole batch
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
    with database.looking() as connection:
        items = _permitted(connection, items, caller)
        known = _known(connection, items, caller.source)
    if items:
        _screen(database, screener, items, known, keys=keys, now=now)
        for begin in range(0, len(items), AT_ONCE):
            waiting = items[begin : begin + AT_ONCE]
            while waiting:
                with database.transaction() as session:
                    waiting = _one_of_each_post(session, screener, waiting, caller=caller, keys=keys, now=now)
    return results


_POSTS: Final = SQLModel.metadata.tables["post"]
_REVISIONS: Final = SQLModel.metadata.tables["postrevision"]
_PLACES: Final = SQLModel.metadata.tables["organisation"]


def _places_named(named: Listed) -> sa.Executable:
    return sa.select(_PLACES.c.path).where(_PLACES.c.path.in_(named))


def _on_record(named: Listed) -> sa.Executable:
    return (
        sa.select(_POSTS.c.external_id, _REVISIONS.c.revision)
        .join(_REVISIONS, _REVISIONS.c.post_id == _POSTS.c.id)
        .where(
            _POSTS.c.source == sa.bindparam("source", type_=_POSTS.c.source.type),
            _POSTS.c.external_id.in_(named),
        )
    )


_PLACES_NAMED: Final = PreparedList(_places_named, _PLACES.c.path.type)
_ON_RECORD: Final = PreparedList(_on_record, _POSTS.c.external_id.type)
_LOCKED: Final = (
    select(Post)
    .where(
        col(Post.source) == sa.bindparam("source"),
        col(Post.external_id).in_(sa.bindparam("named", expanding=True)),
    )
    .order_by(col(Post.external_id))
    .with_for_update()
    .execution_options(populate_existing=True)
)
_INSERT_REVISIONS: Final = Prepared(sa.insert(_REVISIONS))
_ALONE: Final = ["source", "external_id"]
_INSERT_ONE_BY_ONE: Final = Prepared(sqlite.insert(_POSTS).on_conflict_do_nothing(index_elements=_ALONE))
_INSERT_TOGETHER: Final = (
    postgresql.insert(_POSTS).on_conflict_do_nothing(index_elements=_ALONE).returning(_POSTS.c.id)
)


def _permitted(connection: Connection, items: Sequence[_Item], caller: Caller) -> list[_Item]:
    """Refuse what names another source or place than the caller's, or a place that is not in the tree."""
    named = {item.draft.organisation for item in items}
    existing = {path for (path,) in _PLACES_NAMED.rows(connection, list(named))}
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


def _known(connection: Connection, items: Sequence[_Item], source: str) -> set[tuple[str, int]]:
    """Return the revisions on record of the posts that the items are about."""
    named = list({item.draft.external_id for item in items})
    found = _ON_RECORD.rows(connection, named, {"source": source})
    return {(external_id, revision) for external_id, revision in found}


def _screen(
    database: Database,
    screener: Screener,
    items: Sequence[_Item],
    known: set[tuple[str, int]],
    *,
    keys: ContentKeys,
    now: datetime,
) -> None:
    """Screen, outside any transaction, what is not on record yet; a text that comes twice only once.

    Of new posts, and not of edits, it is also judged how they come.
    """
    new = [item for item in items if (item.draft.external_id, item.draft.revision) not in known]
    texts = list(dict.fromkeys(item.draft.text for item in new))
    outcomes: dict[str, Outcome] = {}
    for begin in range(0, len(texts), AT_ONCE):
        few = texts[begin : begin + AT_ONCE]
        outcomes.update(zip(few, screener.screen(few), strict=True))
    for item in new:
        item.outcome = outcomes[item.draft.text]
    known_posts = {external_id for external_id, _ in known}
    first = {item.draft.external_id: item for item in reversed(new)}
    arriving = [item for name, item in first.items() if name not in known_posts]
    watched = sightings.watch(
        database,
        screener,
        [
            sightings.Arrival(item.draft.text, item.author, item.draft.created_at, outcomes[item.draft.text])
            for item in arriving
        ],
        salt=keys.authors,
        now=now,
    )
    for item, seen in zip(arriving, watched, strict=True):
        item.outcome, item.sighting = seen.outcome, seen.sighting


def _one_of_each_post(
    session: Session,
    screener: Screener,
    items: Sequence[_Item],
    *,
    caller: Caller,
    keys: ContentKeys,
    now: datetime,
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
    _take_each(session, screener, first, caller=caller, keys=keys, now=now)
    for item, chosen in repeats:
        item.taken.answer, item.taken.problem = chosen.taken.answer, chosen.taken.problem
    return later


def _take_each(
    session: Session,
    screener: Screener,
    items: dict[str, _Item],
    *,
    caller: Caller,
    keys: ContentKeys,
    now: datetime,
) -> None:
    """Take drafts of different posts, each new, known or an edit."""
    inserted = _insert_missing(session, items, caller.source, now)
    others = [name for name in items if name not in inserted]
    old = session.exec(_LOCKED, params={"source": caller.source, "named": others}).all() if others else ()
    stored = _stored(session, {post.id for post in old})
    entries: list[Screened] = []
    posts: list[Post | NewPost] = [*inserted.values(), *old]
    for post in sorted(posts, key=lambda post: post.external_id):
        item = items[post.external_id]
        if isinstance(post, NewPost):
            entries.append(Screened(post, _outcome(screener, item)))
        elif _is_edit(item, post, stored, caller):
            _apply(post, item.draft)
            entries.append(Screened(post, _outcome(screener, item)))
    if entries:
        _INSERT_REVISIONS.write(
            session.connection(),
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
    seen = [(entry.post.id, items[entry.post.external_id].sighting) for entry in entries if entry.fresh]
    sightings.write(
        session, ((post, one) for post, one in seen if one is not None), salt=keys.authors, now=now
    )
    for entry, screening in zip(entries, record_many(session, entries, now=now), strict=True):
        items[entry.post.external_id].answer(entry.post, screening, created=True)


def _outcome(screener: Screener, item: _Item) -> Outcome:
    """Return the outcome made before; make it now if the post looked known then."""
    if item.outcome is None:
        item.outcome = screener.screen([item.draft.text])[0]
    return item.outcome


def _insert_missing(
    session: Session, items: dict[str, _Item], source: str, now: datetime
) -> dict[str, NewPost]:
    """Insert a row for every post that has none; return the posts that are new by that.

    Whoever loses a race gets nothing back, and finds the other's row instead. The rows go in the
    order of their keys, so that two batches never wait for each other crosswise.
    """
    rows: list[dict[str, Any]] = []
    for external_id in sorted(items):
        item = items[external_id]
        if item.outcome is None:
            continue
        verdict = item.outcome.verdict
        rows.append(
            {
                "id": new_id(),
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
    if not rows:
        return {}
    written = _inserted(session.connection(), rows)
    return {
        row["external_id"]: NewPost(
            id=row["id"],
            source=source,
            external_id=row["external_id"],
            revision=row["revision"],
            organisation=row["organisation"],
            state=row["state"],
            category=row["category"],
        )
        for row in rows
        if row["id"] in written
    }


def _inserted(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Insert posts; return the ids of those that were not there."""
    if connection.dialect.name == "sqlite":
        told = _INSERT_ONE_BY_ONE.written(connection, rows)
        return {row["id"] for row, is_new in zip(rows, told, strict=True) if is_new}
    # A server is asked once and not for each row.
    return set(connection.execute(_INSERT_TOGETHER, rows).scalars())


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


def answer(post: Post | NewPost, screening: Screening | Recorded) -> Answer:
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
    if post is None or (scope is not None and not reaches(scope, post.organisation)):
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
