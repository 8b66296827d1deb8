"""Figures as data: panels of series, drawn by ``drawing`` and printed as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from rich.table import Table

from dspark_lab.evaluation.metrics import Estimate, Figures
from dspark_lab.evaluation.tables import plain_table

if TYPE_CHECKING:  # charts of what is simulated need no models
    from dspark_lab.evaluation.report import Report


@dataclass(frozen=True)
class Series:
    """Points of one name over x, a number or a category; ``paper`` ones are the paper's numbers, not measured here. Those
    that are no "points" are "bars" in a strip below, or a "guide": a thin line to hold the others against."""

    name: str
    points: dict[Any, Estimate]
    paper: bool = False
    style: Literal["points", "bars", "guide"] = "points"


@dataclass(frozen=True)
class Chart:
    """A figure: panels side by side with one y axis. ``name`` is its file's. ``missing`` says what could not be drawn.
    Where every series has an x of its own, it is not ``tabular``."""

    name: str
    title: str
    x: str
    y: str
    panels: dict[str, list[Series]]
    missing: tuple[str, ...] = ()
    tabular: bool = True


WIDEST = 8
"""Columns of numbers in a table; longer series run down it."""


def table(chart: Chart) -> Table:
    """A row a series, a column an x, or the other way round where there are many x; what is not there is a dash. Intervals
    only where there is room."""
    places = list(dict.fromkeys(x for panel in chart.panels.values() for s in panel for x in s.points))
    places = sorted(places, key=lambda x: x if isinstance(x, (int, float)) else 0)
    few = len(places) < 5
    title, titled = f"{chart.title}: {chart.y} by {chart.x}", len(chart.panels) > 1
    if len(places) > WIDEST:
        names = list(dict.fromkeys(s.name for panel in chart.panels.values() for s in panel))
        result = plain_table(title, *([""] if titled else []), chart.x, *names)
        for panel, series in chart.panels.items():
            for x in places:
                points = {s.name: s.points.get(x) for s in series}
                cells = [_cell(points.get(name), few) for name in names]
                result.add_row(*([panel] if titled else []), str(x), *cells, end_section=x == places[-1])
        return result
    result = plain_table(title, *([""] if titled else []), "series", *map(str, places))
    for panel, series in chart.panels.items():
        for s in series:
            cells = [_cell(s.points.get(x), few) for x in places]
            result.add_row(*([panel] if titled else []), s.name, *cells)
    return result


def _cell(estimate: Estimate | None, interval: bool) -> str:
    return "-" if estimate is None else (estimate if interval else Estimate(estimate.value)).show()


def charts(found: Report) -> list[Chart]:
    """The figures of a measurement: tau, acceptance by position, and how both change over turns and context."""
    where = f"T={found.settings['temperature']:g}, measured"
    drafting = {name: result for name, result in found.drafters.items() if result.gamma}
    tau = [
        Series(name, {d: f.tau for d, f in (result.domains | {"macro": result.macro}).items()})
        for name, result in found.drafters.items()
    ]
    result = [Chart("tau", f"Accepted length ({where})", "domain", "tau", {"": tau})]
    if not drafting:
        return result
    domains = list(next(iter(drafting.values())).domains)
    for part, y in (("conditional", "acceptance, all before accepted"), ("cumulative", "share of rounds")):
        panels = {
            domain: [Series(name, by_position(r.domains[domain], part)) for name, r in drafting.items()]
            for domain in domains
        }
        result.append(Chart(f"acceptance-{part}", f"Acceptance by position ({where})", "draft position", y, panels))
    for part, x in (("turns", "turn"), ("contexts", "context length in tokens")):
        panels = {
            domain: [
                Series(name, {label: f.tau for label, f in getattr(r, part)[domain].items()})
                for name, r in drafting.items()
            ]
            for domain in domains
        }
        if any(len(s.points) > 1 for series in panels.values() for s in series):
            result.append(Chart(f"tau-by-{part}", f"Accepted length by {x} ({where})", x, "tau", panels))
    return result


def by_position(f: Figures, part: str = "conditional") -> dict[Any, Estimate]:
    estimates: Sequence[Estimate] = getattr(f, part)
    return {k: estimate for k, estimate in enumerate(estimates, 1) if estimate.value is not None}
