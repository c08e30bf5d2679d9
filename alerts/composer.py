"""Turn a message into what a person reads: a subject, sentences and a link, in the receiver's language.

Pure: a message and a language give a text. A sentence whose member a message does not have is left
out, so that a topic may grow; a topic without words of its own is told in general words. What a
payload may hold decides what a letter may say: figures and identifiers, and never the text of a post.

Neighbours: `letters.toml` has the words; the channels for people send what is made here.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from html import escape
from pathlib import Path
from string import Formatter
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts.channels.channel import Envelope

FILE: Final = Path(__file__).parent / "letters.toml"
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
LANGUAGES: Final = ("zh", "en")
SHOWN: Final = 10
MOMENTS: Final = frozenset({"since", "at", "due", "due_at", "earliest_due"})
SEPARATOR: Final = {"zh": "；", "en": "; "}


@dataclass(frozen=True, slots=True)
class Letter:
    """What a person reads. `lines` have no line breaks of their own."""

    subject: str
    lines: tuple[str, ...]
    link: str

    @property
    def text(self) -> str:
        """The letter as plain text."""
        return "\n".join((*self.lines[:-1], self.link, self.lines[-1]))

    def html(self, language: str) -> str:
        """Return the letter as a page of its own; every value is escaped."""
        paragraphs = "".join(f"<p>{escape(line)}</p>" for line in self.lines[:-1])
        link = escape(self.link.rpartition(" ")[2], quote=True)
        tongue = "zh-CN" if language == "zh" else "en"
        return (
            f'<!doctype html><html lang="{tongue}"><head><meta charset="utf-8">'
            f"<title>{escape(self.subject)}</title></head><body><h1>{escape(self.subject)}</h1>{paragraphs}"
            f'<p><a href="{link}">{link}</a></p><p><small>{escape(self.lines[-1])}</small></p></body></html>'
        )


@cache
def _words() -> Mapping[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def topics() -> frozenset[str]:
    """Return the topics that have words of their own."""
    return frozenset(name for name, entry in _words().items() if "page" in entry)


def compose(envelope: Envelope, public_url: str) -> Letter:
    """Return what the receiver of a message reads.

    Parameters
    ----------
    public_url
        Where people reach the console; the link leads there and asks for a sign-in.
    """
    language = envelope.language if envelope.language in LANGUAGES else LANGUAGES[0]
    frame = _words()["frame"]
    entry = _words().get(envelope.topic, {"page": "/", "subject": frame["unknown"], "lines": []})
    items = envelope.payload.get("items")
    told = list(items) if isinstance(items, list) and items else [envelope.payload]
    count = int(envelope.payload.get("count", len(told))) if items else 1
    subject = _first(entry["subject"], told[0], language) or frame["unknown"][language]
    lines: list[str] = []
    if envelope.office:
        lines.append(frame["office"][language].format(office=envelope.office))
    for one in told[:SHOWN]:
        sentences = list(_sentences(entry["lines"], one, language))
        if len(told) == 1:
            lines += sentences
        elif sentences or subject:
            own = _first(entry["subject"], one, language)
            lines.append("· " + SEPARATOR[language].join(filter(None, (own, *sentences))))
    if count > min(SHOWN, len(told)):
        lines.append(frame["more"][language].format(count=count - min(SHOWN, len(told))))
    if count > 1:
        subject = frame["grouped"][language].format(subject=subject, count=count)
    return Letter(
        frame["subject"][language].format(subject=_flat(subject)),
        (
            *(_flat(line) for line in lines),
            frame["id"][language].format(id=envelope.id),
            frame["foot"][language],
        ),
        f"{frame['link'][language].rstrip()} {public_url}{entry['page']}",
    )


def _sentences(lines: list[Mapping[str, str]], payload: Mapping[str, Any], language: str) -> Iterator[str]:
    for line in lines:
        said = _first(line, payload, language)
        if said is not None:
            yield said
    reports = payload.get("reports")
    for report in reports[:SHOWN] if isinstance(reports, list) else []:
        said = _first(_words()["item"]["event"], report, language)
        if said is not None:
            yield f"· {said}"


def _first(phrase: Mapping[str, str], payload: Mapping[str, Any], language: str) -> str | None:
    """Return a phrase with its members filled in, or None if the message lacks one."""
    values = _members(payload, language)
    wanted = {name for _, name, _, _ in Formatter().parse(phrase[language]) if name}
    if not wanted <= values.keys():
        return None
    return phrase[language].format(**{name: values[name] for name in wanted})


def _members(payload: Mapping[str, Any], language: str) -> dict[str, str]:
    """Return what a phrase may name: the members of the message, and those of its figures."""
    found: dict[str, Any] = dict(payload)
    figures = payload.get("figures")
    if isinstance(figures, Mapping):
        found |= figures
        counts = figures.get("counts")
        found |= counts if isinstance(counts, Mapping) else {}
        names = figures.get("names")
        if isinstance(names, Mapping):
            found["place_name"] = names.get(figures.get("organisation"), figures.get("organisation"))
    if "subject" in payload:
        found["subject_name"] = payload["subject"]
    if "about" in payload:
        about = _words().get(str(payload["about"]), {}).get("subject", _words()["frame"]["unknown"])
        found["about_name"] = about[language].partition("：{")[0].partition(": {")[0]
    if "state" in found:
        found["state"] = _words()["state"].get(str(found["state"]), {}).get(language, found["state"])
    return {
        name: _moment(value, language) if name in MOMENTS else str(value)
        for name, value in found.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }


def _moment(value: object, language: str) -> str:
    try:
        local = datetime.fromisoformat(str(value)).astimezone(SHANGHAI)
    except ValueError:
        return str(value)
    return local.strftime("%-m月%-d日 %H:%M" if language == "zh" else "%-d %b %H:%M")


def _flat(line: str) -> str:
    """Return a line without breaks, so that no value can begin a line, or a header, of its own."""
    return " ".join(line.split())
