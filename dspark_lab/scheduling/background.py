"""What the other requests of a step have drafted: survivals drawn from rounds that were really recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.calibration import ROUNDS_FILE, Calibration
from dspark_lab.scheduling.confidence import survival
from dspark_lab.scheduling.recorded import RecordedRounds
from dspark_lab.trace import ModelInfo
from dspark_lab.uniforms import uniforms

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Background:
    """Drafts of others to draw from.

    Attributes:
        survival: a [N, gamma] of N recorded rounds, from calibrated confidences where there is a calibration.
        title: where they come from, in a few words.
    """

    survival: Floats
    title: str

    @classmethod
    def of(cls, recorded: RecordedRounds, calibration: Calibration | None = None) -> Background:
        """From recorded rounds, calibrated for the temperature that they were sampled at.

        Raises:
            LabError: the rounds have no confidences.
        """
        origin, confidence = recorded.origin, recorded.confidence
        if confidence is None:
            raise LabError(
                f"the rounds of {origin.drafter.name} hold no confidences, so that no load can be drawn from them: record "
                f"those of a DSpark with a confidence head."
            )
        if calibration is not None:
            confidence = calibration.apply(confidence, origin.temperature)
        about = f"{origin.split}, T = {origin.temperature:g}"
        return cls(survival(confidence), f"{len(recorded):,} recorded rounds of {origin.drafter.name} ({about})")

    @classmethod
    def stored(cls, folder: Path, drafter: ModelInfo, calibration: Calibration | None) -> Background | None:
        """From the rounds beside a drafter's weights in ``folder``; None where there are none of these weights."""
        recorded = stored_rounds(folder, drafter)
        return None if recorded is None else cls.of(recorded, calibration)

    def draw(self, seed: int, round_index: int, load: int) -> Floats:
        """Survivals [load, gamma]: request n's is the recorded round at its own uniform (seed, round, "load", n), so that one
        request more changes nothing of the others."""
        u = np.array(uniforms(seed, round_index, "load", load))
        chosen: Floats = self.survival[(u * len(self.survival)).astype(np.int64)]
        return chosen


def stored_rounds(folder: Path, drafter: ModelInfo) -> RecordedRounds | None:
    """The recorded rounds beside a drafter's weights in ``folder``; None where there are none of these weights, or none
    with confidences. Raises LabError where the file is damaged."""
    file = folder / ROUNDS_FILE
    if not file.is_file():
        return None
    recorded = RecordedRounds.load(file)
    return None if recorded.origin.drafter.revision != drafter.revision or recorded.confidence is None else recorded
