"""The sequential head and the confidence head of DSpark (arXiv 2607.05147, eq. 5 and 7)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class MarkovHead(nn.Module):
    """B(x_{k-1}, .) = W1[x_{k-1}] W2: a low-rank table of which token follows which (eq. 5).

    Both weights are stored [V, rank], as in DeepSpec's checkpoints.
    """

    def __init__(self, vocab_size: int, rank: int) -> None:
        super().__init__()
        self.markov_w1 = nn.Embedding(vocab_size, rank)
        self.markov_w2 = nn.Linear(rank, vocab_size, bias=False)

    def embed(self, previous: Tensor) -> Tensor:
        """W1[x_{k-1}], [..., rank]."""
        return self.markov_w1(previous)

    def forward(self, previous: Tensor) -> Tensor:
        """Logits to add, [..., V], after the tokens ``previous`` [...]."""
        return F.linear(self.embed(previous), self.markov_w2.weight)


class ConfidenceHead(nn.Module):
    """The logit of c_k = sigmoid(w . [h_k; W1[x_{k-1}]]) (eq. 7)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.proj(features).squeeze(-1)
