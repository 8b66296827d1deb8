"""A draft tree in one pass of the target: each path as if alone, and the cache that is left of it."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from dspark_lab import LabError
from dspark_lab.loading import Lab
from dspark_lab.target import Target
from dspark_lab.tree import ROOT

CLOSE = {"atol": 1e-4, "rtol": 1e-4}
PARENTS = [ROOT, 0, 1, 0, 3, 3, 5, 0]
TOKENS = [30, 31, 32, 33, 34, 35, 36, 37]
CONTEXT = list(range(10, 24))


def path_to(node: int) -> list[int]:
    return [] if node == ROOT else [*path_to(PARENTS[node]), node]


def sliding_target(tiny: Target) -> Target:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, use_sliding_window=True, sliding_window=4, max_window_layers=1,
        initializer_range=0.3,
    )  # fmt: skip
    return Target(Qwen3ForCausalLM(config).requires_grad_(False), tiny.tokenizer, tiny.info)


@pytest.fixture(scope="module", params=["packed", "transformers", "sliding"])
def target(request: pytest.FixtureRequest, tiny_lab: Lab) -> Target:
    loaded = tiny_lab.target
    if request.param == "sliding":
        return sliding_target(loaded)
    return Target(loaded.model, loaded.tokenizer, loaded.info, packed=request.param == "packed")


def test_a_tree_in_one_pass_equals_each_path_alone(target: Target) -> None:
    target.tap((0,))
    cache = target.new_cache()
    target.forward(cache, CONTEXT)
    logits, taps = target.forward(cache, TOKENS, (0,), parents=PARENTS)
    assert cache.length == len(CONTEXT) + len(TOKENS)
    for node in range(len(TOKENS)):
        tokens = CONTEXT + [TOKENS[i] for i in path_to(node)]
        expected, tapped = target.forward(target.new_cache(), tokens, (0,))
        torch.testing.assert_close(logits[node], expected[-1], **CLOSE)
        torch.testing.assert_close(taps[node], tapped[-1], **CLOSE)


@pytest.mark.parametrize("node", range(len(TOKENS)))
def test_keeping_a_path_leaves_what_a_fresh_pass_would(target: Target, node: int) -> None:
    cache, path = target.new_cache(), path_to(node)
    target.forward(cache, CONTEXT)
    target.forward(cache, TOKENS, parents=PARENTS)
    cache.keep(len(CONTEXT), [len(CONTEXT) + i for i in path])
    kept = CONTEXT + [TOKENS[i] for i in path]
    assert cache.length == len(kept)
    expected, _ = target.forward(target.new_cache(), [*kept, 7, 8])
    torch.testing.assert_close(target.forward(cache, [7, 8])[0], expected[-2:], **CLOSE)


def test_a_chain_written_as_a_tree_is_the_chain(target: Target) -> None:
    one, other = target.new_cache(), target.new_cache()
    for cache in (one, other):
        target.forward(cache, CONTEXT)
    chain = target.forward(one, TOKENS)[0]
    torch.testing.assert_close(target.forward(other, TOKENS, parents=range(-1, 7))[0], chain, **CLOSE)


def test_attention_that_takes_no_mask_is_refused(tiny_lab: Lab) -> None:
    target = sliding_target(tiny_lab.target)
    target.config._attn_implementation = "flash_attention_2"
    with pytest.raises(LabError, match="'flash_attention_2', which takes no mask of a tree.*tree=0"):
        target.forward(target.new_cache(), TOKENS, parents=PARENTS)
