"""What holds for every kind of drafter in the registry, on a target of three tokens whose rounds can be enumerated."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

from dspark_lab import LabError, Overrides, Session, Settings, acceptance
from dspark_lab.decoding import State, decode_round, prefill
from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.drafters.registry import KINDS
from dspark_lab.engine import Engine
from dspark_lab.loading import Lab, load_drafter
from dspark_lab.target import Target
from dspark_lab.trace import NONE, ModelInfo, Round
from dspark_lab.training.kinds import Options, training_of
from dspark_lab.training.pocket import save_drafter
from dspark_lab.training.states import target_states
from tests.scripted import LETTERS, ScriptedTokenizer, Table, round_outcomes, untimed

VOCAB, BLOCK, END = 3, 3, 2
TEXT = "abacabaacbabcaab"
PROMPT = [LETTERS.index(letter) for letter in TEXT]
MORE = [0, 1, 2, 0, 1, 1, 0]
"""Tokens that follow the prompt where a test decides on them itself."""
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
SESSION = Settings(seed=3, max_new_tokens=24)


class Letters(ScriptedTokenizer):
    eos_token_id = None

    def decode(self, ids: list[int], **_: object) -> str:
        return "".join(LETTERS[i] for i in ids)


@pytest.fixture(scope="module")
def target() -> Target:
    """4 layers of width 32 with random weights, spread so that the tokens are neither certain nor alike; no token ends
    a sequence."""
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=VOCAB,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=128,
        tie_word_embeddings=False,
        pad_token_id=None,
        eos_token_id=None,
        bos_token_id=None,
        initializer_range=0.2,
    )
    model = Qwen3ForCausalLM(config).eval().requires_grad_(False)
    return Target(model, Letters(), ModelInfo("letters", "target", "0" * 12, 0))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=KINDS)
def model(request: pytest.FixtureRequest, target: Target) -> tuple[str, Any]:
    """Each kind, with a model for it, of random weights rounded as they are saved, where it needs one."""
    kind = KINDS[request.param]
    if not kind.weights:
        return kind.name, None
    torch.manual_seed(1)
    options = Options(kind.name, mask_token_id=2, block_size=BLOCK, rank=2, taps=(0, 1, 2))
    new = training_of(kind.name).new_model(target.model, options)
    for p in new.parameters():
        if p.requires_grad and p.ndim > 1:
            torch.nn.init.normal_(p, std=0.3)
        p.data = p.data.bfloat16().float()
    return kind.name, new


@pytest.fixture(scope="module")
def lab(model: tuple[str, Any], target: Target, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The target with a drafter of the kind: one that needs weights has been saved and loaded."""
    kind, new = model
    if new is None:
        return Lab(target, load_drafter(kind, target))
    folder = tmp_path_factory.mktemp(kind) / "drafter"
    save_drafter(new, folder)
    drafter = load_drafter(folder, target)
    assert drafter.info.kind == kind and drafter.info.parameters > 0
    return Lab(target, drafter)


def committed(lab: Lab, tokens: list[int], *sizes: int) -> object:
    """A drafter state that learnt ``tokens`` in pieces of these sizes, at once without."""
    drafter, cache, state = lab.drafter, lab.target.new_cache(), lab.drafter.new_state()
    lab.target.tap(drafter.tap_layers)
    _, taps = lab.target.forward(cache, tokens, drafter.tap_layers)
    place = 0
    for size in sizes or (len(tokens),):
        part = slice(place, place + size)
        drafter.commit(state, tokens[part], None if taps is None else taps[part])
        place += size
    return state


def taps_at(lab: Lab, tokens: list[int], start: int) -> Tensor | None:
    """The target's tapped outputs at the tokens from ``start`` on."""
    _, taps = lab.target.forward(lab.target.new_cache(), tokens, lab.drafter.tap_layers)
    return None if taps is None else taps[start:]


def argmax(k: int, logits: Tensor) -> int:
    return int(logits.argmax())


def propose(lab: Lab, state: object, anchor: int, choose: Choose = argmax, gamma: int = BLOCK) -> tuple[Draft, Tensor]:
    """A draft and the logits [n, V] that its tokens were chosen from."""
    seen: list[Tensor] = [torch.zeros(0, VOCAB)]

    def kept(k: int, logits: Tensor) -> int:
        seen.append(logits.clone()[None].float())
        return choose(k, logits)

    draft = lab.drafter.propose(state, anchor, gamma, kept)
    return draft, torch.cat(seen)


def assert_same_draft(lab: Lab, one: object, other: object, anchor: int) -> None:
    (draft, logits), (expected, wanted) = propose(lab, one, anchor), propose(lab, other, anchor)
    torch.testing.assert_close(logits, wanted, **CLOSE)
    assert draft.tokens == expected.tokens


def copy(lab: Lab, state: State) -> State:
    length = len(state.tokens) - 1
    drafter_state = lab.drafter.copy_state(state.drafter_state, length)
    return State(list(state.tokens), state.cache.copy(length), drafter_state)


def drafting(lab: Lab, gamma: int) -> State:
    """The first state of a session from which that many tokens are drafted."""
    state = prefill(lab.target, lab.drafter, PROMPT)
    for index in range(40):
        before = copy(lab, state)
        outcome = decode_round(lab.target, lab.drafter, state, index, Settings(gamma=gamma), 90, Overrides())
        if len(outcome.draft.tokens) == gamma:
            return before
    raise AssertionError("in 40 rounds this drafter never drafted as many tokens as asked for")


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


def test_the_tokens_are_those_chosen_once_each_from_left_to_right(lab: Lab) -> None:
    """So that p_d, which ``choose`` keeps, is what the token was really drawn from."""
    state, asked = drafting(lab, BLOCK), []

    def force(k: int, logits: Tensor) -> int:
        assert logits.shape == (VOCAB,) and not logits.isnan().any() and logits.isfinite().any()
        asked.append(k)
        return k % VOCAB

    draft, _ = propose(lab, state.drafter_state, state.tokens[-1], force)
    assert asked == list(range(1, BLOCK + 1))
    assert draft.tokens == [k % VOCAB for k in asked]


@pytest.mark.parametrize("gamma", range(BLOCK))
def test_gamma_cuts_a_draft_without_changing_it(lab: Lab, gamma: int) -> None:
    state = drafting(lab, BLOCK)
    whole, logits = propose(lab, copy(lab, state).drafter_state, state.tokens[-1])
    cut, fewer = propose(lab, copy(lab, state).drafter_state, state.tokens[-1], gamma=gamma)
    assert cut.tokens == whole.tokens[:gamma]
    torch.testing.assert_close(fewer, logits[:gamma], **CLOSE)


@pytest.mark.parametrize("gamma", range(BLOCK + 1))
def test_every_gamma_fills_the_room_exactly(lab: Lab, gamma: int) -> None:
    session = lab.session(TEXT, Settings(gamma=gamma, max_new_tokens=9)).run()
    assert len(session.tokens) == 9 and session.finished == "length"
    assert all(r.verify_length == r.gamma <= gamma for r in session.rounds)
    with pytest.raises(LabError, match="gamma is"):
        lab.session(TEXT, Settings(gamma=lab.drafter.block_size + 1))


@pytest.mark.parametrize("sizes", [(1,) * len(PROMPT), (len(PROMPT) - 1, 1), (1, 4, 11)])
def test_committing_in_pieces_equals_committing_at_once(lab: Lab, sizes: tuple[int, ...]) -> None:
    assert_same_draft(lab, committed(lab, PROMPT, *sizes), committed(lab, PROMPT), anchor=1)


@pytest.mark.parametrize("length", [0, 1, 7, len(PROMPT)])
def test_a_copied_state_is_the_state_of_its_length(lab: Lab, length: int) -> None:
    state = committed(lab, PROMPT)
    propose(lab, state, 2)
    shorter = committed(lab, PROMPT[:length]) if length else lab.drafter.new_state()
    assert_same_draft(lab, lab.drafter.copy_state(state, length), shorter, anchor=1)


def test_a_copy_and_its_original_go_separate_ways(lab: Lab) -> None:
    state, untouched = committed(lab, PROMPT), committed(lab, PROMPT)
    other = lab.drafter.copy_state(state, 5)
    tokens = [*PROMPT[:5], *MORE]
    propose(lab, other, MORE[0])
    lab.drafter.commit(other, MORE, taps_at(lab, tokens, 5))
    assert_same_draft(lab, state, untouched, anchor=1)
    assert_same_draft(lab, lab.drafter.copy_state(other, 5), committed(lab, PROMPT[:5]), anchor=1)


def test_what_is_trained_is_what_drafts(lab: Lab, model: tuple[str, Any]) -> None:
    """Along true tokens the logits of the training objective are those that a session draws from."""
    kind, new = model
    if new is None:
        pytest.skip("nothing to train")
    text = [*PROMPT, *MORE]
    objective, ids = training_of(kind).Objective(new, lab.target.model, None), torch.tensor([text])
    for anchor in (1, 5, len(PROMPT)):
        states = target_states(lab.target.model, ids, new.config.target_layer_ids)
        places, slots = torch.arange(anchor, anchor + BLOCK)[None, None], torch.arange(BLOCK)
        with torch.no_grad():
            maps, _ = objective.draft(ids, places, states, torch.zeros_like(slots), slots)
            trained = sum(x if weight is None else x @ weight.t() for x, weight in maps)
        _, drafted = propose(lab, committed(lab, text[:anchor]), text[anchor], along(text[anchor:]))
        torch.testing.assert_close(drafted, trained, **CLOSE)


def along(tokens: list[int]) -> Choose:
    """Draft token k is ``tokens[k]``."""
    return lambda k, logits: tokens[k]


def junk(value: int) -> Choose:
    return lambda k, logits: (value + k) % VOCAB


@pytest.mark.parametrize("kept", range(BLOCK + 1))
def test_what_was_drafted_leaves_no_trace_but_what_was_kept(lab: Lab, kept: int) -> None:
    """Drafted in whatever way, and whatever the drafts were: after the same tokens are kept, the next draft is the same."""
    tokens, states = [*PROMPT, *MORE[: 1 + kept]], []
    for choose in (argmax, along(MORE), junk(0), junk(1)):
        state = committed(lab, PROMPT)
        propose(lab, state, MORE[0], choose)
        lab.drafter.commit(state, MORE[: 1 + kept], taps_at(lab, tokens, len(PROMPT)))
        states.append(state)
    for state in states[1:]:
        assert_same_draft(lab, state, states[0], anchor=MORE[1 + kept])


def test_a_draft_taken_back_is_as_if_it_had_never_been(lab: Lab) -> None:
    state = committed(lab, PROMPT)
    for anchor in range(VOCAB):
        propose(lab, state, anchor, junk(anchor))
    assert_same_draft(lab, lab.drafter.copy_state(state, len(PROMPT)), committed(lab, PROMPT), anchor=1)


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
