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

from dspark_kernels import inverse_cdf_each, softmax_filtered_each
from dspark_lab.drafters.base import BatchDrafter, Choose, Drafter
from dspark_lab.settings import Settings


class Sampling:
    """The requests' temperatures, top-k and top-p, and from them the distributions of their logits."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._settings = (
            torch.tensor([s.temperature for s in settings], dtype=torch.float64),
            torch.tensor([s.top_k for s in settings]),
            torch.tensor([s.top_p for s in settings], dtype=torch.float64),
        )

    def rows(self, which: NDArray[np.int64]) -> Sampling:
        """Of the requests that ``which`` [N] counts, once each time."""
        new = Sampling([])
        t, k, p = (values[torch.from_numpy(which)] for values in self._settings)
        new._settings = t, k, p
        return new

    @torch.inference_mode()
    def probabilities(self, logits: Tensor) -> Tensor:
        """[N, V] in float64 of ``logits`` [N, V], a row for each request."""
        return softmax_filtered_each(logits, *self._settings)


class Draws:
    """Draws the draft tokens of R requests with their uniforms [R, gamma], and keeps the distributions p_d."""

    def __init__(self, sampling: Sampling, uniforms: NDArray[np.float64]) -> None:
        self._sampling, self._uniforms = sampling, torch.from_numpy(uniforms)
        self.p_d: Tensor | None = None
        """[R, gamma, V]; what was not drawn is undefined."""
        self.seconds = 0.0

    def among(self, which: NDArray[np.int64]) -> Any:
        """``ChooseEach`` for those of the requests."""
        sampling = self._sampling.rows(which)
        rows = torch.from_numpy(which)
        uniforms = self._uniforms[rows]

        def choose(k: int, logits: Tensor) -> Tensor:
            began = perf_counter()
            p_d = sampling.probabilities(logits)
            self._room(p_d)[rows.to(p_d.device), k - 1] = p_d
            tokens = inverse_cdf_each(p_d, uniforms[:, k - 1])
            self.seconds += perf_counter() - began
            return tokens

        return choose

    def alone(self, request: int) -> Choose:
        """``Choose`` for one of them."""
        choose = self.among(np.array([request]))
        return lambda k, logits: int(choose(k, logits[None]))

    def _room(self, like: Tensor) -> Tensor:
        if self.p_d is None:
            self.p_d = like.new_empty((*self._uniforms.shape, like.shape[-1]))
        return self.p_d


@dataclass
class Proposed:
    """Drafts of R requests: tokens [R, gamma] of which the first ``counts[r]`` are there, and their raw confidences, None
    without a confidence head. forward_ms, head_ms: measured; the draws are part of the latter."""

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
        gamma, who = int(counts.max()), np.flatnonzero(counts)
        drafts = self._drafter.propose_slots(
            self._states, [slots[i] for i in who.tolist()], [anchors[i] for i in who.tolist()], gamma, draws.among(who)
        )
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
