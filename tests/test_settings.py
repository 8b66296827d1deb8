"""Settings and overrides refuse what makes no sense, naming the value, the limit and the remedy."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from dspark_lab import LabError, Overrides, Settings
from dspark_lab.records import to_json

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("temperature", v) for v in (NAN, INF, -INF, -0.1, 100.5, True, "1", None, 10**309)],
        *[("top_k", v) for v in (-1, 1.5, True, NAN, "3", None)],
        *[("top_p", v) for v in (0, -0.5, 1.01, NAN, INF, False, "all", None)],
        *[("gamma", v) for v in (-1, 1025, 2.0, True, NAN, "7")],
        *[("tree", v) for v in (-1, 1025, 2.0, True, None)],
        *[("seed", v) for v in (-1, 2**63, 0.5, True, None)],
        *[("max_new_tokens", v) for v in (0, -5, 1_000_001, 3.0, True, INF, None)],
    ],
)
def test_a_value_out_of_range_is_named_with_its_limits(name: str, value: Any) -> None:
    with pytest.raises(LabError, match=rf"{name} is .+, but must be a .*number from .+ to .+: .+"):
        Settings(**{name: value})


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0},
        {"temperature": 100, "top_p": 1e-6, "top_k": 1_000_000},
        {"gamma": 0, "seed": 2**63 - 1, "max_new_tokens": 1},
        {"gamma": None},
    ],
)
def test_the_limits_themselves_are_fine(values: dict[str, Any]) -> None:
    settings = Settings(**values)
    assert {name: getattr(settings, name) for name in values} == values


def test_an_unknown_setting_is_named_with_those_that_exist() -> None:
    with pytest.raises(LabError, match=r"unknown setting 'temprature'; there are temperature, top_k"):
        Settings().with_changes({"temprature": 1})


def test_changed_settings_are_checked_too() -> None:
    assert Settings(seed=3).with_changes({"temperature": 0.5}) == Settings(0.5, seed=3)
    with pytest.raises(LabError, match="temperature"):
        Settings().with_changes({"temperature": NAN})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokens": {0: 1}}, "position is 0"),
        ({"tokens": {True: 1}}, "position is True"),
        ({"tokens": {1: -1}}, "id is -1"),
        ({"tokens": {1: 1.0}}, r"id is 1\.0"),
        ({"uniforms": {"accept:1": 1.0}}, r"accept:1 is 1\.0, but must be below 1"),
        ({"uniforms": {"accept:1": -0.1}}, "accept:1"),
        ({"uniforms": {"accept:1": NAN}}, "accept:1"),
        ({"uniforms": {"accept:1": True}}, "accept:1"),
        ({"uniforms": {"accept:1": "0.5"}}, "accept:1"),
        ({"uniforms": {"reject:1": 0.5}}, "'reject:1' does not exist"),
        ({"uniforms": {"accept": 0.5}}, "'accept' does not exist"),
        ({"uniforms": {"accept:-1": 0.5}}, "'accept:-1' does not exist"),
        ({"uniforms": {"accept:²": 0.5}}, "'accept:²' does not exist"),
        ({"uniforms": {"accept:1:2": 0.5}}, "does not exist"),
        ({"uniforms": {3: 0.5}}, "3 does not exist"),
        ({"uniforms": {"final:3": 0.5}}, "'final:3' does not exist"),
        ({"verify_length": -1}, "verify_length is -1"),
        ({"verify_length": True}, "verify_length is True"),
        ({"verify_length": 1.0}, r"verify_length is 1\.0"),
        ({"settings": {"seed": 2}}, "'seed' cannot change within a session"),
        ({"settings": {"gamma": 2}}, "'gamma' cannot change within a session"),
        ({"settings": Settings(load=3)}, "settings are a Settings, but must be a dict"),
    ],
)
def test_an_override_that_no_round_can_have_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        Overrides(**values)


def test_overrides_survive_json() -> None:
    overrides = Overrides({2: 17}, {"accept:3": 0.68, "final:0": 0.1}, 4, {"temperature": 0.5})
    assert Overrides.from_json(json.loads(json.dumps(to_json(overrides)))) == overrides
    assert Overrides.from_json({}) == Overrides()


@pytest.mark.parametrize(
    "value",
    [
        {"token": {}},
        {"tokens": {"first": 3}},
        {"tokens": [3]},
        {"tokens": {"1": "x"}},
        {"uniforms": [0.5]},
        {"settings": 3},
        {"verify_length": "2"},
        [1],
        None,
    ],
)
def test_json_that_is_no_override_is_refused(value: Any) -> None:
    with pytest.raises(LabError):
        Overrides.from_json(value)


def test_overrides_are_true_only_when_something_is_changed() -> None:
    assert not Overrides()
    assert all([Overrides({1: 0}), Overrides(uniforms={"final:0": 0}), Overrides(verify_length=0)])


def test_settings_and_traces_are_read_without_torch() -> None:
    """The views show a recorded trace on machines where importing torch would take seconds."""
    script = (
        "import sys, dspark_lab.trace, dspark_lab.settings; assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
