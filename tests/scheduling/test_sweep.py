"""A sweep: every contender under every load, each as simulated alone; its frontier, and what a promised speed leaves."""

from __future__ import annotations

from itertools import chain, pairwise, repeat

import pytest

from dspark_lab.errors import LabError
from dspark_lab.scheduling import workers
from dspark_lab.scheduling.arrivals import Arrival, Constant, Listed, Poisson
from dspark_lab.scheduling.bootstrap import Drafting
from dspark_lab.scheduling.policies import EarlyBreak, Fixed, policy_named
from dspark_lab.scheduling.rates import step_rate_named
from dspark_lab.scheduling.simulator import Scenario, simulate
from dspark_lab.scheduling.sweep import Contender, sweep
from tests.scheduling.rounds import FLAT, made_rounds


@pytest.fixture(scope="module")
def swept():
    made = Drafting("DSpark-4", made_rounds(3000))
    contenders = [Contender("MTP-1", made.cut(1), Fixed()), Contender("DSpark", made, EarlyBreak())]
    return sweep(contenders, step_rate_named("deepseek-v4-flash"), [1, 8, 64, 192], steps=600)


def test_a_sweep_has_every_load_of_every_contender(swept):
    for results in swept.results.values():
        assert [round(r.requests) for r in results] == [1, 8, 64, 192]
    for mtp, dspark in zip(*swept.results.values(), strict=True):
        assert mtp.budget == 2 and dspark.throughput > mtp.throughput


def test_the_frontier_is_not_dominated(swept):
    for name, results in swept.results.items():
        front = swept.frontier(name)
        assert all(a.speed > b.speed and a.throughput < b.throughput for a, b in pairwise(front))
        for r in results:
            assert r in front or any(f.speed >= r.speed and f.throughput >= r.throughput for f in front)


def test_a_strict_promise_is_a_cliff(swept):
    fastest_mtp = max(r.speed for r in swept.results["MTP-1"])
    loose, strict = swept.sla([1.0, fastest_mtp * 1.01])["MTP-1"], swept.sla([1.0, fastest_mtp * 1.01])["DSpark"]
    assert loose[0] is swept.results["MTP-1"][-1] and loose[1] is None and strict[1] is not None


def test_a_sweep_is_its_simulations():
    made = Drafting("m", made_rounds(600))
    contenders = [Contender(p, made, policy_named(p)) for p in ("early-break", "lagged")]
    swept, rate = sweep(contenders, FLAT, range(1, 30), steps=100), FLAT.extended(29 * 5)
    for c in contenders:
        alone = tuple(simulate(Scenario(made, rate, Constant(r), c.policy, steps=100)) for r in range(1, 30))
        assert swept.results[c.name] == alone


def test_a_sweep_takes_arrivals_of_any_kind():
    made = Drafting("m", made_rounds(600))
    told = []
    swept = sweep(
        [Contender("m", made, EarlyBreak())], FLAT, [Poisson(5.0), 2, Constant(1), Poisson(1.0)], steps=100,
        on_result=lambda name, result: told.append((name, result)),
    )  # fmt: skip
    assert [r.arrivals for r in swept.results["m"]] == [
        "1 at every moment",
        "2 at every moment",
        "Poisson, 5 a second",
        "Poisson, 1 a second",
    ]
    assert sorted(map(repr, told)) == sorted(repr(("m", r)) for r in swept.results["m"])


def test_few_requests_take_more_steps_for_as_many_rounds():
    made = Drafting("m", made_rounds(600))
    (few, many), (alone,) = (
        sweep([Contender("m", made, Fixed())], FLAT, loads, steps=40, rounds=rounds).results["m"]
        for loads, rounds in (([2, 8], 320), ([2], 0))
    )
    assert (few.steps >= 160, many.steps >= 40, alone.steps < 160) == (True, True, True)


def test_a_sweep_that_is_stopped_keeps_what_it_has():
    made = Drafting("m", made_rounds(600))
    contenders = [Contender(p, made, policy_named(p)) for p in ("early-break", "fixed")]
    told = []
    swept = sweep(
        contenders, FLAT, [1, 2, 5000], steps=50, on_result=lambda *one: told.append(one),
        should_stop=lambda: len(told) == 4,
    )  # fmt: skip
    loads = [[round(r.requests) for r in results] for results in swept.results.values()]
    assert loads == [[1, 2, 5000], [5000]]


def test_processes_side_by_side_come_to_the_same(monkeypatch):
    made, told = Drafting("m", made_rounds(600)), []
    contenders = [Contender(p, made, policy_named(p)) for p in ("early-break", "fixed")]
    loads = [Poisson(5.0), *range(1, 12), 400]
    alone = sweep(contenders, FLAT, loads, steps=60)
    monkeypatch.setattr(workers, "WORTH", 0)
    beside = sweep(contenders, FLAT, loads, steps=60, workers=2, on_result=lambda *one: told.append(one))
    assert beside == alone and len(told) == 2 * len(loads)
    some = sweep(contenders, FLAT, loads, steps=60, workers=2, should_stop=chain([False], repeat(True)).__next__)
    assert 0 < sum(map(len, some.results.values())) < len(told)
    with pytest.raises(LabError, match="'poems'"):  # what fails in a process is told by this one
        sweep(contenders, FLAT, [Listed((Arrival(0.0, "poems"),)), 2], steps=9, workers=2)
