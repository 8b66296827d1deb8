"""``dspark-lab train`` and ``eval``: make the pocket pair, and measure a pair."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from dspark_lab.cli import options
from dspark_lab.cli.console import interrupted, say
from dspark_lab.cli.lazy import part
from dspark_lab.errors import LabError
from dspark_lab.settings import Settings

training = typer.Typer(no_args_is_help=True, help="Train models; every training resumes where it was interrupted.")
evaluating = typer.Typer(no_args_is_help=True, help="Measure acceptance on held-out prompts.")

RUNS = Path("runs", "pocket")


@training.callback()
@evaluating.callback()
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
    _evaluate(out, card=True)


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
    _evaluate(folder, json_file=json, **more)


def _evaluate(folder: Path, **arguments: Any) -> None:
    part("dspark_lab.evaluation.pocket", "evaluate", "install the lab again")(folder, **arguments)


def _make(option: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise LabError(f"{option} {folder} cannot be written: {error.strerror}. Choose another folder.") from error
