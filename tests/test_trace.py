"""Traces: nothing is lost in JSON, nothing broken is read, nothing half-written is left."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dspark_lab import LabError, Overrides, Session, Settings, Trace
from dspark_lab.loading import Lab
from dspark_lab.records import from_json
from tests.scripted import ScriptedDrafter, ScriptedTarget, table


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Of a scripted pair: short, with rejections, a forced token and a fork."""
    session = Session(ScriptedTarget(table(4, 1), 4), ScriptedDrafter(table(4, 2)), "abc", Settings(gamma=2, seed=3))
    session.run()
    return session.fork(0, Overrides(tokens={1: 0}, uniforms={"accept:1": 0.0})).trace()


def test_json_loses_nothing(trace: Trace, tmp_path: Path) -> None:
    assert Trace.from_json(json.loads(json.dumps(trace.to_json()))) == trace
    trace.save(tmp_path / "trace.json")
    assert Trace.load(tmp_path / "trace.json") == trace


def test_json_loses_nothing_of_a_real_pair(tiny_lab: Lab, tmp_path: Path) -> None:
    session = tiny_lab.session(
        "Say <script>alert('hi')</script> \U0001f600 你好\n\u2028", Settings(max_new_tokens=20)
    ).run()
    session.trace().save(tmp_path / "trace.json")
    read = Trace.load(str(tmp_path / "trace.json"))
    assert read == session.trace()
    assert read.prompt == session.prompt and read.tokens == session.tokens and read.text == session.text
    assert read.tau == pytest.approx(20 / len(read.rounds))
    assert read.settings["max_new_tokens"] == 20 and read.finished == "length"


def test_the_record_of_a_deterministic_session_is_strict_json(tiny_lab: Lab) -> None:
    """Temperature 0, top-k 1, gamma 0: no NaN or infinity anywhere, which a browser could not parse."""
    for settings in (Settings(0), Settings(top_k=1, gamma=1), Settings(gamma=0), Settings(100.0, top_p=1e-6)):
        session = tiny_lab.session("Tom", settings.with_changes({"max_new_tokens": 6})).run()
        json.dumps(session.trace().to_json(), allow_nan=False)


def test_a_session_without_rounds_has_a_trace(tiny_lab: Lab) -> None:
    empty = tiny_lab.session("Tom", Settings()).trace()
    assert Trace.from_json(empty.to_json()) == empty
    assert (empty.tau, empty.text, empty.finished, empty.tokens) == (0, "", "", [])


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put ``value`` at a dotted path; ``...`` removes what is there."""

    def edit(tree: dict[str, Any]) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            tree = tree[part]
        if value is ...:
            del tree[last]
        else:
            tree[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("schema_version", 1), "schema version 1, but this DSpark Lab reads version 3"),
        (change("schema_version", "1"), "schema version '1'"),
        (change("schema_version", ...), "no schema_version"),
        (change("prompt", ...), "trace lacks the field 'prompt'"),
        (change("rounds.0.accepted", ...), r"trace\.rounds\[0\] lacks the field 'accepted'"),
        (change("rounds.0.positions.1.p_d", ...), r"trace\.rounds\[0\]\.positions\[1\] lacks the field 'p_d'"),
        (change("rounds.0.accepted", "1"), r"trace\.rounds\[0\]\.accepted has a value of the wrong type: '1'"),
        (change("rounds.0.accepted", 1.5), r"trace\.rounds\[0\]\.accepted has a value of the wrong type"),
        (change("rounds.0.accepted", True), r"trace\.rounds\[0\]\.accepted has a value of the wrong type"),
        (change("rounds.0.positions.0.forced", 1), r"positions\[0\]\.forced has a value of the wrong type"),
        (change("rounds.0.positions.0.p_d", None), r"positions\[0\]\.p_d has a value of the wrong type"),
        (change("rounds.0.positions.0.cdf", [0.1]), r"positions\[0\]\.cdf has a value of the wrong type"),
        (change("rounds.0.positions.0.token", 5), r"positions\[0\]\.token is not a Token"),
        (change("rounds.0.surprise", 5), r"trace\.rounds\[0\] is not a Round"),
        (change("rounds", {}), r"trace\.rounds has a value of the wrong type"),
        (change("settings", []), r"trace\.settings has a value of the wrong type"),
        (change("target", None), r"trace\.target is not a ModelInfo"),
    ],
)
def test_what_is_off_is_named(trace: Trace, edit: Callable[[dict[str, Any]], None], message: str) -> None:
    tree = trace.to_json()
    edit(tree)
    with pytest.raises(LabError, match=message):
        Trace.from_json(tree)


@pytest.mark.parametrize("value", [None, [], "trace", 3])
def test_json_that_is_no_trace_is_refused(value: Any) -> None:
    with pytest.raises(LabError, match="not a DSpark Lab trace"):
        Trace.from_json(value)


def test_files_that_are_no_trace_are_named(trace: Trace, tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    with pytest.raises(LabError, match=r"trace\.json"):
        Trace.load(file)
    with pytest.raises(LabError, match="cannot read"):
        Trace.load(tmp_path)
    trace.save(file)
    whole = file.read_bytes()
    for size in (0, 1, len(whole) // 2, len(whole) - 2):
        file.write_bytes(whole[:size])
        with pytest.raises(LabError, match=r"trace\.json is not whole JSON"):
            Trace.load(file)
    file.write_bytes(b"\xff\xfe" + whole)
    with pytest.raises(LabError, match=r"trace\.json"):
        Trace.load(file)
    file.write_text("<html></html>")
    with pytest.raises(LabError, match="not whole JSON"):
        Trace.load(file)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(
    trace: Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "trace.json"
    file.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises((OSError, LabError), match="No space left"):
        trace.save(file)
    assert file.read_text() == "old" and os.listdir(tmp_path) == ["trace.json"]


def test_a_folder_that_cannot_be_written_is_named(trace: Trace, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"cannot write .*absent/trace\.json.*Choose a file in a folder"):
        trace.save(tmp_path / "absent" / "trace.json")


@pytest.mark.parametrize("text", ["[" * 200_000, '{"schema_version":1,"x":' + "9" * 6_000 + "}"])
def test_json_that_python_cannot_read_is_no_trace(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(LabError, match="not whole JSON"):
        Trace.load(tmp_path / "t.json")


@pytest.mark.parametrize("number", ["NaN", "1e999"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, number: str) -> None:
    (tmp_path / "t.json").write_text(f'{{"milliseconds": {number}}}')
    value = json.loads((tmp_path / "t.json").read_text())["milliseconds"]
    with pytest.raises(LabError, match="wrong type"):
        from_json(float, value, "trace.timings.other")
    with pytest.raises(LabError, match="surrogate"):
        from_json(str, "\ud800", "trace.prompt")
