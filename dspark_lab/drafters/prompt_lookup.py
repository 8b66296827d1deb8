"""Prompt lookup: what followed the last few tokens the last time they stood here is drafted again; no model.

The n-gram matching of prompt lookup decoding (https://github.com/apoorvumang/prompt-lookup-decoding) and of LLMA
(arXiv 2304.04487), over prompt and answer. A copy may run into what it has copied itself, as in LZ77.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

from torch import Tensor

from dspark_lab.drafters.base import Choose, Draft, one_hot
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo

LONGEST = 4
"""Tokens of the longest suffix looked for; then shorter ones, down to one token."""
BLOCK = 7


@dataclass
class Seen:
    """The committed tokens, and after which position each n-gram of them ended last."""

    tokens: list[int] = field(default_factory=list)
    ends: dict[tuple[int, ...], int] = field(default_factory=dict)


class PromptLookup:
    """Drafts the continuation of the latest earlier place that matches the longest suffix."""

    tap_layers: tuple[int, ...] = ()

    def __init__(self, target: Target) -> None:
        self.info, self.block_size = ModelInfo("prompt-lookup", "prompt-lookup", "", 0, BLOCK), BLOCK
        self._vocab_size, self._device = target.vocab_size, target.device

    def new_state(self) -> Seen:
        return Seen()

    def copy_state(self, state: Seen, length: int) -> Seen:
        new = Seen()
        self.commit(new, state.tokens[:length], None)
        return new

    def commit(self, state: Seen, tokens: list[int], taps: Tensor | None) -> None:
        for token in tokens:
            state.tokens.append(token)
            for n in range(1, min(LONGEST, len(state.tokens)) + 1):
                state.ends[tuple(state.tokens[-n:])] = len(state.tokens)

    def propose(self, state: Seen, anchor: int, gamma: int, choose: Choose) -> Draft:
        began = perf_counter()
        known = [*state.tokens, anchor]
        place = self._match(state, known)
        drafted: list[int] = []
        while place is not None and len(drafted) < gamma:
            token = choose(len(drafted) + 1, one_hot(known[place], self._vocab_size, self._device))
            drafted.append(token)
            known.append(token)
            place += 1
        return Draft(drafted, forward_ms=(perf_counter() - began) * 1e3)

    def _match(self, state: Seen, known: list[int]) -> int | None:
        """Where the continuation begins: behind the latest earlier place of the longest suffix that has one."""
        for n in range(min(LONGEST, len(known)), 0, -1):
            if (end := state.ends.get(tuple(known[-n:]))) is not None:
                return end
        return None


def make(target: Target) -> PromptLookup:
    return PromptLookup(target)
