"""Exported drafters are what other projects load.

``speculators_golden.json`` holds, for each checkpoint that the ``speculators`` package can describe, the ``config.json``
that this lab exported and what ``SpeculatorModel.from_pretrained`` (speculators 0.9.0, transformers 5.19.0, torch 2.13.0,
float32 on a CPU) drafted greedily from the exported folder, with the recipe's weights and inputs and a target whose
embedding and LM head are the checkpoint's: base logits of ``_backbone_forward`` at one anchor, ``markov_head.block_bias`` and
``confidence_head``, token by token. The numbers are laid out as in ``drafts_golden.json``. In DeepSpec's format an exported
config is the one that was read.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from dspark_lab import LabError
from dspark_lab.checkpoints import POCKET
from dspark_lab.cli import app
from dspark_lab.formats.export import FORMATS, export
from dspark_lab.loading import Lab, load_drafter
from tests.formats import recipes
from tests.formats.test_references import GOLDEN, target_for, tensors_of

SPECULATORS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("speculators_golden.json").read_text())
TARGET = {"architectures": ["Qwen3ForCausalLM"], "hidden_size": 32, "vocab_size": 61, "num_hidden_layers": 6}
Cli = Callable[..., Any]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """As much of a target as an export reads: its config."""
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "config.json").write_text(json.dumps(TARGET))
    return tmp_path / "target"


def checkpoint(folder: Path, name: str, **changes: Any) -> Path:
    config = GOLDEN[name]["config"]
    return recipes.write(folder, {**config, **changes}, tensors_of(config), shards=2)


def drafts_of(name: str, folder: Path) -> list[dict[str, Any]]:
    drafter, (taps, tokens) = load_drafter(folder, target_for(name)), recipes.inputs()
    rounds = []
    for end in (recipes.PROMPT, recipes.PROMPT + recipes.MORE):
        state, rows = drafter.new_state(), []
        drafter.commit(state, tokens[:end], taps[:end])

        def greedy(k: int, logits: torch.Tensor, rows: list[torch.Tensor] = rows) -> int:
            rows.append(logits[: recipes.COLUMNS].clone())
            return int(logits.argmax())

        draft = drafter.propose(state, tokens[end], drafter.block_size, greedy)
        rounds.append({"tokens": draft.tokens, "logits": torch.stack(rows), "confidence": draft.confidence})
    return rounds


@pytest.mark.parametrize("name", SPECULATORS)
def test_speculators_reads_the_export_and_drafts_the_same(name: str, target: Path, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "drafter", name)
    export(source, "speculators", tmp_path / "out", str(target))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    verifier = config["speculators_config"]["verifier"]
    assert verifier["name_or_path"] == str(target)
    verifier["name_or_path"] = ""
    assert config == SPECULATORS[name]["config"]
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    expected = tensors_of(GOLDEN[name]["config"])
    assert set(tensors) == set(expected) and all(tensors[key].equal(expected[key]) for key in expected)
    for ours, theirs in zip(drafts_of(name, source), SPECULATORS[name]["rounds"], strict=True):
        assert ours["tokens"] == theirs["tokens"]
        torch.testing.assert_close(ours["logits"], torch.tensor(theirs["logits"]), atol=1e-4, rtol=1e-4)
        assert ours["confidence"] == pytest.approx(theirs["confidence"], abs=1e-4)


@pytest.mark.parametrize("name", [name for name in GOLDEN if name != "zlab-dflash"])
def test_deepspecs_format_is_kept(name: str, tmp_path: Path) -> None:
    """Shards become one file, tensors that belong to no part of the drafter stay behind."""
    source = checkpoint(tmp_path / "drafter", name)
    extra = source / "model-00001-of-00002.safetensors"
    save_file({**load_file(extra), "optimizer.step": torch.ones(1)}, extra)
    index = source / "model.safetensors.index.json"
    places = json.loads(index.read_text())["weight_map"]
    index.write_text(json.dumps({"weight_map": {**places, "optimizer.step": extra.name}}))
    export(source, "deepspec", tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["config.json", "model.safetensors"]
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == GOLDEN[name]["config"]
    assert set(load_file(tmp_path / "out" / "model.safetensors")) == set(tensors_of(GOLDEN[name]["config"]))
    before, after = drafts_of(name, source)[1], drafts_of(name, tmp_path / "out")[1]
    assert after["tokens"] == before["tokens"] and after["logits"].equal(before["logits"])


def test_a_shipped_kind_is_exported_for_the_pocket_target(tmp_path: Path, pocket_lab: Lab) -> None:
    for form in FORMATS:
        export("dspark", form, tmp_path / form)
    config = json.loads((tmp_path / "speculators" / "config.json").read_text())
    assert config["speculators_config"]["verifier"] == {
        "name_or_path": str(POCKET / "target"),
        "architectures": ["Qwen3ForCausalLM"],
    }
    taps = pocket_lab.drafter.tap_layers
    assert config["aux_hidden_state_layer_ids"] == [layer + 1 for layer in taps] and config["dtype"] == "bfloat16"
    assert load_drafter(tmp_path / "deepspec", pocket_lab.target).info.revision


def test_the_folder_can_be_read_by_others_as_any_new_one(tmp_path: Path) -> None:
    (tmp_path / "usual").mkdir()
    (tmp_path / "usual" / "file").touch()
    export(checkpoint(tmp_path / "drafter", "qwen3-vanilla"), "deepspec", tmp_path / "out")
    for new, usual in (("out", "usual"), ("out/model.safetensors", "usual/file"), ("out/config.json", "usual/file")):
        assert stat.S_IMODE((tmp_path / new).stat().st_mode) == stat.S_IMODE((tmp_path / usual).stat().st_mode)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "form", "changes", "message"),
    [
        (
            "gemma4-vanilla",
            "speculators",
            {},
            r"speculators format cannot describe .* Gemma4DSparkModel: --format deepspec",
        ),
        (
            "zlab-dflash",
            "deepspec",
            {},
            r"deepspec format cannot describe .* DFlashDraftModel: --format speculators can",
        ),
        (
            "qwen3-vanilla",
            "deepspec",
            {"architectures": ["MyModel"]},
            "a MyModel: choose one of Qwen3DSparkModel, Gemma4",
        ),
        ("qwen3-vanilla", "onnx", {}, "the format is 'onnx', but must be one of deepspec, speculators"),
        ("qwen3-vanilla", "deepspec", {"block_size": 0}, r"config\.json: the drafter's block_size is 0"),
        ("qwen3-vanilla", "deepspec", {"num_hidden_layers": 3}, r"lacks 'layers\.2\."),
        ("qwen3-vanilla", "speculators", {"num_target_layers": 8}, "number of target layers is 8, the target's 6"),
    ],
)
def test_what_cannot_be_exported_is_named_and_leaves_nothing(
    name: str, form: str, changes: dict[str, Any], message: str, target: Path, tmp_path: Path
) -> None:
    source = checkpoint(tmp_path / "drafter", name, **changes)
    with pytest.raises(LabError, match=message):
        export(source, form, tmp_path / "out", str(target))
    assert left(tmp_path) == ["drafter", "target"]


def test_what_speculators_must_know_of_the_target_is_asked_for(target: Path, tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "drafter", "qwen3-vanilla")
    with pytest.raises(LabError, match="names the target: add --target"):
        export(source, "speculators", tmp_path / "out")
    (target / "config.json").write_text(json.dumps({"text_config": {**TARGET, "vocab_size": None}}))
    with pytest.raises(LabError, match="has no 'vocab_size'"):
        export(source, "speculators", tmp_path / "out", str(target))
    (target / "config.json").unlink()
    with pytest.raises(LabError, match=r"the target's .*config\.json cannot be read"):
        export(source, "speculators", tmp_path / "out", str(target))


def test_nothing_is_written_over(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "drafter", "qwen3-vanilla")
    (tmp_path / "out").mkdir()
    export(source, "deepspec", tmp_path / "out")  # an empty folder is as good as none
    with pytest.raises(LabError, match="is there already: name a new folder"):
        export(source, "deepspec", tmp_path / "out")
    with pytest.raises(LabError, match=r"cannot write .*gone/out: .*Choose a place that exists"):
        export(source, "deepspec", tmp_path / "gone" / "out")
    assert left(tmp_path) == ["drafter", "out"]


def test_the_command_exports_or_says_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["export-drafter", *arguments], prog_name="dspark-lab")

    done = run("dspark", "--format", "deepspec", "--out", "out")
    assert (done.exit_code, done.stdout) == (0, "") and "wrote out" in done.stderr
    assert left(tmp_path / "out") == ["config.json", "model.safetensors"]
    for arguments, part in (
        (("nowhere", "--format", "deepspec", "--out", "new"), "nowhere is no folder, and no hub id"),
        (("prompt-lookup", "--format", "deepspec", "--out", "new"), "drafts without weights"),
        (("", "--format", "deepspec", "--out", "new"), "'' is empty"),
        (("dspark", "--format", "deepspec"), "Missing option '--out'"),
    ):
        failed = run(*arguments)
        assert (failed.exit_code, failed.stdout) == (2, "") and part in failed.stderr
    assert left(tmp_path) == ["out"]
