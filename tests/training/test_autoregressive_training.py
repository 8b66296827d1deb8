"""Training Eagle3 and MTP: what a block sees is what inference shows it, and training lowers the loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dspark_lab.drafters.autoregressive import AutoregressiveDrafter
from dspark_lab.loading import Lab
from dspark_lab.trace import ModelInfo
from dspark_lab.training.autoregressive import Objective
from dspark_lab.training.batches import Batch, answer_row, collate
from dspark_lab.training.drafter import sample_anchors
from dspark_lab.training.kinds import Options, training_of
from dspark_lab.training.loop import Schedule, train
from dspark_lab.training.losses import LossWeights, draft_losses

TOKENS = list(range(20, 30)) + list(range(40, 62))


@pytest.fixture(params=["eagle3", "mtp"])
def drafter(request: pytest.FixtureRequest, tiny_lab: Lab) -> AutoregressiveDrafter:
    torch.manual_seed(0)
    options = Options(request.param, mask_token_id=4, block_size=5, anchors=1, taps=(0, 1, 2))
    model = training_of(request.param).new_model(tiny_lab.target.model, options)
    for p in model.parameters():
        if p.requires_grad:
            torch.nn.init.normal_(p, mean=float(p.ndim == 1), std=0.2)
    return AutoregressiveDrafter(model, ModelInfo("new", request.param, "", 0, 5))


def along(drafter: AutoregressiveDrafter, lab: Lab, tokens: list[int], anchor: int) -> tuple[Tensor, Tensor]:
    """Draft and target logits [5, V] at inference, the true tokens being chosen."""
    lab.target.tap(drafter.tap_layers)
    logits, taps = lab.target.forward(lab.target.new_cache(), tokens, drafter.tap_layers)
    state, seen = drafter.new_state(), []
    if anchor:
        drafter.commit(state, tokens[:anchor], taps[:anchor])
    following = [*tokens[anchor + 1 :], *[0] * 5]

    def choose(k: int, row: Tensor) -> int:
        seen.append(row.clone())
        return following[k - 1]

    drafter.propose(state, tokens[anchor], 5, choose)
    return torch.stack(seen), logits[[min(anchor + k, len(tokens) - 1) for k in range(5)]]


@pytest.mark.parametrize("prompt", [1, 2, 10, 29])
@pytest.mark.parametrize("step", range(3))
def test_a_trained_block_sees_what_inference_will_show_it(
    tiny_lab: Lab, drafter: AutoregressiveDrafter, prompt: int, step: int
) -> None:
    """Also where the anchor is the first token, before which nothing is known, and where the text ends in the block."""
    batch = collate([answer_row(TOKENS[:prompt], TOKENS[prompt:])], 0)
    with torch.no_grad():
        trained = Objective(drafter.model, tiny_lab.target.model, lambda _: batch, seed=3)(step)
    generator = torch.Generator().manual_seed(3 * 1_000_003 + step)
    anchor = int(sample_anchors(batch.answer, 1, generator)[0])
    drafts, targets = along(drafter, tiny_lab, TOKENS, anchor)
    labels = torch.tensor([[*TOKENS[anchor + 1 :], *[0] * 5][:5]])
    valid = torch.tensor([[anchor + 1 + k < len(TOKENS) for k in range(5)]])
    expected = draft_losses(drafts[None], None, targets[None], labels, valid, LossWeights())
    for name, value in expected.items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_blocks_do_not_see_each_other(tiny_lab: Lab, drafter: AutoregressiveDrafter) -> None:
    """Many anchors at once, of which each block is as if it were alone."""
    ids, final = torch.tensor([TOKENS]), torch.randn(1, len(TOKENS), 32, generator=torch.Generator().manual_seed(1))
    anchors = torch.tensor([1, 2, 3, 9, 20])
    objective = Objective(drafter.model, tiny_lab.target.model, lambda _: Batch(ids, ids > 0))
    states = final.repeat(1, 1, 3), final
    places = anchors[:, None] + torch.arange(5)
    with torch.no_grad():
        together = objective.hidden(ids, places[None], states, torch.arange(25))
        alone = [objective.hidden(ids, place[None, None], states, torch.arange(5)) for place in places]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_the_loss_is_a_pure_function_of_the_step(tiny_lab: Lab, drafter: AutoregressiveDrafter) -> None:
    batch = collate([answer_row(TOKENS[:10], TOKENS[10:])], 0)
    loss_of = Objective(drafter.model, tiny_lab.target.model, lambda _: batch, seed=1)
    with torch.no_grad():
        first, other, again = loss_of(4), loss_of(5), loss_of(4)
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["loss"].equal(other["loss"])


def test_thirty_steps_lower_the_loss_and_leave_the_frozen_weights(
    tiny_lab: Lab, drafter: AutoregressiveDrafter, tmp_path: Path
) -> None:
    target, kind = tiny_lab.target.model, drafter.info.kind
    torch.manual_seed(0)
    model = training_of(kind).new_model(target, Options(kind, mask_token_id=4, block_size=5, taps=(0, 1, 2)))
    batch = collate([answer_row(TOKENS[:10], TOKENS[10:]), answer_row([5], TOKENS[:12])], 0)
    weights = replace(LossWeights(), ce=1.0, tv=0.0)
    loss_of = Objective(model, target, lambda _: batch, weights)
    losses = [numbers["loss"] for _, numbers in train(model, loss_of, Schedule(30, 1e-2), tmp_path)]
    assert losses[-1] < 0.8 * losses[0]
    assert model.embed_tokens.weight.equal(target.get_input_embeddings().weight)
    assert model.lm_head.weight.equal(target.get_output_embeddings().weight)
