"""One round of many requests: draft, schedule, verify, commit. What ``decoding.decode_round`` is for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dspark_lab.acceptance import verify_each
from dspark_lab.clock import now
from dspark_lab.drafters.base import Drafter
from dspark_lab.engine.drafting import Drafting, Draws, Proposed, Sampling, drafting, drop_slot
from dspark_lab.engine.request import Request
from dspark_lab.engine.scheduler import Scheduler
from dspark_lab.errors import LabError
from dspark_lab.target import Target
from dspark_lab.uniforms import uniforms_each


class Pair:
    """A target and a drafter with the caches of many requests, by slot. Slots are numbered without gaps.

    Raises:
        LabError: they are something else.
    """

    def __init__(self, target: Target, drafter: Drafter | None) -> None:
        if not hasattr(target, "new_slots") or not (drafter is None or hasattr(drafter, "block_size")):
            raise LabError(
                f"the pair is a {type(target).__name__} and a {type(drafter).__name__}, but must be a target and its drafter: "
                f"Engine(lab.target, lab.drafter)."
            )
        self.target = target
        self.cache: Any = target.new_slots()
        self.drafting: Drafting | None = drafting(drafter) if drafter else None
        self.taps = drafter.tap_layers if drafter else ()
        target.tap(self.taps)

    @property
    def held(self) -> list[int]:
        """Tokens that each slot has cached."""
        lengths: list[int] = self.cache.lengths
        return lengths

    def add(self) -> None:
        """One more slot, with nothing in it."""
        self.held.append(0)
        if self.drafting:
            self.drafting.add()

    def drop(self, slot: int) -> None:
        """The last slot takes the place of this one."""
        drop_slot(self.cache, slot)
        if self.drafting:
            self.drafting.drop(slot)

    def rewind(self, slot: int, length: int) -> None:
        """Keep the first ``length`` tokens."""
        self.held[slot] = length
        if self.drafting:
            self.drafting.rewind(slot, length)

    def read(self, texts: Mapping[int, Sequence[int]]) -> None:
        """Take final tokens in, of prompts say, by slot, without asking what follows them."""
        slots, tokens = list(texts), list(texts.values())
        _, taps = self.target.forward_slots(self.cache, slots, tokens, self.taps, asked=0)
        if self.drafting:
            self.drafting.commit(slots, tokens, taps)


@dataclass
class Decoded:
    """A round of R requests.

    Attributes:
        proposed: the drafts. lengths, accepted: draft tokens that were verified and kept, [R].
        emitted: the tokens that come out, of each request. plan: the scheduler's. seconds: measured, by part.
    """

    proposed: Proposed
    lengths: NDArray[np.int64]
    accepted: NDArray[np.int64]
    emitted: list[list[int]]
    plan: Any
    seconds: dict[str, float]


@torch.inference_mode()
def decode(
    pair: Pair,
    slots: Sequence[int],
    requests: Sequence[Request],
    wanted: Sequence[int],
    scheduler: Scheduler,
    texts: Mapping[int, Sequence[int]],
) -> Decoded:
    """Run the next round of each request, whose caches move on to the one after it.

    Args:
        slots: where the requests' caches are, [R]. wanted: tokens to draft for each, [R].
        texts: final tokens of other slots, which are taken in beside: as ``Pair.read``, in verification's pass.
    """
    anchors, gamma = [request.anchor for request in requests], max(wanted)
    u = uniforms_each([(r.settings.seed, len(r.rounds)) for r in requests], gamma)
    sampling = Sampling([r.settings for r in requests])
    draws = Draws(sampling, u[:, :gamma])
    counts = np.array(wanted)
    if pair.drafting and gamma:
        proposed = pair.drafting.propose(slots, anchors, counts, draws)
    else:
        proposed = Proposed(np.zeros((len(slots), 0), dtype=np.int64), counts)
    drafted = perf_counter()
    lengths, plan = scheduler.lengths([r.settings.temperature for r in requests], proposed)
    blocks = [
        [anchor, *row[:length]]
        for anchor, row, length in zip(anchors, proposed.tokens.tolist(), lengths.tolist(), strict=True)
    ]
    scheduled = perf_counter()
    every, computed = [*slots, *texts], [*blocks, *texts.values()]
    logits, taps = pair.target.forward_slots(pair.cache, every, computed, pair.taps, asked=len(slots))
    forwarded = now(pair.target.device)
    p_t = sampling.probabilities(logits, np.repeat(np.arange(len(slots)), 1 + lengths).tolist())
    stop = pair.target.stop_tokens
    accepted, last = verify_each(proposed.tokens, lengths, draws.p_d, p_t, u[:, gamma : 2 * gamma], u[:, -1], stop)
    verified = perf_counter()
    kept = [block[: 1 + count] for block, count in zip(blocks, accepted.tolist(), strict=True)]
    for slot, block, row in zip(slots, blocks, kept, strict=True):
        pair.held[slot] += len(row) - len(block)
    if pair.drafting:
        final = [*kept, *texts.values()]
        pair.drafting.commit(every, final, None if taps is None else taps[_kept_rows(computed, final, taps)])
    committed = now(pair.target.device)
    emitted = [row[1:] if token is None else [*row[1:], token] for row, token in zip(kept, last, strict=True)]
    forward, head = proposed.forward_ms / 1e3, proposed.head_ms / 1e3
    drawn = min(head, draws.seconds)  # where there is no head, a drafter draws between its passes
    seconds = {
        "draft": forward - (draws.seconds - drawn),
        "head": head - drawn,
        "sampling": draws.seconds,
        "schedule": scheduled - drafted,
        "target": forwarded - scheduled,
        "verification": verified - forwarded,
        "commit": committed - verified,
    }
    return Decoded(proposed, lengths, accepted, emitted, plan, seconds)


def _kept_rows(computed: Sequence[Sequence[int]], final: Sequence[Sequence[int]], like: Tensor) -> Tensor:
    """Which rows, of all tokens that were computed, are those that stay: of each request the first ones."""
    count, kept = (np.array(list(map(len, tokens))) for tokens in (computed, final))
    starts, before = count.cumsum() - count, kept.cumsum() - kept
    return torch.from_numpy(np.repeat(starts - before, kept) + np.arange(kept.sum())).to(like.device)
