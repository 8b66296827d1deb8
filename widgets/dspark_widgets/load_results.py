"""What the load view shows of servers compared under load, as it crosses to the browser: part of the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Offer:
    """Something to choose, by name: what it is called, and a note on it."""

    name: str
    title: str
    note: str = ""


@dataclass(frozen=True)
class ServingSetup:
    """What is simulated: contenders as "none", "mtp-1" or "DRAFTER POLICY"; ``gamma``, tokens drafted at most; the step rate by
    name; and how requests come."""

    contenders: tuple[str, ...] = ("none", "mtp-1", "dspark fixed", "dspark early-break")
    gamma: int = 5
    step_rate: str = "deepseek-v4-flash"
    arrivals: Literal["constant", "poisson", "bursts"] = "constant"


@dataclass(frozen=True)
class Served:
    """A server under one ``load``: so many requests at every moment, or coming a second where they come by themselves. The rest
    is as in ``dspark_lab.scheduling.simulator.Result``, a step's time in milliseconds."""

    load: float
    requests: float
    throughput: float
    speed: float
    speed_p50: float | None
    speed_p95: float | None
    budget: float
    tau: float
    acceptance: float
    waste: float
    step_ms: float


@dataclass(frozen=True)
class ServedCurve:
    """A contender under each load done so far, rising. ``frontier``: numbers of the points that no other beats in both
    throughput and speed, from the fastest for a user on (Figure 7)."""

    name: str
    drafter: str
    policy: str
    gamma: int
    points: tuple[Served, ...]
    frontier: tuple[int, ...]


@dataclass(frozen=True)
class PaperCurve:
    """A line of the paper's Figure 7 (throughput over speed: "frontier") or 8 (over requests: "throughput", "budget")."""

    chart: Literal["frontier", "throughput", "budget"]
    method: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Zoomed:
    """A chart as a Plotly FigureWidget: ``widget`` is its model's id, which the page shows in the view. ``chart`` "": none."""

    chart: str = ""
    widget: str = ""


@dataclass(frozen=True)
class Serving:
    """Servers compared under load, all modelled: what there is to choose, what was simulated, and what came of it.

    ``source`` says whether the step rate, and with it the time of a step, was measured. ``implied``: the paper's curves are
    only those that follow from the step rates that ship. ``done`` of ``total`` simulations are there.
    """

    contenders: tuple[Offer, ...]
    step_rates: tuple[Offer, ...]
    setup: ServingSetup
    title: str = ""
    source: str = ""
    notes: tuple[str, ...] = ()
    curves: tuple[ServedCurve, ...] = ()
    paper: tuple[PaperCurve, ...] = ()
    implied: bool = True
    state: Literal["", "running", "done", "stopped", "failed"] = ""
    error: str = ""
    done: int = 0
    total: int = 0
