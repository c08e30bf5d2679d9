"""The served console with its sample, and a real Chromium that looks at it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from models.database import Database

ROOT = Path(__file__).parents[2]
AXE = ROOT / "tests" / "browser" / "vendor" / "axe-core" / "axe-4.14.1.min.js"
PICTURES = ROOT / "docs" / "images"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "plum-tree-in-the-rain"
PROGRAM = "from api.command_line import main; main()"
START_SECONDS = 240
PATIENCE_MS = 60_000
"""How long a page may take on a busy machine; nobody waits so long where it does what it should."""
SERIOUS = {"serious", "critical"}
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}


@dataclass
class Console:
    """A running server: where it is, its database, and the one-time passwords that it printed."""

    address: str
    database_url: str
    passwords: dict[str, str] = field(repr=False)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """Yield the server's own database, to look at what a page cannot show."""
        database = Database(self.database_url)
        try:
            yield database
        finally:
            database.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(folder: Path) -> Iterator[Console]:
    """Serve the console with its sample, as `./scripts/run` does, in a process of its own."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    url = f"sqlite:///{folder / 'tingjian.db'}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TINGJIAN_")}
    environment |= {
        "TINGJIAN_DATABASE_URL": url,
        "TINGJIAN_SECRET": "a secret for tests, long enough to be one",
        "TINGJIAN_PUBLIC_URL": address,
        "TINGJIAN_ALLOW_PRIVATE_WEBHOOKS": "true",
        "TINGJIAN_DELIVER_SECONDS": "1",
        "TINGJIAN_LOG_LEVEL": "warning",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-c", PROGRAM, "serve", "--with-worker", "--sample", "--port", str(port)]
    out, err = folder / "out", folder / "err"
    with out.open("w") as stdout, err.open("w") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr)
        try:
            _wait(process, address, err)
            passwords = dict(
                re.findall(r"^ +(\S+) +(\S{4}-\S{4}-\S{4}-\S{4})$", out.read_text(), re.MULTILINE)
            )
            yield Console(address, url, passwords)
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: "subprocess.Popen[bytes]", address: str, err: Path) -> None:
    ends = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=address, timeout=2, trust_env=False) as client:
        while time.monotonic() < ends:
            if process.poll() is not None:
                raise AssertionError(f"the server ended:\n{err.read_text()[-3000:]}")
            try:
                if client.get("/health/ready").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
    raise AssertionError(f"the server did not come up:\n{err.read_text()[-3000:]}")


def executable() -> str:
    """Return the path of Chromium, or skip; in CI its absence is a failure."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium is not installed, and CI may not go without it")
        pytest.skip("Chromium is not installed")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    path = executable()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visitor(browser: Browser, console: Console, **options: Any) -> Iterator[Page]:
    """Yield a page of somebody new. A script error or a refused resource on any page fails the test."""
    context: BrowserContext = browser.new_context(
        **{"base_url": console.address, "locale": "zh-CN", "viewport": DESK} | options
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    def listen(said: ConsoleMessage) -> None:
        # A page that answers 404 or 422 on purpose is no fault; one of its files that does is.
        if said.type == "error" and said.location["url"] != page.url:
            faults.append(said.text)

    page.on("console", listen)
    try:
        yield page
        assert not faults, faults
    finally:
        context.close()


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in")
    page.fill("#login", login)
    page.fill("#password", password)
    page.click("main button")
    page.wait_for_url(lambda url: "/sign-in" not in url)


def findings(page: Page) -> list[str]:
    """Return what axe calls serious or critical on the page as it is."""
    page.evaluate(AXE.read_text(encoding="utf-8") + "; null")
    result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']][:5]}"
        for one in result["violations"]
        if one["impact"] in SERIOUS
    ]


def picture(page: Page, name: str) -> None:
    """Take a picture for the documents, if the environment asks for new ones."""
    if os.environ.get("TINGJIAN_TEST_PICTURES"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        # Hiding the caret would need an inline style, which the policy of the console refuses.
        page.screenshot(path=PICTURES / f"{name}.png", caret="initial")
