"""``dspark-lab export-drafter``: a drafter in the format of another project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dspark_lab.cli import options
from dspark_lab.cli.console import say


def export_drafter(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DRAFTER", help="A folder, a hub id, or a kind that ships with the lab.", parser=options.named
        ),
    ],
    form: Annotated[str, typer.Option("--format", help="deepspec or speculators (vLLM).", parser=options.named)],
    out: Annotated[Path, options.folder_option("The new folder.", default=False)],
    target: Annotated[
        str | None,
        options.name_option("What it drafts for, for speculators: a folder or hub id.", "the pocket target"),
    ] = None,
) -> None:
    """Write a drafter as DeepSpec or vLLM's speculators load it."""
    from dspark_lab.formats.export import export

    export(source, form, out, target)
    say(f"wrote {out}: a drafter in the {form} format")
