"""One training loop for every model here: schedule, clipping, progress, checkpoints of safetensors, resume."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from tqdm.auto import tqdm

from dspark_lab.drafters.products import lowered
from dspark_lab.errors import LabError
from dspark_lab.training.optimizers import optimizers_of, set_rate
from dspark_lab.training.processes import Alone

Losses = dict[str, Tensor]
Numbers = dict[str, float | list[float]]


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up and cosine decay to a hundredth of the peak.

    Attributes:
        steps: optimiser steps in all.
        lr: peak learning rate. adamw_lr: of what Muon leaves to AdamW, None for the same.
        warmup: share of the steps over which the rate rises.
        weight_decay: on matrices only; clip: largest gradient norm.
        optimizer: as ``optimizers`` knows them.
    """

    steps: int
    lr: float
    warmup: float = 0.04
    weight_decay: float = 0.0
    clip: float = 1.0
    optimizer: str = "adamw"
    adamw_lr: float | None = None

    def share(self, step: int) -> float:
        """Of the peak learning rates, in the step of that number from 0."""
        rise = max(1, round(self.steps * self.warmup))
        if step < rise:
            return (step + 1) / rise
        progress = (step - rise) / max(1, self.steps - rise)
        return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def train(
    model: nn.Module,
    loss_of: Callable[[int], Losses],
    schedule: Schedule,
    checkpoint: Path,
    *,
    accumulate: int = 1,
    save_every: int = 100,
    label: str = "training",
    bar: bool = True,
    group: Alone | None = None,
    low: bool = False,
) -> Iterator[tuple[int, Numbers]]:
    """Train ``model`` in place, yielding (steps done, losses) after every step.

    ``loss_of(batch)`` returns named losses, of which "loss" is minimised. It must be a pure function of the batch's
    number and of the model, so that resuming from ``checkpoint`` (a folder, written every ``save_every`` steps, at the
    end, and where the iteration is closed) repeats the same run.

    Args:
        accumulate: batches a step, numbered ``step * accumulate`` and on; their losses are averaged. Several processes
            share them out, so that the same ``accumulate`` makes the same run, but for rounding, in any number of them.
        group: the processes; None is this one alone.
        low: make the large products of drafters' layers, and Muon's, in bfloat16 (``products.lowered``).

    Raises:
        LabError: the processes cannot share out the batches of a step.
    """
    group = group or Alone()
    if accumulate % group.count:
        raise LabError(
            f"a step of {accumulate} batches cannot be shared out among {group.count} processes: "
            f"let --accumulate be a multiple of {group.count}."
        )
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizers = optimizers_of(model, schedule.optimizer, schedule.lr, schedule.weight_decay, schedule.adamw_lr)
    start = _restore(model, optimizers, checkpoint)
    model.train()
    step_of = group.prepare(_Step(model, loss_of))
    shares = range(group.rank, accumulate, group.count)
    with tqdm(
        total=schedule.steps, initial=start, desc=label, unit="step", mininterval=2.0, disable=not (bar and group.first)
    ) as progress:
        for step in range(start, schedule.steps):
            set_rate(optimizers, schedule.share(step))
            several: list[Losses] = []
            for share in shares:
                with nullcontext() if share == shares[-1] else group.unsynchronised(step_of):
                    with lowered(low):
                        losses = step_of(step * accumulate + share)
                    (losses["loss"] / len(shares)).backward()
                several.append({name: value.detach() for name, value in losses.items()})
            nn.utils.clip_grad_norm_(trained, schedule.clip)
            with lowered(low):
                for optimizer in optimizers:
                    optimizer.step()
                    optimizer.zero_grad(set_to_none=True)
            numbers = _mean(several, group)
            progress.update()
            progress.set_postfix_str(_shown(numbers), refresh=False)
            done = step + 1
            due = done % save_every == 0 or done == schedule.steps
            if due and group.first:
                _save(model, optimizers, checkpoint, done)
            try:
                yield done, numbers
            except GeneratorExit:
                if not due and group.first:
                    _save(model, optimizers, checkpoint, done)
                raise
    model.eval()


class _Step(nn.Module):
    """The loss as a module's forward pass, which is what wrappers for several processes watch."""

    def __init__(self, model: nn.Module, loss_of: Callable[[int], Losses]) -> None:
        super().__init__()
        self.model, self.loss_of = model, loss_of

    def forward(self, batch: int) -> Losses:
        return self.loss_of(batch)


def _mean(several: list[Losses], group: Alone) -> Numbers:
    """Losses averaged over the batches of a step."""
    names, shapes = list(several[0]), [value.shape for value in several[0].values()]
    flat = torch.stack([torch.cat([value.float().flatten() for value in losses.values()]) for losses in several])
    parts = group.mean(flat.mean(0)).split([shape.numel() for shape in shapes])
    return {name: part.view(shape).tolist() for name, shape, part in zip(names, shapes, parts, strict=True)}


def _shown(numbers: Numbers) -> str:
    """What a progress bar has room for: the loss, tau, and the acceptance of each position."""
    alpha = numbers.get("alpha", [])
    shown = [f"{name} {numbers[name]:.3f}" for name in ("loss", "tau") if name in numbers]
    if isinstance(alpha, list) and alpha:
        shown.append("alpha " + " ".join(f"{a:.2f}" for a in alpha))
    return ", ".join(shown)


def _save(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], folder: Path, step: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model.{name}": p.detach() for name, p in model.named_parameters() if p.requires_grad}
    for number, optimizer in enumerate(optimizers):
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{index}.{name}": value for name, value in state.items()}
    part = folder / ".state.part"
    save_file({name: t.contiguous() for name, t in tensors.items()}, part, metadata={"step": json.dumps(step)})
    os.replace(part, folder / "state.safetensors")


def _restore(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], folder: Path) -> int:
    file = folder / "state.safetensors"
    if not file.exists():
        return 0
    tensors = load_file(file)
    with safe_open(file, "pt") as stored:
        done = int(stored.metadata()["step"])
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in tensors.items():
            if name.startswith("model."):
                parameters[name.removeprefix("model.")].copy_(value)
    for number, optimizer in enumerate(optimizers):
        plan, prefix = optimizer.state_dict(), f"optimizer.{number}."
        for name, value in tensors.items():
            if name.startswith(prefix):
                index, key = name.removeprefix(prefix).split(".")
                plan["state"].setdefault(int(index), {})[key] = value
        optimizer.load_state_dict(plan)
    return done
