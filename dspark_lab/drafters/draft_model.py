"""Speculative sampling with a small causal LM that drafts token by token (arXiv 2211.17192, arXiv 2302.01318)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from torch import Tensor

from dspark_lab.causal_lm import read_model
from dspark_lab.checkpoints import match
from dspark_lab.clock import now
from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.errors import LabError
from dspark_lab.target import Target, TargetCache
from dspark_lab.trace import ModelInfo

BLOCK = 7
"""Tokens drafted a round where the checkpoint does not say: the paper's gamma."""


@dataclass
class ModelState:
    """A cache and the tokens around its end.

    Attributes:
        cache: keys and values of the first ``length - len(pending)`` committed tokens, then of ``ahead``.
        length: tokens committed.
        pending: the newest of them, not run yet.
        ahead: tokens run that may yet be committed: the anchor and the draft, but for its last token.
        waited: what was pending, by committed length: a copy of that length runs the same tokens in the same passes, and so
            repeats a round to the last bit.
    """

    cache: TargetCache
    length: int = 0
    pending: list[int] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)
    waited: dict[int, list[int]] = field(default_factory=dict)

    def copy(self, length: int) -> ModelState:
        pending = self.waited.get(length, [])
        if not pending and length > (cached := self.length - len(self.pending)):
            pending = self.pending[: length - cached]
        waited = {n: tokens for n, tokens in self.waited.items() if n <= length}
        return ModelState(self.cache.copy(length - len(pending)), length, list(pending), [], waited)

    def commit(self, tokens: list[int], model: Target) -> None:
        """What was drafted as it was kept stays in the cache. The first tokens, a prompt, ``model`` runs at once, so that
        no round has to wait for them."""
        if not self.length:
            self.cache.rewind(0)
            model.forward(self.cache, tokens, logits=False)
            self.length, self.ahead = len(tokens), []
            return
        kept = next((i for i, (a, b) in enumerate(zip(self.ahead, tokens, strict=False)) if a != b), None)
        kept = min(len(self.ahead), len(tokens)) if kept is None else kept
        cached = self.length - len(self.pending) + kept
        self.pending, self.ahead, self.length = [*self.pending, *tokens[kept:]], [], self.length + len(tokens)
        if self.pending:
            self.waited[self.length] = self.pending
        self.cache.rewind(cached)


class ModelDrafter:
    """A causal LM over the target's vocabulary that drafts one token a pass.

    Args:
        model: the LM; only its forward pass and its caches are used.
        info: with the block size.
    """

    tap_layers: tuple[int, ...] = ()

    def __init__(self, model: Target, info: ModelInfo) -> None:
        self.model, self.info, self.block_size = model, info, info.block_size or BLOCK

    def new_state(self) -> ModelState:
        return ModelState(self.model.new_cache())

    def copy_state(self, state: ModelState, length: int) -> ModelState:
        return state.copy(length)

    def commit(self, state: ModelState, tokens: list[int], taps: Tensor | None) -> None:
        state.commit(tokens, self.model)

    def propose(self, state: ModelState, anchor: int, gamma: int, choose: Choose) -> Draft:
        passes = 0.0
        drafted: list[int] = []
        state.cache.rewind(state.length - len(state.pending))
        state.ahead = []
        while len(drafted) < gamma:
            began = perf_counter()
            newest = drafted[-1] if drafted else anchor
            logits, _ = self.model.forward(state.cache, [*state.pending, newest], logits=False)
            state.pending, state.ahead = [], [*state.ahead, newest]
            passes += now(self.model.device) - began
            drafted.append(choose(len(drafted) + 1, logits[-1]))
        return Draft(drafted, forward_ms=passes * 1e3)


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> ModelDrafter:
    """Any causal LM that transformers knows, matched against its target."""
    block = config.get("block_size", BLOCK)
    if type(block) is not int or not 1 <= block <= 1024:
        raise LabError(f"the block_size in {folder / 'config.json'} is {block!r}, but must be from 1 to 1024.")
    model = read_model(folder, "drafter", target.device)
    drafter = Target(model, target.tokenizer, info)
    match("vocabulary", drafter.vocab_size, target.vocab_size, folder)
    if drafter.context_limit < target.context_limit:
        raise LabError(
            f"the drafter in {folder} has {drafter.context_limit:,} positions, the target {target.context_limit:,}: "
            f"choose a drafter that reaches as far as its target."
        )
    drafter.new_cache()  # refuses layers that cannot be rewound
    parameters = sum(p.numel() for p in model.parameters())
    return ModelDrafter(drafter, replace(info, kind="draft-model", parameters=parameters, block_size=block))
