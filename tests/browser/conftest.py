"""A browser cut off from every other machine, and the servers it opens."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, expect, sync_playwright

from dspark_lab import Settings
from dspark_lab.loading import Lab
from dspark_lab.session import Session
from dspark_widgets.serving import voila_command
from dspark_widgets.serving.options import Hosting
from tests.browser.ensure_browser import REMEDY, find_browser
from tests.browser.helpers import NOTEBOOKS, READY, keep_failure
from tests.browser.servers import LOGS, Workplace, blackhole, is_local, running, unused_port

CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

# Known to be harmless: anywidget gives a module 2 s to start and complains on a slow machine, though the view shows.
ALLOWED_ERRORS = ("Failed to initialize model",)

PATIENCE = 60_000
"""Milliseconds for what a page does by itself, on a machine that has other things to do."""

PROMPT = "Can you recommend a thrilling book for my teacher?"
SETTINGS = Settings(seed=7, max_new_tokens=24)

OPEN: list[Page] = []
"""The pages that tests have open."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test fails keep what every open page shows, and say that and what the servers said."""
    report = yield
    if report.failed:
        for number, page in enumerate(OPEN):
            text = keep_failure(page, f"{re.sub(r'[^A-Za-z0-9]+', '-', item.name)}-{report.when}-{number}")
            report.sections.append((f"page {number}", text[:2000]))
        for log in LOGS:
            report.sections.append((f"server {log.parent.name}", log.read_text(errors="replace")[-4000:]))
    return report


@dataclass
class Watch:
    """What a page asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def on(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("console", self._console)
        context.on("weberror", lambda error: self.errors.append(f"uncaught: {error.error}"))
        context.on("dialog", self._dialog)
        context.on("page", lambda page: page.on("websocket", lambda socket: self.requests.append(socket.url)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(known in message.text for known in ALLOWED_ERRORS):
            self.errors.append(f"{message.text} ({message.location['url']})")

    def _dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    @property
    def foreign(self) -> list[str]:
        """Requests that were meant to leave this machine."""
        parts = [(url, urlsplit(url)) for url in self.requests]
        inner = ("data", "blob", "file", "about")
        return [url for url, part in parts if part.scheme not in inner and not is_local(part.hostname)]

    def check(self) -> None:
        """Nothing foreign, no error, no script at work; then start anew."""
        foreign, errors, dialogs = self.foreign, self.errors, self.dialogs
        self.requests, self.errors, self.dialogs = [], [], []
        assert not foreign, f"requests to other machines: {foreign}"
        assert not errors, f"errors in the browser's console: {errors}"
        assert not dialogs, f"a script of the prompt ran: {dialogs}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium a module. Every name but this machine's leads to a port that never answers."""
    path = find_browser()
    if path is None:
        pytest.fail(REMEDY, pytrace=False)
    with blackhole() as nowhere, sync_playwright() as playwright:
        rules = f"MAP * 127.0.0.1:{nowhere}, EXCLUDE 127.0.0.1, EXCLUDE localhost"
        browser = playwright.chromium.launch(executable_path=path, args=[*CHROMIUM, f"--host-resolver-rules={rules}"])
        expect.set_options(timeout=PATIENCE)
        yield browser
        browser.close()
        OPEN.clear()


@contextmanager
def opened(browser: Browser, watch: Watch, url: str, script: str = "", **options: Any) -> Iterator[Page]:
    """A page in a context of its own, watched. ``script`` runs before the page's own."""
    window = {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}
    context = browser.new_context(**{**window, **options})
    context.set_default_timeout(PATIENCE)
    watch.on(context)
    context.add_init_script(script)
    page = context.new_page()
    OPEN.append(page)
    page.goto(url, timeout=READY)
    yield page
    OPEN.remove(page)
    context.close()


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def open_page(browser: Browser, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Open an address. At the test's end nothing foreign has been asked for, and no error was logged."""
    with ExitStack() as stack:
        yield lambda url, **options: stack.enter_context(opened(browser, watch, url, **options))
    watch.check()


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    place = Workplace(tmp_path_factory.mktemp("jupyter"))
    yield place
    assert not place.attempts, f"kernels tried to reach {place.attempts}"


@contextmanager
def served(place: Workplace, folder: Path, hosting: Hosting) -> Iterator[str]:
    """The address of the page, served as ``dspark-lab serve`` does."""
    port = unused_port()
    command = voila_command(NOTEBOOKS / "app.ipynb", port, hosting)
    with running(command, f"http://127.0.0.1:{port}/voila/static/voila.js", place, folder / "log.txt"):
        yield f"http://127.0.0.1:{port}/"


@pytest.fixture(scope="session")
def voila(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page; kernels of tests before may still be there for a while."""
    with served(workplace, tmp_path_factory.mktemp("voila"), Hosting(visitors=40)) as url:
        yield url


@pytest.fixture
def gated(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page whose models load once the workplace's gate is touched."""
    workplace.gate.unlink()
    with served(
        workplace, tmp_path_factory.mktemp("gated"), Hosting(share=False)
    ) as url:  # a shared model knows no gate
        yield url
    workplace.gate.touch()


@pytest.fixture(scope="module")
def session(pocket_lab: Lab) -> Session:
    return pocket_lab.session(PROMPT, SETTINGS).run()
