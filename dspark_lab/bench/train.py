"""Training speed: draft blocks a second of our training step, beside DeepSpec's own model code on the same batches."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import transformers
from rich.console import Console
from tqdm import tqdm

from dspark_lab.checkpoints import POCKET
from dspark_lab.describe import describe_device
from dspark_lab.loading import load_target
from dspark_lab.memory import keep_freed
from dspark_lab.records import write_atomically
from dspark_lab.target import Target
from dspark_lab.training.batches import Batch, CorpusBatches
from dspark_lab.training.drafter import Objective, new_model, sample_anchors
from dspark_lab.training.kinds import Options
from dspark_lab.training.losses import LossWeights
from dspark_lab.training.states import target_states
from dspark_lab.training.trainer import mask_token

LR, BATCH, WARM_UP = 1e-4, 24, 2


def run(
    quick: bool = False, peer: Path | None = None, json_file: Path | None = None, target: Target | None = None
) -> dict[str, Any]:
    """Measure and print: anchors, forward, loss, backward, clipping and AdamW of a 2-layer DSpark of block 7.

    Both are given the target's states and the same anchors, and start from the same weights. They take turns batch by
    batch, the first to go changing, so that a slow spell of the machine falls on both; the ratio is the median of the
    batches' ratios.

    Args:
        quick: few batches: a look, not a result.
        peer: a checkout of DeepSpec; without one only ours is measured.
    """
    keep_freed()  # as where drafters are trained; it serves both
    target = target or load_target(POCKET / "target", torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    steps = 4 if quick else 40
    torch.manual_seed(0)
    model = new_model(target.model, Options("dspark", mask_token(target))).to(target.device)
    batches = _Batches(target, model.config.target_layer_ids, BATCH if not quick else 4)
    contenders: dict[str, Callable[[int], float]] = {}
    if peer is not None:
        from dspark_lab.bench.deepspec import DeepSpec

        other = DeepSpec(peer, target, model, LossWeights(), LR)
        contenders["DeepSpec"] = lambda step: other.step(*batches.for_peer(step, model.config.num_anchors))
    contenders["ours"] = _ours(target, model, batches)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    losses: dict[str, list[float]] = {name: [] for name in contenders}
    for step in tqdm(range(-WARM_UP, steps), desc="bench train", unit="batch"):
        batches(max(step, 0))  # made, its states too, before the clock runs
        for name in sorted(contenders, reverse=bool(step % 2)):
            began = perf_counter()
            loss = contenders[name](max(step, 0))
            if step >= 0:
                seconds[name].append(perf_counter() - began)
            losses[name].append(loss)
    blocks = [batches.blocks(step, model.config.num_anchors) for step in range(steps)]
    result = _summary(target, seconds, losses, blocks)
    if peer is not None:
        result["peer"] = {"checkout": str(peer), "attention": other.attention}
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


class _Batches:
    """The corpus's batches with the target's states, the last one kept."""

    def __init__(self, target: Target, layers: tuple[int, ...], size: int) -> None:
        self._target, self._layers = target, layers
        self._batches = CorpusBatches(target.tokenizer, size, seed=0)
        self._last: tuple[int, Batch] | None = None

    def __call__(self, step: int) -> Batch:
        if self._last is None or self._last[0] != step:
            batch = self._batches(step)
            ids = batch.ids.to(self._target.device)
            states = target_states(self._target.model, ids, self._layers)
            self._last = step, replace(batch, ids=ids, answer=batch.answer.to(ids.device), states=states)
        return self._last[1]

    def for_peer(self, step: int, count: int) -> tuple[Any, ...]:
        batch = self(step)
        anchors, kept = sample_anchors(batch.answer.cpu(), count, torch.Generator().manual_seed(step))
        device = batch.ids.device
        return batch.ids, batch.answer, anchors.to(device), kept.to(device), batch.states

    def blocks(self, step: int, count: int) -> int:
        return int(sample_anchors(self._batches(step).answer, count, torch.Generator())[1].sum())


def _ours(target: Target, model: Any, batches: Callable[[int], Batch]) -> Callable[[int], float]:
    objective = Objective(model.train(), target.model, batches, LossWeights(), seed=0)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LR, fused=True)

    def step(number: int) -> float:
        loss = objective(number)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def _summary(
    target: Target, seconds: dict[str, list[float]], losses: dict[str, list[float]], blocks: list[int]
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "measured": True,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": describe_device(target),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "batches": len(blocks),
        "blocks_per_second": {
            name: statistics.median(b / t for b, t in zip(blocks, times, strict=True))
            for name, times in seconds.items()
        },
        "first_loss": {name: values[0] for name, values in losses.items()},
    }
    if "DeepSpec" in seconds:
        pairs = zip(seconds["DeepSpec"], seconds["ours"], strict=True)
        result["ratio"] = statistics.median(theirs / ours for theirs, ours in pairs)
    return result


def _show(result: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(f"measured on {result['device']}, medians of {result['batches']} batches")
    for name, speed in result["blocks_per_second"].items():
        console.print(
            f"{name}: [bold]{speed:,.0f}[/bold] draft blocks a second (first loss {result['first_loss'][name]:.5f})"
        )
    if "ratio" in result:
        attention = result["peer"]["attention"]
        console.print(f"ours / DeepSpec: [bold]{result['ratio']:.2f}[/bold] (its attention run as {attention})")
