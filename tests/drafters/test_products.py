"""Linear maps, gated MLPs and rotations as they are trained: values and gradients are those of torch's own operations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.drafters import products
from dspark_lab.drafters.draft_layers import rotate
from tests.training.seeded import generator

Computed = Callable[..., Tensor]


def same(mine: Computed, torchs: Computed, *inputs: Tensor, dtype: torch.dtype = torch.float32) -> None:
    upstream, results = None, []
    for compute in (mine, torchs):
        leaves = [t.to(dtype).clone().requires_grad_() for t in inputs]
        out = compute(*leaves)
        upstream = torch.randn(out.shape, generator=generator(7)).to(dtype) if upstream is None else upstream
        out.backward(upstream)
        results.append((out.detach(), *(t.grad for t in leaves)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=generator(len(shape) + sum(shape)))


def linear(x: Tensor, weight: Tensor) -> Tensor:
    module = products.Linear(*weight.shape[::-1])
    del module.weight
    module.weight = weight  # type: ignore[assignment]  # a leaf of the test's
    return module(x)


def plain_mlp(x: Tensor, gate: Tensor, up: Tensor, down: Tensor) -> Tensor:
    return F.linear(F.silu(F.linear(x, gate)) * F.linear(x, up), down)


@pytest.fixture(params=["oneDNN", "without"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without":
        monkeypatch.setattr(products, "_ONEDNN", None)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("shape", [(5,), (2, 7), (1, 1)])
def test_a_linear_map(shape: tuple[int, ...]) -> None:
    same(linear, F.linear, normal(*shape, 12), normal(20, 12))


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("together", [1, 100, 10**6])
def test_a_gated_mlp_in_pieces(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(products, "TOGETHER", together)
    same(products.gated_mlp, plain_mlp, normal(3, 5, 12), normal(20, 12), normal(20, 12) + 1, normal(12, 20))


@pytest.mark.parametrize("dtype", [torch.float64])
def test_other_precisions_are_left_to_torch(dtype: torch.dtype) -> None:
    same(linear, F.linear, normal(2, 7, 12), normal(20, 12), dtype=dtype)
    same(products.gated_mlp, plain_mlp, normal(2, 7, 12), normal(20, 12), normal(20, 12), normal(12, 20), dtype=dtype)


def test_what_needs_no_gradient_gets_none() -> None:
    x, weight = normal(4, 12), normal(20, 12).requires_grad_()
    linear(x, weight).sum().backward()
    assert x.grad is None and weight.grad is not None
    with torch.no_grad():
        assert linear(x, weight).equal(F.linear(x, weight))


def test_a_rotation() -> None:
    cos, sin = normal(2, 1, 7, 12), normal(2, 1, 7, 12) + 1

    def plain(x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        return x * cos + torch.cat([-x[..., 6:], x[..., :6]], -1) * sin

    same(lambda x: rotate(x.transpose(1, 2), cos, sin), plain, normal(2, 7, 3, 12))
