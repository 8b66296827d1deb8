"""Held-out figures of the pocket pair, and the model card that states them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from dspark_lab.checkpoints import POCKET
from dspark_lab.loading import Lab, load
from dspark_lab.records import write_atomically
from dspark_lab.settings import Settings
from dspark_lab.training.corpus import DOMAINS, Example, examples, final_number


@dataclass(frozen=True)
class DomainFigures:
    """Figures of one domain at temperature 1 over the test split.

    Attributes:
        tau: tokens emitted per round, the final token counted.
        acceptance: conditional acceptance by position (paper, Fig. 2): accepted at k / rounds in which all before k were;
            None for a position that was never reached.
        sample: one prompt with its answer.
    """

    prompts: int
    rounds: int
    tokens: int
    tau: float
    acceptance: list[float | None]
    sample: tuple[str, str]


def evaluate(
    folder: Path = POCKET, prompts: int = 200, json_file: Path | None = None, *, card: bool = False
) -> dict[str, Any]:
    """Measure the pair in ``folder`` on the corpus's test split, whose prompts no training saw, and print the figures.

    With ``card`` they are also written to the model card, ``README.md`` in ``folder``.

    Returns:
        {"math_accuracy": share of ``prompts`` math answers right, greedy, target alone; "code_parses": share of sampled
        code answers that are valid Python; "tau": {domain: ..., "macro": ...} at T=1; "domains": {domain: DomainFigures}}.
    """
    lab = load(folder / "target", folder / "dspark")
    figures: dict[str, Any] = {
        "measured": True,
        "device": lab.device,
        "target": asdict(lab.target.info),
        "drafter": asdict(lab.drafter.info) if lab.drafter else None,
        "prompts": prompts,
        "math_accuracy": _math_accuracy(lab, prompts),
    }
    domains = {}
    for domain in DOMAINS:
        domains[domain], answers = _domain(lab, domain, prompts)
        if domain == "code":
            figures["code_parses"] = sum(map(_parses, answers)) / len(answers)
    figures["tau"] = {name: d.tau for name, d in domains.items()}
    figures["tau"]["macro"] = sum(d.tau for d in domains.values()) / len(domains)
    figures["domains"] = {name: asdict(d) for name, d in domains.items()}
    if json_file:
        write_atomically(json_file, json.dumps(figures, indent=1) + "\n")
    if card:
        write_atomically(folder / "README.md", model_card(figures, json.loads((folder / "recipe.json").read_text())))
    _show(figures)
    return figures


def _math_accuracy(lab: Lab, count: int) -> float:
    settings = Settings(temperature=0.0, max_new_tokens=128)
    right = 0
    for e in _progress(examples("math", "test", count), "math, greedy", count):
        session = lab.session(e.prompt, settings, drafter=False).run(trace=False)
        right += final_number(session.text) == e.result
    return right / count


def _domain(lab: Lab, domain: str, count: int) -> tuple[DomainFigures, list[str]]:
    answers, accepted, tokens = [], [], 0
    block = lab.drafter.block_size if lab.drafter else 0
    first = ("", "")
    for i, e in enumerate(_progress(examples(domain, "test", count), f"{domain}, T=1", count)):
        session = lab.session(e.prompt, Settings(seed=i, max_new_tokens=160))
        while not session.finished:
            outcome = session.advance()
            # A round that ended the sequence says nothing about the positions behind its end.
            accepted.append((outcome.verdict.accepted, len(outcome.draft.tokens), outcome.verdict.kind))
        answers.append(session.text)
        tokens += len(session.tokens)
        first = first if i else (e.prompt, session.text)
    acceptance = []
    for k in range(block):
        reached = [a for a, gamma, kind in accepted if a >= k and gamma > k and not (a == k and kind == "none")]
        acceptance.append(sum(a > k for a in reached) / len(reached) if reached else None)
    return DomainFigures(count, len(accepted), tokens, tokens / len(accepted), acceptance, first), answers


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _progress(items: Iterable[Example], label: str, total: int) -> Iterable[Example]:
    return tqdm(items, desc=label, total=total, unit="prompt", mininterval=1.0)


def _show(figures: dict[str, Any]) -> None:
    table = Table(title=f"{figures['prompts']} test prompts a domain, T=1, measured on {figures['device']}")
    for column in ("domain", "tau", "rounds", "acceptance by position"):
        table.add_column(column)
    for name, d in figures["domains"].items():
        table.add_row(name, f"{d['tau']:.2f}", str(d["rounds"]), _row(d["acceptance"]))
    table.add_row("macro", f"{figures['tau']['macro']:.2f}", "", "")
    console = Console()
    console.print(table)
    console.print(
        f"math answers right (greedy): {figures['math_accuracy']:.1%}, code parses: {figures['code_parses']:.1%}"
    )


def _row(acceptance: list[float | None]) -> str:
    return " ".join("-" if a is None else f"{a:.2f}" for a in acceptance)


def model_card(figures: dict[str, Any], recipe: dict[str, Any]) -> str:
    """The README beside the weights, from measured figures."""
    rows = "\n".join(f"| {name} | {d['tau']:.2f} | {_row(d['acceptance'])} |" for name, d in figures["domains"].items())
    samples = "\n\n".join(
        f"**{name}:** {d['sample'][0]}\n\n```\n{d['sample'][1]}\n```" for name, d in figures["domains"].items()
    )
    target, drafter = figures["target"], figures["drafter"]
    settings = ", ".join(f"{name} {value}" for name, value in recipe.items())
    return f"""---
license: mit
library_name: transformers
---
# The pocket pair

A target and a DSpark drafter small enough to run anywhere, trained on the lab's procedural corpus alone
(`dspark_lab.training.corpus`: math word problems, small Python functions, chat). They exist to show speculative decoding
live; they know nothing else, and mistakes in arithmetic are theirs.

- `target/`: Qwen3 architecture, {target["parameters"]:,} parameters, revision {target["revision"]}, byte-level BPE of 1,024
  tokens. Load it with `AutoModelForCausalLM.from_pretrained`.
- `dspark/`: DSpark drafter in DeepSpec's format, {drafter["parameters"]:,} parameters with the target's embedding and LM
  head, revision {drafter["revision"]}, block {drafter["block_size"]}.

## Held-out figures

**Measured** on {figures["device"]} over {figures["prompts"]} test prompts a domain, which no training saw.

- Math answers right (greedy, target alone): **{figures["math_accuracy"]:.1%}**
- Code answers that parse (T=1): **{figures["code_parses"]:.1%}**
- Accepted length tau at T=1, block {drafter["block_size"]}: **{figures["tau"]["macro"]:.2f}** macro

| domain | tau | acceptance at position 1, 2, ... given all before were accepted |
|---|---|---|
{rows}

## Samples (T=1, the first test prompt of each domain)

{samples}

## How it was made

`dspark-lab train pocket`, weights rounded to bfloat16 for shipping. Recipe: {settings}.
Figures come from `dspark-lab eval pocket`.
"""
