"""A page whose kernel dies, whose server goes away, that is one too many or left alone: it says so, says how to go on, and
what it shows can still be stepped through."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from dspark_lab import Trace
from dspark_widgets.app import RECORDED, find_examples
from dspark_widgets.serving import voila_command
from dspark_widgets.serving.memory import kernels
from dspark_widgets.serving.options import Hosting
from tests.browser import helpers, servers
from tests.browser.conftest import ALLOWED_ERRORS, OPEN
from tests.browser.helpers import NOTEBOOKS, READY, RUN, fill, generate
from tests.browser.reading import check_trace
from tests.browser.servers import Workplace, unused_port

pytestmark = pytest.mark.browser

SOON = 40_000
"""Milliseconds in which a page notices what happened, on a machine that has other things to do."""

VISITORS = 2


class Server:
    """A page server that can be ended, halted and started again at the same address."""

    def __init__(self, place: Workplace, hosting: Hosting, log: Path) -> None:
        self.place, self.hosting, self.log, self.port = place, hosting, log, unused_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self) -> None:
        command = voila_command(NOTEBOOKS / "app.ipynb", self.port, self.hosting)
        with self.log.open("ab") as output:
            self.child = subprocess.Popen(
                command, env=self.place.environment, cwd=self.place.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True,
            )  # fmt: skip
        servers._wait(self.child, f"{self.url}healthz", self.log)

    def stop(self) -> None:
        self.child.send_signal(signal.SIGCONT)
        servers._end(self.child)

    def send(self, number: int) -> None:
        self.child.send_signal(number)

    def kill_kernel(self) -> None:
        found = kernels(self.child.pid)
        assert len(found) == 1, f"{len(found)} kernels at one page"
        os.kill(found[0], signal.SIGKILL)


Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="module")
def serve(workplace: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Run a server; its limits can be named. Without a pool each kernel is a page's."""

    @contextmanager
    def run(**options: object) -> Iterator[Server]:
        log = tmp_path_factory.mktemp("hosting") / "log.txt"
        server = Server(workplace, Hosting(**{"ready": 0, **options}), log)
        try:
            yield server
        finally:
            server.stop()

    return run


@pytest.fixture(scope="module")
def running(serve: Serve) -> Iterator[Server]:
    with serve(visitors=VISITORS) as server:
        yield server


@pytest.fixture
def server(running: Server, open_page: Callable[..., Page]) -> Iterator[Server]:
    """The module's server, and nobody there before and after."""
    yield running
    for page in OPEN:
        if not page.is_closed():
            page.goto("about:blank")  # so that it has the time to say goodbye
    wait_kernels(running, 0)


@pytest.fixture
def visit(open_page: Callable[..., Page], watch: object) -> Callable[..., Page]:
    """Open a page and wait for its models. What the browser says of a server that is not there is no error of the page's."""

    def visit(url: str) -> Page:
        page = open_page(url)
        wait_ready(page)
        return page

    return visit


@pytest.fixture(autouse=True)
def unreachable_is_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    known = (
        "Failed to load resource",
        "WebSocket connection",
        "net::ERR",
        "Connection lost",
        "NetworkError",
        "Failed to fetch",
    )
    monkeypatch.setattr("tests.browser.conftest.ALLOWED_ERRORS", (*ALLOWED_ERRORS, *known))


def wait_ready(page: Page) -> None:
    expect(page.locator("#dspark-first")).to_have_count(0, timeout=READY)
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=READY)


def told(page: Page, what: str, *words: str) -> None:
    """The page says what happened, nothing can be asked of it, and it can be stepped through."""
    notice = page.get_by_test_id("notice")
    expect(notice).to_have_attribute("data-what", what, timeout=SOON)
    for word in words:
        expect(notice).to_contain_text(word)
    assert not re.search(r"Traceback|\.py|/home|/tmp|site-packages", notice.text_content() or "")
    steps_through(page)


def steps_through(page: Page) -> None:
    scrub = page.get_by_test_id("scrub")
    for step in ("3", "7"):
        scrub.fill(step)
        expect(scrub).to_have_attribute("aria-valuetext", re.compile(f"^step {int(step) + 1} of "))


def reload(page: Page) -> None:
    page.get_by_test_id("reload").click()
    expect(page.get_by_test_id("notice")).to_have_count(0, timeout=READY)
    wait_ready(page)


def leave(page: Page) -> None:
    """Go away as a visitor does: the page has the time to say goodbye, which Playwright's ``close`` alone does not give it."""
    page.goto("about:blank")
    page.close()


def test_a_recorded_trace_can_be_stepped_through_before_there_is_a_kernel(
    server: Server, open_page: Callable[..., Page]
) -> None:
    """And the live view goes on from where the reader is by then, with what was typed."""
    held: list[Route] = []
    page = open_page("about:blank")
    page.route("**/voila.js", lambda route: held.append(route))
    page.goto(server.url, wait_until="commit")
    first = page.locator("#dspark-first")
    expect(first.get_by_test_id("status")).to_have_text("starting…")
    for name in ("generate", "stop"):
        expect(first.get_by_test_id(name)).to_be_disabled()
    example = find_examples(RECORDED)[0]
    check_trace(page, Trace.load(RECORDED / f"{example.domain}_{example.index}.json"))
    steps_through(page)
    page.get_by_test_id("prompt").fill("How are you?")
    page.get_by_test_id("tab-scheduler").click()
    page.get_by_test_id("round-chip-0").click()
    place = str(page.get_by_test_id("scrub").get_attribute("aria-valuetext"))
    page.get_by_test_id("plan-load").fill("120")
    helpers.screenshot(page, "hosting-first")
    for route in held:
        route.continue_()
    page.unroute("**/voila.js")
    wait_ready(page)
    expect(page.get_by_test_id("scrub")).to_have_attribute("aria-valuetext", place)
    expect(page.get_by_test_id("prompt")).to_have_value("How are you?")
    expect(page.get_by_test_id("plan-facts")).to_contain_text("load 120")
    generate(page, max_tokens=8)


def test_a_killed_kernel(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    generate(page, max_tokens=16)
    server.kill_kernel()
    told(page, "died", "Python has died", "Reload")
    expect(page.get_by_test_id("generate")).to_be_disabled()
    expect(page.get_by_test_id("status")).to_have_text("not connected")
    helpers.screenshots(page, "hosting-died")
    reload(page)
    generate(page, max_tokens=8)


def test_a_kernel_killed_in_the_middle_of_a_run_leaves_the_rounds_that_came(
    server: Server, visit: Callable[..., Page]
) -> None:
    page = visit(server.url)
    prompt = "Write a function that adds two numbers."
    fill(page, prompt, max_tokens=256, temperature=1.5, gamma=2)
    page.get_by_test_id("generate").click()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt, timeout=RUN)
    expect(page.get_by_test_id("round-chip-3")).to_be_visible(timeout=RUN)
    server.kill_kernel()
    told(page, "died")
    expect(page.get_by_test_id("round-chip-3")).to_be_visible()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt)
    reload(page)
    expect(page.get_by_test_id("unfinished")).to_contain_text("in the middle of a run")


def test_a_lost_connection_comes_back_by_itself(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    server.send(signal.SIGSTOP)
    told(page, "server", "does not answer")
    server.send(signal.SIGCONT)
    expect(page.get_by_test_id("notice")).to_have_count(0, timeout=READY)
    generate(page, max_tokens=8)


def test_a_server_that_was_started_anew(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    server.stop()
    told(page, "server")
    server.start()
    told(page, "unknown", "started anew", "Reload")
    reload(page)
    generate(page, max_tokens=8)


def test_a_reload_in_the_middle_of_a_run(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    prompt = "Can you recommend a book?"
    fill(page, prompt, max_tokens=256, temperature=1.5, gamma=1)
    page.get_by_test_id("generate").click()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt, timeout=RUN)
    page.reload()
    wait_ready(page)
    expect(page.get_by_test_id("unfinished")).to_contain_text("Its prompt and settings are back")
    expect(page.get_by_test_id("prompt")).to_have_value(prompt)
    steps_through(page)
    helpers.screenshot(page, "hosting-unfinished")
    fill(page, max_tokens=8)
    page.get_by_test_id("run-again").click()
    expect(page.get_by_test_id("text-so-far")).to_contain_text(prompt, timeout=RUN)
    expect(page.get_by_test_id("unfinished")).to_have_count(0)
    expect(page.get_by_test_id("speed-ratio")).to_be_visible(timeout=RUN)  # the run and its measurements have ended
    expect(page.get_by_test_id("status")).to_have_text("ready", timeout=RUN)
    page.reload()
    wait_ready(page)
    expect(page.get_by_test_id("unfinished")).to_have_count(0)


def test_two_tabs_are_two_visitors(server: Server, visit: Callable[..., Page]) -> None:
    one = visit(server.url)
    two = one.context.new_page()
    two.goto(server.url)
    wait_ready(two)
    generate(one, "How are you?", max_tokens=8)
    expect(one.get_by_test_id("text-so-far")).to_contain_text("How are you?")
    expect(two.get_by_test_id("text-so-far")).not_to_contain_text("How are you?")
    leave(two)
    generate(one, max_tokens=8)
    wait_kernels(server, 1)


def test_back_brings_a_page_that_works(server: Server, visit: Callable[..., Page]) -> None:
    page = visit(server.url)
    generate(page, max_tokens=8)
    page.goto("about:blank")
    wait_kernels(server, 0)
    page.go_back()
    steps_through(page)
    if page.get_by_test_id("notice").count():  # the browser had kept the old page
        reload(page)
    wait_ready(page)
    generate(page, max_tokens=8)


def test_a_visitor_too_many_is_told_when_to_come_again(
    server: Server, visit: Callable[..., Page], open_page: Callable[..., Page]
) -> None:
    one, _ = [visit(server.url) for _ in range(VISITORS)]
    late = open_page("about:blank")
    reply = late.goto(server.url)
    assert reply and reply.status == 503 and int(reply.headers["retry-after"]) >= 5
    told(late, "full", f"{VISITORS} visitors are here", "Try again in about")
    expect(late.get_by_test_id("generate")).to_be_disabled()
    helpers.screenshots(late, "hosting-full")
    leave(one)
    wait_kernels(server, VISITORS - 1)
    late.get_by_test_id("reload").click()
    wait_ready(late)


LOST = """
addEventListener('DOMContentLoaded', () => {
    const lost = document.createElement('div');
    lost.className = 'jupyter-widgets';
    lost.textContent = 'Error displaying widget: model not found';
    if (WHEN) document.body.append(lost);
});
"""
"""As where the kernel was too busy to tell the page of its widget in time."""


def test_a_page_whose_live_view_is_lost_is_loaded_anew_by_itself(serve: Serve, open_page: Callable[..., Page]) -> None:
    with serve() as server:
        page = open_page("about:blank")
        came: list[str] = []
        page.on("domcontentloaded", lambda loaded: came.append(loaded.url))
        page.add_init_script(LOST.replace("WHEN", "!history.state?.dsparkRetried"))
        page.goto(f"{server.url}#kept")
        wait_ready(page)
        assert came == [f"{server.url}#kept"] * 2
        assert not page.evaluate("history.state.dsparkRetried"), "so that it can be done again another time"


def test_a_page_that_loses_its_live_view_again_says_so(server: Server, open_page: Callable[..., Page]) -> None:
    page = open_page("about:blank")
    page.add_init_script("history.replaceState({ dsparkRetried: true }, '');" + LOST.replace("WHEN", "true"))
    page.goto(server.url)
    expect(page.get_by_test_id("notice")).to_have_attribute("data-what", "failed", timeout=SOON)
    wait_ready(page)  # for it was not lost


def test_a_page_left_alone_gives_up_its_kernel_and_says_so(serve: Serve, visit: Callable[..., Page]) -> None:
    with serve(idle=0.2) as server:
        page = visit(server.url)
        told(page, "idle", "Nothing was asked here for a long time", "Reload")
        wait_kernels(server, 0)
        reload(page)


def wait_kernels(server: Server, number: int) -> None:
    deadline = time.monotonic() + 60
    while len(kernels(server.child.pid)) != number:
        assert time.monotonic() < deadline, f"{len(kernels(server.child.pid))} kernels, not {number}"
        time.sleep(0.2)
