"""RMSNorm: the values and gradients of torch's own."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from dspark_lab.drafters.norms import rms_norm


def test_the_norm_and_its_gradients_are_torchs() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 2, 5, 8, generator=g, dtype=torch.float64)
    weight, upstream = torch.rand(8, generator=g, dtype=torch.float64), torch.randn(3, 2, 5, 8, generator=g)
    results = []
    for norm in (lambda x, w: rms_norm(x, w, 1e-3), lambda x, w: F.rms_norm(x, (8,), w, 1e-3)):
        inputs = x.clone().requires_grad_(), weight.clone().requires_grad_()
        out = norm(*inputs)
        out.backward(upstream)
        results.append((out.detach(), *(t.grad for t in inputs)))
    for mine, torchs in zip(*results, strict=True):
        torch.testing.assert_close(mine, torchs)
