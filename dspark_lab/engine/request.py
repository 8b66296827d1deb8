"""What the engine hands out: a request to follow, its rounds, and the report of a step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dspark_lab.scheduling.schedule import Plan
from dspark_lab.settings import Settings
from dspark_lab.target import Target

EOS, LENGTH, CANCELLED, DEADLINE, ERROR = "eos", "length", "cancelled", "deadline", "error"
"""How a request ends: an end of sequence, no more room, by its ``cancel``, too late, or with an error of its own."""

PARTS = ("prefill", "draft", "head", "sampling", "schedule", "target", "verification", "commit", "other")
MODEL_PARTS = ("prefill", "draft", "head", "target", "commit")
"""The parts of a step that run a model: prompts that are read before anything can be decoded, the draft blocks, the sequential
head, verification's forward pass, and the drafter's reading of what was kept; both of the prompts too that are read beside."""


@dataclass(frozen=True, slots=True)
class RequestRound:
    """One round of one request.

    Attributes:
        drafted, verify_length, accepted: numbers of draft tokens. emitted: the ids that the round added.
        confidence: the drafter's raw c_1..c_drafted, None without a confidence head.
    """

    drafted: int
    verify_length: int
    accepted: int
    emitted: tuple[int, ...]
    confidence: tuple[float, ...] | None = None


@dataclass(eq=False)
class Request:
    """A prompt on its way through the engine.

    Attributes:
        prompt, settings: as submitted. prompt_tokens: what the target reads.
        tokens: ids emitted so far. rounds: one record a round.
        finished: "" while it waits or runs, then "eos", "length", "cancelled", "deadline" or "error".
        error: what went wrong, with ``finished == "error"``.
        expires: when its deadline passes, on the engine's clock; None without one.
    """

    prompt: str
    settings: Settings
    prompt_tokens: list[int]
    target: Target = field(repr=False)
    expires: float | None = None
    tokens: list[int] = field(default_factory=list)
    rounds: list[RequestRound] = field(default_factory=list, repr=False)
    finished: str = ""
    error: str = ""

    @property
    def text(self) -> str:
        return self.target.text(self.tokens)

    @property
    def anchor(self) -> int:
        """The last token so far."""
        return (self.tokens or self.prompt_tokens)[-1]

    @property
    def length(self) -> int:
        """Tokens so far, the prompt's among them."""
        return len(self.prompt_tokens) + len(self.tokens)

    @property
    def room(self) -> int:
        """Tokens that it may still emit."""
        return self.settings.max_new_tokens - len(self.tokens)

    def cancel(self) -> None:
        """End it with what it has emitted; the engine frees its place in the next step. One that has ended stays as it is."""
        self.finished = self.finished or CANCELLED


@dataclass(frozen=True)
class StepReport:
    """What a step of the engine did.

    Attributes:
        requests: how many were decoded. tokens: what the target computed for them, sum(1 + l_r).
        drafted, lengths: draft tokens of each, and how many of them were verified, l_r.
        emitted: tokens that came out, of all requests. prefilled: prompt tokens that were read.
        places: how many were taken, by requests that were decoded or whose prompts were read.
        admitted, finished: the requests that began and ended. waiting: how many have no place yet.
        plan: the scheduler's, None where all was verified.
        seconds: measured, by part (``PARTS``).
    """

    requests: int
    tokens: int
    drafted: tuple[int, ...]
    lengths: tuple[int, ...]
    emitted: int
    prefilled: int
    places: int
    admitted: tuple[Request, ...]
    finished: tuple[Request, ...]
    waiting: int
    plan: Plan | None
    seconds: Mapping[str, float]

    @property
    def outside(self) -> float:
        """Share of the step's time that was not spent in a model."""
        total = sum(self.seconds.values())
        return 1 - sum(self.seconds[part] for part in MODEL_PARTS) / total if total else 0.0
