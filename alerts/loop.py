"""Close the loop: tell every author of a case what is done, let each rate the result, and count both.

What is told goes through the authors' own platforms, each of which gets its own identifiers of the posts
and nothing of the others. A rating link is sealed with a key and kept nowhere; what it leaves behind is a
keyed hash for this case and this round, so that one author counts once and nobody can say who it was.

Refuses: a link that was changed, is of an earlier round, or is of a case with no result; figures of
ratings by fewer than k people.

Neighbours: `handling` tells when a step says so; `api/casework.py` hands in the key and the address.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from alerts import disposal
from alerts.case_steps import TO_AUTHORS
from alerts.disclosure import rounded_down
from alerts.members import Member, members_of
from alerts.redaction import redact
from models.casework import CaseRating, CaseTelling
from models.errors import Conflict, NotFound
from models.event import Case, DisposalEntry
from models.outbox import endpoints_of, tell_platform
from models.post import Post
from models.threshold import threshold_for
from models.vocabulary import CaseKind, CaseState, PostState, Rating, Step, Topic

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
CHUNK: Final = 400
SEAL: Final = 16
BALLOT: Final = 16
RATEABLE: Final = (CaseState.RESULT_GIVEN, CaseState.ARCHIVED)
BY_RATING: Final = "青年评价为“没有解决”，自动重新办理。"


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the addresses that authors get, and reads what such an address says."""

    address: str
    key: bytes = field(repr=False)

    def ballot(self, case_id: str, turn: int, author: str) -> str:
        """Return what stands for an author in one round of one case, and nowhere else."""
        told = f"ballot:{case_id}:{turn}:{author}".encode()
        return hmac.digest(self.key, told, "sha256")[:BALLOT].hex()

    def rating(self, case_id: str, turn: int, author: str) -> str:
        """Return the address at which an author rates the result."""
        content = (
            bytes.fromhex(case_id) + turn.to_bytes(2) + bytes.fromhex(self.ballot(case_id, turn, author))
        )
        return f"{self.address}/rate/{_text(content + self._seal(content))}"

    def opened(self, token: str) -> tuple[str, int, str]:
        """Return the case, the round and the ballot of a rating link.

        Raises
        ------
        NotFound
            If this service never made it.
        """
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (ValueError, binascii.Error):
            raw = b""
        content, seal = raw[:-SEAL], raw[-SEAL:]
        if len(content) != 16 + 2 + BALLOT or not hmac.compare_digest(seal, self._seal(content)):
            raise NotFound("no such link")
        return content[:16].hex(), int.from_bytes(content[16:18]), content[18:].hex()

    def consent(self, token: str) -> str:
        """Return the address at which an author consents, or takes it back."""
        return f"{self.address}/consents/{token}"

    def _seal(self, content: bytes) -> bytes:
        return hmac.digest(self.key, b"rating" + content, hashlib.sha256)[:SEAL]


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Told:
    """How many authors one step reached, of how many."""

    step: Step
    authors: int
    of: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a case's authors were told, and what they say of the result.

    `rated` and the counts by answer are None while fewer than k people rated a collective demand.
    """

    authors: int
    told: list[Told]
    rated: int | None
    answers: dict[Rating, int] | None
    may_reopen: bool


def voices_of(session: Session, case: Case) -> list[Member]:
    """Return the published posts that a case is about."""
    if case.demand_id is not None:
        return members_of(session, case.demand_id)
    post = session.get(Post, case.post_id or "")
    if post is None or post.state is PostState.DELETED:
        return []
    return [
        Member(
            post_id=post.id,
            source=post.source,
            external_id=post.external_id,
            author=post.author,
            organisation=post.organisation,
            place=post.place,
            created_at=post.created_at,
            joined_at=post.created_at,
            probability=1.0,
        )
    ]


def tell_authors(session: Session, case: Case, entry: DisposalEntry, links: Links, now: datetime) -> None:
    """Tell every author through their platform what an entry says; with a result, where to rate it.

    An author with several posts is told at the first of them on each platform.
    """
    members = voices_of(session, case)
    for source in sorted({one.source for one in members}):
        first: dict[str, Member] = {}
        for one in members:
            if one.source == source:
                first.setdefault(one.author, one)
        endpoints = endpoints_of(session, source)
        chosen = list(first.values())
        sent = 0
        for number, start in enumerate(range(0, len(chosen), CHUNK)):
            sent += tell_platform(
                session,
                source,
                Topic.CASE_TOLD,
                case.id,
                payload={
                    "case": case.id,
                    "kind": case.kind.value,
                    "demand": case.demand_id,
                    "step": entry.step.value,
                    "message": redact(entry.text),
                    "posts": [_place(case, one, entry.step, links) for one in chosen[start : start + CHUNK]],
                },
                now=now,
                occurrence=f"{entry.id}-{number}",
                endpoints=endpoints,
            )
        session.add(
            CaseTelling(
                case_id=case.id,
                round=case.round,
                step=entry.step,
                source=source,
                authors=len(chosen),
                sent=sent > 0,
                at=now,
            )
        )


def _place(case: Case, member: Member, step: Step, links: Links) -> dict[str, str]:
    told = {"post": member.external_id}
    if step is Step.FEED_BACK_USERS:
        told["rate"] = links.rating(case.id, case.round, member.author)
    return told


def rated_case(session: Session, links: Links, token: str, *, lock: bool = False) -> tuple[Case, str]:
    """Return the case of a rating link and the ballot, if it may be rated now; locked only for who rates.

    Raises
    ------
    NotFound
        If this service never made the link.
    Conflict
        If the case was begun anew since, or has no result.
    """
    case_id, turn, ballot = links.opened(token)
    wanted = select(Case).where(col(Case.id) == case_id)
    case = session.exec(wanted.with_for_update() if lock else wanted).one_or_none()
    if case is None:
        raise NotFound("no such link")
    if case.round != turn or case.state not in RATEABLE:
        raise Conflict("the case is being handled again; another link will come", code="rating_over")
    return case, ballot


def told_result(session: Session, case: Case) -> str:
    """Return what the authors were last told about the result, redacted."""
    told = [one.text for one in disposal.record_of(session, case.id) if one.step is Step.FEED_BACK_USERS]
    return redact(told[-1]) if told else ""


def rate(session: Session, links: Links, token: str, rating: Rating, *, now: datetime) -> Case:
    """Take an author's word on a result; the last one counts. "Not solved" may begin the case anew.

    A help case is begun anew at once. A collective demand is, once k people rated it and more than half
    of them say that it is not solved; before that, the offices may.

    Raises
    ------
    NotFound, Conflict
        As `rated_case` does.
    """
    case, ballot = rated_case(session, links, token, lock=True)
    given = session.exec(
        select(CaseRating).where(
            col(CaseRating.case_id) == case.id,
            col(CaseRating.round) == case.round,
            col(CaseRating.ballot) == ballot,
        )
    ).one_or_none()
    if given is None:
        given = CaseRating(
            case_id=case.id,
            round=case.round,
            ballot=ballot,
            rating=rating,
            rated_on=now.astimezone(SHANGHAI).date(),
        )
    given.rating = rating
    session.add(given)
    session.flush()
    answers = _answers(session, case)
    if rating is Rating.NOT_SOLVED and _asks_again(session, case, answers):
        entry = disposal.append(
            session, case, Step.REOPENED, BY_RATING, actor=None, now=now, details={"round": case.round + 1}
        )
        begin_again(case)
        session.add_all([case, entry])
        session.flush()
    return case


def begin_again(case: Case) -> None:
    """Let a case begin another round with the unit that had it."""
    case.round += 1
    case.state = CaseState.ASSIGNED if case.lead is not None else CaseState.UNDER_REVIEW
    case.settled_at = None
    case.version += 1


def _answers(session: Session, case: Case) -> dict[Rating, int]:
    found: dict[Rating, int] = dict.fromkeys(list(Rating), 0)
    for one in session.exec(
        select(CaseRating).where(col(CaseRating.case_id) == case.id, col(CaseRating.round) == case.round)
    ):
        found[one.rating] += 1
    return found


def _asks_again(session: Session, case: Case, answers: dict[Rating, int]) -> bool:
    if case.kind is CaseKind.HELP_CASE:
        return answers[Rating.NOT_SOLVED] > 0
    rated = sum(answers.values())
    k = threshold_for(session, case.organisation).k
    return rated >= k and answers[Rating.NOT_SOLVED] * 2 > rated


def was_not_solved(session: Session, case: Case) -> bool:
    """Return whether somebody rated this round "not solved", so that the offices may begin it anew."""
    return _answers(session, case)[Rating.NOT_SOLVED] > 0


def coverage(session: Session, case: Case, *, exact: bool = False) -> Coverage:
    """Return how far the authors were told, and what enough of them say.

    Unless `exact`, which is for whoever may read the posts, the people of a collective demand are rounded
    down to tens, so that nobody sees single people join from one look to the next.
    """
    exact = exact or case.kind is CaseKind.HELP_CASE
    authors = len({one.author for one in voices_of(session, case)})
    answers = _answers(session, case)
    rated = sum(answers.values())
    least = 1 if case.kind is CaseKind.HELP_CASE else threshold_for(session, case.organisation).k
    shown = rated if rated == 0 or rated >= least else None
    return Coverage(
        authors=authors if exact else rounded_down(authors),
        told=_told(session, case, exact=exact),
        rated=shown,
        answers=answers if shown is not None else None,
        may_reopen=case.state in RATEABLE and answers[Rating.NOT_SOLVED] > 0,
    )


def _told(session: Session, case: Case, *, exact: bool) -> list[Told]:
    """Return the last telling of each step in this round."""
    rows: Sequence[CaseTelling] = session.exec(
        select(CaseTelling)
        .where(col(CaseTelling.case_id) == case.id, col(CaseTelling.round) == case.round)
        .order_by(col(CaseTelling.at))
    ).all()
    found: dict[Step, list[CaseTelling]] = {}
    for row in rows:
        latest = found.get(row.step)
        if latest is None or latest[0].at != row.at:
            latest = found[row.step] = []
        latest.append(row)
    return [
        Told(
            step,
            _people((row.authors for row in last if row.sent), exact=exact),
            _people((row.authors for row in last), exact=exact),
            last[0].at,
        )
        for step in TO_AUTHORS
        if (last := found.get(step))
    ]


def _people(counts: Iterable[int], *, exact: bool) -> int:
    people = sum(counts)
    return people if exact else rounded_down(people)
