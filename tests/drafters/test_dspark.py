"""The DSpark drafter: fused inference is the plain module, blocks leave nothing behind, slot k predicts token k+1."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.drafters.dspark import DSparkDrafter
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.loading import Lab
from dspark_lab.training.batches import Batch
from dspark_lab.training.drafter import Objective, new_model
from dspark_lab.training.kinds import Options

PROMPT = list(range(20, 60))
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def taps(lab: Lab, tokens: list[int]) -> Tensor:
    lab.target.tap(lab.drafter.tap_layers)
    return lab.target.forward(lab.target.new_cache(), tokens, lab.drafter.tap_layers)[1]


def argmax(k: int, logits: Tensor) -> int:
    return int(logits.argmax())


def committed(lab: Lab, *sizes: int) -> object:
    """A drafter state that learnt PROMPT in pieces."""
    state, place, features = lab.drafter.new_state(), 0, taps(lab, PROMPT)
    for size in sizes:
        lab.drafter.commit(state, PROMPT[place : place + size], features[place : place + size])
        place += size
    return state


def propose(lab: Lab, state: object, anchor: int = 5, gamma: int = 5, choose: Choose = argmax) -> Draft:
    return lab.drafter.propose(state, anchor, gamma, choose)


@torch.no_grad()
def plainly(
    model: DSparkModel, features: Tensor, anchor: int, choose: Choose
) -> tuple[Tensor, list[Tensor], list[int]]:
    """Base logits, biases and tokens by the module's own forward: no cache, no fused matrices."""
    c, start = model.config, len(features)
    context = model.context(features[None], torch.arange(start)[None])
    ids = torch.tensor([[anchor] + [c.mask_token_id] * (c.block_size - 1)])
    hidden = model.block(ids, torch.arange(start, start + c.block_size)[None], context)[0]
    base, tokens, biases = model.lm_head(hidden), [], []
    for k in range(c.block_size):
        previous = torch.tensor([anchor, *tokens])  # the head sees the block so far: it may carry a state
        biases.append(model.markov_head(previous, hidden[: k + 1])[-1])
        tokens.append(choose(k + 1, base[k] + biases[-1]))
    return base, biases, tokens


@pytest.mark.parametrize("length", [0, 1, 17, 40])
def test_fused_inference_equals_the_plain_module(tiny_lab: Lab, length: int) -> None:
    model, features = tiny_lab.drafter.model, taps(tiny_lab, PROMPT)[:length]
    state = tiny_lab.drafter.new_state()
    if length:
        tiny_lab.drafter.commit(state, PROMPT[:length], features)
    draft = propose(tiny_lab, state)
    base, biases, tokens = plainly(model, features, 5, argmax)
    torch.testing.assert_close(draft.base_logits, base, **CLOSE)
    torch.testing.assert_close(draft.biases, torch.stack(biases), **CLOSE)
    assert draft.tokens == tokens
    context = model.context(features[None], torch.arange(length)[None])
    ids = torch.tensor([[5] + [model.config.mask_token_id] * 4])
    hidden = model.block(ids, torch.arange(length, length + 5)[None], context)[0]
    confidence = model.confidence_logits(hidden, torch.tensor([5, *tokens[:-1]])).sigmoid()
    assert draft.confidence == pytest.approx(confidence.tolist(), abs=1e-4)


def test_the_head_sees_the_token_that_was_chosen_not_the_one_it_would_have_drawn(tiny_lab: Lab) -> None:
    seen: list[Tensor] = []

    def force(k: int, logits: Tensor) -> int:
        seen.append(logits.clone())
        return 100 + k

    draft = propose(tiny_lab, committed(tiny_lab, 40), choose=force)
    head = tiny_lab.drafter.model.markov_head
    after = torch.tensor([5, 101, 102, 103, 104])
    with torch.inference_mode():
        expected = draft.base_logits + head.project(head.embed(after))  # eq. 5: B(x_{k-1}, .)
    torch.testing.assert_close(torch.stack(seen), expected, **CLOSE)


@pytest.mark.parametrize("gamma", [1, 2, 3, 4])
def test_gamma_cuts_a_draft_without_changing_it(tiny_lab: Lab, gamma: int) -> None:
    whole, cut = (propose(tiny_lab, committed(tiny_lab, 40), gamma=g) for g in (5, gamma))
    assert cut.tokens == whole.tokens[:gamma]
    torch.testing.assert_close(cut.base_logits, whole.base_logits[:gamma], **CLOSE)
    assert cut.confidence == pytest.approx(whole.confidence[:gamma], abs=1e-5)


@pytest.mark.parametrize("sizes", [(1,) * 40, (39, 1), (1, 39), (13, 7, 20)])
def test_committing_in_pieces_equals_committing_at_once(tiny_lab: Lab, sizes: tuple[int, ...]) -> None:
    at_once, pieces = committed(tiny_lab, 40), committed(tiny_lab, *sizes)
    assert pieces.length == at_once.length == 40
    torch.testing.assert_close(pieces.buffer[..., :40, :], at_once.buffer[..., :40, :], **CLOSE)
    torch.testing.assert_close(propose(tiny_lab, pieces).base_logits, propose(tiny_lab, at_once).base_logits, **CLOSE)


def test_growing_beyond_the_buffer_keeps_the_context(tiny_lab: Lab) -> None:
    features = taps(tiny_lab, PROMPT).repeat(6, 1)[:230]
    state = tiny_lab.drafter.new_state()
    room = state.buffer.shape[3]
    for place in range(0, 230, 10):
        tiny_lab.drafter.commit(state, [0] * 10, features[place : place + 10])
        before = state.buffer[..., :place, :].clone()
        propose(tiny_lab, state)
        assert state.buffer[..., :place, :].equal(before)
    tiny_lab.drafter.commit(state, [0] * 22, features[:22])
    before = state.buffer[..., :252, :].clone()
    propose(tiny_lab, state)
    assert state.buffer.shape[3] > room and state.length == 252
    assert state.buffer[..., :252, :].equal(before)


def test_a_blocks_own_keys_never_become_context(tiny_lab: Lab) -> None:
    """Draft any number of blocks at any anchors: the next draft is as if none had been."""
    untouched, used = committed(tiny_lab, 40), committed(tiny_lab, 20)
    for anchor in (3, 9, 300):
        propose(tiny_lab, used, anchor, choose=lambda k, _: 7 * k)
    assert used.length == 20
    tiny_lab.drafter.commit(used, PROMPT[20:], taps(tiny_lab, PROMPT)[20:])
    propose(tiny_lab, used, 11)
    torch.testing.assert_close(propose(tiny_lab, used).base_logits, propose(tiny_lab, untouched).base_logits, **CLOSE)


def test_a_copied_state_is_the_state_of_its_length(tiny_lab: Lab) -> None:
    state = committed(tiny_lab, 40)
    copy = tiny_lab.drafter.copy_state(state, 17)
    expected = propose(tiny_lab, committed(tiny_lab, 17)).base_logits
    torch.testing.assert_close(propose(tiny_lab, copy).base_logits, expected, **CLOSE)
    before = state.buffer[..., :40, :].clone()
    tiny_lab.drafter.commit(copy, PROMPT[:9], taps(tiny_lab, PROMPT)[:9])
    assert state.buffer[..., :40, :].equal(before) and state.length == 40


class OnePlaceOff(torch.nn.Module):
    """Stands for a target: at every position it is all but certain of the token two further on in a fixed text, or,
    with ``ahead`` 1, of the next one, as a real target is."""

    def __init__(self, vocab: int, ahead: int) -> None:
        super().__init__()
        self.vocab, self.ahead = vocab, ahead
        self.config = SimpleNamespace(get_text_config=SimpleNamespace)

    def get_decoder(self) -> Any:
        return self

    def get_output_embeddings(self) -> Any:
        return torch.nn.Identity()

    def forward(self, ids: Tensor, **_: object) -> object:
        logits = 30 * torch.nn.functional.one_hot(ids.roll(-self.ahead, 1), self.vocab).float()
        return SimpleNamespace(last_hidden_state=logits, hidden_states=[torch.zeros(*ids.shape, 32)] * 5)


@pytest.mark.parametrize(("ahead", "right"), [(1, True), (0, False), (2, False)])
def test_slot_k_is_trained_on_the_token_after_its_position(
    tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch, ahead: int, right: bool
) -> None:
    """DSpark's layout: anchor + (gamma-1) masks, slot k at position start+k predicts the token at start+k+1.

    A drafter that by hand says exactly that token has loss 0 against a target that does too, and against none other.
    """
    options = Options("dflash", mask_token_id=4, block_size=5, anchors=6)
    model = new_model(tiny_lab.target.model, options)
    config = model.config
    text = torch.arange(30, 54)[None]
    answer = torch.zeros(1, 24, dtype=torch.bool)
    answer[0, 10:] = True
    asked: list[Tensor] = []

    def block(ids: Tensor, positions: Tensor, _context: object, _seen: object, wanted: Tensor) -> Tensor:
        first, masks = ids.view(-1, 5)[:, 0], ids.view(-1, 5)[:, 1:]
        assert first.equal(text[0, positions.view(-1, 5)[:, 0]]) and masks.eq(config.mask_token_id).all()
        asked.append(positions)
        following = text[0, (positions + 1).clamp(max=23)]
        return 30 * torch.nn.functional.one_hot(following.flatten()[wanted], config.vocab_size).float()

    monkeypatch.setattr(model, "block", block)
    model.lm_head.weight = torch.nn.Parameter(torch.eye(config.vocab_size), requires_grad=False)
    losses = Objective(model, OnePlaceOff(config.vocab_size, ahead), lambda step: Batch(text, answer))(0)
    assert asked[0].view(-1, 5).diff(dim=1).eq(1).all()
    assert float(losses["ce"]) == pytest.approx(0, abs=1e-6), "the labels are the following tokens"
    assert (float(losses["tv"]) < 1e-6) is right, "and the target's rows are those that predict them"


def test_tensor_names_are_deepspecs(tiny_lab: Lab, tiny_folder: Path) -> None:
    """The tensors of DeepSpec's checkpoints, in full."""
    layer = ["input_layernorm", "post_attention_layernorm"]
    layer += [f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm")]
    layer += [f"mlp.{name}" for name in ("gate_proj", "up_proj", "down_proj")]
    top = ("embed_tokens", "fc", "hidden_norm", "norm", "lm_head", "confidence_head.proj")
    expected = {f"{name}.weight" for name in top}
    expected |= {f"layers.{n}.{name}.weight" for n in range(2) for name in layer}
    expected |= {"markov_head.markov_w1.weight", "markov_head.markov_w2.weight", "confidence_head.proj.bias"}
    tensors = load_file(tiny_folder / "dspark" / "model.safetensors")
    assert set(tensors) == expected
    assert tensors["markov_head.markov_w1.weight"].shape == tensors["markov_head.markov_w2.weight"].shape == (320, 8)
    assert set(tiny_lab.drafter.model.state_dict()) == expected


def test_a_config_survives_its_file(tiny_lab: Lab) -> None:
    config = tiny_lab.drafter.config
    assert isinstance(tiny_lab.drafter, DSparkDrafter)
    assert DSparkConfig.from_json(config.to_json()) == config
