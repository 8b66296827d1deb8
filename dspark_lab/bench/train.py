"""Training speed: draft blocks a second of our training step, beside DeepSpec's own model code on the same batches."""

from __future__ import annotations

import json
import platform
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import transformers
from rich.console import Console
from tqdm import tqdm

from dspark_lab.checkpoints import POCKET
from dspark_lab.describe import describe_device
from dspark_lab.drafters.products import lowered, multiplies_bfloat16
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
PRECISIONS = "bfloat16", "float32"

Contender = Callable[[int], Callable[[], float]]
"""Makes ready for the step of a number, and returns what does it and gives its loss."""


def run(
    quick: bool = False, peer: Path | None = None, json_file: Path | None = None, target: Target | None = None
) -> dict[str, Any]:
    """Measure and print: anchors, forward, loss, backward, clipping and AdamW of a 2-layer DSpark of block 7.

    Both are given the target's states and the same anchors, and start from the same weights; they take turns batch by batch,
    the first to go changing, so that a slow spell of the machine falls on both. A ratio is the median of the batches' ratios.

    They are measured in float32, and before it, where the CPU has instructions for bfloat16, in that, in which either trains by
    default there: ours rounds the factors of large products to it (``products.lowered``); DeepSpec, whose recipes say
    ``precision="bf16"``, has weights and activations in it, and in float32 only what its optimizer keeps.

    Args:
        quick: few batches: a look, not a result.
        peer: a checkout of DeepSpec; without one only ours is measured.
    """
    device = target.device if target else torch.device("cuda" if torch.cuda.is_available() else "cpu")
    low = device.type == "cpu" and multiplies_bfloat16()
    result: dict[str, Any] = {
        "measured": True,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }
    for precision in PRECISIONS if low else PRECISIONS[1:]:
        if target is not None:
            about, found = _measure(precision, quick, peer, target)
        else:  # in a process of its own: in the memory that another has left scattered it takes up to a tenth longer
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                about, found = alone.submit(_measure, precision, quick, peer).result()
        result = {**result, **about, precision: found}
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


def _measure(
    precision: str, quick: bool, peer: Path | None, target: Target | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is measured on, and what is found."""
    keep_freed()  # as where drafters are trained; it serves both
    target = target or load_target(POCKET / "target", torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    steps = 4 if quick else 40
    torch.manual_seed(0)
    model = new_model(target.model, Options("dspark", mask_token(target))).to(target.device)
    batches = _Batches(target, model.config.target_layer_ids, BATCH if not quick else 4)
    count = model.config.num_anchors
    about: dict[str, Any] = {"device": describe_device(target), "batches": steps}
    contenders: dict[str, Contender] = {}
    if peer is not None:
        from dspark_lab.bench.deepspec import DeepSpec

        other = DeepSpec(peer, target, model, LossWeights(), LR, getattr(torch, precision))
        contenders["DeepSpec"] = _theirs(other, batches, count)
        about["peer"] = {"checkout": str(peer), "attention": other.attention}
    contenders["ours"] = _ours(target, model, batches, low=precision == "bfloat16")
    return about, _compared(contenders, [batches.blocks(step, count) for step in range(steps)], precision)


def _compared(contenders: dict[str, Contender], blocks: list[int], label: str) -> dict[str, Any]:
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    losses: dict[str, list[float]] = {name: [] for name in contenders}
    for step in tqdm(range(-WARM_UP, len(blocks)), desc=f"bench train, {label}", unit="batch"):
        for name in sorted(contenders, reverse=bool(step % 2)):
            once = contenders[name](max(step, 0))  # its batch made, the target's states too, before the clock runs
            began = perf_counter()
            loss = once()
            if step >= 0:
                seconds[name].append(perf_counter() - began)
            losses[name].append(loss)
    found: dict[str, Any] = {
        "blocks_per_second": {
            name: statistics.median(b / t for b, t in zip(blocks, times, strict=True))
            for name, times in seconds.items()
        },
        "first_loss": {name: values[0] for name, values in losses.items()},
    }
    if "DeepSpec" in seconds:
        pairs = zip(seconds["DeepSpec"], seconds["ours"], strict=True)
        found["ratio"] = statistics.median(theirs / ours for theirs, ours in pairs)
    return found


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

    def for_peer(self, step: int, count: int, dtype: torch.dtype) -> tuple[Any, ...]:
        batch = self(step)
        assert batch.states is not None
        anchors, kept = sample_anchors(batch.answer.cpu(), count, torch.Generator().manual_seed(step))
        device = batch.ids.device
        states = tuple(t.to(dtype) for t in batch.states)
        return batch.ids, batch.answer, anchors.to(device), kept.to(device), states

    def blocks(self, step: int, count: int) -> int:
        return int(sample_anchors(self._batches(step).answer, count, torch.Generator())[1].sum())


def _theirs(other: Any, batches: _Batches, count: int) -> Contender:
    def prepare(number: int) -> Callable[[], float]:
        batch = batches.for_peer(number, count, other.dtype)
        return lambda: float(other.step(*batch))

    return prepare


def _ours(target: Target, model: Any, batches: Callable[[int], Batch], low: bool) -> Contender:
    objective = Objective(model.train(), target.model, batches, LossWeights(), seed=0)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=LR, fused=True)

    def step(number: int) -> float:
        with lowered(low):
            loss = objective(number)["loss"]
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def prepare(number: int) -> Callable[[], float]:
        batches(number)
        return lambda: step(number)

    return prepare


def _show(result: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(f"measured on {result['device']}, medians of {result['batches']} batches")
    for precision in PRECISIONS:
        found = result.get(precision, {})
        for who, speed in found.get("blocks_per_second", {}).items():
            loss = found["first_loss"][who]
            console.print(
                f"{precision}, {who}: [bold]{speed:,.0f}[/bold] draft blocks a second (first loss {loss:.5f})"
            )
        if "ratio" in found:
            attention = result["peer"]["attention"]
            console.print(
                f"{precision}, ours / DeepSpec: [bold]{found['ratio']:.2f}[/bold] (its attention run as {attention})"
            )
