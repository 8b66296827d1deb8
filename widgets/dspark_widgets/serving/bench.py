"""``dspark-lab bench web``: the page as visitors meet it, against a real server in a real Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from dspark_lab.errors import LabError
from dspark_lab.records import write_atomically

from .bench_page import Visitor
from .memory import family, kernels, megabytes
from .options import Hosting, can_share
from .server import free_port, voila_command

PAGE = Path(__file__).resolve().parents[3] / "notebooks" / "app.ipynb"
TOKENS = 64
START = 120.0

GOALS: dict[str, tuple[str, float]] = {
    "first_content": ("a recorded trace that can be stepped through, ms", 1500),
    "live_models": ("live models ready, ms", 3000),
    "step": ("a step painted, ms", 50),
    "scrub": ("a pull at the slider painted, ms", 50),
    "fork": ("a fork painted, ms", 150),
    "load": ("another load's cut painted, ms", 60),
    "fork_together_p95": ("a fork with all visitors at work, 95th percentile, ms", 1500),
    "errors": ("errors of all visitors", 0),
}
"""What is measured, and the most that it should come to on 2 cores."""


def run(quick: bool = False, visitors: int = 12, share: bool = True, json_file: Path | None = None) -> dict[str, Any]:
    """Measure and print medians beside the goals. Each visit is one of a new browser, which has nothing in store.

    Raises:
        LabError: the server or the browser does not start, or the lab's page is not at hand.
    """
    if not PAGE.is_file():
        raise LabError(f"{PAGE} is not there: run the bench in a checkout of the lab.")
    hosting = Hosting(ready=1, visitors=visitors + 4, share=share and can_share())
    result = asyncio.run(_measure(hosting, visitors, 3 if quick else 9))
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


async def _measure(hosting: Hosting, visitors: int, repeats: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="dspark-bench-") as folder, tqdm(total=2 * repeats + visitors + 2) as bar:
        async with _server(hosting, Path(folder)) as (pid, url), _browser() as browser:
            for _ in range(repeats):
                bar.set_description("visits")
                visitor = await Visitor.new(browser)
                await _ready(url)
                first, live = await visitor.open(url)
                times.setdefault("first_content", []).append(first)
                times.setdefault("live_models", []).append(live)
                await visitor.close()
                await _empty(url)
                bar.update()
            bar.set_description("one visitor")
            visitor, errors = await Visitor.new(browser), list[str]()
            await _ready(url)
            await visitor.open(url)
            await visitor.generate(TOKENS)
            for number in range(repeats):
                times.setdefault("step", []).append(await visitor.step(number % 2 == 1))
                times.setdefault("scrub", []).append(await visitor.scrub((number * 0.37) % 0.9))
                times.setdefault("fork", []).append(await visitor.fork())
                bar.update()
            await visitor.generate(TOKENS)
            for number in range(repeats):
                times.setdefault("load", []).append(await visitor.load(20 * (number + 1)))
            bar.update()
            await _ready(url)
            alone = sum(map(megabytes, family(pid)))
            bar.set_description(f"{visitors} visitors")
            errors += visitor.errors
            together, failed, memory = await _together(browser, url, visitors, pid, bar)
            errors += failed
            await visitor.close()
    times["fork_together"] = together
    medians = {name: statistics.median(each) for name, each in times.items() if each}
    p95 = sorted(together)[max(0, -(-95 * len(together) // 100) - 1)] if together else float("inf")
    return {
        "measured": True,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"CPU ({platform.machine()}, {os.cpu_count()} cores)",
        "shared": hosting.share,
        "visitors": visitors,
        "repeats": repeats,
        "tokens": TOKENS,
        "milliseconds": times,
        "medians": {**medians, "fork_together_p95": p95, "errors": len(errors)},
        "goals": {name: goal for name, (_, goal) in GOALS.items()},
        "said": errors[:20],
        "megabytes": {"one_visitor": alone, **memory, "further_visitor": (memory["all_visitors"] - alone) / visitors},
    }


async def _together(
    browser: Browser, url: str, number: int, pid: int, bar: tqdm[Any]
) -> tuple[list[float], list[str], dict[str, Any]]:
    """All at once: each opens the page, runs a prompt, steps and forks. Fork times, errors, memory with all of them there."""
    visitors = [await Visitor.new(browser) for _ in range(number)]

    async def visit(visitor: Visitor) -> list[float]:
        taken = []
        try:
            await visitor.open(url)
            await visitor.generate(TOKENS)
            for _ in range(5):
                for _ in range(4):
                    await visitor.step()
                taken.append(await visitor.fork())
            if told := await visitor.notice():
                visitor.errors.append(told)
        except Exception as error:  # one visitor's failure is a result
            visitor.errors.append(f"{type(error).__name__}: {error}")
        bar.update()
        return taken

    taken = await asyncio.gather(*map(visit, visitors))
    each = family(pid)
    memory = {
        "all_visitors": sum(map(megabytes, each)),
        "kernel_pss": statistics.median(map(megabytes, kernels(pid))),
        "kernel_private": statistics.median(megabytes(kernel, "Private_Dirty") for kernel in kernels(pid)),
    }
    for visitor in visitors:
        await visitor.close()
    return [time for times in taken for time in times], [error for v in visitors for error in v.errors], memory


@asynccontextmanager
async def _server(hosting: Hosting, folder: Path) -> AsyncIterator[tuple[int, str]]:
    port = free_port(8900, tries=100)
    url = f"http://127.0.0.1:{port}/"
    log = folder / "log.txt"
    with log.open("wb") as output:
        child = subprocess.Popen(
            voila_command(PAGE, port, hosting), cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
        try:
            await _ready(url, child, log)
            yield child.pid, url
        finally:
            child.terminate()
            child.wait(30)


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        path = os.environ.get("DSPARK_CHROMIUM") or None
        try:
            browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        except Exception as error:
            raise LabError(
                f"Chromium does not start ({str(error).splitlines()[0]}): run `playwright install chromium`, or name one "
                f"by DSPARK_CHROMIUM."
            ) from error
        yield browser
        await browser.close()


async def _ready(url: str, child: subprocess.Popen[bytes] | None = None, log: Path | None = None) -> None:
    """Wait for a kernel in the pool."""
    await _until(url, lambda health: health["ready"] >= 1, child, log)
    await asyncio.sleep(1.0)  # it is there; let it load and the machine come to rest


async def _empty(url: str) -> None:
    """Wait for the last visitor's kernel to end."""
    await _until(url, lambda health: health["kernels"] == 0)


async def _until(
    url: str, there: Callable[[dict[str, Any]], bool], child: subprocess.Popen[bytes] | None = None, log: Path | None = None
) -> None:  # fmt: skip
    deadline = time.monotonic() + START
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < deadline:
        if child and child.poll() is not None:
            raise LabError(f"the server ended: {log.read_text(errors='replace')[-500:] if log else ''}")
        try:
            with opener.open(f"{url}healthz", timeout=5) as reply:
                if there(json.load(reply)):
                    return
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise LabError(f"the server at {url} was not ready within {START:g} s: a busy machine may need another try.")


def _show(result: dict[str, Any]) -> None:
    console = Console()
    shared = "forked from one process" if result["shared"] else "sharing nothing"
    table = Table(
        title=f"the page in Chromium: medians of {result['repeats']}, {result['visitors']} visitors at once, kernels "
        f"{shared}; measured on {result['device']}"
    )
    for name in ("", "measured", "goal"):
        table.add_column(name, justify="left" if not name else "right")
    for name, (text, goal) in GOALS.items():
        value = result["medians"].get(name, float("nan"))
        table.add_row(text, f"{value:,.0f} {'✓' if value <= goal else '✗'}", f"{goal:,.0f}")
    console.print(table)
    memory = result["megabytes"]
    console.print(
        f"memory: {memory['one_visitor']:,.0f} MB with one visitor, {memory['further_visitor']:,.0f} MB for each further one "
        f"(a kernel's own pages {memory['kernel_private']:,.0f} MB, its share of all {memory['kernel_pss']:,.0f} MB)"
    )
    for error in result["said"]:
        console.print(f"error: {error}", markup=False)
