"""A screener that does as its script says, so that a test of records does not depend on any rule."""

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from models.vocabulary import CLAUSES, Category, ReasonSource, Verdict
from moderation.pipeline import Outcome, Reason

SCRIPT: Mapping[str, tuple[Verdict, Category | None]] = MappingProxyType(
    {
        "加薇": (Verdict.HOLD, Category.SPAM),
        "刷单": (Verdict.REMOVE, Category.SCAM),
        "打死你": (Verdict.HOLD, Category.THREAT),
        "不想活": (Verdict.REFER, Category.SELF_HARM),
    }
)


class ScriptedScreener:
    """The first phrase of the script that stands in a text decides; without one, it is published."""

    behaviours = ()
    """No rules on how posts come."""

    def __init__(
        self, script: Mapping[str, tuple[Verdict, Category | None]] = SCRIPT, *, rulebook: str = "test-1"
    ) -> None:
        self.script = script
        self.rulebook = rulebook
        self.screened: list[str] = []
        self._lock = threading.Lock()

    def pinned(self) -> "ScriptedScreener":
        return self

    def screen(self, texts: Sequence[str]) -> list[Outcome]:
        with self._lock:
            self.screened.extend(texts)
        return [self._outcome(text) for text in texts]

    def _outcome(self, text: str) -> Outcome:
        for phrase, (verdict, category) in self.script.items():
            start = text.find(phrase)
            if start < 0:
                continue
            reasons = (
                Reason(
                    source=ReasonSource.RULE,
                    rule=f"test/{category}",
                    category=category,
                    clause=CLAUSES[category].number if category else None,
                    spans=((start, start + len(phrase)),),
                    probability=None,
                ),
            )
            return self._make(verdict, category, reasons)
        return self._make(Verdict.PUBLISH, None, ())

    def _make(self, verdict: Verdict, category: Category | None, reasons: tuple[Reason, ...]) -> Outcome:
        return Outcome(
            verdict=verdict,
            category=category,
            reasons=reasons,
            probabilities={one: 0.9 if one is category else 0.01 for one in Category},
            rulebook=self.rulebook,
            bundle="scripted",
            policy="test",
        )
