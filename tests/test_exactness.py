"""Speculative decoding emits exactly what the target alone would: every outcome enumerated, nothing sampled.

The distributions of the first output tokens are compared over whole sessions of real rounds, to 1e-12.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dspark_kernels import inverse_cdf, overlap
from dspark_lab import Settings, acceptance, decoding
from dspark_lab.acceptance import Verdict
from dspark_lab.decoding import Outcome, State, prefill
from dspark_lab.rounds import NONE, RESIDUAL
from tests.outcomes import Cells, Table, acceptance_cells, alone, cells, filtered, round_outcomes
from tests.scripted import ScriptedDrafter, ScriptedTarget, one_hot, table

PROMPT = (0, 1, 0)
TARGET, OTHER = table(3, seed=1), table(3, seed=2)
DRAFTERS = {
    "another model": ScriptedDrafter(OTHER),
    "the target itself": ScriptedDrafter(TARGET),
    "off at the first place": ScriptedDrafter(TARGET, OTHER, off=[1]),
    "off in the middle": ScriptedDrafter(TARGET, OTHER, off=[2]),
    "off at the last place": ScriptedDrafter(TARGET, OTHER, off=[3]),
    "argmax of another model": ScriptedDrafter(one_hot(OTHER)),
    "argmax of the target": ScriptedDrafter(one_hot(TARGET)),
}


def decoded(
    target: ScriptedTarget,
    drafter: ScriptedDrafter,
    length: int,
    settings: Settings,
    *,
    room: int | None = None,
    verify_length: int | None = None,
    where: float = 0.5,
    accept=acceptance_cells,
) -> Table:
    """The distribution of the first ``length`` output tokens over round after round, ``room`` tokens wide in all."""
    result: Table = {}
    waiting: dict[tuple[int, ...], tuple[float, State]] = {(): (1.0, prefill(target, drafter, list(PROMPT)))}
    while waiting:
        start = min(waiting, key=len)  # whatever leads to these tokens has been followed by now
        weight, state = waiting.pop(start)
        left = 50 if room is None else room - len(start)
        for p, outcome, after in round_outcomes(target, drafter, state, settings, left, verify_length, where, accept):
            tokens = (*start, *outcome.emitted)
            committed = [*PROMPT, *(tokens if outcome.verdict.kind == NONE else tokens[:-1])]
            assert after.tokens == [*PROMPT, *tokens], "the session holds what was emitted"
            assert after.cache.tokens == after.drafter_state == committed, "the caches hold all but the new anchor"
            if outcome.finished or len(tokens) >= length:
                result[tokens[:length]] = result.get(tokens[:length], 0.0) + weight * p
            else:
                before = waiting[tokens][0] if tokens in waiting else 0.0
                waiting[tokens] = (before + weight * p, after)
    return result


def distance(one: Table, other: Table) -> float:
    """Largest difference of a probability."""
    return max(abs(one.get(key, 0.0) - other.get(key, 0.0)) for key in {*one, *other})


@pytest.mark.parametrize("gamma", [1, 2, 3, 4])
@pytest.mark.parametrize("temperature", [0, 0.5, 1, 1.7])
def test_output_is_distributed_as_the_targets_own(temperature: float, gamma: int) -> None:
    target, settings = ScriptedTarget(TARGET), Settings(temperature, gamma=gamma)
    length = 4 if gamma < 3 else 3
    found = decoded(target, DRAFTERS["another model"], length, settings)
    assert distance(found, alone(target, PROMPT, length, settings)) < 1e-12


@pytest.mark.parametrize("name", DRAFTERS)
def test_wherever_the_drafter_is_wrong(name: str) -> None:
    target, settings = ScriptedTarget(TARGET), Settings(gamma=3)
    assert distance(decoded(target, DRAFTERS[name], 4, settings), alone(target, PROMPT, 4, settings)) < 1e-12


@pytest.mark.parametrize("verify_length", [0, 1, 2, 3])
def test_however_little_of_the_draft_is_verified(verify_length: int) -> None:
    target, settings = ScriptedTarget(TARGET), Settings(gamma=3)
    found = decoded(target, DRAFTERS["another model"], 3, settings, verify_length=verify_length)
    assert distance(found, alone(target, PROMPT, 3, settings)) < 1e-12


@pytest.mark.parametrize(("top_k", "top_p"), [(1, 1), (2, 1), (3, 1), (0, 0.5), (0, 0.8), (4, 0.9)])
def test_under_top_k_and_top_p(top_k: int, top_p: float) -> None:
    target, settings = ScriptedTarget(table(5, 3), vocab=5), Settings(0.8, top_k=top_k, top_p=top_p, gamma=2)
    found = decoded(target, ScriptedDrafter(table(5, 4)), 3, settings)
    assert distance(found, alone(target, PROMPT, 3, settings)) < 1e-12


@pytest.mark.parametrize("room", [1, 2, 3, 4])
def test_where_the_room_cuts_the_draft_short(room: int) -> None:
    target, settings = ScriptedTarget(TARGET), Settings(gamma=4)
    found = decoded(target, DRAFTERS["another model"], room, settings, room=room)
    assert all(len(tokens) <= room for tokens in found)
    assert distance(found, alone(target, PROMPT, room, settings)) < 1e-12


def test_where_the_sequence_ends_inside_the_accepted_prefix() -> None:
    target = ScriptedTarget(lambda prefix: [0.0, 0.0, 2.0 if len(prefix) > len(PROMPT) else -9.0])
    settings, ended = Settings(gamma=3), 0.0
    for p, outcome, _ in round_outcomes(target, ScriptedDrafter(target.logits), state_of(target), settings, 50):
        if outcome.verdict.kind == NONE:
            assert outcome.emitted == outcome.draft.tokens[: outcome.verdict.accepted]
            assert outcome.emitted[-1] in target.stop_tokens and outcome.finished == "eos"
            ended += p
    assert ended > 0.9
    found = decoded(target, ScriptedDrafter(target.logits), 3, settings)
    assert distance(found, alone(target, PROMPT, 3, settings)) < 1e-12


@pytest.mark.parametrize("where", [1e-9, 1 - 1e-9])
def test_every_cell_reaches_from_end_to_end(where: float) -> None:
    """With uniforms at the edges of the cells the outcomes are those of their middles: the widths are right too."""
    target, settings = ScriptedTarget(TARGET), Settings(gamma=2)
    found = decoded(target, DRAFTERS["another model"], 3, settings, where=where)
    assert distance(found, alone(target, PROMPT, 3, settings)) < 1e-12


def test_resampling_from_the_target_instead_of_the_residual_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "residual", lambda p_t, p_d: p_t)
    target, settings = ScriptedTarget(TARGET), Settings(gamma=2)
    found = decoded(target, DRAFTERS["another model"], 3, settings)
    assert distance(found, alone(target, PROMPT, 3, settings)) > 0.01


def test_accepting_the_targets_own_sample_is_lossless_but_accepts_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing from p_t and accepting where the draft happens to be equal accepts sum p_t * p_d, not sum min."""

    def verify_by_sample(tokens, p_d, p_t, u_accept, u_final, stop=()):
        for k, token in enumerate(tokens):
            own, low, high = inverse_cdf(p_t[k], u_accept[k])
            if own != token:
                certain = torch.nn.functional.one_hot(torch.tensor(own), p_t.shape[-1]).double()
                return Verdict(k, RESIDUAL, own, (low, high), certain)
            if token in stop:
                return Verdict(k + 1, NONE, None, None, None)
        return replace(acceptance.verify([], p_d, p_t[len(tokens) :], [], u_final), accepted=len(tokens))

    def sample_cells(outcome: Outcome, k: int, where: float) -> Cells:
        return cells(outcome.p_t[k - 1], where)

    target, drafter, settings = ScriptedTarget(TARGET), DRAFTERS["another model"], Settings(gamma=2)
    p_t, p_d = (torch.tensor(filtered(logits(PROMPT), settings), dtype=torch.float64) for logits in (TARGET, OTHER))
    right = accepted_at_1(target, drafter, acceptance_cells)
    assert right == pytest.approx(float(overlap(p_t, p_d)), abs=1e-12)
    monkeypatch.setattr(decoding, "verify", verify_by_sample)
    found = decoded(target, drafter, 3, settings, accept=sample_cells)
    assert distance(found, alone(target, PROMPT, 3, settings)) < 1e-12
    less = accepted_at_1(target, drafter, sample_cells)
    assert less == pytest.approx(float((p_t * p_d).sum()), abs=1e-12)
    assert less < right - 0.05


def state_of(target: ScriptedTarget) -> State:
    return prefill(target, ScriptedDrafter(target.logits), list(PROMPT))


def accepted_at_1(target: ScriptedTarget, drafter: ScriptedDrafter, accept) -> float:
    rounds = round_outcomes(target, drafter, state_of(target), Settings(gamma=2), 50, accept=accept)
    return sum(p for p, outcome, _ in rounds if outcome.verdict.accepted >= 1)
