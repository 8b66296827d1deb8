"""Training a drafter: anchors before answers only, and the same view at training as at inference."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dspark_lab.drafters.block_attention import Blocks, attention, block_attention
from dspark_lab.drafters.products import lowered
from dspark_lab.loading import Lab
from dspark_lab.training.batches import Batch, answer_row, collate
from dspark_lab.training.drafter import Objective, new_model, sample_anchors
from dspark_lab.training.kinds import Options
from dspark_lab.training.losses import LossWeights, draft_losses
from dspark_lab.training.states import target_states
from tests.training.seeded import generator

ROWS = [answer_row(list(range(20, 30)), list(range(40, 62))), answer_row(list(range(30, 35)), [70, 71, 1])]


@pytest.mark.parametrize("count", [1, 3, 8, 40])
def test_anchors_stand_only_where_an_answer_token_follows(count: int) -> None:
    answer = collate(ROWS, 0).answer
    for seed in range(20):
        anchors, kept = sample_anchors(answer, count, generator(seed))
        assert anchors.shape == kept.shape == (2, count)
        for row, places in enumerate(answer[:, 1:]):
            candidates = set(places.nonzero().flatten().tolist())
            chosen = anchors[row][kept[row]].tolist()
            assert len(chosen) == min(count, len(candidates)) == len(set(chosen)), "as many as there are, none twice"
            assert set(chosen) <= candidates


def test_every_candidate_becomes_an_anchor_sometime() -> None:
    answer = collate(ROWS, 0).answer
    seen = [set(), set()]
    for seed in range(300):
        anchors, _ = sample_anchors(answer, 2, generator(seed))
        for row in (0, 1):
            seen[row] |= set(anchors[row].tolist())
    assert seen == [set(range(9, 31)), {4, 5, 6}], "from the prompt's last token to the answer's last but one"


def test_the_mask_shows_the_context_before_the_anchor_and_the_own_block() -> None:
    anchors, length, block = torch.tensor([[3, 0, 7], [5, 5, 1]]), 9, 4
    mask = Blocks(anchors, length, block).mask()
    assert mask.shape == (2, 1, 12, 9 + 12)
    for b in range(2):
        for q in range(12):
            for key in range(length + 12):
                own = key >= length and (key - length) // block == q // block
                before = key < length and key < anchors[b, q // block]
                assert mask[b, 0, q, key] == (own or before)


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("length", [9, 28, 29])  # of scores, 13, 32 and 33 columns
def test_attention_by_blocks_is_attention_under_their_mask(length: int, low: bool) -> None:
    """Values and gradients, with a block that sees no context at all."""
    g = generator()
    blocks = Blocks(torch.tensor([[3, 0, 7], [5, length, 1]]), length, 4)
    shapes = (4, 12), (2, length), (2, length), (2, 12), (2, 12)
    tensors = [torch.randn(2, heads, n, 8, generator=g) for heads, n in shapes]
    upstream, results = torch.randn(2, 4, 12, 8, generator=g), []
    for by_blocks in (True, False):
        q, kc, vc, ko, vo = inputs = [t.clone().requires_grad_() for t in tensors]
        if by_blocks:
            with lowered(low):
                out = block_attention(q, (kc, vc), (ko, vo), blocks)
        else:
            out = attention(q, torch.cat([kc, ko], 2), torch.cat([vc, vo], 2), blocks.mask())
        out.backward(upstream)
        results.append((out.detach(), *(t.grad for t in inputs)))
    rtol, atol = (0.05, 0.05) if low else (1e-4, 1e-5)
    for mine, torchs in zip(*results, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=rtol, atol=atol)
        assert mine.bfloat16().float().equal(mine) is low, "what is lowered has been rounded, and else nothing has"


def test_no_position_depends_on_what_comes_at_or_after_its_anchor(tiny_lab: Lab) -> None:
    """Put noise into the target's states from each anchor on, and into the other blocks: the block stays bitwise."""
    model, g = tiny_lab.drafter.model, tiny_lab.drafter.config.block_size
    anchors, length = torch.tensor([[6, 11, 3]]), 16
    taps = torch.randn(1, length, 3 * 32, generator=generator())
    places = anchors[..., None] + torch.arange(g)
    ids = torch.randint(0, 320, (1, 3 * g), generator=generator())
    positions, seen = torch.arange(length)[None], Blocks(anchors, length, g)

    def hidden(features: Tensor, inputs: Tensor) -> Tensor:
        return model.block(inputs, places.flatten(1), model.context(features, positions), seen)[0].view(3, g, -1)

    with torch.inference_mode():
        before = hidden(taps, ids)
        for a, anchor in enumerate(anchors[0].tolist()):
            noisy, inputs = taps.clone(), torch.randint(0, 320, ids.shape, generator=generator(1))
            noisy[:, anchor:] = 100 * torch.randn(1, length - anchor, 3 * 32)
            inputs[:, a * g : (a + 1) * g] = ids[:, a * g : (a + 1) * g]
            torch.testing.assert_close(hidden(noisy, inputs)[a], before[a], atol=1e-5, rtol=1e-5)
            noisy[:, anchor - 1] += 100
            assert (hidden(noisy, inputs)[a] - before[a]).abs().max() > 1e-3, "but it does look at what comes before"


@pytest.mark.parametrize("step", range(5))
def test_a_trained_block_sees_what_inference_will_show_it(
    tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Objective at one anchor equals the losses of the real drafter's logits along the true tokens."""
    drafter, target, weights = tiny_lab.drafter, tiny_lab.target, LossWeights()
    batch = collate(ROWS[:1], 0)
    monkeypatch.setattr(drafter.model, "config", replace(drafter.config, num_anchors=1))
    with torch.no_grad():
        trained = Objective(drafter.model, target.model, lambda _: batch, weights, seed=3)(step)
    anchors, _ = sample_anchors(batch.answer, 1, generator(3 * 1_000_003 + step))
    anchor, tokens = int(anchors), batch.ids[0].tolist()
    target.tap(drafter.tap_layers)
    logits, taps = target.forward(target.new_cache(), tokens, drafter.tap_layers)
    state = drafter.new_state()
    drafter.commit(state, tokens[:anchor], taps[:anchor])
    following = [*tokens[anchor + 1 :], *[0] * 5][:5]
    seen: list[Tensor] = []

    def choose(k: int, row: Tensor) -> int:
        seen.append(row.clone())
        return following[k - 1]

    draft = drafter.propose(state, tokens[anchor], 5, choose)
    rows = [min(anchor + k, len(tokens) - 1) for k in range(5)]
    valid = torch.tensor([[anchor + 1 + k < len(tokens) for k in range(5)]])
    confidence = torch.tensor([draft.confidence]).logit()
    expected = draft_losses(
        torch.stack(seen)[None], confidence, logits[rows][None], torch.tensor([following]), valid, weights
    )
    for name, value in expected.items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-5, msg=name)


@pytest.mark.parametrize("kind", ["dspark", "dspark-gated", "dspark-rnn", "dflash"])
def test_gradients_are_those_of_the_straightforward_computation(tiny_lab: Lab, kind: str) -> None:
    """Every slot of every block through every layer, under a mask, its logits whole: the same losses, the same gradients."""
    target, batch, weights = tiny_lab.target.model, collate(ROWS, 0), LossWeights(accept=0.5, kl=0.5)
    torch.manual_seed(0)
    model = new_model(target, Options(kind, mask_token_id=4, block_size=5, rank=8, anchors=6, taps=(0, 1, 2)))
    for p in model.parameters():
        if p.requires_grad:
            torch.nn.init.normal_(p, std=0.2)  # what starts at 0 has to have gradients too
    trained = Objective(model, target, lambda _: batch, weights)(1)
    trained["loss"].backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    model.zero_grad(set_to_none=True)

    anchors, kept = sample_anchors(batch.answer, 6, generator(1))
    ids, length, g = batch.ids, batch.ids.shape[1], 5
    taps, final = target_states(target, ids, (0, 1, 2))
    places = anchors[..., None] + torch.arange(g)
    inputs = torch.full_like(places, 4)
    inputs[..., 0] = ids.gather(1, anchors)
    context = model.context(taps, torch.arange(length).expand(2, -1))
    mask = Blocks(anchors, length, g).mask()
    hidden = model.block(inputs.flatten(1), places.flatten(1), context, mask).unflatten(1, (-1, g))

    def at(what: Tensor, places: Tensor) -> Tensor:
        return torch.stack([row[p.clamp(max=length - 1)] for row, p in zip(what, places, strict=True)])

    previous, labels = at(ids, places), at(ids, places + 1)
    logits = model.base_logits(hidden)
    if model.markov_head is not None:
        logits = logits + model.markov_head(previous, hidden)
    confidence = None if model.confidence_head is None else model.confidence_logits(hidden, previous)[kept]
    valid = (at(batch.answer, places + 1) & (places + 1 < length)).cumprod(-1).bool()[kept]
    targets = at(target.get_output_embeddings()(final), places)[kept]
    expected = draft_losses(logits[kept], confidence, targets, labels[kept], valid, weights)
    expected["loss"].backward()
    for name, value in expected.items():
        torch.testing.assert_close(trained[name], value, rtol=1e-5, atol=1e-5, msg=name)
    for name, p in model.named_parameters():
        if p.requires_grad:
            torch.testing.assert_close(gradients[name], p.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_a_loss_is_a_pure_function_of_the_step(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_lab.drafter.model, "config", replace(tiny_lab.drafter.config, num_anchors=2))
    loss_of = Objective(tiny_lab.drafter.model, tiny_lab.target.model, lambda step: collate(ROWS, 0), seed=1)
    with torch.no_grad():
        first, other, again = loss_of(4), loss_of(5), loss_of(4)
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["loss"].equal(other["loss"])


def test_a_new_drafter_starts_with_the_targets_embedding_and_no_bias(tiny_lab: Lab) -> None:
    target = tiny_lab.target.model
    model = new_model(target, Options("dspark", mask_token_id=4, rank=8))
    assert model.embed_tokens.weight.equal(target.get_input_embeddings().weight)
    assert model.lm_head.weight.equal(target.get_output_embeddings().weight)
    head = model.markov_head
    assert not head.project(head.embed(torch.arange(320))).any()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"embed_tokens.weight", "lm_head.weight"}


def test_collate_pads_on_the_right_and_marks_the_answer() -> None:
    batch = collate([answer_row([5, 6], [7, 1]), answer_row([8], [1])], pad=0)
    assert isinstance(batch, Batch)
    assert batch.ids.tolist() == [[5, 6, 7, 1], [8, 1, 0, 0]]
    assert batch.answer.tolist() == [[False, False, True, True], [False, True, False, False]]
