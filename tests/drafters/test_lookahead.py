"""Lookahead: its pool holds what the target guessed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dspark_lab import Settings
from dspark_lab.drafters import lookahead
from dspark_lab.loading import Lab
from dspark_lab.target import Target

PROMPT = list(range(20, 60))


def argmax(k: int, logits: Tensor) -> int:
    return int(logits.argmax())


def test_lookaheads_n_grams_are_the_targets_guesses(either_target: Target) -> None:
    """The last token of each is the target's argmax after the context, the row above up to its column, and the column."""
    drafter = lookahead.make(either_target)
    state, model, known = drafter.new_state(), either_target.model, [*PROMPT]
    drafter.commit(state, PROMPT, None)
    for anchor in range(5, 12):
        drafter.propose(state, anchor, 3, argmax)
        before, step = state.steps[-2:] if len(state.steps) > 1 else (None, state.steps[-1])
        known.append(anchor)
        if before is not None and step.grams:
            for j, gram in enumerate(step.grams):
                column = [row[j] for row in before.rows]
                assert gram[:-1] == tuple(column) and state.pool[gram[0]] in step.grams
                with torch.inference_mode():
                    ids = torch.tensor([[*known, *before.rows[0][:j], *column]])
                    logits = model(ids, use_cache=False).logits[0, -1]
                assert float(logits.max() - logits[gram[-1]]) < 1e-4
        drafter.commit(state, [anchor], None)
    assert len(state.steps[-1].rows) == lookahead.LEVEL - 1 and state.steps[-1].grams


def test_lookahead_stays_within_the_context(either_target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(either_target), "stop_tokens", frozenset())
    lab = Lab(either_target, lookahead.make(either_target))
    session = lab.session("Tom has 12 apples. " * 16, Settings(seed=1, max_new_tokens=1000))
    assert len(session.prompt_tokens) < either_target.context_limit - 2 * lookahead.LEVEL
    session.run(trace=False)
    assert len(session.state.tokens) == either_target.context_limit
