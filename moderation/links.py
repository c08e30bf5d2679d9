"""Find links in a post, through their disguises, and say what is suspicious about them.

A host is known by its scheme, its path, its ending or its shape, with dots written as 点 or [.], and
with the scheme written as hxxp or letter by letter. A link to a public site is not found at all. One
is suspicious if it hides where it goes (a short link, a bare address), carries a public site's name
under another host, mixes scripts, or leads to a program. No ending is suspicious in itself.

Neighbours: `privacy` asks for links beside its own findings; `tables/hosts.yaml` holds the names.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple

import yaml

from moderation.normalise import Folded, ViewName

_HOST: Final = r"[a-z0-9\u00df-\u024f\u0370-\u052f](?:[a-z0-9-]|[\u00df-\u024f\u0370-\u052f]){0,62}"
_DOT: Final = r"(?:\s?(?:\.|\[\.\]|\(\.\)|【\.】|（\.）)\s?|\s?(?<=[a-z0-9 ])(?:点|點|。)(?=[a-z]))"
_SCHEME: Final = re.compile(r"h\s?(?:t\s?t|x\s?x)\s?p\s?s?\s?[:：]\s?/\s?/\s?", re.ASCII)
_LINK: Final = re.compile(
    rf"(?P<scheme>h\s?(?:t\s?t|x\s?x)\s?p\s?s?\s?[:：]\s?/\s?/\s?)?"
    rf"(?<![a-z0-9@.-])(?P<host>{_HOST}(?:{_DOT}{_HOST})*{_DOT}(?P<end>[a-z]{{2,12}}))(?![a-z0-9@-])(?P<port>[:：]\d{{2,5}})?(?P<path>\s?/\s?[^\s，。！？；、）)]*)?"
)
_IP: Final = re.compile(
    rf"(?<![\d.])(?P<host>\d{{1,3}}(?:{_DOT}|\.)\d{{1,3}}(?:{_DOT}|\.)\d{{1,3}}(?:{_DOT}|\.)\d{{1,3}})(?![\d.])(?P<port>:\d{{2,5}})?(?P<path>/[^\s，。！？；、]*)?"
)
_PROGRAM: Final = re.compile(r"\.(?:apk|exe|ipa|dmg|scr|bat|msi|vbs|jar|mobileconfig|zip|rar)\b")
_BETWEEN: Final = re.compile(r"[\s*~·|]+")
_SPELLED: Final = re.compile(r"(?<![a-z0-9])(?:[a-z0-9.:/-][\s*~·|]{1,2}){6,200}[a-z0-9/]")
_LARGEST_BYTE: Final = 255
_SHORTEST_PREFIX: Final = 4
_Found = Iterator[tuple[str, int, int]]


class _Hosts(NamedTuple):
    """What is known about hosts."""

    public: frozenset[str]
    names: frozenset[str]
    shorteners: frozenset[str]
    endings: frozenset[str]
    files: frozenset[str]


@lru_cache(maxsize=1)
def _hosts() -> _Hosts:
    content = (resources.files("moderation") / "tables" / "hosts.yaml").read_text(encoding="utf-8")
    return _Hosts(**{name: frozenset(hosts) for name, hosts in yaml.safe_load(content).items()})


def _is_public(host: str) -> bool:
    parts = host.split(".")
    return any(".".join(parts[place:]) in _hosts().public for place in range(len(parts)))


def _is_lookalike(host: str, written: str) -> bool:
    """Tell whether a host that is not public looks like a public one.

    It does if a public site's name is one of its parts between dots or hyphens, or begins one of four
    letters or more (so "edu" in "education" counts for nothing); or if it mixes scripts.
    """
    parts = [part for part in re.split(r"[.-]", host)[:-1] if part]
    names = _hosts().names
    if any(part in names for part in parts):
        return True
    if any(part.startswith(name) for part in parts for name in names if len(name) >= _SHORTEST_PREFIX):
        return True
    foreign = any("\u0370" <= character <= "\u052f" for character in written)
    return foreign and any("a" <= character <= "z" for character in written.casefold())


def _addresses(plain: str) -> _Found:
    for match in _IP.finditer(plain):
        before = plain[max(0, match.start() - 14) : match.start()]
        as_link = match["path"] or match["port"] or _SCHEME.search(before)
        if as_link and all(int(part) <= _LARGEST_BYTE for part in re.findall(r"\d+", match["host"])):
            yield "link", *match.span()
            yield "ip_link", *match.span()
            if _PROGRAM.search(match["path"] or ""):
                yield "file_link", *match.span()


def _is_host(match: re.Match[str], host: str) -> bool:
    """Tell whether what has the shape of a host is meant as one: no file, no sum, no abbreviation."""
    if match["scheme"] is not None:
        return True
    ending = match["end"]
    if ending in _hosts().files:
        return False
    if match["path"]:
        return True
    if all(label.isdigit() for label in host.split(".")[:-1]):
        return ending in ("cn", "com")
    return ending in _hosts().endings or "-" in host or not host.isascii()


def _named(folded: Folded) -> _Found:
    for match in _LINK.finditer(folded.plain):
        host = re.sub(_DOT, ".", match["host"]).replace(" ", "")
        if not _is_host(match, host) or _is_public(host):
            continue
        start, end = match.span()
        yield "link", start, end
        if host in _hosts().shorteners:
            yield "short_link", start, end
        first, last = folded.span(ViewName.PLAIN, *match.span("host"))
        if _is_lookalike(host, folded.original[first:last]):
            yield "lookalike_link", start, end
        if _PROGRAM.search(match["path"] or ""):
            yield "file_link", start, end


def _letter_by_letter(plain: str) -> _Found:
    """Give passages written with something between every two letters that read as a link without it."""
    for match in _SPELLED.finditer(plain):
        together = _BETWEEN.sub("", match[0])
        if any(
            _is_host(found, found["host"]) and not _is_public(found["host"])
            for found in _LINK.finditer(together)
        ):
            yield "link", *match.span()


def links(folded: Folded) -> Iterator[tuple[str, int, int]]:
    """Give the links of a post: a kind's name, and start and end in the plain view.

    Every link is given as "link", and again under each thing that is suspicious about it: "short_link",
    "ip_link", "lookalike_link", "file_link".
    """
    yield from _addresses(folded.plain)
    yield from _named(folded)
    yield from _letter_by_letter(folded.plain)
