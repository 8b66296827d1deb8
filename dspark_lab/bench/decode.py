"""Decoding speed of the pocket pair: transformers' ``generate``, our autoregressive loop, DSpark, in one run."""

from __future__ import annotations

import json
import platform
import statistics
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
import transformers
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from dspark_lab.loading import Lab, load
from dspark_lab.records import write_atomically
from dspark_lab.settings import Settings
from dspark_lab.training.corpus import DOMAINS, examples

GREEDY, SAMPLED, PLAIN, DSPARK, TRACED = (
    "generate T=0",
    "generate T=1",
    "ours, plain T=1",
    "DSpark T=1",
    "DSpark T=1, traced",
)
CONTENDERS = (GREEDY, SAMPLED, PLAIN, DSPARK, TRACED)


@dataclass
class Tally:
    """Tokens and seconds of one contender in one domain, per repeat, and the rounds' measured parts in milliseconds."""

    tokens: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    rounds: int = 0
    parts: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def speed(self) -> float:
        """Median over repeats of tokens per second."""
        return statistics.median(self.tokens[r] / self.seconds[r] for r in self.tokens)


def run(quick: bool = False, json_file: Path | None = None, lab: Lab | None = None) -> dict[str, Any]:
    """Measure and print. ``quick`` takes few prompts and repeats: a look, not a result.

    Every prompt is decoded by every contender before the next prompt, in an order that rotates, so that a slow spell of
    the machine falls on all alike. Speeds include the prompt's forward pass.
    """
    lab = lab or load()
    prompts, repeats = (3, 1) if quick else (8, 5)
    tallies = {(domain, name): Tally() for domain in DOMAINS for name in CONTENDERS}
    for name in CONTENDERS:
        _decode(lab, name, "How are you?", 0, Tally(), 0)
    with tqdm(total=len(DOMAINS) * prompts * repeats * len(CONTENDERS), desc="bench decode", unit="run") as bar:
        for repeat in range(repeats):
            for domain in DOMAINS:
                for i, example in enumerate(examples(domain, "test", prompts)):
                    turn = (repeat + i) % len(CONTENDERS)
                    for name in CONTENDERS[turn:] + CONTENDERS[:turn]:
                        _decode(lab, name, example.prompt, repeat * prompts + i, tallies[domain, name], repeat)
                        bar.update()
    result = _summary(lab, tallies, prompts, repeats)
    _show(result)
    if json_file:
        write_atomically(json_file, json.dumps(result, indent=1) + "\n")
    return result


def _decode(lab: Lab, name: str, prompt: str, seed: int, tally: Tally, repeat: int) -> None:
    began = perf_counter()
    if name in (GREEDY, SAMPLED):
        count = _generate(lab, prompt, seed, sample=name == SAMPLED)
    else:
        session = lab.session(prompt, Settings(seed=seed), drafter=name != PLAIN)
        while not session.finished:
            if name == TRACED:
                session.step()
            else:
                for part, ms in asdict(session.advance().timings).items():
                    tally.parts[part] += ms
            tally.rounds += 1
        count = len(session.tokens)
    tally.seconds[repeat] += perf_counter() - began
    tally.tokens[repeat] += count


def _generate(lab: Lab, prompt: str, seed: int, *, sample: bool) -> int:
    from dspark_lab.prompts import encode_prompt

    torch.manual_seed(seed)
    ids = torch.tensor(
        [encode_prompt(lab.target.tokenizer, prompt, lab.target.context_limit)], device=lab.target.device
    )
    choice: dict[str, Any] = (
        {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0} if sample else {"do_sample": False}
    )
    with torch.inference_mode():
        out = lab.target.model.generate(ids, max_new_tokens=Settings().max_new_tokens, **choice)
    return int(out.shape[1] - ids.shape[1])


def _summary(lab: Lab, tallies: dict[tuple[str, str], Tally], prompts: int, repeats: int) -> dict[str, Any]:
    speeds = {d: {name: tallies[d, name].speed() for name in CONTENDERS} for d in DOMAINS}

    def macro(of: Callable[[str], float]) -> float:
        return sum(map(of, DOMAINS)) / len(DOMAINS)

    parts: dict[str, float] = defaultdict(float)
    for domain in DOMAINS:
        for part, ms in tallies[domain, DSPARK].parts.items():
            parts[part] += ms
    rounds = sum(tallies[d, DSPARK].rounds for d in DOMAINS)
    taus = {d: sum(tallies[d, DSPARK].tokens.values()) / tallies[d, DSPARK].rounds for d in DOMAINS}
    return {
        "measured": True,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": lab.device,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "prompts_per_domain": prompts,
        "repeats": repeats,
        "tokens_per_second": speeds,
        "tau": taus,
        "macro_ratio": {
            "DSpark / generate T=1": macro(lambda d: speeds[d][DSPARK] / speeds[d][SAMPLED]),
            "DSpark / ours, plain": macro(lambda d: speeds[d][DSPARK] / speeds[d][PLAIN]),
            "ours, plain / generate T=1": macro(lambda d: speeds[d][PLAIN] / speeds[d][SAMPLED]),
            "time per token traced / untraced": macro(lambda d: speeds[d][DSPARK] / speeds[d][TRACED]),
        },
        "round_ms": {part: ms / rounds for part, ms in parts.items()},
        "round_share": {part: ms / sum(parts.values()) for part, ms in parts.items()},
    }


def _show(result: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"tokens per second, measured on {result['device']}")
    table.add_column("domain")
    for name in CONTENDERS:
        table.add_column(name, justify="right")
    table.add_column("tau", justify="right")
    for domain, speeds in result["tokens_per_second"].items():
        table.add_row(domain, *(f"{speeds[n]:.0f}" for n in CONTENDERS), f"{result['tau'][domain]:.2f}")
    console.print(table)
    for name, ratio in result["macro_ratio"].items():
        console.print(f"{name}: [bold]{ratio:.2f}[/bold] (macro over domains)")
    shares = ", ".join(
        f"{part.replace('_', ' ')} {result['round_ms'][part]:.2f} ms ({share:.0%})"
        for part, share in result["round_share"].items()
    )
    console.print(f"a DSpark round: {shares}")
