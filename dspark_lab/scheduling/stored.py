"""What lies beside a drafter's weights, found without loading a model: its calibration, and rounds recorded of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from dspark_lab.errors import LabError
from dspark_lab.scheduling.background import Background, stored_rounds
from dspark_lab.scheduling.calibration import FILE, ROUNDS_FILE, Calibration, stored_calibration
from dspark_lab.scheduling.live import Drafting
from dspark_lab.scheduling.recorded import RecordedRounds
from dspark_lab.trace import ModelInfo, Trace

POCKET = Path(__file__).parents[1] / "pocket"


@dataclass(frozen=True, eq=False)
class Stored:
    """Of these very weights; None where there is none.

    Attributes:
        recorded: the rounds, with confidences. calibration: what scales these. background: the rounds as a load to draw from.
        note: what a person should be told of files that could not be used.
    """

    recorded: RecordedRounds | None = None
    calibration: Calibration | None = None
    background: Background | None = None
    note: str = ""


def drafting_of(trace: Trace) -> Drafting:
    """What the scheduler knows of the drafter of a trace, found beside its weights where these ship with the lab."""
    drafter, gamma = trace.drafter, trace.settings.get("gamma")
    if drafter is None:
        return Drafting(0)
    folder = folder_of(drafter)
    found = stored(folder, drafter, trace.target) if folder else Stored()
    return Drafting(drafter.block_size or 0 if gamma is None else gamma, found.calibration, found.background)


def folder_of(drafter: ModelInfo) -> Path | None:
    """Where the weights of a drafter that ships with the lab are, by its name in a trace; None of any other."""
    owner, _, name = drafter.name.partition("/")
    folder = POCKET / name
    return folder if owner == "pocket" and folder.parent == POCKET and folder.is_dir() else None


def stored(folder: Path, drafter: ModelInfo, target: ModelInfo) -> Stored:
    """What ``folder`` holds of this drafter with this target. Files of other weights are left out, as damaged ones are."""
    files = (folder / FILE, folder / ROUNDS_FILE)
    return _stored(folder, drafter, target, tuple(f.stat().st_mtime_ns if f.is_file() else 0 for f in files))


@lru_cache(8)
def _stored(folder: Path, drafter: ModelInfo, target: ModelInfo, _written: tuple[int, ...]) -> Stored:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        calibration = stored_calibration(folder, drafter, target)
    notes = [str(warning.message) for warning in said]
    recorded = None
    try:
        recorded = stored_rounds(folder, drafter)
    except LabError as error:
        notes.append(str(error))
    background = Background.of(recorded, calibration) if recorded else None
    return Stored(recorded, calibration, background, " ".join(notes))
