"""Addressed uniforms: every random number has a name, none depends on which were drawn before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dspark_lab.settings import PURPOSES


def uniforms(seed: int, round_index: int, purpose: str, count: int) -> list[float]:
    """The uniforms in [0, 1) at ``(seed, round_index, purpose, position)`` for positions 0..count-1.

    A Philox counter block: the number at a position is the same whatever ``count`` is.
    """
    generator = np.random.Philox(key=seed, counter=[0, round_index, PURPOSES.index(purpose), 0])
    return ((generator.random_raw(count) >> np.uint64(11)) * 2.0**-53).tolist() if count else []


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
