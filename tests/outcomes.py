"""What a decoding round can do, exactly: no sampling.

``round_outcomes`` enumerates the outcomes of one real round with their probabilities; ``filtered`` and ``alone`` are the
distributions that they are held against.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from torch import Tensor

from dspark_lab.decoding import Outcome, State, decode_round
from dspark_lab.drafters.base import Drafter
from dspark_lab.rounds import RESIDUAL
from dspark_lab.settings import Overrides, Settings
from dspark_lab.target import Target
from tests.scripted import ScriptedTarget

Table = dict[tuple[int, ...], float]
Cells = list[tuple[float, float]]
"""(a uniform inside the cell, the cell's probability) of each outcome of one draw."""


def filtered(logits: Sequence[float], settings: Settings) -> list[float]:
    """Probabilities after temperature, top-k and top-p, in plain Python: the reference for distributions."""
    order = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    if settings.temperature == 0:
        return [float(i == order[0]) for i in range(len(logits))]
    weight = [math.exp((x - logits[order[0]]) / settings.temperature) for x in logits]
    kept = order[: settings.top_k or len(order)]
    mass, nucleus = 0.0, []
    for i in kept:
        if mass < settings.top_p * math.fsum(weight[j] for j in kept) or settings.top_p == 1:
            nucleus.append(i)
        mass += weight[i]
    total = math.fsum(weight[i] for i in nucleus)
    return [weight[i] / total if i in nucleus else 0.0 for i in range(len(logits))]


def alone(target: ScriptedTarget, prompt: Sequence[int], length: int, settings: Settings) -> Table:
    """The target's own distribution over its next ``length`` tokens (fewer where a sequence ends)."""
    result: Table = {(): 1.0}
    for _ in range(length):
        longer: Table = {}
        for tokens, weight in result.items():
            if tokens and tokens[-1] in target.stop_tokens:
                longer[tokens] = weight
                continue
            for token, p in enumerate(filtered(target.logits((*prompt, *tokens)), settings)):
                if p:
                    longer[(*tokens, token)] = weight * p
        result = longer
    return result


def cells(probabilities: Tensor | Sequence[float], where: float) -> Cells:
    """The CDF cells of a distribution; each uniform lies the fraction ``where`` into its cell."""
    result, low = [], 0.0
    for p in map(float, probabilities):
        if p > 0:
            result.append((low + where * p, p))
        low += p
    return result


def acceptance_cells(outcome: Outcome, k: int, where: float) -> Cells:
    """Draft token k survives where u < min(1, p_t / p_d); in a tree one of the children does, in their order, or none."""
    if outcome.tree is not None:
        return cells(shares(outcome, k), where)
    token = outcome.draft.tokens[k - 1]
    p = min(1.0, float(outcome.p_t[k - 1, token]) / float(outcome.p_d[k - 1, token]))
    return cells([p, 1 - p], where)


def shares(outcome: Outcome, k: int) -> list[float]:
    """p_t of the nodes at depth k that the walk came to, and of all other tokens."""
    parent = outcome.path[k - 2] if k > 1 else -1
    children = outcome.tree.children(parent, outcome.verify_length)
    accepted = [float(outcome.p_t[parent + 1, outcome.tree.tokens[node]]) for node in children]
    rest = 1 - math.fsum(accepted)
    return [*accepted, rest if rest > 1e-15 else 0.0]  # what rounding leaves is no outcome


def round_outcomes(
    target: ScriptedTarget | Target,
    drafter: Drafter | None,
    state: State,
    settings: Settings,
    room: int,
    verify_length: int | None = None,
    where: float = 0.5,
    accept: Callable[[Outcome, int, float], Cells] = acceptance_cells,
    index: int = 0,
) -> Iterator[tuple[float, Outcome, State]]:
    """Every outcome of a round with its exact probability and the state it leaves, through the real ``decode_round``.

    A round is run, the first uniform that decided something is split into its cells by the distribution that the round
    reports, and each cell is followed with a uniform inside it.
    """

    def follow(fixed: Mapping[str, float], weight: float) -> Iterator[tuple[float, Outcome, State]]:
        length = len(state.tokens) - 1
        drafted = drafter.copy_state(state.drafter_state, length) if drafter else None
        after = State(list(state.tokens), state.cache.copy(length), drafted, dict(state.confidences))
        outcome = decode_round(target, drafter, after, index, settings, room, Overrides({}, fixed, verify_length))
        address, branches = _undecided(outcome, fixed, where, accept)
        if not address:
            yield weight, outcome, after
        for u, p in branches:
            yield from follow({**fixed, address: u}, weight * p)

    return follow({}, 1.0)


def _undecided(
    o: Outcome, fixed: Mapping[str, float], where: float, accept: Callable[[Outcome, int, float], Cells]
) -> tuple[str, Cells]:
    """The first uniform that decided something in this round and is not fixed yet, with its cells."""
    for k in range(1, len(o.draft.tokens) + 1 if o.tree is None else 1):
        if f"draft:{k}" not in fixed:
            return f"draft:{k}", cells(o.p_d[k - 1], where)
    decided = o.verdict.accepted + (o.verdict.kind == RESIDUAL)
    for k in range(1, decided + 1):
        if f"accept:{k}" not in fixed:
            return f"accept:{k}", accept(o, k, where)
    if o.verdict.distribution is not None and "final:0" not in fixed:
        return "final:0", cells(o.verdict.distribution, where)
    return "", []
