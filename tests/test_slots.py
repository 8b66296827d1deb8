"""Many requests in one pass: each gets the logits that it would get alone, whatever shares the batch."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import Gemma3ForCausalLM, Gemma3TextConfig

from dspark_lab.drafters.dspark import DSparkDrafter
from dspark_lab.drafters.gemma4 import Gemma4Config, Gemma4Drafter, Gemma4DSparkModel
from dspark_lab.loading import Lab
from dspark_lab.slots import GROWTH, Ragged
from dspark_lab.target import FINAL, Target
from dspark_lab.trace import ModelInfo
from tests.scripted import ScriptedTokenizer

CLOSE = {"atol": 1e-4, "rtol": 1e-4}
SLOTS = 4


@pytest.fixture(params=["packed", "as transformers runs it", "sliding window"])
def target(request: pytest.FixtureRequest, tiny_lab: Lab) -> Target:
    whole = tiny_lab.target
    if request.param == "packed":
        return whole
    if request.param == "sliding window":
        torch.manual_seed(0)
        config = Gemma3TextConfig(
            vocab_size=whole.vocab_size, hidden_size=32, intermediate_size=48, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, head_dim=8, sliding_window=6,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"], max_position_embeddings=256,
        )  # fmt: skip
        model = Gemma3ForCausalLM(config).eval()
        return Target(model, ScriptedTokenizer(), ModelInfo("sliding", "target", "0" * 12, 0))  # type: ignore[arg-type]
    return Target(whole.model, whole.tokenizer, whole.info, packed=False)


def batches(seed: int, vocab: int) -> list[tuple[list[int], list[list[int]]]]:
    """Slots and their tokens, of few and many, long and short, all slots and not."""
    rng, result = random.Random(seed), []
    for longest in (40, 5, 1, 70, 5):
        slots = sorted(rng.sample(range(SLOTS), rng.randint(1, SLOTS)))
        result.append((slots, [[rng.randrange(vocab) for _ in range(rng.randint(1, longest))] for _ in slots]))
    return [*result, (list(range(SLOTS)), [[1, 2, 3]] * SLOTS)]


def slots_of(target: Target, count: int) -> Any:
    cache = target.new_slots()
    cache.lengths = [0] * count
    return cache


@pytest.mark.parametrize("seed", range(3))
def test_logits_and_taps_are_those_of_each_request_alone(target: Target, seed: int) -> None:
    taps = (0, 1, FINAL)
    target.tap(taps)
    cache, alone = target.new_slots(), [target.new_cache() for _ in range(SLOTS)]
    cache.lengths = [0] * SLOTS
    for step, (slots, tokens) in enumerate(batches(seed, target.vocab_size)):
        logits, tapped = target.forward_slots(cache, slots, tokens, taps)
        own = [target.forward(alone[s], new, taps) for s, new in zip(slots, tokens, strict=True)]
        torch.testing.assert_close(logits, torch.cat([one for one, _ in own]), **CLOSE)
        torch.testing.assert_close(tapped, torch.cat([one for _, one in own]), **CLOSE)
        for slot in slots:  # as after a rejection
            cache.lengths[slot] -= slot % 2
            alone[slot].rewind(cache.lengths[slot])
        if step == 2:
            cache.move(SLOTS - 1, 0)
            alone[0] = alone[-1].copy(alone[-1].length)


@pytest.mark.parametrize("taps", [(1,), (0, FINAL), ()])
@pytest.mark.parametrize("asked", range(4))
def test_only_the_first_requests_logits_are_computed(target: Target, taps: tuple[int, ...], asked: int) -> None:
    """Of the others what a later pass needs is there all the same: their keys, values and taps."""
    target.tap(taps)
    slots, tokens = [2, 0, 3], [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]
    some, every = slots_of(target, SLOTS), slots_of(target, SLOTS)
    logits, states = target.forward_slots(some, slots, tokens, taps, asked=asked)
    expected, expected_states = target.forward_slots(every, slots, tokens, taps)
    torch.testing.assert_close(logits, expected[: sum(map(len, tokens[:asked]))], **CLOSE)
    torch.testing.assert_close(states, expected_states, **CLOSE)
    assert some.lengths == every.lengths == [1, 0, 3, 7]
    after = [target.forward_slots(cache, slots, [[12, 13]] * 3)[0] for cache in (some, every)]
    torch.testing.assert_close(*after, **CLOSE)


def test_a_cache_grows_and_keeps_what_it_holds(tiny_lab: Lab) -> None:
    cache = tiny_lab.target.new_slots()
    cache.lengths = [0] * 3
    tiny_lab.target.forward_slots(cache, [0], [[5, 6, 7]])
    before = cache.buffer[:, 0, :3].clone()
    cache.reserve(Ragged([2], [1], [GROWTH], torch.device("cpu")))
    assert cache.buffer.shape[1] >= 3 and cache.buffer.shape[2] > GROWTH
    assert torch.equal(cache.buffer[:, 0, :3], before)


def gemma4() -> DSparkDrafter:
    torch.manual_seed(0)
    config = Gemma4Config(
        vocab_size=30, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=256, num_target_layers=4, target_layer_ids=(0, 2),
        block_size=4, mask_token_id=3, markov_rank=4, attention_k_eq_v=True, final_logit_softcapping=30.0,
    )  # fmt: skip
    model = Gemma4DSparkModel(config)
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return Gemma4Drafter(model, ModelInfo("gemma4", "dspark", "0" * 12, 0, 4))


def greedy(seen: list[Tensor]) -> Callable[[int, Tensor], Tensor]:
    def choose(k: int, logits: Tensor) -> Tensor:
        seen.append(logits.clone())
        return logits.argmax(-1)

    return choose


@pytest.mark.parametrize("kind", ["qwen3", "gemma4"])
def test_blocks_are_drafted_together_as_alone(kind: str, tiny_lab: Lab) -> None:
    drafter = gemma4() if kind == "gemma4" else tiny_lab.drafter
    width = drafter.model.fc.weight.shape[1]
    taps = torch.randn(60, width, generator=torch.Generator().manual_seed(2))
    together, lengths = drafter.new_slots(), [7, 30, 1]
    together.lengths = [0, 0, 0, 0]
    states = [drafter.new_state() for _ in lengths]
    slots = [0, 2, 3]
    for start, ends in ((0, [5, 20, 1]), (1, lengths)):
        parts = [taps[0 if not start else before : end] for before, end in zip([5, 20, 1], ends, strict=True)]
        some = [i for i, part in enumerate(parts) if len(part)]
        drafter.commit_slots(
            together, [slots[i] for i in some], [[0] * len(parts[i]) for i in some], torch.cat([parts[i] for i in some])
        )
        for i in some:
            drafter.commit(states[i], [0] * len(parts[i]), parts[i])
    gamma, seen = drafter.block_size, []
    drafts = drafter.propose_slots(together, slots, [4, 5, 6], gamma, greedy(seen))
    for i, state in enumerate(states):
        alone: list[Tensor] = []
        one = greedy(alone)
        draft = drafter.propose(state, 4 + i, gamma, lambda k, logits, one=one: int(one(k, logits)))
        torch.testing.assert_close(torch.stack([logits[i] for logits in seen]), torch.stack(alone), **CLOSE)
        assert drafts.tokens[i].tolist() == draft.tokens
        assert drafts.confidence[i].tolist() == pytest.approx(draft.confidence, abs=1e-5)
