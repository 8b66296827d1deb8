"""MTP: DeepSeek-V3's module on what the LM head reads, applied again for every further token."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from dspark_lab.drafters.mtp import MTPConfig, MTPModel
from dspark_lab.errors import LabError
from dspark_lab.loading import Lab, load
from dspark_lab.training.kinds import Options
from dspark_lab.training.mtp import new_model
from dspark_lab.training.pocket import save_drafter

TEXT = list(range(20, 40))


@pytest.fixture(scope="module")
def folder(tiny_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = new_model(tiny_lab.target.model, Options("mtp", mask_token_id=4, block_size=3))
    for p in model.parameters():
        if p.requires_grad:
            torch.nn.init.normal_(p, mean=float(p.ndim == 1), std=0.2)
    path = tmp_path_factory.mktemp("mtp") / "drafter"
    save_drafter(model, path)
    return path


@pytest.fixture(scope="module")
def lab(tiny_folder: Path, folder: Path) -> Lab:
    return load(tiny_folder / "target", folder, device="cpu")


def test_tensor_names_are_deepseeks(folder: Path) -> None:
    layer = ["input_layernorm", "post_attention_layernorm"]
    layer += [f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm")]
    layer += [f"mlp.{name}" for name in ("gate_proj", "up_proj", "down_proj")]
    expected = {f"{name}.weight" for name in ("embed_tokens", "enorm", "hnorm", "eh_proj", "norm", "lm_head")}
    assert set(load_file(folder / "model.safetensors")) == expected | {f"layers.0.{name}.weight" for name in layer}


def plainly(model: MTPModel, final: Tensor, tokens: list[int], steps: int) -> list[Tensor]:
    """The logits of each greedy draft token from eq. 21-23 written out: the whole sequence of pairs is run again at every
    step, without a cache. ``final`` [n, hidden] is what the LM head reads at the first n of n + 1 ``tokens``."""
    layer, hidden, tokens, seen = model.layers[0], final, list(tokens), []
    for _ in range(steps):
        embedded = model.embed_tokens(torch.tensor(tokens[1:]))
        x = model.eh_proj(torch.cat([model.enorm(embedded), model.hnorm(hidden)], dim=-1))[None]
        normed, n = layer.input_layernorm(x), x.shape[1]
        angle = torch.arange(n)[:, None] / model.config.rope_theta ** (torch.arange(0, 8, 2) / 8)
        cos, sin = torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()
        k, v = layer.self_attn.keys_values(normed, cos, sin)
        out = x + layer.self_attn.attend(normed, cos, sin, k, v, torch.ones(n, n).tril().bool())
        out = (out + layer.mlp(layer.post_attention_layernorm(out)))[0]
        seen.append(model.lm_head(model.norm(out[-1])))
        hidden = torch.cat([hidden, out[-1:]])  # committed pairs keep the target's states, drafted ones take its own
        tokens.append(int(seen[-1].argmax()))
    return seen


def test_drafts_are_the_equations(lab: Lab) -> None:
    seen: list[Tensor] = []

    def greedy(k: int, logits: Tensor) -> int:
        seen.append(logits.clone())
        return int(logits.argmax())

    with torch.inference_mode():
        out = lab.target.model.model(torch.tensor([TEXT[:-1]])).last_hidden_state[0]
        assert torch.allclose(lab.target.model.lm_head(out), lab.target.model(torch.tensor([TEXT[:-1]])).logits[0])
        expected = plainly(lab.drafter.model, out, TEXT, 3)
    lab.target.tap(lab.drafter.tap_layers)
    _, taps = lab.target.forward(lab.target.new_cache(), TEXT[:-1], lab.drafter.tap_layers)
    state = lab.drafter.new_state()
    lab.drafter.commit(state, TEXT[:-1], taps)
    lab.drafter.propose(state, TEXT[-1], 3, greedy)
    torch.testing.assert_close(torch.stack(seen), torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_a_config_survives_its_file(lab: Lab) -> None:
    config = lab.drafter.model.config
    assert MTPConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    with pytest.raises(LabError, match="lacks 'block_size'"):
        MTPConfig.from_json({k: v for k, v in config.to_json().items() if k != "block_size"})


def test_mtp_1_drafts_one_token_a_round(tiny_folder: Path, folder: Path, tmp_path: Path) -> None:
    """The paper's baseline: the same weights with block size 1."""
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "block_size": 1}))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    session = load(tiny_folder / "target", tmp_path, device="cpu").session("hello").run()
    assert {r.gamma for r in session.rounds} <= {0, 1}
