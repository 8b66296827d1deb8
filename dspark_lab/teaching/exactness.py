"""One round, repeated with fresh seeds: does its first token follow the target's own distribution?

Lossless means that it does, exactly (arXiv 2211.17192, theorem 1). Each repetition is a whole live round: the drafter's
pass, the target's, the verdicts. Counts are held against p_t by Pearson's chi-square test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from dspark_lab.decoding import Outcome
from dspark_lab.errors import LabError
from dspark_lab.session import Session
from dspark_lab.teaching.rules import EXACT, rule_named, total_variation

LEAST_EXPECTED = 5.0
"""The chi-square approximation wants this many expected counts in a bin; rarer tokens share one. What is still rarer when
all of them are together is also tested by itself, as a Poisson count."""

LAST_SEED = 2**63 - 1


@dataclass(frozen=True)
class GoodnessOfFit:
    """Pearson's test of counts against probabilities.

    Attributes:
        statistic: sum of (observed - expected)^2 / expected over the bins.
        degrees: bins - 1; 0 while there are too few counts for two bins.
        p_value: the chance of such a statistic or a larger one if the probabilities hold, or, where the rarest tokens are
            tested by themselves, of so many of them, twice the smaller of both; 0 where something impossible was counted.
        impossible: how often something of probability 0 was counted.
    """

    statistic: float
    degrees: int
    p_value: float
    impossible: int


def goodness_of_fit(counts: Sequence[int], probabilities: Sequence[float]) -> GoodnessOfFit:
    """Test ``counts`` against ``probabilities``, which sum to 1. Bins depend on the expected counts alone."""
    total = sum(counts)
    impossible = sum(n for n, p in zip(counts, probabilities, strict=True) if p == 0)
    bins: list[tuple[float, float]] = []  # observed, expected
    for p, n in sorted(zip(probabilities, counts, strict=True), reverse=True):
        if bins and bins[-1][1] < LEAST_EXPECTED:
            bins[-1] = (bins[-1][0] + n, bins[-1][1] + p * total)
        else:
            bins.append((n, p * total))
    rare = 1.0
    if len(bins) > 1 and bins[-1][1] < LEAST_EXPECTED:
        rest, expected = bins.pop()
        rare = _gamma(torch.special.gammainc, rest, expected) if rest else 1.0  # P(Poisson(expected) >= rest)
        bins[-1] = (bins[-1][0] + rest, bins[-1][1] + expected)
    degrees = max(0, len(bins) - 1)
    statistic = sum((n - expected) ** 2 / expected for n, expected in bins) if degrees else 0.0
    p_value = _gamma(torch.special.gammaincc, degrees / 2, statistic / 2) if degrees else rare
    if degrees and rare < 1:
        p_value = min(1.0, 2 * min(p_value, rare))
    return GoodnessOfFit(statistic, degrees, 0.0 if impossible else p_value, impossible)


def _gamma(function: Callable[[Tensor, Tensor], Tensor], a: float, x: float) -> float:
    return float(function(torch.tensor(a, dtype=torch.float64), torch.tensor(x, dtype=torch.float64)))


@dataclass(frozen=True)
class Tally:
    """A token's probability under p_t and under the rule's own law, and how often it came out first."""

    token: int
    p_t: float
    law: float
    count: int


@dataclass(frozen=True)
class Reading:
    """The meter after ``rounds`` repetitions with the seeds from ``first_seed`` on.

    Attributes:
        tallies: the most probable tokens, and the most counted ones. others: of all further tokens, their sums.
        fit: the test of all tokens' counts.
        distance: total variation between the counts' shares and p_t. bias: between the rule's law and p_t, which is what
            the distance tends to; 0 for a lossless rule.
    """

    rounds: int
    first_seed: int
    tallies: tuple[Tally, ...]
    others: Tally
    fit: GoodnessOfFit
    distance: float
    bias: float


@dataclass
class ExactnessMeter:
    """Repeats round ``round_index`` of a session and counts its first tokens.

    What was changed by hand in that round is left out, but for its settings. The session itself stays as it is.

    Attributes:
        rule: by which verdicts are given, a name in ``RULES``. The real one counts what decoding emits.
        first_seed: of the repetitions; None begins one above the session's own.
        history: after each ``run``, the rounds so far and the p-value then.

    Raises:
        LabError: no such round or rule.
    """

    session: Session
    round_index: int
    rule: str = EXACT
    first_seed: int | None = None
    counts: Counter[int] = field(default_factory=Counter, init=False)
    history: list[tuple[int, float]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._rule = rule_named(self.rule)
        self._start = self.session.before(self.round_index)
        self.first_seed = (self._start.settings.seed + 1) % LAST_SEED if self.first_seed is None else self.first_seed
        self._p_t: Tensor | None = None
        self._law: Tensor | None = None

    @property
    def rounds(self) -> int:
        return self.counts.total()

    def run(self, rounds: int, should_stop: Callable[[], bool] | None = None) -> int:
        """Repeat ``rounds`` times more, or until ``should_stop()`` after a round; how many it were.

        Raises:
            LabError: the round drafts a tree, for which only the real rule is written.
        """
        assert self.first_seed is not None
        done = 0
        while done < rounds and not (should_stop and should_stop()):
            outcome = self._start.peek((self.first_seed + self.rounds) % LAST_SEED)
            self._measure(outcome)
            self.counts[self._first(outcome)] += 1
            done += 1
        if done:
            self.history.append((self.rounds, self.reading(0).fit.p_value))
        return done

    def _first(self, o: Outcome) -> int:
        if self.rule == EXACT or o.p_d is None:
            return o.emitted[0]
        stop = self._start.target.stop_tokens
        tokens = o.draft.tokens[: o.verify_length]
        verdict = self._rule.verify(tokens[:1], o.p_d, o.p_t, o.uniforms.accept, o.uniforms.final, stop)
        if verdict.accepted:
            return tokens[0]
        assert verdict.token is not None
        return verdict.token

    def _measure(self, o: Outcome) -> None:
        """The two distributions at the first place, which no seed changes."""
        if o.tree is not None and self.rule != EXACT:
            raise LabError(
                f"a draft tree cannot be judged by {self.rule!r}: take {EXACT!r}, or draft a chain (tree=0)."
            )
        if self._p_t is None:
            self._p_t = o.p_t[0].cpu()
            drafted = o.p_d is not None and o.verify_length > 0
            self._law = self._rule.law(self._p_t, o.p_d[0].cpu()) if drafted and o.p_d is not None else self._p_t

    def reading(self, head: int = 8) -> Reading:
        """What the counts say; ``head`` tokens are named.

        Raises:
            LabError: nothing was run yet.
        """
        if self._p_t is None or self._law is None:
            raise LabError("the meter has repeated no round yet: run(rounds) first.")
        assert self.first_seed is not None
        p_t, law, n = self._p_t, self._law, self.rounds
        counted = torch.zeros_like(p_t)
        for token, count in self.counts.items():
            counted[token] = count
        rank = torch.maximum(p_t, counted / n)
        named = [int(t) for t in rank.topk(min(head, len(rank))).indices if rank[t] > 0]
        tallies = tuple(Tally(t, float(p_t[t]), float(law[t]), self.counts[t]) for t in named)
        others = Tally(
            -1,
            max(0.0, 1 - sum(t.p_t for t in tallies)),
            max(0.0, 1 - sum(t.law for t in tallies)),
            n - sum(t.count for t in tallies),
        )
        fit = goodness_of_fit([int(c) for c in counted.tolist()], p_t.tolist())
        bias = 0.0 if self._rule.lossless else total_variation(law, p_t)
        return Reading(n, self.first_seed, tallies, others, fit, total_variation(counted / n, p_t), bias)
