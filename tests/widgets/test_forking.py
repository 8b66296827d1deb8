"""A stepper forks where a session stands behind it: what is shown of a fork, when, and what stays where one fails."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import pytest

from dspark_lab.rounds import Round
from dspark_lab.settings import Overrides
from dspark_lab.trace import Trace
from dspark_widgets import jobs, stepper
from dspark_widgets.stepper import Stepper
from tests.widgets import fixtures
from tests.widgets.asking import ask, lowered


def first_rejection(trace: Trace) -> tuple[Round, int]:
    r = next(r for r in trace.rounds if r.final.kind == "residual")
    return r, r.final.position


def test_a_recording_cannot_be_forked_and_says_so() -> None:
    widget = Stepper(fixtures.trace(seed=3))
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.5))
    assert not widget.live
    assert "recording" in widget.status["error"]
    assert widget.status["where"] == "fork"
    assert widget.branches == []


def test_a_fork_is_its_parent_up_to_its_round_and_then_its_own() -> None:
    session = fixtures.session(seed=2)
    before = session.trace()
    r, k = first_rejection(before)
    widget = Stepper(session)
    ask(widget, type="fork", branch=0, **lowered(r.index, k, 0.0))
    (branch,) = widget.branches
    expected = session.fork(r.index, Overrides(uniforms={f"accept:{k}": 0.0}))
    expected.run()
    assert branch["rounds"] == expected.trace().to_json()["rounds"][r.index :]
    assert branch["rounds"][0]["positions"][k - 1]["verdict"] == "accepted"
    assert (branch["parent"], branch["round"], branch["name"]) == (0, r.index, "fork 1")
    assert (widget.cursor["branch"], widget.cursor["round"]) == (1, r.index)
    assert widget.trace == before.to_json()
    assert widget.status["state"] == "ready"


def test_a_fork_is_shown_at_once_and_told_as_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepper, "TELLING", 0.0)
    widget, session = Stepper(fixtures.session(seed=3)), fixtures.session(seed=3)
    told: list[tuple[Any, int, int]] = []
    monkeypatch.setattr(widget, "send", lambda m: told.append((m, widget.cursor["branch"], len(widget.branches))))
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.9))
    expected = session.fork(0, Overrides(uniforms={"accept:1": 0.9}))
    expected.run()
    (branch,) = widget.branches
    assert branch["rounds"] == expected.trace().to_json()["rounds"]
    assert len(told) == len(branch["rounds"]) > 1, "one message a round"
    assert [m["start"] for m, _, _ in told] == list(range(len(told)))
    assert [r for m, _, _ in told for r in m["rounds"]] == branch["rounds"]
    assert all(m["fork"] == {**branch, "rounds": []} and m["run"] == widget.run for m, _, _ in told)
    assert [at for _, at, _ in told] == [0] + [1] * (len(told) - 1), "the page is led there after the first"
    assert {count for _, _, count in told} == {0}, "a branch is whole"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no niceness of its own")
def test_the_rest_of_a_fork_lets_others_go_first() -> None:
    """The first round, which its reader waits for, is made like anything else."""
    session, niceness = fixtures.session(seed=3), list[int]()
    fork, own = session.fork, os.getpriority(os.PRIO_PROCESS, 0)

    def note() -> None:
        niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    def watched(index: int, overrides: Overrides) -> Any:
        note()
        child = fork(index, overrides)
        step = child.step
        child.step = lambda: (note(), step())[1]
        return child

    session.fork = watched
    ask(Stepper(session), type="fork", branch=0, **lowered(0, 1, 0.9))
    assert niceness[0] == own and len(niceness) > 2 and set(niceness[1:]) == {jobs.PATIENT}
    assert os.getpriority(os.PRIO_PROCESS, 0) == own, "the kernel itself answers as before"


def test_what_a_fork_had_when_it_failed_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    session = fixtures.session(seed=3)
    widget = Stepper(session)
    made = session.fork

    def fork(round_index: int, overrides: Overrides) -> fixtures.FakeSession:
        child = made(round_index, overrides)
        monkeypatch.setattr(child, "step", lambda: 1 / 0)
        return child

    monkeypatch.setattr(session, "fork", fork)
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.9))
    assert "ZeroDivisionError" in widget.status["error"] and widget.status["where"] == "fork"
    assert [len(b["rounds"]) for b in widget.branches] == [1]


def test_forks_of_forks_and_their_deletion() -> None:
    widget = Stepper(fixtures.session(seed=2))
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.9))
    ask(widget, type="fork", branch=1, **lowered(1, 1, 0.9))
    ask(widget, type="fork", branch=0, **lowered(0, 2, 0.9))
    assert [(b["id"], b["parent"]) for b in widget.branches] == [(1, 0), (2, 1), (3, 0)]
    ask(widget, type="delete", branch=1)
    assert [b["id"] for b in widget.branches] == [3]
    ask(widget, type="fork", branch=2, **lowered(0, 1, 0.9))
    assert widget.status["error"]
    ask(widget, type="delete", branch=3)
    assert widget.branches == []
    assert widget.cursor["branch"] == 0
    ask(widget, type="delete", branch=0)
    assert "original" in widget.status["error"]


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"branch": 0, "round": 99, "overrides": {"verify_length": 1}}, "no round 99"),
        ({"branch": 7, "round": 0, "overrides": {"verify_length": 1}}, "recording"),
        ({"branch": 0, "round": 0, "overrides": {}}, "nothing was changed"),
        ({"branch": 0, "round": 0, "overrides": {"tokens": {"1": 10**6}}}, "vocabulary"),
        ({"branch": 0, "round": 0, "overrides": {"settings": {"seed": 1}}}, "seed"),
    ],
)
def test_a_fork_that_cannot_be_made_is_explained_and_changes_nothing(request_: dict[str, Any], said: str) -> None:
    widget = Stepper(fixtures.session(seed=2))
    ask(widget, type="fork", **request_)
    assert said in widget.status["error"]
    assert (widget.status["where"], widget.status["state"], widget.branches) == ("fork", "ready", [])
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.9))
    assert widget.status["error"] == ""


def test_an_unexpected_error_in_a_fork_is_shown_not_lost() -> None:
    session = fixtures.session(seed=2)
    widget = Stepper(session)
    session.fork = lambda *_: 1 / 0  # type: ignore[method-assign]
    ask(widget, type="fork", branch=0, **lowered(0, 1, 0.9))
    assert "ZeroDivisionError" in widget.status["error"]


def test_one_job_at_a_time_and_a_stop_keeps_what_there_is() -> None:
    started, go = threading.Event(), threading.Event()

    class Slow(fixtures.FakeSession):
        def fork(self, round_index: int, overrides: Overrides) -> fixtures.FakeSession:
            child = super().fork(round_index, overrides)
            started.set()
            assert go.wait(10)
            return child

    session = Slow(settings=fixtures.Settings(seed=2))
    session.run()
    widget = Stepper(session)
    message = {"type": "fork", "branch": 0, **lowered(0, 1, 0.9)}
    widget._on_message(widget, message, [])
    assert started.wait(10)
    widget._on_message(widget, message, [])
    assert "still at work" in widget.status["error"]
    assert widget.status["state"] == "forking"
    widget._on_message(widget, {"type": "stop"}, [])
    go.set()
    assert widget.wait(10)
    assert len(widget.branches) == 1
    assert len(widget.branches[0]["rounds"]) == 1
