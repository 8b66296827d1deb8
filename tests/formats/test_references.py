"""Checkpoints of other projects, read by this lab, draft as the code that they come from.

``drafts_golden.json`` holds, for each architecture, the ``config.json`` that the reference code wrote and what it drafted
greedily with the weights and inputs of ``recipes.py``, in float32 on a CPU (torch 2.13.0, transformers 5.10.2): after a
prompt of 12 tokens, and after 3 more were committed. For DeepSpec (github.com/deepseek-ai/DeepSpec, commit
afdfa7c9382a3341a3e6f17756dd816da79f132c) they are of ``build_draft_config``, ``forward_dspark_draft_block`` and
``build_dspark_proposal``, and of ``Gemma4Eagle3Model`` called as ``Qwen3Eagle3Evaluator`` calls it; for z-lab
(github.com/z-lab/dflash, commit 44947fbf71114e241c96de194f4b382b5dd330d0) of ``DFlashDraftModel`` called as
``dflash_generate`` calls it. "logits" are the first columns of the rows that the tokens are
the argmax of: with the sequential head's bias.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, Gemma4TextConfig, PreTrainedConfig, Qwen3Config

from dspark_lab import Session, Settings
from dspark_lab.drafters.dspark import DSparkDrafter
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.drafters.gemma4 import Gemma4Config, Gemma4DSparkModel
from dspark_lab.drafters.gemma4_eagle3 import Gemma4Eagle3Config, Gemma4Eagle3Model
from dspark_lab.drafters.zlab import ZLabConfig
from dspark_lab.loading import load_drafter
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo
from tests.formats import recipes
from tests.scripted import LETTERS, ScriptedTokenizer

GOLDEN: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("drafts_golden.json").read_text())
KINDS = {"vanilla": "dspark", "gated": "dspark-gated", "rnn": "dspark-rnn", "": "dflash"}
MODELS = {
    config.architecture: (config, model)
    for config, model in (
        (DSparkConfig, DSparkModel),
        (Gemma4Config, Gemma4DSparkModel),
        (Gemma4Eagle3Config, Gemma4Eagle3Model),
        (ZLabConfig, DSparkModel),
    )
}
SIZES = {
    "vocab_size": recipes.VOCAB,
    "hidden_size": recipes.HIDDEN,
    "intermediate_size": 48,
    "num_hidden_layers": recipes.DEPTH,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
    "pad_token_id": None,
    "eos_token_id": None,
    "bos_token_id": None,
    "initializer_range": 0.2,
}
TARGETS: dict[str, PreTrainedConfig] = {
    "qwen3": Qwen3Config(**SIZES),
    "gemma4": Gemma4TextConfig(
        **SIZES,
        global_head_dim=16,
        hidden_size_per_layer_input=0,
        sliding_window=16,
        layer_types=[*["sliding_attention"] * 5, "full_attention"],
    ),
}


class Letters(ScriptedTokenizer):
    eos_token_id = None

    def decode(self, ids: list[int], **_: object) -> str:
        return "".join(LETTERS[i % len(LETTERS)] for i in ids)


def tensors_of(config: dict[str, Any]) -> dict[str, Tensor]:
    """The recipe's weights for what a ``config.json`` describes."""
    kind, model = MODELS[config["architectures"][0]]
    shapes = recipes.shapes_of(model(kind.from_json(config)))
    if kind is ZLabConfig:
        shapes = {name: shape for name, shape in shapes.items() if name not in recipes.targets_own()}
    return recipes.weights(shapes)


def target_for(name: str) -> Target:
    """A target of random weights, its embedding and LM head the recipe's."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(TARGETS["gemma4" if name.startswith("gemma4") else "qwen3"])
    own = recipes.targets_own()
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(own["embed_tokens.weight"])
        model.get_output_embeddings().weight.copy_(own["lm_head.weight"])
    info = ModelInfo("random", "target", "0" * 12, 0)
    return Target(model.requires_grad_(False), Letters(), info)  # type: ignore[arg-type]


@pytest.fixture(params=GOLDEN)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, Any], DSparkDrafter, Target]:
    """What the reference made of a checkpoint, the checkpoint loaded here, and its target."""
    golden, target = GOLDEN[request.param], target_for(request.param)
    folder = recipes.write(tmp_path / "drafter", golden["config"], tensors_of(golden["config"]))
    return golden, load_drafter(folder, target), target


def test_drafts_are_the_references(case: tuple[dict[str, Any], DSparkDrafter, Target]) -> None:
    golden, drafter, _ = case
    taps, tokens = recipes.inputs()
    state, start = drafter.new_state(), 0
    for expected, end in zip(golden["rounds"], (recipes.PROMPT, recipes.PROMPT + recipes.MORE), strict=True):
        drafter.commit(state, tokens[start:end], taps[start:end])
        start, rows = end, []

        def greedy(k: int, logits: Tensor, rows: list[Tensor] = rows) -> int:
            rows.append(logits.clone())
            return int(logits.argmax())

        draft = drafter.propose(state, tokens[end], drafter.block_size, greedy)
        assert draft.tokens == expected["tokens"]
        assert draft.confidence == pytest.approx(expected["confidence"], abs=1e-4)
        drawn_from = torch.stack(rows)[:, : recipes.COLUMNS]
        torch.testing.assert_close(drawn_from, torch.tensor(expected["logits"]), atol=1e-4, rtol=1e-4)


def test_what_was_loaded_is_told(case: tuple[dict[str, Any], DSparkDrafter, Target]) -> None:
    golden, drafter, _ = case
    config = golden["config"]
    head = config["markov_head_type"] if config.get("markov_rank") else ""
    assert drafter.info.kind == ("eagle3" if "ttt_length" in config else KINDS[head])
    assert drafter.info.block_size == drafter.block_size == len(golden["rounds"][0]["tokens"])
    assert drafter.info.parameters == sum(t.numel() for t in tensors_of(config).values())


def test_what_a_file_lacks_is_the_targets_own(tmp_path: Path) -> None:
    """Not a copy: of a large vocabulary it would weigh more than the drafter."""
    config, target = GOLDEN["zlab-dflash"]["config"], target_for("zlab-dflash")
    drafter = load_drafter(recipes.write(tmp_path / "drafter", config, tensors_of(config)), target)
    assert drafter.model.lm_head.weight.data_ptr() == target.model.lm_head.weight.data_ptr()
    assert drafter.model.embed_tokens.weight.data_ptr() == target.model.get_input_embeddings().weight.data_ptr()


def test_it_decodes_with_its_target(case: tuple[dict[str, Any], DSparkDrafter, Target]) -> None:
    """At temperature 0 a session with the drafter emits what the target alone does."""
    _, drafter, target = case
    settings = Settings(max_new_tokens=12, temperature=0.0)
    with_drafter, alone = (Session(target, d, "abab", settings).run() for d in (drafter, None))
    assert with_drafter.tokens == alone.tokens
    assert len(with_drafter.rounds) <= len(alone.rounds) == 12
