"""A running page server, and what a visitor who does not keep to the page can ask of it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from dspark_widgets.serving import voila_command
from dspark_widgets.serving.options import Hosting
from tests.browser.servers import Workplace, running, unused_port

WAIT = 60.0
"""Seconds that a kernel may take to start on a loaded machine."""

SECRET = "the-other-notebook"


class Server:
    """A running page server, and what can be asked of it."""

    def __init__(self, port: int, place: Workplace, base: str = "/") -> None:
        self.port, self.place, self.base = port, place, base
        self.held: list[HTTPConnection] = []

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[HTTPResponse, str]:
        """The answer to a request, its path sent as it is written."""
        line = HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        reply = line.getresponse()
        return reply, reply.read().decode("utf-8", "replace")

    def page(self) -> str:
        """Open the page; the id of its kernel."""
        reply, text = self.ask(self.base)
        assert reply.status == 200, text
        return json.loads(re.search(r'"jupyter-config-data"[^>]*>(.*?)</script>', text, re.DOTALL)[1])["kernelId"]

    @contextmanager
    def socket(self, kernel: str) -> Iterator[ClientConnection]:
        url = f"ws://127.0.0.1:{self.port}{self.base}api/kernels/{kernel}/channels?session_id={uuid.uuid4()}"
        with connect(url, open_timeout=WAIT, max_size=None) as line:
            yield line


@contextmanager
def served(folder: Path, notebook: str, hosting: Hosting, logs: Path) -> Iterator[Server]:
    place, port = Workplace(logs), unused_port()
    command = voila_command(folder / notebook, port, hosting)
    with running(command, f"http://127.0.0.1:{port}{hosting.path}healthz", place, logs / "log.txt"):
        yield Server(port, place, hosting.path)


def no_place(text: str, server: Server, folder: Path) -> None:
    """No traceback and no path of the server in what was answered."""
    assert "Traceback" not in text and ".py" not in text
    for place in (str(folder), str(server.place.folder), "site-packages", str(Path(__file__).parents[2])):
        assert place not in text
