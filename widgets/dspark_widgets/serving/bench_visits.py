"""What the visitors of the bench do, one by one and all at once, and how long they wait."""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import Awaitable
from dataclasses import dataclass, field

from playwright.async_api import Browser
from playwright.async_api import Error as PlaywrightError
from tqdm import tqdm

from .bench_page import Visitor
from .bench_server import Server
from .memory import family, kernels, megabytes

TOKENS = 64
"""New tokens of the run that every visitor steps through and forks."""
STEPS, FORKS = 4, 5
"""Steps before each fork, and forks of each visitor, with all of them at work."""
PACE = 1.0
"""Seconds that such a visitor looks at a step. People look for longer."""
ARRIVING = 2
"""Visitors whose page opens at a time."""


@dataclass
class Measured:
    """Milliseconds by what was measured; what went wrong; and megabytes of the server with all its kernels."""

    times: dict[str, list[float]] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    megabytes: dict[str, float] = field(default_factory=dict)

    def take(self, **times: float) -> None:
        for name, value in times.items():
            self.times.setdefault(name, []).append(value)


async def measure(browser: Browser, server: Server, visitors: int, repeats: int, bar: tqdm[None]) -> Measured:
    """Visits by new browsers, what one visitor does, and ``visitors`` more beside it. What fails is an error of its
    visitor, and what can still be measured is."""
    found = Measured()
    bar.set_description("visits")
    for _ in range(repeats):
        visitor = await Visitor.new(browser)
        await tried(visitor, _visit(found, visitor, server))
        await _leave(found, visitor)
        await server.left()
        await server.rested()
        bar.update()
    bar.set_description("one visitor")
    visitor = await Visitor.new(browser)
    await tried(visitor, _alone(found, visitor, server, repeats, bar))
    bar.set_description(f"{visitors} visitors")
    await server.rested()
    before = _memory(server.pid)
    others = [await Visitor.new(browser) for _ in range(visitors)]
    there = await _arrive(others, server)
    await asyncio.gather(*(tried(v, _work(found, v, i / visitors, bar)) for i, v in enumerate(there)))
    await server.rested()
    after = _memory(server.pid)
    if before and after and there:
        further = (after["server"] - before["server"]) / len(there)
        found.megabytes = {"one_visitor": before["server"], "all_visitors": after["server"], "further_visitor": further,
                           "kernel_pss": after["kernel_pss"], "kernel_private": after["kernel_private"]}  # fmt: skip
    for each in (visitor, *others):
        await _leave(found, each)
    return found


async def tried(visitor: Visitor, act: Awaitable[None]) -> bool:
    """Whether the visitor could do it; why not is told among its errors."""
    try:
        await act
    except PlaywrightError as error:
        visitor.errors.append(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}")
        return False
    return True


async def _visit(found: Measured, visitor: Visitor, server: Server) -> None:
    first, live = await visitor.open(server.url)
    found.take(first_content=first, live_models=live)


async def _alone(found: Measured, visitor: Visitor, server: Server, repeats: int, bar: tqdm[None]) -> None:
    await visitor.open(server.url)
    await visitor.generate(TOKENS)
    for number in range(repeats):
        found.take(step=await visitor.step(number % 2 == 1), scrub=await visitor.scrub((number * 0.37) % 0.9))
        painted, whole = await visitor.fork()
        found.take(fork=painted, fork_whole=whole)
        bar.update()
    await visitor.open_tab("scheduler")
    for number in range(3 * repeats):
        found.take(load=await visitor.load(8 + (number * 37) % 200))
    bar.update()


async def _arrive(visitors: list[Visitor], server: Server) -> list[Visitor]:
    """Those who could open the page and run a prompt, which they do a few at a time."""
    few = asyncio.Semaphore(ARRIVING)

    async def arrive(visitor: Visitor) -> None:
        async with few:
            await visitor.open(server.url)
            await visitor.generate(TOKENS)

    came = await asyncio.gather(*(tried(visitor, arrive(visitor)) for visitor in visitors))
    return [visitor for visitor, there in zip(visitors, came, strict=True) if there]


async def _work(found: Measured, visitor: Visitor, share: float, bar: tqdm[None]) -> None:
    """Step and fork, beginning at a ``share`` of the way to the first fork, so that not all fork in one moment."""
    await asyncio.sleep(share * STEPS * PACE)
    for _ in range(FORKS):
        for _ in range(STEPS):
            found.take(step_together=await visitor.step())
            await asyncio.sleep(PACE)
        painted, _whole = await visitor.fork()
        found.take(fork_together=painted)
    bar.update()


async def _leave(found: Measured, visitor: Visitor) -> None:
    """Note what the page says went wrong, and close it."""

    async def told() -> None:
        if notice := await visitor.notice():
            visitor.errors.append(notice)

    await tried(visitor, told())
    found.errors += visitor.errors
    await tried(visitor, visitor.close())


def _memory(pid: int) -> dict[str, float]:
    """Megabytes of the server with all its kernels, and of one kernel; empty where the system does not tell."""
    each = kernels(pid)
    if not sys.platform.startswith("linux") or not each:
        return {}
    return {
        "server": sum(map(megabytes, family(pid))),
        "kernel_pss": statistics.median(map(megabytes, each)),
        "kernel_private": statistics.median(megabytes(kernel, "Private_Dirty") for kernel in each),
    }
