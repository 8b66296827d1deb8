"""One decoding round on real models: draft, verify, commit. ``describe`` turns its outcome into a ``Round`` to look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

import torch
from torch import Tensor

from dspark_kernels import inverse_cdf, softmax_filtered
from dspark_lab.acceptance import Verdict, verify
from dspark_lab.clock import now
from dspark_lab.drafters.base import Draft, Drafter, TreeDrafter, background_of, calibration_of
from dspark_lab.errors import LabError
from dspark_lab.rounds import Timings
from dspark_lab.scheduling.live import Drafting, Scheduled, schedule_round
from dspark_lab.settings import Overrides, Settings
from dspark_lab.target import Target, TargetCache
from dspark_lab.tree import ROOT, DraftTree, grow, verify_tree
from dspark_lab.uniforms import RoundUniforms


@dataclass
class State:
    """Where a session stands between rounds: all tokens so far, the last of which is the anchor, and the caches of
    everything before it; by the rounds' numbers, the confidences of their drafts."""

    tokens: list[int]
    cache: TargetCache
    drafter_state: object | None
    confidences: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class Outcome:
    """All that a round computed, as tensors. p_d [gamma, V] and p_t [verify_length + 1, V] are float64.

    ``confidence`` are the draft's raw c_k, changed ones included, and None where the drafter has none.

    Of a ``tree`` the draft's tokens are the nodes, ``verify_length`` counts those that were verified, and there are
    neither p_d nor draws. ``path`` are the numbers of the accepted draft tokens, from 0.
    """

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
    path: list[int]
    emitted: list[int]
    finished: str
    tree: DraftTree | None = None
    drafting: Drafting = field(default_factory=lambda: Drafting(0))
    confidence: list[float] | None = None
    scheduled: Scheduled = field(default_factory=lambda: Scheduled(0))
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

    tree = None
    if settings.tree and gamma:
        draft, tree = _plant(drafter, state, anchor, gamma, settings, overrides)
    else:
        draft = drafter.propose(state.drafter_state, anchor, gamma, choose) if drafter and gamma else Draft([])
        _check(overrides, len(draft.tokens), target.vocab_size)  # a drafter may find fewer than gamma
    confidence = _confidence(overrides, draft)
    drafting = drafting_of(drafter, settings)
    scheduled = Scheduled(len(draft.tokens))
    if tree is None:
        earlier = state.confidences.get(index - 2)
        scheduled = schedule_round(settings, index, len(draft.tokens), confidence, drafting, earlier)
    length = _verify_length(overrides, len(draft.tokens), scheduled)
    drafted = perf_counter()
    taps = drafter.tap_layers if drafter else ()
    parents = None if tree is None else [ROOT, *(parent + 1 for parent in tree.parents[:length])]
    logits, tapped = target.forward(state.cache, [anchor, *draft.tokens[:length]], taps, parents=parents)
    forwarded = now(logits.device)
    with torch.inference_mode():
        p_t = softmax_filtered(logits, *sampling)
        stacked = torch.stack(p_d) if p_d else None
        draws_left = uniforms.accept, uniforms.final, target.stop_tokens
        if tree is None:
            verdict = verify(draft.tokens[:length], p_t[:0] if stacked is None else stacked, p_t, *draws_left)
            path = list(range(verdict.accepted))
        else:
            verdict, path = verify_tree(tree, p_t, *draws_left)
    verified = perf_counter()
    kept = [draft.tokens[i] for i in path]
    emitted = kept if verdict.token is None else [*kept, verdict.token]
    rows = [0, *(i + 1 for i in path)]  # of what the target has just computed
    state.cache.keep(context, [context + row for row in rows])
    if drafter:
        assert tapped is not None or not taps
        drafter.commit(state.drafter_state, [anchor, *kept], None if tapped is None else tapped[rows])
    state.tokens += emitted
    if confidence:
        state.confidences[index] = confidence
    if emitted[-1] in target.stop_tokens:
        finished = "eos"
    else:
        full = len(emitted) >= room or len(state.tokens) >= target.context_limit
        finished = "length" if full else ""
    ended = now(logits.device)
    timings = Timings(
        draft_forward=draft.forward_ms,
        sequential_head=draft.head_ms,
        target_forward=(forwarded - drafted) * 1e3,
        verification=(verified - forwarded) * 1e3,
        other=(drafted - began + ended - verified) * 1e3 - draft.forward_ms - draft.head_ms,
    )
    return Outcome(
        index, settings, overrides, uniforms, anchor, context, draft, stacked, draws, length, p_t, verdict, path,
        emitted, finished, tree, drafting, confidence, scheduled, timings,
    )  # fmt: skip


def _plant(
    drafter: Drafter | None, state: State, anchor: int, gamma: int, settings: Settings, overrides: Overrides
) -> tuple[Draft, DraftTree]:
    """Draft a tree. Raises LabError where the overrides change a draw: a tree is drafted without any."""
    if overrides.tokens or any(address.startswith("draft") for address in overrides.uniforms):
        raise LabError(
            "a draft tree draws no tokens, so that none can be put in place of one: change accept:k, final:0 or "
            "verify_length, or draft a chain (tree=0)."
        )
    check_tree(settings, drafter)
    assert isinstance(drafter, TreeDrafter)
    began = perf_counter()
    successors = drafter.expand(state.drafter_state, anchor, gamma)
    expanded = perf_counter()
    with torch.inference_mode():
        tree = grow(successors, settings.tree, gamma, settings.temperature)
    ended = perf_counter()
    draft = Draft(tree.tokens, forward_ms=(expanded - began) * 1e3, head_ms=(ended - expanded) * 1e3)
    return draft, tree


def check_tree(settings: Settings, drafter: Drafter | None) -> None:
    """Raises LabError where a tree is to be drafted by a drafter that cannot."""
    if settings.tree and drafter and not isinstance(drafter, TreeDrafter):
        raise LabError(
            f"tree is {settings.tree}, but a drafter of kind {drafter.info.kind!r} drafts chains only: set tree=0, or "
            f"take dspark or dflash."
        )


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
    for position in (*overrides.tokens, *overrides.confidence, *addressed):
        if not 1 <= position <= gamma:
            raise LabError(f"there is no draft position {position} in this round: it drafts {gamma} tokens.")
    for token in overrides.tokens.values():
        if not 0 <= token < vocab_size:
            raise LabError(f"token id {token} is not in the vocabulary of {vocab_size:,}: choose one from the list.")


def _confidence(overrides: Overrides, draft: Draft) -> list[float] | None:
    """The draft's confidences, those changed by hand put in. Raises LabError where there are none to change."""
    if draft.confidence is None and overrides.confidence:
        raise LabError(
            f"the confidence at position {min(overrides.confidence)} cannot be changed: this drafter has no confidence head."
        )
    return draft.confidence and [overrides.confidence.get(k, c) for k, c in enumerate(draft.confidence, 1)]


def drafting_of(drafter: Drafter | None, settings: Settings) -> Drafting:
    """What the scheduler knows of a drafter."""
    if drafter is None:
        return Drafting(0)
    gamma = drafter.block_size if settings.gamma is None else settings.gamma
    return Drafting(gamma, calibration_of(drafter), background_of(drafter))


def _verify_length(overrides: Overrides, drafted: int, scheduled: Scheduled) -> int:
    if overrides.verify_length is None:
        return scheduled.length
    if overrides.verify_length > drafted:
        raise LabError(
            f"verify_length is {overrides.verify_length}, but this round drafts {drafted} tokens: choose at most that."
        )
    return overrides.verify_length
