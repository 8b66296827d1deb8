"""``bench web``: what it makes of its measurements, that a failure is a result, and that nothing is left behind. No timings."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Error as PlaywrightError
from rich.console import Console
from tqdm import tqdm

from dspark_lab.errors import LabError
from dspark_widgets.serving import bench, bench_server, bench_visits
from dspark_widgets.serving.bench_visits import FORKS, STEPS, Measured
from dspark_widgets.serving.options import Hosting

WHERE = {"when": "2026-01-01T00:00:00+00:00", "device": "a processor", "busy_before": 0.1, "chromium": "1.2"}


class FakeVisitor:
    """Does all in no time; ``fails`` names what it cannot do, by its number."""

    made: list[FakeVisitor]
    fails: dict[int, str]

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.number, self.closed = len(self.made), False
        self.made.append(self)

    @classmethod
    async def new(cls, _browser: Any) -> FakeVisitor:
        return cls()

    def _may(self, name: str) -> None:
        if self.fails.get(self.number) == name:
            raise PlaywrightError(f"cannot {name}\nCall log: ...")

    async def open(self, _url: str) -> tuple[float, float]:
        self._may("open")
        return 100.0, 200.0

    async def generate(self, _tokens: int) -> None:
        self._may("generate")

    async def step(self, _forward: bool = True) -> float:
        return 10.0

    async def scrub(self, _share: float) -> float:
        return 20.0

    async def fork(self) -> tuple[float, float]:
        self._may("fork")
        return 30.0 + self.number, 300.0

    async def open_tab(self, _name: str) -> None: ...

    async def load(self, _requests: int) -> float:
        return 40.0

    async def notice(self) -> str:
        return ""

    async def close(self) -> None:
        self.closed = True


class FakeServer:
    url, pid = "http://127.0.0.1:1/", 1

    async def rested(self) -> None: ...

    async def left(self) -> None: ...


@pytest.fixture
def visitors(monkeypatch: pytest.MonkeyPatch) -> type[FakeVisitor]:
    FakeVisitor.made, FakeVisitor.fails = [], {}
    monkeypatch.setattr(bench_visits, "Visitor", FakeVisitor)
    monkeypatch.setattr(bench_visits, "PACE", 0.0)
    kernel = {"kernel_pss": 90.0, "kernel_private": 50.0}
    readings = iter(({"server": 700.0, **kernel}, {"server": 1000.0, **kernel}))
    monkeypatch.setattr(bench_visits, "_memory", lambda _pid: next(readings))
    return FakeVisitor


def measured(visitors: int = 3, repeats: int = 2) -> Measured:
    return asyncio.run(bench_visits.measure(None, FakeServer(), visitors, repeats, tqdm(disable=True)))  # type: ignore[arg-type]


def summary(found: Measured, visitors: int = 3) -> dict[str, Any]:
    return bench.summary(found, dict(WHERE), True, visitors, 2)


def shown(result: dict[str, Any]) -> str:
    console = Console(width=200, record=True, file=open("/dev/null", "w") if sys.platform != "win32" else None)  # noqa: SIM115
    bench.show(result, console)
    return console.export_text()


def test_every_goal_is_measured_and_every_page_closed(visitors: type[FakeVisitor]) -> None:
    found = measured()
    result = summary(found)
    assert found.errors == [] and all(v.closed for v in visitors.made) and len(visitors.made) == 2 + 1 + 3
    assert [name for name, value in result["medians"].items() if value is None] == []
    assert all(result["met"].values()) and set(result["met"]) == {*result["goals"], "errors"}
    assert len(found.times["first_content"]) == len(found.times["fork"]) == 2
    assert len(found.times["fork_together"]) == 3 * FORKS and len(found.times["step_together"]) == 3 * FORKS * STEPS
    assert found.megabytes["further_visitor"] == 100.0
    assert json.loads(json.dumps(result)) == result
    text = shown(result)
    assert "a processor" in text and "2026-01-01" in text and "✗" not in text
    assert "100 MB for each of 3 further ones" in text


@pytest.mark.parametrize("what", ["open", "generate"])
def test_a_visitor_who_cannot_come_is_an_error_and_the_others_are_measured(
    what: str, visitors: type[FakeVisitor]
) -> None:
    visitors.fails = {4: what}  # the second of those who come together
    found = measured()
    assert found.errors == [f"Error: cannot {what}"]
    assert len(found.times["fork_together"]) == 2 * FORKS
    assert found.megabytes["further_visitor"] == 150.0, "shared by those who came"
    result = summary(found)
    assert not result["met"]["errors"] and result["met"]["fork_together_p95"]
    assert f"error: Error: cannot {what}" in shown(result) and "1 ✗" in shown(result)


def test_what_was_not_measured_meets_no_goal(visitors: type[FakeVisitor]) -> None:
    visitors.fails = {2: "fork"}  # the one who is alone
    result = summary(measured())
    assert result["medians"]["fork"] is None and result["medians"]["load"] is None
    assert not result["met"]["fork"] and not result["met"]["load"] and result["met"]["step"]
    assert shown(result).count("not measured ✗") == 2


def test_too_slow_is_marked() -> None:
    result = summary(Measured(times={"fork": [149.0, 151.0, 500.0], "step": [50.0]}))
    assert result["met"]["step"] and not result["met"]["fork"]
    row = next(line for line in shown(result).splitlines() if "a forked round painted, with" in line)
    assert "151 ✗" in row and "150" in row and "149 to 500" in row
    assert "memory: not measured" in shown(result)


def test_the_percentile_is_one_of_the_values() -> None:
    assert bench.percentile(list(range(1, 101)), 95) == 95
    assert bench.percentile([3.0, 1.0, 2.0], 95) == 3.0
    assert bench.percentile([], 95) is None


def test_where_it_was_measured_is_said() -> None:
    assert {"when", "device", "busy_before", "python", "dspark_lab"} == set(bench.machine())
    assert "cores" in bench.machine()["device"]


def test_without_the_notebook_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="run the bench in a checkout"):
        bench.run(page=tmp_path / "app.ipynb")


def test_without_chromium_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DSPARK_CHROMIUM", "/no/such/chromium")

    async def launch() -> None:
        async with bench_server.chromium():
            pass

    with pytest.raises(LabError, match=r"Chromium does not start \(.*/no/such/chromium.*playwright install chromium"):
        asyncio.run(launch())


@asynccontextmanager
async def stuck_server(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[tuple[asyncio.Task[None], Any]]:
    """A bench that waits for a server that never answers."""
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def popen(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(real(*arguments, **named))
        return started[-1]

    monkeypatch.setattr(bench_server.subprocess, "Popen", popen)
    monkeypatch.setattr(
        bench_server, "voila_command", lambda *_: [sys.executable, "-c", "import time; time.sleep(600)"]
    )

    async def wait() -> None:
        async with bench_server.serving(Path("page.ipynb"), Hosting(), folder):
            pass

    task = asyncio.create_task(wait())
    while not started:
        await asyncio.sleep(0.01)
    yield task, started[0]


def test_interrupted_it_leaves_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def interrupt() -> None:
        async with stuck_server(monkeypatch, tmp_path) as (task, server):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert server.poll() is not None

    asyncio.run(interrupt())


def test_a_server_that_ends_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit('no room here')"]
    monkeypatch.setattr(bench_server, "voila_command", lambda *_: command)

    async def serve() -> None:
        async with bench_server.serving(Path("page.ipynb"), Hosting(), tmp_path):
            pass

    with pytest.raises(LabError, match="the server ended: no room here"):
        asyncio.run(serve())


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_lets_it_clean_up(name: str) -> None:
    cleaned = []

    async def work() -> None:
        try:
            signal.raise_signal(getattr(signal, name))
            await asyncio.sleep(60)
        finally:
            cleaned.append(name)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), bench_server.ended_in_order():
        asyncio.run(work())
    assert cleaned == [name] and signal.getsignal(signal.SIGTERM) is before
