"""The pages say nothing that is not there: links lead somewhere; modules, commands and routes exist."""

import importlib
import pkgutil
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from api import routes
from api.command_line import build

ROOT = Path(__file__).parents[2]
# The change log tells of what was, too.
PAGES = [page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if page.name != "CHANGELOG.md"]


def of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@cache
def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head.strip().lower()) for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in plain}


@pytest.mark.parametrize("page", PAGES, ids=of)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        if re.match(r"(https?|mailto):", link):
            continue
        if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
            lost.append(link)

    assert lost == []


def test_every_module_of_the_architecture_exists() -> None:
    rooms = [room for room in ROOT.iterdir() if (room / "__init__.py").exists()]
    there = {path.name for room in rooms for path in room.glob("**/*.py")}
    told = re.findall(r"`(?:[\w/]+/)?(\w+\.py)`", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))

    assert len(told) > 100
    assert sorted(set(told) - there) == []


@cache
def command(first: str, second: str) -> Any:
    return typer.main.get_command(build([first, second] if second else [first]))


def strange_words(line: str) -> list[str]:
    """Return the commands and options of a line that the command line does not know."""
    words = [word.strip("[]\"'…") for word in re.split(r"[|;&>）)]| — |[.,] |。|，", line)[0].split()]
    second = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    found, rest = command(words[0], second), words
    while rest and rest[0] in getattr(found, "commands", {}):
        found, rest = found.commands[rest[0]], rest[1:]
    options = {name for one in found.params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
    if rest is words or (hasattr(found, "commands") and rest and not rest[0].startswith("-")):
        return [line]
    return [word for word in rest if word.startswith("--") and word.split("=")[0] not in options]


def test_every_command_and_option_in_the_pages_exists() -> None:
    told = [
        (of(page), line)
        for page in PAGES
        for line in re.findall(
            r"(?<![\w/.-])tingjian (?=[a-z])([^\n`#]*)", page.read_text(encoding="utf-8").replace("\\\n", " ")
        )
    ]

    assert len(told) > 50
    assert [(page, strange) for page, line in told if (strange := strange_words(line))] == []


def test_every_route_in_the_pages_exists() -> None:
    known: dict[str, set[str]] = {"/v1/openapi.json": {"GET"}}
    for found in pkgutil.iter_modules(routes.__path__):
        for route in importlib.import_module(f"api.routes.{found.name}").router.routes:
            known.setdefault(route.path, set()).update(route.methods)
    shapes = {path: re.sub(r"\\\{[^}]*\\\}", "[^/?]+", re.escape(path)) for path in known}
    told, lost = 0, []
    for page in PAGES:
        for method, asked in re.findall(
            r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/v1/[^\s`\"'|)]+)", page.read_text(encoding="utf-8")
        ):
            bare = re.sub(r"\{[^}]*\}|\$\w+", "x", re.split(r"[?…]", asked)[0]).rstrip(".,;/")
            matching = [path for path, shape in shapes.items() if re.fullmatch(shape, bare)]
            told += 1
            if not any(not method or method in known[path] for path in matching):
                lost.append((of(page), method, asked))

    assert told > 50
    assert lost == []
