"""Addressed uniforms: every random number has a name, none depends on which were drawn before it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from dspark_lab.settings import PURPOSES

_local = threading.local()


def _bits(seed: int, round_index: int, purpose: str, count: int) -> NDArray[np.uint64]:
    """64 random bits at ``(seed, round_index, purpose, position)`` for positions 0..count-1: a Philox counter block, so
    that those at a position are the same whatever ``count`` is."""
    if not hasattr(_local, "generator"):  # to make one takes far longer than to set one
        _local.generator = np.random.Philox(0)
        _local.state = _local.generator.state
    state = _local.state["state"]
    state["key"][:] = seed, 0
    state["counter"][:] = 0, round_index, PURPOSES.index(purpose), 0
    _local.generator.state = _local.state
    bits: NDArray[np.uint64] = _local.generator.random_raw(count)
    return bits


def _unit(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    """The uniforms in [0, 1) that the bits stand for."""
    units: NDArray[np.float64] = (bits >> np.uint64(11)) * np.float64(2.0**-53)
    return units


def uniforms(seed: int, round_index: int, purpose: str, count: int) -> list[float]:
    """The uniforms in [0, 1) at ``(seed, round_index, purpose, position)`` for positions 0..count-1; the number at a position
    is the same whatever ``count`` is."""
    return _unit(_bits(seed, round_index, purpose, count)).tolist() if count else []


def uniforms_each(addresses: Iterable[tuple[int, int]], gamma: int) -> NDArray[np.float64]:
    """The uniforms of many rounds, one at each ``(seed, round_index)``: [R, 2 * gamma + 1], gamma to draw the draft tokens,
    gamma to accept them, and the final one."""
    counts = {"draft": gamma, "accept": gamma, "final": 1}
    rows = [
        np.concatenate([_bits(seed, index, purpose, n) for purpose, n in counts.items() if n])
        for seed, index in addresses
    ]
    return _unit(np.stack(rows))


class RoundUniforms:
    """The uniforms of one round, some of them replaced by hand.

    ``draft[k-1]`` and ``accept[k-1]`` belong to draft position k; ``final`` to the round's last token.
    """

    def __init__(self, seed: int, round_index: int, gamma: int, replaced: Mapping[str, float]) -> None:
        self.draft = uniforms(seed, round_index, "draft", gamma)
        self.accept = uniforms(seed, round_index, "accept", gamma)
        self.final = uniforms(seed, round_index, "final", 1)[0]
        for address, value in replaced.items():
            purpose, _, position = address.partition(":")
            if purpose == "final":
                self.final = value
            elif 1 <= int(position) <= gamma:
                getattr(self, purpose)[int(position) - 1] = value
