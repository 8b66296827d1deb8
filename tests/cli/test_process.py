"""The command as a process of its own: start-up, exit status, streams."""

from __future__ import annotations

import os
import subprocess
import sys

PROMPT = "Tom has 3 apples."


def run(*command: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(
        [sys.executable, *command], input=stdin, capture_output=True, encoding="utf-8", env=variables, timeout=600
    )


def test_help_comes_without_torch() -> None:
    code = (
        "import sys; from dspark_lab.cli import app, main; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert run("-c", code).returncode == 0
    result = run("-m", "dspark_lab", "--help")
    assert result.returncode == 0
    for command in ("step", "generate", "serve", "export-html", "doctor", "train", "eval", "bench"):
        assert command in result.stdout


def test_an_error_is_one_line_on_stderr_whatever_the_value_holds() -> None:
    result = run("-m", "dspark_lab", "step", PROMPT, "--trace", "gone\x1b[2J/t.json")
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("error: --trace gone␛[2J") and result.stderr.count("\n") == 1
    assert "\x1b" not in run("-m", "dspark_lab", "--no\x1b[2Jsuch").stderr


def test_a_pipe_carries_plain_text_even_where_the_encoding_is_poor(pair: list[str]) -> None:
    command = ["-m", "dspark_lab", "step", *pair, "--max-new-tokens", "4", "--rounds", "1"]
    result = run(*command, stdin=PROMPT, PYTHONIOENCODING="ascii", COLUMNS="80")
    assert result.returncode == 0, result.stderr
    assert "verdict" in result.stdout and "\x1b" not in result.stdout
    assert result.stderr == ""
