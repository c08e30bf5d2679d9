"""Where a blind sample waits: a place in the queue that looks like any other.

Neighbours: `drawing` and `golden_items` put samples there, `blind` shows them and takes the answers.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from models.quality import QualitySample, SampleTask
from models.review import ReviewTask
from models.screening import Screening
from models.vocabulary import HARMS, Category, TaskState
from moderation.screening import DUE_AFTER, RULE_NAME, URGENCY

AWAY: Final = timedelta(days=30)
"""How long who read a sample is kept from it."""


def lot(key: bytes, use: str, identifier: str) -> float:
    """Return a number in [0, 1) that hangs on the key, the use and the identifier alone."""
    digest = hmac.digest(key, f"{use}\x00{identifier}".encode(), "sha256")
    return int.from_bytes(digest[:8]) / 2**64


def is_waiting(session: Session, post_id: str) -> bool:
    """Whether a place in the queue is open about a post."""
    return (
        session.exec(
            select(ReviewTask.id).where(
                col(ReviewTask.post_id) == post_id, col(ReviewTask.state) == TaskState.OPEN
            )
        ).first()
        is not None
    )


def place(session: Session, sample: QualitySample, screening: Screening, now: datetime) -> ReviewTask:
    """Open a place in the queue that looks like any other."""
    category = _likeliest(sample, screening)
    rule = screening.reasons[0]["rule"] if screening.reasons else screening.bundle
    task = ReviewTask(
        post_id=sample.post_id,
        screening_id=screening.id,
        organisation=sample.organisation,
        category=category,
        urgency=URGENCY[category],
        rule=rule[:RULE_NAME] if rule else None,
        due_at=now + DUE_AFTER[URGENCY[category]],
        created_at=now,
    )
    session.add_all([sample, task])
    session.flush()
    session.add(SampleTask(task_id=task.id, sample_id=sample.id))
    session.flush()
    return task


def _likeliest(sample: QualitySample, screening: Screening) -> Category:
    """Return a category under which the post could wait: the machine's own, or the likeliest harm."""
    if screening.category in HARMS:
        return Category(screening.category)
    known = {word: screening.probabilities.get(word.value, 0.0) for word in HARMS}
    if any(known.values()):
        return max(HARMS, key=lambda word: known[word])
    number = int.from_bytes(hashlib.sha256(sample.post_id.encode()).digest()[:4])
    return HARMS[number % len(HARMS)]
