"""The target: a causal LM whose layers can be tapped and whose cache can be rewound."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from dspark_lab.cache import RewindableCache
from dspark_lab.errors import LabError
from dspark_lab.trace import ModelInfo, Token


class Target:
    """A Hugging Face causal LM and its tokenizer.

    Args:
        model: in eval mode, on its device. Any architecture whose layers attend.
        tokenizer: the model's.
        info: name and revision, for traces.
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, info: ModelInfo) -> None:
        self.model, self.tokenizer, self.info = model.eval(), tokenizer, info
        self.config = model.config.get_text_config()
        self._tapped: dict[int, Tensor] = {}
        self._hooked: set[int] = set()
        self._lock = threading.Lock()
        self._texts: dict[int, str] = {}

    @property
    def device(self) -> torch.device:
        return self.model.device

    @property
    def vocab_size(self) -> int:
        return int(self.config.vocab_size)

    @property
    def context_limit(self) -> int:
        """Longest sequence in tokens that the model has positions for."""
        return int(self.config.max_position_embeddings)

    @cached_property
    def stop_tokens(self) -> frozenset[int]:
        """Ids that end a sequence, from the generation config and the tokenizer."""
        configured = self.model.generation_config.eos_token_id if self.model.generation_config else None
        ids = configured if isinstance(configured, list) else [configured, self.tokenizer.eos_token_id]
        return frozenset(i for i in ids if i is not None)

    def new_cache(self) -> RewindableCache:
        return RewindableCache.for_config(self.config)

    def tap(self, layers: tuple[int, ...]) -> None:
        """Have ``forward`` keep the raw outputs of these layers (0-based). The last one is refused: drafters read raw
        outputs, and transformers hands out the last only normalised."""
        blocks = self._blocks()
        for layer in layers:
            if not 0 <= layer < len(blocks) - 1:
                raise LabError(
                    f"the drafter reads target layer {layer}, but layers 0 to {len(blocks) - 2} can be read."
                )
            if layer not in self._hooked:
                blocks[layer].register_forward_hook(self._keep(layer))
                self._hooked.add(layer)

    def forward(
        self, cache: RewindableCache, tokens: list[int], taps: tuple[int, ...] = (), *, logits: bool = True
    ) -> tuple[Tensor, Tensor | None]:
        """Run ``tokens`` after what is in ``cache``, which grows by them.

        Returns:
            logits [n, V] of each token's successor (only the last token's, [1, V], with ``logits=False``), and the
            tapped layers' outputs side by side [n, taps * hidden], None without taps.
        """
        ids = torch.tensor([tokens], device=self.device)
        with self._lock, torch.inference_mode():
            out = self.model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=0 if logits else 1)
            tapped = torch.cat([self._tapped[layer][0] for layer in taps], dim=-1) if taps else None
        return out.logits[0], tapped

    def token(self, token_id: int) -> Token:
        """The id with its text."""
        if token_id not in self._texts:
            self._texts[token_id] = self.tokenizer.decode([token_id], skip_special_tokens=False)
        return Token(token_id, self._texts[token_id])

    def text(self, tokens: list[int]) -> str:
        """The text of an answer, without special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True))

    def _blocks(self) -> nn.ModuleList:
        decoder: Any = self.model.get_decoder()
        return decoder.layers

    def _keep(self, layer: int) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self._tapped[layer] = output[0] if isinstance(output, tuple) else output

        return hook
