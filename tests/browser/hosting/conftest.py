"""A page server for each module, and visits to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page

from dspark_widgets.serving.options import Hosting
from tests.browser.conftest import ALLOWED_ERRORS, OPEN
from tests.browser.hosting.visiting import VISITORS, Serve, Server, wait_kernels, wait_ready
from tests.browser.servers import Workplace


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
