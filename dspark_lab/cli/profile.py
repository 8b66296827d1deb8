"""``dspark-lab profile``: SPS(B), the step rate that the scheduler weighs verify lengths against, measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dspark_lab.cli import options, runs
from dspark_lab.cli.console import out, say

if TYPE_CHECKING:
    from dspark_lab.scheduling.step_rate import StepRate

SHOWN = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)


def profile(
    target: options.TargetModel = None,
    tokens: Annotated[int, options.whole_option("Measure steps of 1 to so many tokens.")] = 128,
    context: Annotated[int, options.whole_option("Tokens of context that each request holds.")] = 128,
    per_request: Annotated[int, options.whole_option("Tokens of a step that belong to one request.")] = 4,
    requests: Annotated[
        int | None, options.whole_option("Share each step out over so many requests instead.", "none")
    ] = None,
    repeats: Annotated[int, options.whole_option("Passes timed for each number of tokens.")] = 15,
    threads: runs.Threads = None,
    shared: Annotated[
        bool,
        typer.Option(
            "--shared", help="Count this thread's computing alone, on a CPU that others use too; needs --threads 1."
        ),
    ] = False,
    device: options.Device = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Write the step rate here.", parser=options.path, metavar="FILE", show_default="none"
        ),
    ] = None,
) -> None:
    """Measure how many steps a second the target makes by the tokens that it computes in a step.

    The file serves as --step-rate of simulate, or as the setting step_rate of a session.
    """
    runs.check_threads(threads)
    options.check_outputs(out=file)
    from dspark_lab.profiling import profile as measure

    if threads:
        import torch

        torch.set_num_threads(threads)
    loaded = options.open_pair(target, None, True, device).target
    rate = measure(
        loaded, tokens, context=context, per_request=per_request, requests=requests, repeats=repeats, shared=shared
    )
    _show(rate)
    if file:
        rate.save(file)
        say(f"{file} holds the step rate: dspark-lab simulate --step-rate {file}")


def _show(rate: StepRate) -> None:
    from dspark_lab.evaluation.tables import plain_table

    table = plain_table(f"step rate, measured: {rate.title}", "B", "SPS(B)", "ms a step", "B x SPS(B)")
    first, last = rate.tokens[0], rate.most
    for b in sorted({first, last, *(b for b in SHOWN if first < b < last)}):
        table.add_row(f"{b:,}", f"{rate(b):,.1f}", f"{1e3 * rate.seconds(b):,.2f}", f"{b * rate(b):,.0f}")
    out().print(table)
    out().print(f"{len(rate.tokens)} numbers of tokens; {rate.about['spread']}")
