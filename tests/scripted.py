"""A target and a drafter without a model: logits are a fixed pseudo-random function of the tokens before them.

Their caches hold token ids, so that a wrong rewind shows as wrong logits, and log every call.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.rounds import Round, Token
from dspark_lab.trace import ModelInfo
from dspark_lab.tree import Successors

Logits = Callable[[tuple[int, ...]], list[float]]
LETTERS = "abcdefgh"


def table(vocab: int, seed: int, zeros: float = 0.2) -> Logits:
    """Logits for every prefix; each token is impossible with probability ``zeros``, never all of them."""
    known: dict[tuple[int, ...], list[float]] = {}

    def logits(prefix: tuple[int, ...]) -> list[float]:
        if prefix not in known:
            rng = random.Random(f"{seed}/{prefix}")
            row = [rng.gauss(0, 1) for _ in range(vocab)]
            safe = rng.randrange(vocab)
            known[prefix] = [-math.inf if i != safe and rng.random() < zeros else x for i, x in enumerate(row)]
        return known[prefix]

    return logits


def one_hot(logits: Logits) -> Logits:
    """Only the largest logit stays possible: a drafter that proposes its argmax at any temperature."""

    def hot(prefix: tuple[int, ...]) -> list[float]:
        row = logits(prefix)
        return [0.0 if i == row.index(max(row)) else -math.inf for i in range(len(row))]

    return hot


@dataclass
class ScriptedCache:
    tokens: list[int] = field(default_factory=list)
    log: list[tuple[str, int]] = field(default_factory=list)

    @property
    def length(self) -> int:
        return len(self.tokens)

    def rewind(self, length: int) -> None:
        assert length <= len(self.tokens), "a cache cannot be rewound to what it never held"
        self.log.append(("rewind", length))
        del self.tokens[length:]

    def keep(self, length: int, others: Sequence[int]) -> None:
        kept = [self.tokens[i] for i in others]
        self.rewind(length + len(kept))
        self.tokens[length:] = kept

    def copy(self, length: int) -> ScriptedCache:
        return ScriptedCache(self.tokens[:length])


@dataclass
class ScriptedSlots:
    """The caches of many requests; ``log`` has the number of tokens that each request had in each pass."""

    lengths: list[int] = field(default_factory=list)
    tokens: dict[int, list[int]] = field(default_factory=dict)
    log: list[list[int]] = field(default_factory=list)

    def move(self, source: int, to: int) -> None:
        self.tokens[to], self.lengths[to] = self.tokens.pop(source), self.lengths[source]


class ScriptedTokenizer:
    """One letter a token, no template."""

    chat_template, bos_token = None, None

    def encode(self, text: str, **_: object) -> list[int]:
        return [LETTERS.index(letter) for letter in text]


class ScriptedTarget:
    """The last token of the vocabulary ends a sequence."""

    info = ModelInfo("scripted", "target", "0" * 12, 0)
    device = torch.device("cpu")
    tokenizer = ScriptedTokenizer()

    def __init__(self, logits: Logits, vocab: int = 3, context_limit: int = 1000) -> None:
        self.logits, self.vocab_size, self.context_limit = logits, vocab, context_limit
        self.stop_tokens = frozenset({vocab - 1})

    def tap(self, layers: tuple[int, ...]) -> None:
        assert layers == ()

    def new_cache(self) -> ScriptedCache:
        return ScriptedCache()

    def forward(
        self,
        cache: ScriptedCache,
        tokens: list[int],
        taps: tuple[int, ...] = (),
        *,
        logits: bool = True,
        parents: Sequence[int] | None = None,
    ) -> tuple[Tensor, None]:
        cache.log.append(("forward", len(tokens)))
        paths, rows = {-1: tuple(cache.tokens)}, []
        for i, token in enumerate(tokens):
            cache.tokens.append(token)
            paths[i] = (*paths[i - 1 if parents is None else parents[i]], token)
            rows.append(self.logits(paths[i]))
        return torch.tensor(rows if logits else rows[-1:], dtype=torch.float64), None

    def new_slots(self) -> ScriptedSlots:
        return ScriptedSlots()

    def forward_slots(
        self,
        cache: ScriptedSlots,
        slots: Sequence[int],
        tokens: Sequence[Sequence[int]],
        taps: tuple[int, ...] = (),
        *,
        asked: int | None = None,
    ) -> tuple[Tensor, None]:
        cache.log.append(list(map(len, tokens)))
        rows = []
        for slot, new in zip(slots, tokens, strict=True):
            held = cache.tokens[slot] = cache.tokens.get(slot, [])[: cache.lengths[slot]]
            assert len(held) == cache.lengths[slot], "a cache cannot be rewound to what it never held"
            for token in new:
                held.append(token)
                rows.append(self.logits(tuple(held)))
            cache.lengths[slot] = len(held)
        rows = rows if asked is None else rows[: sum(map(len, tokens[:asked]))]
        return torch.tensor(rows, dtype=torch.float64).view(-1, self.vocab_size), None

    def token(self, token_id: int) -> Token:
        return Token(token_id, LETTERS[token_id])

    def text(self, tokens: list[int]) -> str:
        return "".join(LETTERS[t] for t in tokens if t not in self.stop_tokens)


def endless(logits: Logits, context_limit: int = 1000) -> ScriptedTarget:
    """A target that never ends a sequence by itself."""
    target = ScriptedTarget(logits, len(logits(())), context_limit)
    target.stop_tokens = frozenset()
    return target


class ScriptedDrafter:
    """Drafts from ``logits``, or from ``other`` at the block's positions (1-based) in ``off``. ``confidence`` gives c_k by
    all tokens before x_k; without it the drafter has none."""

    info = ModelInfo("scripted", "dspark", "1" * 12, 0, 8)
    tap_layers: tuple[int, ...] = ()

    def __init__(
        self,
        logits: Logits,
        other: Logits | None = None,
        off: Sequence[int] = (),
        block_size: int = 8,
        confidence: Callable[[tuple[int, ...]], float] | None = None,
    ) -> None:
        self.logits, self.other, self.off, self.block_size = logits, other, off, block_size
        self.confidence = confidence

    def new_state(self) -> list[int]:
        return []

    def copy_state(self, state: list[int], length: int) -> list[int]:
        return state[:length]

    def commit(self, state: list[int], tokens: list[int], taps: None) -> None:
        state += tokens

    def propose(self, state: list[int], anchor: int, gamma: int, choose: Choose) -> Draft:
        draft = Draft([])
        for k in range(1, gamma + 1):
            logits = self.other if self.other and k in self.off else self.logits
            path = (*state, anchor, *draft.tokens)
            if self.confidence:
                draft.confidence = [*(draft.confidence or []), self.confidence(path)]
            draft.tokens.append(choose(k, torch.tensor(logits(path), dtype=torch.float64)))
        return draft

    def expand(self, state: list[int], anchor: int, gamma: int) -> Successors:
        def successors(path: tuple[int, ...]) -> Tensor:
            logits = self.other if self.other and len(path) + 1 in self.off else self.logits
            return torch.tensor(logits((*state, anchor, *path)), dtype=torch.float64)

        return successors


def untimed(rounds: list[Round]) -> list[Round]:
    """Rounds without what may differ between a round and its repetition."""
    return [replace(r, timings=None, overrides={}) for r in rounds]
