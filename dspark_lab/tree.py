"""Draft trees: several continuations of the anchor, verified in one target pass, and the rule that keeps it lossless.

A tree is grown best-first over the drafter's own probabilities, so it is a function of the drafter's logits alone: no
uniform has a part in it. Each child of a node is therefore a proposal of one certain token, a point mass, and recursive
rejection sampling (SpecInfer's multi-step speculative sampling, arXiv 2305.09781, algorithm 2; SpecTr, arXiv
2310.15141; Sequoia, arXiv 2402.12374) becomes simple: where children c_1, c_2, ... of a node are tried in turn, c_i is
accepted with probability p_t(c_i) / (1 - p_t(c_1) - ... - p_t(c_{i-1})), its chance under what the rejected ones before
it left over. So each child is reached with probability p_t(c_i), and after the last rejection the residual is p_t
without the children, normalised: every token comes out with its probability under p_t, whatever the tree.

One uniform decides a depth: accept:k falls in the share of one of the children, laid out from 0 in the order in which
they are tried, or beyond them all. final:0 draws the round's last token, from the residual or, at a leaf, from p_t (the
bonus). A change of accept:k thus leaves the walk to depth k - 1 as it was. With one child a node it is the chain's rule,
uniform for uniform, for a drafter whose p_d is one-hot.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import torch
from torch import Tensor

from dspark_kernels import residual, softmax_filtered
from dspark_lab.acceptance import Verdict, final_verdict
from dspark_lab.rounds import BONUS, NONE, RESIDUAL

Successors = Callable[[tuple[int, ...]], Tensor]
"""``successors((x_1, .., x_k)) -> logits [V]`` of x_{k+1} after an anchor and these draft tokens."""

ROOT = -1
"""The parent of the nodes that follow the anchor."""


@dataclass
class DraftTree:
    """Draft tokens, each behind its parent's path; in the order in which they were found, parents before children, so
    that the first n nodes are the tree of budget n.

    Attributes:
        tokens: of each node. parents: the number of its parent, or ROOT. depths: 1 after the anchor.
        p_d: its probability among its siblings under the drafter.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    p_d: list[float] = field(default_factory=list)

    def children(self, parent: int, count: int) -> list[int]:
        """Those of the first ``count`` nodes that follow ``parent``, in the order in which they are tried."""
        return [node for node in range(count) if self.parents[node] == parent]


def grow(successors: Successors, budget: int, depth: int, temperature: float) -> DraftTree:
    """The tree of the ``budget`` most probable nodes no deeper than ``depth``, fewer where no more are possible.

    A node's probability is the product of the drafter's along its path, at the round's temperature, or at 1 where that
    is 0: the greedy target follows one path, and which one is what the drafter is unsure of.
    """
    tree = DraftTree()
    paths: dict[int, tuple[int, ...]] = {ROOT: ()}
    reached = {ROOT: 1.0}  # probability of the path
    ranked: dict[int, list[tuple[float, int]]] = {}
    heap = [(-1.0, ROOT, 0)]  # (-probability of the path, parent, rank among its children)

    def offer(parent: int, rank: int) -> None:
        if rank < len(ranked[parent]) and ranked[parent][rank][0] > 0:
            heappush(heap, (-reached[parent] * ranked[parent][rank][0], parent, rank))

    while heap and len(tree.tokens) < budget:
        joint, parent, rank = heappop(heap)
        if parent not in ranked:  # until now only a bound: a path is no more probable than its beginning
            p_d = softmax_filtered(successors(paths[parent]), temperature or 1.0)
            top = p_d.topk(min(budget, len(p_d)))
            ranked[parent] = list(zip(top.values.tolist(), top.indices.tolist(), strict=True))
            offer(parent, 0)
            continue
        p, token = ranked[parent][rank]
        offer(parent, rank + 1)
        node = len(tree.tokens)
        paths[node], reached[node] = (*paths[parent], token), -joint
        tree.tokens.append(token)
        tree.parents.append(parent)
        tree.depths.append(len(paths[node]))
        tree.p_d.append(p)
        if len(paths[node]) < depth:
            heappush(heap, (joint, node, 0))
    return tree


def visibility(parents: Sequence[int]) -> Tensor:
    """Which tokens each token attends to, itself and those on its path: [n, n], True where it does.

    ``parents``: for each token the number of the one that it follows, smaller than its own, or ROOT.
    """
    visible = torch.eye(len(parents), dtype=torch.bool)
    for token, parent in enumerate(parents):
        if parent != ROOT:
            visible[token] |= visible[parent]
    return visible


def verify_tree(
    tree: DraftTree, p_t: Tensor, u_accept: Sequence[float], u_final: float, stop: Collection[int] = ()
) -> tuple[Verdict, list[int]]:
    """Walk down from the anchor as the module's docstring says.

    Args:
        tree: its first l nodes were verified, the rest is ignored.
        p_t: [l + 1, V] the target's distributions after the anchor and after each of those nodes.
        u_accept: a uniform a depth; u_final: the uniform of the residual or bonus draw.
        stop: end-of-sequence tokens; a round that accepts one ends there without a bonus.

    Returns:
        the verdict, and the accepted nodes from the anchor on.
    """
    path: list[int] = []
    while True:
        here = p_t[path[-1] + 1 if path else 0]
        children = tree.children(path[-1] if path else ROOT, len(p_t) - 1)
        if not children:
            return final_verdict(len(path), BONUS, here, u_final), path
        tokens = [tree.tokens[node] for node in children]
        share, u = 0.0, u_accept[len(path)]
        for node, p in zip(children, here[tokens].tolist(), strict=True):
            share += p
            if u < share:
                path.append(node)
                break
        else:
            proposed = torch.zeros_like(here)
            proposed[tokens] = 1.0
            return final_verdict(len(path), RESIDUAL, residual(here, proposed), u_final), path
        if tree.tokens[path[-1]] in stop:
            return Verdict(len(path), NONE, None, None, None), path
