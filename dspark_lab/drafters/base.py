"""What a drafter is: primed with a prompt, it proposes a block after an anchor, and learns which tokens were kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dspark_lab.scheduling.background import Background
from dspark_lab.scheduling.calibration import Calibration
from dspark_lab.trace import ModelInfo
from dspark_lab.tree import Successors

Choose = Callable[[int, Tensor], int]
"""``choose(k, logits [V]) -> x_k``: the session draws (or forces) draft token k and keeps the distribution p_d used."""

ChooseEach = Callable[[int, Tensor], Tensor]
"""The same for R requests at once: ``choose(k, logits [R, V]) -> x_k [R]``."""


@dataclass
class Draft:
    """A proposed block.

    Attributes:
        tokens: x_1..x_gamma, or fewer.
        base_logits: parallel logits U [gamma, V], None where the drafter has no such stage.
        biases: the sequential head's B [gamma, V], None without one.
        confidence: c_1..c_gamma, None without a confidence head.
        forward_ms, head_ms: measured time of the draft forward and of the sequential part, in milliseconds.
    """

    tokens: list[int]
    base_logits: Tensor | None = None
    biases: Tensor | None = None
    confidence: list[float] | None = None
    forward_ms: float = 0.0
    head_ms: float = 0.0


@dataclass
class Drafts:
    """Blocks of R requests.

    Attributes:
        tokens: x_1..x_gamma of each, [R, gamma].
        confidence: c_1..c_gamma, [R, gamma] in float64, None without a confidence head.
        forward_ms, head_ms: measured time of the draft forward and of the sequential part, in milliseconds.
    """

    tokens: Tensor
    confidence: NDArray[np.float64] | None = None
    forward_ms: float = 0.0
    head_ms: float = 0.0


def one_hot(token: int, vocab_size: int, device: torch.device) -> Tensor:
    """Logits [V] of a drafter that is certain of ``token``: ``choose`` draws it at any temperature, and p_d says so."""
    logits = torch.full((vocab_size,), -torch.inf, device=device)
    logits[token] = 0
    return logits


class Drafter(Protocol):
    """One drafter model; what belongs to one session lives in its state.

    Attributes:
        info: name, kind, revision, for traces.
        block_size: the most tokens that it drafts.
        tap_layers: target layers whose outputs it reads, () for none.
    """

    info: ModelInfo
    block_size: int
    tap_layers: tuple[int, ...]

    def new_state(self) -> Any:
        """The state of a session before its prompt."""

    def copy_state(self, state: Any, length: int) -> Any:
        """A state of its own, as it was when ``length`` tokens were committed."""

    def commit(self, state: Any, tokens: list[int], taps: Tensor | None) -> None:
        """``tokens`` are final: the prompt at first, then each round's anchor and accepted tokens.

        ``taps`` [n, taps * hidden] are the target's outputs at these tokens.
        """

    def propose(self, state: Any, anchor: int, gamma: int, choose: Choose) -> Draft:
        """Draft ``gamma`` tokens after ``anchor``, or fewer where no more can be found, calling ``choose`` for each from
        left to right."""


@runtime_checkable
class TreeDrafter(Drafter, Protocol):
    """A drafter whose next token's logits after any path within the block are cheap, so that it can draft trees."""

    def expand(self, state: Any, anchor: int, gamma: int) -> Successors:
        """The logits after ``anchor`` and each path of fewer than ``gamma`` tokens, as ``propose`` would show them to
        ``choose``. A path is asked for after those that it begins with. The state stays as it is."""


def confident(drafter: Drafter | None) -> bool:
    """Whether the drafter says of its tokens how sure it is."""
    return bool(getattr(drafter, "confident", False))


def calibration_of(drafter: Drafter | None) -> Calibration | None:
    """What scales the drafter's confidences; None without a confidence head, and where nobody has fitted it."""
    return getattr(drafter, "calibration", None)


@runtime_checkable
class BatchDrafter(Drafter, Protocol):
    """A drafter that drafts for many requests in one pass. Their states are held together, a slot each."""

    def new_slots(self) -> Any:
        """The states of no request yet. ``lengths[s]`` is how many tokens slot s has committed, and setting it lower takes
        the last ones back; ``move(source, to)`` lets one slot hold what another does."""

    def commit_slots(
        self, states: Any, slots: Sequence[int], tokens: Sequence[Sequence[int]], taps: Tensor | None
    ) -> None:
        """``tokens[r]`` are final for the request in slot ``slots[r]``; ``taps`` [N, taps * hidden], request after request."""

    def propose_slots(
        self, states: Any, slots: Sequence[int], anchors: Sequence[int], gamma: int, choose: ChooseEach
    ) -> Drafts:
        """Draft ``gamma`` tokens after each anchor, calling ``choose`` for all of a position, from left to right."""


def background_of(drafter: Drafter | None) -> Background | None:
    """Recorded rounds of the drafter, as what other requests may have drafted; None where none lie beside its weights."""
    return getattr(drafter, "background", None)
