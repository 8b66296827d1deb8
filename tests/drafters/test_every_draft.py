"""Every kind of drafter keeps to its protocol: what it drafts, and the states that it learns, copies and goes back to."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.drafters.registry import KINDS
from dspark_lab.loading import Lab
from dspark_lab.training.kinds import training_of
from dspark_lab.training.states import target_states
from tests.drafters.letters import BLOCK, PROMPT, VOCAB, copy, drafting

MORE = [0, 1, 2, 0, 1, 1, 0]
"""Tokens that follow the prompt where a test decides on them itself."""
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


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


@pytest.mark.parametrize("model", [kind.name for kind in KINDS.values() if kind.weights], indirect=True)
def test_what_is_trained_is_what_drafts(lab: Lab, model: tuple[str, Any]) -> None:
    """Along true tokens the logits of the training objective are those that a session draws from."""
    kind, new = model
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
