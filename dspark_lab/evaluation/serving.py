"""Simulated serving as tables and figures, beside the paper's Figures 7 and 8, and in words where the two differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from dspark_lab.evaluation.charts import Chart, Series
from dspark_lab.evaluation.metrics import Estimate
from dspark_lab.evaluation.paper_data import PaperData, Points
from dspark_lab.evaluation.tables import plain_table
from dspark_lab.scheduling.simulator import Result
from dspark_lab.scheduling.sweep import Sweep

MTP, DSPARK = "MTP-1", "DSpark-5"
"""Figures 7 and 8 compare these; series of ours and the paper's share the names."""
METHODS = {"mtp": MTP, "dspark": DSPARK}
LEGEND = (
    "R: requests at once; a user: tok/s of each, half of them reach p50, 95% reach p95; budget: tokens verified a request "
    "(1 + l); tau: tokens yielded; verify: tau over budget; waste: draft tokens rejected; step: milliseconds, with "
    "arrivals idle ones among them; wait: "
    "seconds from coming to admission"
)
ROWS = 12
"""Loads in a table, of many simulated."""
COMPARED = (10, 20, 50, 100, 150, 200)
"""Concurrent requests at which ours are held against the paper's."""


def load_tables(swept: Sweep) -> list[Table]:
    """Each contender at some of its loads; ``LEGEND`` says what the columns are."""
    waits = any(r.waiting for results in swept.results.values() for r in results)
    columns = (
        "R",
        "tok/s",
        "a user",
        "p50",
        "p95",
        "budget",
        "tau",
        "verify",
        "waste",
        "step",
        *(["wait"] if waits else []),
    )
    tables = []
    for name, results in swept.results.items():
        table = plain_table(f"{name}, modelled", *columns)
        for r in _some(results):
            table.add_row(
                f"{r.requests:,.0f}" if r.requests >= 10 else f"{r.requests:.3g}", f"{r.throughput:,.0f}",
                _number(r.speed), _number(r.speed_p50), _number(r.speed_p95), f"{r.budget:.2f}", f"{r.tau:.2f}",
                f"{r.acceptance:.0%}", f"{r.waste:.2f}", _number(1e3 * r.seconds / r.steps),
                *([f"{r.waiting:.1f}"] if waits else []),
            )  # fmt: skip
        tables.append(table)
    return tables


def sla_table(swept: Sweep, speeds: Sequence[float]) -> Table:
    """The most throughput with each promise of speed, and how many requests that is."""
    table = plain_table("most tok/s (R requests) at so much a user or more, modelled", "a user", *swept.results)
    for speed, *found in zip(speeds, *swept.sla(speeds).values(), strict=True):
        table.add_row(
            f"{speed:,.4g}", *(f"{r.throughput:,.0f} ({r.requests:,.0f})" if r else "out of reach" for r in found)
        )
    return table


def promises(swept: Sweep, count: int = 6) -> list[float]:
    """Speeds worth asking for: from the slowest that all contenders reach to the fastest that any does, in round numbers."""
    speeds = [[r.speed for r in results] for results in swept.results.values()]
    low, high = max(map(min, speeds)), max(map(max, speeds))
    digits = 1 - int(np.floor(np.log10(high)))
    scale = 10.0**digits
    return list(dict.fromkeys(float(np.floor(s * scale) / scale) for s in np.linspace(low, high, count)))


def charts(swept: Sweep, model: str = "", data: PaperData | None = None) -> list[Chart]:
    """Throughput and budget against concurrency (Figure 8), and against each other throughput and speed (Figure 7)."""
    data = data or PaperData()
    seven, eight = data.figure7().get(model, {}), data.figure8().get(model, {})
    note = "modelled" + (f"; paper: {model}" if seven or eight else "")

    def series(y: Callable[[Result], float], paper: dict[str, Points]) -> list[Series]:
        ours = [
            Series(name, {round(r.requests, 2): Estimate(y(r)) for r in results})
            for name, results in swept.results.items()
        ]
        return ours + _theirs(paper)

    frontier = [
        Series(name, {round(r.speed, 3): Estimate(r.throughput) for r in swept.frontier(name)})
        for name in swept.results
    ]
    throughput = {m: curves["throughput_per_gpu"] for m, curves in eight.items()}
    budget = {m: curves["verification_budget"] for m, curves in eight.items()}
    return [
        Chart("serving-frontier", f"Figure 7: throughput and speed ({note})", "tokens per second and user",
              "tokens per second", {"": frontier + _theirs(seven)}, tabular=False),
        Chart("serving-throughput", f"Figure 8: throughput under load ({note})", "concurrent requests",
              "tokens per second", {"": series(lambda r: r.throughput, throughput)}, tabular=False),
        Chart("serving-budget", f"Figure 8: verification budget ({note})", "concurrent requests",
              "tokens verified a request (1 + l)", {"": series(lambda r: r.budget, budget)}, tabular=False),
        Chart("serving-waste", f"Verified and rejected ({note.partition(';')[0]})", "concurrent requests",
              "draft tokens a request", {"": series(lambda r: r.waste, {})}, tabular=False),
    ]  # fmt: skip


def _theirs(paper: dict[str, Points]) -> list[Series]:
    return [
        Series(f"{METHODS[m]} (paper)", {x: Estimate(y) for x, y in points.items()}, paper=True)
        for m, points in paper.items()
        if m in METHODS
    ]


@dataclass(frozen=True)
class Difference:
    """Ours beside the paper's: of what, where, and both numbers; None where one does not reach so far."""

    what: str
    where: str
    ours: float | None
    paper: float | None

    @property
    def percent(self) -> float | None:
        """How much more ours is."""
        return None if self.ours is None or not self.paper else (self.ours / self.paper - 1) * 100


def differences(swept: Sweep, model: str, data: PaperData) -> list[Difference]:
    """Figures 7 and 8 at some places: throughput and budget at a concurrency, and what DSpark-5 gains over MTP-1 at the
    speeds that the paper names."""
    found: list[Difference] = []
    for name, axis in (("throughput_per_gpu", "throughput"), ("verification_budget", "budget")):
        for method, title in METHODS.items():
            if title in swept.results and model in data.figure8():
                ours = {r.requests: getattr(r, axis) for r in swept.results[title]}
                theirs = data.figure8()[model][method][name]
                pairs = [(r, _at(ours, r), _at(theirs, r)) for r in COMPARED]
                found += [
                    Difference(f"{title}, {axis}", f"{r} requests", *pair) for r, *pair in pairs if None not in pair
                ]
    paper = data.figure7().get(model, {})
    curves = {m: {r.speed: r.throughput for r in swept.results[t]} for m, t in METHODS.items() if t in swept.results}
    if paper and len(curves) == len(METHODS):
        for speed in _anchors(data, model):
            for what, of, where in (
                ("throughput", _gain, f"{speed:g} tokens/s a user"),
                ("speed", _faster, f"MTP-1's load at {speed:g}"),  # at the throughput that MTP-1 has at this speed
            ):
                both = (of(c["dspark"], c["mtp"], speed) for c in (curves, paper))
                found.append(Difference(f"DSpark-5 over MTP-1, {what}", where, *both))
    return found


def difference_table(found: Sequence[Difference]) -> Table:
    """One row each."""
    table = plain_table("beside the paper's figures; ours modelled", "", "at", "ours", "paper", "ours is")
    for d in found:
        cells = ["out of reach" if v is None else f"{v:,.0f}" if v >= 100 else f"{v:.2f}" for v in (d.ours, d.paper)]
        table.add_row(d.what, d.where, *cells, "-" if d.percent is None else f"{d.percent:+.0f}%")
    return table


def verdicts(swept: Sweep, model: str, data: PaperData) -> list[str]:
    """What of the figures' shape is there, in a sentence each, and where it differs most."""
    mtp, dspark = swept.results[MTP], swept.results[DSPARK]
    ahead = [d.throughput > m.throughput for m, d in zip(mtp, dspark, strict=True)]
    said = [
        f"DSpark-5 has more throughput than MTP-1 at {sum(ahead)} of {len(ahead)} loads.",
        f"The budget goes from {dspark[0].budget:.2f} at {dspark[0].requests:.0f} requests to {dspark[-1].budget:.2f} at "
        f"{dspark[-1].requests:.0f}; the paper's falls from between 5 and 6 at few to 3.5 at 200.",
    ]
    fastest, ours = max(r.speed for r in mtp), max(r.speed for r in dspark)
    reached = f"MTP-1 reaches {fastest:,.0f} tokens per second and user at most, DSpark-5 {ours:,.0f}"
    said.append(
        f"{reached}: a promise between them is the cliff." if ours > fastest else f"{reached}: there is no cliff."
    )
    found = [d for d in differences(swept, model, data) if d.percent is not None]
    for kind, end, why in (
        ("under load", "requests", ""),
        (
            "at a promise",
            "a user",
            f": MTP-1 ends at {fastest:,.0f} here, and near its end the ratio hangs on a few tokens a second",
        ),
    ):
        if of := [d for d in found if d.where.endswith(end)]:
            most = max(of, key=lambda d: abs(d.percent or 0))
            said.append(
                f"Furthest from the paper {kind}: {most.what} at {most.where}, {most.ours:,.4g} instead of {most.paper:,.4g} "
                f"({most.percent:+.0f}%){why}."
            )
    return said


def _at(points: Points, x: float) -> float | None:
    """y at x, in a straight line between points; None beyond them."""
    xs = sorted(points)
    if not xs or not xs[0] - 0.5 <= x <= xs[-1] + 0.5:
        return None
    return float(np.interp(x, xs, [points[v] for v in xs]))


def _gain(a: Points, b: Points, speed: float) -> float | None:
    """How many times b's throughput a has at this speed."""
    above, below = _at(a, speed), _at(b, speed)
    return above / below if above and below else None


def _faster(a: Points, b: Points, speed: float) -> float | None:
    """How many times ``speed`` a has at the throughput that b has there."""
    throughput = _at(b, speed)
    if throughput is None:
        return None
    reached = _at({y: x for x, y in a.items()}, throughput)
    return reached / speed if reached else None


def _anchors(data: PaperData, model: str) -> list[float]:
    anchors = data.values["figure7"][model].get("anchors", [])
    return [float(anchor["sla_tps_per_user"]) for anchor in anchors]


def _some(results: Sequence[Result]) -> list[Result]:
    """``ROWS`` of them, evenly by rank on a logarithmic scale, first and last among them."""
    if len(results) <= ROWS:
        return list(results)
    places = np.unique(np.round(np.geomspace(1, len(results), ROWS)).astype(int) - 1)
    return [results[i] for i in places]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
