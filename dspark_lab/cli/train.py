"""``dspark-lab train``: make the pocket pair."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dspark_lab.cli import options
from dspark_lab.cli.console import interrupted, say
from dspark_lab.cli.lazy import part
from dspark_lab.errors import LabError
from dspark_lab.settings import Settings

training = typer.Typer(no_args_is_help=True, help="Train models; every training resumes where it was interrupted.")

RUNS = Path("runs", "pocket")


@training.callback()
def _group() -> None:
    pass


@training.command("pocket")
def train_pocket(
    out: Annotated[Path, options.folder_option("Folder for the finished pair.")] = RUNS,
    work: Annotated[
        Path | None, options.folder_option("Folder for checkpoints and logs.", "work/ in the --out folder")
    ] = None,
    seed: Annotated[int, options.whole_option("Another seed makes another pair.")] = 0,
    threads: Annotated[int | None, options.whole_option("CPU threads to compute with.", "as torch chooses")] = None,
) -> None:
    """Train the pocket pair from nothing: tokenizer, target, its own answers, drafter. Then measure it, and write its
    model card."""
    Settings(seed=seed)
    if threads is not None and not 1 <= threads <= 1024:
        raise LabError(f"--threads is {threads}, but must be from 1 to 1024: the number of cores is a good choice.")
    work = work or out / "work"
    for option, folder in (("--out", out), ("--work", work)):
        _make(option, folder)
    import torch

    from dspark_lab.training import pocket

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


def _make(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise LabError(f"{option} {folder} cannot be written: {error.strerror}. Choose another folder.") from error
