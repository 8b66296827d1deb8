"""``dspark-lab calibrate``: record a drafter's rounds, and fit the temperatures that make its confidences a schedule's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dspark_lab.cli import options, runs
from dspark_lab.cli.console import out, say
from dspark_lab.cli.options import DEFAULTS
from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.settings import Settings

if TYPE_CHECKING:
    from rich.table import Table

    from dspark_lab.loading import Lab
    from dspark_lab.scheduling.calibration import Calibration, Fit
    from dspark_lab.scheduling.recorded import RecordedRounds

ROUNDS = 6000
FITTED_ON, MEASURED_ON = "validation", "test"


def calibrate(
    drafter: Annotated[str, options.name_option("A kind, a folder or a hub id.")] = "dspark",
    target: options.TargetModel = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            help="Sample texts at this temperature. Give it several times for several.",
            parser=options.number,
            metavar="X",
            show_default="1",
        ),
    ] = None,
    rounds: Annotated[int, options.whole_option("Rounds recorded of each split, at least.")] = ROUNDS,
    seed: options.Seed = DEFAULTS.seed,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Where to write calibration.json and rounds.safetensors.",
            parser=options.path,
            metavar="FOLDER",
            show_default="beside the drafter's weights",
        ),
    ] = None,
    device: options.Device = None,
    json: options.JsonFile = None,
) -> None:
    """Fit a drafter's confidences to what is accepted, on validation rounds, and measure them on test rounds.

    Temperatures that the folder's calibration has for the same weights stay in it. Of a drafter without confidences only
    the rounds are recorded: simulations draw from them.
    """
    temperatures = list(dict.fromkeys(temperature or [1.0]))
    settings = [Settings(temperature=t, seed=seed) for t in temperatures]
    if rounds < 1:
        raise LabError(f"--rounds is {rounds}, but must be at least 1: {ROUNDS:,} are usual.")
    options.check_outputs(json=json)
    place = folder or _beside(drafter)
    lab = options.open_pair(target, drafter, False, device)
    runs.make_folder("--out" if folder else "the drafter's folder", place)
    from dspark_lab.scheduling.calibration import FILE, ROUNDS_FILE, fit_sts, stored_calibration

    _say_replaced(place, lab, temperatures)
    found: Calibration | None = None
    recorded: list[RecordedRounds] = []
    for each in settings:
        fitting = _record(lab, each, FITTED_ON, rounds)
        recorded.append(fitting)
        if fitting.confidence is not None:
            fitted = fit_sts(fitting).measured_on(_record(lab, each, MEASURED_ON, rounds))
            found = found.joined(fitted) if found else fitted
    kept = next((r for r in recorded if r.origin.temperature == 1), recorded[0])
    kept.save(place / ROUNDS_FILE)
    say(f"{place / ROUNDS_FILE} holds {len(kept):,} rounds at temperature {kept.origin.temperature:g}")
    if found is None:
        say(f"{drafter} has no confidence head: there is nothing to calibrate", "yellow")
        return
    for fit in found.fits:
        out().print(_table(fit, found.drafter.name))
        if fit.held_out and fit.held_out.mean_after > fit.held_out.mean_before:
            say(
                f"On rounds that it was not fitted to this is worse than no calibration: record more than --rounds {rounds}.",
                "yellow",
            )
    former = stored_calibration(place, found.drafter, found.target)
    whole = former.joined(found) if former else found
    whole.save(place / FILE)
    say(f"{place / FILE} holds sampling temperatures {', '.join(f'{t:g}' for t in whole.stored)}")
    if json:
        options.write_json(json, {"measured": True, "device": lab.device, "calibration": to_json(found)})


def _say_replaced(folder: Path, lab: Lab, temperatures: list[float]) -> None:
    """Say what of ``folder`` is about to be replaced, while it can still be kept."""
    from dspark_lab.scheduling.calibration import FILE, ROUNDS_FILE, stored_calibration

    replaced = [ROUNDS_FILE] if (folder / ROUNDS_FILE).exists() else []
    former = lab.drafter and stored_calibration(folder, lab.drafter.info, lab.target.info)
    for fit in former.fits if former else ():
        if fit.sampling_temperature in temperatures:
            replaced.append(f"temperature {fit.sampling_temperature:g} in {FILE}, of {fit.fitted.rounds:,} rounds")
    if replaced:
        say(f"replaced when all is done: {'; '.join(replaced)} (--out keeps {folder} as it is)", "yellow")


def _beside(drafter: str) -> Path:
    """The folder of a drafter's weights. Raises LabError where it has none."""
    from dspark_lab.checkpoints import POCKET, resolve
    from dspark_lab.drafters.registry import KINDS

    kind = KINDS.get(drafter)
    if kind and not (POCKET / drafter).is_dir():
        raise LabError(f"the drafter {drafter} has no folder of weights here: name one to write to with --out.")
    return POCKET / drafter if kind else resolve(drafter, "drafter")


def _record(lab: Lab, settings: Settings, split: str, rounds: int) -> RecordedRounds:
    from dspark_lab.evaluation.rounds import corpus_suites, record

    assert lab.drafter is not None
    say(f"{split} rounds at temperature {settings.temperature:g}")
    return record(lab.target, lab.drafter, corpus_suites(split, rounds), settings, split, rounds=rounds)


def _table(fit: Fit, drafter: str) -> Table:
    from dspark_lab.evaluation.tables import plain_table

    both = [errors for errors in (fit.fitted, fit.held_out) if errors]
    columns = [column for errors in both for column in (f"{errors.split}, raw", f"{errors.split}, STS")]
    counts = ", ".join(f"{errors.rounds:,} {errors.split} rounds" for errors in both)
    table = plain_table(
        f"{drafter} at sampling temperature {fit.sampling_temperature:g}: ECE of the survival, measured on {counts}",
        "position", "T_k", *columns,
    )  # fmt: skip
    errors = [list(part) for each in both for part in (each.before, each.after)]
    for k, temperature in enumerate(fit.temperatures):
        last = k + 1 == len(fit.temperatures)
        table.add_row(str(k + 1), f"{temperature:.2f}", *(_percent(part[k]) for part in errors), end_section=last)
    table.add_row("mean", "", *(_percent(m) for each in both for m in (each.mean_before, each.mean_after)))
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.2%}"
