"""From a round's tensors to the ``Round`` of a trace: what each view, table and test reads."""

from __future__ import annotations

import itertools
import os
import platform
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from dspark_kernels import overlap, residual, softmax_filtered
from dspark_lab import rounds
from dspark_lab.decoding import Outcome
from dspark_lab.records import to_json
from dspark_lab.rounds import Choice, Final, Node, Position, Round, Schedule, Tree
from dspark_lab.scheduling.rates import foreign
from dspark_lab.scheduling.record import record
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.target import Target
from dspark_lab.tree import ROOT

HEAD = 8
"""Tokens kept of each distribution, the most probable ones; those that matter to the round are added."""


def describe(target: Target, outcome: Outcome, text: str) -> Round:
    """The record of ``outcome``; ``text`` is the answer up to and including it."""
    with torch.inference_mode():
        positions = _positions(target, outcome)
        final = _final(target, outcome)
    o, s = outcome, outcome.settings
    return Round(
        index=o.index,
        anchor=target.token(o.anchor),
        context_length=o.context_length,
        gamma=len(o.draft.tokens) if o.tree is None else 0,
        verify_length=o.verify_length if o.tree is None else 0,
        temperature=s.temperature,
        top_k=s.top_k,
        top_p=s.top_p,
        positions=positions,
        tree=_tree(target, o),
        schedule=_schedule(target, o),
        final=final,
        accepted=o.verdict.accepted,
        emitted=tuple(map(target.token, o.emitted)),
        finished=o.finished,
        cache_before=o.context_length,
        cache_after_verify=o.context_length + 1 + o.verify_length,
        cache_after_commit=o.context_length + 1 + o.verdict.accepted,
        text=text,
        overrides=to_json(o.overrides) if o.overrides else {},
        timings=o.timings,
    )


def _positions(target: Target, o: Outcome) -> tuple[Position, ...]:
    tokens, verified = o.draft.tokens, o.verify_length
    if not tokens or o.p_d is None:
        return ()
    gamma = len(tokens)
    at = torch.tensor(tokens, device=o.p_d.device)[:, None]
    p_d = o.p_d.gather(1, at).flatten().tolist()
    p_t = o.p_t[:verified].gather(1, at[:verified]).flatten().tolist()
    overlaps = overlap(o.p_t[:verified], o.p_d[:verified]).tolist()
    nothing: list[tuple[Choice, ...]] = [()] * gamma
    draft = _heads(target, o.p_d, [[t] for t in tokens])
    targets = _heads(target, o.p_t[:verified], [[t] for t in tokens[:verified]])
    residuals = _heads(target, residual(o.p_t[:verified], o.p_d[:verified]), [[]] * verified)
    base, p_base = nothing, [None] * gamma
    if o.draft.base_logits is not None:
        parallel = softmax_filtered(o.draft.base_logits, o.settings.temperature)
        base, p_base = _heads(target, parallel, [[t] for t in tokens]), parallel.gather(1, at).flatten().tolist()
    up, down, bias = nothing, nothing, [None] * gamma
    if o.draft.biases is not None:
        up, down = _heads(target, o.draft.biases, [[]] * gamma, 5), _heads(target, -o.draft.biases, [[]] * gamma, 5)
        down = [tuple(Choice(c.token, -c.value) for c in row) for row in down]
        bias = o.draft.biases.gather(1, at).flatten().tolist()
    confidence: list[float | None] = [None] * gamma
    calibrated = survival = confidence
    if o.confidence:
        used = o.drafting.calibrated(o.confidence, o.settings.temperature).tolist()
        confidence, survival = [*o.confidence], [*itertools.accumulate(used, float.__mul__)]
        calibrated = used if o.drafting.calibration else calibrated
    return tuple(
        Position(
            k=i + 1,
            token=target.token(token),
            forced=i + 1 in o.overrides.tokens,
            u_draft=o.uniforms.draft[i],
            cdf=_interval(o, i, token),
            p_base=p_base[i],
            bias=bias[i],
            p_d=p_d[i],
            confidence=confidence[i],
            calibrated=calibrated[i],
            survival=survival[i],
            verified=i < verified,
            p_t=p_t[i] if i < verified else None,
            acceptance=_ratio(p_t[i], p_d[i]) if i < verified else None,
            overlap=overlaps[i] if i < verified else None,
            u_accept=o.uniforms.accept[i] if i < verified else None,
            verdict=_verdict(o, i),
            base=base[i],
            biased_up=up[i],
            biased_down=down[i],
            draft=draft[i],
            target=targets[i] if i < verified else (),
            residual=residuals[i] if i < verified else (),
        )
        for i, token in enumerate(tokens)
    )


def _schedule(target: Target, o: Outcome) -> Schedule | None:
    if o.scheduled.plan is None:
        return None
    return record(o.scheduled, foreign_here(o.scheduled.plan.pool.step_rate, target))


def _tree(target: Target, o: Outcome) -> Tree | None:
    tree, verified, path = o.tree, o.verify_length, o.path
    if tree is None:
        return None
    p_t = [
        float(o.p_t[parent + 1, t]) for t, parent in zip(tree.tokens[:verified], tree.parents[:verified], strict=True)
    ]
    verdicts = [rounds.DISCARDED] * verified + [rounds.CUT] * (len(tree.tokens) - verified)
    for parent, accepted in zip([ROOT, *path], [*path, None], strict=True):
        for node in tree.children(parent, verified):
            verdicts[node] = rounds.ACCEPTED if node == accepted else rounds.REJECTED
            if node == accepted:
                break
    nodes = zip(tree.parents, tree.depths, map(target.token, tree.tokens), tree.p_d, [*p_t, *[None] * len(tree.tokens)],
                verdicts, strict=False)  # fmt: skip
    compared = len(path) + (o.verdict.kind == rounds.RESIDUAL)
    return Tree(tuple(Node(*values) for values in nodes), verified, tuple(o.uniforms.accept[:compared]))


def _interval(o: Outcome, i: int, token: int) -> tuple[float, float]:
    """The CDF interval of the token that stands at the position, drawn or forced."""
    if i + 1 not in o.overrides.tokens:
        return o.draws[i]
    assert o.p_d is not None
    low = float(o.p_d[i, :token].sum())
    return low, low + float(o.p_d[i, token])


def _ratio(p_t: float, p_d: float) -> float:
    if p_d == 0:
        return 1.0 if p_t > 0 else 0.0
    return min(1.0, p_t / p_d)


def _verdict(o: Outcome, i: int) -> str:
    if i < o.verdict.accepted:
        return rounds.ACCEPTED
    if i >= o.verify_length:
        return rounds.CUT
    return rounds.REJECTED if i == o.verdict.accepted and o.verdict.kind == rounds.RESIDUAL else rounds.DISCARDED


def _final(target: Target, o: Outcome) -> Final:
    v = o.verdict
    if v.token is None or v.distribution is None:
        return Final(rounds.NONE, v.accepted + 1, None, None, None, ())
    head = _heads(target, v.distribution[None], [[v.token]])[0]
    return Final(v.kind, v.accepted + 1, target.token(v.token), o.uniforms.final, v.cdf, head)


def _heads(
    target: Target, values: Tensor, wanted: Sequence[Sequence[int]], count: int = HEAD
) -> list[tuple[Choice, ...]]:
    """Per row of ``values`` [n, V] its ``count`` largest entries and the ``wanted`` tokens, largest first; others of
    probability zero are left out."""
    if not len(values):
        return []
    top = values.topk(min(count, values.shape[-1]), dim=-1)
    rows = []
    for i, (ids, numbers) in enumerate(zip(top.indices.tolist(), top.values.tolist(), strict=True)):
        row = {t: x for t, x in zip(ids, numbers, strict=True) if x > 0}
        row |= {t: float(values[i, t]) for t in wanted[i] if t not in row}
        rows.append(tuple(Choice(target.token(t), x) for t, x in row.items()))
    return rows


def foreign_here(rate: StepRate, target: Target) -> str:
    """What sets a measured step rate apart from this target on this machine; "" for nothing."""
    return foreign(rate, target.info, describe_device(target), processor() if target.device.type == "cpu" else None)


@cache
def processor() -> str:
    """The CPU's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def describe_device(target: Target) -> str:
    """Where the measured times of a trace were measured."""
    if target.device.type == "cuda":
        return torch.cuda.get_device_name(target.device)
    return f"CPU ({platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads)"
