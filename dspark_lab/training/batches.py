"""Training batches as a pure function of (seed, step), so that a resumed run sees exactly what it would have seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from dspark_lab.training.corpus import Example, example

SHARES = {"math": 0.45, "code": 0.3, "chat": 0.25}
"""Share of each domain among training examples."""

GROUP = 16
"""Batches drawn together and sorted by length, so that little is padded."""


@dataclass(frozen=True)
class Batch:
    """Right-padded token ids [B, L] and, of the same shape, True where a token belongs to the answer (its end token too)."""

    ids: Tensor
    answer: Tensor


def encode(tokenizer: PreTrainedTokenizerFast, prompt: str) -> list[int]:
    """A prompt as the chat template frames it; its text is never read as special tokens."""
    user, assistant = tokenizer.convert_tokens_to_ids(["<|user|>", "<|assistant|>"])
    text = tokenizer.encode(prompt, add_special_tokens=False, split_special_tokens=True)
    return [user, *text, tokenizer.eos_token_id, assistant]


def collate(rows: Sequence[tuple[list[int], list[int]]], pad: int) -> Batch:
    """Batch of (prompt ids, answer ids)."""
    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        ids[i, :end] = torch.tensor(prompt + answer)
        mask[i, len(prompt) : end] = True
    return Batch(ids, mask)


def mixed_examples(split: str, count: int, start: int = 0) -> list[Example]:
    """``count`` examples of all domains in their shares, addressed from ``start`` on."""
    rng = random.Random(f"mix/{split}/{start}")
    domains = rng.choices(list(SHARES), weights=list(SHARES.values()), k=count)
    return [example(domain, split, start + i) for i, domain in enumerate(domains)]


class CorpusBatches:
    """``batches(step)`` -> Batch of the procedural corpus's training split."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, batch_size: int, seed: int) -> None:
        self.tokenizer, self.batch_size, self.seed = tokenizer, batch_size, seed
        self._group = lru_cache(maxsize=2)(self._make_group)

    def __call__(self, step: int) -> Batch:
        return self._group(step // GROUP)[step % GROUP]

    def _make_group(self, group: int) -> list[Batch]:
        count = GROUP * self.batch_size
        chosen = mixed_examples("train", count, start=(self.seed * 1_000_003 + group) * count)
        end = self.tokenizer.eos_token_id
        answers = self.tokenizer([e.answer for e in chosen], add_special_tokens=False)["input_ids"]
        rows = [(encode(self.tokenizer, e.prompt), [*a, end]) for e, a in zip(chosen, answers, strict=True)]
        return sorted_batches(rows, self.batch_size, self.tokenizer.pad_token_id, f"{self.seed}/{group}")


def sorted_batches(rows: list[tuple[list[int], list[int]]], batch_size: int, pad: int, seed: str) -> list[Batch]:
    """Rows of similar length together, the batches in random order."""
    rows = sorted(rows, key=lambda row: len(row[0]) + len(row[1]))
    batches = [collate(rows[i : i + batch_size], pad) for i in range(0, len(rows), batch_size)]
    random.Random(seed).shuffle(batches)
    return batches
