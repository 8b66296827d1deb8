"""The sequential heads and the confidence head of DSpark (arXiv 2607.05147, eq. 5-7).

A sequential head turns the token before a slot, and what else it reads, into a latent of its rank; W2 makes a bias over the
vocabulary of it. Training asks for the ``latents`` of whole blocks whose tokens are known; a draft takes one ``Step`` after
another. Tensor names are those of DeepSpec's checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Step = Callable[[int, int, Tensor | None], tuple[Tensor, Tensor | None]]
"""``step(k, x_{k-1}, state) -> B, state``: logits to add [V] in slot k (from 0) after that token, and the state for the next
slot. The first slot's state is None; heads that remember nothing keep it so."""

StepEach = Callable[[int, Tensor, Tensor | None], tuple[Tensor, Tensor | None]]
"""The same for R blocks at once: x_{k-1} [R], B [R, V]."""

WHOLE = 2**21
"""Entries of the largest table B that is kept whole."""


class MarkovHead(nn.Module):
    """B(x_{k-1}, .) = W1[x_{k-1}] W2: a low-rank table of which token follows which (eq. 5).

    Both weights are stored [V, rank].
    """

    def __init__(self, vocab_size: int, rank: int, hidden_size: int) -> None:
        super().__init__()
        self.rank, self.hidden_size = rank, hidden_size
        self.markov_w1 = nn.Embedding(vocab_size, rank)
        self.markov_w2 = nn.Linear(rank, vocab_size, bias=False)
        self.table: Tensor | None = None

    def pack(self) -> None:
        """Multiply the two once and for all where the vocabulary is small. The weights may not change after that."""
        if self.markov_w1.num_embeddings**2 <= WHOLE:
            self.table = self.project(self.markov_w1.weight)  # [V, V]

    def embed(self, previous: Tensor) -> Tensor:
        """W1[x_{k-1}], [..., rank]."""
        return self.markov_w1(previous)

    def latents(self, previous: Tensor, hidden: Tensor) -> Tensor:
        """What W2 projects, [..., gamma, rank], in whole blocks: ``previous`` [..., gamma] are the tokens before each slot,
        ``hidden`` [..., gamma, hidden] the backbone's h_k."""
        return self.embed(previous)

    def latents_at(self, previous: Tensor, hidden: Tensor, at: Tensor) -> Tensor:
        """``latents`` [M, rank] of the slots ``at`` [M] among all of ``previous`` [..., gamma], given their ``hidden``
        [M, hidden]; those before them in their blocks are among them."""
        return self.latents(previous.flatten()[at], hidden)

    def project(self, latents: Tensor) -> Tensor:
        """Logits to add, [..., V], of latents [..., rank]."""
        return F.linear(latents, self.markov_w2.weight)

    def forward(self, previous: Tensor, hidden: Tensor) -> Tensor:
        """Logits to add, [..., gamma, V], in whole blocks."""
        return self.project(self.latents(previous, hidden))

    def stepper(self, hidden: Tensor) -> Step:
        """The step from slot to slot of a block ``hidden`` [gamma, hidden]."""
        w1, w2, table = self.markov_w1.weight, self.markov_w2.weight, self.table
        if table is not None:
            return lambda k, previous, state: (table[previous], None)
        return lambda k, previous, state: (w2 @ w1[previous], None)

    def stepper_each(self, hidden: Tensor) -> StepEach:
        """The step from slot to slot of blocks ``hidden`` [R, gamma, hidden]."""
        table = self.table
        if table is not None:
            return lambda k, previous, state: (table[previous], None)
        return lambda k, previous, state: (self.project(self.embed(previous)), None)


class GatedHead(MarkovHead):
    """B = W2(sigmoid(W_g [h_k; W1[x_{k-1}]]) * W1[x_{k-1}]): h_k decides which parts of the embedding count."""

    def __init__(self, vocab_size: int, rank: int, hidden_size: int) -> None:
        super().__init__(vocab_size, rank, hidden_size)
        self.gate_proj = nn.Linear(hidden_size + rank, rank)

    def pack(self) -> None:
        """Nothing: what W2 multiplies is known in its slot only."""

    def latents(self, previous: Tensor, hidden: Tensor) -> Tensor:
        embedded = self.embed(previous)
        return self.gate_proj(torch.cat([hidden, embedded], dim=-1)).sigmoid() * embedded

    def stepper(self, hidden: Tensor) -> Step:
        w1, w2 = self.markov_w1.weight, self.markov_w2.weight
        from_hidden, from_token = self.gate_proj.weight.split([self.hidden_size, self.rank], 1)
        slots = F.linear(hidden, from_hidden, self.gate_proj.bias)  # whatever tokens will be drawn

        def step(k: int, previous: int, state: Tensor | None) -> tuple[Tensor, None]:
            embedded = w1[previous]
            return w2 @ (torch.addmv(slots[k], from_token, embedded).sigmoid_() * embedded), None

        return step

    def stepper_each(self, hidden: Tensor) -> StepEach:
        from_hidden, from_token = self.gate_proj.weight.split([self.hidden_size, self.rank], 1)
        slots = F.linear(hidden, from_hidden, self.gate_proj.bias)

        def step(k: int, previous: Tensor, state: Tensor | None) -> tuple[Tensor, None]:
            embedded = self.embed(previous)
            return self.project(torch.addmm(slots[:, k], embedded, from_token.t()).sigmoid_() * embedded), None

        return step


class RNNHead(MarkovHead):
    """A state s that is carried across the block (eq. 6): one linear layer of [s_{k-1}; W1[x_{k-1}]; h_k] makes gate g,
    candidate c and output o, in this order; s_k = sig(g) * s_{k-1} + (1 - sig(g)) * tanh(c), s_0 = 0; B_k = W2 tanh(o)."""

    def __init__(self, vocab_size: int, rank: int, hidden_size: int) -> None:
        super().__init__(vocab_size, rank, hidden_size)
        self.joint_proj = nn.Linear(2 * rank + hidden_size, 3 * rank)

    def pack(self) -> None:
        """Nothing: what W2 multiplies is known in its slot only."""

    def latents(self, previous: Tensor, hidden: Tensor) -> Tensor:
        from_state, from_token, from_hidden = self._split()
        known = F.linear(hidden, from_hidden, self.joint_proj.bias) + F.linear(self.embed(previous), from_token)
        state, outputs = torch.zeros_like(known[..., 0, : self.rank]), []
        for slot in known.unbind(-2):
            state, output = self._advance(slot + F.linear(state, from_state), state)
            outputs.append(output)
        return torch.stack(outputs, dim=-2)

    def latents_at(self, previous: Tensor, hidden: Tensor, at: Tensor) -> Tensor:
        whole = hidden.new_zeros(previous.numel(), self.hidden_size).index_copy(0, at, hidden)
        return self.latents(previous, whole.view(*previous.shape, -1)).flatten(0, -2).index_select(0, at)

    def stepper(self, hidden: Tensor) -> Step:
        w1, w2 = self.markov_w1.weight, self.markov_w2.weight
        joint, from_hidden = self.joint_proj.weight.split([2 * self.rank, self.hidden_size], 1)
        slots = F.linear(hidden, from_hidden, self.joint_proj.bias)  # whatever tokens will be drawn
        start = w1.new_zeros(self.rank)

        def step(k: int, previous: int, state: Tensor | None) -> tuple[Tensor, Tensor]:
            state = start if state is None else state
            state, output = self._advance(torch.addmv(slots[k], joint, torch.cat([state, w1[previous]])), state)
            return w2 @ output, state

        return step

    def stepper_each(self, hidden: Tensor) -> StepEach:
        joint, from_hidden = self.joint_proj.weight.split([2 * self.rank, self.hidden_size], 1)
        slots = F.linear(hidden, from_hidden, self.joint_proj.bias)

        def step(k: int, previous: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
            embedded = self.embed(previous)
            state = torch.zeros_like(embedded) if state is None else state
            inputs = torch.cat([state, embedded], dim=-1)
            state, output = self._advance(torch.addmm(slots[:, k], inputs, joint.t()), state)
            return self.project(output), state

        return step

    def _split(self) -> tuple[Tensor, Tensor, Tensor]:
        """The columns that read the state, the token and h_k."""
        from_state, from_token, from_hidden = self.joint_proj.weight.split([self.rank, self.rank, self.hidden_size], 1)
        return from_state, from_token, from_hidden

    @staticmethod
    def _advance(joint: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        gate, candidate, output = joint.chunk(3, dim=-1)
        return torch.lerp(candidate.tanh(), state, gate.sigmoid()), output.tanh()


HEADS: dict[str, type[MarkovHead]] = {"vanilla": MarkovHead, "gated": GatedHead, "rnn": RNNHead}
"""By ``markov_head_type``."""


class ConfidenceHead(nn.Module):
    """The logit of c_k = sigmoid(w . [h_k; W1[x_{k-1}]]) (eq. 7)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.proj(features).squeeze(-1)
