"""Many requests decoded together beside one after another: the engine at R = 1, 2, 4, 8, 16, and a session, on the pocket pair.

Every contender decodes the same prompts with the same seeds, prompts' forward passes included. With R places a request that
ends makes room for the next, so that all R are taken until the prompts run out: ``tokens_per_second`` counts everything,
``full`` only the steps in which all places were taken.
"""

from __future__ import annotations

import json
import platform
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import transformers
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from dspark_lab.engine import Engine, Request, StepReport
from dspark_lab.engine.request import MODEL_PARTS, PARTS
from dspark_lab.loading import Lab, load
from dspark_lab.records import write_atomically
from dspark_lab.settings import Settings
from dspark_lab.training.corpus import DOMAINS, examples

SESSION = "session"
PLACES = (1, 2, 4, 8, 16)
"""R, the requests that share a step."""


@dataclass
class Tally:
    """What one contender did, a number a repeat, and its steps' parts in seconds, summed."""

    speeds: list[float] = field(default_factory=list)
    full: list[float] = field(default_factory=list)
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    steps: int = 0
    tokens: int = 0
    same: int = 0


def run(quick: bool = False, json_file: Path | None = None, lab: Lab | None = None) -> dict[str, Any]:
    """Measure and print. ``quick`` takes few prompts and one repeat: a look, not a result.

    In every repeat each contender decodes all prompts, in an order that rotates, so that a slow spell of the machine falls on
    all alike.
    """
    lab = lab or load()
    count, repeats = (32, 1) if quick else (64, 3)
    prompts = _prompts(count)
    count = len(prompts)
    contenders: list[str | int] = [SESSION, *PLACES]
    tallies = {name: Tally() for name in contenders}
    for name in contenders:
        _decode(lab, name, prompts[:2], Tally())
    alone: list[list[int]] | None = None
    with tqdm(total=repeats * len(contenders), desc="bench engine", unit="run") as bar:
        for repeat in range(repeats):
            turn = repeat % len(contenders)
            for name in contenders if not repeat else contenders[turn:] + contenders[:turn]:
                found = _decode(lab, name, prompts, tallies[name])
                alone = alone or found
                tallies[name].same = sum(a == b for a, b in zip(alone, found, strict=True))
                bar.update()
    result = _summary(lab, tallies, count, repeats)
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


def _prompts(count: int) -> list[str]:
    """Test prompts, domain after domain in turn."""
    each = [[example.prompt for example in examples(domain, "test", -(-count // len(DOMAINS)))] for domain in DOMAINS]
    return [prompt for row in zip(*each, strict=True) for prompt in row][:count]


def _decode(lab: Lab, name: str | int, prompts: list[str], tally: Tally) -> list[list[int]]:
    """Decode all prompts; the tokens of each."""
    began, full = perf_counter(), [0, 0.0]
    texts: list[list[int]] = []
    if isinstance(name, int):
        engine = Engine(lab.target, lab.drafter, max_requests=name)
        requests: list[Request] = [engine.submit(prompt, Settings(seed=i)) for i, prompt in enumerate(prompts)]

        def note(report: StepReport) -> None:
            for part, seconds in report.seconds.items():
                tally.parts[part] += seconds
            tally.steps += 1
            tally.tokens += report.tokens
            if report.places == name:
                full[0] += report.emitted
                full[1] += sum(report.seconds.values())

        engine.run(note)
        texts = [request.tokens for request in requests]
    else:
        for i, prompt in enumerate(prompts):
            texts.append(lab.session(prompt, Settings(seed=i)).run(trace=False).tokens)
    tally.speeds.append(sum(map(len, texts)) / (perf_counter() - began))
    if full[1]:
        tally.full.append(full[0] / full[1])
    return texts


def _summary(lab: Lab, tallies: dict[str | int, Tally], prompts: int, repeats: int) -> dict[str, Any]:
    speeds = {str(name): statistics.median(tally.speeds) for name, tally in tallies.items()}

    def ratio(one: str | int, other: str | int) -> float:
        """Median over repeats, whose order rotates."""
        pairs = zip(tallies[one].speeds, tallies[other].speeds, strict=True)
        return statistics.median(a / b for a, b in pairs)

    engines = {str(places): tallies[places] for places in PLACES}
    return {
        "measured": True,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": lab.device,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "prompts": prompts,
        "repeats": repeats,
        "tokens_per_second": speeds,
        "full": {name: statistics.median(tally.full) for name, tally in engines.items() if tally.full},
        "ratio": {f"R={places} / R=1": ratio(places, 1) for places in PLACES[1:]}
        | {f"R={places} / {SESSION}": ratio(places, SESSION) for places in PLACES},
        "same_text_as_session": {name: tally.same / prompts for name, tally in engines.items()},
        "tokens_per_step": {name: tally.tokens / tally.steps for name, tally in engines.items()},
        "step_ms": {
            name: {part: 1e3 * tally.parts[part] / tally.steps for part in PARTS} for name, tally in engines.items()
        },
        "outside_models": {
            name: 1 - sum(tally.parts[part] for part in MODEL_PARTS) / sum(tally.parts.values())
            for name, tally in engines.items()
        },
    }


def _show(result: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"requests decoded together, measured on {result['device']}")
    for column in ("", "tokens/s", "all places taken", "against R=1", "against a session", "step", "outside models"):
        table.add_column(column, justify="right" if column else "left")
    ratios = result["ratio"]
    table.add_row("a session", f"{result['tokens_per_second'][SESSION]:.0f}")
    for places in map(str, PLACES):
        table.add_row(
            f"R={places}",
            f"{result['tokens_per_second'][places]:.0f}",
            f"{result['full'][places]:.0f}" if places in result["full"] else "",
            f"{ratios.get(f'R={places} / R=1', 1):.2f}",
            f"{ratios[f'R={places} / {SESSION}']:.2f}",
            f"{sum(result['step_ms'][places].values()):.1f} ms",
            f"{result['outside_models'][places]:.0%}",
        )
    console.print(table)
    most = str(PLACES[-1])
    parts = ", ".join(f"{part} {ms:.2f}" for part, ms in result["step_ms"][most].items() if part != "schedule")
    console.print(f"a step at R={most}, in ms: {parts}; {result['tokens_per_step'][most]:.0f} tokens verified")
    console.print(f"texts equal to the session's at R={most}: {result['same_text_as_session'][most]:.0%}")
