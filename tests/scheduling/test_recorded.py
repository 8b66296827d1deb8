"""Recorded rounds: what they hold fits together, and comes back from a file."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dspark_lab.errors import LabError
from dspark_lab.scheduling.recorded import RecordedRounds
from tests.scheduling.rounds import made_rounds


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    rounds = made_rounds(300, overconfidence=4.0)
    rounds.save(tmp_path / "rounds.safetensors")
    read = RecordedRounds.load(tmp_path / "rounds.safetensors")
    assert read.origin == rounds.origin
    for field in fields(rounds)[1:]:
        ours, theirs = getattr(rounds, field.name), getattr(read, field.name)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(theirs, ours, atol=2e-3)  # float16
    assert read.confidence.min() > 0 and read.confidence.max() < 1  # type: ignore[union-attr]


def test_rounds_of_a_drafter_without_confidence_are_kept_too(tmp_path: Path) -> None:
    replace(made_rounds(10), confidence=None).save(tmp_path / "rounds.safetensors")
    assert RecordedRounds.load(tmp_path / "rounds.safetensors").confidence is None


def test_files_that_are_none_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "rounds.safetensors"
    with pytest.raises(LabError, match="cannot read the recorded rounds .*rounds.safetensors"):
        RecordedRounds.load(file)
    file.write_bytes(b"not safetensors at all")
    with pytest.raises(LabError, match="cannot read the recorded rounds"):
        RecordedRounds.load(file)
    save_file({"weight": np.zeros(3)}, file)
    with pytest.raises(LabError, match="holds no recorded rounds"):
        RecordedRounds.load(file)
    made_rounds(5).save(file)
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    with pytest.raises(LabError, match="cannot read the recorded rounds"):
        RecordedRounds.load(file)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("acceptance", 1.5, r"acceptance is 1.5 in round 2, position 1, but must be from 0 to 1"),
        ("acceptance", np.nan, r"acceptance is nan in round 2"),
        ("accepted", 5, r"accepted is 5 in round 2, but must be from 0 to 4"),
        ("drafted", 9, r"drafted is 9 in round 2"),
        ("domain", 3, r"domain is 3 in round 2, but must be from 0 to 2"),
        ("confidence", 1.0, r"confidence at position 1 of round 2 is 1.0"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_place(name: str, value: float, message: str) -> None:
    rounds = made_rounds(10)
    broken = getattr(rounds, name).copy()
    broken[2] = value
    with pytest.raises(LabError, match=message):
        replace(rounds, **{name: broken})


def test_shapes_must_fit_together() -> None:
    rounds = made_rounds(10)
    with pytest.raises(LabError, match="recorded accepted has the shape"):
        replace(rounds, accepted=rounds.accepted[:-1])
    with pytest.raises(LabError, match="recorded confidence has the shape"):
        replace(rounds, confidence=rounds.acceptance[:, :2])


def test_domains_and_selections() -> None:
    rounds = made_rounds(30)
    assert len(rounds.of("code")) == 10 and set(rounds.of("code").domain) == {1}
    with pytest.raises(LabError, match="choose from math, code, chat"):
        rounds.of("poetry")
    with pytest.raises(LabError, match="none of the 30 recorded rounds is left"):
        rounds.select(np.zeros(30, bool))
    assert len(rounds.select([3, 3, 4])) == 3


def test_tokens_of_a_round_under_a_cut() -> None:
    """Accepted up to the cut and one more, but none behind an end of sequence that was accepted."""
    rounds = made_rounds(1).select([0, 0, 0])
    rounds = replace(
        rounds, accepted=np.array([4, 2, 3]), drafted=np.array([4, 4, 3]), ends=np.array([False, False, True])
    )
    assert rounds.emitted().tolist() == [5, 3, 3]
    assert rounds.emitted(2).tolist() == [3, 3, 3]  # cut before the end of sequence, there is a bonus token again
    assert rounds.emitted([0, 1, 3]).tolist() == [1, 2, 3]
