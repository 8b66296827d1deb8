"""``dspark-lab simulate``: drafters and policies under load, without a model. All that it prints is modelled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dspark_lab.cli import options, runs
from dspark_lab.cli.console import interrupted, out, say
from dspark_lab.cli.figures import draw
from dspark_lab.cli.lazy import require
from dspark_lab.errors import LabError
from dspark_lab.records import to_json

if TYPE_CHECKING:
    from dspark_lab.scheduling.step_rate import StepRate
    from dspark_lab.scheduling.sweep import Contender, Sweep

REQUESTS, PAPER_REQUESTS = "1,2,4,8,16,32,64,128,256", "1-10,12-48:4,56-264:8"
POLICY, PAPER_POLICY = "early-break", "lagged"
RATE = "deepseek-v4-flash"
PAPER_GAMMA = 5


def simulate(
    requests: Annotated[
        str | None, options.name_option("Concurrent requests, as 1,8,64 or 1-200 or 8-200:8.", REQUESTS)
    ] = None,
    arrivals: Annotated[
        str | None,
        options.name_option("Instead: poisson:PER_SECOND, bursts:SIZE:SECONDS, or a JSON list of requests.", "none"),
    ] = None,
    policy: Annotated[
        list[str] | None,
        options.names_option(
            "early-break, lagged, fixed[:L], threshold[:C] or global. Several times for several.", POLICY
        ),
    ] = None,
    drafter: Annotated[
        list[str] | None,
        options.names_option(
            "A kind, a folder with recorded rounds, such a file, or mtp-1. Several times for several.", "dspark"
        ),
    ] = None,
    gamma: Annotated[int | None, options.whole_option("Cut every draft to so many tokens.", "as recorded")] = None,
    step_rate: Annotated[
        str | None,
        options.name_option("deepseek-v4-flash, deepseek-v4-pro, pocket-cpu, roofline:GPU:MODEL, or a file.", RATE),
    ] = None,
    mix: Annotated[str | None, options.name_option("Weights of domains, as math=2,chat=1.", "all alike")] = None,
    answer_tokens: Annotated[int | None, options.whole_option("Tokens of every answer.", "as recorded")] = None,
    draft_ms: Annotated[float, options.number_option("Milliseconds of drafting a step.")] = 0.0,
    draft_share: Annotated[float, options.number_option("Drafting as a share of the target's time.")] = 0.0,
    raw: Annotated[bool, typer.Option("--raw", help="Leave the confidences uncalibrated.")] = False,
    steps: Annotated[int, options.whole_option("Steps of the target, for each load and policy.")] = 2000,
    seed: options.Seed = 0,
    workers: Annotated[int | None, options.whole_option("Processes that simulate side by side.", "one a core")] = None,
    sla: Annotated[str | None, options.name_option("Speeds to promise a user, as 50,80,120.", "a few")] = None,
    paper: Annotated[
        str | None,
        options.name_option(
            "Repeat Figures 7 and 8: deepseek-v4-flash or deepseek-v4-pro, DSpark-5 and MTP-1.", "none"
        ),
    ] = None,
    paper_data: Annotated[
        Path | None,
        typer.Option(
            help="The paper's numbers as JSON, drawn under ours.",
            parser=options.path,
            metavar="FILE",
            show_default="none",
        ),
    ] = None,
    json: options.JsonFile = None,
    figures: Annotated[Path | None, options.folder_option("Draw figures into this folder.", "none")] = None,
) -> None:
    """Simulate a server: throughput, speed a user, verification budget and waste under load. Modelled, from recorded rounds."""
    from dspark_lab.scheduling.rates import PAPER, step_rate_named

    if paper is not None:
        if paper not in PAPER:
            raise LabError(f"--paper is {paper!r}, but must be one of {', '.join(PAPER)}.")
        own = {"--drafter": drafter, "--arrivals": arrivals, "--gamma": gamma, "--step-rate": step_rate}
        for option, value in own.items():
            if value is not None:
                raise LabError(
                    f"--paper {paper} has drafters, lengths, arrivals and a step rate of its own: leave {option} out."
                )
        policy, step_rate, requests = policy or [PAPER_POLICY], paper, requests or PAPER_REQUESTS
        if len(policy) > 1:
            raise LabError(f"--paper {paper} compares DSpark-5 under one policy with MTP-1: give --policy once.")
    elif paper_data:
        raise LabError(f"--paper-data {paper_data} is drawn under the paper's experiment: choose a model with --paper.")
    if arrivals is not None and sla is not None:
        raise LabError(f"--sla {sla} compares loads, of which --arrivals {arrivals} is one: leave one of them out.")
    if arrivals is not None and requests is not None:
        raise LabError(f"--requests {requests} and --arrivals {arrivals} contradict each other: leave one of them out.")
    loads, speeds = whole_ranges("--requests", requests or REQUESTS), _numbers("--sla", sla) if sla else None
    weights = _weights(mix) if mix else None
    if figures:
        require("plotly")
        runs.make(figures=figures)
    options.check_outputs(json=json)
    from dspark_lab.evaluation.paper_data import PaperData
    from dspark_lab.scheduling.contenders import MTP_1, caveats, contender_named

    data, rate = PaperData.load(paper_data), step_rate_named(RATE if step_rate is None else step_rate)
    given: dict[str, Any] = {"draft_ms": draft_ms, "draft_share": draft_share, "raw": raw}
    contenders = (
        _paper_contenders(policy or [PAPER_POLICY], given)
        if paper
        else [
            contender_named(d, p, gamma=gamma, **given)
            for d in dict.fromkeys(drafter or ["dspark"])
            for p in (dict.fromkeys(policy or [POLICY]) if d != MTP_1 else ["fixed"])
        ]
    )
    for note in caveats(rate, contenders):
        say(note, "yellow")
    if not draft_ms and not draft_share:
        say("Drafting is taken to cost no time: --draft-ms or --draft-share says what it does.", "yellow")
    elif paper:
        say(
            "That is added to DSpark-5's steps: MTP-1's drafting is in the step rate, which the paper's MTP-1 line implies.",
            "yellow",
        )
    model = PAPER[paper] if paper else ""
    swept = _run(contenders, rate, loads, arrivals, weights, answer_tokens, steps, seed, workers)
    from dspark_lab.evaluation import serving

    titles = dict.fromkeys(r.step_rate for results in swept.results.values() for r in results)
    out().print(*serving.load_tables(swept), f"step rate: {'; '.join(titles)}")
    out().print(serving.LEGEND)
    if arrivals is None:
        out().print(serving.sla_table(swept, speeds or serving.promises(swept)))
    result = {
        "modelled": True,
        "step_rate": to_json(rate),
        "steps": steps,
        "seed": seed,
        "mix": weights,
        "answer_tokens": answer_tokens,
        **given,
        "drafters": {c.name: to_json(c.drafting.rounds.origin) for c in contenders},
        "frontier": {name: [r.requests for r in swept.frontier(name)] for name in swept.results},
        "results": to_json(swept.results),
    }
    if paper:
        found = serving.differences(swept, model, data)
        if found:
            out().print(serving.difference_table(found))
        said = serving.verdicts(swept, model, data)
        out().print("\n".join(said))
        result |= {"paper": paper, "differences": to_json(found), "verdicts": said}
    if json:
        options.write_json(json, result)
    if figures:
        draw(serving.charts(swept, model, data if paper_data else PaperData.implied()), figures)


def _run(
    contenders: Sequence[Contender], rate: StepRate, loads: list[int], arrivals: str | None, mix: dict[str, float] | None,
    answer_tokens: int | None, steps: int, seed: int, workers: int | None,
) -> Sweep:  # fmt: skip
    from tqdm.auto import tqdm

    from dspark_lab.scheduling.arrivals import arrivals_named
    from dspark_lab.scheduling.sweep import sweep
    from dspark_lab.scheduling.workers import cores

    coming = loads if arrivals is None else [arrivals_named(arrivals)]
    with tqdm(total=len(contenders) * len(coming), desc="simulate", unit="run", mininterval=0.5) as bar:
        try:
            return sweep(
                contenders, rate, coming, mix=mix, answer_tokens=answer_tokens, steps=steps, seed=seed,
                on_result=lambda *_: bar.update(), workers=cores() if workers is None else workers,
            )  # fmt: skip
        except KeyboardInterrupt:
            interrupted("interrupted: nothing is written")
            raise typer.Exit(130) from None


def _paper_contenders(policies: list[str], given: dict[str, Any]) -> list[Contender]:
    from dspark_lab.evaluation.serving import DSPARK, MTP
    from dspark_lab.scheduling.contenders import MTP_1, contender_named

    mtp = contender_named(MTP_1, "fixed")
    return [
        replace(mtp, name=MTP),
        replace(contender_named("dspark", policies[0], gamma=PAPER_GAMMA, **given), name=DSPARK),
    ]


def whole_ranges(option: str, text: str) -> list[int]:
    """Whole numbers from 1 on, such as 1,8,16-64:16. Raises LabError for anything else."""
    found: list[int] = []
    for part in text.split(","):
        parts = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9})(?::(\d{1,9}))?)?\s*", part)
        if not parts:
            raise LabError(f"{option} is {text!r}, but must be written as 1,8,64 or 1-200 or 8-200:8.")
        first, last, step = (int(p) if p else None for p in parts.groups())
        assert first is not None
        some = range(first, (first if last is None else last) + 1, step if step is not None else 1) if step != 0 else ()
        if not some or first < 1:
            raise LabError(
                f"{option} has {part.strip()!r}, but there must be 1 request at least, and ranges must rise."
            )
        found += some
        if len(found) > 10_000:
            raise LabError(f"{option} {text!r} names more than 10,000 loads: take larger steps, such as 1-100000:1000.")
    return sorted(set(found))


def _numbers(option: str, text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 < value < float("inf") for value in found):
        raise LabError(f"{option} is {text!r}, but must be numbers above 0, written as 50,80,120.")
    return found


def _weights(text: str) -> dict[str, float]:
    weights = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        try:
            weights[name.strip()] = float(weight)
        except ValueError:
            raise LabError(f"--mix is {text!r}, but must be written as math=2,chat=1.") from None
    return weights
