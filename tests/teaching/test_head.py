"""The head, asked again: as recorded after the same token, and as its own matrices say after another."""

from __future__ import annotations

import pytest
import torch

from dspark_lab import LabError, Settings
from dspark_lab.drafters.dspark import DSparkDrafter
from dspark_lab.loading import Lab
from dspark_lab.session import Session
from dspark_lab.teaching.head import one_token, read_head
from tests.scripted import untimed

SETTINGS = Settings(seed=3, temperature=0.8, max_new_tokens=16)


@pytest.fixture(scope="module")
def session(tiny_lab: Lab) -> Session:
    return tiny_lab.session("Tom has 12 apples.", SETTINGS).run()


def test_after_the_same_token_it_is_as_recorded(session: Session) -> None:
    before = untimed(session.rounds)
    for r in session.rounds[:3]:
        for p in r.positions:
            reading = read_head(session, r.index, p.k)
            assert reading.previous == (r.anchor if p.k == 1 else r.positions[p.k - 2].token).id
            assert float(reading.draft[p.token.id]) == pytest.approx(p.p_d, abs=1e-6)
            assert float(reading.base[p.token.id]) == pytest.approx(p.p_base, abs=1e-6)
            assert float(reading.bias[p.token.id]) == pytest.approx(p.bias, abs=1e-4)
            assert float(reading.draft.sum()) == pytest.approx(1)
    assert untimed(session.rounds) == before


def test_after_another_token_only_the_head_changes(session: Session) -> None:
    assert isinstance(session.drafter, DSparkDrafter) and session.drafter.model.markov_head is not None
    head = session.drafter.model.markov_head
    as_was, other = read_head(session, 1, 2), read_head(session, 1, 2, 17)
    assert torch.equal(as_was.base, other.base)
    table = (head.markov_w2.weight @ head.markov_w1.weight[17]).detach()
    assert torch.allclose(other.bias, table, atol=1e-5)
    assert not torch.allclose(as_was.bias, other.bias, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((99, 1), "no round 99"),
        ((0, 0), "no draft position 0"),
        ((0, 6), "no draft position 6 in round 0: it drafts 5"),
        ((0, 1, -1), "token id -1"),
        ((0, 1, 10**6), "not in the vocabulary"),
        ((0, True), "no draft position True"),
    ],
)
def test_what_there_is_not_is_said(session: Session, arguments: tuple[int, ...], said: str) -> None:
    with pytest.raises(LabError, match=said):
        read_head(session, *arguments)


def test_a_drafter_without_a_head_says_so(tiny_lab: Lab) -> None:
    early = tiny_lab.with_drafter("early-exit").session("Tom has 12 apples.", SETTINGS).run()
    with pytest.raises(LabError, match="kind 'early-exit' has no sequential head: take dspark"):
        read_head(early, 0, 1)
    plain = tiny_lab.session("Tom has 12 apples.", SETTINGS, drafter=False).run()
    with pytest.raises(LabError, match="without a drafter there is no head"):
        read_head(plain, 0, 1)


def test_a_token_by_its_text(tiny_lab: Lab) -> None:
    tokenizer = tiny_lab.target.tokenizer
    assert tokenizer.decode([one_token(tokenizer, "a")]) == "a"
    with pytest.raises(LabError, match=r"is \d+ tokens"):
        one_token(tokenizer, "quixotic zebras")
    with pytest.raises(LabError, match="no token was written"):
        one_token(tokenizer, "")
