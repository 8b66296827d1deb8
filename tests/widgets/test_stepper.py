"""The stepper shows traces from anywhere, and answers whatever a page sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dspark_lab.errors import LabError
from dspark_widgets.stepper import Stepper
from tests.widgets import fixtures
from tests.widgets.asking import ask, lowered


def test_a_trace_its_json_and_its_file_show_the_same(tmp_path: Path) -> None:
    trace = fixtures.trace(seed=3)
    trace.save(tmp_path / "trace.json")
    shown = [
        Stepper(source).trace
        for source in (trace, trace.to_json(), tmp_path / "trace.json", str(tmp_path / "trace.json"))
    ]
    assert all(value == trace.to_json() for value in shown)


def test_another_language_is_sent_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    widget, sent = Stepper(fixtures.trace(seed=3)), []
    monkeypatch.setattr(widget, "send", sent.append)
    ask(widget, type="words", language="ja")
    assert [(reply["type"], reply["language"]) for reply in sent] == [("words", "ja")]
    assert "ラウンドステッパー" in sent[0]["script"] and "ラウンドステッパー" not in str(widget._esm)


def test_it_opens_where_it_is_told() -> None:
    cursor = Stepper(fixtures.trace(seed=3), round=2, phase="accept").cursor
    assert (cursor["round"], cursor["phase"]) == (2, "accept")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"sped": 2}, "sped"),
        ({"phase": "think"}, "think"),
        ({"round": 99}, "no round 99"),
        ({"round": -1}, "no round -1"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(LabError, match=said):
        Stepper(fixtures.trace(seed=3), **arguments)


@pytest.mark.parametrize("source", [42, {"rounds": []}, "nowhere.json", [1]])
def test_what_is_no_trace_is_refused(source: Any) -> None:
    with pytest.raises(LabError):
        Stepper(source)


def test_showing_another_trace_forgets_forks_and_place() -> None:
    widget = Stepper(fixtures.session(seed=2))
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.9))
    serial = widget.cursor["serial"]
    widget.show(fixtures.trace(seed=3))
    assert (widget.branches, widget.live) == ([], False)
    assert widget.cursor["serial"] > serial


def set_by_page(widget: Stepper, **state: Any) -> None:
    """As the page's update of traits."""
    widget._handle_msg({"content": {"data": {"method": "update", "state": state}}, "buffers": []})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("cursor", 5, "the page's cursor is not a Cursor: 5"),
        ("cursor", None, "cursor is not a Cursor"),
        ("cursor", [], "cursor is not a Cursor"),
        ("cursor", {"branch": "0"}, "cursor.branch has a value of the wrong type: '0'"),
        ("cursor", {"round": 1.5}, "cursor.round has a value of the wrong type"),
        ("cursor", {"phase": "think"}, "cursor.phase is 'think', but must be one of 'prompt', 'parallel'"),
        ("cursor", {"phase": []}, "cursor.phase is []"),
        ("cursor", {"place": 1}, "unknown field 'place'"),
        ("cursor", {"round": 1}, "the page's cursor lacks the field 'branch'"),
        ("preferences", {"theme": "pink"}, "preferences.theme is 'pink'"),
        ("preferences", {"speed": float("inf")}, "preferences.speed"),
        ("preferences", "fast", "preferences"),
        ("cursor", {"at": "2"}, "cursor.at has a value of the wrong type"),
        ("trace", {"rounds": 3}, "the page cannot set trace"),
        ("branches", 7, "the page cannot set branches"),
        ("status", [], "the page cannot set status"),
        ("live", True, "the page cannot set live"),
        ("layout", 5, "layout"),
        ("tooltip", 5, "tooltip"),
    ],
)
def test_a_value_that_does_not_fit_its_trait_is_answered_and_changes_nothing(
    name: str, value: Any, said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    widget = Stepper(fixtures.session(seed=2))
    before, sent = widget.get_state(), list[dict[str, Any]]()
    monkeypatch.setattr(widget, "_send", lambda message, **_: sent.append(message))
    set_by_page(widget, **{name: value})
    assert said in widget.status["error"] and "ecord the trace" not in widget.status["error"]
    assert (widget.status["state"], widget.status["where"]) == ("ready", "request")
    assert {**widget.get_state(), "status": None} == {**before, "status": None}
    assert sent[-1]["method"] == "update" and list(sent[-1]["state"]) == [name]  # the page shows what is there again
    assert not caplog.records


def test_what_fits_is_taken_beside_what_does_not() -> None:
    widget = Stepper(fixtures.session(seed=2))
    place = {**widget.cursor, "round": 1, "phase": "verify"}
    set_by_page(widget, preferences={"theme": 3}, cursor=place, tabbable=True)
    assert widget.cursor == place and widget.tabbable is True
    assert "preferences.theme" in widget.status["error"]
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.9))
    assert widget.status["error"] == "" and len(widget.branches) == 1


@pytest.mark.parametrize(
    "message", [{"type": []}, {"type": {}}, {"type": None}, {}, 5, None, {"type": "delete", "branch": {}}]
)
def test_whatever_a_page_sends_is_answered(message: Any) -> None:
    widget = Stepper(fixtures.FakeSession())
    widget._on_message(widget, message, [])
    assert widget.status["error"]
    assert widget.status["state"] == "ready"
