"""``dspark-lab bench``: measured speed on this machine, as ratios."""

from __future__ import annotations

from typing import Annotated

import typer

from dspark_lab.cli import options
from dspark_lab.cli.lazy import part

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
