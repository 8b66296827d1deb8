"""A kernel that fails before its page has come: the page gets another, and nothing of the first is left. Real processes."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from dspark_widgets.serving import options, voila_command
from dspark_widgets.serving.memory import children, kernels
from dspark_widgets.serving.options import Hosting
from tests.browser.servers import Workplace, running, unused_port
from tests.serving.visitor import WAIT, Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

ONCE = """\
import os
if not os.path.exists({mark!r}):
    open({mark!r}, "w").close()
    os._exit(1)
"""


def alive(server: Server, kernel: str) -> bool:
    return json.loads(server.ask(f"/healthz/{kernel}")[1]) == {"kernel": "alive"}


def health(server: Server) -> dict[str, int]:
    return json.loads(server.ask("/healthz")[1])


@pytest.mark.parametrize("share", [False, True])
def test_a_page_whose_kernel_dies_while_it_starts_gets_another(folder: Path, tmp_path: Path, share: bool) -> None:
    place, port, mark = Workplace(tmp_path), unused_port(), tmp_path / "died"
    startup = next(tmp_path.rglob("00-guard.py"))
    startup.write_text(ONCE.format(mark=str(mark)) + startup.read_text(encoding="utf-8"), encoding="utf-8")
    command = voila_command(folder / "page.ipynb", port, Hosting(ready=0, share=share))
    with running(command, f"http://127.0.0.1:{port}/healthz", place, tmp_path / "log.txt"):
        server = Server(port, place)
        kernel = server.page()
        assert mark.exists(), "no kernel died"
        assert alive(server, kernel) and health(server)["kernels"] == 1
        assert len([found for pid in children(os.getpid()) for found in kernels(pid)]) == 1


def test_a_page_for_which_no_kernel_starts_says_so(folder: Path, tmp_path: Path) -> None:
    place, port = Workplace(tmp_path), unused_port()
    next(tmp_path.rglob("00-guard.py")).write_text("import os\nos._exit(1)\n", encoding="utf-8")
    command = voila_command(folder / "page.ipynb", port, Hosting(ready=0, share=False))
    with running(command, f"http://127.0.0.1:{port}/healthz", place, tmp_path / "log.txt"):
        server = Server(port, place)
        assert "window.dsparkFailed = true" in server.ask("/")[1]
        assert health(server)["kernels"] == 0
        assert not [found for pid in children(os.getpid()) for found in kernels(pid)]


def test_a_kernel_that_died_in_the_pool_is_given_to_no_page(folder: Path, tmp_path: Path) -> None:
    place, port = Workplace(tmp_path), unused_port()
    command = voila_command(folder / "page.ipynb", port, Hosting(ready=1, share=False))
    with running(command, f"http://127.0.0.1:{port}/healthz", place, tmp_path / "log.txt"):
        server, deadline = Server(port, place), time.monotonic() + WAIT
        while not health(server)["ready"]:
            assert time.monotonic() < deadline, "no kernel was made ready"
            time.sleep(0.2)
        (ready,) = [found for pid in children(os.getpid()) for found in kernels(pid)]
        os.kill(ready, signal.SIGKILL)
        assert alive(server, server.page())


@pytest.mark.parametrize("short", [True, False])
def test_kernels_are_spoken_to_by_sockets_of_the_servers_own(folder: Path, tmp_path: Path, short: bool) -> None:
    place, port = Workplace(tmp_path), unused_port()
    command = voila_command(folder / "page.ipynb", port, Hosting(ready=0, share=False))
    with tempfile.TemporaryDirectory(dir="/tmp") as own:
        temporary = Path(own) / ("s" if short else "long" * 10)
        temporary.mkdir()
        place.environment["TMPDIR"] = str(temporary)
        with running(command, f"http://127.0.0.1:{port}/healthz", place, tmp_path / "log.txt"):
            server = Server(port, place)
            assert alive(server, server.page())
            assert len(list(temporary.glob("voila_*/kernel-*-ipc-*"))) == (5 if short else 0)
        assert not list(temporary.iterdir()), "something is left behind"


def test_kernels_are_spoken_to_by_sockets_where_their_names_are_not_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, fits in (("/tmp", True), ("/tmp/" + "x" * 37, True), ("/tmp/" + "x" * 38, False)):
        monkeypatch.setattr(tempfile, "gettempdir", lambda folder=folder: folder)
        assert options.can_use_sockets() is fits
    monkeypatch.setattr(sys, "platform", "win32")
    assert not options.can_use_sockets()
