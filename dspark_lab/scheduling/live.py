"""The scheduler in a live session: its draft, and those of a simulated load, before one step of the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dspark_lab.scheduling.background import Background
from dspark_lab.scheduling.calibration import Calibration
from dspark_lab.scheduling.confidence import checked, survival
from dspark_lab.scheduling.policies import length_without_confidence, policy_named
from dspark_lab.scheduling.rates import is_file, step_rate_named
from dspark_lab.scheduling.schedule import Plan, schedule
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.settings import Settings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COPIES = "copies of this request: no rounds of its drafter are recorded"


RAW = "The drafter's confidences are as it gave them: fit them with dspark-lab calibrate."
"""What a person must be told where nobody has calibrated the drafter."""


@dataclass(frozen=True, eq=False)
class Scheduled:
    """How many draft tokens of the session's own are verified.

    Attributes:
        length: so many. plan: what decided it, request 0 being the session's own and the others the load; None where there was
            nothing to weigh. background: where the load's drafts come from. raw: nobody has calibrated the confidences.
    """

    length: int
    plan: Plan | None = None
    background: str = ""
    raw: bool = False


@dataclass(frozen=True)
class Drafting:
    """What the scheduler knows of a drafter, whatever it has just drafted.

    Attributes:
        gamma: tokens that each background request drafts at most.
        calibration, background: of the drafter; None where it has none.
    """

    gamma: int
    calibration: Calibration | None = None
    background: Background | None = None

    def calibrated(self, confidence: Sequence[float], temperature: float) -> Floats:
        """Confidences [n] fit to be multiplied; raw ones where nobody has calibrated the drafter."""
        return checked(confidence) if self.calibration is None else self.calibration.apply(confidence, temperature)


def schedule_round(
    settings: Settings,
    index: int,
    drafted: int,
    confidence: Sequence[float] | None,
    drafting: Drafting,
    earlier: Sequence[float] | None = None,
) -> Scheduled:
    """Schedule the draft of round ``index`` as ``settings`` say. There is no plan where nothing was drafted, where all is
    verified and there is no load to see, and where the length is fixed and there are no confidences to judge it by.

    The session's request is number 0. The ``settings.load`` others are drawn from recorded rounds of the drafter; where there
    are none, each repeats the session's own survivals.

    Args:
        drafted: number of tokens. confidence: their raw c_k, None of a drafter that has none.
        earlier: the raw c_k of this session's draft two rounds ago, None or empty where there was none.

    Raises:
        LabError: the policy asks for confidences and the drafter has none; there is no such step rate.
    """
    policy = policy_named(settings.policy)
    if not drafted or (settings.policy == "fixed" and not settings.load):
        return Scheduled(drafted)
    if confidence is None:
        length = length_without_confidence(policy)
        return Scheduled(drafted if length is None else min(drafted, length))
    return weigh(settings, index, confidence, drafting, earlier)


def weigh(
    settings: Settings,
    index: int,
    confidence: Sequence[float],
    drafting: Drafting,
    earlier: Sequence[float] | None = None,
) -> Scheduled:
    """As ``schedule_round``, of a draft with confidences; the plan is there whatever the policy and the load.

    Raises:
        LabError: there is no such step rate, or a confidence is not inside (0, 1).
    """
    policy = policy_named(settings.policy)
    now, counts = _pool(confidence, index, settings, drafting)
    then = _pool(earlier, index - 2, settings, drafting)[0] if earlier and policy.capacity_lags else None
    tokens = max(len(pool) * (1 + pool.shape[1]) for pool in (now, now if then is None else then))
    plan = schedule(now, rate_up_to(settings.step_rate, tokens), policy, drafted=counts, earlier=then)
    title = "" if not settings.load else drafting.background.title if drafting.background else COPIES
    return Scheduled(int(plan.lengths[0]), plan, title, raw=drafting.calibration is None)


def _pool(confidence: Sequence[float], index: int, settings: Settings, drafting: Drafting) -> tuple[Floats, Ints]:
    """Survivals [1 + load, n] of all requests in round ``index``, and how many tokens each has drafted."""
    own = survival(drafting.calibrated(confidence, settings.temperature))
    if not settings.load or drafting.background is None:
        return np.tile(own, (1 + settings.load, 1)), np.full(1 + settings.load, len(own))
    others = drafting.background.draw(settings.seed, index, settings.load)[:, : drafting.gamma]
    pool = np.zeros((1 + settings.load, max(len(own), others.shape[1])))
    pool[0, : len(own)] = own
    pool[1:, : others.shape[1]] = others
    counts = np.full(len(pool), others.shape[1])
    counts[0] = len(own)
    return pool, counts


def rate_up_to(name: str, tokens: int) -> StepRate:
    """The step rate of that name or file, carried on to so many tokens where it is not known so far.

    Raises:
        LabError: there is none, or its file cannot be read.
    """
    written = Path(name).stat().st_mtime_ns if is_file(name) else 0
    rate = _read(name, written)
    return rate if tokens <= rate.most else _carried_on(name, written, 1 << (tokens - 1).bit_length())


@lru_cache(16)
def _read(name: str, _written: int) -> StepRate:
    return step_rate_named(name)


@lru_cache(16)
def _carried_on(name: str, written: int, tokens: int) -> StepRate:
    return _read(name, written).extended(tokens)
