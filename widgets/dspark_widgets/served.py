"""Simulated servers as the page draws them: curves over load, and the paper's beneath them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspark_lab.drafters.registry import KINDS
from dspark_lab.evaluation.paper_data import PaperData
from dspark_lab.scheduling.arrivals import Arrivals
from dspark_lab.scheduling.rates import PAPER
from dspark_lab.scheduling.simulator import Result
from dspark_lab.scheduling.sweep import Contender, Sweep
from dspark_widgets import load_results

METHODS = {"mtp": "MTP-1", "dspark": "DSpark-5"}


def title_of(contender: str) -> str:
    """What its drafter is called."""
    drafter = contender.partition(" ")[0]
    return KINDS[drafter].title if drafter in KINDS else drafter


def curve(contender: Contender, found: list[Result], loads: Mapping[float, Arrivals]) -> load_results.ServedCurve:
    """What is known of a contender so far."""
    load_of = {str(coming): load for load, coming in loads.items()}
    rising = sorted(found, key=lambda r: load_of[r.arrivals])
    front = Sweep({contender.name: tuple(rising)}).frontier(contender.name)
    points = tuple(
        load_results.Served(
            load_of[r.arrivals], r.requests, r.throughput, r.speed, r.speed_p50, r.speed_p95, r.budget, r.tau,
            r.acceptance, r.waste, 1e3 * r.seconds / r.steps,
        )
        for r in rising
    )  # fmt: skip
    place = {id(r): number for number, r in enumerate(rising)}
    return load_results.ServedCurve(
        contender.name,
        contender.drafting.name,
        contender.policy.name,
        contender.drafting.gamma,
        points,
        tuple(place[id(r)] for r in front),
    )


def curves_of_paper(setup: load_results.ServingSetup, data: PaperData | None) -> tuple[load_results.PaperCurve, ...]:
    """The paper's lines for this step rate, where requests are constant as there."""
    model, data = PAPER.get(setup.step_rate), data or PaperData.implied()
    if model is None or setup.arrivals != "constant":
        return ()
    eight = data.figure8().get(model, {})
    charts: dict[Any, Mapping[str, Mapping[Any, float]]] = {
        "frontier": data.figure7().get(model, {}),
        "throughput": {method: lines["throughput_per_gpu"] for method, lines in eight.items()},
        "budget": {method: lines["verification_budget"] for method, lines in eight.items()},
    }
    return tuple(
        load_results.PaperCurve(chart, METHODS[method], tuple((float(x), y) for x, y in sorted(points.items())))
        for chart, methods in charts.items()
        for method, points in methods.items()
        if method in METHODS and points
    )
