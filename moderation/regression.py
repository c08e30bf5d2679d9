"""Ask what screens posts today about the posts that granted objections restored.

Each granted objection leaves a case: a post, a revision, and the rules that erred on it. The text stays
where every text of a post stands, and a deletion takes the case with it; so nothing of an author's is kept
longer for having objected. A screener that would again hold or remove such a post has not learnt from it.

What is switched on while the service runs (a rule, a pack, thresholds, a bundle, a way back, the right to
remove by itself) is asked before it holds: `arrangement` refuses what would act on a restored post that is
let through today, or would act on it more severely or by something more. That a rule which erred once is
still on refuses nothing else; `tingjian regressions` lists all that errs today, and is asked before an
upgrade.

Refuses: to keep, print or return a text.

Neighbours: `appeals` adds the cases; `arrangement` asks at the door; `tingjian regressions` prints.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlmodel import Session, col, select

from models.errors import CharterViolation
from models.post import PostRevision
from models.review import RegressionCase
from models.vocabulary import Verdict
from moderation.pipeline import Outcome

AT_ONCE: Final = 500
NAMED: Final = 20
"""Cases that a refusal names."""


class Screens(Protocol):
    """What gives outcomes for texts."""

    def screen(self, texts: Sequence[str]) -> list[Outcome]:
        """Return one outcome for each text."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A case on which something errs again: by what, and how."""

    post_id: str
    revision: int
    verdict: Verdict
    by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """How many cases there are, and on which of them a screener errs."""

    cases: int
    regressions: tuple[Regression, ...]


def ask(session: Session, screener: Screens) -> Asked:
    """Screen every case anew, and return those that would be held or removed."""
    cases, after, found = 0, "", list[Regression]()
    while True:
        rows = session.exec(
            select(RegressionCase, PostRevision.text)
            .join(
                PostRevision,
                (col(PostRevision.post_id) == col(RegressionCase.post_id))
                & (col(PostRevision.revision) == col(RegressionCase.revision)),
            )
            .where(col(RegressionCase.id) > after, col(PostRevision.text).is_not(None))
            .order_by(col(RegressionCase.id))
            .limit(AT_ONCE)
        ).all()
        outcomes = screener.screen([text or "" for _, text in rows])
        found += [
            Regression(
                case.post_id,
                case.revision,
                outcome.verdict,
                tuple(sorted({reason.rule for reason in outcome.reasons})),
            )
            for (case, _), outcome in zip(rows, outcomes, strict=True)
            if outcome.verdict in {Verdict.HOLD, Verdict.REMOVE}
        ]
        cases += len(rows)
        if len(rows) < AT_ONCE:
            return Asked(cases, tuple(found))
        after = rows[-1][0].id


def is_asked(session: Session) -> bool:
    """Return whether there is any case."""
    return session.exec(select(RegressionCase.id).limit(1)).first() is not None


def worse(before: Asked, after: Asked) -> tuple[Regression, ...]:
    """Return what errs after a change and did not before, or not so severely, or not by so much."""
    known = {(one.post_id, one.revision): one for one in before.regressions}
    return tuple(one for one in after.regressions if _is_worse(one, known.get((one.post_id, one.revision))))


def _is_worse(after: Regression, before: Regression | None) -> bool:
    return (
        before is None
        or after.verdict.severity > before.verdict.severity
        or not set(after.by) <= set(before.by)
    )


def refuse_worse(before: Asked, after: Asked) -> None:
    """Refuse a change under which something errs again.

    Raises
    ------
    CharterViolation
        `regression`, with posts and rules and without a text.
    """
    found = worse(before, after)
    if not found:
        return
    lines = [
        f"post {one.post_id}, revision {one.revision}: {one.verdict} by {', '.join(one.by)}"
        for one in found[:NAMED]
    ]
    if len(found) > NAMED:
        lines.append(f"and {len(found) - NAMED} more")
    raise CharterViolation(
        "posts that granted objections restored would be acted on again:\n" + "\n".join(lines),
        code="regression",
    )
