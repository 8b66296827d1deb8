"""The sequential head, asked: what would it do here after another token?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from dspark_kernels import softmax_filtered
from dspark_lab.drafters.dspark import DSparkDrafter
from dspark_lab.errors import LabError
from dspark_lab.packed import PackedCache
from dspark_lab.session import Session


@dataclass(frozen=True)
class HeadReading:
    """Draft position k with ``previous`` before it.

    Attributes:
        base, draft: the distribution without and with the head, softmax(U_k / T) and softmax((U_k + B) / T), [V].
        bias: B(x_{k-1}, .), the logits that the head adds, [V].
    """

    previous: int
    base: Tensor
    draft: Tensor
    bias: Tensor


def read_head(session: Session, round_index: int, k: int, previous: int | None = None) -> HeadReading:
    """Draft position ``k`` of a round as the head makes it after the token ``previous`` (eq. 4-5).

    Everything else stays as it was: the parallel logits, and for a head that remembers the block, the tokens before.
    None leaves the previous token as it was too.

    Raises:
        LabError: there is no such round, position or token, or the drafter has no sequential head.
    """
    start = session.before(round_index)
    drafter, kind = start.drafter, start.drafter.info.kind if start.drafter else "none"
    if not isinstance(drafter, DSparkDrafter) or drafter.model.markov_head is None:
        named = (
            f"a drafter of kind {kind!r} has no sequential head"
            if start.drafter
            else "without a drafter there is no head"
        )
        raise LabError(f"{named}: take dspark, dspark-gated or dspark-rnn.")
    positions = session.rounds[round_index].positions
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(positions):
        raise LabError(f"there is no draft position {k!r} in round {round_index}: it drafts {len(positions)} tokens.")
    vocabulary, anchor = start.target.vocab_size, start.state.tokens[-1]
    before = [anchor, *(p.token.id for p in positions[: k - 1])]
    if previous is not None:
        if isinstance(previous, bool) or not isinstance(previous, int) or not 0 <= previous < vocabulary:
            raise LabError(f"token id {previous!r} is not in the vocabulary of {vocabulary:,}: take one from 0 on.")
        before[-1] = previous
    base, bias = drafter.slot(cast("PackedCache", start.state.drafter_state), anchor, before)
    assert bias is not None
    s = start.settings
    sampling = s.temperature, s.top_k, s.top_p
    with torch.inference_mode():
        return HeadReading(
            before[-1], softmax_filtered(base, *sampling), softmax_filtered(base + bias, *sampling), bias
        )


def one_token(tokenizer: Any, text: str) -> int:
    """The id of the one token that ``text`` is. Raises LabError where it is none, or several."""
    ids = tokenizer.encode(text, add_special_tokens=False)
    if len(ids) == 1:
        return int(ids[0])
    if not ids:
        raise LabError("no token was written: write one, with its leading space if it has one.")
    parts = ", ".join(repr(tokenizer.decode([i])) for i in ids[:6])
    raise LabError(f"{text[:40]!r} is {len(ids)} tokens ({parts}{', ...' if len(ids) > 6 else ''}): write one of them.")
