"""Losses of drafts: the sums of the paper, their gradients, and how they are written."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dspark_lab.drafters.products import lowered
from dspark_lab.errors import LabError
from dspark_lab.training import losses as losses_module
from dspark_lab.training.losses import LossWeights, draft_losses, losses_of_rows
from tests.training.seeded import generator


def random_losses_input() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    g = generator()
    draft, target = 2 * torch.randn(3, 4, 6, generator=g), 2 * torch.randn(3, 4, 6, generator=g)
    valid = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0]]).bool()
    return draft, torch.randn(3, 4, generator=g), target, torch.randint(0, 6, (3, 4), generator=g), valid


def softmax(row: Tensor) -> list[float]:
    weights = [math.exp(x) for x in row.tolist()]
    return [w / sum(weights) for w in weights]


@pytest.mark.parametrize("together", [1, 20, 2**24])
@pytest.mark.parametrize("weights", [LossWeights(), LossWeights(1, 0, 0), LossWeights(0.3, 0.5, 2.0, decay=7)])
def test_losses_equal_the_sums_of_the_paper(
    weights: LossWeights, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eq. 9-12, token by token in plain Python; all logits at once or a few at a time."""
    monkeypatch.setattr(losses_module, "TOGETHER", together)
    draft, confidence, target, labels, valid = random_losses_input()
    ce = tv = conf = total = 0.0
    lengths = []
    for n in range(3):
        survival, length = 1.0, 1.0
        for k in range(4):
            if not valid[n, k]:
                continue
            w = math.exp(-k / weights.decay)
            p_d, p_t = softmax(draft[n, k]), softmax(target[n, k])
            distance = sum(abs(a - b) for a, b in zip(p_d, p_t, strict=True))
            overlap = sum(min(a, b) for a, b in zip(p_d, p_t, strict=True))
            c = 1 / (1 + math.exp(-float(confidence[n, k])))
            ce -= w * math.log(p_d[labels[n, k]])
            tv += w * distance
            conf -= w * (overlap * math.log(c) + (1 - overlap) * math.log(1 - c))
            total += w
            survival *= overlap
            length += survival
        lengths.append(length)
    losses = draft_losses(draft, confidence, target, labels, valid, weights)
    assert float(losses["ce"]) == pytest.approx(ce / total, rel=1e-5)
    assert float(losses["tv"]) == pytest.approx(tv / total, rel=1e-5)
    assert float(losses["conf"]) == pytest.approx(conf / total, rel=1e-5)
    assert float(losses["tau"]) == pytest.approx(sum(lengths) / 3, rel=1e-5)
    mixed = weights.ce * ce + weights.tv * tv + weights.conf * conf
    assert float(losses["loss"]) == pytest.approx(mixed / total, rel=1e-5)


def test_what_is_past_the_answer_counts_nowhere() -> None:
    draft, confidence, target, labels, valid = random_losses_input()
    noise = torch.where(valid, 0.0, 5.0)
    other = draft + noise[..., None] * torch.randn(6, generator=generator())
    changed = draft_losses(other, confidence + noise, target, labels, valid, LossWeights())
    for name, value in draft_losses(draft, confidence, target, labels, valid, LossWeights()).items():
        torch.testing.assert_close(changed[name], value, msg=name)


def test_a_batch_without_answers_gives_zeros_not_nans() -> None:
    draft, confidence, target, labels, valid = random_losses_input()
    losses = draft_losses(draft, confidence, target, labels, valid & False, LossWeights())
    assert float(losses["loss"]) == 0 and float(losses["tau"]) == 1


def test_alpha_is_each_positions_mean_acceptance() -> None:
    draft, confidence, target, labels, valid = random_losses_input()
    alpha = draft_losses(draft, confidence, target, labels, valid, LossWeights())["alpha"]
    for k in range(4):
        overlaps = [sum(map(min, softmax(draft[n, k]), softmax(target[n, k]))) for n in range(3) if valid[n, k]]
        assert float(alpha[k]) == pytest.approx(sum(overlaps) / len(overlaps), rel=1e-5)


def test_the_confidence_label_sends_no_gradient_into_the_draft() -> None:
    draft, confidence, target, labels, valid = random_losses_input()
    draft.requires_grad_()
    losses = draft_losses(draft, confidence.requires_grad_(), target, labels, valid, LossWeights(0, 0, 1))
    losses["loss"].backward()
    assert draft.grad is None or not draft.grad.any()
    assert confidence.grad[valid].all() and not confidence.grad[~valid].any()


@pytest.mark.parametrize("together", [20, 2**24])
def test_gradients_are_those_that_autograd_finds(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fused comparison against plain softmaxes, for every term alone and all together."""
    monkeypatch.setattr(losses_module, "TOGETHER", together)
    draft, confidence, target, labels, valid = random_losses_input()
    alone = (LossWeights(1, 0, 0), LossWeights(0, 1, 0), LossWeights(0, 0, 0, 1), LossWeights(0, 0, 0, kl=1))
    for w in (*alone, LossWeights(0.3, 0.4, 0.5, 0.6, 3, 0.7)):
        mine, plain = (draft.clone().requires_grad_() for _ in range(2))
        draft_losses(mine, confidence, target, labels, valid, w)["loss"].backward()
        weight = torch.exp(-torch.arange(4) / w.decay) * valid
        weight = weight / weight.sum()
        p_d, p_t = plain.softmax(-1), target.softmax(-1)
        distance = (p_d - p_t).abs().sum(-1)
        ce = -(plain.log_softmax(-1).gather(2, labels[..., None]).squeeze(2) * weight).sum()
        tau = 1 + ((1 - distance / 2) * valid).cumprod(-1).sum(-1).mean()
        kl = ((p_t * (target.log_softmax(-1) - plain.log_softmax(-1))).sum(-1) * weight).sum()
        (w.ce * ce + w.tv * (distance * weight).sum() - w.accept * tau + w.kl * kl).backward()
        torch.testing.assert_close(mine.grad, plain.grad)


@pytest.mark.parametrize("together", [1, 60, 2**20])
@pytest.mark.parametrize(
    ("dtype", "low"), [(torch.float32, False), (torch.float32, True), (torch.bfloat16, False), (torch.bfloat16, True)]
)
def test_logits_may_be_sums_of_maps_that_are_never_held_whole(
    together: int, dtype: torch.dtype, low: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses, and gradients of inputs and trained weights, are those of the logits themselves; a frozen weight has none.
    Lowered, the factors are rounded."""
    monkeypatch.setattr(losses_module, "TOGETHER", together)
    _, confidence, target, labels, valid = random_losses_input()
    g, rows = generator(), int(valid.sum())
    shapes = {"hidden": (rows, 5), "head": (6, 5), "latent": (rows, 3), "w2": (6, 3)}
    mine, plain = (
        {name: torch.randn(shape, generator=g).to(dtype) for name, shape in shapes.items()} for _ in range(2)
    )
    w, index = LossWeights(0.3, 0.4, 0.5, 0.6, 3, 0.7), torch.arange(rows)
    tolerance = 0.05 if low or dtype == torch.bfloat16 else 1e-4
    for name in shapes:
        plain[name] = mine[name].clone().requires_grad_(name != "head")
        mine[name].requires_grad_(name != "head")
    p_t = target[valid].softmax(-1)
    maps = [(mine["hidden"], mine["head"]), (mine["latent"], mine["w2"])]
    with lowered(low):
        found = losses_of_rows(maps, confidence[valid], p_t, index, labels[valid], valid, w)
    whole = (plain["hidden"] @ plain["head"].t()).float() + (plain["latent"] @ plain["w2"].t()).float()
    expected = losses_of_rows([(whole, None)], confidence[valid], p_t, index, labels[valid], valid, w)
    for name, value in expected.items():
        close = {"rtol": 0.02, "atol": 0.02} if low and dtype == torch.float32 else {}
        torch.testing.assert_close(found[name], value, msg=name, **close)
    exact = losses_of_rows(maps, confidence[valid], p_t, index, labels[valid], valid, w)["loss"]
    assert found["loss"].equal(exact) is (not low or dtype == torch.bfloat16), (
        "lowered, float32 is rounded and nothing else"
    )
    for losses in (found, expected):
        (losses["loss"] / 2).backward()
    for name in shapes:
        if name == "head":
            assert mine[name].grad is None
        else:
            torch.testing.assert_close(mine[name].grad, plain[name].grad, rtol=tolerance, atol=0.02 if low else 1e-3)


def test_the_divergence_is_the_cross_entropy_in_the_mean_over_what_the_target_could_say() -> None:
    """Less the target's own entropy, which no drafter can change: 0 for a draft that is the target."""
    draft, _, target, _, valid = random_losses_input()
    w = LossWeights(1, 0, 0, kl=1, decay=math.inf)
    p_t, ce = target.softmax(-1), torch.zeros(())
    for token in range(draft.shape[-1]):
        here = draft_losses(draft, None, target, torch.full(valid.shape, token), valid, w)
        rows = -(draft.log_softmax(-1)[..., token])[valid]
        torch.testing.assert_close(here["ce"], rows.mean())
        ce += (p_t[..., token][valid] * rows).mean()
    entropy = -(p_t * p_t.log()).sum(-1)[valid].mean()
    torch.testing.assert_close(here["kl"], ce - entropy)
    assert float(draft_losses(target, None, target, torch.zeros_like(valid, dtype=torch.long), valid, w)["kl"]) < 1e-6


def test_a_divergence_that_is_not_asked_for_is_not_computed() -> None:
    assert "kl" not in draft_losses(*random_losses_input(), LossWeights())


def test_the_acceptance_loss_is_minus_tau_and_lengthens_drafts() -> None:
    draft, confidence, target, labels, valid = random_losses_input()
    draft.requires_grad_()
    first = draft_losses(draft, confidence, target, labels, valid, LossWeights(0, 0, 0, 1))
    assert float(first["loss"].detach()) == -float(first["tau"])
    first["loss"].backward()
    after = draft_losses(draft - 0.1 * draft.grad, confidence, target, labels, valid, LossWeights(0, 0, 0, 1))
    assert float(after["tau"]) > float(first["tau"])


def test_a_label_of_vanishing_probability_keeps_its_loss_and_gradient() -> None:
    draft = torch.zeros(1, 1, 4).index_fill(2, torch.tensor([0]), 300.0).requires_grad_()
    one = torch.ones(1, 1, dtype=torch.long)
    losses = draft_losses(draft, None, torch.zeros(1, 1, 4), one, one.bool(), LossWeights(1, 1, 0))
    losses["loss"].backward()
    assert float(losses["ce"]) == pytest.approx(300)
    assert draft.grad[0, 0, :2].tolist() == pytest.approx([1, -1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ce=0.1,tv=0.9,conf=1", LossWeights()),
        ("ce=1", LossWeights(1, 0, 0)),
        ("kl=2,conf=1", LossWeights(0, 0, 1, kl=2)),
        (" accept = 1 , decay=inf", LossWeights(0, 0, 0, 1, math.inf)),
    ],
)
def test_losses_are_written_as_terms_with_weights(text: str, expected: LossWeights) -> None:
    assert LossWeights.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("js=1", "'js=1' is no weight"),
        ("kl=-1", "kl is -1.0"),
        ("ce", "'ce' is no weight"),
        ("ce=1,ce=2", "given twice"),
        ("ce=one", "'one'"),
        ("ce=-0.1", "ce is -0.1"),
        ("tv=nan", "tv is nan"),
        ("conf=inf,ce=1", "conf is inf"),
        ("ce=1,decay=0", "decay is 0.0"),
        ("ce=1,decay=nan", "decay is nan"),
        ("ce=0", "all weights of the loss are 0"),
        ("", "'' is no weight"),
    ],
)
def test_a_loss_that_cannot_be_is_refused_with_its_value(text: str, words: str) -> None:
    with pytest.raises(LabError, match=words):
        LossWeights.parse(text)


def test_without_a_confidence_head_its_loss_is_0() -> None:
    draft, _, target, labels, valid = random_losses_input()
    assert float(draft_losses(draft, None, target, labels, valid, LossWeights())["conf"]) == 0
