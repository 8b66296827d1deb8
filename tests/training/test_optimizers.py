"""Muon and what it leaves to AdamW."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dspark_lab.drafters.products import lowered
from dspark_lab.training.optimizers import Muon, optimizers_of, orthogonal, set_rate


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_what_is_made_orthogonal_keeps_its_directions(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = orthogonal(matrices)
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    assert found.shape == matrices.shape
    inside = u.mT @ found @ vh.mT  # diagonal: the singular vectors stay, the values come near to 1
    values = inside.diagonal(dim1=1, dim2=2)
    assert (inside - torch.diag_embed(values)).abs().max() < 1e-8
    assert values.min() > 0.6 and values.max() < 1.3


@pytest.mark.parametrize("low", [False, True])
def test_a_step_is_that_of_torchs_own_muon(low: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(shape, generator=generator) for shape in ((8, 16), (8, 16), (16, 8))]
    ours, theirs = ([nn.Parameter(p.clone()) for p in start] for _ in range(2))
    mine = Muon(ours, lr=0.02, weight_decay=0.1)
    # Theirs makes a step RMS of 0.2 learning rates, as AdamW's usually is; ours of one.
    peer = torch.optim.Muon(theirs, lr=0.1, weight_decay=0.02, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        with lowered(low):
            mine.step()
        peer.step()
    for a, b, before in zip(ours, theirs, start, strict=True):
        assert a.dtype == torch.float32
        moved = (a - before).norm()
        assert (a - b).norm() < 0.02 * moved, "theirs computes in bfloat16"


def test_lowered_what_is_made_orthogonal_is_rounded() -> None:
    matrices = torch.randn(3, 4, 9, generator=torch.Generator().manual_seed(0))
    with lowered():
        found = orthogonal(matrices)
    plain = orthogonal(matrices)
    assert found.dtype == torch.float32 and not found.equal(plain) and found.bfloat16().float().equal(found)
    torch.testing.assert_close(found, plain, rtol=0.05, atol=0.05)


def test_only_maps_between_hidden_widths_are_muons() -> None:
    model = nn.Sequential(nn.Embedding(50, 8), nn.Linear(8, 12), nn.RMSNorm(12), nn.Linear(12, 50), nn.Linear(50, 1))
    model.append(nn.Linear(12, 12).requires_grad_(False))
    adamw, muon = optimizers_of(model, "muon", 0.1, 0.3)
    assert [p.shape for group in muon.param_groups for p in group["params"]] == [(12, 8)]
    decayed, plain = adamw.param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(50, 8), (50, 12), (1, 50)]
    assert all(p.ndim == 1 for p in plain["params"]) and len(plain["params"]) == 4
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)
    set_rate([adamw, muon], 0.5)
    assert {group["lr"] for optimizer in (adamw, muon) for group in optimizer.param_groups} == {0.05}
    adamw, muon = optimizers_of(model, "muon", 0.1, 0.3, adamw_lr=0.4)
    set_rate([adamw, muon], 0.5)
    assert [{group["lr"] for group in optimizer.param_groups} for optimizer in (adamw, muon)] == [{0.2}, {0.05}]
    (alone,) = optimizers_of(model, "adamw", 0.1, 0.3, adamw_lr=0.4)
    assert {group["lr"] for group in alone.param_groups} == {0.1}
    assert sum(len(group["params"]) for group in alone.param_groups) == 8


def test_a_matrix_without_a_gradient_stays() -> None:
    weights = [nn.Parameter(torch.ones(2, 2)) for _ in range(2)]
    weights[0].grad = torch.eye(2)
    optimizer = Muon(weights, lr=0.1)
    optimizer.step()
    assert not weights[0].equal(torch.ones(2, 2)) and weights[1].equal(torch.ones(2, 2))
