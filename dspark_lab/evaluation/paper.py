"""The paper's experiments at the scale of the pair at hand: which drafters each needs, and its figures beside the paper's.

What the paper does not print stands with them: DFlash trained with DSpark's loss and DSpark with DFlash's (CE only), so
that the head's share of the gain and the loss's can be told apart.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dspark_lab.checkpoints import POCKET, read_config
from dspark_lab.errors import LabError
from dspark_lab.evaluation.charts import Chart, Series, by_position
from dspark_lab.evaluation.metrics import Estimate
from dspark_lab.evaluation.paper_data import PAPER_MODEL, PaperData, Points
from dspark_lab.evaluation.report import DrafterResult, Report

USUAL_LOSS = {"eagle3": "ce=1", "dflash": "ce=1", "dspark": "ce=1,tv=0.9,conf=1"}
"""What each method of Table 1 minimises: cross entropy alone, and DSpark eq. 9-12 with the cross entropy at full weight."""
SHORT = 600
"""Steps of each of the many drafters of Figures 3 and 4, which are held only against each other."""


@dataclass(frozen=True)
class Checkpoint:
    """A drafter of an experiment: the folder's name, what ``train drafter`` is told, and what it is called in figures."""

    name: str
    title: str
    options: Mapping[str, str | int]

    def arguments(self, folder: Path, target: str | None = None) -> list[str]:
        """What ``dspark-lab`` is told to train it. All that are trained into ``folder`` learn from the same answers of the
        target; those of Table 1 for the pocket target as long as the shipped DSpark did, so that they can be held against
        it; those of Figures 3 and 4 all alike, for ``SHORT`` steps of the usual recipe."""
        learning = {} if target or "steps" in self.options else _pocket_learning()
        options = {**self.options, "target": target, **learning, "answers-in": folder / "answers"}
        words = [word for option, value in options.items() if value for word in (f"--{option}", str(value))]
        return ["train", "drafter", *words, "--out", str(folder / self.name)]

    def command(self, folder: Path, target: str | None = None) -> str:
        """``arguments`` for a shell."""
        return shlex.join(["dspark-lab", *self.arguments(folder, target)])


def _pocket_learning() -> dict[str, str]:
    """How long, and by which optimiser and rates, the shipped DSpark was trained."""
    recipe = json.loads((POCKET / "recipe.json").read_text(encoding="utf-8"))
    rate = f"{recipe['drafter_lr']:g}"
    return {
        "steps": ",".join(map(str, recipe["drafter_steps"])),
        "batch": str(recipe["drafter_batch"]),
        "optimizer": recipe["drafter_optimizer"],
        "lr": rate,
        "adamw-lr": rate,
    }


def _method(title: str, kind: str, loss: str = "", name: str = "") -> Checkpoint:
    """One of Table 1, named for its kind and for how its loss differs."""
    return Checkpoint(f"{kind}-{name}" if name else kind, title, {"kind": kind, "loss": loss or USUAL_LOSS[kind]})


def _shaped(title: str, kind: str, **shape: str | int) -> Checkpoint:
    """One of Figures 3 and 4, named for its shape: dspark-block11-rnn."""
    words = {"layers": "-depth{}", "block": "-block{}", "head": "-{}"}
    name = kind + "".join(words[option].format(value) for option, value in shape.items())
    return Checkpoint(name, title, {"kind": kind, **shape, "steps": SHORT})


EAGLE3, DFLASH, DSPARK = _method("Eagle3", "eagle3"), _method("DFlash", "dflash"), _method("DSpark", "dspark")
DFLASH_TV = _method("DFlash, TV loss", "dflash", "ce=1,tv=0.9", "tv")
DSPARK_CE = _method("DSpark, CE loss", "dspark", "ce=1,conf=1", "ce")  # the confidence head needs its own term
METHODS = (EAGLE3, DFLASH, DSPARK, DFLASH_TV, DSPARK_CE)
MARKOV, RNN = "DSpark, Markov", "DSpark, RNN"
BOTH = {"layers": 2, "block": 7}
"""The shape that both figures share."""
DEPTHS = tuple(
    _shaped(m.title, m.name, **(BOTH if layers == 2 else {"layers": layers}))
    for m in (DSPARK, DFLASH)
    for layers in (1, 2, 5)
)
BLOCKS = (3, 7, 11, 15)
"""Draft tokens a round; the paper's axis counts the anchor too: 4, 8, 12, 16."""
LENGTHS = (
    *(_shaped(DFLASH.title, "dflash", **(BOTH if block == 7 else {"block": block})) for block in BLOCKS),
    *(_shaped(MARKOV, "dspark", **(BOTH if block == 7 else {"block": block})) for block in BLOCKS),
    *(_shaped(RNN, "dspark", block=block, head="rnn") for block in BLOCKS),
)
EXPERIMENTS = {
    "table1": METHODS,
    "fig2": METHODS,
    "fig3": DEPTHS,
    "fig4": LENGTHS,
    "fig5": (DSPARK,),
    "fig6": (DSPARK,),
}

FIELDS = {"layers": "num_hidden_layers", "block": "block_size", "head": "markov_head_type"}
"""Where a checkpoint's config states what it was trained with."""


def find(experiment: str, folder: Path, pocket: bool) -> tuple[dict[str, Path], list[Checkpoint]]:
    """The experiment's drafters that are there, by name, and those that are missing or not yet trained to their end.

    Each is looked for by its name in ``folder`` and, with the pocket target, among the shipped ones.

    Raises:
        LabError: the experiment is unknown, or a checkpoint is not what its name says.
    """
    if experiment not in EXPERIMENTS:
        raise LabError(f"--paper is {experiment!r}, but must be one of {', '.join(EXPERIMENTS)}.")
    places = [folder, POCKET] if pocket else [folder]
    found, missing = {}, []
    for checkpoint in EXPERIMENTS[experiment]:
        folders = (place / checkpoint.name for place in places)
        named = next((there for there in folders if (there / "config.json").is_file()), None)  # else still in training
        if named and (difference := _difference(checkpoint, named)):
            raise LabError(f"{named} is not what its name says: its config has {difference}. Rename or train it again.")
        if named:
            found[checkpoint.name] = named
        else:
            missing.append(checkpoint)
    return found, missing


def _difference(checkpoint: Checkpoint, folder: Path) -> str:
    """What the config in ``folder`` says against the checkpoint's options, "" for nothing."""
    config, options = read_config(folder), checkpoint.options
    if options["kind"] in ("dspark", "dflash") and (config.get("markov_rank", 0) > 0) != (options["kind"] == "dspark"):
        return f"markov_rank {config.get('markov_rank')}"
    return next(
        (
            f"{name} {config.get(name)!r}"
            for option, name in FIELDS.items()
            if option in options and config.get(name) != options[option]
        ),
        "",
    )


Measured = Sequence[tuple[Checkpoint, DrafterResult]]


def charts(experiment: str, found: Report, data: PaperData) -> list[Chart]:
    """The experiment's figures: ours, and the paper's where ``data`` has them."""
    there = [(c, found.drafters[c.name]) for c in EXPERIMENTS[experiment] if c.name in found.drafters]
    missing = tuple(c.name for c in EXPERIMENTS[experiment] if c.name not in found.drafters)
    if experiment == "table1":
        drawn = [_table1(there, data), _gains(there, found, data)]
    elif experiment == "fig2":
        drawn = [_figure2(there, data)]
    elif experiment == "fig3":
        panels = _curves(there, lambda c: int(c.options["layers"]), data.figure3(), METHOD_NAMES)
        drawn = [Chart("paper-fig3", "Figure 3: draft depth", "draft layers", "tau", panels)]
    else:
        panels = _curves(there, lambda c: int(c.options["block"]) + 1, data.figure4(), LENGTH_NAMES)
        drawn = [Chart("paper-fig4", "Figure 4: draft length", LENGTH, "tau", panels), _latency(there, found, data)]
    note = f"; paper: {PAPER_MODEL}" if data.values else ""
    return [
        replace(chart, title=f"{chart.title} (measured{note})", missing=missing)
        for chart in drawn
        if any(chart.panels.values())
    ]


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
    for b in table:
        if b in METHOD_NAMES and b != "dspark":
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
    x_of: Callable[[Checkpoint], int],
    paper: Mapping[str, Mapping[str, Points]],
    names: Mapping[str, str],
) -> dict[str, list[Series]]:
    """tau over ``x_of`` a drafter, a series for each title, a panel for each domain."""
    panels = {}
    for domain in _domains(there):
        ours: dict[str, dict[Any, Estimate]] = {}
        for c, result in there:
            ours.setdefault(c.title, {})[x_of(c)] = result.domains[domain].tau
        panels[domain] = [Series(title, dict(sorted(points.items()))) for title, points in ours.items()]
        panels[domain] += _theirs(paper.get(domain, {}), names)
    return panels


def _latency(there: Measured, found: Report, data: PaperData) -> Chart:
    """The sequential head's cost: a round's time over DFlash's of the same length, ours at one request."""
    plain = {c.options["block"]: c.name for c, _ in there if c.title == DFLASH.title}
    ours: dict[str, dict[Any, Estimate]] = {}
    for c, _ in there:
        block = int(c.options["block"])
        if c.title != DFLASH.title and block in plain:
            ours.setdefault(c.title, {})[block + 1] = found.latency[f"{c.name} over {plain[block]}"]
    series = [Series(f"{title} (one request)", points) for title, points in ours.items()]
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
