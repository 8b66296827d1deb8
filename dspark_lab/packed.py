"""Qwen3-style decoder layers for few tokens at a time, where calls cost more than arithmetic.

One matrix a layer for queries, keys and values; gate and up as a batch of two, which threads multiply without waiting for one
another; the query heads that share a key head go through attention as one. The results are those of the layers' own
``forward`` up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.slots import GROWTH, PackedSlots, Ragged


@dataclass
class PackedCache:
    """Keys and values [layers, 2, kv heads, room, head_dim], the first ``length`` positions in use.

    Room grows in steps: appending copies only what is new, rewinding copies nothing.
    """

    buffer: Tensor
    length: int = 0

    def reserve(self, length: int) -> None:
        """Make room for ``length`` positions."""
        room = self.buffer.shape[3]
        if length > room:
            grown = self.buffer.new_zeros(
                (*self.buffer.shape[:3], 2 * -(-length // GROWTH) * GROWTH, self.buffer.shape[4])
            )
            grown[:, :, :, : self.length] = self.buffer[:, :, :, : self.length]
            self.buffer = grown

    def rewind(self, length: int) -> None:
        """Keep the first ``length`` positions."""
        self.length = length

    @torch.inference_mode()
    def keep(self, length: int, others: Sequence[int]) -> None:
        """Keep the first ``length`` positions, and behind them those numbered ``others``, which ascend."""
        end = length + len(others)
        if list(others) != list(range(length, end)):
            self.buffer[:, :, :, length:end] = self.buffer[:, :, :, others]
        self.length = end

    def copy(self, length: int) -> PackedCache:
        """A cache of its own with the first ``length`` positions."""
        return PackedCache(self.buffer.clone(), length)


@dataclass
class _Weights:
    input_norm: Tensor
    qkv: Tensor
    qk_scale: Tensor
    output: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor


class PackedLayers:
    """A stack of layers named as transformers' Qwen3 names them (``self_attn.q_proj`` and so on), without biases.

    The layers go on working: their matrices become views of the packed ones, so that nothing is held twice.

    Args:
        layers: first to last. heads, kv_heads, head_dim: of each. eps: of every RMSNorm.
        cos, sin: rotary tables [positions, head_dim].
    """

    def __init__(
        self, layers: Iterable[Any], heads: int, kv_heads: int, head_dim: int, eps: float, cos: Tensor, sin: Tensor
    ) -> None:
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, head_dim
        self._eps = torch.tensor(eps, device=cos.device, dtype=cos.dtype)
        self._weights = [self._pack(layer) for layer in layers]
        self._cos, self._sin = cos, torch.cat([-sin[:, : head_dim // 2], sin[:, head_dim // 2 :]], dim=1)

    def first(self, count: int) -> PackedLayers:
        """A stack of the first ``count`` layers, of the same matrices."""
        view = copy(self)
        view._weights = self._weights[:count]
        return view

    def new_cache(self) -> PackedCache:
        shape = (len(self._weights), 2, self.kv_heads, GROWTH, self.head_dim)
        return PackedCache(torch.zeros(shape, device=self._cos.device, dtype=self._cos.dtype))

    def new_slots(self) -> PackedSlots:
        shape = (len(self._weights), 0, 0, 2, self.kv_heads, self.head_dim)
        return PackedSlots(torch.zeros(shape, device=self._cos.device, dtype=self._cos.dtype))

    def forward(
        self,
        x: Tensor,
        cache: PackedCache,
        taps: tuple[int, ...] = (),
        *,
        causal: bool,
        attended: Tensor | None = None,
        visible: Tensor | None = None,
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Run ``x`` [n, hidden] at the positions after the cache's, whose keys and values are written there; the
        cache's length stays, so that the caller decides what is kept.

        Args:
            attended: what the first layer's attention reads [n, width], where that is not ``x`` normalised.
            visible: which of ``x`` each attends to [n, n], itself among them, where they are a tree (see
                ``tree.visibility``) rather than a chain. Each then stands as far behind the cache as it sees.

        Returns:
            the last layer's raw output [n, hidden], and the raw outputs of the layers in ``taps``, by layer.
        """
        n, start = len(x), cache.length
        end = start + n
        cache.reserve(end)
        groups = self.heads // self.kv_heads
        mask = self._mask(x, start, end, visible).repeat(groups, 1) if causal and n > 1 else None
        at = slice(start, end) if visible is None else visible.sum(1) + (start - 1)

        def attend(i: int, w: _Weights, normed: Tensor) -> Tensor:
            stored = cache.buffer[i, :, :, :end]
            q = (
                self._remember(w, normed, stored, start, at)
                .view(n, self.kv_heads, groups, -1)
                .permute(1, 2, 0, 3)
                .reshape(1, self.kv_heads, groups * n, -1)
            )
            out = F.scaled_dot_product_attention(q, stored[:1], stored[1:], attn_mask=mask)
            return out.view(self.kv_heads, groups, n, -1).permute(2, 0, 1, 3).reshape(n, -1)

        return self._stack(x, attend, taps, attended)

    def forward_slots(
        self,
        x: Tensor,
        cache: PackedSlots,
        parts: Sequence[Ragged],
        taps: tuple[int, ...] = (),
        *,
        causal: bool,
        asked: int | None = None,
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Run the tokens of many requests at once, each behind what its own slot holds; otherwise as ``forward``.

        Args:
            x: [N, hidden], request after request, part after part. parts: attention lays the queries of each out by
                themselves, so that requests with few tokens are not padded to the many of others.
            causal: else a request's tokens see one another. asked: of how many parts, from the first on, the last layer's
                output is wanted, [n, hidden] then; None for all. The last layer stops at the others' keys and values.
        """
        for ragged in parts:
            cache.reserve(ragged)
        positions = torch.cat([ragged.positions for ragged in parts])
        cos, sin = self._cos[positions, None], self._sin[positions, None]
        rows = torch.cat([cache.rows(ragged) for ragged in parts])
        groups = self.heads // self.kv_heads
        masks = [ragged.mask(x, causal, groups) for ragged in parts]
        last, ends = len(self._weights) - 1, list(accumulate((ragged.total for ragged in parts), initial=0))

        def attend(i: int, w: _Weights, normed: Tensor) -> Tensor:
            q, k, v = self._project(w, normed, cos, sin)
            cache.write(i, rows, k, v)
            shown = asked if i == last else None
            out = q.new_empty(ends[len(parts) if shown is None else shown], self.heads * self.head_dim)
            for ragged, mask, start, end in zip(parts[:shown], masks, ends, ends[1:], strict=False):
                self._attend(q[start:end], cache.buffer[i], ragged, mask, out[start:end])
            return out

        return self._stack(x, attend, taps, None)

    def _attend(self, q: Tensor, stored: Tensor, ragged: Ragged, mask: Tensor, out: Tensor) -> None:
        """Attention of the queries [n, heads, head_dim] of ``ragged`` to a layer's slots ``stored``, into ``out`` [n, heads *
        head_dim]."""
        width, most, kv = ragged.width, ragged.most, self.kv_heads
        shape = width, most, kv, self.heads // kv, self.head_dim
        held = stored[ragged.first : ragged.first + width, : ragged.length].transpose(1, 3)
        q = ragged.padded(q.reshape(len(q), -1)).view(shape).permute(0, 2, 3, 1, 4).flatten(2, 3)
        found = F.scaled_dot_product_attention(q, held[:, :, 0], held[:, :, 1], attn_mask=mask)
        ragged.flat(found.view(width, kv, -1, most, self.head_dim).permute(0, 3, 1, 2, 4), out)

    def _stack(
        self,
        x: Tensor,
        attend: Callable[[int, _Weights, Tensor], Tensor],
        taps: tuple[int, ...],
        attended: Tensor | None,
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """All layers on ``x`` [n, hidden]; ``attend(i, weights, normalised)`` is layer i's attention [n, heads * head_dim], of
        fewer tokens where only the first ones are to go on."""
        tapped = {}
        for i, w in enumerate(self._weights):
            out = attend(i, w, self.normalise(x, w.input_norm) if i or attended is None else attended)
            x = torch.addmm(x[: len(out)], out, w.output)
            gate, up = torch.bmm(self.normalise(x, w.mlp_norm).expand(2, -1, -1), w.gate_up)
            x = torch.addmm(x, F.silu(gate) * up, w.down)
            if i in taps:
                tapped[i] = x
        return x, tapped

    def remember(self, attended: Tensor, cache: PackedCache) -> None:
        """Append the keys and values of ``attended`` [n, width], what the attention of a stack's only layer reads."""
        (weights,) = self._weights
        start, end = cache.length, cache.length + len(attended)
        cache.reserve(end)
        self._remember(weights, attended, cache.buffer[0, :, :, :end], start, slice(start, end))
        cache.length = end

    def rotate(self, keys: Tensor, at: slice | Tensor) -> Tensor:
        """Rotary embedding of ``keys`` [..., n, head_dim] at the positions ``at``."""
        return torch.addcmul(keys * self._cos[at], keys.roll(self.head_dim // 2, -1), self._sin[at])

    def _remember(self, w: _Weights, attended: Tensor, stored: Tensor, start: int, at: slice | Tensor) -> Tensor:
        """Write keys and values into ``stored`` [2, kv heads, end, head_dim] from ``start`` on, rotated as those of the
        sequence's positions ``at``, and return the queries [n, heads, head_dim]."""
        q, k, v = self._project(w, attended, self._cos[at, None], self._sin[at, None])
        stored[0, :, start:] = k.transpose(0, 1)
        stored[1, :, start:] = v.transpose(0, 1)
        return q

    def _project(self, w: _Weights, attended: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [n, heads, head_dim] of ``attended`` [n, width], the first two normalised and rotated;
        ``cos``, ``sin`` [n, 1, head_dim]."""
        split, last = self.heads, self.heads + self.kv_heads
        qkv = F.linear(attended, w.qkv).view(len(attended), -1, self.head_dim)
        qk = self.normalise(qkv[:, :last], w.qk_scale)
        qk = torch.addcmul(qk * cos, qk.roll(self.head_dim // 2, -1), sin)
        return qk[:, :split], qk[:, split:], qkv[:, last:]

    def normalise(self, x: Tensor, weight: Tensor) -> Tensor:
        """RMSNorm over the last dimension, in fewer and smaller steps than ``F.rms_norm`` takes on a CPU."""
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return x.mul(torch.addcmul(self._eps, norm, norm, value=1 / x.shape[-1]).rsqrt_()).mul_(weight)

    @staticmethod
    def _mask(x: Tensor, start: int, end: int, visible: Tensor | None) -> Tensor:
        if visible is not None:
            return additive_mask(F.pad(visible, (start, 0), value=True), x)
        return torch.full((len(x), end), -torch.inf, device=x.device, dtype=x.dtype).triu_(start + 1)

    def _pack(self, layer: Any) -> _Weights:
        a, m = layer.self_attn, layer.mlp
        qkv, gate_up = _fuse(a.q_proj, a.k_proj, a.v_proj), _fuse(m.gate_proj, m.up_proj)
        scale = torch.cat([a.q_norm.weight.expand(self.heads, -1), a.k_norm.weight.expand(self.kv_heads, -1)])
        return _Weights(
            layer.input_layernorm.weight, qkv, scale, a.o_proj.weight.t(),
            layer.post_attention_layernorm.weight, gate_up.unflatten(0, (2, -1)).mT, m.down_proj.weight.t(),
        )  # fmt: skip


def additive_mask(visible: Tensor, like: Tensor) -> Tensor:
    """What is added to attention scores: 0 where ``visible``, else minus infinity, of the shape of ``visible``. Dtype and
    device are those of ``like``."""
    return torch.zeros(visible.shape, device=like.device, dtype=like.dtype).masked_fill_(~visible, -torch.inf)


@torch.no_grad()
def _fuse(*linears: Any) -> Tensor:
    """The matrices below one another; each linear's weight becomes a view of its part."""
    fused = torch.cat([linear.weight for linear in linears])
    for linear, part in zip(linears, fused.split([len(linear.weight) for linear in linears]), strict=True):
        linear.weight.data = part
    return fused
