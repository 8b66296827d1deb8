"""One decoding round on real models: draft, verify, commit. ``describe`` turns its outcome into a ``Round`` to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor

from dspark_kernels import inverse_cdf, softmax_filtered
from dspark_lab.acceptance import Verdict, verify
from dspark_lab.drafters.base import Draft, Drafter
from dspark_lab.errors import LabError
from dspark_lab.settings import Overrides, Settings
from dspark_lab.target import Target, TargetCache
from dspark_lab.trace import Timings
from dspark_lab.uniforms import RoundUniforms


@dataclass
class State:
    """Where a session stands between rounds: all tokens so far, the last of which is the anchor, and the caches of
    everything before it."""

    tokens: list[int]
    cache: TargetCache
    drafter_state: object | None


@dataclass
class Outcome:
    """All that a round computed, as tensors. p_d [gamma, V] and p_t [verify_length + 1, V] are float64."""

    index: int
    settings: Settings
    overrides: Overrides
    uniforms: RoundUniforms
    anchor: int
    context_length: int
    draft: Draft
    p_d: Tensor | None
    draws: list[tuple[float, float]]
    verify_length: int
    p_t: Tensor
    verdict: Verdict
    emitted: list[int]
    finished: str
    timings: Timings = field(default_factory=lambda: Timings(0, 0, 0, 0, 0))


def prefill(target: Target, drafter: Drafter | None, prompt: list[int]) -> State:
    """The state before round 0: everything but the prompt's last token is cached; that token is the first anchor."""
    taps = drafter.tap_layers if drafter else ()
    target.tap(taps)
    state = State(list(prompt), target.new_cache(), drafter.new_state() if drafter else None)
    if len(prompt) > 1:
        _, tapped = target.forward(state.cache, prompt[:-1], taps, logits=False)
        if drafter:
            drafter.commit(state.drafter_state, prompt[:-1], tapped)
    return state


def decode_round(
    target: Target,
    drafter: Drafter | None,
    state: State,
    index: int,
    settings: Settings,
    room: int,
    overrides: Overrides,
) -> Outcome:
    """Run round ``index`` from ``state``, which moves on to the next round.

    A pure function of the tokens so far, the uniforms at (seed, index), the settings and the overrides. ``room`` >= 1
    is the number of tokens that may still be emitted; drafting never overshoots it.

    Raises:
        LabError: an override names a position or token that this round does not have.

    Whatever ends the round early, an interrupt too, leaves the state as it was.
    """
    tokens = len(state.tokens)
    try:
        return _decode_round(target, drafter, state, index, settings, room, overrides)
    except BaseException:
        rewind(drafter, state, tokens)
        raise


def _decode_round(
    target: Target,
    drafter: Drafter | None,
    state: State,
    index: int,
    settings: Settings,
    room: int,
    overrides: Overrides,
) -> Outcome:
    began = perf_counter()
    gamma = round_gamma(target, drafter, state, settings, room)
    _check(overrides, gamma, target.vocab_size)
    uniforms = RoundUniforms(settings.seed, index, gamma, overrides.uniforms)
    anchor, context = state.tokens[-1], len(state.tokens) - 1
    sampling = (settings.temperature, settings.top_k, settings.top_p)
    p_d: list[Tensor] = []
    draws: list[tuple[float, float]] = []

    def choose(k: int, logits: Tensor) -> int:
        p_d.append(softmax_filtered(logits, *sampling))
        token, low, high = inverse_cdf(p_d[-1], uniforms.draft[k - 1])
        draws.append((low, high))
        return overrides.tokens.get(k, token)

    draft = drafter.propose(state.drafter_state, anchor, gamma, choose) if drafter and gamma else Draft([])
    proposed = len(draft.tokens)  # a drafter may find fewer than gamma
    _check(overrides, proposed, target.vocab_size)
    length = proposed if overrides.verify_length is None else overrides.verify_length
    drafted = perf_counter()
    taps = drafter.tap_layers if drafter else ()
    logits, tapped = target.forward(state.cache, [anchor, *draft.tokens[:length]], taps)
    forwarded = perf_counter()
    with torch.inference_mode():
        p_t = softmax_filtered(logits, *sampling)
        stacked = torch.stack(p_d) if p_d else None
        verdict = verify(
            draft.tokens[:length],
            p_t[:0] if stacked is None else stacked,
            p_t,
            uniforms.accept,
            uniforms.final,
            target.stop_tokens,
        )
    verified = perf_counter()
    kept = draft.tokens[: verdict.accepted]
    emitted = kept if verdict.token is None else [*kept, verdict.token]
    state.cache.rewind(context + 1 + len(kept))
    if drafter:
        assert tapped is not None or not taps
        drafter.commit(state.drafter_state, [anchor, *kept], None if tapped is None else tapped[: 1 + len(kept)])
    state.tokens += emitted
    if emitted[-1] in target.stop_tokens:
        finished = "eos"
    else:
        full = len(emitted) >= room or len(state.tokens) >= target.context_limit
        finished = "length" if full else ""
    ended = perf_counter()
    timings = Timings(
        draft_forward=draft.forward_ms,
        sequential_head=draft.head_ms,
        target_forward=(forwarded - drafted) * 1e3,
        verification=(verified - forwarded) * 1e3,
        other=(drafted - began + ended - verified) * 1e3 - draft.forward_ms - draft.head_ms,
    )
    return Outcome(
        index, settings, overrides, uniforms, anchor, context, draft, stacked, draws, length, p_t, verdict, emitted,
        finished, timings,
    )  # fmt: skip


def rewind(drafter: Drafter | None, state: State, tokens: int) -> None:
    """Take ``state`` back to when it held ``tokens`` tokens, the last of them the anchor."""
    del state.tokens[tokens:]
    state.cache.rewind(tokens - 1)
    if drafter:
        state.drafter_state = drafter.copy_state(state.drafter_state, tokens - 1)


def round_gamma(target: Target, drafter: Drafter | None, state: State, settings: Settings, room: int) -> int:
    """Tokens to draft: as set, but so many that with the final token they neither overshoot ``room`` nor the context."""
    if drafter is None:
        return 0
    wanted = drafter.block_size if settings.gamma is None else settings.gamma
    return max(0, min(wanted, room - 1, target.context_limit - len(state.tokens) - 1))


def _check(overrides: Overrides, gamma: int, vocab_size: int) -> None:
    addressed = [int(a.partition(":")[2]) for a in overrides.uniforms if not a.startswith("final")]
    for position in (*overrides.tokens, *addressed):
        if not 1 <= position <= gamma:
            raise LabError(f"there is no draft position {position} in this round: it drafts {gamma} tokens.")
    for token in overrides.tokens.values():
        if not 0 <= token < vocab_size:
            raise LabError(f"token id {token} is not in the vocabulary of {vocab_size:,}: choose one from the list.")
    if overrides.verify_length is not None and overrides.verify_length > gamma:
        raise LabError(
            f"verify_length is {overrides.verify_length}, but this round drafts {gamma} tokens: choose at most that."
        )
