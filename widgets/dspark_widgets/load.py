"""Under load: drafters and policies on a simulated server, what it makes and what a user sees of it. All modelled."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from dspark_lab.errors import LabError
from dspark_lab.evaluation.paper_data import PaperData
from dspark_lab.records import from_json, to_json
from dspark_lab.scheduling.bootstrap import Drafting
from dspark_lab.scheduling.contenders import MTP_1, caveats, contender_named, loads_of, recorded_drafters
from dspark_lab.scheduling.policies import Fixed
from dspark_lab.scheduling.rates import PAPER, step_rate_named
from dspark_lab.scheduling.simulator import Result
from dspark_lab.scheduling.sweep import Contender, Sweep, sweep
from dspark_widgets import contract, load_results, requests
from dspark_widgets.jobs import Worker, explain
from dspark_widgets.pairs import check_lab
from dspark_widgets.served import curve, curves_of_paper, title_of
from dspark_widgets.view import Stop
from dspark_widgets.zoom import Zooming

if TYPE_CHECKING:
    from dspark_lab.evaluation.charts import Chart

LOADS = (1, 2, 4, 8, 16, 32, 64, 96, 128, 160, 192, 224, 256)
FEWER = (2, 8, 32, 64, 96, 128, 192, 256)
"""Requests at every moment; where they come by themselves, each simulation takes longer, so there are fewer."""
STEPS, ROUNDS = 400, 20_000
ALONE = "none"
POLICIES = ("early-break", "lagged", "fixed", "fixed:2", "threshold", "global")
RATES = (
    "deepseek-v4-flash",
    "deepseek-v4-pro",
    "roofline:h100:qwen3-4b",
    "roofline:h100:qwen3-14b",
    "roofline:8xh100:v4-flash-like",
    "roofline:laptop:qwen3-4b",
    "pocket-cpu",
)
MOST_CONTENDERS, MOST_GAMMA = 12, 16
PAUSE = 0.15
"""Seconds between what the page is told, at least."""


class LoadLab(Zooming):
    """Drafters and policies on a simulated server: throughput, budget and waste under load, throughput against speed a user.

    It needs no models, only recorded rounds. The page simulates when it is first seen, and whenever it is asked to.

    Args:
        lab: a loaded pair; where rounds of its drafter are recorded, they can be chosen.
        drafters: folders or files of recorded rounds (``dspark-lab calibrate``) to choose from, beside the pocket ones.
        step_rates: files of ``dspark-lab profile`` to choose from, or names, beside the usual ones.
        paper: a file with the paper's numbers, as of ``dspark-lab simulate --paper-data``, drawn beneath; else what ships.

    Raises:
        LabError: an unknown keyword was used, the lab is no loaded pair, or a file is not what it should be.
    """

    kind = traitlets.Unicode("load").tag(sync=True)
    serving: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    _swept: Sweep | None = None

    def __init__(
        self, lab: Any = None, *, drafters: Iterable[str | Path] = (), step_rates: Iterable[str | Path] = (),
        paper: str | Path | None = None, **unknown: Any,
    ) -> None:  # fmt: skip
        if unknown:
            raise LabError(
                f"unknown argument {sorted(unknown)[0]!r}: LoadLab takes lab, drafters, step_rates and paper."
            )
        if lab is not None:
            check_lab(lab)
        super().__init__()
        own = getattr(lab and lab.drafter, "folder", None)
        given = [str(source) for source in (*([own] if own else []), *drafters)]
        self._drafters = {_short(name): name for name in (*recorded_drafters(), *given)}
        self._rates = {str(name): step_rate_named(name) for name in (*RATES, *step_rates)}
        self._paper = PaperData.load(Path(paper)) if paper else None
        self._simulator, self._telling = Worker(), threading.Lock()
        names = [f"{drafter} {policy}" for drafter in self._drafters for policy in POLICIES]
        offers = [load_results.Offer(name, title_of(name)) for name in (ALONE, MTP_1, *names)]
        rates = [load_results.Offer(name, rate.title, rate.source) for name, rate in self._rates.items()]
        self.serving = to_json(load_results.Serving(tuple(offers), tuple(rates), load_results.ServingSetup()))

    def figures(self) -> dict[str, Any]:
        """The charts as Plotly FigureWidgets, to zoom: "frontier", "throughput", "budget" and "waste". Simulates the usual
        contenders where nothing was simulated yet.

        Raises:
            LabError: the simulation failed.
        """
        from plotly.graph_objects import FigureWidget

        return {name: FigureWidget(self.figure(name)) for name in self._charts()}

    def figure(self, chart: str) -> Any:
        """One of them, as a Plotly figure that is no widget."""
        from dspark_lab.evaluation.drawing import draw

        return draw(self._charts()[chart])

    def _charts(self) -> dict[str, Chart]:
        from dspark_lab.evaluation import serving

        swept, model = self._simulated(), PAPER.get(self.serving["setup"]["step_rate"], "")
        drawn = serving.charts(swept, model, self._paper or PaperData.implied())
        return {chart.name.removeprefix("serving-"): chart for chart in drawn}

    def on_zoom(self, request: requests.ZoomRequest) -> None:
        """Raises LabError while there is nothing to show."""
        if request.chart and self._swept is None:
            raise LabError("nothing was simulated yet: there is no chart to zoom.")
        super().on_zoom(request)

    def snapshot(self) -> dict[str, Any]:
        if self.kind == "load":  # in the app it is one of many
            self._simulated()
        return super().snapshot()

    def wait(self, seconds: float | None = None) -> bool:
        return super().wait(seconds) and self._simulator.wait(seconds)

    def work(self, where: contract.Where, job: Callable[[Stop], None]) -> None:
        """As any view's, with the simulation stopped, which would slow what is measured."""
        self._simulator.stop()
        super().work(where, job)

    def on_serve(self, request: requests.ServeRequest) -> None:
        if self._worker.busy:
            raise LabError("models are at work, and the simulation would slow what is measured: wait for their end.")
        self._serve(request.setup)
        self.forgive("serving")

    def on_unserve(self, _request: requests.UnserveRequest) -> None:
        self._simulator.stop()

    def _simulated(self) -> Sweep:
        """What was simulated; the usual, where nothing was. Raises LabError where it cannot be."""
        if self._swept is None and not self._simulator.busy:
            self._serve(load_results.ServingSetup())
        self._simulator.wait()
        if self._swept is None:
            raise LabError(self.serving["error"] or "nothing was simulated: run it to its end.")
        return self._swept

    def _serve(self, setup: load_results.ServingSetup) -> None:
        """Begin a simulation. Raises LabError where it cannot be."""
        names = {offer["name"] for offer in self.serving["contenders"]}
        unknown = [name for name in setup.contenders if name not in names]
        if unknown:
            raise LabError(f"there is no contender {unknown[0]!r}: choose some of {', '.join(sorted(names))}.")
        if setup.step_rate not in self._rates:
            raise LabError(f"there is no step rate {setup.step_rate!r}: choose one of {', '.join(self._rates)}.")
        if not 1 <= len(set(setup.contenders)) <= MOST_CONTENDERS:
            raise LabError(f"{len(setup.contenders)} contenders were chosen: choose 1 to {MOST_CONTENDERS}.")
        if not 1 <= setup.gamma <= MOST_GAMMA:
            raise LabError(f"gamma is {setup.gamma}, but 1 to {MOST_GAMMA} tokens can be drafted here.")

        def job(should_stop: Stop) -> None:
            try:
                self._simulate(setup, should_stop)
            except Exception as failure:
                self.serving = {**self.serving, "state": "failed", "error": explain(failure)}

        self._simulator.start(job)

    def _simulate(self, setup: load_results.ServingSetup, should_stop: Stop) -> None:
        chosen = [self._contender(name, setup.gamma) for name in dict.fromkeys(setup.contenders)]
        rate = self._rates[setup.step_rate]
        constant = setup.arrivals == "constant"
        loads = loads_of(setup.arrivals, LOADS if constant else FEWER, rate, chosen[0].drafting)
        found: dict[str, list[Result]] = {c.name: [] for c in chosen}
        told = [time.monotonic()]
        offered = from_json(load_results.Serving, self.serving, "serving", "")
        shown = load_results.Serving(
            offered.contenders, offered.step_rates, setup, rate.title, rate.source, tuple(caveats(rate, chosen)),
            paper=curves_of_paper(setup, self._paper), implied=self._paper is None, state="running",
            total=len(chosen) * len(loads),
        )  # fmt: skip

        def tell(state: Any = "running") -> None:
            curves = tuple(curve(c, found[c.name], loads) for c in chosen)
            # Where some load needs more tokens a step than were measured, the rate is carried on, and modelled then.
            carried = {r.step_rate for results_of in found.values() for r in results_of} - {rate.title}
            done = sum(map(len, found.values()))
            now = replace(shown, curves=curves, state=state, done=done)
            self.serving = to_json(replace(now, title=min(carried), source="modelled") if carried else now)

        def on_result(name: str, result: Result) -> None:
            with self._telling:
                found[name].append(result)
                if time.monotonic() - told[0] > PAUSE:
                    told[0] = time.monotonic()
                    tell()

        tell()
        self._swept = sweep(
            chosen, rate, list(loads.values()), steps=STEPS, rounds=ROUNDS, on_result=on_result, should_stop=should_stop
        )
        tell("stopped" if should_stop() else "done")
        self.zoom_again()

    def _contender(self, name: str, gamma: int) -> Contender:
        """One of those offered; a drafter whose block is shorter than ``gamma`` drafts its whole block."""
        if name == MTP_1:
            return contender_named(MTP_1, "fixed")
        drafter, _, policy = name.partition(" ")
        if name == ALONE:
            drafting = Drafting.named(next(iter(self._drafters.values())))
            return Contender(name, replace(drafting.cut(1), name=ALONE), Fixed(0))
        found = contender_named(self._drafters[drafter], policy)
        drafting = found.drafting
        return replace(found, name=name, drafting=drafting.cut(min(gamma, drafting.gamma), drafting.name))


def _short(name: str) -> str:
    """What a folder or file of recorded rounds is called in tables."""
    at = Path(name)
    return (at.parent.name if at.suffix else at.name).replace(" ", "-") or name
