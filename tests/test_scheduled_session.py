"""The scheduler in a session: the load moves the cut, a fork changes only what it names, wrong requests are refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dspark_lab import LabError, Overrides, Settings, Trace
from dspark_lab.scheduling.background import Background
from dspark_lab.scheduling.calibration import ROUNDS_FILE, Calibration, Errors, Fit
from dspark_lab.scheduling.live import COPIES, RAW
from dspark_lab.scheduling.policies import add_policy
from dspark_lab.scheduling.rates import step_rate_named
from dspark_lab.scheduling.recorded import Origin, RecordedRounds
from dspark_lab.scheduling.schedule import schedule
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.session import Session
from dspark_lab.trace import ModelInfo
from tests.scripted import ScriptedDrafter, endless, table, untimed

GAMMA = 5
TARGET = endless(table(4, 1))
OTHERS = np.random.default_rng(5).uniform(0.5, 0.99, (50, GAMMA))
RATE = "roofline:h100:qwen3-4b"


def drafter(confidence: float | None = 0.8, recorded: bool = True) -> ScriptedDrafter:
    made = ScriptedDrafter(
        table(4, 2), block_size=GAMMA, confidence=None if confidence is None else lambda path: confidence
    )
    if recorded:
        made.background = Background(OTHERS.cumprod(1), "fifty made up")
    return made


def session(settings: Settings, made: ScriptedDrafter | None = None, rounds: int = 4) -> Session:
    result = Session(TARGET, made or drafter(), "abc", settings)
    for _ in range(rounds):
        result.step()
    return result


def test_by_default_all_is_verified_and_nothing_scheduled() -> None:
    for r in session(Settings(seed=1)).rounds:
        assert r.verify_length == r.gamma
        assert r.schedule is None
        assert [p.survival for p in r.positions] == pytest.approx([0.8**k for k in range(1, r.gamma + 1)])


def test_the_cut_follows_the_load_and_is_what_the_plan_says() -> None:
    lengths = []
    for load in (0, 30, 100, 400):
        first = session(Settings(seed=1, policy="early-break", load=load)).rounds[0]
        plan = first.schedule
        assert first.verify_length == plan.length == sum(p.verified for p in first.positions)
        assert plan.load == load and plan.background == ("fifty made up" if load else "")
        assert plan.source == "modelled" and not plan.leaks
        assert plan.tokens <= (1 + load) * (1 + GAMMA) and plan.candidates == (1 + load) * GAMMA
        lengths.append(plan.length)
    assert lengths[0] == GAMMA
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] < 2


def test_the_recorded_path_is_that_of_schedule_itself() -> None:
    plan = session(Settings(seed=1, policy="early-break", load=60)).rounds[2].schedule
    pool = np.vstack([0.8 ** np.arange(1, GAMMA + 1), Background(OTHERS.cumprod(1), "").draw(1, 2, 60)])
    again = schedule(pool, step_rate_named(RATE))
    assert plan.tokens == again.tokens and plan.theta == pytest.approx(again.theta)
    assert plan.thetas == pytest.approx([again.pool.theta[n] for n in plan.admitted])
    stop = again.tokens - 61
    assert {stop - 1, stop, stop + 1} <= set(plan.admitted)
    assert plan.ranks == tuple(np.flatnonzero(again.pool.request == 0) + 1)


def test_one_request_more_changes_nothing_of_the_others() -> None:
    background = Background(OTHERS.cumprod(1), "")
    for load in (0, 1, 10, 77):
        assert (background.draw(3, 4, load + 1)[:-1] == background.draw(3, 4, load)).all()
    assert (background.draw(3, 4, 10) != background.draw(3, 5, 10)).any()


def test_the_load_takes_no_uniform_from_the_text() -> None:
    alone, loaded = (session(Settings(seed=2, load=load)) for load in (0, 50))
    for a, b in zip(untimed(alone.rounds), untimed(loaded.rounds), strict=True):
        assert b.schedule is not None, "all is verified, but what that costs is shown"
        assert a == replace(b, schedule=None)


def test_a_fork_with_another_load_changes_that_round_on_and_nothing_before() -> None:
    parent = session(Settings(seed=1, policy="early-break"))
    child = parent.fork(2, Overrides(settings={"load": 400}))
    assert child.rounds[:2] == parent.rounds[:2]
    assert [p.token for p in child.rounds[2].positions] == [p.token for p in parent.rounds[2].positions]
    assert child.rounds[2].verify_length < parent.rounds[2].verify_length
    assert child.step().schedule.load == 400, "it holds from there on"
    assert untimed(parent.fork(3).rounds) == untimed(parent.rounds)


def test_the_lagged_policy_remembers_two_rounds_through_a_fork() -> None:
    settings = Settings(seed=1, policy="lagged", load=40)
    parent = session(settings, rounds=5)
    for n in range(5):
        assert untimed(parent.fork(n).rounds) == untimed(parent.rounds[: n + 1])
    early = session(replace(settings, policy="early-break"), rounds=2)
    assert [r.schedule.length for r in early.rounds] == [r.schedule.length for r in parent.rounds[:2]]
    assert "two rounds ago" in parent.rounds[2].schedule.why
    changed = parent.fork(0, Overrides(confidence=dict.fromkeys(range(1, GAMMA + 1), 0.01)))
    changed.step()
    assert changed.step().schedule.tokens < parent.rounds[2].schedule.tokens, "what was sure then is not now"


def test_a_confidence_changed_by_hand_moves_the_cut() -> None:
    parent = session(Settings(seed=1, policy="early-break", load=20))
    child = parent.fork(1, Overrides(confidence={2: 0.01}))
    p = child.rounds[1].positions[1]
    assert (p.confidence, p.survival) == (0.01, pytest.approx(0.008))
    assert child.rounds[1].verify_length == 1 < parent.rounds[1].verify_length
    assert Overrides.from_json(json.loads(json.dumps(child.rounds[1].overrides))) == Overrides(confidence={2: 0.01})


def test_a_verify_length_set_by_hand_wins() -> None:
    parent = session(Settings(seed=1, policy="early-break", load=400))
    child = parent.fork(1, Overrides(verify_length=4))
    assert child.rounds[1].verify_length == 4
    assert child.rounds[1].schedule == parent.rounds[1].schedule


def test_without_recorded_rounds_the_load_repeats_this_request() -> None:
    r = session(Settings(seed=1, policy="early-break", load=9), drafter(recorded=False)).rounds[0]
    assert r.schedule.background == COPIES
    assert r.schedule.ranks == (1, 11, 21, 31, 41)


def test_calibrated_confidences_are_what_is_scheduled_on() -> None:
    made = drafter()
    errors = Errors(1, "made up", 0, (0.1,) * GAMMA, (0.0,) * GAMMA)
    made.calibration = Calibration(
        ModelInfo("t", "target", "", 0), made.info, (Fit(1.0, (2.0, *[1.0] * (GAMMA - 1)), errors),)
    )
    assert session(Settings(seed=1, policy="early-break"), drafter()).rounds[0].schedule.note == RAW
    done = session(Settings(seed=1, policy="early-break"), made).rounds[0]
    assert done.schedule.note == ""
    first = done.positions
    assert first[0].confidence == 0.8
    assert first[0].calibrated == first[0].survival == pytest.approx(2 / 3)  # logit 4, halved
    assert first[1].survival == pytest.approx(2 / 3 * 0.8)


def test_recorded_rounds_beside_the_weights_are_the_background(tmp_path: Path) -> None:
    info = ModelInfo("mine", "dspark", "ab" * 6, 0, GAMMA)
    origin = Origin(ModelInfo("t", "target", "", 0), info, 1.0, "validation", 0, ("math",))
    whole = {name: np.full(50, value) for name, value in (("accepted", 0), ("drafted", GAMMA), ("domain", 0))}
    rounds = RecordedRounds(
        origin, OTHERS, **whole, ends=np.zeros(50, bool), conversation=np.arange(50), confidence=OTHERS
    )
    assert Background.stored(tmp_path, info, None) is None
    rounds.save(tmp_path / ROUNDS_FILE)
    found = Background.stored(tmp_path, info, None)
    assert found.survival == pytest.approx(OTHERS.cumprod(1), rel=1e-2)
    assert found.title == "50 recorded rounds of mine (validation, T = 1)"
    assert Background.stored(tmp_path, replace(info, revision="0" * 12), None) is None, "those of other weights"
    with pytest.raises(LabError, match="no confidences"):
        Background.of(replace(rounds, confidence=None))


def test_a_drafter_without_confidences_can_be_cut_at_a_length_only() -> None:
    made = drafter(confidence=None)
    first = session(Settings(policy="fixed:2", load=3), made).rounds[0]
    assert first.verify_length == 2 and first.schedule is None
    assert session(Settings(load=3), made).rounds[0].verify_length == GAMMA
    unsure = Session(TARGET, made, "abc", Settings(policy="early-break"))
    with pytest.raises(LabError, match="no confidence head"):
        unsure.step()
    with pytest.raises(LabError, match="position 2 cannot be changed"):
        session(Settings(), made).fork(0, Overrides(confidence={2: 0.5}))


def test_a_policy_of_ones_own_is_found_by_its_name() -> None:
    class Odd:
        name, leaks, capacity_lags = "odd", False, False

        def lengths(self, pool):
            return np.minimum(pool.drafted, 3)

    with pytest.raises(LabError, match="no policy 'odd'"):
        Settings(policy="odd")
    add_policy(Odd())
    first = session(Settings(policy="odd", load=2)).rounds[0]
    assert first.verify_length == 3 and first.schedule.why == "The policy odd admits 3 of 5."
    with pytest.raises(LabError, match="cannot be called 'fixed:9'"):
        add_policy(type("Fixed9", (Odd,), {"name": "fixed:9"})())


def test_the_trace_comes_back_as_it_went(tmp_path: Path) -> None:
    record = session(Settings(policy="early-break", load=20)).trace()
    record.save(tmp_path / "trace.json")
    assert Trace.load(tmp_path / "trace.json") == record


def test_a_large_load_leaves_a_small_trace() -> None:
    plan = session(Settings(policy="early-break", load=20_000), rounds=1).rounds[0].schedule
    assert plan.candidates == 20_001 * GAMMA
    assert len(plan.admitted) == len(plan.thetas) < 300


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"policy": "greedy"}, "no policy 'greedy'"),
        ({"policy": ""}, "policy is ''"),
        ({"policy": 3}, "policy is 3"),
        ({"load": -1}, "load is -1, but must be a whole number from 0 to 100000"),
        ({"load": 1.5}, "load is 1.5"),
        ({"step_rate": ""}, "step_rate is ''"),
        ({"policy": "early-break", "tree": 8}, "a draft tree (tree=8) is verified whole"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(LabError) as error:
        Settings(**settings)
    assert said in str(error.value)


@pytest.mark.parametrize(("confidence", "said"), [({1: 0.0}, "is 0.0"), ({1: 1}, "is 1"), ({0: 0.5}, "position is 0")])
def test_confidences_out_of_range_are_refused(confidence: dict[int, float], said: str) -> None:
    with pytest.raises(LabError) as error:
        Overrides(confidence=confidence)
    assert said in str(error.value)


def test_a_step_rate_that_is_not_there_is_refused_before_the_first_round() -> None:
    with pytest.raises(LabError, match="no step rate 'abacus'"):
        Session(TARGET, drafter(), "abc", Settings(policy="early-break", step_rate="abacus"))
    with pytest.raises(
        LabError, match="abacus"
    ):  # nothing asks for it, but it would be recorded as if it had been used
        Session(TARGET, drafter(), "abc", Settings(step_rate="abacus"))


def test_a_step_rate_measured_again_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "rate.json"
    lengths = []
    for i, rates in enumerate(([1.0] * 6, [1.0, 0.1, 0.1, 0.1, 0.1, 0.1])):
        StepRate.each(rates, title="mine").save(file)
        os.utime(file, ns=(i + 1, i + 1))
        lengths.append(session(Settings(policy="early-break", step_rate=str(file))).rounds[0].verify_length)
    assert lengths == [GAMMA, 0]
