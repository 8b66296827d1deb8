"""The rules to compare: the lossless one is the library's, the others are wrong by what is said."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dspark_lab import LabError, acceptance
from dspark_lab.teaching.rules import RULES, rule_named, total_variation

WEIGHTS = st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any)
U = st.floats(0, 1, exclude_max=True)


def normal(weights: list[int]) -> torch.Tensor:
    return torch.tensor(weights, dtype=torch.float64) / sum(weights)


@given(WEIGHTS, WEIGHTS)
def test_only_a_lossless_rule_follows_p_t_whatever_p_d(target: list[int], draft: list[int]) -> None:
    p_t, p_d = normal(target), normal(draft)
    for rule in RULES.values():
        law = rule.law(p_t, p_d)
        assert float(law.sum()) == pytest.approx(1)
        assert float(law.min()) >= 0
        if rule.lossless:
            assert total_variation(law, p_t) < 1e-12


def test_the_wrong_rules_are_wrong_by_as_much_as_can_be_computed() -> None:
    p_t, p_d = normal([6, 3, 1]), normal([2, 2, 6])  # overlap .5, residual (.8, .2, 0)
    assert RULES["resample"].law(p_t, p_d).tolist() == pytest.approx(
        [0.2 + 0.5 * 0.6, 0.2 + 0.5 * 0.3, 0.1 + 0.5 * 0.1]
    )
    assert RULES["accept-all"].law(p_t, p_d).tolist() == pytest.approx([0.2, 0.2, 0.6])
    assert total_variation(RULES["accept-all"].law(p_t, p_d), p_t) == pytest.approx(0.5)


@given(st.lists(WEIGHTS, min_size=3, max_size=3), st.lists(WEIGHTS, min_size=2, max_size=2), st.lists(U, min_size=3, max_size=3),
       st.lists(st.integers(0, 3), min_size=2, max_size=2), st.booleans())  # fmt: skip
def test_the_real_rule_is_that_of_decoding(
    target: list[list[int]], draft: list[list[int]], u: list[float], tokens: list[int], stops: bool
) -> None:
    p_t, p_d = torch.stack([normal(w) for w in target]), torch.stack([normal(w) for w in draft])
    stop = (1,) if stops else ()
    mine = RULES["exact"].verify(tokens, p_d, p_t, u[:2], u[2], stop)
    theirs = acceptance.verify(tokens, p_d, p_t, u[:2], u[2], stop)
    near = [abs(x * float(p_d[k, t]) - float(p_t[k, t])) for k, (x, t) in enumerate(zip(u, tokens, strict=False))]
    if min(near) > 1e-12 or max(near) == 0:
        assert (mine.accepted, mine.kind, mine.token) == (theirs.accepted, theirs.kind, theirs.token)


def test_a_rule_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(LabError, match="no acceptance rule 'hope': take one of exact, resample, accept-all"):
        rule_named("hope")
