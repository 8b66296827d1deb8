"""``dspark-lab bench web``: the page as visitors meet it, on a real server in a real Chromium, beside what it should come to."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

import dspark_lab
from dspark_lab.describe import processor
from dspark_lab.errors import LabError
from dspark_lab.records import write_atomically

from .bench_server import chromium, ended_in_order, serving
from .bench_visits import PACE, STEPS, TOKENS, Measured, measure
from .options import Hosting, can_share

PAGE = Path(__file__).resolve().parents[3] / "notebooks" / "app.ipynb"

GOALS: dict[str, tuple[str, float | None]] = {
    "first_content": ("a recorded trace that can be stepped through", 1500),
    "live_models": ("live models ready", 3000),
    "step": ("a step painted", 50),
    "scrub": ("a pull at the slider of steps painted", 50),
    "fork": ("a forked round painted, with what differs", 150),
    "fork_whole": ("that fork run to its end", None),
    "load": ("the cut at another load painted", 60),
    "step_together": ("a step painted, all visitors at work", None),
    "fork_together": ("a forked round painted, all visitors at work", None),
    "fork_together_p95": ("the same, 95th percentile", 1500),
}
"""What is measured in milliseconds, as a median where it does not say otherwise, and the most that it should come to on 2
cores; None where nothing is asked."""


def run(
    quick: bool = False, visitors: int = 12, share: bool = True, json_file: Path | None = None, page: Path = PAGE
) -> dict[str, Any]:
    """Measure, and print medians beside the goals. Each visit is one of a new browser, which has nothing in store; browsers
    and server share the machine. Interrupted, it leaves no server, kernel or browser behind.

    Args:
        quick: few repeats: a look, not a result.
        visitors: how many are at work at once, beside one more.
        share: fork the kernels from one process that holds torch and the models, where the machine can.
        json_file: where the result is written to.
        page: the lab's notebook.

    Raises:
        LabError: Chromium or the server does not start, or the lab's page is not at hand.
    """
    if not page.is_file():
        raise LabError(f"{page} is not there: run the bench in a checkout of the lab.")
    hosting = Hosting(ready=1, visitors=visitors + 4, share=share and can_share())
    with ended_in_order():
        result = asyncio.run(_measure(page, hosting, visitors, 3 if quick else 9))
    show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


async def _measure(page: Path, hosting: Hosting, visitors: int, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="dspark-bench-") as folder, tqdm(total=2 * repeats + visitors + 2) as bar:
        where = machine()
        async with chromium() as browser, serving(page, hosting, Path(folder)) as server:
            bar.update()
            found = await measure(browser, server, visitors, repeats, bar)
            where["chromium"] = browser.version
    return summary(found, where, hosting.share, visitors, repeats)


def machine() -> dict[str, Any]:
    """Where and when something is measured, and how busy it is there before."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"{processor()}, {os.cpu_count()} cores ({platform.system()} {platform.machine()})",
        "busy_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "dspark_lab": dspark_lab.__version__,
    }


def summary(found: Measured, where: dict[str, Any], share: bool, visitors: int, repeats: int) -> dict[str, Any]:
    """The result as it is written: what was not measured is null, and meets no goal."""
    medians: dict[str, float | None] = dict.fromkeys(GOALS)
    medians.update({name: statistics.median(each) for name, each in found.times.items()})
    medians["fork_together_p95"] = percentile(found.times.get("fork_together", ()), 95)
    goals = {name: goal for name, (_, goal) in GOALS.items() if goal is not None}
    return {
        "measured": True,
        **where,
        "kernels": "forked from one process" if share else "sharing nothing",
        "visitors": visitors,
        "seconds_a_step": PACE,
        "steps_a_fork": STEPS,
        "repeats": repeats,
        "tokens": TOKENS,
        "medians": medians,
        "goals": goals,
        "met": {name: meets(medians[name], goal) for name, goal in goals.items()} | {"errors": not found.errors},
        "errors": found.errors,
        "megabytes": found.megabytes,
        "milliseconds": found.times,
    }


def meets(value: float | None, goal: float) -> bool:
    return value is not None and value <= goal


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The smallest value that so many percent of all do not exceed; None of nothing."""
    return sorted(values)[max(0, -(-percent * len(values) // 100) - 1)] if values else None


def show(result: dict[str, Any], console: Console | None = None) -> None:
    """Print the result as a table."""
    console = console or Console()
    table = Table(
        title=f"the page in Chromium {result['chromium']}, milliseconds; measured",
        caption=f"{result['when']}, {result['device']}, load average before {result['busy_before']}; kernels "
        f"{result['kernels']}; medians of {result['repeats']} or more; {result['visitors']} visitors at once, each with a "
        f"step every {result['seconds_a_step']:g} s and a fork after {result['steps_a_fork']}, their browsers on this machine",
    )
    for name in ("", "measured", "goal", "spread"):
        table.add_column(name, justify="left" if not name else "right")
    for name, (text, goal) in GOALS.items():
        value, all_of_it = result["medians"][name], result["milliseconds"].get(name)
        mark = "" if goal is None else " ✓" if result["met"][name] else " ✗"
        spread = f"{min(all_of_it):,.0f} to {max(all_of_it):,.0f}" if all_of_it else ""
        shown = "not measured" if value is None else f"{value:,.0f}"
        table.add_row(text, shown + mark, "" if goal is None else f"{goal:,.0f}", spread)
    table.add_row("errors of all visitors", f"{len(result['errors'])} {'✗' if result['errors'] else '✓'}", "0", "")
    console.print(table)
    console.print(memory_line(result["megabytes"], result["visitors"]))
    for error in result["errors"][:20]:
        console.print(f"error: {error}", markup=False)


def memory_line(memory: dict[str, float], visitors: int) -> str:
    """What a visitor costs, in a sentence. A page that several processes share is counted once."""
    if not memory:
        return "memory: not measured (Linux tells it, where visitors could work)"
    return (
        f"memory of the server with its kernels: {memory['one_visitor']:,.0f} MB with one visitor and one kernel ready, "
        f"{memory['further_visitor']:,.0f} MB for each of {visitors} further ones. A kernel has "
        f"{memory['kernel_private']:,.0f} MB of its own (median); {memory['kernel_pss']:,.0f} MB is its share of all."
    )
