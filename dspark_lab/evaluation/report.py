"""What an evaluation found: figures by suite, domain, turn and context, as data and as tables."""

from __future__ import annotations

import itertools
import statistics
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from dspark_lab.evaluation.measure import Drafters, Measurement
from dspark_lab.evaluation.metrics import RESAMPLES, Array, Estimate, Figures, Run, count, figures, resample, summary
from dspark_lab.evaluation.suites import Suite
from dspark_lab.evaluation.tables import plain_table
from dspark_lab.settings import Settings
from dspark_lab.trace import ModelInfo

ROUND_PARTS = ("draft", "head", "target", "total")
SHORTEST = 32
"""Contexts are grouped by powers of two from here on."""


@dataclass(frozen=True)
class DrafterResult:
    """Figures of one drafter.

    Attributes:
        gamma: tokens drafted a round.
        suites: by name. domains: the mean of a domain's suites; macro: the mean of the domains (paper, Table 1).
        turns, contexts: by domain and turn (from 1), and by domain and context length at the round's start ("64-127").
        round_ms: medians over the rounds that drafted gamma tokens, measured: draft, head, target, total.
    """

    info: ModelInfo | None
    gamma: int
    suites: dict[str, Figures]
    domains: dict[str, Figures]
    macro: Figures
    turns: dict[str, dict[str, Figures]]
    contexts: dict[str, dict[str, Figures]]
    round_ms: dict[str, float]


@dataclass(frozen=True)
class Report:
    """An evaluation.

    Attributes:
        settings: without their length limit, which each suite has of its own.
        gains: "a over b", by domain and macro: how much longer a's accepted length is, in percent; a comes later.
        latency: likewise, how much longer a's round takes that drafts its whole block: measured as the median over
            conversations of the ratio of their median rounds, so that slow spells of the machine cancel.
        conversations: decoded with every drafter, of those planned; fewer where the run was interrupted.
    """

    measured: bool
    device: str
    target: ModelInfo
    settings: dict[str, Any]
    suites: dict[str, dict[str, Any]]
    drafters: dict[str, DrafterResult]
    gains: dict[str, dict[str, Estimate]]
    latency: dict[str, Estimate]
    conversations: int
    planned: int
    interrupted: bool


def report(
    measurement: Measurement, drafters: Drafters, suites: Sequence[Suite], settings: Settings,
    target: ModelInfo, device: str,
) -> Report:  # fmt: skip
    """Figures with their confidence intervals, resampled by the settings' seed."""
    measured = [suite for suite in suites if next(iter(measurement.runs[suite.name].values()))]
    results, taus = {}, {}
    for name, drafter in drafters.items():
        block = drafter.block_size if drafter else 0
        gamma = block if settings.gamma is None else min(settings.gamma, block)
        runs = {suite.name: measurement.runs[suite.name][name] for suite in measured}
        results[name], taus[name] = _result(runs, measured, drafter.info if drafter else None, gamma, settings.seed)
    pairs = {f"{a} over {b}": (a, b) for b, a in itertools.combinations(taus, 2)}
    typical = {
        name: [_median_ms(run, result.gamma) for suite in measured for run in measurement.runs[suite.name][name]]
        for name, result in results.items()
    }
    gains = {
        pair: {domain: Estimate.of((taus[a][domain] / taus[b][domain] - 1) * 100) for domain in taus[a]}
        for pair, (a, b) in pairs.items()
    }
    latency = {pair: _slower(typical[a], typical[b], settings.seed) for pair, (a, b) in pairs.items()}
    return Report(
        True,
        device,
        target,
        {k: getattr(settings, k) for k in ("temperature", "top_k", "top_p", "gamma", "seed")},
        {s.name: {"domain": s.domain, "conversations": len(s.conversations)} for s in suites},
        results,
        gains,
        latency,
        measurement.done,
        measurement.planned,
        measurement.interrupted,
    )


def _result(
    runs: dict[str, list[Run]], suites: Sequence[Suite], info: ModelInfo | None, gamma: int, seed: int
) -> tuple[DrafterResult, dict[str, Array]]:
    """The figures, and tau with its resamples by domain and macro."""
    counts = {suite.name: count(runs[suite.name], gamma) for suite in suites}
    ratios = {name: resample(rows, _seed(seed, name)) for name, rows in counts.items()}
    skipped = {name: sum(run.skipped for run in runs[name]) for name in runs}
    domains: dict[str, list[str]] = {}
    for suite in suites:
        domains.setdefault(suite.domain, []).append(suite.name)
    means = {domain: _mean([ratios[name] for name in names]) for domain, names in domains.items()}
    macro = _mean(list(means.values()))
    every = np.concatenate(list(counts.values()))
    pooled = {domain: [run for name in names for run in runs[name]] for domain, names in domains.items()}
    result = DrafterResult(
        info,
        gamma,
        {name: summary(counts[name], ratios[name], skipped[name]) for name in counts},
        {
            domain: summary(np.concatenate([counts[n] for n in names]), means[domain], sum(skipped[n] for n in names))
            for domain, names in domains.items()
        },
        summary(every, macro, sum(skipped.values())),
        {domain: _by_turn(some, gamma, _seed(seed, domain)) for domain, some in pooled.items()},
        {domain: _by_context(some, gamma, _seed(seed, domain)) for domain, some in pooled.items()},
        _round_ms([run for some in runs.values() for run in some], gamma),
    )
    return result, {domain: mean[:, 0] for domain, mean in means.items()} | {"macro": macro[:, 0]}


def _mean(ratios: Sequence[Array]) -> Array:
    """Of resampled ratios; one without resamples has none to give."""
    shortest = min(map(len, ratios))
    return np.mean([r[:shortest] for r in ratios], axis=0)


def _seed(seed: int, name: str) -> int:
    return zlib.crc32(f"{seed}/{name}".encode())


def _by_turn(runs: Sequence[Run], gamma: int, seed: int) -> dict[str, Figures]:
    turns = sorted({r.turn for run in runs for r in run.rounds})
    return {str(t + 1): figures(runs, gamma, seed, lambda r, t=t: r.turn == t) for t in turns}  # type: ignore[misc]


def _by_context(runs: Sequence[Run], gamma: int, seed: int) -> dict[str, Figures]:
    groups = sorted({_power(r.context) for run in runs for r in run.rounds})
    return {
        _label(power): figures(runs, gamma, seed, lambda r, power=power: _power(r.context) == power)  # type: ignore[misc]
        for power in groups
    }


def _power(context: int) -> int:
    return max(context, SHORTEST - 1).bit_length()


def _label(power: int) -> str:
    return f"below {SHORTEST}" if 2**power <= SHORTEST else f"{2 ** (power - 1)}-{2**power - 1}"


def _round_ms(runs: Sequence[Run], gamma: int) -> dict[str, float]:
    full = [r for run in runs for r in run.rounds if r.drafted == gamma]
    return {part: statistics.median(getattr(r, f"{part}_ms") for r in full) for part in ROUND_PARTS} if full else {}


def _median_ms(run: Run, gamma: int) -> float:
    """Of the rounds that drafted ``gamma`` tokens; NaN without any."""
    full = [r.total_ms for r in run.rounds if r.drafted == gamma]
    return statistics.median(full) if full else float("nan")


def _slower(a: Sequence[float], b: Sequence[float], seed: int) -> Estimate:
    """Median over conversations of a's time over b's, in percent more, with its bootstrap interval."""
    ratios = np.array(a) / np.array(b)
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return Estimate(None)
    resamples = RESAMPLES if len(ratios) > 1 else 0
    chosen = np.random.default_rng(seed).integers(len(ratios), size=(resamples, len(ratios)))
    medians = np.concatenate([[np.median(ratios)], np.median(ratios[chosen], axis=1)])
    return Estimate.of((medians - 1) * 100)


def show(found: Report, console: Console) -> None:
    """Print tau and speed of every suite, acceptance by position, and, where conversations go on, by turn and context."""
    s = found.settings
    where = f"T={s['temperature']:g}, seed {s['seed']}, measured on {found.device}"
    console.print(_overview(found, where), *_positions(found))
    if found.gains:
        first = next(iter(found.drafters))
        table = plain_table(f"tau over that of {first}, in percent", "drafter", *next(iter(found.gains.values())))
        for name in list(found.drafters)[1:]:
            table.add_row(name, *(gain.show(1) for gain in found.gains[f"{name} over {first}"].values()))
        console.print(table)
    if any(len(turns) > 1 for result in found.drafters.values() for turns in result.turns.values()):
        console.print(_breakdown(found, "turn", "turns"), _breakdown(found, "context", "contexts"))
    console.print("±: half the 95% confidence interval over the choice of prompts; verify: emitted / verified tokens")
    for suite in found.suites:
        skipped = max((r.suites[suite].skipped for r in found.drafters.values() if suite in r.suites), default=0)
        if skipped:
            turns = "1 turn that leaves" if skipped == 1 else f"{skipped} turns that leave"
            console.print(f"{suite}: skipped {turns} no room in the context for an answer")


def _overview(found: Report, where: str) -> Table:
    table = plain_table(f"accepted length tau; {where}", "drafter", "suite", "prompts", "tau", "verify", "tokens/s")
    for name, result in found.drafters.items():
        rows = dict(result.suites)
        rows |= {f"{domain} (mean)": f for domain, f in result.domains.items() if domain not in rows}
        for label, f in (rows | {"macro": result.macro}).items():
            cells = str(f.prompts), f.tau.show(), f.verify_rate.show(), f.speed.show(0)
            table.add_row(name, label, *cells, end_section=label == "macro")
    return table


def _positions(found: Report) -> list[Table]:
    """Acceptance by position; drafters with other gammas side by side."""
    deepest = [str(k + 1) for k in range(max(result.gamma for result in found.drafters.values()))]
    tables = []
    for part, title in (
        ("conditional", "acceptance at position k where all before were accepted"),
        ("cumulative", "of the rounds that drafted position k, those that accepted it and all before"),
    ):
        table = plain_table(title, "drafter", "domain", *deepest)
        for name, result in found.drafters.items():
            for domain, f in (result.domains | {"macro": result.macro}).items() if result.gamma else ():
                table.add_row(name, domain, *(Estimate(e.value).show() for e in getattr(f, part)))
        if table.row_count:
            tables.append(table)
    return tables


def _breakdown(found: Report, title: str, part: str) -> Table:
    table = plain_table(f"by {title}", "drafter", "domain", title, "rounds", "tau", "acceptance at 1")
    for name, result in found.drafters.items():
        for domain, groups in getattr(result, part).items() if result.gamma else ():
            for label, f in groups.items():
                table.add_row(name, domain, label, str(f.rounds), f.tau.show(), f.conditional[0].show())
    return table
