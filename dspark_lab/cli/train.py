"""``dspark-lab train``: a drafter for a target, or the pocket pair from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dspark_lab.cli import options, runs
from dspark_lab.cli.console import interrupted, say
from dspark_lab.cli.lazy import part
from dspark_lab.cli.train_drafter import train_drafter
from dspark_lab.settings import Settings

training = typer.Typer(no_args_is_help=True, help="Train models; every training resumes where it was interrupted.")

RUNS = Path("runs", "pocket")


@training.callback()
def _group() -> None:
    pass


training.command("drafter")(train_drafter)


@training.command("pocket")
def train_pocket(
    out: Annotated[Path, options.folder_option("Folder for the finished pair.")] = RUNS,
    work: Annotated[
        Path | None, options.folder_option("Folder for checkpoints and logs.", "work/ in the --out folder")
    ] = None,
    seed: Annotated[int, options.whole_option("Another seed makes another pair.")] = 0,
    threads: runs.Threads = None,
) -> None:
    """Train the pocket pair from nothing: tokenizer, target, its own answers, drafter. Then measure it, and write its
    model card."""
    Settings(seed=seed)
    runs.check_threads(threads)
    work = work or out / "work"
    runs.make(out=out, work=work)
    import torch

    from dspark_lab.memory import keep_freed
    from dspark_lab.training import pocket

    keep_freed()
    if threads is not None:
        torch.set_num_threads(threads)
    say(f"checkpoints and logs are in {work}; after an interruption the same command goes on from there")
    try:
        pocket.train_pocket(out, work, pocket.Recipe(seed=seed))
    except KeyboardInterrupt:
        interrupted(f"interrupted: run the same command again to go on from the last checkpoint in {work}")
        raise typer.Exit(130) from None
    say(f"the trained pair is in {out}: use it with --target {out / 'target'} --drafter {out / 'dspark'}")
    part("dspark_lab.evaluation.pocket", "evaluate", "install the lab again")(out, card=True)
