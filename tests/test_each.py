"""What takes a row a request is what takes one request, row by row and bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dspark_kernels import inverse_cdf, inverse_cdf_each, softmax_filtered, softmax_filtered_each
from dspark_lab.acceptance import verify, verify_each
from dspark_lab.drafters.heads import HEADS
from dspark_lab.uniforms import RoundUniforms, uniforms_each

TEMPERATURES, TOP_KS, TOP_PS = (0.0, 1e-3, 0.7, 1.0, 1.3), (0, 1, 3, 40, 10_000), (1.0, 0.9, 0.5, 1e-6)
ROWS = st.lists(
    st.tuples(st.sampled_from(TEMPERATURES), st.sampled_from(TOP_KS), st.sampled_from(TOP_PS)), min_size=1, max_size=6
)


def logits_of(seed: int, rows: int, vocab: int, *, ties: bool) -> torch.Tensor:
    logits = torch.randn(rows, vocab, generator=torch.Generator().manual_seed(seed)) * 3
    return logits.round() if ties else logits


@given(ROWS, st.sampled_from([3, 50, 1024]), st.integers(0, 10), st.booleans())
def test_each_row_has_its_own_temperature_top_k_and_top_p(rows, vocab, seed, ties) -> None:
    logits = logits_of(seed, len(rows), vocab, ties=ties)
    t, k, p = zip(*rows, strict=True)
    found = softmax_filtered_each(
        logits, torch.tensor(t, dtype=torch.float64), torch.tensor(k), torch.tensor(p, dtype=torch.float64)
    )
    assert torch.equal(found, torch.stack([softmax_filtered(row, *own) for row, own in zip(logits, rows, strict=True)]))


@given(st.integers(0, 50), st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=8))
def test_each_row_is_drawn_from_with_its_own_uniform(seed, uniforms) -> None:
    p = logits_of(seed, len(uniforms), 20, ties=False).double()
    p = torch.where(p > 0, p, 0.0) + torch.eye(len(uniforms), 20)
    drawn = inverse_cdf_each(p, torch.tensor(uniforms, dtype=torch.float64)).tolist()
    assert drawn == [inverse_cdf(row, u)[0] for row, u in zip(p, uniforms, strict=True)]


def test_no_token_of_probability_0_is_drawn_at_the_very_end() -> None:
    p = torch.tensor([[0.1] * 7 + [0.3, 0.0, 0.0]] * 2, dtype=torch.float64)
    u = np.nextafter(1.0, 0.0)
    assert inverse_cdf_each(p, torch.full((2,), u)).tolist() == [inverse_cdf(p[0], u)[0]] * 2 == [7, 7]


@pytest.mark.parametrize("stop", [(), (2,), (0, 3)])
def test_each_request_is_verified_as_if_alone(stop: tuple[int, ...]) -> None:
    """Of verdicts of every kind, at every length."""
    rng, seen = np.random.default_rng(0), set()
    for _ in range(100):
        vocab, gamma, requests = 4, 3, 6
        p_d = torch.from_numpy(rng.dirichlet(np.ones(vocab), (requests, gamma)))
        lengths = rng.integers(0, gamma + 1, requests)
        p_t = torch.from_numpy(rng.dirichlet(np.ones(vocab), int((1 + lengths).sum())))
        tokens = rng.integers(0, vocab, (requests, gamma))
        u = rng.random((requests, gamma)), rng.random(requests)
        accepted, last = verify_each(tokens, lengths, p_d, p_t, *u, stop)
        start = 0
        for r, length in enumerate(lengths):
            part = p_t[start : start + 1 + length]
            alone = verify(tokens[r, :length].tolist(), p_d[r], part, u[0][r].tolist(), float(u[1][r]), stop)
            assert (accepted[r], last[r]) == (alone.accepted, alone.token)
            seen.add((alone.kind, alone.accepted))
            start += 1 + length
    kinds = {kind for kind, _ in seen}
    assert kinds == ({"residual", "bonus", "none"} if stop else {"residual", "bonus"}) and len(seen) >= 7


def test_nothing_drafted_leaves_the_bonus() -> None:
    p_t = torch.tensor([[0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    none = np.zeros((2, 0))
    accepted, last = verify_each(none.astype(np.int64), np.zeros(2, np.int64), None, p_t, none, np.array([0.2, 0.2]))
    assert accepted.tolist() == [0, 0] and last == [0, 1]


@pytest.mark.parametrize("gamma", [0, 1, 4, 7])
def test_each_round_has_the_uniforms_of_its_address(gamma: int) -> None:
    addresses = [(0, 0), (7, 3), (2**63 - 1, 12)]
    for (seed, index), row in zip(addresses, uniforms_each(addresses, gamma).tolist(), strict=True):
        alone = RoundUniforms(seed, index, gamma, {})
        assert row == [*alone.draft, *alone.accept, alone.final]


@pytest.mark.parametrize("name", HEADS)
def test_a_head_steps_through_many_blocks_as_through_each(name: str) -> None:
    torch.manual_seed(0)
    head, requests, gamma = HEADS[name](11, 5, 6), 3, 4
    hidden, previous = torch.randn(requests, gamma, 6), torch.randint(11, (requests, gamma))
    with torch.no_grad():
        together, state = head.stepper_each(hidden), None
        alone, states = [head.stepper(block) for block in hidden], [None] * requests
        for k in range(gamma):
            biases, state = together(k, previous[:, k], state)
            for r in range(requests):
                bias, states[r] = alone[r](k, int(previous[r, k]), states[r])
                torch.testing.assert_close(biases[r], bias)
