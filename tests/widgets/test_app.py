"""The page: recordings at once, models beside them, both speeds measured, errors in place."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.errors import LabError
from dspark_lab.rounds import Round
from dspark_lab.settings import Settings
from dspark_widgets.app import LabApp
from dspark_widgets.contract import Controls
from dspark_widgets.controls import read_controls
from dspark_widgets.examples import find_examples
from dspark_widgets.limits import Limits
from tests.widgets import fixtures


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    for domain in ("math", "code"):
        for index in range(2):
            prompt = f"{domain} prompt {index}"
            replace(fixtures.trace(seed=index, temperature=0.7), prompt=prompt).save(
                tmp_path / f"{domain}_{index}.json"
            )
    (tmp_path / "chat_0.json").write_text("not a trace", encoding="utf-8")
    return tmp_path


def loaded(recorded: Path, lab: Any = None) -> LabApp:
    app = LabApp(lambda: lab or fixtures.FakeLab(), recorded=recorded)
    assert app.wait_loaded(10)
    return app


def ask(app: LabApp, **message: Any) -> None:
    app._on_message(app, message, [])
    assert app.wait(20)


def generate(app: LabApp, **controls: Any) -> None:
    ask(app, type="generate", controls={**app.controls, **controls})


def test_a_recording_shows_while_the_models_load(recorded: Path) -> None:
    gate = threading.Event()

    def load() -> fixtures.FakeLab:
        gate.wait(10)
        return fixtures.FakeLab()

    app = LabApp(load, recorded=recorded)
    assert app.status["state"] == "loading"
    assert app.trace["prompt"] == app.controls["prompt"] == "math prompt 0"
    assert app.controls["temperature"] == 0.7
    generate(app)
    assert "still loading" in app.status["error"]
    ask(app, type="example", domain="code", index=1)
    assert app.trace["prompt"] == "code prompt 1"
    assert (app.info["example"], app.live) == ("code_1", False)
    gate.set()
    assert app.wait_loaded(10)
    assert app.status == {"state": "ready", "text": "", "error": "", "where": ""}


def test_only_whole_recordings_are_offered(recorded: Path) -> None:
    assert [(e.domain, e.index) for e in find_examples(recorded)] == [
        ("math", 0),
        ("math", 1),
        ("code", 0),
        ("code", 1),
    ]
    assert list(find_examples(recorded / "nowhere")) == []


@pytest.mark.parametrize(
    "failure", [LabError("the weights are truncated: fetch them again."), ImportError("No module named 'torch'")]
)
def test_a_failed_load_is_told_and_the_recordings_stay(recorded: Path, failure: Exception) -> None:
    def load() -> fixtures.FakeLab:
        raise failure

    app = LabApp(load, recorded=recorded)
    assert not app.wait_loaded(10)
    assert str(failure) in app.status["error"]
    assert "doctor" in app.status["error"]
    assert (app.status["state"], app.status["where"]) == ("recorded", "load")
    ask(app, type="example", domain="code", index=0)
    assert app.trace["prompt"] == "code prompt 0"
    generate(app)
    assert "no models" in app.status["error"]


def test_generating_shows_the_recorded_run_and_measures_both_without_recording(recorded: Path) -> None:
    lab = fixtures.FakeLab()
    app = loaded(recorded, lab)
    generate(app, prompt="count", seed=5, temperature=1, gamma=4)
    assert [(drafter, trace) for _, _, drafter, trace in lab.calls] == [(True, True), (True, False), (False, False)]
    assert {(prompt, settings) for prompt, settings, _, _ in lab.calls} == {
        ("count", Settings(seed=5, gamma=4, max_new_tokens=64))
    }
    assert all(r["gamma"] == 4 for r in app.trace["rounds"])
    assert app.trace["prompt"] == "count"
    assert app.live
    assert app.speeds["device"] == "toy processor"
    assert app.speeds["drafter"] == app.info["drafter"] != ""
    assert app.speeds["autoregressive"]["seconds"] > app.speeds["speculative"]["seconds"] > 0
    assert app.speeds["speculative"]["whole"]
    assert app.status["state"] == "ready"
    assert app.info["example"] == ""


def test_without_the_drafter_the_plain_run_is_shown(recorded: Path) -> None:
    app = loaded(recorded)
    generate(app, prompt="count", drafter="none")
    assert {r["gamma"] for r in app.trace["rounds"]} == {0}
    assert app.speeds["speculative"]
    assert app.speeds["autoregressive"]


def test_a_generated_run_can_be_forked(recorded: Path) -> None:
    app = loaded(recorded)
    generate(app, prompt="count")
    ask(app, type="fork", branch=0, round=0, overrides={"verify_length": 0})
    assert app.status["error"] == ""
    assert app.branches[0]["rounds"][0]["verify_length"] == 0


def test_rounds_are_streamed_one_by_one_and_sent_again_when_missed(recorded: Path) -> None:
    app, sent = loaded(recorded), []
    app.send = lambda content, buffers=None: sent.append(content)
    generate(app, prompt="count")
    rounds = app.trace["rounds"]
    assert [(m["start"], len(m["rounds"]), m["run"]) for m in sent] == [(i, 1, app.run) for i in range(len(rounds))]
    assert [m["rounds"][0] for m in sent] == rounds
    sent.clear()
    ask(app, type="sync", have=1)
    assert sent[0]["rounds"] == rounds[1:]


def test_a_stop_keeps_the_rounds_that_are_there_and_measures_nothing(recorded: Path) -> None:
    class Stopping(fixtures.FakeLab):
        def generate(
            self, prompt: str, settings: Settings, drafter: bool, on_round: Callable[[Round], None] | None = None,
            should_stop: Callable[[], bool] | None = None, *, trace: bool = True,
        ) -> fixtures.FakeResult:  # fmt: skip
            def after(done: Round) -> None:
                if on_round:
                    on_round(done)
                app._on_message(app, {"type": "stop"}, [])

            return super().generate(prompt, settings, drafter, after, should_stop, trace=trace)

    app = loaded(recorded, Stopping())
    generate(app, prompt="count")
    assert len(app.trace["rounds"]) == 1
    assert app.live
    assert app.speeds["speculative"] is None
    assert (app.status["state"], app.status["error"]) == ("ready", "")


def test_an_error_of_a_run_is_shown_and_the_page_goes_on(recorded: Path) -> None:
    app = loaded(recorded)
    generate(app, prompt="fail")
    assert "9000 tokens" in app.status["error"]
    assert (app.status["state"], app.status["where"]) == ("ready", "generate")
    generate(app, prompt="count")
    assert app.status["error"] == ""
    assert app.trace["rounds"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"prompt": "  \n"}, "empty"),
        ({"prompt": "x" * 4001}, "4,001 characters"),
        ({"gamma": 8}, "gamma is 8"),
        ({"gamma": -1}, "gamma is -1"),
        ({"temperature": -0.5}, "temperature"),
        ({"seed": -1}, "seed"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"policy": "greedy"}, "no policy 'greedy'"),
        ({"load": -3}, "load is -3"),
    ],
)
def test_controls_out_of_range_are_refused_with_the_limit(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(LabError, match=said):
        read_controls(replace(Controls(prompt="hello"), **changed), block_size=7, limits=Limits())


def test_a_page_without_models_and_recordings_still_opens(tmp_path: Path) -> None:
    app = LabApp(recorded=tmp_path)
    assert app.trace is None
    assert app.status["state"] == "recorded"
    with pytest.raises(LabError, match="models"):
        LabApp(models=None)


@pytest.mark.parametrize("prompt", ["nul \x00 byte", "\x1b[31m"])
def test_a_prompt_that_cannot_run_leaves_what_is_shown(recorded: Path, prompt: str) -> None:
    app = loaded(recorded)
    generate(app)
    shown = app.trace
    generate(app, prompt=prompt)
    assert "control character" in app.status["error"]
    assert app.trace == shown
