"""``dspark-lab generate``: the answer as it is decoded, and how fast that was."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dspark_lab.cli import options
from dspark_lab.cli.console import say
from dspark_lab.cli.options import DEFAULTS
from dspark_lab.cli.text import count, flow
from dspark_lab.errors import LabError
from dspark_lab.settings import Settings

if TYPE_CHECKING:
    from dspark_lab.loading import Lab
    from dspark_lab.session import Session

WARM_UP = 16
"""Tokens decoded before a comparison, so that neither side pays for what happens once."""


@dataclass(frozen=True)
class Measured:
    """A run and its decoding time: the prompt's pass and every round, without recording and printing."""

    session: Session
    rounds: int
    seconds: float

    @property
    def tokens(self) -> int:
        return len(self.session.tokens)

    @property
    def tau(self) -> float:
        return self.tokens / self.rounds

    @property
    def speed(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds


def generate(
    prompt: options.Prompt = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Decode one token a round as well, and print both measured speeds.")
    ] = False,
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
    """Stream the answer to stdout, and its measured speed to stderr."""
    settings = Settings(temperature, top_k, top_p, gamma, seed, max_new_tokens, tree, policy, load, step_rate)
    if compare and no_drafter:
        raise LabError("--compare sets a drafter beside none, but --no-drafter leaves none: drop one of the two.")
    if compare and gamma == 0:
        raise LabError("--compare sets drafting beside none, but --gamma 0 drafts nothing: choose a gamma from 1.")
    options.check_outputs(trace=trace, json=json)
    question = options.read_prompt(prompt)
    lab = options.open_pair(target, drafter, no_drafter, device)
    if compare and lab.drafter is None:
        raise LabError(f"--compare needs a drafter, and {target} was given none: name one with --drafter.")
    if compare:
        for with_drafter in (True, False):
            few = replace(settings, max_new_tokens=min(WARM_UP, settings.max_new_tokens))
            measure(lab, question, few, with_drafter)
    with _stream() as show:
        run = measure(lab, question, settings, True, record=trace is not None, on_text=show)
    rounds = f"{count(run.tokens, 'token')} in {count(run.rounds, 'round')}, tau {run.tau:.2f}"
    say(f"{rounds}, {run.speed:,.1f} tokens/s (measured on {lab.device})", "bright_black")
    plain = measure(lab, question, settings, False) if compare else None
    if plain:
        say(f"one by one: {count(plain.tokens, 'token')}, {plain.speed:,.1f} tokens/s (measured)", "bright_black")
        say(f"with the drafter {run.speed / plain.speed:.2f} times as fast (measured)", "bold")
    if trace:
        run.session.trace().save(trace)
    if json:
        options.write_json(json, _result(lab, run, plain))


def measure(
    lab: Lab,
    prompt: str,
    settings: Settings,
    with_drafter: bool,
    *,
    record: bool = False,
    on_text: Callable[[str, bool], None] | None = None,
) -> Measured:
    """Decode to the end. ``on_text(text so far, finished)`` is called after every round, off the clock."""
    began = perf_counter()
    session = lab.session(prompt, settings, drafter=with_drafter)
    seconds, rounds = perf_counter() - began, 0
    while not session.finished:
        timings = session.step().timings if record else session.advance().timings
        seconds += timings.total / 1e3 if timings else 0.0
        rounds += 1
        if on_text:
            on_text(session.text, bool(session.finished))
    return Measured(session, rounds, seconds)


@contextmanager
def _stream() -> Iterator[Callable[[str, bool], None]]:
    """A printer of a growing text. The start of a character whose other bytes are yet to come is held back."""
    printed, begun = 0, False

    def show(text: str, finished: bool) -> None:
        nonlocal printed, begun
        whole = text if finished else text.rstrip("\ufffd")
        sys.stdout.write(flow(whole[printed:]))
        sys.stdout.flush()
        printed, begun = max(printed, len(whole)), True

    try:
        yield show
    finally:
        if begun:
            sys.stdout.write("\n")
            sys.stdout.flush()


def _result(lab: Lab, run: Measured, plain: Measured | None) -> dict[str, Any]:
    session = run.session
    result: dict[str, Any] = {
        "prompt": session.prompt,
        "text": session.text,
        "tokens": run.tokens,
        "token_ids": session.tokens,
        "rounds": run.rounds,
        "tau": run.tau,
        "seconds": run.seconds,
        "tokens_per_second": run.speed,
        "device": lab.device,
        "measured": True,
        "finished": session.finished,
        "settings": asdict(session.settings),
        "target": asdict(lab.target.info),
        "drafter": asdict(lab.drafter.info) if lab.drafter else None,
    }
    if plain:
        result["one_by_one"] = {
            "text": plain.session.text,
            "tokens": plain.tokens,
            "seconds": plain.seconds,
            "tokens_per_second": plain.speed,
        }
        result["speed_ratio"] = run.speed / plain.speed
    return result
