"""Draft models, early exit, prompt lookup, Medusa and blockwise heads: what each of them in particular does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from dspark_lab import LabError, Overrides, Session, Settings
from dspark_lab.drafters import early_exit, prompt_lookup
from dspark_lab.drafters.draft_model import ModelDrafter
from dspark_lab.loading import Lab, load_drafter
from dspark_lab.target import FINAL, Target
from dspark_lab.training.batches import Batch, answer_row, collate
from dspark_lab.training.kinds import Options, training_of
from dspark_lab.training.pocket import save_drafter
from tests.scripted import ScriptedTarget, endless, table

PROMPT = list(range(20, 60))
CLOSE = {"atol": 1e-4, "rtol": 1e-4}
HEADS = ["medusa", "blockwise"]


def argmax(k: int, logits: Tensor) -> int:
    return int(logits.argmax())


def watched(drafter: Any, state: Any, anchor: int, gamma: int) -> tuple[list[int], Tensor]:
    seen: list[Tensor] = []

    def choose(k: int, logits: Tensor) -> int:
        seen.append(logits)
        return int(logits.argmax())

    return drafter.propose(state, anchor, gamma, choose).tokens, torch.stack(seen)


def new(lab: Lab, kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return training_of(kind).new_model(lab.target.model, Options(kind, mask_token_id=4, **options))


# Draft models


def saved_llama(folder: Path, **changes: Any) -> Path:
    torch.manual_seed(0)
    shape = {
        "vocab_size": 320, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "max_position_embeddings": 256, "initializer_range": 0.3,
    }  # fmt: skip
    LlamaForCausalLM(LlamaConfig(**{**shape, **changes})).save_pretrained(folder)
    return folder


def test_a_draft_model_of_any_architecture_drafts_as_it_would_write(tiny_lab: Lab, tmp_path: Path) -> None:
    drafter = load_drafter(saved_llama(tmp_path), tiny_lab.target)
    assert isinstance(drafter, ModelDrafter) and (drafter.info.kind, drafter.block_size) == ("draft-model", 7)
    plain = LlamaForCausalLM.from_pretrained(tmp_path)
    state = drafter.new_state()
    drafter.commit(state, PROMPT, None)
    for anchor in (5, 6):
        tokens, logits = watched(drafter, state, anchor, 4)
        with torch.inference_mode():
            expected = plain(torch.tensor([[*PROMPT, anchor, *tokens[:-1]]])).logits[0, -4:]
        torch.testing.assert_close(logits, expected, **CLOSE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 321}, "its vocabulary is 321, the target's 320"),
        ({"max_position_embeddings": 64}, "has 64 positions, the target 256"),
    ],
)
def test_a_draft_model_that_does_not_fit_is_named(
    tiny_lab: Lab, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(LabError, match=message):
        load_drafter(saved_llama(tmp_path, **changes), tiny_lab.target)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 3}, r"lacks 'model\.layers\.2\..*tensors in all"),
        ({"block_size": 0}, "block_size .* is 0"),
        ({"model_type": "unheard-of"}, "the drafter in .* cannot be loaded"),
    ],
)
def test_a_damaged_draft_model_is_named(tiny_lab: Lab, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    file = saved_llama(tmp_path) / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    with pytest.raises(LabError, match=message):
        load_drafter(tmp_path, tiny_lab.target)


def test_what_was_drafted_and_kept_is_not_run_again(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    drafter = early_exit.make(tiny_lab.target)
    state, forward, runs = drafter.new_state(), drafter.model.forward, []
    drafter.commit(state, PROMPT, None)

    def counted(cache: Any, tokens: list[int], *rest: Any, **more: Any) -> Any:
        runs.append(list(tokens))
        return forward(cache, tokens, *rest, **more)

    monkeypatch.setattr(drafter.model, "forward", counted)
    a, b, c = drafter.propose(state, 5, 3, argmax).tokens
    assert runs == [[5], [a], [b]]
    drafter.commit(state, [5, a], None)
    assert state.cache.length == len(PROMPT) + 2
    drafter.propose(state, 9, 1, argmax)
    drafter.commit(state, [9], None)
    a, b, c = drafter.propose(state, 5, 3, argmax).tokens
    drafter.commit(state, [5, a, b, c], None)  # all kept: only the last has not been run
    del runs[:]
    drafter.propose(state, 7, 1, argmax)
    assert runs == [[c, 7]]


# Early exit


def test_an_early_exit_is_the_lm_head_on_an_inner_layer(either_target: Target) -> None:
    either_target.tap((0, FINAL))  # another drafter's taps are on the layers that are shared
    drafter = early_exit.make(either_target, layers=3)
    state = drafter.new_state()
    drafter.commit(state, PROMPT, None)
    tokens, logits = watched(drafter, state, 5, 3)
    model: Any = either_target.model
    with torch.inference_mode():
        out = model(torch.tensor([[*PROMPT, 5, *tokens[:-1]]]), output_hidden_states=True, use_cache=False)
        expected = model.lm_head(model.model.norm(out.hidden_states[3][0, -3:]))
    torch.testing.assert_close(logits, expected, **CLOSE)
    assert len(model.model.layers) == 4 and model.config.num_hidden_layers == 4, "the target is whole"


def test_an_early_exit_holds_no_weights_of_its_own(either_target: Target) -> None:
    view = either_target.first_layers(2)
    own = {p.data_ptr() for p in either_target.model.parameters()}
    assert {p.data_ptr() for p in view.model.parameters()} < own
    assert early_exit.make(either_target).info.parameters == 0


def test_an_exit_after_the_last_layer_is_always_right(either_target: Target) -> None:
    lab = Lab(either_target, early_exit.make(either_target, layers=4))
    session = lab.session("Tom has 12 apples.", Settings(seed=1, max_new_tokens=24)).run()
    assert all(r.accepted == r.gamma for r in session.rounds)


@pytest.mark.parametrize("layers", [0, 5])
def test_there_is_no_exit_after_a_layer_that_is_not_there(tiny_lab: Lab, layers: int) -> None:
    with pytest.raises(LabError, match=f"after layer {layers}, but the target has 4: choose 1 to 4"):
        early_exit.make(tiny_lab.target, layers)


# Prompt lookup


@pytest.mark.parametrize(
    ("text", "gamma", "expected"),
    [
        ([1, 2, 3, 4, 1, 2], 2, [3, 4]),
        ([1, 2, 3, 9, 2, 4, 1, 2], 2, [3, 9]),  # two tokens fit before one does, however long ago
        ([1, 2, 3, 1, 2, 4, 1, 2], 2, [4, 1]),  # of two places the later
        ([7, 1, 2, 1, 2], 5, [1, 2, 1, 2, 1]),  # the copy runs into itself
        ([1, 2, 3], 5, []),
        ([1], 5, []),
    ],
)
def test_prompt_lookup_copies_what_followed(text: list[int], gamma: int, expected: list[int]) -> None:
    drafter = prompt_lookup.make(ScriptedTarget(table(10, 0), 10))  # type: ignore[arg-type]
    state = drafter.new_state()
    drafter.commit(state, text[:-1], None)
    assert drafter.propose(state, text[-1], gamma, argmax).tokens == expected


def test_a_draft_may_be_shorter_than_gamma() -> None:
    target = endless(table(6, 1, zeros=0))
    drafter = prompt_lookup.make(target)  # type: ignore[arg-type]
    session = Session(target, drafter, "abc", Settings(gamma=4, max_new_tokens=30))  # type: ignore[arg-type]
    first = session.step()
    assert (first.gamma, first.verify_length, first.accepted, len(first.emitted)) == (0, 0, 0, 1)
    assert {r.gamma for r in session.run().rounds} >= {0, 4}
    assert all(p.p_d == 1 for r in session.rounds for p in r.positions)
    for overrides in (Overrides(tokens={1: 0}), Overrides(uniforms={"accept:1": 0}), Overrides(verify_length=1)):
        with pytest.raises(LabError, match="drafts 0 tokens"):
            session.fork(0, overrides)
    assert session.fork(0).rounds[0].emitted == first.emitted


# Heads on the target's last state


@pytest.mark.parametrize("kind", HEADS)
def test_new_heads_say_what_the_targets_own_says(tiny_lab: Lab, kind: str) -> None:
    model = new(tiny_lab, kind, block_size=3)
    states = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    expected = tiny_lab.target.model.lm_head(states)
    for head in model(states).unbind(-2):
        torch.testing.assert_close(head, expected)
    assert model(states, 2).shape == (2, 2, 320)


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 64}, "its hidden size is 64, the target's 32"),
        ({"vocab_size": 64}, "its vocabulary is 64, the target's 320"),
        ({"block_size": 0}, "block_size is 0, but must be a whole number from 1 to 1024"),
        ({"block_size": None}, "block_size is None"),
        ({"block_size": 9}, "lacks|does not fit its own config"),
        ({"hidden_size": "wide"}, "hidden_size is 'wide'"),
    ],
)
def test_heads_that_do_not_fit_are_named(
    tiny_lab: Lab, tmp_path: Path, kind: str, changes: dict[str, Any], message: str
) -> None:
    save_drafter(new(tiny_lab, kind, block_size=3), tmp_path / "drafter")
    file = tmp_path / "drafter" / "config.json"
    config = json.loads(file.read_text())
    assert config["architectures"] == [f"DSparkLab{kind.capitalize()}Model"]
    file.write_text(json.dumps({**config, **changes}))
    with pytest.raises(LabError, match=message):
        load_drafter(tmp_path / "drafter", tiny_lab.target)


@pytest.mark.parametrize("kind", ["draft-model", *HEADS])
def test_training_lowers_the_loss(tiny_lab: Lab, kind: str) -> None:
    model = new(tiny_lab, kind, block_size=3, anchors=8)
    batch: Batch = collate([answer_row(PROMPT[:10], PROMPT[10:30]), answer_row(PROMPT[:5], [70, 71, 1])], pad=0)
    objective = training_of(kind).Objective(model, tiny_lab.target.model, lambda step: batch)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    losses = []
    for step in range(25):
        loss = objective(step)["loss"]
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    if kind == "blockwise":
        assert model.lm_head.weight.equal(tiny_lab.target.model.lm_head.weight), "the target's LM head is frozen"
