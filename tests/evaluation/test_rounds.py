"""Recorded rounds of real pairs: they are the rounds that sessions decode."""

from __future__ import annotations

import numpy as np
import pytest

from dspark_lab import Settings
from dspark_lab.errors import LabError
from dspark_lab.evaluation.measure import session_seed
from dspark_lab.evaluation.rounds import corpus_suites, record
from dspark_lab.evaluation.suites import Suite
from dspark_lab.loading import Lab
from dspark_lab.scheduling.calibration import fit_sts
from dspark_lab.scheduling.recorded import RecordedRounds

SUITES = [Suite("chat", "chat", [("Hello.",), ("How was your day?",)], 24), Suite("sums", "math", [("1 + 1?",)], 24)]


@pytest.fixture(scope="module")
def recorded(tiny_lab: Lab) -> RecordedRounds:
    assert tiny_lab.drafter is not None
    return record(tiny_lab.target, tiny_lab.drafter, SUITES, Settings(seed=3), "test")


def test_they_are_what_a_session_with_that_seed_decodes(tiny_lab: Lab, recorded: RecordedRounds) -> None:
    """Acceptance and confidence of each position, as the trace shows them."""
    row = 0
    for suite in SUITES:
        for i, (prompt,) in enumerate(suite.conversations):
            settings = Settings(seed=session_seed(3, i), max_new_tokens=24)
            for r in tiny_lab.session(prompt, settings).run().rounds:
                if r.gamma < 5:
                    continue
                counts = recorded.drafted[row]
                shown = [p.acceptance for p in r.positions[:counts]]
                np.testing.assert_allclose(recorded.acceptance[row, :counts], shown, atol=1e-9)
                assert recorded.confidence is not None
                np.testing.assert_allclose(recorded.confidence[row], [p.confidence for p in r.positions])
                assert recorded.accepted[row] == r.accepted
                assert recorded.emitted()[row] == len(r.emitted)
                assert recorded.origin.domains[recorded.domain[row]] == suite.domain
                row += 1
    assert row == len(recorded)
    assert (np.diff(recorded.conversation) >= 0).all() and recorded.conversation.max() == 2


def test_what_ends_the_text_is_the_last_that_counts(tiny_lab: Lab) -> None:
    """With every token an end of sequence, only the first of each draft counts, and accepted it has no bonus token."""
    target = tiny_lab.target
    assert tiny_lab.drafter is not None
    stop = target.stop_tokens
    target.stop_tokens = frozenset(range(target.vocab_size))
    try:
        found = record(target, tiny_lab.drafter, SUITES, Settings(), "test")
    finally:
        target.stop_tokens = stop
    assert (found.drafted == 1).all() and found.ends.all()
    assert (found.acceptance[:, 1:] == 0).all() and (found.acceptance[:, 0] > 0).all()
    assert (found.emitted() == 1).all()  # the end itself, or the residual in its place


def test_enough_rounds_of_each_suite(tiny_lab: Lab) -> None:
    assert tiny_lab.drafter is not None
    found = record(
        tiny_lab.target, tiny_lab.drafter, corpus_suites("validation", 50), Settings(), "validation", rounds=12
    )
    assert all(len(found.of(domain)) >= 4 for domain in found.origin.domains)
    assert found.conversation.max() == 2  # the first answer of each domain is long enough


def test_a_drafter_that_copies_has_short_drafts_and_no_confidence(tiny_lab: Lab) -> None:
    copying = tiny_lab.with_drafter("prompt-lookup").drafter
    assert copying is not None
    found = record(tiny_lab.target, copying, SUITES, Settings(), "test")
    assert found.confidence is None and 0 in found.drafted
    with pytest.raises(LabError, match="prompt-lookup hold no confidences"):
        fit_sts(found)


def test_what_is_not_verified_whole_is_not_recorded(tiny_lab: Lab) -> None:
    assert tiny_lab.drafter is not None
    for settings in (Settings(gamma=0), Settings(tree=8), Settings(policy="early-break")):
        with pytest.raises(LabError, match="chains that are verified whole"):
            record(tiny_lab.target, tiny_lab.drafter, SUITES, settings, "test")
    short = [Suite("chat", "chat", [("Hello.",)], 3)]
    with pytest.raises(LabError, match="no round had room for a draft of 5"):
        record(tiny_lab.target, tiny_lab.drafter, short, Settings(), "test")
