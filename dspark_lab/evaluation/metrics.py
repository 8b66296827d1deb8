"""Accepted length, acceptance by position and speed, from counts of rounds, with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # the arithmetic is for readers without torch too
    from dspark_lab.decoding import Outcome
    from dspark_lab.session import Session

RESAMPLES = 2000
LEVEL = 0.95

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class RoundCount:
    """One round, as numbers.

    Attributes:
        turn: the conversation's turn, from 0. context: tokens before the anchor.
        drafted: draft tokens, all of them verified. accepted: how many of them were kept.
        emitted: accepted ones and the final token; a round that accepts an end of sequence has no final token.
        draft_ms, head_ms, target_ms, total_ms: measured time of the draft forward, of the sequential part, of the
            target's forward and of the whole round, in milliseconds.
    """

    turn: int
    context: int
    drafted: int
    accepted: int
    emitted: int
    draft_ms: float = 0.0
    head_ms: float = 0.0
    target_ms: float = 0.0
    total_ms: float = 0.0

    @classmethod
    def of(cls, outcome: Outcome, turn: int = 0) -> RoundCount:
        t = outcome.timings
        return cls(
            turn,
            outcome.context_length,
            len(outcome.draft.tokens),
            outcome.verdict.accepted,
            len(outcome.emitted),
            t.draft_forward,
            t.sequential_head,
            t.target_forward,
            t.total,
        )


@dataclass
class Run:
    """One conversation decoded: its rounds, the measured seconds of its turns (prompts' passes included), its answers."""

    rounds: list[RoundCount] = field(default_factory=list)
    seconds: float = 0.0
    answers: list[str] = field(default_factory=list)
    skipped: int = 0

    def decode(self, session: Session, turn: int) -> None:
        """Decode to the end on the fast path, counting rounds."""
        while not session.finished:
            self.rounds.append(RoundCount.of(session.advance(), turn))
        self.answers.append(session.text)


Keep = Callable[[RoundCount], bool]


@dataclass(frozen=True)
class Estimate:
    """A value with its confidence interval (LEVEL) over the choice of prompts; None where nothing was observed, and no
    interval from a single prompt."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, draws: Array) -> Estimate:
        """From a value and its bootstrap replicates [1 + n]; NaN is what a resample did not observe."""
        value, seen = float(draws[0]), draws[1:][np.isfinite(draws[1:])]
        if not np.isfinite(value):
            return cls(None)
        if not len(seen):
            return cls(value)
        low, high = np.quantile(seen, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return cls(value, float(low), float(high))

    def show(self, digits: int = 2) -> str:
        """The value and half its interval's width."""
        if self.value is None:
            return "-"
        text = f"{self.value:.{digits}f}"
        return text if self.low is None or self.high is None else f"{text} ±{(self.high - self.low) / 2:.{digits}f}"


@dataclass(frozen=True)
class Figures:
    """What a set of rounds says of a drafter.

    Attributes:
        prompts, rounds, tokens: how many of each. skipped: turns left out because they leave no room in the context.
        tau: tokens emitted per round, the final token counted (paper, Table 1).
        verify_rate: tokens emitted / tokens verified, 1 + drafted a round (paper, Fig. 5: at gamma 7, tau / 8).
        speed: tokens per second, measured, prompts' passes included; None for a part of the rounds.
        conditional: acceptance at k / rounds in which all before k were accepted (paper, Fig. 2). A round that accepted
            an end of sequence says nothing about the positions behind it.
        cumulative: rounds that accepted k / rounds that drafted k (DeepSpec's ``accept_rates_by_position``).
    """

    prompts: int
    rounds: int
    tokens: int
    skipped: int
    tau: Estimate
    verify_rate: Estimate
    speed: Estimate
    conditional: tuple[Estimate, ...]
    cumulative: tuple[Estimate, ...]


def count(runs: Sequence[Run], gamma: int, keep: Keep | None = None) -> Array:
    """Sums over the rounds of each conversation [runs, 4 + 3 * gamma]: rounds, emitted, verified, seconds; then by
    position: reached, accepted, drafted. ``keep`` chooses rounds, of which no seconds are known."""
    rows = np.zeros((len(runs), 4 + 3 * gamma))
    for row, run in zip(rows, runs, strict=True):
        reached, accepted, drafted = row[4:].reshape(3, gamma)
        row[3] = 0.0 if keep else run.seconds
        for r in filter(keep, run.rounds):
            row[:3] += 1, r.emitted, 1 + r.drafted
            ended = r.emitted == r.accepted
            reached[: min(r.accepted + (not ended), r.drafted)] += 1
            accepted[: r.accepted] += 1
            drafted[: r.drafted] += 1
    return rows


def resample(rows: Array, seed: int) -> Array:
    """Ratios of the sums of ``rows`` (see ``count``) [1 + RESAMPLES, 3 + 2 * gamma]: tau, verify rate, speed, conditional
    and cumulative acceptance. First those of all conversations, then of as many drawn with replacement: the same ones for
    every drafter, so that differences are paired. Where only one conversation has rounds there are no resamples."""
    n, gamma = len(rows), (rows.shape[1] - 4) // 3
    resamples = RESAMPLES if (rows[:, 0] > 0).sum() > 1 else 0
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), resamples)
    sums = np.concatenate([np.ones((1, n)), draws]) @ rows
    rounds, emitted, verified, seconds = sums[:, :4].T
    reached, accepted, drafted = (sums[:, 4 + i * gamma : 4 + (i + 1) * gamma] for i in range(3))
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.stack([emitted / rounds, emitted / verified, emitted / seconds], axis=1)
        ratios = np.concatenate([whole, accepted / reached, accepted / drafted], axis=1)
    ratios[~np.isfinite(ratios)] = np.nan
    return ratios


def figures(runs: Sequence[Run], gamma: int, seed: int, keep: Keep | None = None) -> Figures:
    """Of the conversations of one suite, or of those of their rounds that ``keep`` chooses."""
    rows = count(runs, gamma, keep)
    return summary(rows, resample(rows, seed), sum(run.skipped for run in runs))


def summary(rows: Array, ratios: Array, skipped: int = 0) -> Figures:
    """Figures from counts and their resampled ratios; the mean of some suites' ratios gives a domain's."""
    gamma = (ratios.shape[1] - 3) // 2
    tau, verify_rate, speed, *by_position = map(Estimate.of, ratios.T)
    return Figures(
        prompts=int((rows[:, 0] > 0).sum()),
        rounds=int(rows[:, 0].sum()),
        tokens=int(rows[:, 1].sum()),
        skipped=skipped,
        tau=tau,
        verify_rate=verify_rate,
        speed=speed,
        conditional=tuple(by_position[:gamma]),
        cumulative=tuple(by_position[gamma:]),
    )
