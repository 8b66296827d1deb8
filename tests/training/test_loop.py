"""The training loop: an interrupted run ends where an uninterrupted one does, bit by bit."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dspark_lab.training.loop import Schedule, train

SCHEDULE = Schedule(steps=12, lr=0.05, warmup=0.25, weight_decay=0.1, optimizer="muon")  # and AdamW, for the vectors
History = list[tuple[int, dict[str, float]]]


class Interrupted(Exception):
    pass


def new_model() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), nn.Linear(3, 3))
    model[3].requires_grad_(False)
    return model


def run(folder: Path, model: nn.Module, *, stop_at: int | None = None, save_every: int = 5) -> History:
    """Train, or raise in the middle of step ``stop_at``."""
    history: History = []

    def loss_of(step: int) -> dict[str, Tensor]:
        if step == stop_at:
            raise Interrupted
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(16, 4, generator=generator)
        loss = (model(x) - x[:, :3].sin()).square().mean()
        return {"loss": loss, "double": 2 * loss.detach()}

    for item in train(model, loss_of, SCHEDULE, folder, save_every=save_every):
        history.append(item)
    return history


@pytest.fixture
def whole(tmp_path: Path) -> tuple[nn.Module, History]:
    model = new_model()
    return model, run(tmp_path / "whole", model)


@pytest.mark.parametrize("stop_at", [3, 5, 7, 10, 11])
def test_a_resumed_run_is_bitwise_the_uninterrupted_one(
    tmp_path: Path, whole: tuple[nn.Module, History], stop_at: int
) -> None:
    model, history = whole
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", new_model(), stop_at=stop_at)
    resumed = new_model()
    with torch.no_grad():
        resumed[0].weight.zero_()  # whatever the model holds, the checkpoint decides
    rest = run(tmp_path / "cut", resumed) if stop_at >= 5 else run(tmp_path / "cut", new_model())
    saved = stop_at // 5 * 5
    assert rest == history[saved:], "losses repeat to the last bit"
    if saved:
        assert all(a.equal(b) for a, b in zip(resumed.parameters(), model.parameters(), strict=True))
    last = [load_file(tmp_path / name / "state.safetensors") for name in ("whole", "cut")]
    assert set(last[0]) == set(last[1]) and all(last[0][name].equal(last[1][name]) for name in last[0])


def test_a_run_interrupted_many_times_still_ends_the_same(tmp_path: Path, whole: tuple[nn.Module, History]) -> None:
    for stop_at in (2, 4, 6, 8, 10):
        with pytest.raises(Interrupted):
            run(tmp_path / "cut", new_model(), stop_at=stop_at, save_every=2)
    model = new_model()
    run(tmp_path / "cut", model, save_every=2)
    assert all(a.equal(b) for a, b in zip(model.parameters(), whole[0].parameters(), strict=True))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    model = new_model()
    run(tmp_path / "run", model)
    again = new_model()
    assert run(tmp_path / "run", again, stop_at=0) == []
    assert all(a.equal(b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


def test_the_checkpoint_is_safetensors_of_what_is_trained(tmp_path: Path) -> None:
    model = new_model()
    run(tmp_path / "run", model)
    assert os.listdir(tmp_path / "run") == ["state.safetensors"]
    tensors = load_file(tmp_path / "run" / "state.safetensors")
    trained = {f"model.{name}" for name, p in model.named_parameters() if p.requires_grad}
    assert {name for name in tensors if name.startswith("model.")} == trained
    kept = {name.split(".")[3] for name in tensors if name.startswith("optimizer.")}
    assert kept == {"step", "exp_avg", "exp_avg_sq", "momentum_buffer"}


def test_a_half_written_checkpoint_is_not_read(
    tmp_path: Path, whole: tuple[nn.Module, History], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        run(tmp_path / "cut", new_model(), stop_at=7)
    (tmp_path / "cut" / ".state.part").write_bytes(b"\x10\x00half")
    before = (tmp_path / "cut" / "state.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(os, "replace", full)
        run(tmp_path / "cut", new_model())
    assert (tmp_path / "cut" / "state.safetensors").read_bytes() == before, "the last whole one stays"
    assert run(tmp_path / "cut", new_model()) == whole[1][5:]


def test_frozen_parameters_stay(whole: tuple[nn.Module, History]) -> None:
    assert whole[0][3].weight.equal(new_model()[3].weight)
    assert not whole[0][0].weight.equal(new_model()[0].weight)


def test_every_step_is_reported_and_learns(whole: tuple[nn.Module, History]) -> None:
    steps, losses = zip(*whole[1], strict=True)
    assert steps == tuple(range(1, 13))
    assert all(entry["double"] == pytest.approx(2 * entry["loss"]) for entry in losses)
    assert losses[-1]["loss"] < losses[0]["loss"]


def test_the_rate_rises_in_a_line_then_falls_as_a_cosine() -> None:
    schedule = Schedule(steps=100, lr=3.0, warmup=0.1)
    assert [schedule.share(step) for step in range(10)] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert schedule.share(10) == pytest.approx(1.0)
    assert schedule.share(55) == pytest.approx(0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi / 2)))
    assert schedule.share(100) == pytest.approx(0.01)
    assert Schedule(steps=1, lr=1.0).share(0) == 1.0
