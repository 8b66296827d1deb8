"""Charts drawn into a folder, as commands with --figures do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dspark_lab.cli.checks import find_chromium
from dspark_lab.cli.console import say
from dspark_lab.cli.lazy import part

if TYPE_CHECKING:
    from dspark_lab.evaluation.charts import Chart


def draw(charts: Sequence[Chart], folder: Path) -> None:
    """Write the charts into ``folder``, as pictures too where there is a Chromium to take them."""
    browser = find_chromium()
    files = part("dspark_lab.evaluation.drawing", "write")(charts, folder, browser)
    say(f"{len(charts)} figures are in {folder}, such as {files[0]}")
    if browser is None:
        say("no pictures (PNG) beside them: no Chromium was found, name one with DSPARK_CHROMIUM", "yellow")
