"""Find a Chromium for the browser tests, or install one: prints its path.

``find_browser`` only looks: DSPARK_CHROMIUM, the PATH, macOS applications, Playwright's own download.
``ensure_browser`` also installs: from Debian's packages where it may, else by Playwright's download.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ON_PATH = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APPLICATIONS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PLAYWRIGHT_CACHES = ("~/.cache/ms-playwright", "~/Library/Caches/ms-playwright")
PLAYWRIGHT_LAYOUTS = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")

REMEDY = (
    "No Chromium to test with. Install Chromium or Chrome, or name one: DSPARK_CHROMIUM=/path/to/chromium make test\n"
    "To leave the browser tests out: make test PYTEST_ARGS='-m \"not browser\"'"
)


def find_browser() -> str | None:
    """Return the path of a Chromium that starts, or None."""
    return next((path for path in _candidates() if _starts(path)), None)


def ensure_browser() -> str | None:
    """Return the path of a Chromium that starts, installing one where that can be done; None when it cannot."""
    found = find_browser()
    named = os.environ.get("DSPARK_CHROMIUM")
    if named and found != named:
        _say(f"DSPARK_CHROMIUM={named} does not start, looking elsewhere")
    if found is None and _may_use_apt():
        _say("installing Chromium with apt-get ...")
        if _run(["apt-get", "update", "-qq"], 300):
            _run(["apt-get", "install", "-y", "-qq", "-o", "Dpkg::Use-Pty=0", "chromium"], 900)
        found = find_browser()
    if found is None:
        _say("installing Chromium with Playwright ...")
        _run([sys.executable, "-m", "playwright", "install", "chromium"], 300)
        found = find_browser()
    return found


def _candidates() -> Iterator[str]:
    named = os.environ.get("DSPARK_CHROMIUM")
    if named:
        yield named
    yield from filter(None, map(shutil.which, ON_PATH))
    yield from filter(os.path.isfile, MAC_APPLICATIONS)
    for cache in (os.environ.get("PLAYWRIGHT_BROWSERS_PATH", ""), *PLAYWRIGHT_CACHES):
        for layout in PLAYWRIGHT_LAYOUTS if cache else ():
            yield from map(str, sorted(Path(cache).expanduser().glob(layout), reverse=True))


def _starts(path: str) -> bool:
    """Ubuntu's chromium-browser may be a stub that only names a snap: ask it."""
    return _run([path, "--version"], 60, quiet=True)


def _may_use_apt() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def _run(command: Sequence[str], seconds: float, quiet: bool = False) -> bool:
    """Run ``command`` with its output on stderr; whether it succeeded in time."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    output = subprocess.DEVNULL if quiet else sys.stderr
    try:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    except OSError:
        return False
    try:
        return child.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        _say(f"{command[0]} gave no result within {seconds:g} s")
        return False
    finally:
        if child.poll() is None:  # its children too: a hanging download is one
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    browser = ensure_browser()
    if browser is None:
        sys.exit(REMEDY)
    print(browser)
