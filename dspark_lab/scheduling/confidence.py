"""Confidences c_k, their logits and their products: small functions that keep every c inside (0, 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dspark_lab.errors import LabError

Floats = NDArray[np.float64]

LARGEST_LOGIT = 30.0
"""Logits are cut at this far from 0: sigmoid(30) = 1 - 9e-14 is still below 1 in float64."""


def sigmoid(logits: ArrayLike) -> Floats:
    """Confidences, inside (0, 1) even where the logit is extreme. NaN stays NaN."""
    clipped = np.clip(np.asarray(logits, dtype=np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)
    result: Floats = 1.0 / (1.0 + np.exp(-clipped))
    return result


def logit(confidence: ArrayLike) -> Floats:
    """The inverse of ``sigmoid``. Raises LabError for what is not inside (0, 1)."""
    c = checked(confidence)
    result: Floats = np.log(c) - np.log1p(-c)
    return result


def survival(confidence: ArrayLike) -> Floats:
    """a_k = prod_{i<=k} c_i [..., gamma]: the chance that the first k are all accepted (Algorithm 1).

    Raises:
        LabError: a confidence is not inside (0, 1).
    """
    result: Floats = np.cumprod(checked(confidence), axis=-1, dtype=np.float64)
    return result


def checked(confidence: ArrayLike) -> Floats:
    """Confidences [..., gamma] in float64. Raises LabError naming the first that is not inside (0, 1), and its place."""
    c: NDArray[Any] = np.asarray(confidence, dtype=np.float64)
    if c.ndim == 0:
        raise LabError(f"the confidence is {confidence!r}, but must be a list: one a draft position.")
    wrong = ~((c > 0) & (c < 1))  # NaN is neither
    if wrong.any():
        *rows, k = (int(i) for i in np.argwhere(wrong)[0])
        of = f" of round {', '.join(map(str, rows))}" if rows else ""
        raise LabError(
            f"the confidence at position {k + 1}{of} is {c[(*rows, k)]}, but must lie between 0 and 1, neither included: "
            f"take the sigmoid of its logit in float64."
        )
    return c
