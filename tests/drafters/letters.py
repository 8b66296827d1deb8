"""A vocabulary of three letters, so few that rounds can be enumerated, and states to draft from."""

from __future__ import annotations

from dspark_lab import Overrides, Settings
from dspark_lab.decoding import State, decode_round, prefill
from dspark_lab.loading import Lab
from tests.scripted import LETTERS

VOCAB, BLOCK, END = 3, 3, 2
TEXT = "abacabaacbabcaab"
PROMPT = [LETTERS.index(letter) for letter in TEXT]


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
