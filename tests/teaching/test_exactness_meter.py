"""The meter: the test is Pearson's, the real rule passes it, the wrong ones do not, and the session stays as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dspark_lab import LabError, Settings
from dspark_lab.loading import Lab
from dspark_lab.rounds import Round
from dspark_lab.session import Session
from dspark_lab.teaching.exactness import ExactnessMeter, goodness_of_fit
from tests.scripted import untimed

SETTINGS = Settings(seed=3, temperature=0.8, max_new_tokens=24)


@pytest.fixture(scope="module")
def session(tiny_lab: Lab) -> Session:
    return tiny_lab.session("Tom has 12 apples.", SETTINGS).run()


@given(st.lists(st.integers(30, 300), min_size=2, max_size=6))
def test_the_test_is_scipys(counts: list[int]) -> None:
    even = [1 / len(counts)] * len(counts)
    fit, known = goodness_of_fit(counts, even), stats.chisquare(counts)
    assert fit.statistic == pytest.approx(known.statistic)
    assert fit.p_value == pytest.approx(known.pvalue, abs=1e-12)
    assert (fit.degrees, fit.impossible) == (len(counts) - 1, 0)


def test_rare_tokens_share_a_bin_whatever_was_counted() -> None:
    fit = goodness_of_fit([60, 32, 3, 3, 2], [0.6, 0.3, 0.04, 0.03, 0.03])
    known = stats.chisquare([60, 32, 8], [60, 30, 10])
    assert (fit.degrees, fit.statistic) == (2, pytest.approx(known.statistic))
    assert fit.p_value == pytest.approx(min(1, 2 * min(known.pvalue, stats.poisson.sf(1, 3))))
    assert goodness_of_fit([3, 1], [0.5, 0.5]).degrees == 0


def test_too_many_of_the_rarest_are_seen_though_they_fill_no_bin() -> None:
    """Where one token is next to certain, there is one bin; yet nine others in nine rounds settle it."""
    few, many = goodness_of_fit([9, 0, 0], [0.99, 0.006, 0.004]), goodness_of_fit([0, 5, 4], [0.99, 0.006, 0.004])
    assert (few.degrees, few.p_value) == (0, 1.0)
    assert (many.degrees, many.p_value) == (0, pytest.approx(stats.poisson.sf(8, 0.09)))
    assert many.p_value < 1e-12


def test_what_cannot_happen_settles_it() -> None:
    fit = goodness_of_fit([99, 1], [1.0, 0.0])
    assert (fit.p_value, fit.impossible) == (0.0, 1)
    assert goodness_of_fit([100, 0], [1.0, 0.0]).p_value == 1.0


def divided(session: Session) -> int:
    """The round whose first position draft and target see neither alike nor as strangers."""

    def doubt(r: Round) -> float:
        overlap = r.positions[0].overlap if r.positions else None
        return 0.0 if overlap is None else overlap * (1 - overlap)

    return max(session.rounds, key=doubt).index


def test_the_real_rule_passes_and_the_wrong_ones_are_caught(session: Session) -> None:
    before, index = untimed(session.rounds), divided(session)
    overlap = session.rounds[index].positions[0].overlap
    assert overlap is not None and 0.1 < overlap < 0.9
    real, wrong, kept = (ExactnessMeter(session, index, rule) for rule in ("exact", "resample", "accept-all"))
    assert [meter.run(300) for meter in (real, wrong, kept)] == [300, 300, 300]
    assert real.reading().fit.p_value > 1e-3
    assert real.reading().bias == 0.0
    assert kept.reading().fit.p_value < 1e-6
    assert kept.reading().bias == pytest.approx(1 - overlap)
    assert wrong.reading().bias > 0.03
    assert wrong.reading().fit.p_value < real.reading().fit.p_value
    assert untimed(session.rounds) == before


def test_it_adds_up_and_says_its_seeds(session: Session) -> None:
    meter, once = ExactnessMeter(session, 1), ExactnessMeter(session, 1)
    meter.run(7)
    meter.run(13)
    once.run(20)
    assert meter.counts == once.counts  # a seed gives the same round in whatever chunk
    assert [n for n, _ in meter.history] == [7, 20]
    reading = meter.reading(3)
    assert (reading.rounds, reading.first_seed) == (20, SETTINGS.seed + 1)
    assert len(reading.tallies) == 3
    assert sum(t.count for t in (*reading.tallies, reading.others)) == 20
    assert sum(t.p_t for t in (*reading.tallies, reading.others)) == pytest.approx(1)
    assert ExactnessMeter(session, 1, first_seed=90).first_seed == 90


def test_it_repeats_the_very_round(session: Session) -> None:
    """With the session's own seed, the round comes out as it did."""
    meter = ExactnessMeter(session, 2, first_seed=SETTINGS.seed)
    meter.run(1)
    assert list(meter.counts) == [session.rounds[2].emitted[0].id]
    head = {c.token.id: c.value for c in session.rounds[2].positions[0].target}
    assert all(t.p_t == pytest.approx(head[t.token]) for t in meter.reading(3).tallies)


def test_it_can_be_stopped(session: Session) -> None:
    meter, asked = ExactnessMeter(session, 0), iter([False, False, True])
    assert meter.run(50, lambda: next(asked)) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [({"round_index": 99}, "no round 99"), ({"round_index": 0, "rule": "hope"}, "no acceptance rule 'hope'")],
)
def test_what_it_cannot_repeat_is_said(session: Session, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(LabError, match=said):
        ExactnessMeter(session, **arguments)
    with pytest.raises(LabError, match="repeated no round yet"):
        ExactnessMeter(session, 0).reading()


def test_a_tree_has_the_real_rule_alone(tiny_lab: Lab) -> None:
    session = tiny_lab.session("Tom has 12 apples.", Settings(seed=3, tree=6, max_new_tokens=8)).run()
    meter = ExactnessMeter(session, 0)
    assert meter.run(5) == 5
    with pytest.raises(LabError, match="take 'exact'"):
        ExactnessMeter(session, 0, "accept-all").run(1)


def test_without_a_drafter_every_rule_is_the_targets(tiny_lab: Lab) -> None:
    session = tiny_lab.session("Tom has 12 apples.", SETTINGS, drafter=False).run()
    meter = ExactnessMeter(session, 0, "accept-all")
    meter.run(60)
    assert meter.reading().bias == 0.0
    assert meter.reading().fit.p_value > 1e-3
