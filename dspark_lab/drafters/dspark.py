"""DSpark at inference: one block forward, then the sequential head token by token (arXiv 2607.05147, eq. 2-7)."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.drafters.dspark_model import DSparkModel, rope_tables, rotate
from dspark_lab.trace import ModelInfo

GROWTH = 256


@dataclass
class ContextCache:
    """Keys and values of committed positions, [layers, 2, 1, kv heads, room, head_dim], ``length`` of them in use."""

    buffer: Tensor
    length: int = 0


class DSparkDrafter:
    """A DSpark checkpoint that drafts; DFlash is the same with rank 0.

    The block's slot k sits at sequence position ``anchor + k`` and predicts the token one further on, the anchor's own
    slot the first draft token. The whole trained block is always run, so that gamma cuts a draft without changing it.
    """

    def __init__(self, model: DSparkModel, info: ModelInfo) -> None:
        self.model, self.info, self.config = model.eval().requires_grad_(False), info, model.config
        self.block_size, self.tap_layers = model.config.block_size, model.config.target_layer_ids
        # One matrix a layer for queries, keys and values, one for all layers' context: at this size calls cost most.
        attention = [layer.self_attn for layer in model.blocks]
        self._qkv = [torch.cat([a.q_proj.weight, a.k_proj.weight, a.v_proj.weight]) for a in attention]
        self._context_kv = torch.cat([w for a in attention for w in (a.k_proj.weight, a.v_proj.weight)])
        self._gate_up = [torch.cat([layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight]) for layer in model.blocks]
        c = self.config
        scales = [(a.q_norm.weight, a.k_norm.weight) for a in attention]
        self._qk_scale = [
            torch.cat([q.expand(c.num_attention_heads, -1), k.expand(c.num_key_value_heads, -1)]) for q, k in scales
        ]
        self._k_scale = torch.stack([k for _, k in scales])[:, None, None]  # [layers, 1, 1, head_dim]
        device, dtype = model.fc.weight.device, model.fc.weight.dtype
        positions = torch.arange(c.max_position_embeddings + c.block_size, device=device)
        self._cos, self._sin = (table.to(dtype) for table in rope_tables(c, positions))

    def new_state(self) -> ContextCache:
        return ContextCache(self._room(GROWTH))

    def copy_state(self, state: ContextCache, length: int) -> ContextCache:
        return ContextCache(state.buffer.clone(), length)

    @torch.inference_mode()
    def commit(self, state: ContextCache, tokens: list[int], taps: Tensor | None) -> None:
        assert taps is not None
        c, start, end = self.config, state.length, state.length + len(tokens)
        if end + c.block_size > state.buffer.shape[4]:
            grown = self._room(-(-(end + c.block_size) // GROWTH) * GROWTH * 2)
            grown[..., :start, :] = state.buffer[..., :start, :]
            state.buffer = grown
        h = self.model.hidden_norm(F.linear(taps, self.model.fc.weight))
        kv = F.linear(h, self._context_kv).view(len(tokens), c.num_hidden_layers, 2, c.num_key_value_heads, c.head_dim)
        k, v = kv.permute(1, 2, 3, 0, 4).unbind(1)  # [layers, kv heads, n, head_dim] each
        k = rotate(
            F.rms_norm(k, (c.head_dim,), None, c.rms_norm_eps) * self._k_scale,
            self._cos[start:end],
            self._sin[start:end],
        )
        state.buffer[:, 0, 0, :, start:end], state.buffer[:, 1, 0, :, start:end] = k, v
        state.length = end

    @torch.inference_mode()
    def propose(self, state: ContextCache, anchor: int, gamma: int, choose: Choose) -> Draft:
        began = perf_counter()
        hidden = self._block(state, anchor)
        base = F.linear(hidden, self.model.lm_head.weight)[:gamma]  # U [gamma, V], the same bits for every gamma
        hidden = hidden[:gamma]
        drafted = perf_counter()
        head = self.model.markov_head
        tokens: list[int] = []
        biases = []
        for k in range(gamma):
            logits = base[k]
            if head is not None:
                bias = head.markov_w2.weight @ head.markov_w1.weight[tokens[-1] if tokens else anchor]  # eq. 5
                biases.append(bias)
                logits = logits + bias
            tokens.append(choose(k + 1, logits))
        confidence = None
        if self.model.confidence_head is not None and gamma:
            previous = torch.tensor([anchor, *tokens[:-1]], device=hidden.device)
            confidence = self.model.confidence_logits(hidden, previous).sigmoid().tolist()
        return Draft(
            tokens,
            base,
            torch.stack(biases) if biases else None,
            confidence,
            forward_ms=(drafted - began) * 1e3,
            head_ms=(perf_counter() - drafted) * 1e3,
        )

    def _block(self, state: ContextCache, anchor: int) -> Tensor:
        """Normalised hidden states [block, hidden]. The block's keys and values go behind the context's and are
        overwritten by the next commit: they never become context."""
        c, start, g = self.config, state.length, self.block_size
        end, eps = start + g, c.rms_norm_eps
        ids = torch.tensor([anchor] + [c.mask_token_id] * (g - 1), device=self._cos.device)
        cos, sin = self._cos[start:end, None], self._sin[start:end, None]
        x = self.model.embed_tokens(ids)
        heads = c.num_attention_heads + c.num_key_value_heads
        for i, layer in enumerate(self.model.blocks):
            qkv = F.linear(layer.input_layernorm(x), self._qkv[i]).view(g, -1, c.head_dim)
            qk = rotate(F.rms_norm(qkv[:, :heads], (c.head_dim,), None, eps) * self._qk_scale[i], cos, sin)
            q, k = qk[:, : c.num_attention_heads].transpose(0, 1), qk[:, c.num_attention_heads :].transpose(0, 1)
            keys, values = state.buffer[i, 0], state.buffer[i, 1]
            keys[0, :, start:end], values[0, :, start:end] = k, qkv[:, heads:].transpose(0, 1)
            out = F.scaled_dot_product_attention(q[None], keys[:, :, :end], values[:, :, :end], enable_gqa=True)
            x = x + F.linear(out[0].transpose(0, 1).reshape(g, -1), layer.self_attn.o_proj.weight)
            gate, up = F.linear(layer.post_attention_layernorm(x), self._gate_up[i]).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, layer.mlp.down_proj.weight)
        return self.model.norm(x)

    def _room(self, length: int) -> Tensor:
        c = self.config
        shape = (c.num_hidden_layers, 2, 1, c.num_key_value_heads, length, c.head_dim)
        return torch.zeros(shape, device=self._cos.device, dtype=self._cos.dtype)
