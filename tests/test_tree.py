"""Draft trees: grown best-first, verified without loss; every outcome enumerated."""

from __future__ import annotations

import pytest
import torch

from dspark_lab import Overrides, Session, Settings, tree
from dspark_lab.acceptance import verify
from dspark_lab.decoding import prefill
from dspark_lab.rounds import NONE
from dspark_lab.tree import ROOT, DraftTree, grow, verify_tree, visibility
from tests.outcomes import alone, round_outcomes
from tests.scripted import ScriptedDrafter, ScriptedTarget, one_hot, table
from tests.test_exactness import DRAFTERS, PROMPT, TARGET, decoded, distance


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
