"""Every uniform has an address; its value depends on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from dspark_lab.settings import PURPOSES
from dspark_lab.uniforms import RoundUniforms, uniforms


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_uniform_does_not_depend_on_how_many_are_asked_for(purpose: str) -> None:
    longest = uniforms(3, 5, purpose, 16)
    for count in range(17):
        assert uniforms(3, 5, purpose, count) == longest[:count]


def test_the_same_address_gives_the_same_number_whatever_was_drawn_before() -> None:
    first = uniforms(7, 2, "draft", 4)
    np.random.seed(0)
    uniforms(7, 1, "accept", 9)
    assert uniforms(7, 2, "draft", 4) == first


def test_numbers_are_pinned_so_that_a_shared_seed_means_the_same_run_everywhere() -> None:
    philox = np.random.Philox(key=7, counter=[0, 2, 1, 0])
    expected = np.random.Generator(philox).random(3)
    assert uniforms(7, 2, "accept", 3) == expected.tolist()


def test_no_two_addresses_share_a_number() -> None:
    seeds = (0, 1, 2, 2**31, 2**32, 2**63 - 1)
    every = [
        u for seed in seeds for index in range(20) for purpose in PURPOSES for u in uniforms(seed, index, purpose, 8)
    ]
    assert len(set(every)) == len(every) == len(seeds) * 20 * len(PURPOSES) * 8


def test_uniforms_are_uniform_over_rounds_and_over_seeds() -> None:
    """Kolmogorov-Smirnov at 1e-4; fixed seeds, so this passes always or never."""
    over_rounds = [uniforms(0, index, "accept", 1)[0] for index in range(5000)]
    over_seeds = [uniforms(seed, 0, "accept", 1)[0] for seed in range(5000)]
    for sample in (over_rounds, over_seeds):
        assert min(sample) >= 0 and max(sample) < 1
        assert kstest(sample, "uniform").pvalue > 1e-4


def test_a_replaced_uniform_moves_no_other() -> None:
    plain = RoundUniforms(1, 4, 5, {})
    changed = RoundUniforms(1, 4, 5, {"draft:2": 0.25, "accept:5": 0.5, "final:0": 0.75})
    assert changed.draft == [plain.draft[0], 0.25, *plain.draft[2:]]
    assert changed.accept == [*plain.accept[:4], 0.5]
    assert changed.final == 0.75


def test_gamma_moves_no_uniform() -> None:
    short, long = RoundUniforms(1, 4, 2, {}), RoundUniforms(1, 4, 7, {})
    assert short.draft == long.draft[:2] and short.accept == long.accept[:2] and short.final == long.final
