"""What the bench measures: a server of its own and a real Chromium, both gone when it ends, however it ends."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright
from playwright.async_api import Error as PlaywrightError

from dspark_lab.errors import LabError

from .options import Hosting
from .server import free_port, stop, voila_command

START = 180.0
REST = 1.0
"""Seconds to let a kernel that is ready, and the machine, come to rest."""
ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Server:
    """A page server at ``url``, with the process id ``pid``, whose output goes to ``log``."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    async def rested(self) -> None:
        """Wait for a kernel in the pool, and for calm."""
        await self.until(lambda health: health["ready"] >= 1)
        await asyncio.sleep(REST)

    async def left(self) -> None:
        """Wait for the last visitor's kernel to end."""
        await self.until(lambda health: health["kernels"] == 0)

    async def until(self, there: Callable[[dict[str, Any]], bool]) -> None:
        """Wait for what the server says of itself. Raises LabError where it ends, or takes too long."""
        deadline = time.monotonic() + START
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise LabError(f"the server ended: {self.log.read_text(errors='replace')[-500:].strip()}")
            health = await asyncio.to_thread(_ask, f"{self.url}healthz")
            if health and there(health):
                return
            await asyncio.sleep(0.1)
        raise LabError(
            f"the server at {self.url} was not ready within {START:g} s: a busy machine may need another try."
        )


def _ask(url: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as reply:
            return dict(json.load(reply))
    except (OSError, ValueError):
        return {}


@asynccontextmanager
async def serving(page: Path, hosting: Hosting, folder: Path) -> AsyncIterator[Server]:
    """Serve ``page``, with a kernel ready; its log goes to ``folder``.

    Raises:
        LabError: the server does not start.
    """
    port = free_port(8900, tries=100)
    log = folder / "log.txt"
    with log.open("wb") as output:
        # A session of its own: an interrupt reaches the bench alone, which ends the server in peace.
        process = subprocess.Popen(
            voila_command(page, port, hosting), cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        try:
            server = Server(f"http://127.0.0.1:{port}/", process, log)
            await server.rested()
            yield server
        finally:
            stop(process, patience=30.0)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The Chromium that DSPARK_CHROMIUM names, else Playwright's own, else one of the PATH.

    Raises:
        LabError: none starts.
    """
    named = os.environ.get("DSPARK_CHROMIUM")
    choices = [named] if named else [None, *filter(None, map(shutil.which, ON_PATH))]
    async with async_playwright() as playwright:
        browser, said = None, ""
        for path in choices:
            try:
                browser = await playwright.chromium.launch(
                    executable_path=path, args=["--no-sandbox", "--disable-gpu"],
                    handle_sigint=False, handle_sigterm=False, handle_sighup=False,
                )  # fmt: skip
                break
            except PlaywrightError as error:
                said = said or str(error).strip().splitlines()[0]
        if browser is None:
            raise LabError(
                f"Chromium does not start ({said}): run `playwright install chromium`, install your system's, or name "
                f"one by DSPARK_CHROMIUM=/path/to/chromium."
            )
        try:
            yield browser
        finally:
            await browser.close()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """A polite kill or a closed terminal is as Ctrl-C, on which asyncio cancels what is at work and lets it clean up, also
    where a shell that put this into the background had Ctrl-C ignored."""
    here = threading.current_thread() is threading.main_thread()
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if here and hasattr(signal, name)]
    handlers = {"SIGINT": signal.default_int_handler}
    before = {
        name: signal.signal(getattr(signal, name), handlers.get(name, lambda *_: signal.raise_signal(signal.SIGINT)))
        for name in names
    }
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)
