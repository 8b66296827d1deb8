"""Scheduling a recorded round anew: what a fork would have decided, without a model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dspark_lab import LabError, Overrides, Settings, Trace
from dspark_lab.decoding import drafting_of
from dspark_lab.scheduling.rates import step_rate_named
from dspark_lab.scheduling.record import record
from dspark_lab.scheduling.replan import knots, replan, settings_at
from dspark_lab.scheduling.stored import drafting_of as stored_drafting
from dspark_lab.scheduling.stored import folder_of, stored
from dspark_lab.session import Session
from dspark_lab.trace import ModelInfo
from tests.test_scheduled_session import drafter, session

SETTINGS = Settings(seed=1, policy="early-break", load=30)


def again(of: Session, index: int, overrides: Overrides | None = None, trace: Trace | None = None) -> Any:
    return replan(trace or of.trace(), index, overrides or Overrides(), drafting_of(of.drafter, of.settings))


@pytest.mark.parametrize("policy", ["early-break", "lagged", "global", "threshold", "fixed:2"])
def test_nothing_changed_is_decided_as_it_was(policy: str) -> None:
    made = session(replace(SETTINGS, policy=policy))
    for r in made.rounds:
        assert record(again(made, r.index).scheduled) == r.schedule


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"load": 100}},
        {"settings": {"policy": "threshold:0.7"}, "confidence": {2: 0.5}},
        {"settings": {"step_rate": "curve:1=95,32=60,512=4"}},
        {"confidence": {1: 0.05}},
        {"settings": {"policy": "lagged", "load": 5}, "confidence": {5: 0.999}},
    ],
)
def test_a_change_is_decided_as_its_fork_decides_it(changes: dict[str, Any]) -> None:
    made, overrides = session(SETTINGS), Overrides(**changes)
    for index in (0, 2):
        fork = made.fork(index, overrides).rounds[index]
        planned = again(made, index, overrides)
        assert record(planned.scheduled) == fork.schedule
        assert planned.scheduled.length == fork.verify_length
        assert planned.confidence == tuple(p.confidence for p in fork.positions)


def test_what_a_round_ran_with_is_known_after_forks() -> None:
    made = session(SETTINGS).fork(1, Overrides(settings={"load": 3, "policy": "lagged"}))
    made.step()
    trace = made.trace()
    assert [settings_at(trace, i).load for i in range(3)] == [30, 3, 3]
    assert settings_at(trace, 2) == made.settings
    assert record(again(made, 2).scheduled) == trace.rounds[2].schedule


def test_a_plan_is_there_where_all_was_verified() -> None:
    made = session(Settings(seed=1))
    assert made.rounds[0].schedule is None
    planned = again(made, 0)
    assert planned.scheduled.length == made.rounds[0].gamma
    assert planned.plan.pool.requests == 1


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (Overrides(settings={"temperature": 0.5}), "temperature changes more than the schedule"),
        (Overrides(tokens={1: 1}), "changes more than the schedule"),
        (Overrides(verify_length=1), "changes more than the schedule"),
        (Overrides(confidence={9: 0.5}), "no draft position 9"),
        (Overrides(settings={"step_rate": "curve:1=-1"}), "above 0"),
    ],
)
def test_what_cannot_be_planned_is_said(overrides: Overrides, said: str) -> None:
    with pytest.raises(LabError, match=said):
        again(session(SETTINGS), 0, overrides)


def test_rounds_without_confidences_or_not_there_are_refused() -> None:
    silent = session(Settings(seed=1), drafter(confidence=None))
    with pytest.raises(LabError, match="no confidences"):
        again(silent, 0)
    with pytest.raises(LabError, match="no round 99"):
        again(silent, 99)


def test_knots_are_few_lie_on_the_curve_and_reach_far_enough() -> None:
    rate = step_rate_named("roofline:h100:qwen3-4b")
    assert [b for b, _ in knots(rate, 100)] == [1, 2, 4, 8, 16, 32, 64, 128]
    assert all(value == rate(b) for b, value in knots(rate, 100))
    assert knots(rate, 1) == [(1, rate(1))]
    assert knots(rate, 2 * rate.most)[-1][0] >= 2 * rate.most


def test_what_ships_is_found_by_a_traces_names() -> None:
    pocket = ModelInfo("pocket/dspark", "dspark", "0" * 12, 1, 7)
    folder = folder_of(pocket)
    assert folder is not None and (folder / "config.json").is_file()
    for name in ("pocket/nothing", "pocket/../pocket", "pocket/", "mine/dspark", "dspark"):
        assert folder_of(replace(pocket, name=name)) is None
    other = stored(folder, pocket, ModelInfo("pocket/target", "target", "1" * 12, 1))
    assert other.recorded is None and other.calibration is None  # of other weights
    assert "fitted to another" in other.note
    nobody = stored_drafting(replace(session(SETTINGS).trace(), drafter=None))
    assert (nobody.gamma, nobody.background) == (0, None)
