"""Eagle3: DeepSpec's numbers, its tensor names, and the same view at training as at inference."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dspark_lab.drafters.autoregressive import AutoregressiveDrafter
from dspark_lab.drafters.eagle3 import Eagle3Config, Eagle3Model
from dspark_lab.errors import LabError
from dspark_lab.loading import Lab, load
from dspark_lab.trace import ModelInfo
from dspark_lab.training.eagle3 import Objective, new_model
from dspark_lab.training.kinds import Options
from dspark_lab.training.pocket import save_drafter

GOLDEN = json.loads(Path(__file__).with_name("eagle3_golden.json").read_text())
"""What DeepSpec's ``Qwen3Eagle3Model`` (transformers 5.23, float32, CPU) makes of ``golden_inputs`` with the weights of
``seeded``: ``drafts``, per number of committed tokens the greedy draft after the next one and 8 of its logits at each step,
computed as ``Qwen3Eagle3Evaluator`` does; ``training``, the same of the training-time test (``compute_eagle3_loss``), per
step and position."""
CONFIG = Eagle3Config(
    vocab_size=61,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=1,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=64,
    num_target_layers=6,
    target_layer_ids=(0, 2, 4),
    ttt_length=7,
)
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def seeded(model: nn.Module) -> nn.Module:
    """Weights by name: each tensor from a generator seeded by its place in the alphabetical order, norms around 1."""
    with torch.no_grad():
        for place, (name, p) in enumerate(sorted(model.named_parameters())):
            noise = torch.randn(p.shape, generator=torch.Generator().manual_seed(place))
            p.copy_(1 + 0.1 * noise if "norm" in name else 0.3 * noise)
    return model.eval()


def golden_inputs() -> tuple[Tensor, list[int]]:
    """The target's taps [16, 96] of 16 tokens, and the tokens."""
    g = torch.Generator().manual_seed(100)
    return torch.randn(16, 96, generator=g), torch.randint(0, 61, (16,), generator=g).tolist()


def argmax(k: int, logits: Tensor) -> int:
    return int(logits.argmax())


@pytest.mark.parametrize("length", [12, 15])
def test_drafts_are_deepspecs(length: int) -> None:
    """After a prompt of 12 tokens, and after a round that committed 3 more."""
    taps, tokens = golden_inputs()
    drafter = AutoregressiveDrafter(seeded(Eagle3Model(CONFIG)), ModelInfo("golden", "eagle3", "", 0, 7))
    state = drafter.new_state()
    drafter.commit(state, tokens[:12], taps[:12])
    seen: list[Tensor] = []

    def greedy(k: int, logits: Tensor) -> int:
        seen.append(logits[:8].clone())
        return argmax(k, logits)

    draft = drafter.propose(state, tokens[12], 7, argmax)
    if length > 12:
        drafter.commit(state, tokens[12:length], taps[12:length])
    draft = drafter.propose(state, tokens[length], 7, greedy)
    golden = GOLDEN["drafts"][str(length)]
    assert draft.tokens == golden["tokens"]
    torch.testing.assert_close(torch.stack(seen), torch.tensor(golden["logits"]), **CLOSE)


def test_the_training_time_test_is_deepspecs() -> None:
    taps, tokens = golden_inputs()
    model = seeded(Eagle3Model(CONFIG))
    ids, anchors = torch.tensor([tokens]), torch.arange(1, 10)  # the pair of anchor a has DeepSpec's position a - 1
    places = (anchors[:, None] + torch.arange(7))[None]
    with torch.no_grad():
        states = taps[None], torch.zeros(1, 16, 32)
        hidden = Objective(model, None, None).hidden(ids, places, states, torch.arange(63))
        logits = model.lm_head(hidden).view(9, 7, -1)[..., :8].transpose(0, 1)  # [step, anchor, 8]
    torch.testing.assert_close(logits, torch.tensor(GOLDEN["training"]), **CLOSE)


@pytest.fixture(scope="module")
def folder(tiny_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("eagle3") / "drafter"
    options = Options("eagle3", mask_token_id=4, block_size=5, taps=(0, 1, 2))
    save_drafter(seeded(new_model(tiny_lab.target.model, options)), path)
    return path


def test_tensor_names_are_deepspecs(folder: Path) -> None:
    """The tensors of DeepSpec's checkpoints, in full."""
    layer = ["hidden_norm", "input_layernorm", "post_attention_layernorm"]
    layer += [f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "o_proj", "q_norm", "k_norm")]
    layer += [f"mlp.{name}" for name in ("gate_proj", "up_proj", "down_proj")]
    expected = {f"{name}.weight" for name in ("embed_tokens", "fc", "norm", "lm_head")}
    expected |= {f"layers.0.{name}.weight" for name in layer}
    tensors = load_file(folder / "model.safetensors")
    assert set(tensors) == expected
    assert tensors["layers.0.self_attn.q_proj.weight"].shape == (32, 64), "[norm(embedding); norm(hidden)]"
    assert tensors["fc.weight"].shape == (32, 96)


def test_a_config_survives_its_file_and_bears_deepspecs_names() -> None:
    config = CONFIG.to_json()
    assert config["architectures"] == ["Qwen3Eagle3Model"]
    assert {"ttt_length", "step_loss_decay", "draft_num_hidden_layers", "target_layer_ids"} <= set(config)
    assert Eagle3Config.from_json(json.loads(json.dumps(config))) == CONFIG


def test_a_checkpoint_drafts_with_its_target(tiny_folder: Path, folder: Path) -> None:
    lab = load(tiny_folder / "target", folder, device="cpu")
    assert (lab.drafter.info.kind, lab.drafter.block_size, lab.drafter.tap_layers) == ("eagle3", 5, (0, 1, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_hidden_layers": 2}, "2 layers"),
        ({"target_layer_ids": [0, 5]}, "none may be the last"),
        ({"ttt_length": 0}, "ttt_length is 0"),
        ({"architectures": ["LlamaForCausalLMEagle3"]}, "this loader reads Qwen3Eagle3Model"),
    ],
)
def test_what_it_cannot_read_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(LabError, match=message):
        Eagle3Config.from_json({**CONFIG.to_json(), **change})
