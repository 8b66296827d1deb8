"""What commands that train share: folders that are made, threads, devices, lists of numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dspark_lab.cli import options
from dspark_lab.errors import LabError

if TYPE_CHECKING:
    import torch

    from dspark_lab.training.processes import Alone

Threads = Annotated[int | None, options.whole_option("CPU threads to compute with.", "as torch chooses")]


def folder(help_text: str, default: str | bool = True, panel: str | None = None) -> Any:
    """An option that names a folder."""
    return typer.Option(
        help=help_text, parser=options.path, metavar="FOLDER", show_default=default, rich_help_panel=panel
    )


def make(**folders: Path | None) -> None:
    """Make the folders that options name. Raises LabError, naming the option, for one that takes no files."""
    for name, place in folders.items():
        if place is not None:
            make_folder(f"--{name.replace('_', '-')}", place)


def make_folder(name: str, folder: Path) -> None:
    """Make sure that ``folder``, called ``name``, is there and takes files. Raises LabError where it does not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise LabError(f"{name} {folder} cannot be written: {error.strerror}. Choose another folder.") from error


def check_threads(threads: int | None) -> None:
    if threads is not None and not 1 <= threads <= 1024:
        raise LabError(f"--threads is {threads}, but must be from 1 to 1024: the number of cores is a good choice.")


def whole_numbers(option: str, text: str, form: str) -> tuple[int, ...]:
    """Whole numbers separated by commas. Raises LabError for anything else; ``form`` shows how to write them."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise LabError(f"{option} is {text!r}, but must be written as {form}.") from None


def device(name: str | None, group: Alone) -> torch.device:
    """The device that an option names, or each process's own, or CUDA where there is one."""
    import torch

    options.check_device(name)
    if name is not None:
        return torch.device(name)
    return group.device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
