"""Training a drafter: losses as defined, anchors before answers only, and the same view at training as at inference."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dspark_lab.drafters.block_attention import Blocks, attention
from dspark_lab.errors import LabError
from dspark_lab.loading import Lab
from dspark_lab.training import losses as losses_module
from dspark_lab.training.batches import Batch, answer_row, collate
from dspark_lab.training.drafter import Objective, new_model, sample_anchors
from dspark_lab.training.kinds import Options
from dspark_lab.training.losses import LossWeights, draft_losses, losses_of_rows

ROWS = [answer_row(list(range(20, 30)), list(range(40, 62))), answer_row(list(range(30, 35)), [70, 71, 1])]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


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
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_may_be_sums_of_maps_that_are_never_held_whole(
    together: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses, and gradients of inputs and trained weights, are those of the logits themselves; a frozen weight has none."""
    monkeypatch.setattr(losses_module, "TOGETHER", together)
    _, confidence, target, labels, valid = random_losses_input()
    g, rows = generator(), int(valid.sum())
    shapes = {"hidden": (rows, 5), "head": (6, 5), "latent": (rows, 3), "w2": (6, 3)}
    mine, plain = (
        {name: torch.randn(shape, generator=g).to(dtype) for name, shape in shapes.items()} for _ in range(2)
    )
    w, index = LossWeights(0.3, 0.4, 0.5, 0.6, 3, 0.7), torch.arange(rows)
    tolerance = 0.05 if dtype == torch.bfloat16 else 1e-4
    for name in shapes:
        plain[name] = mine[name].clone().requires_grad_(name != "head")
        mine[name].requires_grad_(name != "head")
    p_t = target[valid].softmax(-1)
    maps = [(mine["hidden"], mine["head"]), (mine["latent"], mine["w2"])]
    found = losses_of_rows(maps, confidence[valid], p_t, index, labels[valid], valid, w)
    whole = (plain["hidden"] @ plain["head"].t()).float() + (plain["latent"] @ plain["w2"].t()).float()
    expected = losses_of_rows([(whole, None)], confidence[valid], p_t, index, labels[valid], valid, w)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=name)
    for losses in (found, expected):
        (losses["loss"] / 2).backward()
    for name in shapes:
        if name == "head":
            assert mine[name].grad is None
        else:
            torch.testing.assert_close(mine[name].grad, plain[name].grad, rtol=tolerance, atol=1e-3)


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


@pytest.mark.parametrize("count", [1, 3, 8, 40])
def test_anchors_stand_only_where_an_answer_token_follows(count: int) -> None:
    answer = collate(ROWS, 0).answer
    for seed in range(20):
        anchors, kept = sample_anchors(answer, count, generator(seed))
        assert anchors.shape == kept.shape == (2, count)
        for row, places in enumerate(answer[:, 1:]):
            candidates = set(places.nonzero().flatten().tolist())
            chosen = anchors[row][kept[row]].tolist()
            assert len(chosen) == min(count, len(candidates)) == len(set(chosen)), "as many as there are, none twice"
            assert set(chosen) <= candidates


def test_every_candidate_becomes_an_anchor_sometime() -> None:
    answer = collate(ROWS, 0).answer
    seen = [set(), set()]
    for seed in range(300):
        anchors, _ = sample_anchors(answer, 2, generator(seed))
        for row in (0, 1):
            seen[row] |= set(anchors[row].tolist())
    assert seen == [set(range(9, 31)), {4, 5, 6}], "from the prompt's last token to the answer's last but one"


def test_the_mask_shows_the_context_before_the_anchor_and_the_own_block() -> None:
    anchors, length, block = torch.tensor([[3, 0, 7], [5, 5, 1]]), 9, 4
    mask = Blocks(anchors, length, block).mask()
    assert mask.shape == (2, 1, 12, 9 + 12)
    for b in range(2):
        for q in range(12):
            for key in range(length + 12):
                own = key >= length and (key - length) // block == q // block
                before = key < length and key < anchors[b, q // block]
                assert mask[b, 0, q, key] == (own or before)


def test_attention_by_blocks_is_attention_under_their_mask() -> None:
    """Values and gradients, with a block that sees no context at all."""
    g = generator()
    blocks = Blocks(torch.tensor([[3, 0, 7], [5, 5, 1]]), 9, 4)
    q, k, v = (torch.randn(2, heads, n, 8, generator=g) for heads, n in ((4, 12), (2, 21), (2, 21)))
    upstream, results = torch.randn(2, 4, 12, 8, generator=g), []
    for seen in (blocks, blocks.mask()):
        inputs = [t.clone().requires_grad_() for t in (q, k, v)]
        out = attention(*inputs, seen)
        out.backward(upstream)
        results.append((out.detach(), *(t.grad for t in inputs)))
    for mine, torchs in zip(*results, strict=True):
        torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-5)


def test_no_position_depends_on_what_comes_at_or_after_its_anchor(tiny_lab: Lab) -> None:
    """Put noise into the target's states from each anchor on, and into the other blocks: the block stays bitwise."""
    model, g = tiny_lab.drafter.model, tiny_lab.drafter.config.block_size
    anchors, length = torch.tensor([[6, 11, 3]]), 16
    taps = torch.randn(1, length, 3 * 32, generator=generator())
    places = anchors[..., None] + torch.arange(g)
    ids = torch.randint(0, 320, (1, 3 * g), generator=generator())
    positions, seen = torch.arange(length)[None], Blocks(anchors, length, g)

    def hidden(features: Tensor, inputs: Tensor) -> Tensor:
        return model.block(inputs, places.flatten(1), model.context(features, positions), seen)[0].view(3, g, -1)

    with torch.inference_mode():
        before = hidden(taps, ids)
        for a, anchor in enumerate(anchors[0].tolist()):
            noisy, inputs = taps.clone(), torch.randint(0, 320, ids.shape, generator=generator(1))
            noisy[:, anchor:] = 100 * torch.randn(1, length - anchor, 3 * 32)
            inputs[:, a * g : (a + 1) * g] = ids[:, a * g : (a + 1) * g]
            torch.testing.assert_close(hidden(noisy, inputs)[a], before[a], atol=1e-5, rtol=1e-5)
            noisy[:, anchor - 1] += 100
            assert (hidden(noisy, inputs)[a] - before[a]).abs().max() > 1e-3, "but it does look at what comes before"


@pytest.mark.parametrize("step", range(5))
def test_a_trained_block_sees_what_inference_will_show_it(
    tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Objective at one anchor equals the losses of the real drafter's logits along the true tokens."""
    drafter, target, weights = tiny_lab.drafter, tiny_lab.target, LossWeights()
    batch = collate(ROWS[:1], 0)
    monkeypatch.setattr(drafter.model, "config", replace(drafter.config, num_anchors=1))
    with torch.no_grad():
        trained = Objective(drafter.model, target.model, lambda _: batch, weights, seed=3)(step)
    anchors, _ = sample_anchors(batch.answer, 1, generator(3 * 1_000_003 + step))
    anchor, tokens = int(anchors), batch.ids[0].tolist()
    target.tap(drafter.tap_layers)
    logits, taps = target.forward(target.new_cache(), tokens, drafter.tap_layers)
    state = drafter.new_state()
    drafter.commit(state, tokens[:anchor], taps[:anchor])
    following = [*tokens[anchor + 1 :], *[0] * 5][:5]
    seen: list[Tensor] = []

    def choose(k: int, row: Tensor) -> int:
        seen.append(row.clone())
        return following[k - 1]

    draft = drafter.propose(state, tokens[anchor], 5, choose)
    rows = [min(anchor + k, len(tokens) - 1) for k in range(5)]
    valid = torch.tensor([[anchor + 1 + k < len(tokens) for k in range(5)]])
    confidence = torch.tensor([draft.confidence]).logit()
    expected = draft_losses(
        torch.stack(seen)[None], confidence, logits[rows][None], torch.tensor([following]), valid, weights
    )
    for name, value in expected.items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_a_loss_is_a_pure_function_of_the_step(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny_lab.drafter.model, "config", replace(tiny_lab.drafter.config, num_anchors=2))
    loss_of = Objective(tiny_lab.drafter.model, tiny_lab.target.model, lambda step: collate(ROWS, 0), seed=1)
    with torch.no_grad():
        first, other, again = loss_of(4), loss_of(5), loss_of(4)
    assert all(first[name].equal(again[name]) for name in first)
    assert not first["loss"].equal(other["loss"])


def test_a_new_drafter_starts_with_the_targets_embedding_and_no_bias(tiny_lab: Lab) -> None:
    target = tiny_lab.target.model
    model = new_model(target, Options("dspark", mask_token_id=4, rank=8))
    assert model.embed_tokens.weight.equal(target.get_input_embeddings().weight)
    assert model.lm_head.weight.equal(target.get_output_embeddings().weight)
    head = model.markov_head
    assert not head.project(head.embed(torch.arange(320))).any()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert frozen == {"embed_tokens.weight", "lm_head.weight"}


def test_collate_pads_on_the_right_and_marks_the_answer() -> None:
    batch = collate([answer_row([5, 6], [7, 1]), answer_row([8], [1])], pad=0)
    assert isinstance(batch, Batch)
    assert batch.ids.tolist() == [[5, 6, 7, 1], [8, 1, 0, 0]]
    assert batch.answer.tolist() == [[False, False, True, True], [False, True, False, False]]
