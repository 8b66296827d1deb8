"""Drafts of many requests: in one pass where the drafter can, else one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dspark_kernels import inverse_cdf_each, softmax_filtered, softmax_filtered_each
from dspark_lab.drafters.base import BatchDrafter, Choose, ChooseEach, Drafter
from dspark_lab.settings import Settings


class Sampling:
    """The requests' temperatures, top-k and top-p, and from them the distributions of their logits."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._rows = [(s.temperature, s.top_k, s.top_p) for s in settings]
        self._alike = len(set(self._rows)) == 1

    @torch.inference_mode()
    def probabilities(self, logits: Tensor, of: Sequence[int]) -> Tensor:
        """[N, V] in float64 of ``logits`` [N, V], whose rows belong to the requests ``of`` [N]."""
        if self._alike:
            return softmax_filtered(logits, *self._rows[0])
        temperature, top_k, top_p = zip(*(self._rows[request] for request in of), strict=True)
        return softmax_filtered_each(
            logits,
            torch.tensor(temperature, dtype=torch.float64),
            torch.tensor(top_k),
            torch.tensor(top_p, dtype=torch.float64),
        )


class Draws:
    """Draws the draft tokens of R requests with their uniforms [R, gamma], and keeps the distributions p_d."""

    def __init__(self, sampling: Sampling, uniforms: NDArray[np.float64]) -> None:
        self._sampling, self._uniforms = sampling, torch.from_numpy(uniforms)
        self.p_d: Tensor | None = None
        """[R, gamma, V]; what was not drawn is undefined."""
        self.seconds = 0.0

    def among(self, which: Sequence[int]) -> ChooseEach:
        """For those of the requests."""
        whole = len(which) == len(self._uniforms)
        rows = slice(None) if whole else torch.tensor(which)

        def choose(k: int, logits: Tensor) -> Tensor:
            began = perf_counter()
            p_d = self._sampling.probabilities(logits, which)
            if self.p_d is None:
                self.p_d = p_d.new_empty((*self._uniforms.shape, p_d.shape[-1]))
            self.p_d[rows, k - 1] = p_d
            tokens = inverse_cdf_each(p_d, self._uniforms[rows, k - 1])
            self.seconds += perf_counter() - began
            return tokens

        return choose

    def alone(self, request: int) -> Choose:
        """``Choose`` for one of them."""
        choose = self.among([request])
        return lambda k, logits: int(choose(k, logits[None]))


@dataclass
class Proposed:
    """Drafts of R requests: tokens [R, gamma] of which the first ``counts[r]`` are there, and their raw confidences, None
    without a confidence head. forward_ms, head_ms: measured; the draws
    are part of the latter, or of the former where there is no head."""

    tokens: NDArray[np.int64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64] | None = None
    forward_ms: float = 0.0
    head_ms: float = 0.0


class Drafting(Protocol):
    """A drafter and the states of the requests, slot by slot."""

    def add(self) -> None:
        """One more slot."""

    def drop(self, slot: int) -> None:
        """The last slot takes the place of this one."""

    def rewind(self, slot: int, length: int) -> None:
        """The slot's request as it was when ``length`` tokens were committed."""

    def commit(self, slots: Sequence[int], tokens: Sequence[Sequence[int]], taps: Tensor | None) -> None:
        """As ``BatchDrafter.commit_slots``."""

    def propose(
        self, slots: Sequence[int], anchors: Sequence[int], counts: NDArray[np.int64], draws: Draws
    ) -> Proposed:
        """Draft up to ``counts[r]`` tokens after each anchor."""


class Together:
    """All requests in one pass."""

    def __init__(self, drafter: BatchDrafter) -> None:
        self._drafter, self._states = drafter, drafter.new_slots()

    def add(self) -> None:
        self._states.lengths.append(0)

    def drop(self, slot: int) -> None:
        drop_slot(self._states, slot)

    def rewind(self, slot: int, length: int) -> None:
        self._states.lengths[slot] = length

    def commit(self, slots: Sequence[int], tokens: Sequence[Sequence[int]], taps: Tensor | None) -> None:
        self._drafter.commit_slots(self._states, slots, tokens, taps)

    def propose(
        self, slots: Sequence[int], anchors: Sequence[int], counts: NDArray[np.int64], draws: Draws
    ) -> Proposed:
        gamma, who = int(counts.max()), np.flatnonzero(counts).tolist()
        places, starts = [slots[i] for i in who], [anchors[i] for i in who]
        drafts = self._drafter.propose_slots(self._states, places, starts, gamma, draws.among(who))
        tokens = np.zeros((len(slots), gamma), dtype=np.int64)
        tokens[who] = drafts.tokens.numpy(force=True)
        confidence = None
        if drafts.confidence is not None:
            confidence = np.ones((len(slots), gamma))
            confidence[who] = drafts.confidence
        return Proposed(tokens, counts, confidence, drafts.forward_ms, drafts.head_ms)


class OneByOne:
    """Any drafter, request after request."""

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter
        self._states: list[Any] = []

    def add(self) -> None:
        self._states.append(self._drafter.new_state())

    def drop(self, slot: int) -> None:
        last = self._states.pop()
        if slot < len(self._states):
            self._states[slot] = last

    def rewind(self, slot: int, length: int) -> None:
        self._states[slot] = self._drafter.copy_state(self._states[slot], length)

    def commit(self, slots: Sequence[int], tokens: Sequence[Sequence[int]], taps: Tensor | None) -> None:
        parts = [None] * len(slots) if taps is None else taps.split(list(map(len, tokens)))
        for slot, new, part in zip(slots, tokens, parts, strict=True):
            self._drafter.commit(self._states[slot], list(new), part)

    def propose(
        self, slots: Sequence[int], anchors: Sequence[int], counts: NDArray[np.int64], draws: Draws
    ) -> Proposed:
        result = Proposed(np.zeros((len(slots), int(counts.max())), dtype=np.int64), np.zeros_like(counts))
        for i in np.flatnonzero(counts).tolist():
            draft = self._drafter.propose(self._states[slots[i]], anchors[i], int(counts[i]), draws.alone(i))
            found = result.counts[i] = len(draft.tokens)
            result.tokens[i, :found] = draft.tokens
            if draft.confidence is not None:
                if result.confidence is None:
                    result.confidence = np.ones(result.tokens.shape)
                result.confidence[i, :found] = draft.confidence
            result.forward_ms += draft.forward_ms
            result.head_ms += draft.head_ms
        return result


def drafting(drafter: Drafter) -> Drafting:
    """The fastest way that the drafter knows."""
    return Together(drafter) if isinstance(drafter, BatchDrafter) else OneByOne(drafter)


def drop_slot(states: Any, slot: int) -> None:
    """The last slot of ``states`` takes the place of this one."""
    last = len(states.lengths) - 1
    if slot < last:
        states.move(last, slot)
    states.lengths.pop()
