"""Drafters under policies by name, for a simulated server, and what a person must be told of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dspark_lab.errors import LabError
from dspark_lab.scheduling.arrivals import Arrivals, Bursts, Constant, Poisson
from dspark_lab.scheduling.bootstrap import POCKET, Bootstrap, Drafting
from dspark_lab.scheduling.calibration import ROUNDS_FILE
from dspark_lab.scheduling.policies import Fixed, policy_named
from dspark_lab.scheduling.rates import note_for
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.scheduling.sweep import Contender

MTP_1 = "mtp-1"
"""The paper's server before DSpark: one token drafted, always verified."""


def contender_named(
    drafter: str | Path, policy: str, *, gamma: int | None = None, raw: bool = False, draft_ms: float = 0.0,
    draft_share: float = 0.0,
) -> Contender:  # fmt: skip
    """A contender called by its drafter and policy.

    Args:
        drafter: one of the pocket drafters, a folder or file of recorded rounds, or "mtp-1", which has no policy.
        policy: as ``policy_named`` takes it. gamma: cut every draft to so many tokens.
        raw: leave the calibration out. draft_ms, draft_share: what drafting costs.

    Raises:
        LabError: there are no such rounds, no such policy, or fewer than gamma tokens were drafted.
    """
    if drafter == MTP_1:
        return Contender(MTP_1, Drafting.mtp_1(draft_ms=draft_ms, draft_share=draft_share), Fixed())
    chosen = policy_named(policy)
    drafting = Drafting.named(drafter, raw=raw, draft_ms=draft_ms, draft_share=draft_share)
    if gamma is not None:
        drafting = drafting.cut(gamma)
    return Contender(f"{drafting.name} {chosen.name}", drafting, chosen)


def recorded_drafters() -> list[str]:
    """Names of the pocket drafters of which rounds are recorded, MTP among them where it is one."""
    return sorted(file.parent.name for file in POCKET.glob(f"*/{ROUNDS_FILE}"))


def loads_of(kind: str, counts: Sequence[int], rate: StepRate, drafting: Drafting) -> dict[float, Arrivals]:
    """Comparable loads, by their size: so many requests at every moment ("constant"), or coming a second.

    Those that come by themselves, independently ("poisson") or in bursts of that number ("bursts"), are as many a second as
    would keep each of ``counts`` requests busy if nothing was drafted and answers were as long as those recorded.

    Raises:
        LabError: there is no such kind.
    """
    if kind == "constant":
        return {float(r): Constant(r) for r in counts}
    rounds, rate = Bootstrap(drafting), rate.extended(max(counts))
    tokens = sum(share * answers.mean() for share, answers in zip(rounds.share, rounds.tokens, strict=True))
    coming = {r: float(f"{r * rate(r) / tokens:.3g}") for r in counts}
    if kind == "poisson":
        return {each: Poisson(each) for each in coming.values()}
    if kind == "bursts":
        return {each: Bursts(r, r / each) for r, each in coming.items()}
    raise LabError(f"there are no arrivals {kind!r}: choose constant, poisson or bursts.")


def caveats(rate: StepRate, contenders: Sequence[Contender]) -> list[str]:
    """Where numbers do not belong together: a step rate of another target than the rounds', stand-ins."""
    notes = [note_for(rate, c.drafting.rounds.origin.target) for c in contenders]
    notes += [f"{c.name}: {c.drafting.name}." for c in contenders if "stand-in" in c.drafting.name]
    return list(dict.fromkeys(note for note in notes if note))
