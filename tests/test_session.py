"""A session: rounds one by one, forks that change exactly what was changed, ends that are exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from dspark_lab import LabError, Overrides, Session, Settings
from dspark_lab.decoding import prefill
from dspark_lab.loading import Lab
from dspark_lab.trace import ACCEPTED, CUT, DISCARDED, NONE, REJECTED, RESIDUAL, Round
from tests.scripted import ScriptedDrafter, ScriptedTarget, table

PROMPT = "Tom has 12 apples. He buys 7 more."
TARGET, OTHER = table(4, seed=1, zeros=0.1), table(4, seed=2, zeros=0.1)


def endless(context_limit: int = 1000) -> ScriptedTarget:
    """A target that never ends a sequence by itself."""
    target = ScriptedTarget(TARGET, vocab=4, context_limit=context_limit)
    target.stop_tokens = frozenset()
    return target


@pytest.fixture(scope="module")
def parent(tiny_lab: Lab) -> Session:
    return tiny_lab.session(PROMPT, Settings(seed=5, max_new_tokens=30)).run()


def untimed(rounds: list[Round]) -> list[Round]:
    return [replace(r, timings=None, overrides={}) for r in rounds]


def test_the_same_settings_give_the_same_session(tiny_lab: Lab, parent: Session) -> None:
    again = tiny_lab.session(PROMPT, parent.settings).run()
    assert untimed(again.rounds) == untimed(parent.rounds)
    assert tiny_lab.session(PROMPT, replace(parent.settings, seed=6)).run().tokens != parent.tokens


def test_a_run_without_recording_emits_the_same(tiny_lab: Lab, parent: Session) -> None:
    quiet = tiny_lab.session(PROMPT, parent.settings).run(trace=False)
    assert quiet.tokens == parent.tokens and quiet.rounds == []
    with pytest.raises(LabError, match="without recording"):
        quiet.trace()


def test_an_unchanged_fork_of_any_round_repeats_it_bitwise(parent: Session) -> None:
    for index in range(len(parent.rounds)):
        fork = parent.fork(index)
        assert len(fork.rounds) == index + 1
        assert all(a is b for a, b in zip(fork.rounds[:index], parent.rounds, strict=False)), (
            "earlier rounds are shared"
        )
        assert untimed(fork.rounds[index:]) == untimed([parent.rounds[index]])
        assert fork.trace().forked_at == index


def test_an_unchanged_fork_runs_on_to_the_same_end(parent: Session) -> None:
    assert untimed(parent.fork(1).run().rounds) == untimed(parent.rounds)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_a_changed_acceptance_uniform_leaves_the_draft_and_earlier_verdicts(parent: Session, k: int) -> None:
    for index, before in enumerate(parent.rounds[:6]):
        if k > before.gamma:
            continue
        lucky = {f"accept:{j}": 0.0 for j in range(1, k)}
        base = parent.fork(index, Overrides(uniforms=lucky))
        for u in (0.0, 0.999):
            after = parent.fork(index, Overrides(uniforms={**lucky, f"accept:{k}": u})).rounds[index]
            earlier = base.rounds[index].positions
            assert [p.token for p in after.positions] == [p.token for p in before.positions]
            assert [p.draft for p in after.positions] == [p.draft for p in before.positions]
            assert [p.verdict for p in after.positions[: k - 1]] == [p.verdict for p in earlier[: k - 1]]
            assert after.positions[k - 1].u_accept == u


@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_changed_token_leaves_everything_before_it(parent: Session, k: int) -> None:
    before = parent.rounds[0]
    other = (before.positions[k - 1].token.id + 1) % parent.target.vocab_size
    after = parent.fork(0, Overrides(tokens={k: other})).rounds[0]
    assert [p.token for p in after.positions[: k - 1]] == [p.token for p in before.positions[: k - 1]]
    assert after.positions[k - 1].token.id == other
    assert [p.forced for p in after.positions] == [j == k for j in range(1, 6)]
    assert after.positions[k - 1].draft[:3] == before.positions[k - 1].draft[:3], "p_d stays what it was"
    assert [p.u_draft for p in after.positions] == [p.u_draft for p in before.positions]
    assert other in [c.token.id for c in after.positions[k - 1].draft], "the distribution shows the forced token"


def test_a_forced_token_is_shown_even_where_the_drafter_could_not_draw_it() -> None:
    session = Session(endless(), ScriptedDrafter(OTHER), "ab", Settings(temperature=0, gamma=2))
    session.step()
    drawn = session.rounds[0].positions[0].token.id
    position = session.fork(0, Overrides(tokens={1: (drawn + 1) % 4})).rounds[0].positions[0]
    assert position.p_d == 0
    assert position.token in [choice.token for choice in position.draft]


def test_gamma_does_not_move_the_first_drafts_tokens(tiny_lab: Lab) -> None:
    first = [tiny_lab.session(PROMPT, Settings(gamma=g, seed=5)).step() for g in range(1, 6)]
    for shorter, longer in pairwise(first):
        assert [p.token for p in longer.positions[: shorter.gamma]] == [p.token for p in shorter.positions]
        assert [p.draft for p in longer.positions[: shorter.gamma]] == [p.draft for p in shorter.positions], "bitwise"


@pytest.mark.parametrize("length", [0, 1, 3, 5])
def test_what_was_cut_never_reaches_the_target(parent: Session, length: int) -> None:
    before = parent.rounds[0]
    after = parent.fork(0, Overrides(verify_length=length)).rounds[0]
    assert [p.token for p in after.positions] == [p.token for p in before.positions]
    assert [p.verdict for p in after.positions[length:]] == [CUT] * (5 - length)
    assert [p.verified for p in after.positions] == [k < length for k in range(5)]
    assert all(p.p_t is None and p.overlap is None and p.target == () for p in after.positions[length:])
    assert after.cache_after_verify == after.cache_before + 1 + length
    expected = [p.verdict for p in before.positions[:length]]
    assert [p.verdict for p in after.positions[:length]] == expected


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
    for ours, theirs in zip(parent.state.cache.layers, fresh.cache.layers, strict=True):
        torch.testing.assert_close(ours.keys, theirs.keys, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(ours.values, theirs.values, atol=1e-3, rtol=1e-3)
    ours, theirs = (state.drafter_state.buffer[..., :length, :] for state in (parent.state, fresh))
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("gamma", range(9))
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 12])
def test_max_new_tokens_is_reached_and_never_overshot(gamma: int, limit: int) -> None:
    session = Session(endless(), ScriptedDrafter(TARGET), "abcab", Settings(gamma=gamma, max_new_tokens=limit)).run()
    assert len(session.tokens) == limit and session.finished == "length"
    assert all(r.gamma <= limit - 1 for r in session.rounds)


@pytest.mark.parametrize("drafter", [None, ScriptedDrafter(TARGET)])
def test_the_context_limit_ends_a_session(drafter: ScriptedDrafter | None) -> None:
    session = Session(endless(context_limit=20), drafter, "abcab", Settings()).run()
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


@pytest.mark.parametrize(
    ("index", "overrides", "message"),
    [
        (99, Overrides(), "no round 99"),
        (-1, Overrides(), "no round -1"),
        (0, Overrides(tokens={6: 1}), "no draft position 6"),
        (0, Overrides(tokens={1: 320}), "token id 320 is not in the vocabulary of 320"),
        (0, Overrides(uniforms={"accept:0": 0.1}), "no draft position 0"),
        (0, Overrides(uniforms={"draft:6": 0.1}), "no draft position 6"),
        (0, Overrides(verify_length=6), "verify_length is 6, but this round drafts 5"),
        (0, Overrides(settings={"temperature": -1}), "temperature is -1"),
    ],
)
def test_a_fork_that_does_not_fit_leaves_its_parent_untouched(
    tiny_lab: Lab, index: int, overrides: Overrides, message: str
) -> None:
    parent = tiny_lab.session(PROMPT, Settings(seed=5, max_new_tokens=30))
    parent.step()
    rounds, tokens, length = list(parent.rounds), list(parent.state.tokens), parent.state.cache.length
    with pytest.raises(LabError, match=message):
        parent.fork(index, overrides)
    assert (parent.rounds, parent.state.tokens, parent.state.cache.length) == (rounds, tokens, length)
    assert untimed([parent.step()]) == untimed(tiny_lab.session(PROMPT, parent.settings).run().rounds[1:2])


def test_a_fork_and_its_parent_go_separate_ways(tiny_lab: Lab) -> None:
    alone = tiny_lab.session(PROMPT, Settings(seed=5, max_new_tokens=30)).run()
    parent = tiny_lab.session(PROMPT, alone.settings)
    parent.step(), parent.step()
    fork = parent.fork(1, Overrides(settings={"temperature": 3.0}))
    fork.run(), parent.run()
    assert untimed(parent.rounds) == untimed(alone.rounds)
    assert [r.temperature for r in fork.rounds] == [1.0] + [3.0] * (len(fork.rounds) - 1)
    assert fork.fork(0).rounds[0].temperature == 1.0, "what was changed later does not reach back"


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
    session = Session(endless(), ScriptedDrafter(OTHER), "a", Settings(gamma=3, max_new_tokens=9)).run()
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


@pytest.mark.parametrize("number", ["a", 0.5, True, None, -1])
def test_only_a_round_there_is_can_be_forked(parent: Session, number: object) -> None:
    with pytest.raises(LabError, match="no round"):
        parent.fork(number)  # type: ignore[arg-type]


def test_what_is_no_prompt_no_settings_and_no_overrides_is_named(tiny_lab: Lab, parent: Session) -> None:
    for wrong in (None, 5, b"x"):
        with pytest.raises(LabError, match="prompt is a"):
            tiny_lab.session(wrong)  # type: ignore[arg-type]
    with pytest.raises(LabError, match="settings are a dict"):
        tiny_lab.session(PROMPT, {"seed": 1})  # type: ignore[arg-type]
    with pytest.raises(LabError, match="overrides are a dict"):
        parent.fork(0, {"tokens": {1: 2}})  # type: ignore[arg-type]
