"""The optimisers of ``loop.train``: AdamW for everything, or Muon for maps between hidden widths and AdamW for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from dspark_lab.drafters.products import working

OPTIMIZERS = ("adamw", "muon")

COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of the quintic Newton-Schulz iteration (Jordan, https://kellerjordan.github.io/posts/muon)."""


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal before each step (Jordan et al. 2024), which is then scaled so that its
    root mean square is the learning rate, whatever the matrix's shape (as in Liu et al., arXiv 2502.16982, who take 0.2 of it).

    As ``torch.optim.Muon`` computes it, but all matrices of one shape at once, and in bfloat16 only within ``lowered``: CPUs
    without such instructions compute it many times slower.
    """

    def __init__(self, params: Any, lr: float, momentum: float = 0.95, weight_decay: float = 0.0) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, _closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            for shape in dict.fromkeys(p.shape for p in moved):
                alike = [p for p in moved if p.shape == shape]
                updates = orthogonal(torch.stack([self._averaged(p, group["momentum"]) for p in alike]))
                for p, update in zip(alike, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update, alpha=-sqrt(max(shape)) * group["lr"])

    def _averaged(self, p: Tensor, momentum: float) -> Tensor:
        """Nesterov's momentum of a matrix's gradient."""
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(p.grad)
        average: Tensor = state["momentum_buffer"].lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(average, momentum)


def orthogonal(matrices: Tensor, iterations: int = 5) -> Tensor:
    """About the nearest orthogonal matrix to each of ``matrices`` [n, rows, columns]: singular values of 0.7 to 1.2."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = (x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)).to(working() if x.dtype == torch.float32 else x.dtype)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(matrices.dtype)


def optimizers_of(
    model: nn.Module, name: str, lr: float, weight_decay: float, adamw_lr: float | None = None
) -> list[torch.optim.Optimizer]:
    """What trains ``model``, each group at its peak rate: ``adamw_lr`` is that of what "muon" leaves to AdamW, ``lr`` unless
    it is given; decay is on matrices only.

    "muon" leaves to AdamW what is no map from one hidden width to another: vectors, embeddings, and matrices with a row or
    a column for each token of the vocabulary, or with a single one.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    hidden = _hidden(model, trained) if name == "muon" else []
    rest = [p for p in trained if all(p is not h for h in hidden)]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = lr if adamw_lr is None or name != "muon" else adamw_lr
    made: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)]
    if hidden:
        made.append(Muon(hidden, lr=lr, weight_decay=weight_decay))
    for group in (group for optimizer in made for group in optimizer.param_groups):
        group["peak"] = group["lr"]
    return made


def _hidden(model: nn.Module, trained: Sequence[Tensor]) -> list[Tensor]:
    vocabulary = {m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)}
    vocabulary |= {int(getattr(getattr(model, "config", None), "vocab_size", 0))}
    return [p for p in trained if p.ndim == 2 and min(p.shape) > 1 and not vocabulary & set(p.shape)]


def set_rate(several: Iterable[torch.optim.Optimizer], share: float) -> None:
    """Set the learning rates of all to this share of their peaks."""
    for optimizer in several:
        for group in optimizer.param_groups:
            group["lr"] = share * group["peak"]
