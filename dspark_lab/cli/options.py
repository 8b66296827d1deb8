"""Options that commands share, and what is checked before any model is loaded."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dspark_lab.errors import LabError
from dspark_lab.records import write_atomically
from dspark_lab.settings import Settings

if TYPE_CHECKING:
    from dspark_lab.loading import Lab

DEFAULTS = Settings()
LONGEST_INPUT = 4 * 2**20
EXAMPLE = '"Tom has 12 apples. He buys 7 more. How many apples does Tom have now?"'

_SAMPLING, _MODELS, _FILES = "Sampling", "Models", "Files"


def whole(text: str | int) -> int:
    """An option's whole number; its range is checked where its meaning is known."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None


def number(text: str | float) -> float:
    """An option's number."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


def whole_option(help_text: str, default: str | bool = True, panel: str | None = None) -> Any:
    """An option that takes a whole number; ``default`` says in words what it is left out for."""
    return typer.Option(help=help_text, parser=whole, metavar="N", show_default=default, rich_help_panel=panel)


def number_option(help_text: str, panel: str | None = None) -> Any:
    """An option that takes a number."""
    return typer.Option(help=help_text, parser=number, metavar="X", rich_help_panel=panel)


Prompt = Annotated[
    str | None, typer.Argument(help="What to ask; without it, or with -, stdin is read.", show_default=False)
]
Temperature = Annotated[float, number_option("0 is greedy.", _SAMPLING)]
TopK = Annotated[int, whole_option("Keep the k most probable tokens; 0 keeps all.", panel=_SAMPLING)]
TopP = Annotated[float, number_option("Keep this much probability; 1 keeps all.", _SAMPLING)]
Gamma = Annotated[
    int | None,
    whole_option("Tokens drafted a round; 0 decodes without drafting.", "the drafter's block", _SAMPLING),
]
Seed = Annotated[int, whole_option("The same seed gives the same run.", panel=_SAMPLING)]
MaxNewTokens = Annotated[int, whole_option("Stop after this many tokens.", panel=_SAMPLING)]
TargetModel = Annotated[
    str | None,
    typer.Option("--target", help="A folder or hub id.", show_default="the pocket pair", rich_help_panel=_MODELS),
]
DrafterModel = Annotated[
    str | None,
    typer.Option("--drafter", help="A DSpark or DFlash checkpoint for the target.", rich_help_panel=_MODELS),
]
NoDrafter = Annotated[bool, typer.Option("--no-drafter", help="Decode one token a round.", rich_help_panel=_MODELS)]
Device = Annotated[
    str | None, typer.Option(help="cpu, cuda, ...", show_default="CUDA when there is one", rich_help_panel=_MODELS)
]
TraceFile = Annotated[
    Path | None,
    typer.Option("--trace", metavar="FILE", help="Record every round in this file.", rich_help_panel=_FILES),
]
JsonFile = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the result as JSON.", rich_help_panel=_FILES)
]


def read_prompt(argument: str | None) -> str:
    """The prompt from the command line or, with none or "-", from stdin; checked.

    Raises:
        LabError: there is none, it is not UTF-8 text, or it is longer than any model takes.
    """
    if argument is None or argument == "-":
        if sys.stdin is None or sys.stdin.isatty():
            raise LabError(f"there is no prompt: give one in quotes, such as {EXAMPLE}, or pipe it in.")
        data = sys.stdin.buffer.read(LONGEST_INPUT + 1)
        if len(data) > LONGEST_INPUT:
            raise LabError(f"the prompt on stdin is longer than {LONGEST_INPUT:,} bytes: shorten it.")
        try:
            argument = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise LabError(
                f"the prompt on stdin is not UTF-8 text (byte {error.start + 1}): convert it first."
            ) from error
    from dspark_lab.prompts import clean_prompt

    return clean_prompt(argument)


def check_outputs(**files: Path | None) -> None:
    """Make sure, before any work is done, that each of these options' files can be written.

    Raises:
        LabError: the folder is missing or closed, the name is no regular file's, or two options name the same file.
    """
    seen: dict[Path, str] = {}
    for name, path in files.items():
        if path is None:
            continue
        option = "OUT" if name == "out" else f"--{name}"
        folder = path.parent
        if not folder.is_dir():
            raise LabError(f"{option} {path} cannot be written: there is no folder {folder}. Make it first.")
        if path.is_dir() or (path.exists() and not path.is_file()):
            raise LabError(f"{option} {path} is not a file that can be written: name a file in a folder that exists.")
        if not os.access(folder, os.W_OK):
            raise LabError(f"{option} {path} cannot be written: the folder {folder} is read-only. Choose another.")
        if path.resolve() in seen:
            raise LabError(f"{seen[path.resolve()]} and {option} both name {path}: give each a file of its own.")
        seen[path.resolve()] = option


def write(path: Path, text: str) -> None:
    """Write a whole file or nothing. Raises LabError where that fails."""
    try:
        write_atomically(path, text)
    except OSError as error:
        raise LabError(f"cannot write {path}: {error.strerror or error}. Choose another folder.") from error


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that is safe to print to a terminal: everything beyond ASCII is escaped."""
    write(path, json.dumps(value, indent=2) + "\n")


def open_pair(target: str | None, drafter: str | None, no_drafter: bool, device: str | None) -> Lab:
    """Load what the options name.

    Raises:
        LabError: the options contradict each other, the device is not there, or a model cannot be loaded.
    """
    if drafter is not None and no_drafter:
        raise LabError(f"--drafter {drafter} and --no-drafter contradict each other: leave one of them out.")
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    from dspark_lab.loading import load

    _check_device(device)
    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        set_verbosity_error()  # what matters is said here, once
    if all(name is None or Path(name).expanduser().is_dir() for name in (target, drafter)):
        disable_progress_bar()  # nothing will be downloaded
    lab = load(target, drafter, device)
    if no_drafter:
        lab.drafter = None
    return lab


def _check_device(device: str | None) -> None:
    if device is None:
        return
    import torch

    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise LabError(f"the device {device!r} cannot be used on this machine: choose one of {here}.") from error
