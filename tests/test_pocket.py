"""The pair that ships: speculative decoding with it emits what its target alone would, greedily and by chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from torch import Tensor

from dspark_kernels import softmax_filtered
from dspark_lab import Overrides, Settings, acceptance
from dspark_lab.decoding import State, decode_round
from dspark_lab.drafters.base import Choose, Draft
from dspark_lab.loading import Lab
from dspark_lab.prompts import encode_prompt
from dspark_lab.scheduling.policies import add_policy
from dspark_lab.scheduling.pool import Pool
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.training.corpus import DOMAINS, example, examples
from tests.scripted import ScriptedCache

GREEDY = Settings(temperature=0, max_new_tokens=48)
SAMPLED = Settings(top_k=8, gamma=2)
"""Of the whole vocabulary nearly every session would go where none was before, and forwards are run once a path."""
TIE = 1e-4
"""Logits this close may change places between forwards of other lengths: float noise, not a wrong token."""


def gap_at_first_difference(lab: Lab, prompt: list[int], answer: list[int]) -> float:
    """How much larger the logit of the target's own choice is where the answer leaves its greedy path; 0 if nowhere.

    One plain forward of the model over prompt and answer, no cache: as long as every token is the argmax after those
    before it, the answer is the greedy one.
    """
    with torch.inference_mode():
        logits = lab.target.model(torch.tensor([prompt + answer]), use_cache=False).logits[0, len(prompt) - 1 : -1]
    gaps = logits.amax(-1) - logits.gather(1, torch.tensor(answer)[:, None])[:, 0]
    return next((gap for gap in gaps.tolist() if gap > 0), 0.0)


@pytest.mark.parametrize("domain", DOMAINS)
def test_greedy_output_is_the_targets_own(pocket_lab: Lab, domain: str) -> None:
    """100 prompts a domain never trained on. Fewer than 2% may differ, and those only where two logits tie."""
    differing, tokens, rounds = 0, 0, 0
    for e in examples(domain, "test", 100):
        session = pocket_lab.session(e.prompt, GREEDY).run(trace=False)
        gap = gap_at_first_difference(pocket_lab, session.prompt_tokens, session.tokens)
        assert gap < TIE, e.prompt
        assert session.finished == "eos" or len(session.tokens) == 48
        differing += gap > 0
        tokens, rounds = tokens + len(session.tokens), rounds + len(session._starts)
    assert differing < 2
    assert tokens / rounds > 1.5, "the accepted length: a drafter in the wrong layout would stay near 1"


@pytest.mark.parametrize("domain", DOMAINS)
def test_greedy_output_is_what_transformers_generates(pocket_lab: Lab, domain: str) -> None:
    for e in examples(domain, "test", 3):
        session = pocket_lab.session(e.prompt, GREEDY).run(trace=False)
        ids = torch.tensor([session.prompt_tokens])
        out = pocket_lab.target.model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=48
        )
        assert out[0, ids.shape[1] :].tolist() == session.tokens


class Remembered:
    """Target and drafter of a pair, each forward run once: what they return depends only on the tokens before.

    Serves as the target of ``decode_round``; ``drafter`` goes with it. Prefixes are kept as what follows ``start``.
    """

    def __init__(self, lab: Lab, start: list[int]) -> None:
        self.lab, self.start, self.tap_layers = lab, start, lab.drafter.tap_layers
        self.vocab_size, self.context_limit = lab.target.vocab_size, lab.target.context_limit
        self.stop_tokens = lab.target.stop_tokens
        lab.target.tap(self.tap_layers)
        self.cache, self.state = lab.target.new_cache(), lab.drafter.new_state()
        _, taps = lab.target.forward(self.cache, start, self.tap_layers)
        lab.drafter.commit(self.state, start, taps)
        self.rows: dict[tuple[int, ...], Tensor] = {}
        self.drafter = RememberedDrafter(self)

    def really(self, tokens: list[int]) -> tuple[Tensor, Tensor]:
        """Logits and taps of the model for ``tokens`` after the start."""
        self.cache.rewind(len(self.start))
        return self.lab.target.forward(self.cache, tokens, self.tap_layers)

    def row(self, tokens: tuple[int, ...]) -> Tensor:
        if tokens not in self.rows:
            self.rows |= {tokens[: i + 1]: row for i, row in enumerate(self.really(list(tokens))[0])}
        return self.rows[tokens]

    def forward(
        self, cache: ScriptedCache, tokens: list[int], taps: tuple[int, ...] = (), *, parents: None = None
    ) -> tuple[Tensor, None]:
        first = len(cache.tokens) - len(self.start) + 1
        cache.tokens += tokens
        path = tuple(cache.tokens[len(self.start) :])
        self.row(path)
        return torch.stack([self.rows[path[:i]] for i in range(first, len(path) + 1)]), None


class RememberedDrafter:
    tap_layers: tuple[int, ...] = ()

    def __init__(self, pair: Remembered) -> None:
        self.pair, self.block_size = pair, pair.lab.drafter.block_size
        self.rows: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[Tensor, float]] = {}

    def commit(self, state: list[int], tokens: list[int], taps: None) -> None:
        state += tokens

    def propose(self, state: list[int], anchor: int, gamma: int, choose: Choose) -> Draft:
        path, draft = (*state[len(self.pair.start) :], anchor), Draft([], confidence=[])
        for k in range(1, gamma + 1):
            if (path, tuple(draft.tokens)) not in self.rows:
                self.really(path, draft.tokens)
            logits, confidence = self.rows[path, tuple(draft.tokens)]
            draft.confidence.append(confidence)
            draft.tokens.append(choose(k, logits))
        return draft

    def really(self, path: tuple[int, ...], tokens: list[int]) -> None:
        """Draft after ``path`` with the real drafter, ``tokens`` first, and keep the logits it shows on the way, and how
        sure it is of the token drawn from them."""
        real, place = self.pair.lab.drafter, len(self.pair.start)
        state = real.copy_state(self.pair.state, place)
        if path[:-1]:
            real.commit(state, list(path[:-1]), self.pair.really(list(path[:-1]))[1])
        drafted: list[int] = []
        shown: list[Tensor] = []

        def replay(k: int, logits: Tensor) -> int:
            shown.append(logits)
            drafted.append(tokens[k - 1] if k <= len(tokens) else int(logits.argmax()))
            return drafted[-1]

        draft = real.propose(state, path[-1], len(tokens) + 1, replay)
        for k, (logits, confidence) in enumerate(zip(shown, draft.confidence, strict=True)):
            self.rows[path, tuple(drafted[:k])] = logits, confidence


@pytest.fixture(scope="module")
def pair(pocket_lab: Lab) -> tuple[Remembered, int]:
    """The pair at the beginning of a chat answer, where many phrasings are good, and the prompt's last token."""
    prompt = encode_prompt(pocket_lab.target.tokenizer, example("chat", "test", 0).prompt, 1024)
    return Remembered(pocket_lab, prompt[:-1]), prompt[-1]


def likely(pair: Remembered, anchor: int, floor: float) -> dict[tuple[int, ...], float]:
    """The target's own probability of every start of three tokens (or less, ended) that has at least ``floor``."""
    result, waiting = {}, [((), 1.0)]
    while waiting:
        tokens, weight = waiting.pop()
        p = softmax_filtered(pair.row((anchor, *tokens)), SAMPLED.temperature, SAMPLED.top_k) * weight
        for token in (p >= floor).nonzero().flatten().tolist():
            longer = ((*tokens, token), float(p[token]))
            if len(longer[0]) == 3 or token in pair.stop_tokens:
                result[longer[0]] = longer[1]
            else:
                waiting.append(longer)
    return result


def p_value(pair: Remembered, anchor: int, sessions: int, sampled: Settings = SAMPLED) -> tuple[float, int]:
    """Of a chi-square test of the first three tokens over seeds 0, 1, ...: and its number of cells.

    Cells are the outcomes expected at least 5 times; all others are pooled.
    """
    seen: Counter[tuple[int, ...]] = Counter()
    for seed in range(sessions):
        state = State([*pair.start, anchor], ScriptedCache(list(pair.start)), list(pair.start))
        settings, emitted, index, finished = replace(sampled, seed=seed), [], 0, ""
        while len(emitted) < 3 and not finished:
            outcome = decode_round(pair, pair.drafter, state, index, settings, 50, Overrides())
            emitted, index, finished = emitted + outcome.emitted, index + 1, outcome.finished
        seen[tuple(emitted[:3])] += 1
    expected = {tokens: p * sessions for tokens, p in likely(pair, anchor, 5 / sessions).items()}
    statistic = sum((seen[tokens] - count) ** 2 / count for tokens, count in expected.items())
    rest = sessions - sum(expected.values())
    statistic += (sessions - sum(seen[tokens] for tokens in expected) - rest) ** 2 / rest
    return float(chi2.sf(statistic, len(expected))), len(expected) + 1


def test_20000_sampled_beginnings_are_distributed_as_the_targets_own(pair: tuple[Remembered, int]) -> None:
    """Falsely rejects with probability 1e-4 for weights not seen yet; with given weights always or never."""
    p, count = p_value(*pair, sessions=20_000)
    assert count > 10, "there is a choice to be made here"
    assert p > 1e-4


@pytest.fixture
def steep(tmp_path: Path) -> str:
    """A step rate at which it pays to verify more now and then."""
    StepRate.each([1.0, 0.62, 0.45], title="made up").save(tmp_path / "rate.json")
    return str(tmp_path / "rate.json")


@pytest.mark.parametrize("policy", ["early-break", "lagged", "threshold:0.6", "fixed:1"])
def test_beginnings_under_a_lossless_policy_are_too(pair: tuple[Remembered, int], policy: str, steep: str) -> None:
    """Falsely rejects with probability 1e-4 for each policy, for weights not seen yet."""
    p, _ = p_value(*pair, sessions=2_500, sampled=replace(SAMPLED, policy=policy, step_rate=steep))
    assert p > 1e-4


def test_the_same_test_catches_a_policy_that_looks_at_the_token_it_decides_about(pair: tuple[Remembered, int]) -> None:
    """It cuts before what the drafter is less sure to go on from: x_1's own consequence decides whether x_1 is verified."""

    class Peeking:
        name, leaks, capacity_lags = "peeking", True, False

        def lengths(self, pool: Pool) -> np.ndarray:
            before = np.concatenate([np.ones((pool.requests, 1)), pool.survival[:, :-1]], axis=1)
            return np.where((pool.survival / before)[:, 1] > 0.8, 2, 0)

    add_policy(Peeking())
    p, _ = p_value(*pair, sessions=2_500, sampled=replace(SAMPLED, policy="peeking"))
    assert p < 1e-9


def test_the_same_test_rejects_resampling_from_the_target(
    pair: tuple[Remembered, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptance, "residual", lambda p_t, p_d: p_t)
    p, _ = p_value(*pair, sessions=2_500)
    assert p < 1e-4


def test_the_load_of_a_live_session_is_drawn_from_the_rounds_that_ship(pocket_lab: Lab) -> None:
    settings = replace(GREEDY, temperature=1.0, policy="early-break")
    cuts = []
    for load in (0, 300):
        first = pocket_lab.session(example("chat", "test", 0).prompt, replace(settings, load=load)).step()
        assert all(p.calibrated is not None for p in first.positions)
        cuts.append(first.verify_length)
    assert "recorded rounds of pocket/dspark" in first.schedule.background
    assert cuts[0] == 7 > cuts[1]
