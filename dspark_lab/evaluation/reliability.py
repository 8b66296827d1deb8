"""How far confidences can be believed: ECE, AUC, Brier score and reliability diagrams by position (the paper's Figure 6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.calibration import BINS, calibration_error, confidence_of
from dspark_lab.scheduling.confidence import checked, survival
from dspark_lab.scheduling.recorded import RecordedRounds

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kind = Literal["survival", "conditional"]


@dataclass(frozen=True)
class Bin:
    """The predictions from ``low`` to the next bin: their number, their mean, and the share that happened."""

    low: float
    rounds: int
    predicted: float | None
    happened: float | None


@dataclass(frozen=True)
class Reliability:
    """Predictions against what happened.

    Attributes:
        rounds: how many. ece: expected calibration error, mean over the bins of |predicted - happened|, weighted by rounds.
        chance: the ece that true probabilities are expected to show on as many independent rounds, by the normal
            approximation of each bin: modelled.
        auc: area under the ROC curve, None where all came out alike. brier: mean squared error.
        bins: equal ones of [0, 1], empty ones too.
    """

    rounds: int
    ece: float | None
    chance: float | None
    auc: float | None
    brier: float | None
    bins: tuple[Bin, ...]


def reliability(predicted: ArrayLike, happened: ArrayLike, bins: int = BINS) -> Reliability:
    """Of probabilities [N] and outcomes [N], 0 or 1. AUC and Brier score are scikit-learn's.

    Raises:
        LabError: scikit-learn is not installed, or what ``calibration_error`` raises it for.
    """
    error = calibration_error(predicted, happened, bins)  # which checks them
    p, y = np.asarray(predicted, dtype=np.float64), np.asarray(happened, dtype=np.bool_)
    metrics = _metrics()
    if not len(p):
        return Reliability(0, None, None, None, None, diagram(p, y, bins))
    auc = float(metrics.roc_auc_score(y, p)) if y.any() and not y.all() else None
    brier = float(metrics.brier_score_loss(y, p, pos_label=True))
    spread = np.sqrt(np.bincount(_bins(p, bins), p * (1 - p)))  # of how many happen in each bin
    chance = float(np.sqrt(2 / np.pi) * spread.sum() / len(p))  # E|x| of a normal x is sqrt(2 / pi) of its spread
    return Reliability(len(p), error, chance, auc, brier, diagram(p, y, bins))


def diagram(predicted: Floats, happened: Flags, bins: int = BINS) -> tuple[Bin, ...]:
    """The bins of a reliability diagram, those of ``calibration_error``."""
    index = _bins(predicted, bins)
    counts, p, y = (np.bincount(index, weights, bins) for weights in (None, predicted, happened))
    return tuple(
        Bin(i / bins, int(n), float(p[i] / n) if n else None, float(y[i] / n) if n else None)
        for i, n in enumerate(counts)
    )


def _bins(predicted: Floats, bins: int) -> NDArray[np.int64]:
    return np.minimum((predicted * bins).astype(np.int64), bins - 1)


def outcomes(recorded: RecordedRounds, confidence: Floats, kind: Kind) -> Iterator[tuple[Floats, Flags]]:
    """By position k, what ``confidence`` [N, gamma] predicts and what happened.

    "survival": prod_{i<=k} c_i against "the first k were accepted", over all rounds that drafted k.
    "conditional": c_k against "x_k was accepted", over those of them in which all before were.
    """
    c = checked(confidence)
    a = survival(c)
    for k in range(recorded.gamma):
        there = recorded.drafted > k
        if kind == "conditional":
            there &= recorded.accepted >= k
        yield (a if kind == "survival" else c)[there, k], recorded.accepted[there] > k


def by_position(
    recorded: RecordedRounds, confidence: Floats | None = None, kind: Kind = "survival"
) -> list[Reliability]:
    """The reliability at positions 1 to gamma of the raw confidences, or of ``confidence`` [N, gamma].

    Raises:
        LabError: the rounds have no confidences, one is not inside (0, 1), or scikit-learn is not installed.
    """
    c = confidence_of(recorded) if confidence is None else confidence
    return [reliability(p, y) for p, y in outcomes(recorded, c, kind)]


def mean_error(positions: list[Reliability]) -> float:
    """The mean ECE of the positions that any round drafted."""
    return float(np.mean([r.ece for r in positions if r.ece is not None]))


def _metrics() -> Any:
    try:
        from sklearn import metrics
    except ModuleNotFoundError as error:
        raise LabError(
            f'AUC and Brier score need {error.name}, which is missing: pip install "dspark-lab[lab]"'
        ) from error
    return metrics
