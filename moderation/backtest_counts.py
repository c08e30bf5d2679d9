"""What a back-test counts: hits, changes of verdict, what people decided, and a sample. Pure.

The counts grow with the batches and the sample does not, so a million posts need no more memory than a
thousand. No text is kept: the sample is identifiers and offsets.

Neighbours: `comparison` gives the verdicts, `backtest` brings the posts and keeps the counts.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from models.rulebook import Backtest
from models.vocabulary import Action, Category, Verdict
from moderation.comparison import Compared
from moderation.policy import Evidence
from moderation.precision import Precision
from moderation.rules import Span

SAMPLE: Final = 40
PER_CHANGE: Final = 15
"""Posts in the sample that show one kind of change; so that a rare one is not crowded out."""

OVERLAPS: Final = 20


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored post, and what is on record about it."""

    post_id: str
    revision: int
    text: str
    past: Verdict | None


@dataclass(slots=True)
class Tallies:
    """Counts that grow with the batches, and a sample that does not."""

    hits: int = 0
    alone: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    overlap: Counter[str] = field(default_factory=Counter)
    past: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    confirmed: int = 0
    overturned: int = 0
    decided: Counter[str] = field(default_factory=Counter)
    sample: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the tallies as a record holds them."""
        return {
            name: dict(value) if isinstance(value, Counter) else value
            for name, value in ((name, getattr(self, name)) for name in self.__slots__)
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Tallies":
        """Return the tallies that a record holds; an empty record holds none."""
        made = cls()
        for name, value in document.items():
            setattr(made, name, Counter(value) if isinstance(value, dict) else value)
        return made

    @property
    def precision(self) -> Precision:
        """What people's decisions say about the posts that were hit."""
        return Precision(self.confirmed, self.overturned)


Judged = Callable[[str, int], tuple[Action, Category | None] | None]


def add(tallies: Tallies, compared: Compared, posts: Sequence[Stored], judged: Judged) -> None:
    """Count one batch of posts."""
    for post, (evidence, before, after) in zip(
        posts, compared.pairs([post.text for post in posts]), strict=True
    ):
        change = f"{before.verdict}>{after.verdict}"
        changes = before.verdict is not after.verdict
        if changes:
            tallies.changes[change] += 1
        hit = compared.hit(evidence, after)
        if hit is not None:
            said = judged(post.post_id, post.revision)
            _add_hit(tallies, post, hit[1])
            _add_overlap(tallies, compared, evidence)
            if said is not None:
                _add_decided(tallies, *said, clauses=compared.clauses(evidence, after))
        if hit is not None or changes:
            _add_sample(tallies, post, change if changes else "", hit or ((), ()))


def _add_hit(tallies: Tallies, post: Stored, by: tuple[str, ...]) -> None:
    tallies.hits += 1
    tallies.by_rule.update(by)
    tallies.past[post.past.value if post.past else "none"] += 1


def _add_overlap(tallies: Tallies, compared: Compared, evidence: Evidence) -> None:
    others = {hit.rule.id for hit in evidence.hits} - compared.rules
    tallies.overlap.update(others)
    tallies.alone += not others


def _add_decided(
    tallies: Tallies, action: Action, category: Category | None, *, clauses: frozenset[Category]
) -> None:
    tallies.decided[f"{action}:{category}" if category else action.value] += 1
    if action is Action.REFER:
        # A referral says nothing for or against a rule on harm.
        tallies.confirmed += Category.SELF_HARM in clauses
    elif action is Action.REMOVE and category in clauses:
        tallies.confirmed += 1
    else:
        tallies.overturned += 1


def _add_sample(
    tallies: Tallies, post: Stored, change: str, hit: tuple[tuple[Span, ...], tuple[str, ...]]
) -> None:
    alike = sum(one["change"] == change for one in tallies.sample)
    if len(tallies.sample) < SAMPLE and alike < PER_CHANGE:
        tallies.sample.append(
            {
                "post": post.post_id,
                "revision": post.revision,
                "spans": [list(span) for span in hit[0][:20]],
                "by": list(hit[1]),
                "change": change,
            }
        )


def figures(run: Backtest) -> dict[str, Any]:
    """Return what a run found, in counts and shares."""
    tallies = Tallies.of(run.tallies)
    precision = tallies.precision
    interval = precision.interval
    return {
        "posts": run.judged,
        "hits": tallies.hits,
        "hits_no_other_rule_makes": tallies.alone,
        "by_rule": dict(tallies.by_rule.most_common()),
        "overlap": dict(tallies.overlap.most_common(OVERLAPS)),
        "past_verdicts": dict(tallies.past),
        "changes": dict(tallies.changes),
        "decided": dict(tallies.decided),
        "confirmed": precision.confirmed,
        "overturned": precision.overturned,
        "precision": precision.share,
        "precision_low": interval[0] if interval else None,
        "precision_high": interval[1] if interval else None,
        "precision_bound": precision.bound if precision.decided else None,
    }
