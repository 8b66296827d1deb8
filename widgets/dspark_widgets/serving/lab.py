"""JupyterLab for the course: ``python -m dspark_widgets.serving.lab [FOLDER] [options of jupyter lab]``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .options import CONNECTION, KERNEL_OPTIONS

# Without these JupyterLab asks whether it may fetch news, even when it is told that there are none.
SETTINGS = Path(__file__).with_name("share") / "jupyter" / "lab" / "settings"


def lab_command(folder: Path, extra: Sequence[str] = ()) -> list[str]:
    """Return the command that opens JupyterLab on ``folder``: the fast websocket, no news and no update checks."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder}",
        f"--ServerApp.kernel_websocket_connection_class={CONNECTION}",
        *KERNEL_OPTIONS,
        f"--LabApp.app_settings_dir={SETTINGS}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        *extra,
    ]


def main(arguments: Sequence[str]) -> None:
    """Become JupyterLab; the first argument may name the folder it opens."""
    folder, extra = Path.cwd(), list(arguments)
    if extra and not extra[0].startswith("-"):
        folder = Path(extra.pop(0))
    if not folder.is_dir():
        sys.exit(f"{folder} is not a folder: name the one that holds the notebooks, such as notebooks/")
    command = lab_command(folder.resolve(), extra)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
