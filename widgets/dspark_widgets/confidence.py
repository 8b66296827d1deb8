"""How sure: what the drafter says of its own draft, what became of it, and how far it can be believed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import traitlets

from dspark_lab.evaluation.reliability import Bin, Flags, Floats, diagram, outcomes
from dspark_lab.evaluation.sweep import lengths
from dspark_lab.records import to_json
from dspark_lab.scheduling.calibration import Calibration, calibration_error
from dspark_lab.scheduling.recorded import RecordedRounds
from dspark_lab.scheduling.stored import Stored, folder_of, stored
from dspark_widgets import results
from dspark_widgets.planner import Planner

THRESHOLDS = tuple(i / 20 for i in range(20))


class ConfidenceView(Planner):
    """c_k and the survival of the selected round's draft beside what happened, what a threshold would save, and the
    reliability of the drafter's confidences, where recorded rounds of it lie beside its weights. A confidence can be changed,
    and given a session, such a change can be run as a fork."""

    kind = traitlets.Unicode("confidence").tag(sync=True)
    reliability: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    def forget(self) -> None:
        super().forget()
        self.reliability = self._of_drafter()

    def _of_drafter(self) -> Any:
        """What hangs on the drafter, not on the text; None without a drafter whose files are known."""
        trace = self._shown
        if trace is None or trace.drafter is None:
            return None
        drafter = getattr(self._sessions.get(0), "drafter", None)
        folder = getattr(drafter, "folder", None) or folder_of(trace.drafter)
        return to_json(measured(stored(folder, trace.drafter, trace.target))) if folder else None


@lru_cache(8)
def measured(found: Stored) -> results.Reliability | None:
    """A drafter's recorded rounds, counted; None where it has none and there is nothing to tell either."""
    recorded, calibration = found.recorded, found.calibration
    if recorded is None:
        return results.Reliability("", 0, "", 1.0, False, (), None, (), (), found.note) if found.note else None
    origin = recorded.origin
    fit = calibration.fit(origin.temperature) if calibration else None
    fitted = bool(fit and (fit.fitted.split, fit.fitted.seed) == (origin.split, origin.seed))
    held_out = None
    if fit and fit.held_out:
        errors = fit.held_out
        held_out = results.HeldOut(errors.rounds, errors.split, errors.before, errors.after)
    return results.Reliability(
        drafter=origin.drafter.name,
        rounds=len(recorded),
        split=origin.split,
        temperature=origin.temperature,
        fitted=fitted,
        temperatures=fit.temperatures if fit else (),
        held_out=held_out,
        diagrams=diagrams(recorded, calibration),
        saved=saved(recorded),
        note=found.note,
    )


def diagrams(recorded: RecordedRounds, calibration: Calibration | None) -> tuple[results.Diagram, ...]:
    """All positions together, then each that was ever drafted."""
    assert recorded.confidence is not None
    raw = list(outcomes(recorded, recorded.confidence, "survival"))
    scaled: list[tuple[Floats, Flags]] = []
    if calibration:
        confidence = calibration.apply(recorded.confidence, recorded.origin.temperature)
        scaled = list(outcomes(recorded, confidence, "survival"))

    def drawn(position: int) -> results.Diagram:
        which = slice(None) if position == 0 else slice(position - 1, position)
        predicted, happened = (np.concatenate(part) for part in zip(*raw[which], strict=True))
        ece_scaled: float | None = None
        after: tuple[results.Bin, ...] = ()
        if scaled:
            corrected = np.concatenate([p for p, _ in scaled[which]])
            ece_scaled, after = calibration_error(corrected, happened), bins(diagram(corrected, happened))
        return results.Diagram(
            position=position,
            rounds=len(predicted),
            ece=calibration_error(predicted, happened),
            bins=bins(diagram(predicted, happened)),
            ece_scaled=ece_scaled,
            scaled=after,
        )

    return tuple(drawn(k) for k in range(recorded.gamma + 1) if k == 0 or len(raw[k - 1][0]))


def bins(found: tuple[Bin, ...]) -> tuple[results.Bin, ...]:
    """Those that hold any."""
    return tuple(
        results.Bin(b.rounds, b.predicted, b.happened)
        for b in found
        if b.predicted is not None and b.happened is not None
    )


def saved(recorded: RecordedRounds) -> tuple[results.Saved, ...]:
    """The recorded rounds as if each threshold had cut them."""
    found = []
    for threshold in THRESHOLDS:
        cut = lengths(recorded, threshold)
        parts = cut, np.minimum(cut, recorded.accepted), recorded.emitted(cut)
        found.append(results.Saved(threshold, *(float(part.mean()) for part in parts)))
    return tuple(found)
