"""The command as a process of its own: start-up, exit status, streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dspark_lab import Trace

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
    simulating = code.replace(
        "dspark_lab.cli import app, main",
        "dspark_lab.evaluation import serving; import dspark_lab.scheduling.contenders",
    )
    assert run("-c", simulating).returncode == 0  # what is simulated needs no models
    result = run("-m", "dspark_lab", "--help")
    assert result.returncode == 0
    for command in ("step", "generate", "serve", "export-html", "export-drafter", "doctor", "train", "eval", "bench"):
        assert command in result.stdout


def test_an_error_is_one_line_on_stderr_whatever_the_value_holds() -> None:
    result = run("-m", "dspark_lab", "step", PROMPT, "--trace", "gone\x1b[2J/t.json")
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.startswith("error: cannot write --trace gone␛[2J") and result.stderr.count("\n") == 1
    assert "\x1b" not in run("-m", "dspark_lab", "--no\x1b[2Jsuch").stderr


def test_a_pipe_carries_plain_text_even_where_the_encoding_is_poor(pair: list[str]) -> None:
    command = ["-m", "dspark_lab", "step", *pair, "--max-new-tokens", "4", "--rounds", "1"]
    result = run(*command, stdin=PROMPT, PYTHONIOENCODING="ascii", COLUMNS="80")
    assert result.returncode == 0, result.stderr
    assert "verdict" in result.stdout and "\x1b" not in result.stdout
    assert result.stderr == ""


def read_a_line_of(*command: str, errors: bool = False) -> tuple[str, str, int]:
    """The first line, as ``head -1`` reads it, what was said on stderr, and the status."""
    child = subprocess.Popen(
        [sys.executable, "-m", "dspark_lab", *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if errors else subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "80"},
        encoding="utf-8",
    )
    with child:
        assert child.stdout
        line = child.stdout.readline()
        child.stdout.close()
        said = child.stderr.read() if child.stderr else ""
    return line, said, child.returncode


@pytest.mark.parametrize("errors", [False, True])
def test_files_asked_for_are_whole_though_the_reader_of_stdout_has_gone(
    pair: list[str], tmp_path: Path, errors: bool
) -> None:
    trace, result = tmp_path / "t.json", tmp_path / "r.json"
    command = ["step", PROMPT, *pair, "--max-new-tokens", "200", "--trace", str(trace), "--json", str(result)]
    line, said, status = read_a_line_of(*command, errors=errors)
    assert "Round 1" in line and (said, status) == ("", 141)
    read = Trace.load(trace)
    assert read.finished and len(read.tokens) == json.loads(result.read_text())["tokens"]


def test_without_files_a_command_ends_when_its_reader_has_gone(pair: list[str]) -> None:
    line, said, status = read_a_line_of("step", PROMPT, *pair, "--max-new-tokens", "200")
    assert "Round 1" in line and (said, status) == ("", 141)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full here")
def test_a_full_disk_behind_stdout_is_one_message_and_the_trace_is_kept(pair: list[str], tmp_path: Path) -> None:
    code = 'exec "$0" -m dspark_lab generate "$@" > /dev/full'
    command = [PROMPT, *pair, "--max-new-tokens", "8"]
    for files in ([], ["--trace", str(tmp_path / "t.json")]):
        done = subprocess.run(
            ["sh", "-c", code, sys.executable, *command, *files], capture_output=True, encoding="utf-8", timeout=600
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("error: stdout cannot be written: No space left on device")
        assert "Traceback" not in done.stderr
    assert len(Trace.load(tmp_path / "t.json").tokens) == 8


def test_a_closed_stdout_is_none(pair: list[str]) -> None:
    code = 'exec "$0" -m dspark_lab generate "$@" >&-'
    done = subprocess.run(
        ["sh", "-c", code, sys.executable, PROMPT, *pair, "--max-new-tokens", "4"],
        capture_output=True, encoding="utf-8", timeout=600,
    )  # fmt: skip
    assert done.returncode == 0 and "4 tokens in" in done.stderr
