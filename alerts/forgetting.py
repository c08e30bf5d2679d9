"""Forget what an author let a help case pass on, once the case has been archived for long enough.

Charter, 10: kept no longer than needed. A name or a contact is for handling one matter; when that is over
the record empties it, withdraws what still waits in the outbox, empties what has left, and asks whoever
got it to erase it. The forms keep no name (`forms`), so what they print afterwards has none. That a
consent was asked for and given, in which words and when, stays.

Refuses: to keep a name for longer than `LONGEST` after the archive, whatever the operator sets.

Neighbours: `consent` takes and gives back; `settings` has how long; `api/timetable.py` runs this.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col, select

from alerts import cases, consent, disposal
from alerts.settings import LONGEST_CONSENT_DAYS
from models import audit
from models.casework import CaseConsent
from models.database import Database
from models.event import Case, DisposalEntry
from models.vocabulary import CaseState, Step

LONGEST: Final = timedelta(days=LONGEST_CONSENT_DAYS)
KEPT: Final = timedelta(days=30)
"""As long as an author has to answer, so that a case that is begun anew at once still has the name."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many names and contacts one round emptied, in how many cases."""

    cases: int = 0
    items: int = 0


def forget_due(database: Database, now: datetime, *, kept: timedelta = KEPT) -> Forgotten:
    """Empty every consent of a case that was archived `kept` or longer before `now`.

    Each case goes in a transaction of its own. A case that was begun anew since is not archived, and
    keeps what it has. Safe to run twice.

    Raises
    ------
    ValueError
        If `kept` is negative or longer than `LONGEST`.
    """
    if not timedelta(0) <= kept <= LONGEST:
        raise ValueError(f"need 0 <= kept <= {LONGEST.days} days")
    with database.reading() as session:
        due = session.exec(
            select(Case.id)
            .join(CaseConsent, col(CaseConsent.case_id) == col(Case.id))
            .where(col(Case.state) == CaseState.ARCHIVED, col(CaseConsent.value).is_not(None))
            .distinct()
            .order_by(col(Case.id))
        ).all()
    counts = []
    for case_id in due:
        with database.transaction() as session:
            counts.append(_forget(session, case_id, now, kept))
    return Forgotten(sum(count > 0 for count in counts), sum(counts))


def _forget(session: Session, case_id: str, now: datetime, kept: timedelta) -> int:
    """Empty what one case holds, if its time is over; return how many names and contacts that were."""
    case = cases.locked_case(session, case_id)
    archived = session.exec(
        select(func.max(DisposalEntry.at)).where(
            col(DisposalEntry.subject_id) == case.id, col(DisposalEntry.step) == Step.ARCHIVED
        )
    ).one()
    holding = [one for one in consent.consents_of(session, case.id) if one.value is not None]
    if case.state is not CaseState.ARCHIVED or archived is None or archived + kept > now or not holding:
        return 0
    for one in holding:
        one.value, one.forgotten_at = None, now
        session.add(one)
    items = [one.item for one in holding]
    offices = consent.empty_messages(session, case, items, now)
    names = "、".join(dict.fromkeys(consent.ITEM_WORDS[item] for item in items))
    entry = disposal.append(
        session,
        case,
        Step.NOTE,
        f"归档已满{kept.days}天，{names}已从记录中删去。",
        actor=None,
        now=now,
        details={"forgotten": sorted({item.value for item in items}), "round": case.round},
    )
    audit.record(
        session,
        now,
        actor="service",
        action="consent.forgotten",
        subject=f"case:{case.id}",
        organisation=case.organisation,
        details={"items": sorted({item.value for item in items}), "kept_days": kept.days},
    )
    consent.ask_to_erase(session, case, offices, items, occurrence=entry.id, now=now)
    session.flush()
    return len(holding)
