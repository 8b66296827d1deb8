"""Whatever a person can get wrong ends with status 2 and one message that names value, limit and remedy."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.cli import generate, options
from dspark_lab.errors import LabError

PROMPT = "Tom has 3 apples."


def says(result: Any, *parts: str) -> None:
    """One message, nothing else, holding these parts."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("error: ") == 1 and result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    for part in parts:
        assert part in result.stderr


@pytest.mark.parametrize("command", ["step", "generate"])
@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--temperature", "nan"], ["temperature", "nan", "0 to 100", "0 is greedy"]),
        (["--temperature", "inf"], ["temperature", "inf", "0 to 100"]),
        (["--temperature", "-1"], ["temperature", "-1.0", "0 to 100"]),
        (["--top-k", "-1"], ["top_k", "-1", "0 switches it off"]),
        (["--top-p", "0"], ["top_p", "0.0", "1 switches it off"]),
        (["--top-p", "1.5"], ["top_p", "1.5", "to 1"]),
        (["--gamma", "-1"], ["gamma", "-1", "0 decodes without drafting"]),
        (["--gamma", "4096"], ["gamma", "4096", "1024"]),
        (["--seed", "-7"], ["seed", "-7", "from 0"]),
        (["--max-new-tokens", "0"], ["max_new_tokens", "0", "at least one"]),
        (["--gamma", "many"], ["--gamma", "'many' is not a whole number", "--help"]),
        (["--temperature", "1,5"], ["--temperature", "'1,5' is not a number", "--help"]),
        (["--drafter", "d", "--no-drafter"], ["--drafter d", "--no-drafter", "leave one"]),
        (["--trace", "gone/t.json"], ["--trace gone/t.json", "no folder gone", "make it first"]),
        (["--json", "gone/t.json"], ["--json gone/t.json", "no folder gone"]),
        (["--trace", "."], ["--trace .", "not a file"]),
        (["--trace", ""], ["--trace", "'' is empty"]),
        (["--json", " "], ["--json", "' ' is empty"]),
        (["--trace", "a" * 256], ["--trace aaa", "File name too long", "255 bytes"]),
        (["--json", "a" * 255 + "/t.json"], ["--json aaa", "no folder aaa"]),
        (["--json", "b/" * 3000 + "t.json"], ["--json b/b", "File name too long", "4,096"]),
        (["--target", ""], ["--target", "'' is empty", "leave it out"]),
        (["--drafter", ""], ["--drafter", "'' is empty", "leave it out"]),
        (["--device", ""], ["--device", "'' is empty", "leave it out"]),
        (["--max-new-tokens", "1000001"], ["max_new_tokens", "1000001", "to 1000000", "128"]),
        (["--gamma", "0.5"], ["--gamma", "'0.5' is not a whole number"]),
        (["--temperature", "-inf"], ["temperature", "-inf", "0 to 100"]),
        (["--trace", "same.json", "--json", "./same.json"], ["--trace", "--json", "a file of its own"]),
        (["--no-such-option"], ["--no-such-option", "--help"]),
        (["and", "more"], ["and more", "in quotes"]),
    ],
)
def test_a_bad_option_is_refused_before_any_model_is_loaded(
    cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, arguments: list[str], parts: list[str]
) -> None:
    monkeypatch.setattr("dspark_lab.loading.load", lambda *_: pytest.fail("a model was loaded"))
    says(cli(command, PROMPT, *arguments), *parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["step", PROMPT, "--rounds", "0"], ["--rounds", "0", "at least 1"]),
        (["generate", PROMPT, "--compare", "--no-drafter"], ["--compare", "--no-drafter"]),
        (["generate", PROMPT, "--device", "abacus"], ["abacus", "cpu"]),
        (["generate", PROMPT, "--target", "./nowhere"], ["./nowhere", "no folder"]),
        (["serve", "--port", "70000"], ["70000", "65535"]),
        (["serve", "--timeout", "nan"], ["nan", "seconds"]),
        (["serve", "nowhere.ipynb"], ["nowhere.ipynb", "name an .ipynb"]),
        (["serve", ""], ["'' is empty"]),
        (["serve", "--host", ""], ["--host", "'' is empty"]),
        (["train", "pocket", "--out", ""], ["--out", "'' is empty"]),
        (["train", "pocket", "--work", ""], ["--work", "'' is empty"]),
        (["eval", "pocket", "--folder", ""], ["--folder", "'' is empty"]),
        (["export-html", "", "out.html"], ["TRACE.json", "'' is empty"]),
        (["export-html", "t.json", ""], ["OUT.html", "'' is empty"]),
        (["eval", "pocket", "--prompts", "0"], ["--prompts", "0", "at least 1"]),
        (["eval", "pocket", "--folder", "nowhere"], ["nowhere", "target/ is missing"]),
        (["train", "pocket", "--threads", "0"], ["--threads", "0", "1 to 1024"]),
        (["train", "pocket", "--seed", "-1"], ["seed", "-1"]),
        (["bench", "decode", "--json", "gone/b.json"], ["gone/b.json", "no folder gone"]),
        (["doctor", "--json", "gone/d.json"], ["gone/d.json", "no folder gone"]),
        (["export-html", "nowhere.json", "out.html"], ["nowhere.json", "No such file"]),
        (["export-html", "nowhere.json", "gone/out.html"], ["gone/out.html", "no folder gone"]),
        (["fly"], ["fly", "dspark-lab --help"]),
    ],
)
def test_other_bad_arguments_are_refused(cli: Any, tmp_path: Path, arguments: list[str], parts: list[str]) -> None:
    says(cli(*arguments), *parts)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("stdin", "parts"),
    [
        ("", ["prompt is empty"]),
        (" \n\t ", ["prompt is empty"]),
        ("a\x1b[31mb", ["U+001B", "place 2", "remove it"]),
        ("a\x9bb", ["U+009B"]),
        (b"caf\xe9", ["UTF-8", "byte 4"]),
        ("a" * (options.LONGEST_INPUT + 1), ["4,194,304 bytes", "shorten"]),
    ],
)
def test_a_bad_prompt_on_stdin_is_refused(cli: Any, stdin: str | bytes, parts: list[str]) -> None:
    result = cli("generate", "-", stdin=stdin)
    says(result, *parts)
    assert "\x1b" not in result.output


@pytest.mark.parametrize("command", [["step", PROMPT, "--trace"], ["bench", "decode", "--json"], ["doctor", "--json"]])
def test_a_file_that_cannot_be_made_is_refused_before_any_work(
    cli: Any, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """The folder is there and may be listed, but takes no file: only trying shows it."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    monkeypatch.setattr("dspark_lab.loading.load", lambda *_: pytest.fail("a model was loaded"))
    says(cli(*command, "t.json"), f"{command[-1]} t.json", "Permission denied", "Choose a file in a folder")


def test_a_protected_file_is_not_replaced(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("t.json").write_text("kept")
    monkeypatch.setattr("os.access", lambda *_: False)
    says(cli("step", PROMPT, "--trace", "t.json"), "--trace t.json", "write-protected")
    assert Path("t.json").read_text() == "kept"


def test_a_link_that_leads_nowhere_but_to_itself_is_refused(cli: Any) -> None:
    os.symlink("loop", "loop")
    says(cli("step", PROMPT, "--trace", "loop"), "--trace loop", "symbolic links")


def test_a_name_as_long_as_a_name_may_be_is_written(tmp_path: Path) -> None:
    file = tmp_path / ("é" * 125 + ".json")
    options.check_outputs(json=file)
    options.write_json(file, {})
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_a_folder_that_takes_no_file_is_refused_before_training(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dspark_lab.training.pocket.train_pocket", lambda *_: pytest.fail("training began"))
    Path("file").write_text("kept")
    says(cli("train", "pocket", "--out", "file"), "--out file", "Choose another folder")
    if Path("/proc/self").is_dir():
        says(cli("train", "pocket", "--out", "/proc/self"), "--out /proc/self", "Choose another folder")


def test_gamma_beyond_the_drafters_block_is_refused_with_its_size(cli: Any, pair: list[str], tmp_path: Path) -> None:
    says(cli("step", PROMPT, *pair, "--gamma", "6", "--trace", "t.json"), "gamma is 6", "blocks of 5", "0 to 5")
    assert not list(tmp_path.iterdir())


def test_a_prompt_longer_than_the_context_is_refused_with_the_limit(cli: Any, pair: list[str]) -> None:
    says(cli("generate", "apples " * 400, *pair), "256", "shorten")


def test_comparing_without_a_drafter_is_refused(cli: Any, tiny_folder: Path) -> None:
    says(cli("generate", PROMPT, "--compare", "--target", str(tiny_folder / "target")), "--compare", "--drafter")


def test_no_prompt_at_a_terminal_asks_for_one_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(LabError, match=r'in quotes, such as "Tom has 12 apples'):
        options.read_prompt(None)


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no device files here")
def test_a_device_file_is_never_replaced_by_a_result() -> None:
    with pytest.raises(LabError, match="not a file"):
        options.check_outputs(json=Path("/dev/null"))


@pytest.mark.parametrize("option", ["--trace", "--json"])
def test_a_disk_that_fills_up_during_the_run_is_one_message(
    cli: Any, pair: list[str], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    result = cli("step", PROMPT, *pair, "--rounds", "1", option, "t.json")
    assert result.exit_code == 2 and not list(Path.cwd().iterdir())
    assert result.stderr.startswith("error: cannot write t.json: No space left on device")


def test_a_full_disk_is_one_message_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(LabError, match="No space left on device"):
        options.write_json(tmp_path / "r.json", {"text": "a"})
    assert not list(tmp_path.iterdir())


def test_ctrl_c_ends_with_130_and_a_short_line(cli: Any, pair: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(generate, "measure", interrupt)
    result = cli("generate", PROMPT, *pair)
    assert result.exit_code == 130
    assert result.stderr == "interrupted\n"
