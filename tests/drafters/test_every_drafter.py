"""Every kind of drafter in the registry decodes without loss, and its sessions repeat themselves, fork and end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import pytest
import torch

from dspark_lab import LabError, Overrides, Session, Settings, acceptance
from dspark_lab.drafters.registry import KINDS
from dspark_lab.engine import Engine
from dspark_lab.loading import Lab
from dspark_lab.rounds import NONE, Round
from tests.drafters.letters import BLOCK, END, TEXT, VOCAB, drafting
from tests.outcomes import Table, round_outcomes
from tests.scripted import untimed

SESSION = Settings(seed=3, max_new_tokens=24)


def p_t(lab: Lab, tokens: list[int]) -> list[float]:
    with torch.inference_mode():
        return lab.target.model(torch.tensor([tokens]), use_cache=False).logits[0, -1].double().softmax(-1).tolist()


def error_of_a_round(lab: Lab, gamma: int) -> float:
    """How far a round's tokens are from the target's distribution, over all its outcomes: no sampling.

    The first token must be distributed as p_t; so must each further one, given those before it and that the round
    reached it. The largest difference of a probability is returned.
    """
    state = drafting(lab, gamma)
    reached: Table = defaultdict(float)
    for p, outcome, _ in round_outcomes(lab.target, lab.drafter, state, Settings(gamma=gamma), 50):
        for n in range(1, len(outcome.emitted) + 1):
            reached[tuple(outcome.emitted[:n])] += p
    worst = 0.0
    for before in {tokens[:-1] for tokens in reached}:
        here = [reached.get((*before, token), 0.0) for token in range(VOCAB)]
        expected = p_t(lab, [*state.tokens, *before])
        worst = max(worst, *(abs(p / sum(here) - q) for p, q in zip(here, expected, strict=True)))
    return worst


@pytest.mark.parametrize("prompt", [TEXT, "a"])
def test_greedy_output_is_the_targets_own(lab: Lab, prompt: str) -> None:
    """Along its output every token is the target's argmax, up to float noise; after a prompt of one token too."""
    session = lab.session(prompt, replace(SESSION, temperature=0)).run(trace=False)
    with torch.inference_mode():
        ids = torch.tensor([session.state.tokens])
        logits = lab.target.model(ids, use_cache=False).logits[0, len(prompt) - 1 : -1]
    gaps = logits.amax(-1) - logits.gather(1, torch.tensor(session.tokens)[:, None])[:, 0]
    assert len(session.tokens) == SESSION.max_new_tokens
    assert float(gaps.max()) < 1e-4


def test_a_rounds_tokens_are_distributed_as_the_targets_own(lab: Lab) -> None:
    assert error_of_a_round(lab, gamma=2) < 1e-5


def test_the_same_test_rejects_resampling_from_the_target(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptance, "residual", lambda p_t, p_d: p_t)
    assert error_of_a_round(lab, gamma=1) > 0.01


@pytest.mark.parametrize("gamma", range(BLOCK + 1))
def test_every_gamma_fills_the_room_exactly(lab: Lab, gamma: int) -> None:
    session = lab.session(TEXT, Settings(gamma=gamma, max_new_tokens=9)).run()
    assert len(session.tokens) == 9 and session.finished == "length"
    assert all(r.verify_length == r.gamma <= gamma for r in session.rounds)
    with pytest.raises(LabError, match="gamma is"):
        lab.session(TEXT, Settings(gamma=lab.drafter.block_size + 1))


@pytest.fixture(scope="module")
def parent(lab: Lab) -> Session:
    return lab.session(TEXT, SESSION).run()


def test_a_session_drafts_and_repeats_itself(lab: Lab, parent: Session) -> None:
    assert untimed(lab.session(TEXT, SESSION).run().rounds) == untimed(parent.rounds)
    assert any(r.accepted for r in parent.rounds), "a drafter that is never right decides nothing here"
    assert any(r.accepted < r.gamma for r in parent.rounds)


def test_an_engine_gives_each_request_what_a_session_gives_it(lab: Lab) -> None:
    """Up to rounding, which decides none of these draws."""
    settings = [replace(SESSION, seed=s, gamma=g, temperature=t) for s, g, t in ((3, None, 1), (4, 1, 0.7), (5, 0, 1))]
    engine = Engine(lab.target, lab.drafter, max_requests=2)
    requests = [engine.submit(TEXT[i:], each) for i, each in enumerate(settings)]
    engine.run()
    for i, (request, each) in enumerate(zip(requests, settings, strict=True)):
        alone = lab.session(TEXT[i:], each).run()
        assert (request.tokens, request.finished) == (alone.tokens, "length")
        assert [r.accepted for r in request.rounds] == [r.accepted for r in alone.rounds]


def test_a_fork_of_any_round_repeats_it(parent: Session) -> None:
    for index in range(len(parent.rounds)):
        assert untimed(parent.fork(index).rounds[index:]) == untimed([parent.rounds[index]])


def test_a_fork_runs_on_to_the_same_end(parent: Session) -> None:
    index = len(parent.rounds) // 2
    assert untimed(parent.fork(index).run().rounds) == untimed(parent.rounds)


def test_the_record_says_which_drafter_it_was(lab: Lab, parent: Session) -> None:
    info = parent.trace().drafter
    assert info == lab.drafter.info
    assert info.block_size == lab.drafter.block_size >= BLOCK
    assert info.kind in KINDS


def long_round(session: Session) -> Round:
    return next(r for r in session.rounds if r.gamma >= 2)


def test_an_accepted_end_of_sequence_ends_the_session(
    lab: Lab, parent: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = long_round(parent)
    monkeypatch.setitem(vars(lab.target), "stop_tokens", frozenset({END}))
    fork = parent.fork(before.index, Overrides(tokens={1: END}, uniforms={"accept:1": 0.0}))
    last = fork.rounds[-1]
    assert last.final.kind == NONE and last.accepted == 1 and [t.id for t in last.emitted] == [END]
    assert fork.finished == "eos"
    with pytest.raises(LabError, match="finished"):
        fork.step()
