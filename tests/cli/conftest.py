"""The command line as a function, on the tiny pair."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dspark_lab.cli import app

Cli = Callable[..., Any]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """``cli("step", "Hello.", stdin=None)``, run in an empty folder 100 columns wide; the result has exit_code, stdout
    and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("FORCE_COLOR", raising=False)

    def run(*arguments: str, stdin: str | bytes | None = None) -> Any:
        return CliRunner().invoke(app, list(arguments), input=stdin, prog_name="dspark-lab")

    return run


@pytest.fixture
def pair(tiny_folder: Path) -> list[str]:
    """Options that name the tiny pair."""
    return ["--target", str(tiny_folder / "target"), "--drafter", str(tiny_folder / "dspark"), "--device", "cpu"]
