"""``train drafter``: from prompts to a checkpoint that decodes, whatever interrupts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from dspark_lab import load
from dspark_lab.settings import Settings

SMALL = [
    "--layers", "1", "--block", "3", "--rank", "8", "--anchors", "3", "--taps", "0,2",
    "--batch", "4", "--answers", "16", "--longest", "60", "--threads", "1",
]  # fmt: skip


@pytest.fixture(scope="module")
def target(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny target, which babbles, with so many tokens that end an answer that it soon does."""
    folder = tmp_path_factory.mktemp("ending") / "target"
    shutil.copytree(tiny_folder / "target", folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": list(range(1, 320, 8))}))
    return folder


@pytest.fixture
def small(target: Path) -> list[str]:
    return ["train", "drafter", "--target", str(target), "--device", "cpu", *SMALL]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_drafter_is_trained_and_decodes(cli: Any, small: list[str], target: Path) -> None:
    loss = "ce=1,accept=0.5,decay=inf"
    result = cli(*small, "--out", "mine", "--steps", "3,2", "--loss", loss, "--cache-states", "states")
    assert result.exit_code == 0, result.output
    assert "--drafter mine" in result.stderr and "target states: 0.00 GB in states" in result.output
    config = json.loads(Path("mine/config.json").read_text())
    assert (config["num_hidden_layers"], config["block_size"], config["target_layer_ids"]) == (1, 3, [0, 2])
    assert not config["enable_confidence_head"], "no loss trains it"
    lab = load(target, Path("mine"), device="cpu")
    assert lab.session("Hello.", Settings(max_new_tokens=5)).run().rounds


def test_tensorboard_and_a_plain_log_tell_of_every_position(
    cli: Any, small: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    monkeypatch.setattr("dspark_lab.training.log.LOG_EVERY", 1)
    assert cli(*small, "--out", "mine", "--steps", "2").exit_code == 0
    lines = [json.loads(line) for line in Path("mine/work/log.jsonl").read_text().splitlines()]
    board = events.EventAccumulator("mine/work/tensorboard")
    board.Reload()
    for name, of in {
        "tau": lambda r: r["tau"],
        "alpha/3": lambda r: r["alpha"][2],
        "loss": lambda r: r["losses"]["loss"],
    }.items():
        assert [e.value for e in board.Scalars(name)] == pytest.approx([of(line) for line in lines])


def test_trainings_share_their_answers(cli: Any, small: list[str]) -> None:
    for out, kind in (("a", "dspark"), ("b", "dspark-gated")):
        result = cli(*small, "--kind", kind, "--out", out, "--steps", "1", "--answers-in", "answers")
        assert result.exit_code == 0, result.output
    assert not Path("a/work/answers").exists()
    result = cli(*small, "--out", "a", "--steps", "2", "--answers-in", "answers")
    assert result.exit_code == 2 and "steps [1], not [2]" in result.stderr and "--work" in result.stderr


def test_prompts_of_ones_own(cli: Any, small: list[str]) -> None:
    Path("mine.jsonl").write_text('{"turns": ["Hello.", "And you?"]}\n' * 6)
    result = cli(*small, "--out", "out", "--steps", "1", "--prompts", "mine.jsonl")
    assert result.exit_code == 0, result.output


def test_a_killed_training_goes_on_and_ends_bitwise_the_same(cli: Any, small: list[str], tmp_path: Path) -> None:
    """SIGKILL, which nothing can catch: what is lost is what came after the last checkpoint."""
    options = [*small, "--steps", "60", "--save-every", "3"]
    killed, root = tmp_path / "killed", Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'kernels'}"}
    process = subprocess.Popen(
        [sys.executable, "-m", "dspark_lab", *options, "--out", str(killed)],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    checkpoint = killed / "work" / "checkpoint-0" / "state.safetensors"
    try:
        while not checkpoint.exists():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (killed / "config.json").exists(), "it was killed on the way"
    assert cli(*options, "--out", str(killed)).exit_code == 0
    assert cli(*options, "--out", "whole").exit_code == 0
    whole, resumed = weights(tmp_path / "whole"), weights(killed)
    assert all(whole[name].equal(resumed[name]) for name in whole)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--kind", "gpt"], "'gpt' is no kind"),
        (["--kind", "eagle3"], "--layers is 1, but eagle3 has no such choice"),
        (["--kind", "dflash"], "--rank is 8, but dflash has no such choice"),
        (["--head", "lstm"], "'lstm'"),
        (["--layers", "0"], "--layers is 0, but must be from 1 to 64"),
        (["--block", "65"], "--block is 65"),
        (["--rank", "-1"], "--rank is -1"),
        (["--anchors", "0"], "--anchors is 0"),
        (["--batch", "0"], "--batch is 0"),
        (["--batch", "6", "--accumulate", "4"], "multiple of --accumulate"),
        (["--answers", "0"], "--answers is 0"),
        (["--steps", "0"], "--steps is 0"),
        (["--steps", "many"], "--steps is 'many'"),
        (["--lr", "0"], "--lr is 0"),
        (["--lr", "nan"], "--lr is nan"),
        (["--optimizer", "sgd"], "there is no optimizer 'sgd': take one of adamw, muon"),
        (["--adamw-lr", "2"], "--adamw-lr is 2"),
        (["--optimizer", "adamw", "--adamw-lr", "1e-3"], "which is for what Muon leaves"),
        (["--taps", "0,3"], "rising numbers from 0 to 2"),
        (["--taps", "2,0"], "rising numbers"),
        (["--taps", "one"], "--taps is 'one'"),
        (["--loss", "ce=-1"], "ce is -1.0"),
        (["--loss", "js=1"], "'js=1' is no weight"),
        (["--loss", "tv=nan"], "tv is nan"),
        (["--prompts", "none.jsonl"], "none.jsonl"),
        (["--served", "me"], "no --server"),
        (["--server", "localhost:1"], "no address"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_what_cannot_be_trained_is_one_message(cli: Any, small: list[str], options: list[str], words: str) -> None:
    result = cli(*small, *options)
    assert result.exit_code == 2, result.output
    assert words in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert not Path("runs").exists(), "nothing was begun"
