"""Linear maps, gated MLPs and rotations as they are trained: values and gradients are those of torch's own operations."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dspark_lab.drafters import products
from dspark_lab.drafters.draft_layers import RMSNorm, rotate
from tests.training.seeded import generator

Computed = Callable[..., Tensor]


def same(
    mine: Computed, torchs: Computed, *inputs: Tensor, dtype: torch.dtype = torch.float32, off: float = 1e-5
) -> None:
    upstream, results = None, []
    for compute in (mine, torchs):
        leaves = [t.to(dtype).clone().requires_grad_() for t in inputs]
        out = compute(*leaves)
        upstream = torch.randn(out.shape, generator=generator(7)).to(dtype) if upstream is None else upstream
        out.backward(upstream)
        results.append((out.detach(), *(t.grad for t in leaves)))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=off, atol=off)


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


def test_lowered_the_factors_are_rounded_and_nothing_else() -> None:
    """Weights and gradients stay in float32, and what 8 bits lose is lost in the factors, not in long sums."""

    def low(compute: Computed) -> Computed:
        def computed(*inputs: Tensor) -> Tensor:
            with products.lowered():
                out = compute(*inputs)
            assert products.working() == torch.float32
            return out

        return computed

    x, weight = normal(2, 7, 12), normal(20, 12)
    same(low(linear), F.linear, x, weight, off=0.05)
    inputs = normal(3, 50, 12) / 3, normal(20, 12) / 3, normal(20, 12) / 3, normal(12, 20) / 3
    same(low(products.gated_mlp), plain_mlp, *inputs, off=0.05)
    # Of ones nothing is lost in rounding: 4,096 of them, added up in bfloat16, would come to 256.
    ones = torch.ones(1, 4096)
    assert low(linear)(ones, ones.clone().requires_grad_()).item() == 4096
    assert not low(linear)(x, weight.requires_grad_()).equal(F.linear(x, weight)), "nothing was rounded"


def test_lowered_what_many_pieces_add_up_to_is_added_up_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "TOGETHER", 1)  # a row at a time: 300 rows of 1 in bfloat16 would come to 256
    x, gate, up, down = torch.ones(300, 1), torch.full((1, 1), 40.0), torch.full((1, 1), 1 / 32), torch.ones(1, 1)
    leaves = [m.requires_grad_() for m in (gate, up, down)]
    with products.lowered():
        products.gated_mlp(x, *leaves).sum().backward()
    assert (
        down.grad is not None
        and down.grad.item() == 300 * 40 / 32
        and up.grad is not None
        and up.grad.item() == 300 * 40
    )


def test_lowered_a_frozen_map_takes_what_is_rounded() -> None:
    x = normal(2, 7, 12).requires_grad_()
    norm = RMSNorm(12, 1e-6, multiplied=True)
    with products.lowered():
        out = products.Linear(12, 20).requires_grad_(False)(norm(x))
        frozen = [normal(20, 12), normal(20, 12), normal(12, 20)]
        assert out.dtype == products.gated_mlp(norm(x), *frozen).dtype == torch.float32


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


@pytest.mark.parametrize("low", [False, True])
def test_a_norm_whose_output_is_multiplied_is_rounded_where_products_are(low: bool) -> None:
    plain, multiplied, x = RMSNorm(12, 1e-6), RMSNorm(12, 1e-6, multiplied=True), normal(5, 12)
    results = []
    for norm in (plain, multiplied):
        leaf = x.clone().requires_grad_()
        with products.lowered(low):
            out = norm(leaf)
        out.float().square().sum().backward()
        results.append((out, leaf.grad, norm.weight.grad))
    assert results[1][0].dtype == (torch.bfloat16 if low else torch.float32) and results[0][0].dtype == torch.float32
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=0.02, atol=0.02, check_dtype=False)


def test_a_norm_in_double_precision_is_rounded_to_nothing_less() -> None:
    norm, x = RMSNorm(12, 1e-6, multiplied=True).double(), normal(5, 12).double()
    with products.lowered():
        assert norm(x).dtype == torch.float64


def test_a_rotation() -> None:
    cos, sin = normal(2, 1, 7, 12), normal(2, 1, 7, 12) + 1

    def plain(x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        return x * cos + torch.cat([-x[..., 6:], x[..., :6]], -1) * sin

    same(lambda x: rotate(x.transpose(1, 2), cos, sin), plain, normal(2, 7, 3, 12))
