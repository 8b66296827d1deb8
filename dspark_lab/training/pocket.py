"""The pocket pair from nothing: tokenizer, target, the target's own answers, drafter. Every stage resumes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from dspark_lab.loading import load_target
from dspark_lab.target import Target
from dspark_lab.training.answers import regenerate
from dspark_lab.training.batches import SHARES_WITH_SUMS, CorpusBatches, mixed_examples
from dspark_lab.training.claims import claim
from dspark_lab.training.conversations import corpus_conversations
from dspark_lab.training.kinds import Options
from dspark_lab.training.loop import Losses, Schedule, train
from dspark_lab.training.losses import LossWeights
from dspark_lab.training.target import next_token_loss, target_config
from dspark_lab.training.tokenizer import train_tokenizer
from dspark_lab.training.trainer import Plan, Trainer, mask_token, save_drafter


@dataclass(frozen=True)
class Recipe:
    """How much of everything. What made the pair in a folder is in its ``recipe.json``."""

    seed: int = 0
    tokenizer_examples: int = 20_000
    target_steps: int = 3_300
    target_batch: int = 24
    target_lr: float = 3e-3
    sums_steps: int = 1_400
    sums_lr: float = 2e-3
    answers: int = 10_240
    drafter_steps: tuple[int, ...] = (1_600,)
    drafter_batch: int = 24
    drafter_lr: float = 2e-3
    drafter_loss: str = "ce=1,tv=0.9,conf=1"
    drafter_optimizer: str = "muon"


def train_pocket(out: Path, work: Path, recipe: Recipe | None = None) -> None:
    """Train the pair into ``out`` (``target/`` and ``dspark/``), keeping checkpoints and logs in ``work``.

    Interrupted, it goes on from the last checkpoint when called again. ``out`` changes only once all is trained.
    """
    recipe = recipe or Recipe()
    work.mkdir(parents=True, exist_ok=True)
    claim(work / "recipe.json", vars(recipe), "--work")
    target_folder, drafter_folder = work / "target", work / "dspark"
    if not (target_folder / "model.safetensors").exists():
        _train_target(target_folder, work, recipe)
    if not (drafter_folder / "config.json").exists():
        _train_drafter(drafter_folder, work, recipe, load_target(target_folder, torch.device("cpu")))
    for folder in (target_folder, drafter_folder):
        part = out / f".{folder.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(folder, part)
        shutil.rmtree(out / folder.name, ignore_errors=True)
        part.rename(out / folder.name)
    shutil.copy(work / "recipe.json", out / "recipe.json")


def _train_target(folder: Path, work: Path, recipe: Recipe) -> None:
    texts = (text for e in mixed_examples("train", recipe.tokenizer_examples) for text in (e.prompt, e.answer))
    tokenizer = train_tokenizer(texts)
    torch.manual_seed(recipe.seed)
    target = Qwen3ForCausalLM(target_config(tokenizer))
    schedule = Schedule(recipe.target_steps, recipe.target_lr, weight_decay=0.05)
    batches = CorpusBatches(tokenizer, recipe.target_batch, recipe.seed)
    _run(target, next_token_loss(target, batches), schedule, work, "target")
    schedule = Schedule(recipe.sums_steps, recipe.sums_lr, weight_decay=0.05)
    batches = CorpusBatches(tokenizer, recipe.target_batch, recipe.seed + 1, SHARES_WITH_SUMS)
    _run(target, next_token_loss(target, batches), schedule, work, "target-sums")
    save_target(target, tokenizer, folder)


def _train_drafter(folder: Path, work: Path, recipe: Recipe, target: Target) -> None:
    conversations = corpus_conversations(recipe.answers, recipe.seed)
    rows = regenerate(target, conversations, work / "answers", recipe.seed)
    plan = Plan(
        Options("dspark", mask_token(target)),
        LossWeights.parse(recipe.drafter_loss),
        steps=tuple(recipe.drafter_steps),
        batch=recipe.drafter_batch,
        lr=recipe.drafter_lr,
        seed=recipe.seed,
        optimizer=recipe.drafter_optimizer,
        adamw_lr=recipe.drafter_lr if recipe.drafter_optimizer == "muon" else None,
    )
    trainer = Trainer(target, rows, plan, work / "dspark-training")
    trainer.run()
    save_drafter(trainer.model, folder)


def _run(model: torch.nn.Module, loss_of: Callable[[int], Losses], schedule: Schedule, work: Path, name: str) -> None:
    log = work / f"{name}.jsonl"
    for step, losses in train(model, loss_of, schedule, work / f"{name}-checkpoint", label=name):
        if step % 20 == 0:
            with log.open("a") as file:
                file.write(json.dumps({"step": step, **losses}) + "\n")


def save_target(target: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Hugging Face layout, weights rounded to bfloat16; whole or not at all."""
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    target.to(torch.bfloat16).save_pretrained(part)
    tokenizer.save_pretrained(part)
    part.rename(folder)
