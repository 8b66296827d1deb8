"""The serving simulator held against the engine: tokens a second predicted and measured at R = 1, 4, 16 on the pocket pair.

The prediction knows the recorded validation rounds and their calibration, a step rate measured with R requests, and what a
step spends outside the target; the engine decodes test prompts. Both are measured in turns within one run, so that a slow
spell of the machine falls on both; the policy goes by the first of those step rates in the engine and in the simulation.
Prompts' forward passes are left out on both sides: only steps count in which all R places were decoded, so that none read a
prompt beside. Times are medians, which a few interrupted steps do not move.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from tqdm import tqdm

from dspark_lab.engine import Engine, StepReport
from dspark_lab.evaluation.tables import plain_table
from dspark_lab.loading import Lab, load
from dspark_lab.profiling import profile
from dspark_lab.records import write_atomically
from dspark_lab.scheduling.arrivals import Constant
from dspark_lab.scheduling.bootstrap import Drafting
from dspark_lab.scheduling.policies import Fixed, Lagged, Policy
from dspark_lab.scheduling.simulator import Result, Scenario, simulate
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.settings import Settings
from dspark_lab.training.corpus import DOMAINS, examples

PLACES = (1, 4, 16)
POLICIES: tuple[Policy, ...] = (Fixed(), Lagged())
TURNS = 6
"""So many answers in turn at each place, or more: only between the first answers' beginnings and the last ones' ends are all
places taken by answers of every age."""
CONTEXT = 72
"""Tokens that a request of the pocket corpus holds halfway through its answer, about."""


@dataclass
class Steps:
    """What the engine did in steps with all places decoded: each one's seconds without prompts, those outside the target, and
    tokens verified and yielded."""

    seconds: list[float] = field(default_factory=list)
    outside: list[float] = field(default_factory=list)
    verified: int = 0
    emitted: int = 0

    def add(self, report: StepReport) -> None:
        seconds = sum(report.seconds.values()) - report.seconds["prefill"]
        self.seconds.append(seconds)
        self.outside.append(seconds - report.seconds["target"])
        self.verified += report.tokens
        self.emitted += report.emitted

    @property
    def throughput(self) -> float:
        """Tokens a second: those of a step over its median time."""
        return self.emitted / len(self.seconds) / statistics.median(self.seconds)


def run(quick: bool = False, json_file: Path | None = None, lab: Lab | None = None) -> dict[str, Any]:
    """Measure, predict and print. ``quick`` takes few prompts and one repeat: a look, not a result."""
    lab = lab or load()
    assert lab.drafter is not None
    drafting = Drafting.named("dspark")
    least, repeats = (12, 1) if quick else (24, 3)
    answers = {r: max(least, (1 if quick else TURNS) * r) for r in PLACES}
    each = -(-max(answers.values()) // len(DOMAINS))
    prompts = [e.prompt for row in zip(*(examples(d, "test", each) for d in DOMAINS), strict=True) for e in row]
    most = max(PLACES) * (1 + drafting.gamma)
    rates: dict[int, list[StepRate]] = {r: [] for r in PLACES}
    steps = {(r, policy.name): Steps() for r in PLACES for policy in POLICIES}
    for repeat in range(repeats):
        for r in PLACES[repeat % len(PLACES) :] + PLACES[: repeat % len(PLACES)]:
            tokens = r * (1 + drafting.gamma)
            rates[r].append(
                profile(lab.target, tokens, context=CONTEXT, requests=r, repeats=3 if quick else 5, seed=repeat)
            )
            for policy in POLICIES if repeat % 2 else reversed(POLICIES):
                _decode(
                    lab, prompts[: answers[r]], r, policy, rates[r][0].extended(most), steps[r, policy.name], repeat
                )
    rows = []
    for r in PLACES:
        clock = _median(rates[r])
        for policy in POLICIES:
            measured = steps[r, policy.name]
            if not measured.seconds:
                continue
            cost = replace(drafting, draft_ms=1e3 * statistics.median(measured.outside))
            predicted = simulate(Scenario(cost, rates[r][0], Constant(r), policy, steps=8000, clock=clock))
            rows.append(_row(r, policy, measured, predicted, cost.draft_ms))
    result = {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": lab.device,
        "torch": torch.__version__,
        "prompts": {str(r): n for r, n in answers.items()},
        "repeats": repeats,
        "rows": rows,
    }
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


def _decode(
    lab: Lab, prompts: list[str], places: int, policy: Policy, rate: StepRate, steps: Steps, repeat: int
) -> None:
    engine = Engine(lab.target, lab.drafter, policy=policy, step_rate=rate, max_requests=places)
    for i, prompt in enumerate(prompts):
        engine.submit(prompt, Settings(seed=repeat * len(prompts) + i))

    def note(report: StepReport) -> None:
        if report.requests == places:
            steps.add(report)
        bar.update(len(report.finished))

    with tqdm(total=len(prompts), desc=f"R={places}, {policy.name}", unit="answer", mininterval=0.5) as bar:
        engine.run(note)


def _median(rates: list[StepRate]) -> StepRate:
    """The median at each B of profiles over the same numbers of tokens."""
    each = zip(*(rate.rates for rate in rates), strict=True)
    return replace(rates[0], rates=tuple(map(statistics.median, each)))


def _row(r: int, policy: Policy, measured: Steps, predicted: Result, draft_ms: float) -> dict[str, Any]:
    return {
        "requests": r,
        "policy": policy.name,
        "tokens_per_second": {"predicted": predicted.throughput, "measured": measured.throughput},
        "ratio": predicted.throughput / measured.throughput,
        "budget": {"predicted": predicted.budget, "measured": measured.verified / r / len(measured.seconds)},
        "tau": {"predicted": predicted.tau, "measured": measured.emitted / r / len(measured.seconds)},
        "step_ms": {
            "predicted": 1e3 * predicted.seconds / predicted.steps,
            "measured": 1e3 * statistics.median(measured.seconds),
        },
        "outside_target_ms": draft_ms,
        "steps": len(measured.seconds),
    }


def _show(result: dict[str, Any]) -> None:
    table = plain_table(
        f"serving: predicted (modelled) / measured on {result['device']}",
        "R", "policy", "tok/s", "ratio", "budget", "tau", "step, ms",
    )  # fmt: skip
    for row in result["rows"]:
        pairs = [
            f"{row[name]['predicted']:{form}} / {row[name]['measured']:{form}}"
            for name, form in (("tokens_per_second", ".0f"), ("budget", ".2f"), ("tau", ".2f"), ("step_ms", ".1f"))
        ]
        table.add_row(str(row["requests"]), row["policy"], pairs[0], f"{row['ratio']:.2f}", *pairs[1:])
    Console(highlight=False).print(table)
