"""What is counted, against rounds written out by hand and against traces."""

from __future__ import annotations

import numpy as np
import pytest

from dspark_lab import Settings
from dspark_lab.evaluation.measure import Measurement, measure, session_seed
from dspark_lab.evaluation.metrics import RESAMPLES, Estimate, RoundCount, Run, count, figures, resample
from dspark_lab.evaluation.report import report
from dspark_lab.evaluation.suites import Suite
from dspark_lab.loading import Lab
from dspark_lab.rounds import ACCEPTED, NONE
from dspark_lab.session import Session
from dspark_lab.trace import ModelInfo
from dspark_lab.training.corpus import DOMAINS, example
from tests.scripted import ScriptedDrafter, one_hot, table


def rounds(*outcomes: tuple[int, int, int]) -> Run:
    """(drafted, accepted, emitted) of each round."""
    return Run([RoundCount(0, 10, *outcome) for outcome in outcomes], seconds=2.0)


def test_figures_of_rounds_written_out_by_hand() -> None:
    """Rejected at 2; all of 3 and a bonus; an accepted end of sequence at 1; room for one draft token, rejected."""
    f = figures([rounds((3, 1, 2), (3, 3, 4)), rounds((3, 1, 1), (1, 0, 1))], gamma=3, seed=0)
    assert (f.prompts, f.rounds, f.tokens) == (2, 4, 8)
    assert f.tau.value == 8 / 4
    assert f.verify_rate.value == 8 / (4 + 4 + 4 + 2)
    assert f.speed.value == 8 / 4.0
    assert [e.value for e in f.conditional] == [3 / 4, 1 / 2, 1 / 1]  # the ended round says nothing of position 2
    assert [e.value for e in f.cumulative] == [3 / 4, 1 / 3, 1 / 3]


def test_a_position_never_reached_has_no_value() -> None:
    f = figures([rounds((2, 0, 1))], gamma=2, seed=0)
    assert f.conditional[0].value == 0 and f.conditional[1] == Estimate(None)
    assert f.conditional[1].show() == "-"


def test_verify_rate_is_tau_over_gamma_and_the_anchor() -> None:
    """As Fig. 5 counts: at gamma 7 eight tokens are verified a round."""
    f = figures([rounds((7, 4, 5), (7, 7, 8))], gamma=7, seed=0)
    assert f.verify_rate.value == pytest.approx(f.tau.value / 8)


def test_intervals_are_seeded_paired_and_narrow_as_prompts_come() -> None:
    rng = np.random.default_rng(7)
    runs = [rounds(*((7, a, a + 1) for a in rng.integers(0, 8, 20).tolist())) for _ in range(160)]
    few, many = figures(runs[:10], 7, seed=3), figures(runs, 7, seed=3)
    assert figures(runs, 7, seed=3) == many != figures(runs, 7, seed=4)
    assert many.tau.low < many.tau.value < many.tau.high
    assert (many.tau.high - many.tau.low) < (few.tau.high - few.tau.low) / 2
    halved = resample(count(runs, 7), 3)[:, 0] / 2
    assert halved.shape == (1 + RESAMPLES,) and np.allclose(halved * 2, resample(count(runs, 7), 3)[:, 0])


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    """60 samples of 40 prompts: fewer than 46 covering intervals have a probability below 1e-4 even at a true 92%."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(60):
        runs = [rounds(*((7, a, a + 1) for a in rng.binomial(7, rng.uniform(0.3, 0.9), 5).tolist())) for _ in range(40)]
        tau = figures(runs, 7, seed).tau
        covered += tau.low <= 1 + 7 * 0.6 <= tau.high
    assert covered >= 46


def test_one_prompt_has_no_interval() -> None:
    assert figures([rounds((3, 1, 2))], 3, 0).tau == Estimate(2.0)


@pytest.fixture(scope="module")
def suites() -> list[Suite]:
    return [Suite(d, d, [(example(d, "test", i).prompt,) for i in range(2)], 24) for d in DOMAINS]


def test_counts_agree_with_traces_of_the_same_seeds(tiny_lab: Lab, suites: list[Suite]) -> None:
    settings = Settings(seed=5)
    measured = measure(tiny_lab.target, {"tiny": tiny_lab.drafter}, suites, settings)
    for suite in suites:
        for i, (run, (prompt,)) in enumerate(zip(measured.runs[suite.name]["tiny"], suite.conversations, strict=True)):
            session = tiny_lab.session(prompt, Settings(seed=session_seed(5, i), max_new_tokens=24)).run()
            trace = session.trace()
            assert [(r.context, r.drafted, r.accepted, r.emitted) for r in run.rounds] == [
                (r.context_length, r.verify_length, r.accepted, len(r.emitted)) for r in trace.rounds
            ]
            assert run.answers == [trace.text]
            f = figures([run], 5, 0)
            assert f.tau.value == trace.tau
            for k in range(1, 6):
                reached = [
                    r for r in trace.rounds
                    if r.accepted >= k - 1 and r.gamma >= k and not (r.accepted == k - 1 and r.final.kind == NONE)
                ]  # fmt: skip
                kept = [r for r in reached if r.positions[k - 1].verdict == ACCEPTED]
                assert f.conditional[k - 1].value == (len(kept) / len(reached) if reached else None)


def test_the_same_seed_gives_the_same_figures_and_another_others(tiny_lab: Lab, suites: list[Suite]) -> None:
    def taus(seed: int) -> list[object]:
        settings = Settings(seed=seed)
        drafters = {"tiny": tiny_lab.drafter}
        measured = measure(tiny_lab.target, drafters, suites[2:], settings, max_new_tokens=12)
        found = report(measured, drafters, suites[2:], settings, tiny_lab.target.info, tiny_lab.device)
        return [(f.tau, f.conditional, f.cumulative) for f in found.drafters["tiny"].suites.values()]

    assert taus(1) == taus(1) != taus(2)


def test_a_drafters_figures_do_not_depend_on_which_others_are_measured(tiny_lab: Lab, suites: list[Suite]) -> None:
    alone = measure(tiny_lab.target, {"tiny": tiny_lab.drafter}, suites[2:], Settings())
    beside = measure(tiny_lab.target, {"none": None, "tiny": tiny_lab.drafter}, suites[2:], Settings())
    for suite in suites[2:]:
        for a, b in zip(alone.runs[suite.name]["tiny"], beside.runs[suite.name]["tiny"], strict=True):
            assert [(r.accepted, r.emitted) for r in a.rounds] == [(r.accepted, r.emitted) for r in b.rounds]
        assert all(r.emitted == 1 for run in beside.runs[suite.name]["none"] for r in run.rounds)


def test_later_turns_follow_on_the_answers_and_too_long_ones_are_counted(tiny_lab: Lab) -> None:
    suite = Suite("talk", "chat", [("Hello.", "And then?"), ("7" * 300,), ("Hi.", "9" * 300, "More?")], 8)
    drafters = {"tiny": tiny_lab.drafter}
    measured = measure(tiny_lab.target, drafters, [suite], Settings(), all_turns=True)
    first, second, third = measured.runs["talk"]["tiny"]
    assert [run.skipped for run in (first, second, third)] == [0, 1, 2]
    assert {r.turn for r in first.rounds} == {0, 1} and not second.rounds
    history = ["Hello.", first.answers[0]]
    settings = Settings(seed=session_seed(0, 0, 1), max_new_tokens=8)
    again = Session(tiny_lab.target, tiny_lab.drafter, "And then?", settings, history).run(trace=False)
    assert [again.text] == first.answers[1:]
    found = report(measured, drafters, [suite], Settings(), tiny_lab.target.info, tiny_lab.device)
    result = found.drafters["tiny"]
    assert result.suites["talk"].skipped == 3 and result.suites["talk"].prompts == 2
    assert set(result.turns["chat"]) == {"1", "2"}
    parts = result.contexts["chat"].values()
    assert sum(f.rounds for f in parts) == result.suites["talk"].rounds


def test_only_the_first_turn_is_decoded_unless_all_are_asked_for(tiny_lab: Lab) -> None:
    suite = Suite("talk", "chat", [("Hello.", "And then?")], 8)
    run = measure(tiny_lab.target, {"tiny": tiny_lab.drafter}, [suite], Settings()).runs["talk"]["tiny"][0]
    assert len(run.answers) == 1 and run.skipped == 0


def test_an_interrupt_keeps_whole_conversations(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, calls = Run.decode, []

    def interrupt(self: Run, *arguments: object) -> None:
        calls.append(self)
        if len(calls) == 4:
            raise KeyboardInterrupt
        decode(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Run, "decode", interrupt)
    suite = Suite("talk", "chat", [("Hello.",), ("Hi.",), ("Well?",)], 8)
    measured = measure(tiny_lab.target, {"none": None, "tiny": tiny_lab.drafter}, [suite], Settings())
    assert measured.interrupted and (measured.done, measured.planned) == (1, 3)
    assert [len(runs) for runs in measured.runs["talk"].values()] == [1, 1]


def test_a_domain_is_the_mean_of_its_suites_and_macro_of_the_domains(tiny_lab: Lab, suites: list[Suite]) -> None:
    two = [Suite("gsm8k", "math", suites[0].conversations, 24), Suite("math500", "math", suites[1].conversations, 24)]
    three = [*two, suites[2]]
    drafters = {"tiny": tiny_lab.drafter, "none": None}
    measured = measure(tiny_lab.target, drafters, three, Settings())
    found = report(measured, drafters, three, Settings(), tiny_lab.target.info, tiny_lab.device)
    result = found.drafters["tiny"]
    math = (result.suites["gsm8k"].tau.value + result.suites["math500"].tau.value) / 2
    assert result.domains["math"].tau.value == pytest.approx(math)
    assert result.macro.tau.value == pytest.approx((math + result.suites["chat"].tau.value) / 2)
    gain = found.gains["none over tiny"]["macro"]
    assert gain.value == pytest.approx((1 / result.macro.tau.value - 1) * 100)
    assert gain.low < gain.value < gain.high


def test_a_rounds_latency_is_compared_conversation_by_conversation() -> None:
    """Conversations twice as slow for both, from a busy machine, change nothing; one that drafted no whole block is left
    out."""

    def run(ms: float, drafted: int = 3) -> Run:
        return Run([RoundCount(0, 10, drafted, 1, 2, total_ms=ms)] * 5)

    info = ModelInfo("scripted", "target", "", 0)
    suite = Suite("talk", "chat", [("Hello.",)] * 4)
    drafters = {name: ScriptedDrafter(one_hot(table(3, 0)), block_size=3) for name in ("a", "b")}
    a, b = [run(10), run(20), run(10), run(10, drafted=2)], [run(11), run(22), run(11.1), run(90)]
    found = report(Measurement({"talk": {"a": a, "b": b}}, 4, 4), drafters, [suite], Settings(), info, "CPU")
    slower = found.latency["b over a"]
    assert slower.value == pytest.approx(10) and slower.low == pytest.approx(10) and slower.high == pytest.approx(11)
    assert found.drafters["a"].round_ms["total"] == 10
