"""Recorded rounds as a simulation draws them: by domain, with what the scheduler is told and what then happens."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import MOST_TOKENS
from dspark_lab.scheduling.calibration import FILE, ROUNDS_FILE, Calibration
from dspark_lab.scheduling.confidence import survival
from dspark_lab.scheduling.recorded import RecordedRounds

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POCKET = Path(__file__).parents[1] / "pocket"
OUTCOMES = 64
"""Ways in which a redrawn round may end, all equally likely."""
BITS = OUTCOMES.bit_length() - 1


@dataclass(frozen=True)
class Drafting:
    """A drafter as a simulation sees it.

    Attributes:
        name: what tables call it. rounds: recorded of it.
        calibration: what the scheduler sees the confidences through; None shows it the raw ones.
        draft_ms: what a step's drafting takes, whatever the load. draft_share: and as a share of the target's time.

    Raises:
        LabError: a cost is negative or not finite.
    """

    name: str
    rounds: RecordedRounds
    calibration: Calibration | None = None
    draft_ms: float = 0.0
    draft_share: float = 0.0

    def __post_init__(self) -> None:
        for cost, value in (("draft_ms", self.draft_ms), ("draft_share", self.draft_share)):
            if not (math.isfinite(value) and value >= 0):
                raise LabError(f"{cost} of {self.name} is {value}, but must be a finite number, 0 or more.")

    @classmethod
    def named(cls, name: str | Path, *, raw: bool = False, draft_ms: float = 0.0, draft_share: float = 0.0) -> Drafting:
        """Recorded rounds, and the calibration that lies beside them.

        Args:
            name: one of the pocket drafters, a folder, or the file of the rounds. raw: leave the calibration out.

        Raises:
            LabError: no rounds are there, or the calibration is for other weights than they.
        """
        at = Path(name)
        places = [at, POCKET / at] if at.name == str(name) else [at]
        files = [place / ROUNDS_FILE if place.is_dir() else place for place in places]
        file = next((file for file in files if file.is_file()), None)
        if file is None:
            raise LabError(
                f"there are no recorded rounds of {str(name)!r}: record them with dspark-lab calibrate --drafter {name}, or "
                f"name the folder or file that holds them."
            )
        rounds, beside = RecordedRounds.load(file), file.with_name(FILE)
        calibration = None
        if not raw and rounds.confidence is not None and beside.is_file():
            calibration = Calibration.load(beside)
            if calibration.drafter.revision != rounds.origin.drafter.revision:
                raise LabError(
                    f"{beside} is for other weights than {file}: make it again, or take the raw confidences."
                )
        return cls(at.name.removesuffix(".safetensors"), rounds, calibration, draft_ms, draft_share)

    @classmethod
    def mtp_1(cls, *, draft_ms: float = 0.0, draft_share: float = 0.0) -> Drafting:
        """MTP drafting one token, from rounds recorded of the pocket MTP; where there are none, the first token of the
        pocket DSpark stands in, and the name says so. It has no confidences: verify it whole."""
        there = (POCKET / "mtp" / ROUNDS_FILE).is_file()
        one = cls.named("mtp" if there else "dspark", raw=True, draft_ms=draft_ms, draft_share=draft_share)
        name = "MTP, one token" if there else "DSpark's first token as a stand-in, no rounds of MTP are recorded"
        one = one.cut(1, name)
        return replace(one, rounds=replace(one.rounds, confidence=None))

    @property
    def gamma(self) -> int:
        return self.rounds.gamma

    def cut(self, gamma: int, name: str | None = None) -> Drafting:
        """As if it drafted ``gamma`` tokens only. The rounds still begin where those of the whole draft did.

        Raises:
            LabError: it drafts fewer.
        """
        return replace(self, name=name or f"{self.name}-{gamma}", rounds=cut(self.rounds, gamma))


def cut(rounds: RecordedRounds, gamma: int) -> RecordedRounds:
    """The first ``gamma`` positions of each round. Raises LabError where there are fewer."""
    if not 1 <= gamma <= rounds.gamma:
        raise LabError(
            f"gamma is {gamma}, but rounds of {rounds.origin.drafter.name} were recorded with {rounds.gamma} draft tokens: "
            f"choose 1 to {rounds.gamma}."
        )
    return replace(
        rounds,
        acceptance=rounds.acceptance[:, :gamma],
        accepted=np.minimum(rounds.accepted, gamma),
        drafted=np.minimum(rounds.drafted, gamma),
        ends=rounds.ends & (rounds.drafted <= gamma),
        confidence=None if rounds.confidence is None else rounds.confidence[:, :gamma],
    )


class Bootstrap:
    """Tables to draw from.

    The last round of each recorded conversation is left out, for it is the answer's end that cuts it short: a simulated
    answer ends when its own tokens are out.

    Attributes:
        size: N, rounds that may be drawn, sorted by domain. bits: each may end in M = 2^bits ways. Behind them the tables
            have round N, in which nothing is drafted: it stands at a place where no request is.
        survival: a [gamma, N + 1] as the scheduler is told; 0 where nothing was drafted; None without confidences.
        drafted: [N + 1]. accepted: [(N + 1) * M], of round i at i * M + m, in as few bytes as it takes. ends: [N + 1], an
            accepted whole draft is the answer's end; None where that is so of no round.
        domains: names of those in the mix; share: their part of the requests. first, count: [D], their rounds times M.
        tokens: of a domain's answers, as recorded, by the domain's number. rounds_each: that such an answer takes, about, [D].

    Args:
        mix: weights of the domains; evenly what was recorded without.
        answer_tokens: of every answer, in place of the recorded ones'.
        redraw: whether an outcome is drawn anew from each token's chance of acceptance, rather than as it came.

    Raises:
        LabError: a domain of the mix was not recorded, or a weight is negative, or all are 0.
    """

    def __init__(
        self, drafting: Drafting, mix: Mapping[str, float] | None = None, answer_tokens: int | None = None,
        redraw: bool = True,
    ) -> None:  # fmt: skip
        if answer_tokens is not None and not 1 <= answer_tokens <= MOST_TOKENS:
            raise LabError(f"answer_tokens is {answer_tokens}, but an answer has 1 to {MOST_TOKENS:,} tokens.")
        every = drafting.rounds
        names = every.origin.domains
        there = [name for number, name in enumerate(names) if (every.domain == number).any()]
        self.domains, self.share = _shares(mix, there, drafting.name)
        of_domain = [_without_last(every, every.domain == names.index(name)) for name in self.domains]
        self.bits = BITS if redraw else 0
        self.count = np.array(list(map(len, of_domain))) << self.bits
        self.first = self.count.cumsum() - self.count
        rounds = every.select(np.concatenate(of_domain))
        self.size, self.gamma = len(rounds), rounds.gamma
        there_at = np.arange(self.gamma)[:, None] < rounds.drafted
        self.survival = None
        if rounds.confidence is not None:
            c = rounds.confidence
            if drafting.calibration is not None:
                c = drafting.calibration.apply(c, rounds.origin.temperature)
            self.survival = np.pad(np.where(there_at, survival(c).T, 0.0), ((0, 0), (0, 1)))
        self.drafted = np.append(rounds.drafted, 0)
        self.ends = np.append(rounds.ends, False) if rounds.ends.any() else None
        accepted = _outcomes(rounds) if redraw else rounds.accepted
        self.accepted = np.pad(accepted, (0, 1 << self.bits)).astype(np.min_scalar_type(-1 - self.gamma))
        self.tokens = [
            np.array([answer_tokens]) if answer_tokens else _answers(every, every.domain == names.index(name))
            for name in self.domains
        ]
        self._answers = np.concatenate(self.tokens)
        self._answer_count = np.array(list(map(len, self.tokens)))
        self._answer_first = self._answer_count.cumsum() - self._answer_count
        self._up_to = self.share.cumsum()[:-1]
        yields = [1 + self.accepted[f : f + n].mean() for f, n in zip(self.first, self.count, strict=True)]
        self.rounds_each = np.array([tokens.mean() for tokens in self.tokens]) / yields

    @cached_property
    def ranked(self) -> tuple[Floats, NDArray[np.int32]]:
        """Which survivals there are, falling from place 1 on (0 holds none, with a survival of 0), and at which of these places
        each round's are, [gamma, N + 1]."""
        assert self.survival is not None
        falling, ranks = np.unique(-self.survival, return_inverse=True)
        return np.append(0.0, -falling), 1 + ranks.reshape(self.survival.shape).astype(np.int32)

    def requests(self, u: Floats) -> tuple[Ints, Ints]:
        """Domain numbers and answers' tokens of new requests, by two uniforms each, [2, requests]."""
        domains = np.searchsorted(self._up_to, u[0], side="right")
        return domains, self.lengths(domains, u[1])

    def lengths(self, domains: Ints, u: Floats) -> Ints:
        """Tokens of answers in these domains, by a uniform each."""
        return self._answers[self._answer_first[domains] + (u * self._answer_count[domains]).astype(np.int64)]

    def under_way(self, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Domain numbers and tokens left of ``count`` requests as they are met at a random moment: the longer an answer takes,
        the likelier it is met."""
        weights = self.share * self.rounds_each
        domains = rng.choice(len(self.domains), count, p=weights / weights.sum())
        left = np.empty(count, dtype=np.int64)
        for number, tokens in enumerate(self.tokens):
            of = np.flatnonzero(domains == number)
            whole = rng.choice(tokens, len(of), p=tokens / tokens.sum())
            left[of] = np.ceil(rng.random(len(of)) * whole).clip(1)
        return domains, left


def _shares(mix: Mapping[str, float] | None, there: list[str], drafter: str) -> tuple[list[str], Floats]:
    weights = dict.fromkeys(there, 1.0) if mix is None else dict(mix)
    for name, weight in weights.items():
        if name not in there:
            raise LabError(f"no rounds of {drafter} were recorded in {name!r}: choose from {', '.join(there)}.")
        if not (math.isfinite(weight) and weight >= 0):
            raise LabError(f"the weight of {name} in the mix is {weight}, but must be a finite number, 0 or more.")
    weights = {name: weight for name, weight in weights.items() if weight}
    if not weights:
        raise LabError("every weight of the mix of domains is 0: give one of them more.")
    share = np.array(list(weights.values()))
    share /= share.max()  # the sum of very large ones is no number
    return list(weights), share / share.sum()


def _without_last(rounds: RecordedRounds, of: NDArray[np.bool_]) -> Ints:
    """Numbers of the rounds ``of`` a domain that are not their conversation's last; all where none is left."""
    last = np.append(rounds.conversation[1:] != rounds.conversation[:-1], True)
    kept = np.flatnonzero(of & ~last)
    return kept if len(kept) else np.flatnonzero(of)


def _answers(rounds: RecordedRounds, of: NDArray[np.bool_]) -> Ints:
    """Tokens of each recorded answer of a domain."""
    _, number = np.unique(rounds.conversation[of], return_inverse=True)
    tokens: Ints = np.bincount(number, rounds.emitted()[of]).astype(np.int64)
    return tokens[tokens > 0]


def _outcomes(rounds: RecordedRounds) -> Ints:
    """How many are accepted [N * M]: the inverse of P(accepted >= k) = prod_{i<=k} acceptance_i at M evenly spaced chances."""
    reach = np.cumprod(rounds.acceptance, axis=1)
    reach[np.arange(rounds.gamma) >= rounds.drafted[:, None]] = 0.0
    chances = (np.arange(OUTCOMES) + 0.5) / OUTCOMES
    result = np.zeros((len(rounds), OUTCOMES), dtype=np.int64)
    for k in range(rounds.gamma):
        result += chances < reach[:, k : k + 1]
    return result.ravel()
