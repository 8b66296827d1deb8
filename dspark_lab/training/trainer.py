"""Training a drafter of any kind on its target's answers, step by step, to be watched, stopped and tried at any time."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from dspark_lab.checkpoints import read_config
from dspark_lab.drafters.base import Drafter
from dspark_lab.drafters.products import multiplies_bfloat16
from dspark_lab.drafters.registry import implementation_for
from dspark_lab.errors import LabError
from dspark_lab.records import write_atomically
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo
from dspark_lab.training.answers import AnswerBatches, Answered
from dspark_lab.training.claims import claim
from dspark_lab.training.kinds import Options, check_loss, training_of, usual_loss
from dspark_lab.training.log import Log
from dspark_lab.training.loop import Numbers, Schedule, train
from dspark_lab.training.losses import LossWeights
from dspark_lab.training.optimizers import OPTIMIZERS
from dspark_lab.training.processes import Alone
from dspark_lab.training.state_cache import StateCache

USUAL_LR = {"muon": 5e-3, "adamw": 2e-3}
"""Peak learning rates that did best on the pocket target."""

PLAN = "plan.json"
"""In a training's folder, what is trained there."""

PRECISIONS = "auto", "float32", "bfloat16"

USUAL_BATCH = 16
"""Answers a step."""


@dataclass(frozen=True)
class Plan:
    """A training, but for its answers.

    Attributes:
        options: the drafter. loss: what is minimised, the kind's ``usual_loss`` unless another is given.
        steps: optimiser steps of each cycle; every cycle begins anew with the rate, from the weights of the one before.
        batch: answers a step; accumulate: in how many batches, whose gradients are added up.
        lr: peak learning rate, the optimizer's ``USUAL_LR`` unless another is given. seed: of the weights, the order of
            answers and the anchors.
        optimizer: "muon" learns in a third of the steps or fewer that "adamw" takes.
        adamw_lr: peak learning rate of what Muon leaves to AdamW, twice ``lr`` unless another is given.
        precision: of the large products of the drafter's layers, of logits and of Muon, on a CPU: "bfloat16", "float32", or
            "auto", bfloat16 where the CPU has instructions for it. Weights and all else are float32.

    Raises:
        LabError: the loss trains nothing of the kind, the batch cannot be divided so, or there is no such optimizer, rate or
            precision.
    """

    options: Options
    loss: LossWeights | None = None
    steps: tuple[int, ...] = (1_200,)
    batch: int = USUAL_BATCH
    accumulate: int = 1
    lr: float | None = None
    seed: int = 0
    optimizer: str = "muon"
    adamw_lr: float | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.loss is not None:
            check_loss(self.options.kind, self.loss)
        if self.accumulate < 1 or self.batch % self.accumulate:
            raise LabError(
                f"a batch of {self.batch} answers cannot be divided by {self.accumulate}: let --batch be a multiple of "
                f"--accumulate."
            )
        if self.optimizer not in OPTIMIZERS:
            raise LabError(f"there is no optimizer {self.optimizer!r}: take one of {', '.join(OPTIMIZERS)}.")
        if self.precision not in PRECISIONS:
            raise LabError(f"there is no precision {self.precision!r}: take one of {', '.join(PRECISIONS)}.")
        if self.adamw_lr is not None and self.optimizer != "muon":
            raise LabError(
                f"the AdamW rate is {self.adamw_lr}, which is for what Muon leaves, but the optimizer is {self.optimizer!r}: "
                f"give its rate as --lr."
            )

    def settled(self, device: torch.device, work: Path | None = None) -> Plan:
        """With what is usual on ``device`` in place of what was left open; a training begun in ``work`` keeps its precision.

        Raises:
            LabError: bfloat16 is asked for, but not on a CPU.
        """
        cpu, precision = device.type == "cpu", self.precision
        if precision == "auto":
            precision = "bfloat16" if cpu and multiplies_bfloat16() else "float32"
            with suppress(
                OSError, ValueError, KeyError
            ):  # nothing is begun, or what is there is damaged, as ``claim`` will say
                precision = json.loads((work / PLAN).read_text())["precision"] if work else precision
        if precision == "bfloat16" and not cpu:
            raise LabError(f"the precision is bfloat16, which is for a CPU, but this trains on {device}: take float32.")
        lr = USUAL_LR[self.optimizer] if self.lr is None else self.lr
        rest = min(1.0, 2 * lr) if self.adamw_lr is None and self.optimizer == "muon" else self.adamw_lr
        return replace(self, loss=self.loss or usual_loss(self.options.kind), lr=lr, adamw_lr=rest, precision=precision)


@dataclass(frozen=True)
class Progress:
    """How far a training is, after a step.

    Attributes:
        step: steps done, of ``steps`` in all.
        losses: "loss" and its parts.
        tau: accepted length to be expected, along true prefixes. alpha: mean acceptance probability of each position.
        blocks_per_second: draft blocks trained on in a second, measured over this step.
    """

    step: int
    steps: int
    losses: dict[str, float]
    tau: float
    alpha: list[float]
    blocks_per_second: float


class Trainer:
    """Iterate over it to train; every step yields its ``Progress``. Interrupted, a new one goes on from the last checkpoint.

    Args:
        target: what the drafter is for.
        rows: the target's answers, as ``answers.regenerate`` gives them.
        plan: how to train.
        work: folder for checkpoints and logs (``log.jsonl``, and TensorBoard's where that is installed).
        cache_states: folder of the target's states; None computes them on the way.
        save_every: steps between checkpoints. bar: show a progress bar.
        group: the processes that train together.

    Raises:
        LabError: the kind cannot be trained, or ``work`` holds another training.
    """

    def __init__(
        self,
        target: Target,
        rows: Sequence[Answered],
        plan: Plan,
        work: str | Path,
        *,
        cache_states: Path | None = None,
        save_every: int = 100,
        bar: bool = True,
        group: Alone | None = None,
    ) -> None:
        self.target, self.work = target, Path(work)
        self.plan = plan.settled(target.device, self.work)
        self._kind = training_of(plan.options.kind)
        self._save_every, self._bar, self._group = save_every, bar, group or Alone()
        self._lock, self._stopped = threading.Lock(), False
        if self._group.first:
            values = {**asdict(self.plan), "target": target.info.revision, "answers": len(rows)}
            claim(self.work / PLAN, values, "--work")
        torch.manual_seed(plan.seed)
        self.model: Any = self._kind.new_model(target.model, plan.options).to(target.device)
        pad = target.tokenizer.pad_token_id or 0
        self._batches: Callable[[int], Any] = AnswerBatches(list(rows), plan.batch // plan.accumulate, pad, plan.seed)
        if cache_states is not None:
            cache = StateCache(target, rows, getattr(self.model.config, "target_layer_ids", ()), cache_states)
            if self._group.first:
                cache.fill()
            self._group.wait()
            self._batches = cache.with_states(self._batches)

    def __iter__(self) -> Iterator[Progress]:
        self._stopped = False
        log, before = Log(self.work, self._group), 0
        for cycle, steps in enumerate(self.plan.steps):
            taken = self._cycle(cycle, steps, before * self.plan.accumulate)
            try:
                while True:
                    began = perf_counter()
                    with self._lock:
                        step, numbers = next(taken, (0, {}))
                    if not step:
                        break
                    progress = self._progress(before + step, numbers, perf_counter() - began)
                    log.add(progress)
                    yield progress
                    if self._stopped:
                        return
            finally:
                taken.close()  # which keeps the last step's state
            before += steps

    def run(self) -> None:
        """Train to the end, or until ``stop``."""
        for _ in self:
            pass

    def stop(self) -> None:
        """End the iteration after the step under way, whose state is kept; iterating again goes on."""
        self._stopped = True

    def drafter(self) -> Drafter:
        """The drafter as it is now, on its own weights: ``Lab(target, trainer.drafter())`` decodes with it."""
        with tempfile.TemporaryDirectory() as folder:
            self.save(Path(folder))
            config = read_config(Path(folder))
            info = ModelInfo(f"{self.plan.options.kind} in training", "", "", 0)
            return implementation_for(config, Path(folder)).load(Path(folder), config, self.target, info)

    def save(self, folder: Path) -> None:
        """Write the drafter as it is now, as a checkpoint that ``load`` takes."""
        with self._lock:
            save_drafter(self.model, folder)

    def _cycle(self, cycle: int, steps: int, first: int) -> Any:
        plan = self.plan
        objective = self._kind.Objective(
            self.model, self.target.model, lambda batch: self._batches(first + batch), plan.loss, plan.seed + cycle
        )
        return train(
            self.model,
            objective,
            Schedule(steps, plan.lr or 0.0, optimizer=plan.optimizer, adamw_lr=plan.adamw_lr),
            self.work / f"checkpoint-{cycle}",
            accumulate=plan.accumulate,
            save_every=self._save_every,
            label=plan.options.kind if len(plan.steps) == 1 else f"{plan.options.kind} {cycle + 1}/{len(plan.steps)}",
            bar=self._bar,
            group=self._group,
            low=plan.precision == "bfloat16",
        )

    def _progress(self, step: int, numbers: Numbers, seconds: float) -> Progress:
        alpha = numbers.pop("alpha", [])
        losses = {name: value for name, value in numbers.items() if isinstance(value, float)}
        blocks, tau = losses.pop("blocks", 0.0) * self.plan.accumulate, losses.pop("tau", 1.0)
        return Progress(
            step, sum(self.plan.steps), losses, tau, alpha if isinstance(alpha, list) else [alpha], blocks / seconds
        )


def mask_token(target: Target) -> int:
    """The token that stands for what is to be drafted: the tokenizer's mask token, else, as DeepSpec's checkpoints have it,
    the first id behind the tokenizer's that the embedding has a row for, else its padding token.

    Raises:
        LabError: the tokenizer has none of them.
    """
    tokenizer = target.tokenizer
    behind = len(tokenizer) if len(tokenizer) < target.vocab_size else None
    for token in (tokenizer.mask_token_id, behind, tokenizer.pad_token_id):
        if token is not None:
            return int(token)
    raise LabError(f"the tokenizer of {target.info.name} has no mask or padding token: add one to it.")


def save_drafter(drafter: nn.Module, folder: Path) -> None:
    """Write a drafter's checkpoint, weights rounded to bfloat16; ``config.json`` comes last, so that a folder which has
    one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: p.detach().to("cpu", torch.bfloat16).contiguous() for name, p in drafter.state_dict().items()}
    part = folder / ".model.safetensors.part"
    save_file(tensors, part, metadata={"format": "pt"})
    os.replace(part, folder / "model.safetensors")
    config: Any = drafter.config
    write_atomically(folder / "config.json", json.dumps(config.to_json(), indent=2) + "\n")
