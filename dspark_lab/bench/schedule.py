"""Time of one scheduling decision, by requests and policy, beside Algorithm 1 written in plain Python."""

from __future__ import annotations

import json
import math
import platform
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from dspark_lab.records import write_atomically
from dspark_lab.scheduling.policies import ALGORITHM_1, Fixed, GlobalBest, Lagged, Policy, Threshold
from dspark_lab.scheduling.rates import step_rate_named
from dspark_lab.scheduling.schedule import schedule
from dspark_lab.scheduling.step_rate import StepRate

GAMMA = 7
SIZES = (1, 16, 256, 4096, 16_384)
POLICIES: tuple[Policy, ...] = (ALGORITHM_1, GlobalBest(), Lagged(), Fixed(4), Threshold(0.5))
PLAIN = "Algorithm 1 in plain Python"
LIMITS = {256: 0.15, 16_384: 10.0}
"""What a decision should take at most, milliseconds: far below the step that it decides about."""


def plain(survival: Sequence[Sequence[float]], rates: Sequence[float]) -> list[int]:
    """Algorithm 1 as the paper writes it; ``rates[B]`` is SPS(B). Lengths of all requests."""
    requests = len(survival)
    candidates = sorted((-a, j, r) for r, row in enumerate(survival) for j, a in enumerate(row))
    lengths, tokens, expected = [0] * requests, requests, float(requests)
    best = expected * rates[tokens]
    for falling, _, r in candidates:
        tokens += 1
        expected -= falling
        theta = expected * rates[tokens]
        if theta <= best:
            break
        best = theta
        lengths[r] += 1
    return lengths


def run(quick: bool = False, json_file: Path | None = None) -> dict[str, Any]:
    """Measure and print medians. ``quick`` repeats less: a look, not a result.

    Every repeat times all contenders at one size, one after the other, on confidences of its own.
    """
    repeats = 15 if quick else 101
    milliseconds: dict[str, dict[int, float]] = {}
    fastest: dict[str, dict[int, float]] = {}
    rate = step_rate_named("roofline:h100:qwen3-4b").extended(max(SIZES) * (1 + GAMMA))
    rates = [0.0, *rate.between(1, rate.most).tolist()]
    with tqdm(total=len(SIZES) * repeats, desc="bench schedule", unit="repeat") as bar:
        for size in SIZES:
            times: dict[str, list[float]] = {}
            for repeat in range(repeats + 1):  # the first warms up
                now, then = (pool(size, 2 * repeat + i) for i in range(2))
                for name, decide in contenders(now, then, rate, rates, repeat < 7).items():
                    began = perf_counter()
                    decide()
                    if repeat:
                        times.setdefault(name, []).append((perf_counter() - began) * 1e3)
                bar.update(repeat > 0)
            for name, each in times.items():
                milliseconds.setdefault(name, {})[size] = statistics.median(each)
                fastest.setdefault(name, {})[size] = min(each)
    result = {
        "measured": True,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"CPU ({platform.machine()})",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "gamma": GAMMA,
        "repeats": repeats,
        "milliseconds": milliseconds,
        "fastest_milliseconds": fastest,
        "nanoseconds_per_n_log2_n": {
            name: {n: growth(n, ms) for n, ms in by.items()} for name, by in milliseconds.items()
        },
        "limits_ms": LIMITS,
    }
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


def pool(requests: int, seed: int) -> NDArray[np.float64]:
    """Survivals [requests, GAMMA] of confidences that are mostly high, as a drafter's are."""
    return np.random.default_rng(seed).beta(4, 1, (requests, GAMMA)).clip(0.01, 0.99).cumprod(1)


def contenders(
    now: NDArray[np.float64], then: NDArray[np.float64], rate: StepRate, rates: Sequence[float], slow: bool
) -> dict[str, Callable[[], Any]]:
    """A decision each, as something to call; the plain one only where it is ``slow``'s turn."""
    found: dict[str, Callable[[], Any]] = {}
    for policy in POLICIES:
        earlier = then if policy.capacity_lags else None
        found[policy.name] = partial(schedule, now, rate, policy, earlier=earlier)
    if slow:
        found[PLAIN] = partial(plain, now.tolist(), rates)
    return found


def growth(requests: int, milliseconds: float) -> float:
    """Nanoseconds per n log2 n, of n candidates."""
    n = requests * GAMMA
    return milliseconds * 1e6 / (n * math.log2(n))


def _show(result: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"milliseconds a decision, gamma {GAMMA}, median; measured on {result['device']}")
    table.add_column("policy")
    for size in SIZES:
        table.add_column(f"R = {size:,}", justify="right")
    for name, by in result["milliseconds"].items():
        table.add_row(name, *(f"{by[n]:.3f}" for n in SIZES))
    console.print(table)
    per = result["nanoseconds_per_n_log2_n"][ALGORITHM_1.name]
    shown = ", ".join(f"{per[n]:.1f} at R = {n:,}" for n in SIZES[2:])
    console.print(f"Algorithm 1, nanoseconds per n log2 n of n = {GAMMA} R candidates: {shown}")
    slowest = {n: max(by[n] for name, by in result["milliseconds"].items() if name != PLAIN) for n in LIMITS}
    for size, limit in LIMITS.items():
        ours, best = (result[key][ALGORITHM_1.name][size] for key in ("milliseconds", "fastest_milliseconds"))
        ratio = result["milliseconds"][PLAIN][size] / ours
        console.print(
            f"R = {size:,}: Algorithm 1 {ours:.3f} ms (the fastest {best:.3f}), the slowest policy {slowest[size]:.3f} ms, "
            f"to stay under {limit:g} ms; "
            f"[bold]{ratio:.1f}[/bold] times as fast as in plain Python"
        )
