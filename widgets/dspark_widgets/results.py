"""What the views show beside the trace, as it crosses to the browser: part of the contract (see ``contract``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dspark_lab.trace import Choice, Token

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
