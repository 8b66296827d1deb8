"""One training loop for every model here: schedule, clipping, progress, checkpoints of safetensors, resume."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm import tqdm

Losses = dict[str, Tensor]
Numbers = dict[str, float | list[float]]


@dataclass(frozen=True)
class Schedule:
    """AdamW with linear warm-up and cosine decay to a tenth of a hundredth of the peak.

    Attributes:
        steps: optimiser steps in all.
        lr: peak learning rate.
        warmup: share of the steps over which the rate rises.
        weight_decay: on matrices only; clip: largest gradient norm.
    """

    steps: int
    lr: float
    warmup: float = 0.04
    weight_decay: float = 0.0
    clip: float = 1.0

    def rate(self, step: int) -> float:
        rise = max(1, round(self.steps * self.warmup))
        if step < rise:
            return self.lr * (step + 1) / rise
        progress = (step - rise) / max(1, self.steps - rise)
        return self.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def train(
    model: nn.Module,
    loss_of: Callable[[int], Losses],
    schedule: Schedule,
    checkpoint: Path,
    *,
    save_every: int = 100,
    label: str = "training",
) -> Iterator[tuple[int, Numbers]]:
    """Train ``model`` in place, yielding (steps done, losses) after every step.

    ``loss_of(step)`` returns named losses, of which "loss" is minimised. It must be a pure function of step and
    model, so that resuming from ``checkpoint`` (a folder, written every ``save_every`` steps) repeats the same run.
    """
    matrices = [p for p in model.parameters() if p.requires_grad and p.ndim > 1]
    vectors = [p for p in model.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": schedule.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=schedule.lr, betas=(0.9, 0.95), fused=True)
    start = _restore(model, optimizer, checkpoint)
    model.train()
    with tqdm(total=schedule.steps, initial=start, desc=label, unit="step", mininterval=2.0) as bar:
        for step in range(start, schedule.steps):
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate(step)
            losses = loss_of(step)
            losses["loss"].backward()
            nn.utils.clip_grad_norm_([*matrices, *vectors], schedule.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            numbers: Numbers = {name: value.detach().tolist() for name, value in losses.items()}
            bar.update()
            shown = {name: f"{value:.3f}" for name, value in numbers.items() if isinstance(value, float)}
            bar.set_postfix(shown, refresh=False)
            if (step + 1) % save_every == 0 or step + 1 == schedule.steps:
                _save(model, optimizer, checkpoint, step + 1)
            yield step + 1, numbers
    model.eval()


def _save(model: nn.Module, optimizer: torch.optim.Optimizer, folder: Path, step: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters() if p.requires_grad}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    part = folder / ".state.part"
    save_file({name: t.contiguous() for name, t in tensors.items()}, part, metadata={"step": json.dumps(step)})
    os.replace(part, folder / "state.safetensors")


def _restore(model: nn.Module, optimizer: torch.optim.AdamW, folder: Path) -> int:
    file = folder / "state.safetensors"
    if not file.exists():
        return 0
    tensors = load_file(file)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in tensors.items():
            if name.startswith("model."):
                parameters[name.removeprefix("model.")].copy_(value)
    plan = optimizer.state_dict()
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            plan["state"].setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(plan)
    return int(plan["state"][0]["step"].item())
