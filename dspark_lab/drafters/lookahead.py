"""Lookahead decoding (arXiv 2402.02057): the target itself guesses n-grams ahead of the text, and drafts those that fit.

A window of guesses is kept beyond the anchor, ``WIDTH`` columns wide and up to ``LEVEL - 1`` rows deep. Row 0 is a chain of
guesses; a token of row r stands one place behind the token above it and sees that column, and row 0 up to it. One pass of
the target over the window (Jacobi iteration) gives a new last row, and each column, read downwards, an n-gram of ``LEVEL``
tokens, the last of which the target wrote after the others. The n-grams go to a pool; the oldest row goes.

The draft is the pool's latest n-gram that begins with the anchor, continued by the one that begins with its last token.

What it costs: the paper runs window and candidates in one pass, with a mask, and verifies several candidates in it. Here a
draft is one chain and the window has a pass of its own, which no later verification can share: a round costs two passes of
the target. A round drafts from the pool as it was before that pass, so that tau is what a round of one pass would reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter

from torch import Tensor

from dspark_lab.clock import now
from dspark_lab.drafters.base import Choose, Draft, one_hot
from dspark_lab.drafters.draft_model import ModelState
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo
from dspark_lab.tree import ROOT

WIDTH, LEVEL = 7, 5
"""W and N of the paper: what its authors take for a model of 33B on an A100 (15 and 5 for one of 7B)."""
BLOCK = 7

Rows = tuple[tuple[int, ...], ...]


@dataclass
class Step:
    """One pass over the window, after ``length`` committed tokens: the rows it left and the n-grams it found."""

    length: int
    rows: Rows
    grams: list[tuple[int, ...]]


@dataclass
class LookaheadState:
    """The committed tokens, what the target has computed of them, and every step so far: the pool is what they found."""

    model: ModelState
    tokens: list[int] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    pool: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def keep(self, steps: list[Step]) -> None:
        self.steps, self.pool = steps, {gram[0]: gram for step in steps for gram in step.grams}


class Lookahead:
    """Drafts n-grams that the target has guessed. Its passes fill a cache of their own."""

    tap_layers: tuple[int, ...] = ()

    def __init__(self, target: Target) -> None:
        self.target, self.block_size = target, BLOCK
        self.info = ModelInfo("lookahead", "lookahead", target.info.revision, 0, BLOCK)

    def new_state(self) -> LookaheadState:
        return LookaheadState(ModelState(self.target.new_cache()))

    def copy_state(self, state: LookaheadState, length: int) -> LookaheadState:
        new = LookaheadState(state.model.copy(length), state.tokens[:length])
        new.keep([step for step in state.steps if step.length < length])
        return new

    def commit(self, state: LookaheadState, tokens: list[int], taps: Tensor | None) -> None:
        state.model.commit(tokens, self.target)
        state.tokens += tokens

    def propose(self, state: LookaheadState, anchor: int, gamma: int, choose: Choose) -> Draft:
        began = perf_counter()
        length = len(state.tokens)
        if state.steps and state.steps[-1].length >= length:  # this round is drafted anew
            state.keep([step for step in state.steps if step.length < length])
        drafted: list[int] = []
        for token in self._guesses(state, anchor, drafted):
            if len(drafted) == gamma:
                break
            logits = one_hot(token, self.target.vocab_size, self.target.device)
            drafted.append(choose(len(drafted) + 1, logits))
        if gamma:
            state.steps.append(self._look_ahead(state, anchor))
            state.pool |= {gram[0]: gram for gram in state.steps[-1].grams}
        return Draft(drafted, forward_ms=(now(self.target.device) - began) * 1e3)

    def _guesses(self, state: LookaheadState, anchor: int, drafted: list[int]) -> Iterator[int]:
        """The tokens of one n-gram after another, each beginning with the newest token."""
        while gram := state.pool.get(drafted[-1] if drafted else anchor):
            yield from gram[1:]

    def _look_ahead(self, state: LookaheadState, anchor: int) -> Step:
        """Run the window once. Its keys and values are dropped; those of committed tokens and the anchor stay."""
        model, known = state.model, [*state.tokens, anchor]
        rows = state.steps[-1].rows if state.steps else (tuple(known[-1 - i % len(known)] for i in range(WIDTH)),)
        room = max(0, self.target.context_limit - len(known) - len(rows) + 1)  # columns that there are positions for
        rows = tuple(row[:room] for row in rows)
        start = [*model.pending, anchor]
        first = len(start)  # number of the first guess
        parents = list(range(ROOT, first - 1))
        parents += range(first - 1, first - 1 + len(rows[0]))  # row 0 is a chain after the anchor
        parents += range(
            first, first + sum(map(len, rows[1:]))
        )  # and each other token stands below one of a row before
        model.cache.rewind(model.length - len(model.pending))
        guesses = [token for row in rows for token in row]
        logits, _ = self.target.forward(model.cache, [*start, *guesses], parents=parents)
        model.pending, model.ahead = [], [anchor]
        newest = tuple(logits[-len(rows[-1]) :].argmax(-1).tolist()) if rows[-1] else ()
        rows = (*rows, newest)
        if len(rows) < LEVEL:
            return Step(len(state.tokens), rows, [])
        return Step(len(state.tokens), rows[1:], list(zip(*rows, strict=True)))


def make(target: Target) -> Lookahead:
    return Lookahead(target)
