"""Held-out figures of the pocket pair, and the model card that states them."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from tqdm.auto import tqdm

from dspark_lab.checkpoints import POCKET
from dspark_lab.evaluation.measure import measure
from dspark_lab.evaluation.report import report, show
from dspark_lab.evaluation.suites import POCKET_SUITE, load_suites
from dspark_lab.loading import Lab, load
from dspark_lab.records import write_atomically
from dspark_lab.settings import Settings
from dspark_lab.training.corpus import examples, final_number


def evaluate(
    folder: Path = POCKET, prompts: int = 200, json_file: Path | None = None, *, card: bool = False
) -> dict[str, Any]:
    """Measure the pair in ``folder`` on the corpus's test split, whose prompts no training saw, and print the figures.

    With ``card`` they are also written to the model card, ``README.md`` in ``folder``.

    Returns:
        {"math_accuracy": share of ``prompts`` math answers right, greedy, target alone; "code_parses": share of sampled
        code answers that are valid Python; "tau": {domain: ..., "macro": ...} at T=1; "domains": {domain: {"acceptance":
        conditional, by position (paper, Fig. 2), None where it was never reached; "sample": a prompt and its answer; ...}}}.
    """
    lab = load(folder / "target", folder / "dspark")
    suites = load_suites([POCKET_SUITE], None, prompts, seed=0)
    measured = measure(lab.target, {"dspark": lab.drafter}, suites, Settings())
    if measured.interrupted:
        raise KeyboardInterrupt
    found = report(measured, {"dspark": lab.drafter}, suites, Settings(), lab.target.info, lab.device)
    result = found.drafters["dspark"]
    answers = {domain: [run.answers[0] for run in runs["dspark"]] for domain, runs in measured.runs.items()}
    figures: dict[str, Any] = {
        "measured": True,
        "device": lab.device,
        "target": asdict(lab.target.info),
        "drafter": asdict(lab.drafter.info) if lab.drafter else None,
        "prompts": prompts,
        "math_accuracy": _math_accuracy(lab, prompts),
        "code_parses": sum(map(_parses, answers["code"])) / prompts,
        "tau": {name: f.tau.value for name, f in (result.domains | {"macro": result.macro}).items()},
        "domains": {
            suite.name: {
                "prompts": prompts,
                "rounds": result.suites[suite.name].rounds,
                "tokens": result.suites[suite.name].tokens,
                "tau": result.suites[suite.name].tau.value,
                "acceptance": [e.value for e in result.suites[suite.name].conditional],
                "sample": (suite.conversations[0][0], answers[suite.name][0]),
            }
            for suite in suites
        },
    }
    if json_file:
        write_atomically(json_file, json.dumps(figures, indent=1) + "\n")
    if card:
        others = sorted({file.parent.name for file in folder.glob("*/config.json")} - {"target", "dspark"})
        recipe = json.loads((folder / "recipe.json").read_text())
        write_atomically(folder / "README.md", model_card(figures, recipe, others))
    show(found, Console())
    print(f"math answers right (greedy): {figures['math_accuracy']:.1%}, code parses: {figures['code_parses']:.1%}")
    return figures


def _math_accuracy(lab: Lab, count: int) -> float:
    settings = Settings(temperature=0.0, max_new_tokens=128)
    right = 0
    for e in tqdm(examples("math", "test", count), desc="math, greedy", total=count, unit="prompt", mininterval=1.0):
        session = lab.session(e.prompt, settings, drafter=False).run(trace=False)
        right += final_number(session.text) == e.result
    return right / count


def _parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def _row(acceptance: list[float | None]) -> str:
    return " ".join("-" if a is None else f"{a:.2f}" for a in acceptance)


def model_card(figures: dict[str, Any], recipe: dict[str, Any], others: Sequence[str] = ()) -> str:
    """The README beside the weights, from measured figures; ``others`` are the folders of further drafters."""
    rows = "\n".join(f"| {name} | {d['tau']:.2f} | {_row(d['acceptance'])} |" for name, d in figures["domains"].items())
    samples = "\n\n".join(
        f"**{name}:** {d['sample'][0]}\n\n```\n{d['sample'][1]}\n```" for name, d in figures["domains"].items()
    )
    target, drafter = figures["target"], figures["drafter"]
    more = (
        f"\n- {', '.join(f'`{name}/`' for name in others)}: drafters of other kinds, trained on the same answers."
        if others
        else ""
    )
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
  head, revision {drafter["revision"]}, block {drafter["block_size"]}.{more}

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
