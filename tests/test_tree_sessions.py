"""Sessions that draft trees: they repeat themselves, fork, and record what was drafted and what came of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from dspark_lab import LabError, Overrides, Session, Settings
from dspark_lab.decoding import State, decode_round, prefill
from dspark_lab.loading import Lab
from dspark_lab.packed import PackedCache
from dspark_lab.rounds import ACCEPTED, CUT, DISCARDED, REJECTED, RESIDUAL
from dspark_lab.trace import Trace
from dspark_lab.tree import ROOT
from tests.scripted import ScriptedDrafter, ScriptedTarget, table, untimed
from tests.test_exactness import PROMPT, TARGET

SETTINGS = Settings(seed=5, max_new_tokens=8, tree=9)
TEXT = "Tom has 12 apples. He buys 7 more."


@pytest.fixture
def knowing(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session whose drafter grows its trees from the target's own logits, so that walks go deep and fail late."""
    target = tiny_lab.target
    session = tiny_lab.session(TEXT, Settings(0.25, seed=5, max_new_tokens=24, tree=6))

    def expand(state: PackedCache, anchor: int, gamma: int):
        before = session.state.tokens[: state.length + 1]
        return lambda path: target.forward(target.new_cache(), [*before, *path])[0][-1]

    monkeypatch.setattr(tiny_lab.drafter, "expand", expand)
    return session.run()


def test_after_any_rounds_the_caches_are_those_of_a_prompt_that_long(tiny_lab: Lab, knowing: Session) -> None:
    session = knowing
    assert {r.accepted for r in session.rounds} >= {0, 1, 2, 5}
    kept = [[i for i, node in enumerate(r.tree.nodes) if node.verdict == ACCEPTED] for r in session.rounds]
    assert any(path != list(range(len(path))) for path in kept), "some are gathered"
    length = len(session.state.tokens) - 1
    fresh = prefill(tiny_lab.target, tiny_lab.drafter, session.state.tokens)
    for ours, theirs in ((session.state.cache, fresh.cache), (session.state.drafter_state, fresh.drafter_state)):
        kept = (cache.buffer[..., :length, :] for cache in (ours, theirs))
        torch.testing.assert_close(*kept, atol=1e-3, rtol=1e-3)


def test_a_session_repeats_itself_and_forks(tiny_lab: Lab) -> None:
    session = tiny_lab.session(TEXT, SETTINGS).run()
    assert len(session.tokens) == SETTINGS.max_new_tokens
    assert untimed(session.fork(0).run().rounds) == untimed(session.rounds)
    assert untimed(session.fork(2).run().rounds) == untimed(session.rounds)
    assert tiny_lab.session(TEXT, SETTINGS).run(trace=False).tokens == session.tokens


def test_greedy_output_is_the_targets_own(tiny_lab: Lab) -> None:
    settings = replace(SETTINGS, temperature=0, tree=100)
    drafted, plain = tiny_lab.session(TEXT, settings).run(), tiny_lab.session(TEXT, settings, drafter=False).run()
    assert drafted.tokens == plain.tokens and len(drafted.rounds) < len(plain.rounds)


def test_the_drafters_logits_after_a_path_are_those_it_proposes_from(tiny_lab: Lab) -> None:
    drafter = tiny_lab.drafter
    state = tiny_lab.session(TEXT).state
    seen: list[torch.Tensor] = []

    def choose(k: int, logits: torch.Tensor) -> int:
        seen.append(logits)
        return 40 + k

    drafted = drafter.propose(state.drafter_state, state.tokens[-1], 5, choose).tokens
    successors = drafter.expand(state.drafter_state, state.tokens[-1], 5)
    for k, logits in enumerate(seen):
        torch.testing.assert_close(successors(tuple(drafted[:k])), logits, atol=0, rtol=0)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (Overrides(tokens={1: 0}), "a draft tree draws no tokens"),
        (Overrides(uniforms={"draft:1": 0.5}), "a draft tree draws no tokens"),
        (Overrides(uniforms={"accept:4": 0.5}), "no draft position 4 .* drafts 3 tokens"),
        (Overrides(verify_length=7), "verify_length is 7, but this round drafts 6 tokens"),
    ],
)
def test_an_override_that_a_tree_cannot_have_is_refused(overrides: Overrides, said: str) -> None:
    target, drafter = ScriptedTarget(table(3, 1, zeros=0)), ScriptedDrafter(table(3, 2, zeros=0))
    state = prefill(target, drafter, list(PROMPT))
    with pytest.raises(LabError, match=said):
        decode_round(target, drafter, state, 0, Settings(gamma=3, tree=6), 50, overrides)
    assert isinstance(state, State) and state.tokens == list(PROMPT) and state.cache.tokens == list(PROMPT[:-1])


def test_a_drafter_that_cannot_draft_trees_is_named() -> None:
    plain = SimpleNamespace(
        **{name: getattr(ScriptedDrafter(TARGET), name) for name in (
            "info", "block_size", "tap_layers", "new_state", "copy_state", "commit", "propose",
        )}
    )  # fmt: skip
    with pytest.raises(LabError, match="tree is 4, but a drafter of kind 'dspark' drafts chains only: set tree=0"):
        Session(ScriptedTarget(TARGET), plain, "ab", Settings(tree=4))


def test_without_a_draft_there_is_no_tree(tiny_lab: Lab) -> None:
    for drafter, settings in ((False, SETTINGS), (True, replace(SETTINGS, gamma=0))):
        session = tiny_lab.session(TEXT, settings, drafter=drafter)
        assert session.advance().tree is None


def test_the_record_of_a_round_is_consistent(knowing: Session) -> None:
    for r in knowing.rounds:
        nodes, place, tried = r.tree.nodes, ROOT, []
        assert (r.gamma, r.verify_length, r.positions) == (0, 0, ())
        assert r.cache_after_verify == r.context_length + 1 + r.tree.verify_length
        for u in r.tree.u_accept:
            share = 0.0
            for i in [i for i, node in enumerate(nodes) if node.parent == place]:
                tried.append(i)
                share += nodes[i].p_t
                if u < share:
                    assert nodes[i].verdict == ACCEPTED
                    place = i
                    break
                assert nodes[i].verdict == REJECTED
        assert {i for i, node in enumerate(nodes) if node.verdict != DISCARDED} == set(tried)
        accepted = [node.token for node in nodes if node.verdict == ACCEPTED]
        assert list(r.emitted[: r.accepted]) == accepted and len(accepted) == r.accepted
        assert len(r.tree.u_accept) == r.accepted + (r.final.kind == RESIDUAL)
    assert Trace.from_json(knowing.trace().to_json()) == knowing.trace()


def test_nodes_beyond_the_verified_ones_are_cut(knowing: Session) -> None:
    fork = knowing.fork(1, Overrides(verify_length=2)).rounds[-1]
    whole = knowing.rounds[1].tree
    assert [node.verdict == CUT for node in fork.tree.nodes] == [False] * 2 + [True] * 4
    assert [node.p_t for node in fork.tree.nodes] == [*(pytest.approx(n.p_t) for n in whole.nodes[:2]), *[None] * 4]
    assert [node.token for node in fork.tree.nodes] == [node.token for node in whole.nodes]
