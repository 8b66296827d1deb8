"""A round of a trace, scheduled again: with another policy, load, step rate or confidence. No model runs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from dspark_lab.errors import LabError
from dspark_lab.rounds import Round
from dspark_lab.scheduling.live import Drafting, Scheduled, weigh
from dspark_lab.scheduling.schedule import Plan
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.settings import Overrides, Settings
from dspark_lab.trace import Trace

SCHEDULING = ("policy", "load", "step_rate")
"""Settings that change how far is verified and nothing of the draft."""


@dataclass(frozen=True, eq=False)
class Replanned:
    """A decision made anew.

    Attributes:
        settings: under which. scheduled: the decision; its plan is always there.
        confidence: the raw c_k that it was made on, those put by hand among them.
    """

    settings: Settings
    scheduled: Scheduled
    confidence: tuple[float, ...]

    @property
    def plan(self) -> Plan:
        assert self.scheduled.plan is not None
        return self.scheduled.plan


def settings_at(trace: Trace, index: int) -> Settings:
    """The settings that round ``index`` of a trace ran with."""
    names = {field.name for field in fields(Settings)}
    settings = Settings(**{name: value for name, value in trace.settings.items() if name in names})
    for r in trace.rounds[: index + 1]:
        settings = settings.with_changes(r.overrides.get("settings", {}))
    return settings


def replan(trace: Trace, index: int, overrides: Overrides, drafting: Drafting) -> Replanned:
    """Decide again how far round ``index`` is verified. With nothing changed the decision is the one of the trace, and with a
    change it is the one of a fork with that change.

    Args:
        overrides: changes of policy, load and step rate, and of confidences.
        drafting: what is known of the drafter.

    Raises:
        LabError: there is no such round, it has no confidences, or something else than scheduling is to change.
    """
    if not 0 <= index < len(trace.rounds):
        raise LabError(f"there is no round {index}: the trace has rounds 0 to {len(trace.rounds) - 1}.")
    settings = settings_at(trace, index).with_changes(overrides.settings)
    wrong = [*set(overrides.settings) - set(SCHEDULING)]
    if wrong or overrides.tokens or overrides.uniforms or overrides.verify_length is not None:
        what = wrong[0] if wrong else "a token, a uniform or the verify length"
        raise LabError(f"{what} changes more than the schedule: fork the round to see what becomes of it.")
    confidence = confidence_of(trace.rounds[index])
    if not confidence:
        raise LabError("nothing can be scheduled in this round: its draft has no confidences.")
    for k, c in overrides.confidence.items():
        if k > len(confidence):
            raise LabError(f"there is no draft position {k} in this round: it drafts {len(confidence)} tokens.")
        confidence[k - 1] = c
    earlier = confidence_of(trace.rounds[index - 2]) if index >= 2 else None
    scheduled = weigh(settings, index, confidence, drafting, earlier)
    return Replanned(settings, scheduled, tuple(confidence))


def confidence_of(r: Round) -> list[float]:
    """The raw c_k of a round's draft; empty where it has none."""
    return [p.confidence for p in r.positions if p.confidence is not None]


def knots(rate: StepRate, least: int) -> list[tuple[int, float]]:
    """A step rate at the powers of two up to ``least`` tokens or beyond: few enough points to be drawn by hand."""
    tokens = 2 ** np.arange(int(least - 1).bit_length() + 1)
    whole = rate.extended(int(tokens[-1]))
    return [(int(b), whole(int(b))) for b in tokens]
