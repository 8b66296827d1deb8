"""``dspark-lab step``: every round of a decoding session, with all that decided it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from dspark_lab.cli import block, options
from dspark_lab.cli.console import out
from dspark_lab.cli.options import DEFAULTS
from dspark_lab.cli.text import count
from dspark_lab.errors import LabError
from dspark_lab.settings import Settings

if TYPE_CHECKING:
    from dspark_lab.trace import Trace


def step(
    prompt: options.Prompt = None,
    rounds: Annotated[int | None, options.whole_option("Stop after this many rounds.", "to the end")] = None,
    temperature: options.Temperature = DEFAULTS.temperature,
    top_k: options.TopK = DEFAULTS.top_k,
    top_p: options.TopP = DEFAULTS.top_p,
    gamma: options.Gamma = DEFAULTS.gamma,
    tree: options.TreeSize = DEFAULTS.tree,
    policy: options.Policy = DEFAULTS.policy,
    load: options.Load = DEFAULTS.load,
    step_rate: options.StepRate = DEFAULTS.step_rate,
    seed: options.Seed = DEFAULTS.seed,
    max_new_tokens: options.MaxNewTokens = DEFAULTS.max_new_tokens,
    target: options.TargetModel = None,
    drafter: options.DrafterModel = None,
    no_drafter: options.NoDrafter = False,
    device: options.Device = None,
    trace: options.TraceFile = None,
    json: options.JsonFile = None,
) -> None:
    """Show each round: the draft, its confidence, the target's view, the draws and the verdict."""
    settings = Settings(temperature, top_k, top_p, gamma, seed, max_new_tokens, tree, policy, load, step_rate)
    if rounds is not None and rounds < 1:
        raise LabError(f"--rounds is {rounds}, but must be at least 1: leave it out to go on to the end.")
    options.check_outputs(trace=trace, json=json)
    question = options.read_prompt(prompt)
    lab = options.open_pair(target, drafter, no_drafter, device)
    session, console = lab.session(question, settings), out()
    while not session.finished and (rounds is None or len(session.rounds) < rounds):
        before = session.text
        block.show(session.step(), console, before)
    record = session.trace()
    if plans := [r.schedule for r in record.rounds if r.schedule]:
        console.print(block.grounds(plans[-1]), style="bright_black", highlight=False)
    console.print(
        f"tau {record.tau:.2f}: {count(len(record.tokens), 'token')} in {count(len(record.rounds), 'round')}",
        style="bold",
    )
    if trace:
        record.save(trace)
    if json:
        options.write_json(json, summary(record))


def summary(record: Trace) -> dict[str, Any]:
    """What a script wants to know of a session; every number of every round is in its trace."""
    return {
        "prompt": record.prompt,
        "text": record.text,
        "tokens": len(record.tokens),
        "token_ids": record.tokens,
        "rounds": len(record.rounds),
        "tau": record.tau,
        "accepted": [r.accepted for r in record.rounds],
        "finished": record.finished,
        "settings": dict(record.settings),
        "target": asdict(record.target),
        "drafter": asdict(record.drafter) if record.drafter else None,
        "device": record.device,
    }
