"""A session: rounds one by one, each recorded as it was, to an end that is exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from dspark_lab import LabError, Session, Settings
from dspark_lab.decoding import prefill
from dspark_lab.loading import Lab
from dspark_lab.rounds import ACCEPTED, DISCARDED, NONE, REJECTED, RESIDUAL
from tests.scripted import ScriptedDrafter, ScriptedTarget, endless, table, untimed

PROMPT = "Tom has 12 apples. He buys 7 more."
TARGET, OTHER = table(4, seed=1, zeros=0.1), table(4, seed=2, zeros=0.1)


@pytest.fixture(scope="module")
def parent(tiny_lab: Lab) -> Session:
    return tiny_lab.session(PROMPT, Settings(seed=5, max_new_tokens=30)).run()


def test_the_same_settings_give_the_same_session(tiny_lab: Lab, parent: Session) -> None:
    again = tiny_lab.session(PROMPT, parent.settings).run()
    assert untimed(again.rounds) == untimed(parent.rounds)
    assert tiny_lab.session(PROMPT, replace(parent.settings, seed=6)).run().tokens != parent.tokens


def test_a_run_without_recording_emits_the_same(tiny_lab: Lab, parent: Session) -> None:
    quiet = tiny_lab.session(PROMPT, parent.settings).run(trace=False)
    assert quiet.tokens == parent.tokens and quiet.rounds == []
    with pytest.raises(LabError, match="without recording"):
        quiet.trace()


def test_gamma_does_not_move_the_first_drafts_tokens(tiny_lab: Lab) -> None:
    first = [tiny_lab.session(PROMPT, Settings(gamma=g, seed=5)).step() for g in range(1, 6)]
    for shorter, longer in pairwise(first):
        assert [p.token for p in longer.positions[: shorter.gamma]] == [p.token for p in shorter.positions]
        assert [p.draft for p in longer.positions[: shorter.gamma]] == [p.draft for p in shorter.positions], "bitwise"


def test_the_record_of_a_round_is_consistent(parent: Session) -> None:
    place = len(parent.prompt_tokens) - 1
    anchor = parent.prompt_tokens[-1]
    for r in parent.rounds:
        assert (r.anchor.id, r.context_length, r.cache_before) == (anchor, place, place)
        verdicts = [p.verdict for p in r.positions]
        rejected = [REJECTED] * (r.final.kind == RESIDUAL)
        assert verdicts == [ACCEPTED] * r.accepted + rejected + [DISCARDED] * (r.gamma - r.accepted - len(rejected))
        assert [t.id for t in r.emitted][: r.accepted] == [p.token.id for p in r.positions[: r.accepted]]
        assert r.final.kind == NONE or r.emitted[-1] == r.final.token
        assert r.cache_after_commit == place + 1 + r.accepted
        place, anchor = place + len(r.emitted), r.emitted[-1].id
    assert sum(len(r.emitted) for r in parent.rounds) == len(parent.tokens) == 30
    assert parent.rounds[-1].text == parent.text


def test_after_any_rounds_the_caches_are_those_of_a_prompt_that_long(tiny_lab: Lab, parent: Session) -> None:
    """Rejected tokens leave nothing in either cache, and each kept token's state stands at its own place."""
    assert {r.accepted for r in parent.rounds} >= {0, 1, 2}
    length = len(parent.state.tokens) - 1
    fresh = prefill(tiny_lab.target, tiny_lab.drafter, parent.state.tokens)
    assert parent.state.cache.length == parent.state.drafter_state.length == length
    for ours, theirs in ((parent.state.cache, fresh.cache), (parent.state.drafter_state, fresh.drafter_state)):
        kept = (cache.buffer[..., :length, :] for cache in (ours, theirs))
        torch.testing.assert_close(*kept, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("gamma", range(9))
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 12])
def test_max_new_tokens_is_reached_and_never_overshot(gamma: int, limit: int) -> None:
    session = Session(
        endless(TARGET), ScriptedDrafter(TARGET), "abcab", Settings(gamma=gamma, max_new_tokens=limit)
    ).run()
    assert len(session.tokens) == limit and session.finished == "length"
    assert all(r.gamma <= limit - 1 for r in session.rounds)


@pytest.mark.parametrize("drafter", [None, ScriptedDrafter(TARGET)])
def test_the_context_limit_ends_a_session(drafter: ScriptedDrafter | None) -> None:
    session = Session(endless(TARGET, context_limit=20), drafter, "abcab", Settings()).run()
    assert len(session.state.tokens) == 20 and session.finished == "length"
    assert session.state.cache.length < 20


def test_a_session_ends_with_the_end_token_and_emits_nothing_after_it() -> None:
    for seed in range(40):
        session = Session(
            ScriptedTarget(TARGET, 4), ScriptedDrafter(TARGET, OTHER, [2]), "ab", Settings(seed=seed)
        ).run()
        assert session.finished == "eos" and session.tokens.index(3) == len(session.tokens) - 1


def test_a_finished_session_says_so(parent: Session) -> None:
    with pytest.raises(LabError, match="finished .*max_new_tokens = 30.*fork"):
        parent.step()
    ended = Session(ScriptedTarget(TARGET, 4), None, "ab", Settings()).run()
    with pytest.raises(LabError, match="finished .*end of sequence"):
        ended.advance()


def test_without_a_drafter_it_is_gamma_0(tiny_lab: Lab) -> None:
    settings = Settings(seed=5, max_new_tokens=12)
    plain = tiny_lab.session(PROMPT, settings, drafter=False).run()
    zero = tiny_lab.session(PROMPT, replace(settings, gamma=0)).run()
    assert plain.tokens == zero.tokens and len(plain.rounds) == 12
    assert plain.trace().drafter is None and all(r.positions == () for r in plain.rounds)
    assert plain.fork(3).tokens == plain.tokens[:4]


def test_gamma_beyond_the_trained_block_is_refused(tiny_lab: Lab) -> None:
    with pytest.raises(LabError, match="gamma is 6, but this drafter was trained for blocks of 5"):
        tiny_lab.session(PROMPT, Settings(gamma=6))


def test_a_prompt_of_one_token_can_be_decoded_and_forked() -> None:
    session = Session(endless(TARGET), ScriptedDrafter(OTHER), "a", Settings(gamma=3, max_new_tokens=9)).run()
    assert len(session.tokens) == 9
    assert session.fork(0).tokens == [t.id for t in session.rounds[0].emitted]


@pytest.mark.parametrize("where", ["dspark_lab.decoding.verify", "dspark_lab.session.describe"])
def test_an_interrupt_within_a_round_leaves_the_session_as_it_was(
    tiny_lab: Lab, parent: Session, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    session = tiny_lab.session(PROMPT, parent.settings)
    session.step()

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(where, interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.step()
    assert untimed(session.run().rounds) == untimed(parent.rounds)
    assert session.trace().tokens == parent.tokens


def test_what_is_no_prompt_no_settings_and_no_overrides_is_named(tiny_lab: Lab, parent: Session) -> None:
    for wrong in (None, 5, b"x"):
        with pytest.raises(LabError, match="prompt is a"):
            tiny_lab.session(wrong)  # type: ignore[arg-type]
    with pytest.raises(LabError, match="settings are a dict"):
        tiny_lab.session(PROMPT, {"seed": 1})  # type: ignore[arg-type]
    with pytest.raises(LabError, match="overrides are a dict"):
        parent.fork(0, {"tokens": {1: 2}})  # type: ignore[arg-type]
