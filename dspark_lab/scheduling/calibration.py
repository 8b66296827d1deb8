"""Sequential temperature scaling: confidences whose product says how often a prefix survives (arXiv 2607.05147, section 3)."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError, LabNote
from dspark_lab.records import from_json, to_json, write_atomically
from dspark_lab.scheduling.confidence import logit, sigmoid, survival
from dspark_lab.scheduling.recorded import RecordedRounds
from dspark_lab.trace import ModelInfo

__all__ = ["BINS", "FILE", "GRID", "ROUNDS_FILE", "Calibration", "CalibrationNote", "Errors", "Fit"]
__all__ += ["calibrated", "calibration_error", "fit_sts", "stored_calibration", "survival", "survival_errors"]

Floats = NDArray[np.float64]

BINS = 20
GRID: Floats = np.concatenate([[1.0], np.geomspace(1 / 8, 8, 240)])
"""Temperatures that are tried; 1, which changes nothing, first, so that it wins a tie."""

FILE, ROUNDS_FILE = "calibration.json", "rounds.safetensors"
"""What lies beside a drafter's weights: its calibration, and rounds of the validation split."""
REMEDY = "Make it again with dspark-lab calibrate."


class CalibrationNote(LabNote):
    """A calibration is not used, or stands in for one that is missing."""


def calibration_error(predicted: ArrayLike, happened: ArrayLike, bins: int = BINS) -> float:
    """ECE: |mean prediction - share that happened| of each of ``bins`` equal bins of [0, 1], weighted by their shares.

    Args:
        predicted: probabilities [N]. happened: [N], 0 or 1. NaN without any.

    Raises:
        LabError: a value is none of these, or there are not as many of both.
    """
    p, y = np.asarray(predicted, dtype=np.float64), np.asarray(happened, dtype=np.float64)
    if p.shape != y.shape or p.ndim != 1:
        raise LabError(f"there are predictions {p.shape} and outcomes {y.shape}, but one outcome is needed for each.")
    if bins < 1:
        raise LabError(f"bins is {bins}, but there must be one at least: 20 is usual.")
    for what, values, fine, range_ in (
        ("prediction", p, (p >= 0) & (p <= 1), "from 0 to 1"),
        ("outcome", y, (y == 0) | (y == 1), "0 or 1"),
    ):
        if not fine.all():
            at = int(fine.argmin())
            raise LabError(f"{what} {at} is {values[at]:g}, but must be {range_}.")
    if not len(p):
        return float("nan")
    bin_of = np.minimum((p * bins).astype(np.int64), bins - 1)
    return float(np.abs(np.bincount(bin_of, p - y, bins)).sum() / len(p))


def calibrated(confidence: ArrayLike, temperatures: ArrayLike) -> Floats:
    """sigmoid(logit(c_k) / T_k) for c [..., gamma] and T [gamma]."""
    return sigmoid(logit(confidence) / np.asarray(temperatures, dtype=np.float64))


def survival_errors(recorded: RecordedRounds, temperatures: ArrayLike | None = None) -> Floats:
    """ECE [gamma] of prod_{i<=k} c_i against "the first k were accepted", over the rounds that drafted k; of the raw
    confidences without ``temperatures``.

    Raises:
        LabError: the rounds have no confidences.
    """
    raw = confidence_of(recorded)
    a = survival(raw if temperatures is None else calibrated(raw, temperatures))
    there = recorded.drafted[:, None] > np.arange(recorded.gamma)
    return np.array(
        [calibration_error(a[there[:, k], k], recorded.accepted[there[:, k]] > k) for k in range(recorded.gamma)]
    )


def confidence_of(recorded: RecordedRounds) -> Floats:
    """The raw confidences. Raises LabError where the drafter has none."""
    if recorded.confidence is None:
        raise LabError(
            f"the rounds of {recorded.origin.drafter.name} hold no confidences, it has no confidence head: there is "
            f"nothing to calibrate. Choose a DSpark that was trained with one."
        )
    return recorded.confidence


@dataclass(frozen=True)
class Errors:
    """ECE by position of the survivals, before and after STS, and on which rounds; None at positions never drafted."""

    rounds: int
    split: str
    seed: int
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]

    @classmethod
    def of(cls, recorded: RecordedRounds, temperatures: ArrayLike) -> Errors:
        before, after = survival_errors(recorded), survival_errors(recorded, temperatures)
        return cls(len(recorded), recorded.origin.split, recorded.origin.seed, _known(before), _known(after))

    @property
    def mean_before(self) -> float:
        return float(np.mean([e for e in self.before if e is not None]))

    @property
    def mean_after(self) -> float:
        return float(np.mean([e for e in self.after if e is not None]))


def _known(errors: Floats) -> tuple[float | None, ...]:
    return tuple(float(e) if np.isfinite(e) else None for e in errors)


@dataclass(frozen=True)
class Fit:
    """The temperatures T_1, ..., T_gamma for texts sampled at one temperature.

    Attributes:
        sampling_temperature: that of the text. temperatures: T_k, by position.
        fitted: errors on the rounds that it was fitted to. held_out: on others, where they were measured.
    """

    sampling_temperature: float
    temperatures: tuple[float, ...]
    fitted: Errors
    held_out: Errors | None = None


@dataclass(frozen=True)
class Calibration:
    """Temperatures of one drafter on one target, by the sampling temperature of the text.

    Raises:
        LabError: there is no fit, or a temperature is not above 0 and finite.
    """

    target: ModelInfo
    drafter: ModelInfo
    fits: tuple[Fit, ...]

    def __post_init__(self) -> None:
        if not self.fits:
            raise LabError(f"a calibration needs the temperatures of one sampling temperature at least. {REMEDY}")
        for fit in self.fits:
            if not fit.temperatures or not all(np.isfinite(t) and t > 0 for t in fit.temperatures):
                raise LabError(f"calibration temperatures are {fit.temperatures}, but must be above 0. {REMEDY}")

    def fit(self, temperature: float) -> Fit:
        """The fit for texts sampled at ``temperature``, or else at the nearest that is there; ``note`` says so."""
        return min(self.fits, key=lambda fit: abs(fit.sampling_temperature - temperature))

    def note(self, temperature: float) -> str:
        """What to tell a person who samples at ``temperature``; "" where it was calibrated for."""
        nearest = self.fit(temperature).sampling_temperature
        if abs(nearest - temperature) < 1e-9:
            return ""
        return (
            f"{self.drafter.name} is calibrated for sampling temperatures {', '.join(f'{t:g}' for t in self.stored)}: "
            f"at {temperature:g} the confidences are scaled as at {nearest:g}."
        )

    @property
    def stored(self) -> tuple[float, ...]:
        """The sampling temperatures that it was made for."""
        return tuple(sorted(fit.sampling_temperature for fit in self.fits))

    def apply(self, confidence: ArrayLike, temperature: float) -> Floats:
        """Calibrated c_k, inside (0, 1), from raw ones [..., n] of the first n <= gamma positions of a block.

        Where no fit was made for texts sampled at ``temperature``, the nearest is taken, with a ``CalibrationNote``.

        Raises:
            LabError: a confidence is not inside (0, 1), or there are more positions than were calibrated.
        """
        if note := self.note(temperature):
            warnings.warn(note, CalibrationNote, stacklevel=2)
        temperatures = self.fit(temperature).temperatures
        c = np.asarray(confidence, dtype=np.float64)
        if c.ndim and c.shape[-1] > len(temperatures):
            raise LabError(
                f"there are confidences for {c.shape[-1]} positions, but {self.drafter.name} is calibrated for "
                f"{len(temperatures)}. {REMEDY}"
            )
        return calibrated(c, temperatures[: c.shape[-1]] if c.ndim else 1.0)

    def measured_on(self, recorded: RecordedRounds) -> Calibration:
        """With the errors on rounds that it was not fitted to, in the fit for their sampling temperature."""
        fit = self.fit(recorded.origin.temperature)
        measured = replace(fit, held_out=Errors.of(recorded, fit.temperatures))
        return replace(self, fits=tuple(measured if f is fit else f for f in self.fits))

    def joined(self, other: Calibration) -> Calibration:
        """With the other's fits too, which replace those for the same sampling temperature.

        Raises:
            LabError: it is that of another pair.
        """
        if (other.target.revision, other.drafter.revision) != (self.target.revision, self.drafter.revision):
            raise LabError(
                f"calibrations of two pairs cannot be joined: {self.drafter.name} ({self.drafter.revision}) and "
                f"{other.drafter.name} ({other.drafter.revision})."
            )
        fits = {fit.sampling_temperature: fit for fit in (*self.fits, *other.fits)}
        return replace(self, fits=tuple(fits[t] for t in sorted(fits)))

    def save(self, path: str | Path) -> None:
        """Write as JSON; an existing file is replaced only by a whole one."""
        write_atomically(path, json.dumps({"calibration": to_json(self)}, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read a file. Raises LabError where it is missing or no calibration."""
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise LabError(f"cannot read the calibration {path}: {error}. {REMEDY}") from error
        if not isinstance(value, Mapping) or "calibration" not in value:
            raise LabError(f"{path} is no calibration: it has no field 'calibration'. {REMEDY}")
        try:
            read: Calibration = from_json(cls, value["calibration"], "calibration", REMEDY)
        except LabError as error:
            raise LabError(f"{path}: {error}") from error
        return read


def stored_calibration(folder: Path, drafter: ModelInfo, target: ModelInfo) -> Calibration | None:
    """The calibration beside a drafter's weights in ``folder``; None without one, and, with a ``CalibrationNote``, where it
    was fitted to other weights or cannot be read."""
    file = folder / FILE
    if not file.is_file():
        return None
    try:
        found = Calibration.load(file)
    except LabError as error:
        warnings.warn(f"the confidences of {drafter.name} stay as they are: {error}", CalibrationNote, stacklevel=2)
        return None
    for what, then, now in (("drafter", found.drafter, drafter), ("target", found.target, target)):
        if then.revision != now.revision:
            warnings.warn(
                f"the confidences of {drafter.name} stay as they are: {file} was fitted to another {what}, revision "
                f"{then.revision} instead of {now.revision}. {REMEDY}",
                CalibrationNote,
                stacklevel=2,
            )
            return None
    return found


def fit_sts(recorded: RecordedRounds, grid: ArrayLike = GRID, bins: int = BINS) -> Calibration:
    """Sequential temperature scaling, to be fitted on rounds held out from training.

    Position by position from the left, the T_k of the ``grid`` is taken with which the product of calibrated confidences up
    to k has the least ECE against "the first k were accepted", the earlier ones staying as they were calibrated. If in the
    end the mean over positions is no better than that of the raw confidences, all T_k are 1: STS never does harm where it
    was fitted.

    Raises:
        LabError: the rounds have no confidences, or the grid holds a temperature that is not above 0.
    """
    raw = logit(confidence_of(recorded))
    candidates = np.asarray(grid, dtype=np.float64)
    if not candidates.size or not (np.isfinite(candidates).all() and candidates.min() > 0):
        raise LabError(f"the grid of calibration temperatures is {candidates}, but each must be above 0 and finite.")
    temperatures = np.ones(recorded.gamma)
    before = np.ones(len(recorded))  # calibrated survival of what lies left of k
    for k in range(recorded.gamma):
        there = recorded.drafted > k
        happened = recorded.accepted[there] > k
        if there.any():
            errors = [calibration_error(before[there] * sigmoid(raw[there, k] / t), happened, bins) for t in candidates]
            temperatures[k] = candidates[int(np.argmin(errors))]
        before = before * sigmoid(raw[:, k] / temperatures[k])
    result = Errors.of(recorded, temperatures)
    if result.mean_after >= result.mean_before:
        temperatures = np.ones(recorded.gamma)
        result = Errors.of(recorded, temperatures)
    fit = Fit(recorded.origin.temperature, tuple(map(float, temperatures)), result)
    return Calibration(recorded.origin.target, recorded.origin.drafter, (fit,))
