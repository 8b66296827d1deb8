"""Training batches as a pure function of (seed, step), so that a resumed run sees exactly what it would have seen."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from dspark_lab.training.corpus import Example, example
from dspark_lab.training.states import States
from dspark_lab.training.sums import PROMPTS as SUMS_PROMPTS
from dspark_lab.training.sums import sums

SHARES = {"math": 0.45, "code": 0.3, "chat": 0.25}
"""Share of each domain among training examples."""

SHARES_WITH_SUMS = {"sums": 0.4, "math": 0.3, "code": 0.15, "chat": 0.15}
"""The same for the last part of the target's training."""

GROUP = 16
"""Batches drawn together and sorted by length, so that little is padded."""


Row = tuple[list[int], list[bool]]
"""Token ids and, for each, whether it is to be learned."""


@dataclass(frozen=True)
class Batch:
    """Sequences side by side.

    Attributes:
        ids: right-padded token ids [B, L].
        answer: [B, L], True where a token is to be learned: the answer's, its end token too; of bare sums only the
            results, for nobody could know which sum comes next.
        rows: which rows of the answers these are, () where they are not numbered.
        states: the target's, where they have been computed before.
    """

    ids: Tensor
    answer: Tensor
    rows: tuple[int, ...] = ()
    states: States | None = None


def encode(tokenizer: PreTrainedTokenizerFast, prompt: str) -> list[int]:
    """A prompt as the chat template frames it; its text is never read as special tokens."""
    user, assistant = tokenizer.convert_tokens_to_ids(["<|user|>", "<|assistant|>"])
    text = tokenizer.encode(prompt, add_special_tokens=False, split_special_tokens=True)
    return [user, *text, tokenizer.eos_token_id, assistant]


def answer_row(prompt: list[int], answer: list[int]) -> Row:
    """A row of which the answer is to be learned."""
    return prompt + answer, [False] * len(prompt) + [True] * len(answer)


def sums_row(prompt: list[int], answer: list[int], equals: int, stop: int) -> Row:
    """A row of bare sums, of which only what stands between "=" and the full stop is: nobody could know which sum comes."""
    learned, inside = [], False
    for token in answer:
        learned.append(inside)
        inside = token == equals or (inside and token != stop)
    return prompt + answer, [False] * len(prompt) + learned


def collate(rows: Sequence[Row], pad: int, numbers: Sequence[int] = ()) -> Batch:
    """The rows side by side, padded to the longest; ``numbers`` says which rows they are."""
    width = max(len(ids) for ids, _ in rows)
    shape = len(rows), width
    batch = Batch(torch.full(shape, pad), torch.zeros(shape, dtype=torch.bool), tuple(numbers))
    for i, (ids, learned) in enumerate(rows):
        batch.ids[i, : len(ids)] = torch.tensor(ids)
        batch.answer[i, : len(ids)] = torch.tensor(learned)
    return batch


def mixed_examples(split: str, count: int, start: int = 0, shares: Mapping[str, float] = SHARES) -> list[Example]:
    """``count`` examples of all domains in their shares, addressed from ``start`` on."""
    rng = random.Random(f"mix/{split}/{start}")
    domains = rng.choices(list(shares), weights=list(shares.values()), k=count)
    return [sums(start + i) if d == "sums" else example(d, split, start + i) for i, d in enumerate(domains)]


class CorpusBatches:
    """``batches(step)`` -> Batch of the procedural corpus's training split."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, batch_size: int, seed: int, shares: Mapping[str, float] = SHARES
    ) -> None:
        self.tokenizer, self.batch_size, self.seed, self.shares = tokenizer, batch_size, seed, shares
        self._group = lru_cache(maxsize=2)(self._make_group)

    def __call__(self, step: int) -> Batch:
        return self._group(step // GROUP)[step % GROUP]

    def _make_group(self, group: int) -> list[Batch]:
        count = GROUP * self.batch_size
        chosen = mixed_examples("train", count, (self.seed * 1_000_003 + group) * count, self.shares)
        answers = self.tokenizer([e.answer for e in chosen], add_special_tokens=False)["input_ids"]
        rows = [self._row(e, answer) for e, answer in zip(chosen, answers, strict=True)]
        return sorted_batches(rows, self.batch_size, self.tokenizer.pad_token_id, f"{self.seed}/{group}")

    def _row(self, chosen: Example, answer: list[int]) -> Row:
        prompt, answer = encode(self.tokenizer, chosen.prompt), [*answer, self.tokenizer.eos_token_id]
        if chosen.prompt not in SUMS_PROMPTS:
            return answer_row(prompt, answer)
        equals, stop = self.tokenizer.convert_tokens_to_ids(["\u0120=", "."])
        return sums_row(prompt, answer, equals, stop)


def sorted_batches(
    rows: Sequence[Row], batch_size: int, pad: int, seed: str, numbers: Sequence[int] | None = None
) -> list[Batch]:
    """Rows of similar length together, the batches in random order. Rows are numbered from 0 unless told."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    numbers = range(len(rows)) if numbers is None else numbers
    batches = [
        collate([rows[i] for i in part], pad, [numbers[i] for i in part])
        for part in (order[i : i + batch_size] for i in range(0, len(order), batch_size))
    ]
    random.Random(seed).shuffle(batches)
    return batches
