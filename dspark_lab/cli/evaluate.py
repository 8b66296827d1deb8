"""``dspark-lab eval``: measure a pair."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dspark_lab.cli import options
from dspark_lab.cli.lazy import part
from dspark_lab.errors import LabError

evaluating = typer.Typer(no_args_is_help=True, help="Measure acceptance on held-out prompts.")


@evaluating.callback()
def _group() -> None:
    pass


@evaluating.command("pocket")
def eval_pocket(
    folder: Annotated[
        Path | None, options.folder_option("A pair: target/ and dspark/.", "the pair that ships with the lab")
    ] = None,
    prompts: Annotated[int | None, options.whole_option("Prompts of each domain.", "as the evaluation chooses")] = None,
    json: options.JsonFile = None,
) -> None:
    """Measure tau and acceptance of the pocket pair on prompts it was not trained on."""
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
