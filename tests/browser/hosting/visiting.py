"""A page server that can be ended, and what a visitor does at its page."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from playwright.sync_api import Page, expect

from dspark_widgets.serving import voila_command
from dspark_widgets.serving.memory import kernels
from dspark_widgets.serving.options import Hosting
from tests.browser import servers
from tests.browser.helpers import NOTEBOOKS, READY
from tests.browser.servers import Workplace, unused_port

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


def wait_kernels(server: Server, number: int) -> None:
    """Wait until so many kernels run, and the server has noticed."""
    deadline = time.monotonic() + 60
    while (seen := (len(kernels(server.child.pid)), counted(server))) != (number, number):
        assert time.monotonic() < deadline, f"{seen[0]} kernels run and {seen[1]} count, not {number}"
        time.sleep(0.2)


def counted(server: Server) -> int:
    """The kernels that the server takes for a page's."""
    with urllib.request.urlopen(f"{server.url}healthz", timeout=20) as reply:
        return int(json.load(reply)["kernels"])
