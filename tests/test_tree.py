"""Draft trees: grown best-first, read by the target in one pass, verified without loss; every outcome enumerated."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from dspark_lab import LabError, Overrides, Session, Settings, tree
from dspark_lab.acceptance import verify
from dspark_lab.decoding import State, decode_round, prefill
from dspark_lab.loading import Lab
from dspark_lab.packed import PackedCache
from dspark_lab.target import Target
from dspark_lab.trace import ACCEPTED, CUT, DISCARDED, NONE, REJECTED, RESIDUAL, Trace
from dspark_lab.tree import ROOT, DraftTree, grow, verify_tree, visibility
from tests.scripted import ScriptedDrafter, ScriptedTarget, alone, one_hot, round_outcomes, table, untimed
from tests.test_exactness import DRAFTERS, PROMPT, TARGET, decoded, distance

SETTINGS = Settings(seed=5, max_new_tokens=8, tree=9)
TEXT = "Tom has 12 apples. He buys 7 more."
CLOSE = {"atol": 1e-4, "rtol": 1e-4}


def rows(logits):
    return lambda path: torch.tensor(logits(path), dtype=torch.float64)


# The rule


@pytest.mark.parametrize("budget", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("temperature", [0, 0.7, 1])
def test_output_is_distributed_as_the_targets_own(temperature: float, budget: int) -> None:
    """Trees from a single node to all there are; the third token ends a sequence, inside a tree as well."""
    target, settings = ScriptedTarget(TARGET), Settings(temperature, gamma=2, tree=budget)
    found = decoded(target, DRAFTERS["another model"], 4, settings)
    assert distance(found, alone(target, PROMPT, 4, settings)) < 1e-12


@pytest.mark.parametrize("name", DRAFTERS)
@pytest.mark.parametrize(("gamma", "budget"), [(1, 3), (4, 4), (3, 7)])
def test_whatever_the_drafter_and_the_trees_shape(name: str, gamma: int, budget: int) -> None:
    target, settings = ScriptedTarget(TARGET), Settings(gamma=gamma, tree=budget)
    assert distance(decoded(target, DRAFTERS[name], 4, settings), alone(target, PROMPT, 4, settings)) < 1e-12


@pytest.mark.parametrize(("top_k", "top_p"), [(1, 1), (2, 1), (0, 0.5), (4, 0.9)])
def test_under_top_k_and_top_p(top_k: int, top_p: float) -> None:
    target = ScriptedTarget(table(5, 3), vocab=5)
    settings = Settings(0.8, top_k=top_k, top_p=top_p, gamma=2, tree=6)
    found = decoded(target, ScriptedDrafter(table(5, 4)), 3, settings)
    assert distance(found, alone(target, PROMPT, 3, settings)) < 1e-12


@pytest.mark.parametrize("room", [1, 2, 3])
def test_where_the_room_cuts_the_tree_short(room: int) -> None:
    target, settings = ScriptedTarget(TARGET), Settings(gamma=4, tree=8)
    found = decoded(target, DRAFTERS["another model"], room, settings, room=room)
    assert all(len(tokens) <= room for tokens in found)
    assert distance(found, alone(target, PROMPT, room, settings)) < 1e-12


@pytest.mark.parametrize("verify_length", [0, 1, 3, 4])
def test_however_few_of_the_nodes_are_verified(verify_length: int) -> None:
    """The first n nodes are the tree of budget n."""
    target, settings = ScriptedTarget(TARGET), Settings(gamma=3, tree=6)
    found = decoded(target, ScriptedDrafter(table(3, 2, zeros=0)), 1, settings, verify_length=verify_length)
    assert distance(found, alone(target, PROMPT, 1, settings)) < 1e-12


def test_an_end_of_sequence_ends_a_round_inside_the_tree() -> None:
    target = ScriptedTarget(lambda prefix: [0.0, 0.0, 1.0])
    state, ended = prefill(target, ScriptedDrafter(target.logits), list(PROMPT)), 0.0
    outcomes = round_outcomes(target, ScriptedDrafter(target.logits), state, Settings(gamma=3, tree=9), 50)
    for p, outcome, _ in outcomes:
        if outcome.verdict.kind == NONE:
            assert outcome.emitted[-1] in target.stop_tokens and outcome.finished == "eos"
            assert outcome.emitted == [outcome.tree.tokens[node] for node in outcome.path]
            ended += p
    assert ended > 0.5


@pytest.mark.parametrize("where", [1e-9, 1 - 1e-9])
def test_every_cell_reaches_from_end_to_end(where: float) -> None:
    target, settings = ScriptedTarget(TARGET), Settings(gamma=2, tree=4)
    found = decoded(target, DRAFTERS["another model"], 3, settings, where=where)
    assert distance(found, alone(target, PROMPT, 3, settings)) < 1e-12


def test_leaving_the_mass_of_rejected_children_in_the_residual_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "residual", lambda p_t, proposed: p_t)
    target, settings = ScriptedTarget(TARGET), Settings(gamma=2, tree=3)
    found = decoded(target, DRAFTERS["another model"], 3, settings)
    assert distance(found, alone(target, PROMPT, 3, settings)) > 0.01


def test_a_tree_without_branches_is_the_chain_of_a_drafter_that_is_certain() -> None:
    """Uniform for uniform: p_d is one-hot there."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(200):
        p_t = torch.rand(4, 5, generator=generator, dtype=torch.float64) ** 3
        p_t /= p_t.sum(-1, keepdim=True)
        *u, final = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
        tokens = torch.randint(5, (3,), generator=generator).tolist()
        certain = torch.nn.functional.one_hot(torch.tensor(tokens), 5).double()
        expected = verify(tokens, certain, p_t, u, final, stop={4})
        found, path = verify_tree(DraftTree(tokens, [ROOT, 0, 1], [1, 2, 3], [1.0] * 3), p_t, u, final, stop={4})
        assert path == list(range(expected.accepted))
        assert (found.accepted, found.kind, found.token, found.cdf) == (
            expected.accepted, expected.kind, expected.token, expected.cdf,
        )  # fmt: skip


def test_a_changed_uniform_leaves_the_walk_above_it_as_it_was() -> None:
    target, drafter = ScriptedTarget(table(4, 1, zeros=0), 4), ScriptedDrafter(table(4, 1, zeros=0))
    target.stop_tokens = frozenset()
    parent = Session(target, drafter, "abc", Settings(gamma=4, tree=12, seed=3, max_new_tokens=40)).run()
    deep = next(r for r in parent.rounds if r.accepted >= 2)
    for u in (0.0, 0.5, 0.999):
        fork = parent.fork(deep.index, Overrides(uniforms={"accept:2": u})).rounds[-1]
        assert fork.emitted[0] == deep.emitted[0] and fork.accepted >= 1
    again = parent.fork(deep.index, Overrides(uniforms={"final:0": 0.5})).rounds[-1]
    assert again.emitted[: deep.accepted] == deep.emitted[: deep.accepted]


# The tree


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("budget", "depth"), [(1, 3), (4, 1), (6, 2), (10, 4), (100, 3)])
def test_it_holds_the_most_probable_paths(seed: int, budget: int, depth: int) -> None:
    logits = table(4, seed)
    grown = grow(rows(logits), budget, depth, 1.0)
    reach: dict[tuple[int, ...], float] = {(): 1.0}
    for k in range(depth):
        for path in [path for path in reach if len(path) == k]:
            p = rows(logits)(path).softmax(-1).tolist()
            reach |= {(*path, token): reach[path] * p[token] for token in range(4) if p[token]}
    best = sorted((p for path, p in reach.items() if path), reverse=True)[:budget]
    paths: dict[int, tuple[int, ...]] = {ROOT: ()}
    for node, (token, parent) in enumerate(zip(grown.tokens, grown.parents, strict=True)):
        paths[node] = (*paths[parent], token)
        assert grown.depths[node] == len(paths[node]) <= depth
    found = [reach[path] for node, path in paths.items() if node != ROOT]
    assert len(set(paths.values())) == len(paths)
    assert found == pytest.approx(best)


def test_the_first_nodes_are_the_tree_of_a_smaller_budget() -> None:
    whole = grow(rows(table(4, 1)), 20, 4, 1.0)
    for budget in range(1, 20):
        part = grow(rows(table(4, 1)), budget, 4, 1.0)
        assert (part.tokens, part.parents) == (whole.tokens[:budget], whole.parents[:budget])


def test_a_drafter_that_is_certain_grows_a_chain() -> None:
    grown = grow(rows(one_hot(table(4, 1))), 20, 4, 1.0)
    assert grown.parents == [ROOT, 0, 1, 2] and grown.p_d == [1.0] * 4


def test_a_token_sees_its_path_and_itself() -> None:
    seen = visibility([ROOT, 0, 0, 2, ROOT])
    assert [row.nonzero().flatten().tolist() for row in seen] == [[0], [0, 1], [0, 2], [0, 2, 3], [4]]


# The target


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


# Sessions


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
