"""``dspark-lab eval``: accepted length, acceptance and speed of drafters, on held-out prompts and benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dspark_lab.cli import options, runs
from dspark_lab.cli.console import interrupted, out, say
from dspark_lab.cli.figures import draw
from dspark_lab.cli.lazy import part, require
from dspark_lab.cli.options import DEFAULTS
from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.settings import Settings

if TYPE_CHECKING:
    from dspark_lab.drafters.base import Drafter
    from dspark_lab.evaluation.charts import Chart
    from dspark_lab.evaluation.paper import Checkpoint
    from dspark_lab.evaluation.paper_data import PaperData
    from dspark_lab.evaluation.suites import Suite
    from dspark_lab.loading import Lab

evaluating = typer.Typer(invoke_without_command=True, no_args_is_help=True)

RUNS = Path("runs")
"""Where ``train drafter`` puts what it makes."""
ALONE = "none"
"""The drafter's name that decodes without one."""


@evaluating.callback()
def evaluate(
    context: typer.Context,
    suite: Annotated[
        list[str] | None,
        options.names_option(
            "pocket, a benchmark (gsm8k, math500, aime25, mbpp, humaneval, livecodebench, mt-bench, alpaca, "
            "arena-hard), or a file of the --suite-folder. Give it several times for several.",
            "pocket, or all files of the --suite-folder",
        ),
    ] = None,
    drafter: Annotated[
        list[str] | None,
        options.names_option(
            "A kind, a folder or a hub id; none decodes one token a round. Give it several times to compare.",
            "the pocket DSpark",
        ),
    ] = None,
    paper: Annotated[
        str | None, options.name_option("Repeat an experiment of the paper: table1, or fig2 to fig6.", "none")
    ] = None,
    checkpoints: Annotated[Path, options.folder_option("The drafters of --paper, named as it says.")] = RUNS,
    train: Annotated[
        bool, typer.Option("--train", help="Train what --paper lacks first; interrupted, it goes on from there.")
    ] = False,
    paper_data: Annotated[
        Path | None,
        typer.Option(
            help="The paper's numbers as JSON, shown beside ours.",
            parser=options.path,
            metavar="FILE",
            show_default="none",
        ),
    ] = None,
    suite_folder: Annotated[
        Path | None, options.folder_option('NAME.jsonl files, {"turns": [...]} on each line.', "none")
    ] = None,
    turns: Annotated[str, options.name_option("first, or all: later turns follow on the answers.")] = "first",
    prompts: Annotated[
        int | None, options.whole_option("Prompts of each suite.", "200 of each pocket domain, else 500")
    ] = None,
    temperature: options.Temperature = DEFAULTS.temperature,
    gamma: options.Gamma = DEFAULTS.gamma,
    seed: options.Seed = DEFAULTS.seed,
    max_new_tokens: Annotated[int | None, options.whole_option("Longest answer.", "160 for pocket, else 2048")] = None,
    target: options.TargetModel = None,
    device: options.Device = None,
    json: options.JsonFile = None,
    figures: Annotated[Path | None, options.folder_option("Draw figures into this folder.", "none")] = None,
) -> None:
    """Measure drafters: accepted length, acceptance by position, speed, with confidence intervals."""
    if context.invoked_subcommand is not None:
        for name in context.params:
            source = context.get_parameter_source(name)
            if source and source.name == "COMMANDLINE":
                raise LabError(
                    f"--{name.replace('_', '-')} belongs to eval itself, not to eval {context.invoked_subcommand}: "
                    f"leave one of them out, or put the options behind it."
                )
        return
    settings = Settings(temperature=temperature, gamma=gamma, seed=seed)
    if max_new_tokens is not None:
        settings.with_changes({"max_new_tokens": max_new_tokens})
    if turns not in ("first", "all"):
        raise LabError(f"--turns is {turns!r}, but must be first or all.")
    for option, value in (("--drafter", drafter), ("--gamma", gamma)):
        if paper and value is not None:
            raise LabError(f"--paper {paper} has drafters and lengths of its own: leave {option} out, or --paper.")
    if paper_data and not paper:
        raise LabError(f"--paper-data {paper_data} is shown beside an experiment: name one with --paper.")
    if train and not paper:
        raise LabError("--train makes the drafters of an experiment: name one with --paper.")
    if figures:
        require("plotly")
        runs.make(figures=figures)
    options.check_outputs(json=json)
    from dspark_lab.evaluation import paper as experiments
    from dspark_lab.evaluation.paper_data import PaperData
    from dspark_lab.evaluation.suites import load_suites

    suites = load_suites(suite or [], suite_folder, prompts, seed)
    data = PaperData.load(paper_data)
    sources: Mapping[str, str | Path] = _named(drafter, target)
    missing = {}
    if paper:
        sources, lacking = experiments.find(paper, checkpoints, target is None)
        if train and lacking:
            _train(lacking, checkpoints, target, device)
            sources, lacking = experiments.find(paper, checkpoints, target is None)
        missing = {checkpoint.name: checkpoint.command(checkpoints, target) for checkpoint in lacking}
        for name, command in missing.items():
            say(f"missing {name}, which this makes: {command}", "yellow")
        if not sources:
            raise LabError(
                f"--checkpoints {checkpoints} holds no drafter of {paper}: train one with a command above, or all with "
                f"--train."
            )
    lab, drafters = _open(target, sources, device)
    from dspark_lab.evaluation import paper_confidence

    if paper in paper_confidence.EXPERIMENTS:
        if turns == "all":
            raise LabError(f"--paper {paper} records first turns: leave --turns all out.")
        drawn, result = _confidences(paper, lab, drafters, suites, settings, max_new_tokens, data)
        _finish(drawn, result | {"experiment": paper, "missing": missing, "charts": to_json(drawn)}, json, figures)
        return
    from dspark_lab.evaluation.charts import charts
    from dspark_lab.evaluation.measure import measure
    from dspark_lab.evaluation.report import report, show

    measured = measure(lab.target, drafters, suites, settings, all_turns=turns == "all", max_new_tokens=max_new_tokens)
    if measured.done:
        found = report(measured, drafters, suites, settings, lab.target.info, lab.device)
        show(found, out())
        result = to_json(found)
        if paper:
            drawn = experiments.charts(paper, found, data)
            result |= {"experiment": paper, "missing": missing, "charts": to_json(drawn)}
            _finish(drawn, result, json, figures)
            if missing:
                out().print(f"missing, and so not shown: {', '.join(missing)}")
        else:
            _finish(charts(found), result, json, figures, tables=False)
    if measured.interrupted:
        interrupted(f"interrupted: {measured.done} of {measured.planned} conversations were measured")
        raise typer.Exit(130)


def _train(missing: Sequence[Checkpoint], folder: Path, target: str | None, device: str | None) -> None:
    """Train them one after another, each as its own command would."""
    from dspark_lab.cli import app

    command = typer.main.get_command(app)
    for number, checkpoint in enumerate(missing, 1):
        say(f"training {checkpoint.name}, {number} of {len(missing)}: {checkpoint.command(folder, target)}")
        words = [*checkpoint.arguments(folder, target), *(("--device", device) if device else ())]
        if code := command.main(words, prog_name="dspark-lab", standalone_mode=False):
            raise typer.Exit(code)


def _confidences(
    paper: str, lab: Lab, drafters: Mapping[str, Drafter | None], suites: Sequence[Suite], settings: Settings,
    max_new_tokens: int | None, data: PaperData,
) -> tuple[list[Chart], dict[str, Any]]:  # fmt: skip
    """Record the suites' rounds with the experiment's one drafter, and read the figures from them."""
    from dspark_lab.drafters.base import calibration_of
    from dspark_lab.evaluation import paper_confidence
    from dspark_lab.evaluation.rounds import record

    (drafter,) = drafters.values()
    assert drafter is not None
    calibration = calibration_of(drafter)
    paper_confidence.check(paper, calibration, drafter.info.name)
    if max_new_tokens is not None:
        suites = [replace(suite, max_new_tokens=max_new_tokens) for suite in suites]
    recorded = record(lab.target, drafter, suites, settings, "test")
    drawn, numbers = paper_confidence.charts(paper, recorded, calibration, data)
    about = {"measured": True, "device": lab.device, "rounds": len(recorded), "origin": to_json(recorded.origin)}
    return drawn, about | numbers


def _finish(
    drawn: Sequence[Chart], result: Mapping[str, Any], json: Path | None, figures: Path | None, *, tables: bool = True
) -> None:
    """Print, write and draw what was found."""
    from dspark_lab.evaluation.charts import table

    for chart in drawn if tables else ():
        if chart.tabular:
            out().print(table(chart))
    if json:
        options.write_json(json, result)
    if figures:
        draw(drawn, figures)


def _named(drafters: Sequence[str] | None, target: str | None) -> dict[str, str]:
    """What --drafter names, by how it is called in tables: its last part where that is enough."""
    names = list(drafters or ([] if target else ["dspark"]))
    if len(set(names)) < len(names):
        raise LabError(f"--drafter names {max(names, key=names.count)} twice: name each drafter once.")
    short = [Path(name).name for name in names]
    return {last if short.count(last) == 1 else name: name for last, name in zip(short, names, strict=True)}


def _open(
    target: str | None, sources: Mapping[str, str | Path], device: str | None
) -> tuple[Lab, dict[str, Drafter | None]]:
    if not sources:
        raise LabError(f"no drafter is named for {target}: give one or more with --drafter.")
    lab = options.open_pair(target, None, True, device)
    from dspark_lab.loading import load_drafter

    return lab, {
        name: None if source == ALONE else load_drafter(source, lab.target) for name, source in sources.items()
    }


@evaluating.command("pocket")
def eval_pocket(
    folder: Annotated[
        Path | None, options.folder_option("A pair: target/ and dspark/.", "the pair that ships with the lab")
    ] = None,
    prompts: Annotated[int | None, options.whole_option("Prompts of each domain.", "as the evaluation chooses")] = None,
    json: options.JsonFile = None,
) -> None:
    """Measure a pair as train pocket made it: tau, and whether its answers are right, as its model card states."""
    if prompts is not None and prompts < 1:
        raise LabError(f"--prompts is {prompts}, but must be at least 1: leave it out for the full evaluation.")
    options.check_outputs(json=json)
    if folder is None:
        from dspark_lab.checkpoints import POCKET

        folder = POCKET
    missing = next((name for name in ("target", "dspark") if not (folder / name).is_dir()), None)
    if missing:
        raise LabError(f"{folder} holds no pair, {missing}/ is missing: name a folder that train pocket has written.")
    more = {} if prompts is None else {"prompts": prompts}
    part("dspark_lab.evaluation.pocket", "evaluate", "install the lab again")(folder, json_file=json, **more)
