"""The views of confidence and scheduler: plans at the pace of a slider, forks of them, and what hangs on the drafter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dspark_lab import Overrides, Settings, Trace
from dspark_lab.checkpoints import POCKET
from dspark_lab.loading import Lab
from dspark_lab.records import to_json
from dspark_lab.rounds import Round
from dspark_lab.scheduling.calibration import Calibration, survival_errors
from dspark_lab.scheduling.recorded import RecordedRounds
from dspark_lab.session import Session
from dspark_widgets import ConfidenceView, LabApp, SchedulerView, export_html
from dspark_widgets.app import RECORDED
from dspark_widgets.export import SIZE_LIMIT
from dspark_widgets.planner import COMPARED, OFFERED
from dspark_widgets.view import View
from tests.widgets import fixtures

SETTINGS = Settings(seed=3, temperature=0.8, max_new_tokens=12, policy="early-break", load=20)


@pytest.fixture(scope="module")
def session(tiny_lab: Lab) -> Session:
    return tiny_lab.session("Tom has 12 apples.", SETTINGS).run()


def ask(view: View, **message: Any) -> None:
    view._on_message(view, message, [])
    assert view.wait(60)


def plan(view: View, branch: int = 0, round: int = 0, number: int = 1, **overrides: Any) -> dict[str, Any]:
    ask(view, type="plan", branch=branch, round=round, number=number, overrides=overrides)
    assert not view.status["error"], view.status
    (made,) = view.plans
    return made


def decided(r: Round) -> Any:
    """A round's schedule, without the way to it."""
    assert r.schedule is not None
    return to_json(replace(r.schedule, admitted=(), thetas=()))


def test_a_plan_is_the_decision_of_the_trace_and_of_its_forks(session: Session) -> None:
    view = SchedulerView(session)
    for r in session.rounds:
        if r.gamma:
            assert plan(view, round=r.index)["schedule"] == decided(r)
    for load in (0, 50, 200):
        made = plan(view, number=load, settings={"load": load})
        fork = session.fork(0, Overrides(settings={"load": load})).rounds[0]
        assert made["schedule"] == decided(fork)
        assert (made["number"], made["load"], made["policy"]) == (load, load, "early-break")
    cut = plan(view, confidence={"2": 0.01})
    fork = session.fork(0, Overrides(confidence={2: 0.01})).rounds[0]
    assert cut["schedule"]["length"] == fork.verify_length
    assert cut["survival"] == pytest.approx([p.survival for p in fork.positions])


def test_a_plan_tells_the_queue_the_policies_and_the_cut_by_load(session: Session) -> None:
    made = plan(SchedulerView(session), settings={"load": 40})
    path, schedule, gamma = made["path"], made["schedule"], session.rounds[0].gamma
    assert [n for n, r in zip(path["n"], path["request"], strict=True) if r == 0] == schedule["ranks"]
    assert (np.diff(path["n"]) > 0).all() and (np.diff(path["survival"]) <= 1e-9).all()
    assert path["n"][0] == 1 and path["n"][-1] == schedule["candidates"] == 41 * gamma
    thetas = dict(zip([0, *path["n"]], [made["start"], *path["theta"]], strict=True))
    assert max(thetas.values()) == thetas[made["best"]]
    assert schedule["theta"] == pytest.approx(thetas[schedule["tokens"] - 41], rel=1e-7)
    decisions = {d["policy"]: d for d in made["decisions"]}
    assert [d.partition(":")[0] for d in decisions] == list(COMPARED)
    assert decisions["early-break"]["length"] == schedule["length"] and decisions["fixed"]["length"] == gamma
    assert [name for name, d in decisions.items() if d["leaks"]] == ["global"]
    assert decisions["global"]["theta"] >= decisions["early-break"]["theta"]
    cuts = dict(map(tuple, made["cuts"]))
    for load in (0, 64):
        fork = session.fork(0, Overrides(settings={"load": load})).rounds[0]
        assert cuts[load] == fork.verify_length
    assert made["example"] == [0.7, 0.85]  # Appendix A


def test_a_drawn_step_rate_moves_the_cut_and_forks(session: Session) -> None:
    view = SchedulerView(session)
    assert [rate["name"] for rate in view.step_rates] == list(OFFERED)
    steep = "curve:1=100,16=100,32=10,256=1"
    made = plan(view, settings={"step_rate": steep})
    assert made["step_rate"] == steep and "drawn by hand" in made["schedule"]["step_rate"]
    ask(view, type="fork", branch=0, round=0, overrides={"settings": {"step_rate": steep}})
    fork = view.branches[0]
    assert decided(view.trace_of(1).rounds[0]) == made["schedule"] and fork["round"] == 0
    assert plan(view, branch=1)["step_rate"] == steep  # the fork keeps what it was forked with


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"round": 99}, "no round 99"),
        ({"branch": 4}, "no branch 4"),
        ({"overrides": {"settings": {"policy": "hope"}}}, "no policy 'hope'"),
        ({"overrides": {"settings": {"step_rate": "curve:2"}}}, "is not curve:B=SPS"),
        ({"overrides": {"settings": {"load": -1}}}, "load is -1"),
    ],
)
def test_what_cannot_be_planned_is_told_and_then_forgotten(
    session: Session, message: dict[str, Any], said: str
) -> None:
    view = SchedulerView(session)
    ask(view, **{"type": "plan", "branch": 0, "round": 0, "number": 1, "overrides": {}, **message})
    assert said in view.status["error"] and view.status["where"] == "plan"
    assert (view.plans, view.status["state"]) == ([], "ready")
    plan(view)
    assert view.status["where"] == ""


def test_a_recording_is_planned_by_what_ships_with_its_drafter() -> None:
    """No model is loaded, and the load is drawn from the recorded rounds of the pocket drafter."""
    trace = Trace.load(RECORDED / "math_0.json")
    view = SchedulerView(trace)
    alone = plan(view, settings={"policy": "early-break"})
    full = plan(view, settings={"policy": "early-break", "load": 200})
    assert alone["schedule"]["length"] > full["schedule"]["length"]
    assert "recorded rounds of pocket/dspark" in full["schedule"]["background"]
    assert alone["survival"] == pytest.approx([p.survival for p in trace.rounds[0].positions])


def test_a_draft_without_confidences_is_told_so() -> None:
    view = SchedulerView(fixtures.trace(fixtures.Toy(confidence=False)))
    ask(view, type="plan", branch=0, round=0, number=1, overrides={})
    assert "has no confidences" in view.status["error"]
    assert view.snapshot()["plans"] == []


def test_another_trace_forgets_the_plans_and_a_drafter_keeps_its_reliability(session: Session) -> None:
    view = ConfidenceView(session)
    plan(view)
    view.show(Trace.load(RECORDED / "math_0.json"))
    shipped = view.reliability
    assert view.plans == [] and shipped["rounds"] > 1000
    view.show(Trace.load(RECORDED / "chat_0.json"))
    assert view.reliability == shipped
    view.show(fixtures.trace())
    assert view.reliability is None  # a toy has no folder


def test_reliability_is_that_of_the_recorded_rounds() -> None:
    known = ConfidenceView(Trace.load(RECORDED / "math_0.json")).reliability
    recorded, calibration = RecordedRounds.load(POCKET / "dspark" / "rounds.safetensors"), None
    calibration = Calibration.load(POCKET / "dspark" / "calibration.json")
    fit = calibration.fit(recorded.origin.temperature)
    assert (known["rounds"], known["drafter"]) == (len(recorded), "pocket/dspark")
    assert known["temperatures"] == list(fit.temperatures)
    assert known["held_out"]["after"] == list(fit.held_out.after)
    by_position = {d["position"]: d for d in known["diagrams"]}
    assert list(by_position) == list(range(recorded.gamma + 1))
    assert [by_position[k]["ece"] for k in range(1, recorded.gamma + 1)] == pytest.approx(survival_errors(recorded))
    after = survival_errors(recorded, fit.temperatures)
    assert [by_position[k]["ece_scaled"] for k in range(1, recorded.gamma + 1)] == pytest.approx(after, abs=1e-12)
    for d in known["diagrams"]:
        assert sum(b["rounds"] for b in d["bins"]) == d["rounds"] == sum(b["rounds"] for b in d["scaled"])
    assert by_position[0]["rounds"] == recorded.drafted.sum()
    all_sent = known["saved"][0]
    assert all_sent["threshold"] == 0 and all_sent["verified"] == pytest.approx(recorded.drafted.mean())
    assert all_sent["accepted"] == pytest.approx(recorded.accepted.mean())
    assert all_sent["emitted"] == pytest.approx(recorded.emitted().mean())
    verified = [point["verified"] for point in known["saved"]]
    assert verified == sorted(verified, reverse=True)


def test_a_drafter_that_nobody_has_recorded_has_no_reliability(session: Session) -> None:
    assert ConfidenceView(session).reliability is None
    assert ConfidenceView().reliability is None


@pytest.mark.parametrize("view", [SchedulerView, ConfidenceView])
def test_a_file_has_a_plan_of_every_round(view: type[View], session: Session, tmp_path: Path) -> None:
    shown = view(session)
    ask(shown, type="fork", branch=0, round=1, overrides={"settings": {"load": 0}})
    text = export_html(shown, tmp_path / "view.html").read_text(encoding="utf-8")
    assert len(text.encode()) < SIZE_LIMIT
    payload = json.loads(text.partition('type="application/json">')[2].partition("</script>")[0])
    assert "step_rates" not in payload and payload["live"] is False
    planned = {(p["branch"], p["round"]) for p in payload["plans"]}
    drafted = {(0, r.index) for r in session.rounds if r.gamma}
    drafted |= {(1, r.index) for r in shown.trace_of(1).rounds if r.gamma}
    assert planned == drafted


def test_a_file_plans_unscheduled_rounds_as_algorithm_1_would() -> None:
    (first, *_) = SchedulerView(Trace.load(RECORDED / "math_0.json")).snapshot()["plans"]
    assert (first["policy"], first["load"], first["schedule"]["policy"]) == ("early-break", 0, "early-break")


def test_the_app_plans_its_recorded_examples_before_any_model_is_there() -> None:
    app = LabApp()
    made = plan(app, settings={"policy": "early-break", "load": 100})
    assert made["schedule"]["load"] == 100 and app.reliability["rounds"] > 0
