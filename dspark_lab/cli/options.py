"""Options that commands share, and what is checked before any model is loaded."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dspark_lab.cli.streams import outlive_readers
from dspark_lab.errors import LabError
from dspark_lab.records import check_writable, write_atomically
from dspark_lab.scheduling.policies import POLICIES
from dspark_lab.settings import Settings

if TYPE_CHECKING:
    from dspark_lab.loading import Lab

DEFAULTS = Settings()
LONGEST_INPUT = 4 * 2**20
EXAMPLE = '"Tom has 12 apples. He buys 7 more. How many apples does Tom have now?"'

_SAMPLING, _SCHEDULING, _MODELS, _FILES = "Sampling", "Scheduling", "Models", "Files"


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


def named(text: str) -> str:
    """An option's text, such as an empty shell variable does not give."""
    if not text.strip():
        raise typer.BadParameter(f"{text!r} is empty: give a name, or leave it out")
    return text


def path(text: str | Path) -> Path:
    """An option's file or folder."""
    return Path(named(str(text)))


def whole_option(help_text: str, default: str | bool = True, panel: str | None = None) -> Any:
    """An option that takes a whole number; ``default`` says in words what it is left out for."""
    return typer.Option(help=help_text, parser=whole, metavar="N", show_default=default, rich_help_panel=panel)


def number_option(help_text: str, panel: str | None = None, default: str | bool = True) -> Any:
    """An option that takes a number."""
    return typer.Option(help=help_text, parser=number, metavar="X", show_default=default, rich_help_panel=panel)


def name_option(help_text: str, default: str | bool = True, panel: str | None = None) -> Any:
    """An option that takes a name."""
    return typer.Option(help=help_text, parser=named, metavar="NAME", show_default=default, rich_help_panel=panel)


def names_option(help_text: str, default: str) -> Any:
    """An option that takes a name and may be given several times."""
    return typer.Option(help=help_text, parser=named, metavar="NAME", show_default=default)


def file_option(help_text: str) -> Any:
    """An option that names a file to write."""
    return typer.Option(help=help_text, parser=path, metavar="FILE", rich_help_panel=_FILES)


def folder_option(help_text: str, default: str | bool = True) -> Any:
    """An option that names a folder."""
    return typer.Option(help=help_text, parser=path, metavar="FOLDER", show_default=default)


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
TreeSize = Annotated[
    int, whole_option("Nodes of a draft tree verified a round, at most gamma deep; 0 drafts a chain.", panel=_SAMPLING)
]
Seed = Annotated[int, whole_option("The same seed gives the same run.", panel=_SAMPLING)]
MaxNewTokens = Annotated[int, whole_option("Stop after this many tokens.", panel=_SAMPLING)]
Policy = Annotated[
    str,
    name_option(f"How much of a draft is verified: {', '.join(POLICIES)} (fixed:4, threshold:0.7).", True, _SCHEDULING),
]
Load = Annotated[int, whole_option("Simulated background requests that share the target's steps.", panel=_SCHEDULING)]
StepRate = Annotated[
    str, name_option("What a step costs by its tokens: a name, or a file of dspark-lab profile.", True, _SCHEDULING)
]
TargetModel = Annotated[str | None, name_option("A folder or hub id.", "the pocket pair", _MODELS)]
DrafterModel = Annotated[
    str | None, name_option("A kind, or a checkpoint for the target: a folder or a hub id.", panel=_MODELS)
]
NoDrafter = Annotated[bool, typer.Option("--no-drafter", help="Decode one token a round.", rich_help_panel=_MODELS)]
Device = Annotated[str | None, name_option("cpu, cuda, ...", "CUDA when there is one", _MODELS)]
TraceFile = Annotated[Path | None, file_option("Record every round in this file.")]
JsonFile = Annotated[Path | None, file_option("Write the result as JSON.")]


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
    """Make sure, before any work is done, that each of these options' files can be written. From here on the command
    goes on to them even if nobody reads what it prints any more.

    Raises:
        LabError: a file cannot be written, or two options name the same one.
    """
    seen: dict[str, str] = {}
    for name, file in files.items():
        if file is None:
            continue
        option, place = "OUT" if name == "out" else f"--{name}", os.path.realpath(file)
        check_writable(file, f"{option} {file}")
        if place in seen:
            raise LabError(f"{seen[place]} and {option} both name {file}: give each a file of its own.")
        seen[place] = option
        outlive_readers()


def write_json(file: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that is safe to print to a terminal: everything beyond ASCII is escaped."""
    write_atomically(file, json.dumps(value, indent=2) + "\n")


def open_pair(target: str | None, drafter: str | None, no_drafter: bool, device: str | None) -> Lab:
    """Load what the options name.

    Raises:
        LabError: the options contradict each other, the device is not there, or a model cannot be loaded.
    """
    if drafter is not None and no_drafter:
        raise LabError(f"--drafter {drafter} and --no-drafter contradict each other: leave one of them out.")
    from dspark_lab.loading import load

    check_device(device)
    quieten(target, drafter)
    lab = load(target, drafter, device)
    if no_drafter:
        lab.drafter = None
    return lab


def quieten(*models: str | None) -> None:
    """Have transformers say nothing, and show no progress where the ``models`` are here already."""
    from transformers.utils.logging import disable_progress_bar, set_verbosity_error

    if "TRANSFORMERS_VERBOSITY" not in os.environ:
        set_verbosity_error()  # what matters is said here, once
    if all(name is None or os.path.isdir(os.path.expanduser(name)) for name in models):
        disable_progress_bar()  # nothing will be downloaded


def check_device(device: str | None) -> None:
    """Raises LabError for a device that this machine cannot use."""
    if device is None:
        return
    import torch

    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = "cpu, cuda" if torch.cuda.is_available() else "cpu"
        raise LabError(f"the device {device!r} cannot be used on this machine: choose one of {here}.") from error
