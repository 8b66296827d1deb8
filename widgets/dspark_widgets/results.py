"""What the views show beside the trace, as it crosses to the browser: part of the contract (see ``contract``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dspark_lab.rounds import Choice, Schedule, Token

LaneState = Literal["waiting", "running", "measuring", "done", "stopped", "failed"]


@dataclass(frozen=True)
class MeterRow:
    """A token's probability under p_t and under the rule's own law, and how often it came out; no token: all others."""

    token: Token | None
    p_t: float
    law: float
    count: int


@dataclass(frozen=True)
class Meter:
    """A round repeated ``rounds`` times with the seeds from ``first_seed`` on, as in ``dspark_lab.teaching.exactness``."""

    branch: int
    round: int
    rule: str
    rounds: int
    first_seed: int
    rows: tuple[MeterRow, ...]
    others: MeterRow
    statistic: float
    degrees: int
    p_value: float
    impossible: int
    distance: float
    bias: float
    history: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Lens:
    """Draft position ``k`` as the sequential head makes it after ``previous``; ``base`` is without the head."""

    branch: int
    round: int
    k: int
    previous: Token
    base: tuple[Choice, ...]
    draft: tuple[Choice, ...]
    biased_up: tuple[Choice, ...]
    biased_down: tuple[Choice, ...]


@dataclass(frozen=True)
class Path:
    """The queue for a step in order of admission, at some places ``n``, from 1: whose candidate stands there, which of its
    draft tokens it is, its survival, and Theta with it admitted. Request 0 is the reader's own."""

    n: tuple[int, ...]
    request: tuple[int, ...]
    k: tuple[int, ...]
    survival: tuple[float, ...]
    theta: tuple[float, ...]


@dataclass(frozen=True)
class Decision:
    """What a policy decides about the queue: the reader's draft tokens verified, and B and Theta of the step."""

    policy: str
    leaks: bool
    length: int
    tokens: int
    theta: float


@dataclass(frozen=True)
class Plan:
    """A round scheduled anew, as ``dspark_lab.scheduling.replan`` does it; ``number`` is that of the request it answers.

    ``confidence`` and ``survival`` are the reader's own c_k and a_k, those changed by hand among them. ``start`` is Theta with
    nothing admitted, ``best`` how many admissions give the largest; the way to it is in ``path``, not in ``schedule``.
    ``decisions`` compares the policies, ``cuts`` says how far the policy verifies at other loads, ``rates`` are steps per
    second at some numbers of tokens, to be drawn anew. ``example`` is the paper's Appendix A: the chance of its first token
    under the target, and under the global search.
    """

    branch: int
    round: int
    number: int
    policy: str
    load: int
    step_rate: str
    schedule: Schedule
    confidence: tuple[float, ...]
    survival: tuple[float, ...]
    start: float
    best: int
    path: Path
    decisions: tuple[Decision, ...]
    cuts: tuple[tuple[int, int], ...]
    rates: tuple[tuple[int, float], ...]
    example: tuple[float, float]


@dataclass(frozen=True)
class StepRateChoice:
    """A step rate by its name, what it is, and whether it was measured or is modelled."""

    name: str
    title: str
    source: str


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same height: how many, their mean, and the share that came true."""

    rounds: int
    predicted: float
    happened: float


@dataclass(frozen=True)
class Diagram:
    """Survival at a position (0: all of them) against what happened, by the raw and by the scaled confidences.

    ``scaled`` and ``ece_scaled`` are empty and null where the drafter is not calibrated.
    """

    position: int
    rounds: int
    ece: float
    bins: tuple[Bin, ...]
    ece_scaled: float | None
    scaled: tuple[Bin, ...]


@dataclass(frozen=True)
class Saved:
    """What a confidence threshold gives a round: draft tokens verified and accepted, and tokens that come of it."""

    threshold: float
    verified: float
    accepted: float
    emitted: float


@dataclass(frozen=True)
class HeldOut:
    """ECE by position on rounds that the calibration was not fitted to, before and after; null where none was drafted."""

    rounds: int
    split: str
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]


@dataclass(frozen=True)
class Reliability:
    """How far a drafter's confidences can be believed, measured on ``rounds`` recorded rounds in which all was verified.

    ``fitted`` says that the calibration was fitted to these very rounds; ``temperatures`` are its T_k, empty without one.
    ``note`` tells of files that could not be used; without recorded rounds it is all there is.
    """

    drafter: str
    rounds: int
    split: str
    temperature: float
    fitted: bool
    temperatures: tuple[float, ...]
    held_out: HeldOut | None
    diagrams: tuple[Diagram, ...]
    saved: tuple[Saved, ...]
    note: str


@dataclass(frozen=True)
class Runner:
    """A drafter that can race, "none" the target alone."""

    name: str
    title: str
    summary: str


@dataclass(frozen=True)
class Piece:
    """A token of a round's block and what became of it: accepted, rejected, discarded, cut, residual, bonus, plain."""

    token: Token
    kind: str


@dataclass(frozen=True)
class Lane:
    """One drafter's run: its rounds as blocks, and, measured without recording, its ``seconds``.

    ``acceptance`` holds by position the share accepted of those that were reached; null where none was.
    """

    name: str
    title: str
    state: LaneState
    error: str
    rounds: tuple[tuple[Piece, ...], ...]
    tokens: int
    tau: float
    acceptance: tuple[float | None, ...]
    seconds: float | None


@dataclass(frozen=True)
class Race:
    """One prompt, one seed, several drafters: the ``choices`` there are, and the last race; ``opened`` is the lane whose
    trace is shown, or ""."""

    choices: tuple[Runner, ...]
    prompt: str
    settings: Mapping[str, Any]
    device: str
    lanes: tuple[Lane, ...]
    opened: str = ""
