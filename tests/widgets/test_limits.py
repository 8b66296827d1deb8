"""What a visitor may ask for, and errors that name no place on the server."""

from __future__ import annotations

import pytest

from dspark_lab.errors import LabError
from dspark_widgets.jobs import explain
from dspark_widgets.limits import Limits


def test_a_server_tells_its_kernels() -> None:
    limits = Limits(prompt=500, tokens=64, forks=8)
    assert Limits.here(limits.environment) == limits
    assert Limits.here({}) == Limits()


@pytest.mark.parametrize("value", ["0", "-3", "many"])
def test_a_limit_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(LabError):
        Limits.here({"DSPARK_MOST_TOKENS": value})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "the weight file /srv/lab/dspark_lab/pocket/target/model.safetensors is missing",
            "target/model.safetensors is",
        ),
        ("the target in '/srv/lab/pocket/target' lacks 'x'", "'…/pocket/target' lacks"),
        ("cannot read ~/models/mine: no", "…/models/mine: no"),
        (r"cannot read C:\lab\models\mine.", "…/models/mine"),
    ],
)
def test_of_a_place_on_the_server_only_the_end_is_told(said: str, told: str) -> None:
    for error in (LabError(said), OSError(said)):
        text = explain(error)
        assert told in text
        assert "/srv" not in text and "C:" not in text and "~" not in text


@pytest.mark.parametrize("said", ["3/4 of it", "see https://example.org/a/b.", "p_t/p_d = 0.61", "a / b", "and/or"])
def test_other_slashes_stay(said: str) -> None:
    assert explain(LabError(said)) == said
