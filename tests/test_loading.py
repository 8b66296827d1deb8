"""Loading: a pair that is whole loads without the internet; one that is not is refused, and the message names why."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from dspark_lab import LabError, Settings, load
from dspark_lab.checkpoints import revision, weight_files
from dspark_lab.loading import Lab, ready_kinds


@pytest.fixture(autouse=True)
def unplugged(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """No socket reaches anything; the attempts are kept."""
    attempts: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        attempts.append(arguments)
        raise OSError("the network is unplugged")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return attempts


@pytest.fixture
def pair(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny pair, to be damaged."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "pair"))


def edit(file: Path, **changes: Any) -> None:
    config = json.loads(file.read_text())
    config.update(changes)
    file.write_text(json.dumps({name: value for name, value in config.items() if value is not ...}))


def refused(pair: Path, message: str) -> str:
    with pytest.raises(LabError, match=message) as caught:
        load(pair / "target", pair / "dspark", device="cpu")
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def test_a_whole_pair_loads_and_decodes_without_the_internet(pair: Path, unplugged: list[Any]) -> None:
    lab = load(str(pair / "target"), str(pair / "dspark"), device="cpu")
    assert len(lab.session("Tom", Settings(max_new_tokens=5)).run().tokens) == 5
    assert unplugged == []


def test_what_was_loaded_is_named(tiny_lab: Lab, tiny_folder: Path) -> None:
    target, drafter = tiny_lab.target.info, tiny_lab.drafter.info
    assert (target.name, target.kind, target.block_size) == ("target", "target", None)
    assert (drafter.name, drafter.kind, drafter.block_size) == ("dspark", "dspark", 5)
    assert drafter.revision == revision([tiny_folder / "dspark" / "model.safetensors"])
    assert len(target.revision) == 12 and target.revision != drafter.revision
    assert drafter.parameters == sum(
        t.numel() for t in load_file(tiny_folder / "dspark" / "model.safetensors").values()
    )


def test_a_target_alone_decodes_one_by_one(pair: Path) -> None:
    lab = load(pair / "target", device="cpu")
    assert lab.drafter is None
    assert len(lab.session("Tom", Settings(max_new_tokens=3)).run().rounds) == 3


def test_the_pocket_pair_needs_no_internet(unplugged: list[Any]) -> None:
    lab = load(device="cpu")
    assert (lab.target.info.name, lab.drafter.info.name) == ("pocket/target", "pocket/dspark")
    assert unplugged == []


@pytest.mark.parametrize("part", ["target", "dspark"])
def test_a_missing_weight_file_is_named(pair: Path, part: str) -> None:
    (pair / part / "model.safetensors").unlink()
    refused(pair, rf"{part}/model\.safetensors is missing: download the model again")


@pytest.mark.parametrize("part", ["target", "dspark"])
def test_pickled_weights_are_never_read(pair: Path, part: str) -> None:
    weights = pair / part / "model.safetensors"
    torch.save(load_file(weights), pair / part / "pytorch_model.bin")
    weights.unlink()
    refused(pair, r"model\.safetensors is missing \(there are pickled weights, which this lab does not read\)")


@pytest.mark.parametrize("part", ["target", "dspark"])
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_weight_file_is_named_with_its_size(pair: Path, part: str, share: float) -> None:
    weights = pair / part / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: int(len(whole) * share)])
    refused(pair, rf"{part}/model\.safetensors \([\d,]+ bytes\) is truncated or damaged .*: download the model again")


def test_a_missing_shard_is_named(pair: Path) -> None:
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    (pair / "target" / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(pair, r"model-00001-of-00002\.safetensors is missing")
    assert weight_files(pair / "dspark") == [pair / "dspark" / "model.safetensors"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "\x00\x01", '{"weight_map": []}'])
def test_a_broken_index_is_named(pair: Path, text: str) -> None:
    (pair / "target" / "model.safetensors.index.json").write_text(text)
    refused(pair, r"model\.safetensors\.index\.json")


@pytest.mark.parametrize("part", ["target", "dspark"])
@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00\x01"])
def test_a_broken_config_is_named(pair: Path, part: str, text: str) -> None:
    (pair / part / "config.json").write_text(text)
    refused(pair, part)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_target_without_its_parts_is_named(pair: Path, name: str) -> None:
    (pair / "target" / name).unlink()
    refused(pair, "target in .* cannot be loaded")


def test_a_drafter_without_config_is_named(pair: Path) -> None:
    (pair / "dspark" / "config.json").unlink()
    refused(pair, r"dspark/config\.json.* cannot be read")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 64}, "made for another target: its hidden size is 64, the target's 32.*Choose the drafter"),
        ({"vocab_size": 151_936}, "its vocabulary is 151,936, the target's 320"),
        ({"num_target_layers": 36}, "its number of target layers is 36, the target's 4"),
        ({"intermediate_size": 64}, "does not fit its own config.json"),
        ({"num_hidden_layers": 3}, r"lacks 'layers\.2\."),
        ({"num_hidden_layers": 1}, r"describes no 'layers\.1\."),
        ({"architectures": ["LlamaModel"]}, r"architecture is \['LlamaModel'\]"),
        ({"architectures": ...}, "architecture is None"),
        ({"block_size": ...}, "lacks 'block_size'"),
        ({"target_layer_ids": [0, 1, 3]}, "none may be the last"),
        ({"target_layer_ids": []}, "at least one"),
        ({"markov_head_type": "lstm"}, "markov_head_type is 'lstm'; this loader reads vanilla, gated, rnn"),
        ({"markov_head_type": "rnn"}, r"lacks 'markov_head\.joint_proj\.bias' \(2 tensors in all\)"),
        ({"hidden_size": "wide"}, "hidden_size is 'wide', but must be a whole number from 1"),
        ({"block_size": 0}, "block_size is 0, but must be a whole number from 1"),
    ],
)
def test_a_drafter_that_does_not_fit_is_named(pair: Path, changes: dict[str, Any], message: str) -> None:
    edit(pair / "dspark" / "config.json", **changes)
    refused(pair, message)


def test_a_drafter_that_lacks_a_tensor_is_named(pair: Path) -> None:
    weights = pair / "dspark" / "model.safetensors"
    tensors = load_file(weights)
    del tensors["markov_head.markov_w1.weight"]
    save_file(tensors, weights)
    refused(pair, r"lacks 'markov_head\.markov_w1\.weight' \(1 tensors in all\)")


def test_rank_0_is_dflash(pair: Path) -> None:
    weights = pair / "dspark" / "model.safetensors"
    kept = {name: t for name, t in load_file(weights).items() if not name.startswith(("markov", "confidence"))}
    save_file(kept, weights)
    edit(pair / "dspark" / "config.json", markov_rank=0, enable_confidence_head=False)
    lab = load(pair / "target", pair / "dspark", device="cpu")
    assert lab.drafter.info.kind == "dflash"
    position = lab.session("Tom", Settings(gamma=1)).step().positions[0]
    assert (position.bias, position.confidence, position.survival) == (None, None, None)


@pytest.mark.parametrize(
    "source",
    [
        Path("/no/such/folder"),
        "/no/such/folder",
        "./nowhere",
        "~/no-such-folder-here",
        "nowhere",
        "a/b/c",
        "a" * 300,
        "~nobody-by-this-name/x",
    ],
)
def test_what_is_no_folder_and_no_hub_id_is_said_to_be_neither(source: str | Path, unplugged: list[Any]) -> None:
    with pytest.raises(LabError, match="is no folder, and no hub id of the form owner/name either"):
        load(source, device="cpu")
    assert unplugged == []


@pytest.mark.parametrize("nothing", ["", "  ", 5, b"here"])
def test_what_names_nothing_is_refused_rather_than_taken_for_the_pocket_pair(nothing: Any) -> None:
    for models in ({"target": nothing}, {"drafter": nothing}):
        what = next(iter(models))
        with pytest.raises(LabError, match=rf"the {what} is .*, but must name a folder or a hub id.*leave it out"):
            load(**models, device="cpu")
    with pytest.raises(LabError, match="device '' cannot be used"):
        load(device="")


def test_a_hub_id_that_cannot_be_reached_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        LabError, match="target 'nobody/no-such-model' is not in the local cache and could not be downloaded"
    ):
        load("nobody/no-such-model", device="cpu")


def test_weights_that_code_would_have_to_be_run_for_are_refused(pair: Path) -> None:
    """A config that points to Python beside it: the file is never imported."""
    (pair / "target" / "modeling_evil.py").write_text(f"open({str(pair / 'ran')!r}, 'w').close()\nclass Evil: pass\n")
    edit(
        pair / "target" / "config.json",
        model_type="evil",
        auto_map={"AutoConfig": "modeling_evil.Evil", "AutoModelForCausalLM": "modeling_evil.Evil"},
    )
    refused(pair, "target in .* cannot be loaded")
    assert not (pair / "ran").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target_layer_ids", 3), ("target_layer_ids", ["a"]), ("markov_rank", "64"), ("markov_rank", -2),
        ("mask_token_id", 99999), ("mask_token_id", "x"), ("block_size", 100_000), ("rms_norm_eps", "x"),
        ("rope_theta", "x"), ("max_position_embeddings", -5), ("max_position_embeddings", 8),
    ],
)  # fmt: skip
def test_a_drafter_config_with_a_wrong_value_is_named(
    tiny_folder: Path, tmp_path: Path, field: str, value: object
) -> None:
    shutil.copytree(tiny_folder / "dspark", tmp_path / "dspark")
    file = tmp_path / "dspark" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    with pytest.raises(LabError, match=field.split("_")[0] + "|positions"):
        load(tiny_folder / "target", tmp_path / "dspark", device="cpu")


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer.json"])
def test_a_broken_file_of_the_target_is_one_clear_message(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(tiny_folder / "target", tmp_path / "target")
    (tmp_path / "target" / name).write_text('{"model":{"type":"Nope"}}' if name.endswith("json") else "{% if %}")
    with pytest.raises(LabError):
        load(tmp_path / "target", device="cpu").session("Hi")


def test_a_mistyped_folder_does_not_reach_for_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(LabError, match="no folder"):
        load("models/typo", device="cpu")


def test_every_ready_kind_loads_beside_the_same_target(pocket_lab: Lab) -> None:
    kinds = ready_kinds()
    assert "dspark" in kinds
    for name in kinds:
        other = pocket_lab.with_drafter(name)
        assert other.target is pocket_lab.target and other.drafter.info.kind == name
    assert pocket_lab.with_drafter(None).block_size == 0


def test_a_kind_without_weights_for_this_target_says_where_to_get_them(tiny_lab: Lab) -> None:
    with pytest.raises(LabError, match="'dspark' ships for the pocket target only.*train drafter"):
        tiny_lab.with_drafter("dspark")
