"""The target: a causal LM whose layers can be tapped and whose cache can be rewound."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Qwen3ForCausalLM

from dspark_lab.cache import ModelSlots, RewindableCache
from dspark_lab.errors import LabError
from dspark_lab.packed import PackedCache, PackedLayers, additive_mask
from dspark_lab.rounds import Token
from dspark_lab.slots import PackedSlots, Ragged
from dspark_lab.trace import ModelInfo
from dspark_lab.tree import visibility

FINAL = -1
"""The tap of what the LM head reads: the last layer's output, normalised."""

TargetCache = PackedCache | RewindableCache
"""What a target has computed of a sequence; both kinds have ``length``, ``rewind(length)``,
``keep(length, others)`` and ``copy(length)``."""

TargetSlots = PackedSlots | ModelSlots
"""The same of many sequences, a slot each; both kinds have ``lengths`` and ``move(source, to)``."""


class Target:
    """A Hugging Face causal LM and its tokenizer.

    Args:
        model: in eval mode, on its device. Any architecture whose layers attend.
        tokenizer: the model's.
        info: name and revision, for traces.
        packed: run the layers packed where they can be (see ``pack``); False keeps to transformers' own forward.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, info: ModelInfo, *, packed: bool = True
    ) -> None:
        self.model, self.tokenizer, self.info = model.eval(), tokenizer, info
        self.config = model.config.get_text_config()
        self._tapped: dict[int, Tensor] = {}
        self._hooked: set[int] = set()
        self._lock = threading.Lock()
        self._tokens: dict[int, Token] = {}
        self._packed = pack(model) if packed else None

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

    def new_cache(self) -> TargetCache:
        return self._packed.new_cache() if self._packed else RewindableCache.for_config(self.config)

    def new_slots(self) -> TargetSlots:
        return self._packed.new_slots() if self._packed else ModelSlots.for_config(self.config)

    def tap(self, layers: tuple[int, ...]) -> None:
        """Have ``forward`` keep the raw outputs of these layers (0-based), or FINAL. The last layer is refused: drafters
        that read layers read raw outputs, and transformers hands out the last only normalised."""
        blocks = self._blocks()
        for layer in layers:
            if layer != FINAL and not 0 <= layer < len(blocks) - 1:
                raise LabError(
                    f"the drafter reads target layer {layer}, but layers 0 to {len(blocks) - 2} can be read."
                )
            if self._packed is None and layer not in self._hooked:
                if layer == FINAL:
                    self.model.get_output_embeddings().register_forward_pre_hook(self._keep_input)
                else:
                    blocks[layer].register_forward_hook(self._keep(layer))
                self._hooked.add(layer)

    def forward(
        self,
        cache: TargetCache,
        tokens: list[int],
        taps: tuple[int, ...] = (),
        *,
        logits: bool = True,
        parents: Sequence[int] | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Run ``tokens`` after what is in ``cache``, which grows by them.

        Args:
            parents: where they are a tree: for each token the number of the one that it follows, smaller than its own,
                or -1 for what is in the cache. Each attends to the cache, its path and itself, and stands behind its
                parent. ``cache.keep`` then keeps one path.

        Returns:
            logits [n, V] of each token's successor (only the last token's, [1, V], with ``logits=False``), and the
            tapped layers' outputs side by side [n, taps * hidden], None without taps.
        """
        ids = torch.tensor(tokens, device=self.device)
        visible = None if parents is None else visibility(parents).to(self.device)
        if self._packed and isinstance(cache, PackedCache):
            return self._packed_forward(self._packed, cache, ids, taps, logits, visible)
        tree = {}
        if visible is not None:
            length, positions = cache.length, visible.sum(1) + (cache.length - 1)
            places = torch.cat([torch.arange(length, device=self.device), positions])
            tree = self._sees(F.pad(visible, (length, 0), value=True), positions, places)
        found, tapped = self._run(cache, ids, taps, 0 if logits else 1, tree)
        return found if logits else found[-1:], tapped

    @torch.inference_mode()
    def forward_slots(
        self,
        cache: TargetSlots,
        slots: Sequence[int],
        tokens: Sequence[Sequence[int]],
        taps: tuple[int, ...] = (),
        *,
        asked: int | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Run the tokens of many requests at once, ``tokens[r]`` after what slot ``slots[r]`` of ``cache`` holds, whose
        length grows by them. The layers compute just these N tokens: nothing is padded.

        Args:
            asked: of how many requests, from the first on, logits are wanted; None for all. The others', prompts say, cost no
                head.

        Returns:
            logits [n, V] of the successors of the n tokens that these requests have, request after request, and the tapped
            layers' outputs [N, taps * hidden], None without taps.
        """
        asked = len(slots) if asked is None else asked
        counts, lengths = list(map(len, tokens)), [cache.lengths[s] for s in slots]
        ids = torch.tensor([token for request in tokens for token in request], device=self.device)
        n = sum(counts[:asked])
        if self._packed and isinstance(cache, PackedSlots):
            few, many = slice(asked), slice(asked, None)
            parts = [Ragged(slots[p], counts[p], lengths[p], self.device) for p in (few, many) if slots[p]]
            x = F.embedding(ids, self.model.get_input_embeddings().weight)
            wanted = None if FINAL in taps else min(asked, 1)
            x, tapped = self._packed.forward_slots(x, cache, parts, taps, causal=True, asked=wanted)
            found, states = self._packed_head(x, tapped, taps, slice(n))
        else:
            assert isinstance(cache, ModelSlots)
            ragged = Ragged(slots, counts, lengths, self.device)
            (held, places), positions = ragged.held(), ragged.positions
            visible = (held == ragged.slot[:, None]) & (places <= positions[:, None])
            sees = self._sees(visible, positions, places)
            keep = torch.arange(n, device=self.device)
            found, states = self._run(cache.expecting(ragged), ids, taps, keep, sees)
        for slot, count in zip(slots, counts, strict=True):
            cache.lengths[slot] += count
        return found[:n], states

    def _run(
        self, cache: Any, ids: Tensor, taps: tuple[int, ...], keep: int | Tensor, inputs: dict[str, Any]
    ) -> tuple[Tensor, Tensor | None]:
        """Run ``ids`` [n] through transformers' own forward, which ``keep`` tells how many of the last tokens' logits are
        wanted, 0 for all, or which tokens'; all come with FINAL among the taps."""
        with self._lock, torch.inference_mode():
            keep = 0 if FINAL in taps else keep
            out = self.model(input_ids=ids[None], past_key_values=cache, use_cache=True, logits_to_keep=keep, **inputs)
            tapped = torch.cat([self._tapped[layer][0] for layer in taps], dim=-1) if taps else None
        return out.logits[0], tapped

    def _sees(self, visible: Tensor, positions: Tensor, places: Tensor) -> dict[str, Any]:
        """Mask and positions as transformers takes them, of n tokens at ``positions`` [n], to each of which is ``visible``
        [n, K] what stands at ``places`` [K], and on layers with a sliding window what of that is near enough."""
        kind = self.config._attn_implementation
        if kind not in ("sdpa", "eager"):
            raise LabError(
                f"the target's attention is {kind!r}, which takes no mask of a tree or of several requests: load it with "
                f"sdpa or eager attention, or draft chains (tree=0) in a session."
            )
        mask = additive_mask(visible, self.model.get_input_embeddings().weight)
        masks = {"full_attention": mask[None, None]}
        window = getattr(self.config, "sliding_window", None)
        types = set(getattr(self.config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
        if window and "sliding_attention" in types:
            beyond = places <= positions[:, None] - window
            masks["sliding_attention"] = mask.masked_fill(beyond, -torch.inf)[None, None]
        by_type = {name: masks[name] for name in types}
        return {"position_ids": positions[None], "attention_mask": by_type if len(types) > 1 else by_type.popitem()[1]}

    @torch.inference_mode()
    def _packed_forward(
        self,
        layers: PackedLayers,
        cache: PackedCache,
        ids: Tensor,
        taps: tuple[int, ...],
        logits: bool,
        visible: Tensor | None,
    ) -> tuple[Tensor, Tensor | None]:
        x = F.embedding(ids, self.model.get_input_embeddings().weight)
        x, tapped = layers.forward(x, cache, taps, causal=True, visible=visible)
        cache.length += len(ids)
        return self._packed_head(x, tapped, taps, slice(None) if logits else slice(-1, None))

    def _packed_head(
        self, x: Tensor, tapped: dict[int, Tensor], taps: tuple[int, ...], keep: slice
    ) -> tuple[Tensor, Tensor | None]:
        """Logits of those of the last layer's outputs ``x`` [n, hidden] that ``keep`` says, and the taps of all."""
        model: Any = self.model
        norm = model.model.norm
        x = x if FINAL in taps else x[keep]
        x = tapped[FINAL] = F.rms_norm(x, x.shape[1:], norm.weight, norm.variance_epsilon)
        states = torch.cat([tapped[layer] for layer in taps], dim=-1) if taps else None
        return F.linear(x[keep] if FINAL in taps else x, model.lm_head.weight), states

    def first_layers(self, count: int) -> Target:
        """A target of the first ``count`` layers, then the final norm and the LM head: all weights are this one's."""
        decoder: Any = self.model.get_decoder()
        path = next(name for name, module in self.model.named_modules() if module is decoder)
        view = inner = _shallow(self.model)
        for name in path.split("."):
            inner._modules[name] = _shallow(getattr(inner, name))
            inner = getattr(inner, name)
        inner._modules["layers"] = nn.ModuleList(list(decoder.layers)[:count])
        inner.config = copy(decoder.config)
        inner.config.num_hidden_layers = count
        result = Target(view, self.tokenizer, self.info, packed=False)
        result.config, result._lock = inner.config, self._lock  # hooks of the shared layers write to this target's taps
        result._packed = self._packed.first(count) if self._packed else None
        return result

    def token(self, token_id: int) -> Token:
        """The id with its text."""
        known = self._tokens.get(token_id)
        if known is None:
            text = self.tokenizer.decode([token_id], skip_special_tokens=False)
            known = self._tokens[token_id] = Token(token_id, text)
        return known

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

    def _keep_input(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._tapped[FINAL] = inputs[0]


def _shallow(module: Any) -> Any:
    """The module with a list of children of its own, itself sharing them."""
    new = copy(module)
    new._modules = dict(module._modules)
    return new


def pack(model: PreTrainedModel) -> PackedLayers | None:
    """The model's layers packed, where that is the same computation and pays: a plain Qwen3 on a CPU."""
    c = model.config
    plain = (
        type(model) is Qwen3ForCausalLM
        and model.device.type == "cpu"
        and not c.attention_bias
        and c.hidden_act == "silu"
        and set(c.layer_types) == {"full_attention"}
        and c.rope_parameters["rope_type"] in ("default", "linear", "llama3", "yarn")
        and all(type(m) is not nn.Linear or m.bias is None for m in model.modules())
        and type(model.model.layers[0].self_attn.q_proj) is nn.Linear
    )
    if not plain:
        return None
    positions = torch.arange(c.max_position_embeddings)[None]
    with torch.inference_mode(False), torch.no_grad():
        cos, sin = model.model.rotary_emb(model.lm_head.weight[:1], positions)
        return PackedLayers(
            model.model.layers, c.num_attention_heads, c.num_key_value_heads, c.head_dim, c.rms_norm_eps, cos[0], sin[0]
        )
