"""Many requests in one forward pass: where each one's tokens stand, and the keys and values of all, a slot each.

Linear layers see the tokens of all requests flattened, exactly as many as there are. Only attention, which must keep the
requests apart, lays their queries out side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

GROWTH = 256
"""Caches grow by so many positions or more at a time."""


class Ragged:
    """A flattened batch: ``counts[r]`` tokens of the request in slot ``slots[r]``, which holds ``lengths[r]`` positions.

    Attributes:
        total: N, all tokens. most: the largest count. length: positions of the longest request, its new tokens among them.
        first, width: the range of slots that holds all the requests; others may lie in it.
        positions, slot: of each token, [N].
    """

    def __init__(
        self, slots: Sequence[int], counts: Sequence[int], lengths: Sequence[int], device: torch.device
    ) -> None:
        s, n, before = (np.asarray(values, dtype=np.int64) for values in (slots, counts, lengths))
        self.first, self.total, self.most = int(s.min()), int(n.sum()), int(n.max())
        self.width, self.length = int(s.max()) - self.first + 1, int((before + n).max())
        self._slots, self._ends, self._device = s, before + n, device
        starts, request = n.cumsum() - n, np.repeat(np.arange(len(n)), n)
        offset = np.arange(self.total) - starts[request]
        self.positions, self.slot = self._tensor(before[request] + offset), self._tensor(s[request])
        self._gaps = self.width * self.most != self.total
        if self._gaps:
            place, column = np.zeros((3, self.width), dtype=np.int64), np.arange(self.most)
            place[:, s - self.first] = starts, n - 1, before
            column = np.minimum(column, place[1][:, None])  # behind its last token a request repeats it
            self._pad = self._tensor((place[0][:, None] + column).ravel())
            self._back = self._tensor((s[request] - self.first) * self.most + offset)
            self._limits = self._tensor(place[2][:, None] + column)
        else:
            self._limits = self.positions.view(self.width, self.most)

    def padded(self, x: Tensor) -> Tensor:
        """Rows [N, d] laid out by slot, [width * most, d]; what fills the gaps is not to be read."""
        return x.index_select(0, self._pad) if self._gaps else x

    def flat(self, x: Tensor, out: Tensor) -> None:
        """The way back, of ``x`` [width, most, ...] into ``out`` [N, d]."""
        if self._gaps:
            torch.index_select(x.reshape(self.width * self.most, -1), 0, self._back, out=out)
        else:
            out.view(x.shape).copy_(x)

    def mask(self, like: Tensor, causal: bool, groups: int) -> Tensor:
        """What is added to the attention scores of ``groups`` query heads, [width, 1, groups * most, length], or [width, 1, 1,
        length] where the tokens of a request see one another: 0 where a position is seen, else minus infinity. Dtype and
        device are those of ``like``."""
        limits = self._limits
        if not causal:
            limits = limits.new_zeros(self.width)
            limits[self._tensor(self._slots - self.first)] = self._tensor(self._ends - 1)
            limits = limits[:, None]
        hidden = torch.arange(self.length, device=like.device) > limits[..., None]
        mask = torch.zeros(hidden.shape, dtype=like.dtype, device=like.device).masked_fill_(hidden, -torch.inf)
        return mask.repeat(1, groups if causal else 1, 1)[:, None]

    def held(self) -> tuple[Tensor, Tensor]:
        """Slot and position of all that the requests hold, new tokens among it: [K] each, request after request."""
        slots = np.repeat(self._slots, self._ends)
        starts = np.repeat(self._ends.cumsum() - self._ends, self._ends)
        return self._tensor(slots), self._tensor(np.arange(len(slots)) - starts)

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).to(self._device)


@dataclass
class PackedSlots:
    """Keys and values [layers, slots, room, 2, kv heads, head_dim]; slot s holds ``lengths[s]`` positions.

    Room and slots grow in steps; rewinding copies nothing.
    """

    buffer: Tensor
    lengths: list[int] = field(default_factory=list)

    def reserve(self, ragged: Ragged) -> None:
        """Make room for the tokens of ``ragged``."""
        self.buffer = grown(self.buffer, 1, ragged)

    def rows(self, ragged: Ragged) -> Tensor:
        """Where the tokens' keys and values go, [N], after ``reserve``."""
        return ragged.slot * self.buffer.shape[2] + ragged.positions

    def write(self, layer: int | slice, rows: Tensor, keys: Tensor, values: Tensor) -> None:
        """Put keys and values [..., N, kv heads, head_dim] of a layer, or of several, at ``rows``."""
        stored = self.buffer[layer].flatten(-5, -4)
        stored[..., 0, :, :].index_copy_(-3, rows, keys)
        stored[..., 1, :, :].index_copy_(-3, rows, values)

    @torch.inference_mode()
    def move(self, source: int, to: int) -> None:
        """Let slot ``to`` hold what slot ``source`` holds."""
        length = self.lengths[source]
        if length:
            self.buffer[:, to, :length] = self.buffer[:, source, :length]
        self.lengths[to] = length


def grown(buffer: Tensor, at: int, ragged: Ragged) -> Tensor:
    """``buffer``, whose dimensions ``at`` and after are slots and positions, or a larger one with the same in it, so that
    the tokens of ``ragged`` fit."""
    slots, room = buffer.shape[at : at + 2]
    last = ragged.first + ragged.width
    if last <= slots and ragged.length <= room:
        return buffer
    new_slots = slots if last <= slots else max(last, 2 * slots)
    new_room = room if ragged.length <= room else -(-ragged.length // GROWTH) * GROWTH
    new = buffer.new_zeros((*buffer.shape[:at], new_slots, new_room, *buffer.shape[at + 2 :]))
    new.narrow(at, 0, slots).narrow(at + 1, 0, room).copy_(buffer)
    return new
