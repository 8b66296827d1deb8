"""Decode the prompts of suites with several drafters, counting every round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

from tqdm.auto import tqdm

from dspark_lab.drafters.base import Drafter
from dspark_lab.errors import LabError
from dspark_lab.evaluation.metrics import Run
from dspark_lab.evaluation.suites import Suite
from dspark_lab.prompts import TooLongError
from dspark_lab.session import Session, check_gamma
from dspark_lab.settings import Settings
from dspark_lab.target import Target

Drafters = Mapping[str, Drafter | None]
"""By the name they are reported under; None decodes one token a round."""


@dataclass
class Measurement:
    """``runs[suite][drafter]``: one a conversation, in order. Interrupted, whole conversations that were decoded with
    every drafter are kept: ``done`` of ``planned``."""

    runs: dict[str, dict[str, list[Run]]]
    planned: int
    done: int = 0
    interrupted: bool = False


def session_seed(seed: int, conversation: int, turn: int = 0) -> int:
    """The session seed of a turn: any one can be decoded again alone."""
    return (seed + conversation + 1_000_003 * turn) % 2**63


def measure(
    target: Target, drafters: Drafters, suites: Sequence[Suite], settings: Settings, *,
    all_turns: bool = False, max_new_tokens: int | None = None,
) -> Measurement:  # fmt: skip
    """Standard speculative decoding with a fixed block on every conversation of ``suites``.

    Each is decoded by every drafter before the next one, in an order that rotates: they meet the same uniforms, and a
    slow spell of the machine falls on all alike. A later turn follows on the drafter's own answers. Turns too long for
    the context are skipped, and so is what follows them.

    Args:
        settings: sampling, gamma and seed; the length limit is ``max_new_tokens``, or else the suite's.
        all_turns: decode every turn of a conversation, not only the first.

    Raises:
        LabError: gamma exceeds a drafter's block, or the target takes no earlier turns.
    """
    for name, drafter in drafters.items():
        try:
            check_gamma(settings, drafter)
        except LabError as error:
            raise LabError(f"{name}: {error}") from error
    names = list(drafters)
    runs: dict[str, dict[str, list[Run]]] = {suite.name: {name: [] for name in names} for suite in suites}
    result = Measurement(runs, sum(len(suite.conversations) for suite in suites))
    for drafter in drafters.values():  # what happens once is off the clock
        Session(target, drafter, "How are you?", replace(settings, max_new_tokens=16)).run(trace=False)
    try:
        with tqdm(total=result.planned * len(names), desc="eval", unit="prompt", mininterval=1.0) as bar:
            for suite in suites:
                bar.set_description(f"eval {suite.name}")
                limited = replace(settings, max_new_tokens=max_new_tokens or suite.max_new_tokens)
                for i, turns in enumerate(suite.conversations):
                    decoded = {}
                    for name in names[i % len(names) :] + names[: i % len(names)]:
                        used = turns if all_turns else turns[:1]
                        decoded[name] = _converse(target, drafters[name], used, limited, i)
                        bar.update()
                    for name, run in decoded.items():
                        runs[suite.name][name].append(run)
                    result.done += 1
    except KeyboardInterrupt:
        result.interrupted = True
    return result


def _converse(
    target: Target, drafter: Drafter | None, turns: Sequence[str], settings: Settings, conversation: int
) -> Run:
    run = Run()
    history: list[str] = []
    for turn, prompt in enumerate(turns):
        seeded = replace(settings, seed=session_seed(settings.seed, conversation, turn))
        began = perf_counter()
        try:
            session = Session(target, drafter, prompt, seeded, history)
        except TooLongError:
            run.skipped = len(turns) - turn
            break
        run.decode(session, turn)
        run.seconds += perf_counter() - began
        history += [session.prompt, run.answers[-1]]
    return run
