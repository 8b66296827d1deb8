"""The paper's experiments at the scale of the pair at hand: which drafters each needs, and its figures beside the paper's.

What the paper does not print stands with them: DFlash trained with DSpark's loss and DSpark with DFlash's (CE only), so
that the head's share of the gain and the loss's can be told apart.
"""

from __future__ import annotations

import json
import shlex
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dspark_lab.checkpoints import POCKET, read_config
from dspark_lab.errors import LabError
from dspark_lab.evaluation.charts import Chart, Series, by_position
from dspark_lab.evaluation.metrics import Estimate
from dspark_lab.evaluation.report import DrafterResult, Report
from dspark_lab.evaluation.suites import DOMAIN_OF

PAPER_MODEL = "Qwen3-4B"
"""The target of the paper's Figures 2 to 4, and the row of Table 1 that is shown."""

Points = dict[Any, float]


@dataclass(frozen=True)
class Checkpoint:
    """A drafter of an experiment: the folder's name, what ``train drafter`` is told, and what it is called in figures."""

    name: str
    title: str
    options: Mapping[str, str | int] = field(default_factory=dict)

    def command(self, folder: Path, target: str | None = None) -> str:
        """What trains it."""
        words = ["dspark-lab", "train", "drafter"]
        for option, value in self.options.items():
            words += [f"--{option}", str(value)]
        if target is not None:
            words += ["--target", target]
        return shlex.join([*words, "--out", str(folder / self.name)])


def _make(title: str, kind: str, **options: str | int) -> Checkpoint:
    """Named for how it differs from its kind's usual training: dspark-block11-rnn."""
    words = {"layers": "depth{}", "block": "block{}"}
    parts = [kind, *(words.get(option, "{}").format(value) for option, value in options.items())]
    return Checkpoint("-".join(parts), title, {"kind": kind, **options})


EAGLE3, DFLASH, DSPARK = _make("Eagle3", "eagle3"), _make("DFlash", "dflash"), _make("DSpark", "dspark")
DFLASH_TV, DSPARK_CE = _make("DFlash, TV loss", "dflash", loss="tv"), _make("DSpark, CE loss", "dspark", loss="ce")
METHODS = (EAGLE3, DFLASH, DSPARK, DFLASH_TV, DSPARK_CE)
DEPTHS = (
    _make("DSpark", "dspark", layers=1),
    DSPARK,
    _make("DSpark", "dspark", layers=5),
    DFLASH,
    _make("DFlash", "dflash", layers=5),
)
BLOCKS = (3, 11, 15)
"""Draft tokens a round beside the usual 7; the paper's axis counts the anchor too: 4, 8, 12, 16."""
MARKOV, RNN = "DSpark, Markov", "DSpark, RNN"
LENGTHS = (
    DFLASH,
    *(_make("DFlash", "dflash", block=block) for block in BLOCKS),
    replace(DSPARK, title=MARKOV),
    *(_make(MARKOV, "dspark", block=block) for block in BLOCKS),
    _make(RNN, "dspark", head="rnn"),
    *(_make(RNN, "dspark", block=block, head="rnn") for block in BLOCKS),
)
EXPERIMENTS = {"table1": METHODS, "fig2": METHODS, "fig3": DEPTHS, "fig4": LENGTHS}


def find(experiment: str, folder: Path | None, pocket: bool) -> tuple[dict[str, Path], list[Checkpoint]]:
    """The experiment's drafters that are there, by name, and those that are missing.

    Each is looked for in ``folder``, and with the pocket target among the shipped ones.

    Raises:
        LabError: the experiment is unknown, or a checkpoint is not what its name says.
    """
    if experiment not in EXPERIMENTS:
        raise LabError(f"--paper is {experiment!r}, but must be one of {', '.join(EXPERIMENTS)}.")
    places = [place for place in (folder, POCKET if pocket else None) if place]
    found, missing = {}, []
    for checkpoint in EXPERIMENTS[experiment]:
        there = next((place / checkpoint.name for place in places if (place / checkpoint.name).is_dir()), None)
        if there:
            _match(checkpoint, there)
            found[checkpoint.name] = there
        else:
            missing.append(checkpoint)
    return found, missing


FIELDS = {"layers": "num_hidden_layers", "block": "block_size", "head": "markov_head_type"}
"""Where a checkpoint's config states what it was trained with."""


def _match(checkpoint: Checkpoint, folder: Path) -> None:
    config = read_config(folder)
    for option, name in FIELDS.items():
        wanted = checkpoint.options.get(option)
        if wanted is not None and config.get(name) != wanted:
            raise LabError(
                f"{folder} is named for --{option} {wanted}, but its config says {name} {config.get(name)!r}: "
                f"train it as it is named, or rename it."
            )


@dataclass(frozen=True)
class PaperData:
    """The paper's numbers, from a file laid out as {"table1": {"domains", "rows"}, "figure2": ..., "figure3", "figure4"}."""

    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path | None) -> PaperData:
        """Raises LabError where the file cannot be read or holds no such numbers."""
        if file is None:
            return cls()
        try:
            data = cls(json.loads(file.read_text(encoding="utf-8")))
            for part in (data.table1, data.figure2, data.figure3, data.figure4, data.overhead):
                part()
        except OSError as error:
            raise LabError(f"--paper-data {file} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise LabError(
                f"--paper-data {file} does not hold the paper's numbers ({type(error).__name__}: {error}): "
                f"it needs table1, figure2, figure3 and figure4."
            ) from error
        return data

    def table1(self) -> dict[str, Points]:
        """tau by method and domain, the mean of its three benchmarks, and the mean of the domains."""
        if not self.values:
            return {}
        table = self.values["table1"]
        result = {}
        for method, row in table["rows"][PAPER_MODEL].items():
            means = {d: statistics.mean(float(row[b]) for b in names) for d, names in table["domains"].items()}
            result[method] = means | {"macro": statistics.mean(means.values())}
        return result

    def figure2(self) -> dict[str, dict[str, Points]]:
        """Conditional acceptance by domain, method, position."""
        figure = self.values.get("figure2", {})
        return {d: {m: _floats(points) for m, points in methods.items()} for d, methods in figure.items()}

    def figure3(self) -> dict[str, dict[str, Points]]:
        """tau by domain, method and number of draft layers."""
        values: dict[str, dict[str, dict[float, list[float]]]] = {}
        for benchmark, bars in self.values.get("figure3", {}).items():
            domain = DOMAIN_OF[benchmark.lower().replace(" ", "-")]
            for bar, tau in bars.items():
                method, layers = bar.removesuffix("L").split("_")
                values.setdefault(domain, {}).setdefault(method, {}).setdefault(int(layers), []).append(float(tau))
        return {
            d: {m: {x: statistics.mean(v) for x, v in sorted(p.items())} for m, p in methods.items()}
            for d, methods in values.items()
        }

    def figure4(self) -> dict[str, dict[str, Points]]:
        """tau by domain, series and draft length (anchor counted)."""
        figure = self.values.get("figure4", {})
        return {
            d: {s: _floats(points) for s, points in series.items()} for d, series in figure.items() if d != "latency_ms"
        }

    def overhead(self) -> dict[str, Points]:
        """Round latency over DFlash's at the same draft length, in percent, by series; batch 128."""
        latency = self.values.get("figure4", {}).get("latency_ms", {})
        plain = _floats(latency.get("dflash", []))
        return {
            s: {x: (float(ms) / plain[x] - 1) * 100 for x, ms in points}
            for s, points in latency.items()
            if s != "dflash"
        }


def _floats(points: Sequence[tuple[int, float]]) -> Points:
    return {x: float(y) for x, y in points}


Measured = Sequence[tuple[Checkpoint, DrafterResult]]


def charts(experiment: str, found: Report, folders: Mapping[str, str | Path], data: PaperData) -> list[Chart]:
    """The experiment's figures: ours, and the paper's where ``data`` has them."""
    there = [(c, found.drafters[c.name]) for c in EXPERIMENTS[experiment] if c.name in found.drafters]
    missing = tuple(c.name for c in EXPERIMENTS[experiment] if c.name not in found.drafters)
    if experiment == "table1":
        drawn = [_table1(there, data), _gains(there, found, data)]
    elif experiment == "fig2":
        drawn = [_figure2(there, data)]
    elif experiment == "fig3":
        layers = {name: int(read_config(Path(folder))["num_hidden_layers"]) for name, folder in folders.items()}
        panels = _curves(there, lambda c, _: layers[c.name], data.figure3(), METHOD_NAMES)
        drawn = [Chart("paper-fig3", "Figure 3: draft depth", "draft layers", "tau", panels)]
    else:
        panels = _curves(there, lambda _, result: result.gamma + 1, data.figure4(), LENGTH_NAMES)
        drawn = [Chart("paper-fig4", "Figure 4: draft length", LENGTH, "tau", panels), _latency(there, data)]
    note = f"; paper: {PAPER_MODEL}" if data.values else ""
    return [replace(chart, title=f"{chart.title} (measured{note})", missing=missing) for chart in drawn]


METHOD_NAMES = {"eagle3": EAGLE3.title, "dflash": DFLASH.title, "dspark": DSPARK.title}
LENGTH_NAMES = {"dflash": DFLASH.title, "dspark_markov": MARKOV, "dspark_rnn": RNN}
LENGTH = "draft length (gamma + 1)"


def _table1(there: Measured, data: PaperData) -> Chart:
    ours = [Series(c.title, {d: f.tau for d, f in (r.domains | {"macro": r.macro}).items()}) for c, r in there]
    return Chart(
        "paper-table1", "Table 1: accepted length", "domain", "tau", {"": ours + _theirs(data.table1(), METHOD_NAMES)}
    )


def _gains(there: Measured, found: Report, data: PaperData) -> Chart:
    """What a drafter adds to another: the paper's comparisons, and loss and head alone."""
    titles = {c.name: c.title for c, _ in there}
    series = []
    for pair, gain in found.gains.items():
        a, _, b = pair.partition(" over ")
        series.append(Series(f"{titles[a]} over {titles[b]}", dict(gain)))
    table = data.table1()
    for b in ("eagle3", "dflash"):
        if table:
            percent = {d: (table["dspark"][d] / tau - 1) * 100 for d, tau in table[b].items()}
            series += _theirs({b: percent}, {b: f"{DSPARK.title} over {METHOD_NAMES[b]}"})
    return Chart("paper-table1-gain", "Table 1: gain in accepted length", "domain", "percent", {"": series})


def _figure2(there: Measured, data: PaperData) -> Chart:
    paper = data.figure2()
    panels = {
        domain: [Series(c.title, by_position(r.domains[domain])) for c, r in there]
        + _theirs(paper.get(domain, {}), METHOD_NAMES)
        for domain in _domains(there)
    }
    return Chart("paper-fig2", "Figure 2: acceptance, all before accepted", "draft position", "acceptance", panels)


def _curves(
    there: Measured,
    x_of: Callable[[Checkpoint, DrafterResult], float],
    paper: Mapping[str, Mapping[str, Points]],
    names: Mapping[str, str],
) -> dict[str, list[Series]]:
    """tau over ``x_of`` a drafter, a series for each title, a panel for each domain."""
    panels = {}
    for domain in _domains(there):
        ours: dict[str, dict[Any, Estimate]] = {}
        for c, result in there:
            ours.setdefault(c.title, {})[x_of(c, result)] = result.domains[domain].tau
        panels[domain] = [Series(title, dict(sorted(points.items()))) for title, points in ours.items()]
        panels[domain] += _theirs(paper.get(domain, {}), names)
    return panels


def _latency(there: Measured, data: PaperData) -> Chart:
    """The sequential head's cost: the median round over DFlash's of the same length, ours at one request."""
    plain = {r.gamma: r.round_ms["total"] for c, r in there if c.title == DFLASH.title and r.round_ms}
    ours: dict[str, dict[Any, Estimate]] = {}
    for c, r in there:
        if c.title != DFLASH.title and r.gamma in plain and r.round_ms:
            percent = (r.round_ms["total"] / plain[r.gamma] - 1) * 100
            ours.setdefault(c.title, {})[r.gamma + 1] = Estimate(percent)
    series = [Series(f"{title} (one request)", dict(sorted(p.items()))) for title, p in ours.items()]
    series += _theirs(data.overhead(), LENGTH_NAMES, ", batch 128")
    return Chart("paper-fig4-latency", "Figure 4: round latency", LENGTH, "percent over DFlash", {"": series})


def _domains(there: Measured) -> list[str]:
    return list(dict.fromkeys(domain for _, result in there for domain in result.domains))


def _theirs(points: Mapping[str, Points], names: Mapping[str, str], note: str = "") -> list[Series]:
    return [
        Series(f"{names[m]} (paper{note})", {x: Estimate(y) for x, y in p.items()}, paper=True)
        for m, p in points.items()
        if m in names
    ]
