"""DSpark at inference: one block forward, then the sequential head token by token (arXiv 2607.05147, eq. 2-7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.checkpoints import filled, matching_config
from dspark_lab.clock import now
from dspark_lab.drafters.base import Choose, ChooseEach, Draft, Drafts
from dspark_lab.drafters.draft_layers import rope_tables
from dspark_lab.drafters.dspark_model import DSparkConfig, DSparkModel
from dspark_lab.drafters.registry import KINDS
from dspark_lab.packed import PackedCache, PackedLayers
from dspark_lab.scheduling.background import Background
from dspark_lab.scheduling.calibration import Calibration, stored_calibration
from dspark_lab.scheduling.confidence import sigmoid
from dspark_lab.slots import PackedSlots, Ragged
from dspark_lab.target import Target
from dspark_lab.trace import ModelInfo
from dspark_lab.tree import Successors


class DSparkDrafter:
    """A DSpark checkpoint that drafts; DFlash is the same with rank 0.

    The block's slot k sits at sequence position ``anchor + k`` and predicts the token one further on, the anchor's own
    slot the first draft token; without ``sample_from_anchor`` each mask predicts the token at its own position. The whole
    trained block is always run, so that gamma cuts a draft without changing it.

    ``calibration`` scales the confidences so that their products can be scheduled on, None where nobody has fitted it.
    ``background`` are rounds recorded of it, for a simulated load; None where none lie beside its weights.
    ``folder`` is where these are; None of a model made in memory.
    """

    calibration: Calibration | None = None
    background: Background | None = None
    folder: Path | None = None

    @property
    def confident(self) -> bool:
        """Whether it has a confidence head."""
        return self.model.confidence_head is not None

    def __init__(self, model: DSparkModel, info: ModelInfo) -> None:
        self.model, self.info, self.config = model.eval().requires_grad_(False), info, model.config
        self.block_size, self.tap_layers = model.config.drafted, model.config.target_layer_ids
        self._pack()

    def _pack(self) -> None:
        """Lay the layers out for few tokens at a time."""
        c, model, weight = self.config, self.model, self.model.fc.weight
        positions = torch.arange(c.max_position_embeddings + c.block_size, device=weight.device)
        cos, sin = (table.to(weight.dtype) for table in rope_tables(c, positions))
        heads = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self._layers = PackedLayers(model.blocks, *heads, c.rms_norm_eps, cos, sin)
        # The context's keys and values of all layers come from one matrix too.
        attention = [layer.self_attn for layer in model.blocks]
        self._context_kv = torch.cat([w for a in attention for w in (a.k_proj.weight, a.v_proj.weight)])
        self._k_scale = torch.stack([a.k_norm.weight for a in attention])[:, None, None]  # [layers, 1, 1, head_dim]
        if model.markov_head is not None:
            model.markov_head.pack()

    def new_state(self) -> PackedCache:
        return self._layers.new_cache()

    def copy_state(self, state: PackedCache, length: int) -> PackedCache:
        return state.copy(length)

    @torch.inference_mode()
    def commit(self, state: PackedCache, tokens: list[int], taps: Tensor | None) -> None:
        assert taps is not None
        start, end = state.length, state.length + len(tokens)
        state.reserve(end)
        k, v = self._keys_values(taps, torch.arange(start, end, device=taps.device))
        state.buffer[:, 0, :, start:end] = k
        state.buffer[:, 1, :, start:end] = v
        state.length = end

    def _keys_values(self, taps: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Of the context features ``taps`` [n, taps * hidden] at ``positions`` [n]: [layers, kv heads, n, head_dim] each."""
        c = self.config
        h = self.model.hidden_norm(F.linear(taps, self.model.fc.weight))
        kv = F.linear(h, self._context_kv).view(len(taps), c.num_hidden_layers, 2, c.num_key_value_heads, c.head_dim)
        k, v = kv.permute(1, 2, 3, 0, 4).unbind(1)
        k = self._layers.normalise(k, self._k_scale)
        return self._layers.rotate(k, positions), v

    @torch.inference_mode()
    def propose(self, state: PackedCache, anchor: int, gamma: int, choose: Choose) -> Draft:
        began = perf_counter()
        hidden = self._block(state, anchor)
        base = self.model.base_logits(hidden)[:gamma]  # U [gamma, V], the same bits for every gamma
        hidden = hidden[:gamma]
        drafted = now(hidden.device)
        head = self.model.markov_head
        step, carried = head.stepper(hidden) if head is not None else None, None
        tokens: list[int] = []
        biases = []
        for k, logits in enumerate(base.unbind()):
            if step is not None:
                bias, carried = step(k, tokens[-1] if tokens else anchor, carried)
                biases.append(bias)
                logits = logits + bias
            tokens.append(choose(k + 1, logits))
        confidence = None
        if self.model.confidence_head is not None and gamma:
            previous = torch.tensor([anchor, *tokens[:-1]], device=hidden.device)
            logits = self.model.confidence_logits(hidden, previous)
            confidence = sigmoid(logits.tolist()).tolist()  # in float32 a sure one would become 1
        return Draft(
            tokens,
            base,
            torch.stack(biases) if biases else None,
            confidence,
            forward_ms=(drafted - began) * 1e3,
            head_ms=(perf_counter() - drafted) * 1e3,
        )

    def new_slots(self) -> PackedSlots:
        return self._layers.new_slots()

    @torch.inference_mode()
    def commit_slots(
        self, states: PackedSlots, slots: Sequence[int], tokens: Sequence[Sequence[int]], taps: Tensor | None
    ) -> None:
        assert taps is not None
        counts = list(map(len, tokens))
        ragged = Ragged(slots, counts, [states.lengths[s] for s in slots], taps.device)
        states.reserve(ragged)
        k, v = (values.transpose(1, 2) for values in self._keys_values(taps, ragged.positions))
        states.write(slice(None), states.rows(ragged), k, v)
        for slot, count in zip(slots, counts, strict=True):
            states.lengths[slot] += count

    @torch.inference_mode()
    def propose_slots(
        self, states: PackedSlots, slots: Sequence[int], anchors: Sequence[int], gamma: int, choose: ChooseEach
    ) -> Drafts:
        began = perf_counter()
        c, previous = self.config, torch.tensor(anchors, device=self.model.fc.weight.device)
        ids = previous.new_full((len(slots), c.block_size), c.mask_token_id)
        ids[:, 0] = previous
        hidden = self._run_slots(states, slots, ids)[:, c.block_size - c.drafted :][:, :gamma]
        base = self.model.base_logits(hidden)  # U [R, gamma, V]
        drafted = now(hidden.device)
        head, carried = self.model.markov_head, None
        step = head.stepper_each(hidden) if head is not None else None
        tokens = previous.new_empty((len(slots), gamma + 1))
        tokens[:, 0] = previous
        for k in range(gamma):
            logits = base[:, k]
            if step is not None:
                bias, carried = step(k, tokens[:, k], carried)
                logits = bias.add_(logits)
            tokens[:, k + 1] = choose(k + 1, logits)
        confidence = None
        if self.model.confidence_head is not None:
            confidence = sigmoid(self.model.confidence_logits(hidden, tokens[:, :-1]).numpy(force=True))
        return Drafts(tokens[:, 1:], confidence, (drafted - began) * 1e3, (perf_counter() - drafted) * 1e3)

    @torch.inference_mode()
    def expand(self, state: PackedCache, anchor: int, gamma: int) -> Successors:
        hidden = self._block(state, anchor)
        base = self.model.base_logits(hidden)[:gamma]
        head = self.model.markov_head
        step = head.stepper(hidden[:gamma]) if head is not None else None
        carried: dict[tuple[int, ...], Any] = {}

        def successors(path: tuple[int, ...]) -> Tensor:
            k = len(path)
            if step is None:
                return base[k]
            before = carried[path[:-1]] if path else None
            bias, carried[path] = step(k, path[-1] if path else anchor, before)
            return base[k] + bias

        return successors

    @torch.inference_mode()
    def slot(self, state: PackedCache, anchor: int, before: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """What slot k = len(before) adds up: its parallel logits U_k [V], and the head's B [V] after ``before``, the x_0..x_{k-1}
        that the head reads; None without a head. The backbone reads ``anchor``. The state stays as it is."""
        hidden = self._block(state, anchor)
        base = self.model.base_logits(hidden)[len(before) - 1]
        bias, carried = None, None
        if self.model.markov_head is not None:
            step = self.model.markov_head.stepper(hidden)
            for k, token in enumerate(before):
                bias, carried = step(k, token, carried)
        return base, bias

    def _block(self, state: PackedCache, anchor: int) -> Tensor:
        """Normalised hidden states [gamma, hidden] of the slots that predict."""
        c, device = self.config, self.model.fc.weight.device
        ids = torch.tensor([anchor] + [c.mask_token_id] * (c.block_size - 1), device=device)
        return self._run(state, ids)[c.block_size - c.drafted :]

    def _run(self, state: PackedCache, ids: Tensor) -> Tensor:
        """Normalised hidden states [block, hidden]. The block's keys and values go behind the context's and are
        overwritten by the next commit: they never become context."""
        hidden, _ = self._layers.forward(self.model.embed_tokens(ids), state, causal=False)
        return self.model.norm(hidden)

    def _run_slots(self, states: PackedSlots, slots: Sequence[int], ids: Tensor) -> Tensor:
        """The same of many requests' blocks ``ids`` [R, block]: [R, block, hidden]."""
        requests, block = ids.shape
        ragged = Ragged(slots, [block] * requests, [states.lengths[s] for s in slots], ids.device)
        hidden, _ = self._layers.forward_slots(self.model.embed_tokens(ids.flatten()), states, [ragged], causal=False)
        return self.model.norm(hidden).view(requests, block, -1)


def load(folder: Path, config: Mapping[str, Any], target: Target, info: ModelInfo) -> DSparkDrafter:
    """A DeepSpec DSpark or DFlash checkpoint, matched against its target."""
    return assemble(
        DSparkDrafter, DSparkModel, matching_config(DSparkConfig, config, folder, target), folder, target, info
    )


def assemble(
    drafter: type[DSparkDrafter],
    model: type[DSparkModel],
    config: DSparkConfig,
    folder: Path,
    target: Target,
    info: ModelInfo,
    borrowed: Mapping[str, Tensor] | None = None,
) -> DSparkDrafter:
    """A drafter of these classes with the weights in ``folder``, and the target's ``borrowed`` where those have none."""
    with torch.device("meta"):  # every tensor will come from the file
        empty = model(config)
    whole, parameters = filled(empty, folder, target, borrowed)
    head = config.markov_head_type if config.markov_rank else ""
    kind = next(kind.name for kind in KINDS.values() if kind.module == "dspark" and kind.head == head)
    made = drafter(whole, replace(info, kind=kind, parameters=parameters, block_size=config.drafted))
    if whole.confidence_head is not None:
        made.folder = folder
        made.calibration = stored_calibration(folder, made.info, target.info)
        made.background = Background.stored(folder, made.info, made.calibration)
    return made
