"""The record of one decoding round: draft, verify, commit.

Plain frozen dataclasses of JSON types; imports no torch. Probabilities are those really used: after the sequential
head's bias and after temperature, top-k and top-p, in float64.

Names follow the paper: p_t is the target's distribution, p_d the drafter's; x_0 is the anchor, x_1..x_gamma the draft.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ACCEPTED, REJECTED, DISCARDED, CUT = "accepted", "rejected", "discarded", "cut"
"""Verdicts: discarded = verified, but after the first rejection (or an end-of-sequence); cut = never sent to the target."""

RESIDUAL, BONUS, NONE = "residual", "bonus", "none"
"""Kinds of final token: drawn from norm(max(0, p_t - p_d)), drawn from p_t, or none (the round ended in an accepted EOS)."""


@dataclass(frozen=True)
class Token:
    """A token id and its text. Bytes that are no whole UTF-8 character show as U+FFFD."""

    id: int
    text: str


@dataclass(frozen=True)
class Choice:
    """One token of a distribution's head: its probability (or, in a list of biases, its added logit)."""

    token: Token
    value: float


@dataclass(frozen=True)
class Position:
    """Draft position k (1-based) of a round, from its parallel logits to its verdict.

    Attributes:
        token: the draft token x_k.
        forced: the person put it there.
        u_draft: the uniform that drew it (by inverse CDF over token ids), and ``cdf``, the interval [low, high) of
            the draft distribution's CDF that is x_k's: the draw fell in it unless the token is forced.
        p_base: x_k's probability under softmax(U_k / T), the parallel logits alone; None where the drafter has no such stage.
        bias: the logit that the sequential head added to x_k, B(x_{k-1}, x_k) of eq. 5; None without such a head.
        p_d: x_k's probability under the distribution it was drawn from.
        confidence: c_k of eq. 7, the drafter's estimate that x_k survives given that x_1..x_{k-1} did.
        calibrated: the same after sequential temperature scaling; None where the drafter was not calibrated.
        survival: a_k = prod_{i<=k} c_i, of calibrated c_i where there are any.
        verified: x_k was sent to the target.
        p_t: x_k's probability under the target, given x_1..x_{k-1}; None when not verified (so are the next four).
        acceptance: min(1, p_t/p_d), the chance of x_k itself.
        overlap: sum_v min(p_t, p_d), the chance of the position over all its possible draws (eq. 8).
        u_accept: the uniform compared with it: accepted if u_accept * p_d < p_t.
        verdict: accepted, rejected, discarded or cut.
        base, biased_up, biased_down, draft, target, residual: heads of the distributions, most probable first; the
            biases most raised and most lowered by the head. residual is norm(max(0, p_t - p_d)), what a rejection at
            this position draws from (empty when not verified).
    """

    k: int
    token: Token
    forced: bool
    u_draft: float
    cdf: tuple[float, float]
    p_base: float | None
    bias: float | None
    p_d: float
    confidence: float | None
    calibrated: float | None
    survival: float | None
    verified: bool
    p_t: float | None
    acceptance: float | None
    overlap: float | None
    u_accept: float | None
    verdict: str
    base: tuple[Choice, ...]
    biased_up: tuple[Choice, ...]
    biased_down: tuple[Choice, ...]
    draft: tuple[Choice, ...]
    target: tuple[Choice, ...]
    residual: tuple[Choice, ...]


@dataclass(frozen=True)
class Final:
    """The token that ends a round: the next round's anchor.

    ``kind`` is residual, bonus or none; with none, token, u and cdf are None and the head is empty. ``position`` is
    the place k at which it stands (1 to gamma+1). ``head`` is the distribution it was drawn from.
    """

    kind: str
    position: int
    token: Token | None
    u: float | None
    cdf: tuple[float, float] | None
    head: tuple[Choice, ...]


@dataclass(frozen=True)
class Node:
    """A node of a draft tree: one token that may follow its parent's path.

    Attributes:
        parent: the number of its parent among the tree's nodes, -1 for the anchor.
        k: its depth, 1 after the anchor.
        p_d: its probability after its parent under the drafter, by which the tree was grown, unfiltered.
        p_t: under the target; None when not verified.
        verdict: accepted; rejected, where the walk came to its parent and tried it in vain; discarded, where it was never
            tried; or cut.
    """

    parent: int
    k: int
    token: Token
    p_d: float
    p_t: float | None
    verdict: str


@dataclass(frozen=True)
class Tree:
    """The draft tree of a round, grown and walked as ``dspark_lab.tree`` says.

    Attributes:
        nodes: parents before children, those tried first before their siblings; the first ``verify_length`` of them went
            to the target.
        u_accept: the uniforms that the walk compared, for depth 1, 2, ... A child was accepted where the uniform lay in
            its share p_t, the shares of the children laid out from 0 in their order.
    """

    nodes: tuple[Node, ...]
    verify_length: int
    u_accept: tuple[float, ...]


@dataclass(frozen=True)
class Schedule:
    """What the scheduler decided before the target's step, over this request and its background (Algorithm 1).

    Attributes:
        policy: its name; leaks: the text's distribution is not the target's under it.
        load: background requests. background: where their drafts come from; "" without any.
        step_rate: what SPS stands for; source: whether it was "measured" or is "modelled". note: what sets a measured one
            apart from this pair and device, and that confidences are not calibrated; "" for nothing.
        length: draft tokens of this request admitted, unless overridden by hand.
        candidates: draft tokens of all requests. tokens: B, those the target computes, anchors included.
        expected: tau, the tokens that the step is expected to yield over all requests. theta: tau * SPS(B), per second.
        ranks: where x_1, x_2, ... stand in the order of admission, from 1.
        admitted, thetas: Theta after so many admissions, along the order: around the stop and at this request's own
            tokens all of them, elsewhere some.
        why: a sentence.
    """

    policy: str
    leaks: bool
    load: int
    background: str
    step_rate: str
    source: str
    note: str
    length: int
    candidates: int
    tokens: int
    expected: float
    theta: float
    ranks: tuple[int, ...]
    admitted: tuple[int, ...]
    thetas: tuple[float, ...]
    why: str


@dataclass(frozen=True)
class Timings:
    """Measured wall time of a round's parts, in milliseconds, on the machine named in the trace."""

    draft_forward: float
    sequential_head: float
    target_forward: float
    verification: float
    other: float

    @property
    def total(self) -> float:
        return self.draft_forward + self.sequential_head + self.target_forward + self.verification + self.other


@dataclass(frozen=True)
class Round:
    """One round: draft, verify, commit.

    Attributes:
        index: 0-based number of the round; addresses its uniforms.
        anchor: x_0, the newest token; it is not yet in the target's cache when the round begins.
        context_length: number of tokens before the anchor, all in the target's cache.
        gamma: tokens drafted this round; verify_length: how many of them went to the target. Both are 0, and there are
            no positions, where a tree was drafted.
        temperature, top_k, top_p: as used in this round.
        positions: the draft, k = 1..gamma.
        tree: the draft tree, None where a chain was drafted.
        schedule: the scheduler's decision, None where nothing was scheduled.
        final: the residual or bonus token.
        accepted: number of draft tokens accepted.
        emitted: the round's tokens in order: the accepted ones, then the final token if there is one.
        finished: "" to go on, "eos" or "length" when the session ends with this round.
        cache_before, cache_after_verify, cache_after_commit: length of the target's cache along the round: verification
            adds an entry for the anchor and each verified token, the commit rewinds those of tokens that were not accepted.
        text: the answer's text up to and including this round.
        overrides: what the person changed in this round, as JSON of ``settings.Overrides``; empty if nothing.
        timings: measured, None when replayed without measuring.
    """

    index: int
    anchor: Token
    context_length: int
    gamma: int
    verify_length: int
    temperature: float
    top_k: int
    top_p: float
    positions: tuple[Position, ...]
    tree: Tree | None
    schedule: Schedule | None
    final: Final
    accepted: int
    emitted: tuple[Token, ...]
    finished: str
    cache_before: int
    cache_after_verify: int
    cache_after_commit: int
    text: str
    overrides: Mapping[str, Any]
    timings: Timings | None
