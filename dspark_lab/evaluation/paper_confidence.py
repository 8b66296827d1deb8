"""The paper's Figures 5 and 6 from recorded rounds: what a confidence threshold saves, and what confidences are worth."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.evaluation.charts import Chart, Series
from dspark_lab.evaluation.metrics import Estimate
from dspark_lab.evaluation.paper_data import PAPER_MODEL, PaperData, Points
from dspark_lab.evaluation.reliability import Reliability, by_position
from dspark_lab.evaluation.sweep import sweep
from dspark_lab.records import to_json
from dspark_lab.scheduling.calibration import Calibration
from dspark_lab.scheduling.recorded import RecordedRounds

EXPERIMENTS = ("fig5", "fig6")
POSITIONS = (1, 3, 5, 7)
"""Those that Figure 6 shows."""
RAW, SCALED = "raw", "after STS"
_HISTOGRAM = "rounds by raw survival, tallest 1"
DIAGONAL = Series("calibrated", {0.0: Estimate(0.0), 1.0: Estimate(1.0)}, style="guide")


def check(experiment: str, calibration: Calibration | None, drafter: str) -> None:
    """Raises LabError where the experiment needs a calibration that is not there."""
    if experiment == "fig6" and calibration is None:
        raise LabError(
            f"--paper fig6 compares confidences before and after STS, but {drafter} has no calibration for its weights: "
            f"make one with dspark-lab calibrate --drafter {drafter}."
        )


def charts(
    experiment: str, recorded: RecordedRounds, calibration: Calibration | None, data: PaperData
) -> tuple[list[Chart], dict[str, Any]]:
    """The experiment's figures, ours and the paper's where ``data`` has them, and all its numbers as JSON.

    Raises:
        LabError: the rounds have no confidences, or Figure 6 has no calibration.
    """
    check(experiment, calibration, recorded.origin.drafter.name)
    if experiment == "fig5":
        drawn, numbers = _figure5(recorded, data)
    else:
        assert calibration is not None
        drawn, numbers = _figure6(recorded, calibration, data)
    note = f"T={recorded.origin.temperature:g}, {len(recorded):,} rounds, measured"
    theirs = f"; paper: {PAPER_MODEL}" if data.values else ""
    return [replace(chart, title=f"{chart.title} ({note}{theirs})") for chart in drawn], numbers


def _figure5(recorded: RecordedRounds, data: PaperData) -> tuple[list[Chart], dict[str, Any]]:
    paper = data.figure5()
    tokens: dict[str, list[Series]] = {}
    rates: dict[str, list[Series]] = {}
    numbers = {}
    for domain in recorded.origin.domains:
        points = sweep(recorded.of(domain), seed=recorded.origin.seed)
        numbers[domain] = to_json(points)
        theirs = paper.get(domain, {})
        for panels, names in ((tokens, ("accepted", "rejected")), (rates, ("acceptance_rate",))):
            panels[domain] = [
                Series(name.replace("_", " "), {p.threshold: getattr(p, name) for p in points}) for name in names
            ]
            panels[domain] += [_theirs(name.replace("_", " "), theirs[name]) for name in names if name in theirs]
    title, x = "Figure 5: verification cut at a confidence threshold", "confidence threshold"
    drawn = [
        Chart("paper-fig5", title, x, "tokens a step, bonus counted", tokens),
        Chart("paper-fig5-rate", title, x, "acceptance rate", rates),
    ]
    return drawn, {"sweep": numbers}


def _figure6(recorded: RecordedRounds, calibration: Calibration, data: PaperData) -> tuple[list[Chart], dict[str, Any]]:
    assert recorded.confidence is not None
    scaled = calibration.apply(recorded.confidence, recorded.origin.temperature)
    raw, after = by_position(recorded), by_position(recorded, scaled)
    paper = data.figure6()
    panels = {}
    for k in (k for k in POSITIONS if k <= recorded.gamma):
        before, then = raw[k - 1], after[k - 1]
        title = f"position {k}: ECE {_percent(before.ece)} → {_percent(then.ece)}, AUC {_short(then.auc)}"
        series = [DIAGONAL, _curve(RAW, before), _curve(SCALED, then), _histogram(before)]
        if k in paper:
            p = paper[k]
            title += f"<br>paper: {_percent(p.ece_before)} → {_percent(p.ece_after)}, {_short(p.auc)}"
            series += [_theirs(RAW, p.before), _theirs(SCALED, p.after)]
            series.append(replace(_theirs(_HISTOGRAM, p.histogram), style="bars"))
        panels[title] = series
    ours = {RAW: raw, SCALED: after}
    errors = [Series(name, {k: _maybe(r.ece, 100) for k, r in enumerate(rs, 1)}) for name, rs in ours.items()]
    areas = [Series(name, {k: _maybe(r.auc) for k, r in enumerate(rs, 1)}) for name, rs in ours.items()]
    errors.append(Series("chance alone (modelled)", {k: _maybe(r.chance, 100) for k, r in enumerate(after, 1)}))
    if paper:
        errors.append(_theirs(RAW, {k: p.ece_before * 100 for k, p in paper.items()}))
        errors.append(_theirs(SCALED, {k: p.ece_after * 100 for k, p in paper.items()}))
        areas.append(_theirs(RAW, {k: p.auc for k, p in paper.items()}))
    drawn = [
        Chart("paper-fig6", "Figure 6: reliability", "predicted survival", "survived", panels, tabular=False),
        Chart("paper-fig6-ece", "Figure 6: error of the survival", "draft position", "ECE in percent", {"": errors}),
        Chart("paper-fig6-auc", "Figure 6: order of the survival", "draft position", "AUC", {"": areas}),
    ]
    kinds = {"survival": (raw, after)}
    kinds["conditional"] = by_position(recorded, kind="conditional"), by_position(recorded, scaled, "conditional")
    numbers = {kind: {"raw": to_json(a), "calibrated": to_json(b)} for kind, (a, b) in kinds.items()}
    return drawn, {"reliability": numbers, "temperatures": calibration.fit(recorded.origin.temperature).temperatures}


def _curve(name: str, r: Reliability) -> Series:
    return Series(name, {b.predicted: Estimate(b.happened) for b in r.bins if b.rounds})


def _histogram(r: Reliability) -> Series:
    tallest = max(1, *(b.rounds for b in r.bins))
    width = 1 / len(r.bins)
    return Series(_HISTOGRAM, {b.low + width / 2: Estimate(b.rounds / tallest) for b in r.bins}, style="bars")


def _theirs(name: str, points: Points) -> Series:
    return Series(f"{name} (paper)", {x: Estimate(y) for x, y in points.items()}, paper=True)


def _maybe(value: float | None, times: float = 1.0) -> Estimate:
    return Estimate(None if value is None else value * times)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
