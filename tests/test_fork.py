"""A fork re-runs one round with exactly what was changed; everything else is as it was."""

from __future__ import annotations

import pytest

from dspark_lab import LabError, Overrides, Session, Settings
from dspark_lab.loading import Lab
from dspark_lab.rounds import CUT
from tests.scripted import ScriptedDrafter, endless, table, untimed

PROMPT = "Tom has 12 apples. He buys 7 more."
TARGET, OTHER = table(4, seed=1, zeros=0.1), table(4, seed=2, zeros=0.1)


@pytest.fixture(scope="module")
def parent(tiny_lab: Lab) -> Session:
    return tiny_lab.session(PROMPT, Settings(seed=5, max_new_tokens=30)).run()


def test_an_unchanged_fork_of_any_round_repeats_it_bitwise(parent: Session) -> None:
    for index in range(len(parent.rounds)):
        fork = parent.fork(index)
        assert len(fork.rounds) == index + 1
        assert all(a is b for a, b in zip(fork.rounds[:index], parent.rounds, strict=False)), (
            "earlier rounds are shared"
        )
        assert untimed(fork.rounds[index:]) == untimed([parent.rounds[index]])
        assert fork.trace().forked_at == index


def test_an_unchanged_fork_runs_on_to_the_same_end(parent: Session) -> None:
    assert untimed(parent.fork(1).run().rounds) == untimed(parent.rounds)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_a_changed_acceptance_uniform_leaves_the_draft_and_earlier_verdicts(parent: Session, k: int) -> None:
    for index, before in enumerate(parent.rounds[:6]):
        if k > before.gamma:
            continue
        lucky = {f"accept:{j}": 0.0 for j in range(1, k)}
        base = parent.fork(index, Overrides(uniforms=lucky))
        for u in (0.0, 0.999):
            after = parent.fork(index, Overrides(uniforms={**lucky, f"accept:{k}": u})).rounds[index]
            earlier = base.rounds[index].positions
            assert [p.token for p in after.positions] == [p.token for p in before.positions]
            assert [p.draft for p in after.positions] == [p.draft for p in before.positions]
            assert [p.verdict for p in after.positions[: k - 1]] == [p.verdict for p in earlier[: k - 1]]
            assert after.positions[k - 1].u_accept == u


@pytest.mark.parametrize("k", [1, 3, 5])
def test_a_changed_token_leaves_everything_before_it(parent: Session, k: int) -> None:
    before = parent.rounds[0]
    other = (before.positions[k - 1].token.id + 1) % parent.target.vocab_size
    after = parent.fork(0, Overrides(tokens={k: other})).rounds[0]
    assert [p.token for p in after.positions[: k - 1]] == [p.token for p in before.positions[: k - 1]]
    assert after.positions[k - 1].token.id == other
    assert [p.forced for p in after.positions] == [j == k for j in range(1, 6)]
    assert after.positions[k - 1].draft[:3] == before.positions[k - 1].draft[:3], "p_d stays what it was"
    assert [p.u_draft for p in after.positions] == [p.u_draft for p in before.positions]
    assert other in [c.token.id for c in after.positions[k - 1].draft], "the distribution shows the forced token"


def test_a_forced_token_is_shown_even_where_the_drafter_could_not_draw_it() -> None:
    session = Session(endless(TARGET), ScriptedDrafter(OTHER), "ab", Settings(temperature=0, gamma=2))
    session.step()
    drawn = session.rounds[0].positions[0].token.id
    position = session.fork(0, Overrides(tokens={1: (drawn + 1) % 4})).rounds[0].positions[0]
    assert position.p_d == 0
    assert position.token in [choice.token for choice in position.draft]


@pytest.mark.parametrize("length", [0, 1, 3, 5])
def test_what_was_cut_never_reaches_the_target(parent: Session, length: int) -> None:
    before = parent.rounds[0]
    after = parent.fork(0, Overrides(verify_length=length)).rounds[0]
    assert [p.token for p in after.positions] == [p.token for p in before.positions]
    assert [p.verdict for p in after.positions[length:]] == [CUT] * (5 - length)
    assert [p.verified for p in after.positions] == [k < length for k in range(5)]
    assert all(p.p_t is None and p.overlap is None and p.target == () for p in after.positions[length:])
    assert after.cache_after_verify == after.cache_before + 1 + length
    expected = [p.verdict for p in before.positions[:length]]
    assert [p.verdict for p in after.positions[:length]] == expected


@pytest.mark.parametrize(
    ("index", "overrides", "message"),
    [
        (99, Overrides(), "no round 99"),
        (-1, Overrides(), "no round -1"),
        (0, Overrides(tokens={6: 1}), "no draft position 6"),
        (0, Overrides(tokens={1: 320}), "token id 320 is not in the vocabulary of 320"),
        (0, Overrides(uniforms={"accept:0": 0.1}), "no draft position 0"),
        (0, Overrides(uniforms={"draft:6": 0.1}), "no draft position 6"),
        (0, Overrides(verify_length=6), "verify_length is 6, but this round drafts 5"),
        (0, Overrides(settings={"temperature": -1}), "temperature is -1"),
    ],
)
def test_a_fork_that_does_not_fit_leaves_its_parent_untouched(
    tiny_lab: Lab, index: int, overrides: Overrides, message: str
) -> None:
    parent = tiny_lab.session(PROMPT, Settings(seed=5, max_new_tokens=30))
    parent.step()
    rounds, tokens, length = list(parent.rounds), list(parent.state.tokens), parent.state.cache.length
    with pytest.raises(LabError, match=message):
        parent.fork(index, overrides)
    assert (parent.rounds, parent.state.tokens, parent.state.cache.length) == (rounds, tokens, length)
    assert untimed([parent.step()]) == untimed(tiny_lab.session(PROMPT, parent.settings).run().rounds[1:2])


def test_a_fork_and_its_parent_go_separate_ways(tiny_lab: Lab) -> None:
    alone = tiny_lab.session(PROMPT, Settings(seed=5, max_new_tokens=30)).run()
    parent = tiny_lab.session(PROMPT, alone.settings)
    parent.step(), parent.step()
    fork = parent.fork(1, Overrides(settings={"temperature": 3.0}))
    fork.run(), parent.run()
    assert untimed(parent.rounds) == untimed(alone.rounds)
    assert [r.temperature for r in fork.rounds] == [1.0] + [3.0] * (len(fork.rounds) - 1)
    assert fork.fork(0).rounds[0].temperature == 1.0, "what was changed later does not reach back"


@pytest.mark.parametrize("number", ["a", 0.5, True, None, -1])
def test_only_a_round_there_is_can_be_forked(parent: Session, number: object) -> None:
    with pytest.raises(LabError, match="no round"):
        parent.fork(number)  # type: ignore[arg-type]
