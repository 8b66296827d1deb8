"""The sequential heads: each is its equation, sees in training what a draft will show it, and carries what it remembers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dspark_lab import LabError
from dspark_lab.drafters.dspark_model import DSparkConfig
from dspark_lab.drafters.heads import HEADS, MarkovHead
from dspark_lab.drafters.registry import KINDS
from dspark_lab.loading import Lab, load_drafter
from dspark_lab.training.batches import answer_row, collate
from dspark_lab.training.drafter import Objective, new_model, sample_anchors
from dspark_lab.training.kinds import Options
from dspark_lab.training.losses import LossWeights, draft_losses
from dspark_lab.training.pocket import save_drafter

VOCAB, RANK, HIDDEN, GAMMA = 11, 3, 5, 4
Vector = list[float]


def random_head(name: str) -> MarkovHead:
    torch.manual_seed(0)
    head = HEADS[name](VOCAB, RANK, HIDDEN).requires_grad_(False)
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.7)
    return head


def block(*shape: int) -> tuple[Tensor, Tensor]:
    """Tokens before each slot [*shape, GAMMA] and hidden states [*shape, GAMMA, HIDDEN]."""
    g = torch.Generator().manual_seed(1)
    return torch.randint(0, VOCAB, (*shape, GAMMA), generator=g), torch.randn(*shape, GAMMA, HIDDEN, generator=g)


def linear(weight: Tensor, x: Vector, bias: Tensor | None = None) -> Vector:
    rows = [sum(w * v for w, v in zip(row, x, strict=True)) for row in weight.tolist()]
    return rows if bias is None else [a + b for a, b in zip(rows, bias.tolist(), strict=True)]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def stated(head: MarkovHead, previous: list[int], hidden: list[Vector]) -> list[Vector]:
    """The biases of one block as the equations say, number by number."""
    w = head.state_dict()
    state, biases = [0.0] * RANK, []
    for token, h in zip(previous, hidden, strict=True):
        e = w["markov_w1.weight"][token].tolist()
        if "gate_proj.weight" in w:
            gate = linear(w["gate_proj.weight"], h + e, w["gate_proj.bias"])
            latent = [sigmoid(g) * x for g, x in zip(gate, e, strict=True)]
        elif "joint_proj.weight" in w:
            z = linear(w["joint_proj.weight"], state + e + h, w["joint_proj.bias"])
            gate, candidate, output = z[:RANK], z[RANK : 2 * RANK], z[2 * RANK :]
            state = [
                sigmoid(g) * s + (1 - sigmoid(g)) * math.tanh(c) for g, s, c in zip(gate, state, candidate, strict=True)
            ]
            latent = [math.tanh(o) for o in output]
        else:
            latent = e
        biases.append(linear(w["markov_w2.weight"], latent))
    return biases


@pytest.mark.parametrize("name", HEADS)
def test_a_head_is_its_equation(name: str) -> None:
    """Eq. 5, its gated form, and eq. 6, in plain Python."""
    head = random_head(name)
    previous, hidden = block(2, 3)
    biases = head(previous, hidden)
    assert biases.shape == (2, 3, GAMMA, VOCAB)
    for tokens, states, rows in zip(previous.flatten(0, 1), hidden.flatten(0, 1), biases.flatten(0, 1), strict=True):
        expected = torch.tensor(stated(head, tokens.tolist(), states.tolist()))
        torch.testing.assert_close(rows, expected, atol=1e-5, rtol=1e-5)


def step_by_step(head: MarkovHead, previous: Tensor, hidden: Tensor) -> Tensor:
    step, state, rows = head.stepper(hidden), None, []
    for k, token in enumerate(previous.tolist()):
        bias, state = step(k, token, state)
        rows.append(bias)
    return torch.stack(rows)


@pytest.mark.parametrize("name", HEADS)
def test_step_by_step_equals_the_whole_block(name: str) -> None:
    head = random_head(name)
    previous, hidden = block()
    torch.testing.assert_close(step_by_step(head, previous, hidden), head(previous, hidden), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "remembers"), [("vanilla", False), ("gated", False), ("rnn", True)])
def test_only_the_rnn_remembers_the_tokens_before_the_last(name: str, remembers: bool) -> None:
    head = random_head(name)
    previous, hidden = block()
    other = previous.clone()
    other[0] = (other[0] + 1) % VOCAB
    changed = (head(other, hidden) - head(previous, hidden)).abs().amax(-1) > 1e-4
    assert changed.tolist() == [True] + [remembers] * (GAMMA - 1)
    changed = (step_by_step(head, other, hidden) - step_by_step(head, previous, hidden)).abs().amax(-1) > 1e-4
    assert changed.tolist() == [True] + [remembers] * (GAMMA - 1), "in a draft too"


@pytest.mark.parametrize("name", HEADS)
def test_a_loss_reaches_every_weight(name: str) -> None:
    head = random_head(name).requires_grad_(True)
    head(*block(2)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())


@pytest.fixture(scope="module", params=["dspark-gated", "dspark-rnn"])
def lab(request: pytest.FixtureRequest, tiny_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The tiny target with a random drafter of the kind, saved and loaded."""
    torch.manual_seed(2)
    options = Options(request.param, mask_token_id=4, block_size=5, rank=8, anchors=1, taps=(0, 1, 2))
    model = new_model(tiny_lab.target.model, options)
    for p in model.parameters():
        if p.requires_grad and p.ndim > 1:
            torch.nn.init.normal_(p, std=0.2)
    folder = tmp_path_factory.mktemp(request.param) / "drafter"
    save_drafter(model, folder)
    loaded = Lab(tiny_lab.target, load_drafter(folder, tiny_lab.target))
    assert loaded.drafter.info.kind == request.param
    return loaded


@pytest.mark.parametrize("step", range(5))
def test_a_trained_block_sees_what_inference_will_show_it(lab: Lab, step: int) -> None:
    """The objective at one anchor equals the losses of the drafter's logits along the true tokens, answers that end
    within the block among them."""
    drafter, target = lab.drafter, lab.target
    batch = collate([answer_row(list(range(20, 30)), list(range(40, 62)))], 0)
    with torch.no_grad():
        trained = Objective(drafter.model, target.model, lambda _: batch, seed=3)(step)
    anchors, _ = sample_anchors(batch.answer, 1, torch.Generator().manual_seed(3 * 1_000_003 + step))
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
        torch.stack(seen)[None], confidence, logits[rows][None], torch.tensor([following]), valid, LossWeights()
    )
    for name, value in expected.items():
        torch.testing.assert_close(trained[name], value, rtol=1e-3, atol=1e-5, msg=name)


def test_a_draft_starts_with_a_fresh_state(lab: Lab) -> None:
    drafter = lab.drafter
    state = drafter.new_state()
    first, again = (drafter.propose(state, 5, 5, lambda k, row: int(row.argmax())) for _ in range(2))
    assert first.biases.equal(again.biases) and first.tokens == again.tokens


def test_a_head_has_deepspecs_tensor_names(lab: Lab) -> None:
    own = {"dspark-gated": "gate_proj", "dspark-rnn": "joint_proj"}[lab.drafter.info.kind]
    names = {name for name in lab.drafter.model.state_dict() if name.startswith("markov_head")}
    expected = {"markov_w1.weight", "markov_w2.weight", f"{own}.weight", f"{own}.bias"}
    assert names == {f"markov_head.{name}" for name in expected}


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS.values() if kind.module == "dspark"], ids=lambda kind: kind.name
)
def test_the_kind_sets_the_head(tiny_lab: Lab, kind: object) -> None:
    def config(**options: str) -> DSparkConfig:
        return new_model(tiny_lab.target.model, Options(kind.name, mask_token_id=4, rank=8, **options)).config

    assert (config().markov_head_type if config().markov_rank else "") == kind.head
    if kind.head:
        assert config(head="rnn").markov_head_type == "rnn", "unless a head is named"
        with pytest.raises(LabError, match="the head is 'lstm', but must be one of vanilla, gated, rnn"):
            config(head="lstm")


def test_checkpoints_tell_their_kind_by_their_head(tiny_lab: Lab, tmp_path: Path) -> None:
    for name in ("dspark", "dflash"):
        save_drafter(
            new_model(tiny_lab.target.model, Options(name, mask_token_id=4, rank=8, taps=(0,))), tmp_path / name
        )
        assert load_drafter(tmp_path / name, tiny_lab.target).info.kind == name


@pytest.mark.parametrize("name", HEADS)
def test_a_packed_head_steps_as_before(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    previous, hidden = block(2)
    head, packed = random_head(name), random_head(name)
    packed.pack()
    assert (packed.table is not None) is (name == "vanilla")
    ours, theirs = packed.stepper(hidden[0]), head.stepper(hidden[0])
    each, all_alone = packed.stepper_each(hidden), head.stepper_each(hidden)
    states: list[Tensor | None] = [None] * 4
    for k in range(GAMMA):
        one, states[0] = ours(k, int(previous[0, k]), states[0])
        other, states[1] = theirs(k, int(previous[0, k]), states[1])
        assert torch.allclose(one, other, atol=1e-6)
        many, states[2] = each(k, previous[:, k], states[2])
        others, states[3] = all_alone(k, previous[:, k], states[3])
        assert torch.allclose(many.add_(0), others, atol=1e-6)
    monkeypatch.setattr("dspark_lab.drafters.heads.WHOLE", VOCAB**2 - 1)
    large = random_head(name)
    large.pack()
    assert large.table is None
