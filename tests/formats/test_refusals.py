"""Other projects' checkpoints that are whole load, from one file or many and from the offline cache; what does not fit its
target or is damaged is refused, and the message says which file or field, and what to do."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dspark_lab import LabError
from dspark_lab.loading import Lab, load_drafter
from dspark_lab.target import Target
from tests.formats import recipes
from tests.formats.test_references import GOLDEN, target_for, tensors_of


@pytest.fixture(scope="module", params=["qwen3-gated", "gemma4-vanilla", "zlab-dflash"])
def pair(request: pytest.FixtureRequest) -> tuple[str, Target]:
    return request.param, target_for(request.param)


@pytest.fixture(autouse=True)
def unplugged(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("the network is unplugged")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def write(folder: Path, name: str, shards: int = 1, **changes: Any) -> Path:
    config = GOLDEN[name]["config"]
    changed = {field: value for field, value in {**config, **changes}.items() if value is not ...}
    return recipes.write(folder, changed, tensors_of(config), shards)


def refused(folder: Path | str, target: Target, message: str) -> None:
    with pytest.raises(LabError, match=message):
        load_drafter(folder, target)


def drafts_as_before(name: str, drafter: Any) -> bool:
    taps, tokens = recipes.inputs()
    state = drafter.new_state()
    drafter.commit(state, tokens[: recipes.PROMPT], taps[: recipes.PROMPT])
    draft = drafter.propose(state, tokens[recipes.PROMPT], drafter.block_size, lambda k, row: int(row.argmax()))
    return draft.tokens == GOLDEN[name]["rounds"][0]["tokens"]


def test_shards_are_read_through_their_index(pair: tuple[str, Target], tmp_path: Path) -> None:
    name, target = pair
    folder = write(tmp_path / "drafter", name, shards=3)
    assert len(list(folder.glob("*.safetensors"))) == 3
    assert drafts_as_before(name, load_drafter(folder, target))


def test_a_hub_id_in_the_cache_loads_offline(
    pair: tuple[str, Target], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``HF_HOME/hub/models--owner--name/{refs/main, snapshots/<commit>}``, as a download leaves it."""
    name, target = pair
    home = tmp_path / "hub" / "models--owner--drafter"
    commit = "0123456789abcdef0123456789abcdef01234567"
    write(home / "snapshots" / commit, name)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    drafter = load_drafter("owner/drafter", target)
    assert drafter.info.name == "owner/drafter" and drafts_as_before(name, drafter)


def test_a_truncated_shard_is_named(pair: tuple[str, Target], tmp_path: Path) -> None:
    name, target = pair
    shard = write(tmp_path / "drafter", name, shards=3) / "model-00002-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    refused(
        shard.parent, target, r"model-00002-of-00003\.safetensors .* is truncated or damaged .*download the model again"
    )
    shard.unlink()
    refused(shard.parent, target, r"model-00002-of-00003\.safetensors is missing: download the model again")


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "model.pt", "weights.pth"])
def test_pickles_are_never_read(pair: tuple[str, Target], tmp_path: Path, pickle: str) -> None:
    name, target = pair
    folder = write(tmp_path / "drafter", name)
    torch.save(load_file(folder / "model.safetensors"), folder / pickle)
    (folder / "model.safetensors").unlink()
    refused(folder, target, r"is missing \(there are pickled weights, which this lab does not read\)")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architectures": ["Qwen9Model"]},
            r"architecture is \['Qwen9Model'\]; this lab reads Qwen3DSparkModel, Gemma4",
        ),
        ({"hidden_size": 64}, "made for another target: its hidden size is 64, the target's 32.*Choose the drafter"),
        ({"vocab_size": 151_936}, "its vocabulary is 151,936, the target's 61"),
        ({"num_target_layers": 36}, "its number of target layers is 36, the target's 6"),
        ({"max_position_embeddings": 8}, "has 8 positions, the target 64"),
        ({"attention_bias": True}, "attention_bias is True; this lab computes layers where it is False"),
        ({"intermediate_size": 64}, "does not fit its own config.json"),
        ({"num_hidden_layers": 3}, r"lacks 'layers\.2\."),
    ],
)
def test_what_does_not_fit_is_named(
    pair: tuple[str, Target], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    name, target = pair
    refused(write(tmp_path / "drafter", name, **changes), target, message)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("qwen3-gated", {"hidden_act": "gelu"}, "hidden_act is 'gelu'; this lab computes layers where it is 'silu'"),
        ("qwen3-gated", {"layer_types": ["full_attention", "sliding_attention"]}, "layers of type 'sliding_attention'"),
        ("qwen3-gated", {"layer_types": ..., "use_sliding_window": True}, "layers of type 'sliding_attention'"),
        ("qwen3-gated", {"rope_parameters": {"rope_type": "yarn"}}, "rope_type is 'yarn'; this lab computes 'default'"),
        ("qwen3-gated", {"rope_parameters": ..., "rope_scaling": {"type": "linear"}}, "rope_type is 'linear'"),
        ("gemma4-vanilla", {"enable_moe_block": True}, "enable_moe_block is True"),
        ("gemma4-vanilla", {"hidden_size_per_layer_input": 256}, "hidden_size_per_layer_input is 256"),
        ("gemma4-vanilla", {"global_head_dim": ...}, "lacks 'global_head_dim'"),
        ("gemma4-vanilla", {"num_global_key_value_heads": ...}, "lacks 'num_global_key_value_heads'"),
        ("gemma4-vanilla", {"rope_parameters": None}, "rope_parameters of full_attention are None"),
        (
            "gemma4-vanilla",
            {"final_logit_softcapping": -1},
            "final_logit_softcapping is -1, but must be a number above 0",
        ),
        ("zlab-dflash", {"dflash_config": ...}, "lacks 'dflash_config'"),
        ("zlab-dflash", {"dflash_config": {"mask_token_id": 60}}, "lacks 'target_layer_ids'"),
        ("zlab-dflash", {"block_size": 1}, "block_size is 1, an anchor without masks"),
    ],
)
def test_what_this_lab_does_not_compute_is_named(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    refused(write(tmp_path / "drafter", name, **changes), target_for(name), message)


def test_a_tokenizer_that_numbers_tokens_otherwise_is_named(tiny_folder: Path, tiny_lab: Lab, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder / "dspark", tmp_path / "drafter"))
    shutil.copy(tiny_folder / "target" / "tokenizer.json", folder)
    assert load_drafter(folder, tiny_lab.target).info.kind == "dspark", "the target's own will do"
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    first, second = (next(t for t, place in vocabulary.items() if place == i) for i in (60, 61))
    vocabulary[first], vocabulary[second] = 61, 60
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(folder, tiny_lab.target, "made for another tokenizer: its token 6[01] is .*Choose the drafter")
    (folder / "tokenizer.json").write_text("{")
    refused(folder, tiny_lab.target, r"tokenizer\.json cannot be read: .*download the model again")
