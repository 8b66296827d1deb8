"""The caches: rewinding forgets exactly what it should, copies share nothing; packed layers compute the same."""

from __future__ import annotations

import pytest
import torch
from transformers import Qwen3Config

from dspark_lab import LabError
from dspark_lab.cache import GROWTH, RewindableCache, RewindableLayer
from dspark_lab.loading import Lab
from dspark_lab.target import FINAL, Target, TargetCache, pack

TEXT = list(range(10, 50))
OTHER = [7, 8, 9, 7, 8]


@pytest.fixture(scope="module", params=["packed", "transformers"])
def target(request: pytest.FixtureRequest, tiny_lab: Lab) -> Target:
    """The tiny target, run by packed layers or by transformers' own forward."""
    loaded = tiny_lab.target
    return Target(loaded.model, loaded.tokenizer, loaded.info, packed=request.param == "packed")


def forward(target: Target, cache: TargetCache, tokens: list[int]) -> torch.Tensor:
    return target.forward(cache, tokens)[0]


def fresh(target: Target, tokens: list[int]) -> torch.Tensor:
    return forward(target, target.new_cache(), tokens)


def test_token_by_token_equals_all_at_once(target: Target) -> None:
    cache = target.new_cache()
    steps = torch.cat([forward(target, cache, [token]) for token in TEXT])
    assert cache.length == len(TEXT)
    torch.testing.assert_close(steps, fresh(target, TEXT), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kept", [0, 1, 20, 39, 40])
def test_rewound_and_continued_equals_fresh(target: Target, kept: int) -> None:
    cache = target.new_cache()
    forward(target, cache, TEXT)
    cache.rewind(kept)
    assert cache.length == kept
    again = forward(target, cache, OTHER)
    torch.testing.assert_close(again, fresh(target, TEXT[:kept] + OTHER)[kept:], atol=1e-4, rtol=1e-4)


def test_a_hundred_rejections_leave_no_trace(target: Target) -> None:
    cache = target.new_cache()
    for i, token in enumerate(TEXT):
        forward(target, cache, [token, *OTHER[: i % 6]])
        cache.rewind(i + 1)
    last = forward(target, cache, [5])
    torch.testing.assert_close(last, fresh(target, [*TEXT, 5])[-1:], atol=1e-4, rtol=1e-4)


def test_growing_beyond_the_buffer_keeps_everything() -> None:
    layer = RewindableLayer()
    rows = torch.randn(1, 2, 5 * GROWTH, 4, generator=torch.Generator().manual_seed(0))
    place = 0
    for size in (1, GROWTH - 2, 1, 1, 3 * GROWTH, 7):
        keys, values = layer.update(rows[..., place : place + size, :], -rows[..., place : place + size, :])
        place += size
        assert keys.equal(rows[..., :place, :]) and values.equal(-rows[..., :place, :])
        assert layer.get_seq_length() == place


def test_a_copy_shares_nothing(target: Target) -> None:
    cache = target.new_cache()
    forward(target, cache, TEXT)
    copy = cache.copy(10)
    assert (copy.length, cache.length) == (10, 40)
    forward(target, copy, OTHER)
    torch.testing.assert_close(forward(target, cache, [5]), fresh(target, [*TEXT, 5])[-1:], atol=1e-4, rtol=1e-4)
    cache.rewind(0)
    forward(target, cache, OTHER * 3)
    expected = fresh(target, TEXT[:10] + OTHER + [5])[-1:]
    torch.testing.assert_close(forward(target, copy, [5]), expected, atol=1e-4, rtol=1e-4)


def test_an_empty_cache_can_be_copied_and_rewound(target: Target) -> None:
    cache = target.new_cache()
    cache.rewind(0)
    copy = cache.copy(0)
    assert cache.length == copy.length == 0
    torch.testing.assert_close(forward(target, copy, TEXT), fresh(target, TEXT))


def test_packed_layers_are_taken_for_plain_models_only(tiny_lab: Lab) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen3ForCausalLM

    size = {"vocab_size": 64, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "head_dim": 8,
            "num_attention_heads": 2, "num_key_value_heads": 1}  # fmt: skip
    assert pack(Qwen3ForCausalLM(Qwen3Config(**size)))
    assert not pack(LlamaForCausalLM(LlamaConfig(**size)))
    for change in (
        {"attention_bias": True},
        {"hidden_act": "gelu"},
        {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1},
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}},
    ):
        assert not pack(Qwen3ForCausalLM(Qwen3Config(**size, **change))), change


def test_packed_layers_equal_the_models_own_forward(tiny_lab: Lab) -> None:
    """Also beyond a buffer's first room, in pieces of any length, and with rope of another kind."""
    from transformers import Qwen3ForCausalLM

    torch.manual_seed(1)
    config = Qwen3Config(
        vocab_size=64, hidden_size=24, intermediate_size=40, num_hidden_layers=3, num_attention_heads=6,
        num_key_value_heads=2, head_dim=8, initializer_range=0.3, tie_word_embeddings=False,
        rope_parameters={"rope_type": "yarn", "factor": 2.0, "rope_theta": 1e4, "original_max_position_embeddings": 512},
        max_position_embeddings=1024,
    )  # fmt: skip
    model = Qwen3ForCausalLM(config).eval()
    ids = torch.randint(64, (600,)).tolist()
    with torch.inference_mode():
        expected = model(torch.tensor([ids]), use_cache=False).logits[0]
    packed = Target(model, tiny_lab.target.tokenizer, tiny_lab.target.info)
    cache = packed.new_cache()
    pieces = [packed.forward(cache, ids[a:b])[0] for a, b in ((0, 7), (7, 8), (8, 300), (300, 301), (301, 600))]
    torch.testing.assert_close(torch.cat(pieces), expected, atol=1e-4, rtol=1e-4)
    with torch.inference_mode():  # the model's own forward still works, on the same memory
        torch.testing.assert_close(model(torch.tensor([ids]), use_cache=False).logits[0], expected)


def test_layers_whose_state_cannot_be_rewound_are_refused() -> None:
    config = Qwen3Config(num_hidden_layers=3)
    config.layer_types = ["linear_attention", "full_attention", "linear_attention"]
    with pytest.raises(LabError, match="layers of type linear_attention: their state cannot be rewound.*Choose"):
        RewindableCache.for_config(config)


def test_sliding_layers_can_be_rewound() -> None:
    """What slid out of the window comes back with a rewind: the mask hides it, the cache keeps it."""
    from transformers import Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, use_sliding_window=True, sliding_window=4, max_window_layers=1,
    )  # fmt: skip
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(config).eval()
    assert set(config.layer_types) == {"full_attention", "sliding_attention"}
    cache = RewindableCache.for_config(config)
    with torch.inference_mode():
        model(torch.tensor([TEXT[:20]]), past_key_values=cache)
        cache.rewind(12)
        again = model(torch.tensor([OTHER]), past_key_values=cache).logits
        expected = model(torch.tensor([TEXT[:12] + OTHER]), use_cache=False).logits[:, 12:]
    torch.testing.assert_close(again, expected, atol=1e-4, rtol=1e-4)


def test_the_last_layer_cannot_be_tapped(target: Target) -> None:
    for layer in (3, 4, -2):
        with pytest.raises(LabError, match=rf"target layer {layer}, but layers 0 to 2 can be read"):
            target.tap((layer,))


def test_taps_without_logits_reach_every_token(target: Target) -> None:
    for taps in ((0,), (FINAL,), (0, FINAL)):
        target.tap(taps)
        whole, expected = target.forward(target.new_cache(), TEXT, taps)
        last, tapped = target.forward(target.new_cache(), TEXT, taps, logits=False)
        torch.testing.assert_close(tapped, expected)
        torch.testing.assert_close(last, whole[-1:])


def test_taps_are_the_layers_raw_outputs_and_the_heads_input(target: Target) -> None:
    taps = (2, FINAL, 0)
    target.tap(taps)
    _, tapped = target.forward(target.new_cache(), TEXT, taps)
    with torch.inference_mode():
        states = target.model(torch.tensor([TEXT]), output_hidden_states=True, use_cache=False).hidden_states
    torch.testing.assert_close(
        tapped, torch.cat([states[3][0], states[4][0], states[1][0]], dim=-1), atol=1e-4, rtol=1e-4
    )
