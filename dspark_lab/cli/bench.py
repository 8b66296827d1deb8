"""``dspark-lab bench``: measured speed on this machine, as ratios."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dspark_lab.cli import options, runs
from dspark_lab.cli.lazy import part
from dspark_lab.errors import LabError

app = typer.Typer(no_args_is_help=True, help="Measure speed on this machine, as ratios.")


@app.callback()
def _group() -> None:
    pass


@app.command("decode")
def decode(
    quick: Annotated[bool, typer.Option("--quick", help="A few prompts: about right, soon.")] = False,
    json: options.JsonFile = None,
) -> None:
    """Speculative decoding beside decoding one token a round, same target, same prompts."""
    options.check_outputs(json=json)
    part("dspark_lab.bench.decode", "run", "install the lab again")(quick=quick, json_file=json)


@app.command("engine")
def engine(
    quick: Annotated[bool, typer.Option("--quick", help="A few prompts, once: a look, soon.")] = False,
    json: options.JsonFile = None,
) -> None:
    """Many requests decoded together beside one after another: tokens a second, and what a step is spent on."""
    options.check_outputs(json=json)
    part("dspark_lab.bench.engine", "run", "install the lab again")(quick=quick, json_file=json)


@app.command("train")
def train(
    quick: Annotated[bool, typer.Option("--quick", help="A few small batches: a look, soon.")] = False,
    peer: Annotated[
        Path | None, runs.folder("A checkout of github.com/deepseek-ai/DeepSpec to measure against.", "ours alone")
    ] = None,
    json: options.JsonFile = None,
) -> None:
    """Draft blocks a second of a training step, beside DeepSpec's own model code on the same batches, anchors and target
    states."""
    options.check_outputs(json=json)
    options.quieten()
    part("dspark_lab.bench.train", "run", "install the lab again")(quick=quick, peer=peer, json_file=json)


@app.command("schedule")
def schedule(
    quick: Annotated[bool, typer.Option("--quick", help="A few repeats: a look, soon.")] = False,
    json: options.JsonFile = None,
) -> None:
    """Time of one scheduling decision by requests and policy, beside Algorithm 1 in plain Python."""
    options.check_outputs(json=json)
    part("dspark_lab.bench.schedule", "run", "install the lab again")(quick=quick, json_file=json)


@app.command("web")
def web(
    quick: Annotated[bool, typer.Option("--quick", help="Few repeats and visitors: a look, soon.")] = False,
    visitors: Annotated[int, options.whole_option("Visitors at once.")] = 12,
    no_share: Annotated[bool, typer.Option("--no-share", help="Kernels that share nothing, for comparison.")] = False,
    json: options.JsonFile = None,
) -> None:
    """The page in a real Chromium: first content, live models, a step, a fork, many visitors at once and their memory."""
    options.check_outputs(json=json)
    if not 1 <= visitors <= 100:
        raise LabError(f"--visitors is {visitors}, but must be from 1 to 100: 12 is usual.")
    remedy = 'pip install "dspark-lab[lab,test]" && playwright install chromium'
    part("dspark_widgets.serving.bench", "run", remedy)(
        quick=quick, visitors=2 if quick else visitors, share=not no_share, json_file=json
    )


@app.command("serving")
def serving(
    quick: Annotated[bool, typer.Option("--quick", help="A few prompts, once: a look, soon.")] = False,
    json: options.JsonFile = None,
) -> None:
    """The serving simulator held against the engine: tokens a second predicted and measured, by requests and policy."""
    options.check_outputs(json=json)
    part("dspark_lab.bench.serving", "run", "install the lab again")(quick=quick, json_file=json)
