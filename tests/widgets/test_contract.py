"""Python and the browser agree: generated types are current, traits are the contract's, bad messages are told so."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any, get_args

import pytest

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.settings import Overrides
from dspark_lab.teaching.rules import RULES
from dspark_widgets import contract, contract_types, requests
from dspark_widgets.app import LabApp
from dspark_widgets.confidence import ConfidenceView
from dspark_widgets.lens import HeadLens
from dspark_widgets.race import DrafterRace
from dspark_widgets.rejection import RejectionView
from dspark_widgets.scheduler import SchedulerView
from dspark_widgets.stepper import Stepper
from dspark_widgets.view import View


def test_the_generated_types_are_current() -> None:
    written = contract_types.TARGET.read_text(encoding="utf-8")
    assert written == contract_types.generate(), "run python -m dspark_widgets.contract_types"


def traits(view: type[View]) -> set[str]:
    own = {name for name in view.class_traits(sync=True) if not name.startswith("_")}
    return own - {"layout", "tabbable", "tooltip", "comm", "keys"}


def test_the_traits_are_the_fields_of_the_view_state() -> None:
    state = {f.name for f in dataclasses.fields(contract.ViewState)}
    assert traits(LabApp) == state
    of_its_own = {Stepper: set(), RejectionView: {"meters"}, HeadLens: {"lens"}, DrafterRace: {"race"}}
    plans = {"plans", "step_rates"}
    of_its_own |= {SchedulerView: plans, ConfidenceView: plans | {"reliability"}}
    for view, own in of_its_own.items():
        assert traits(view) == traits(View) | own
    assert set(contract.KEPT) <= state


def test_every_request_is_answered_by_the_app_and_told_somewhere() -> None:
    for kind in get_args(requests.Request):
        assert callable(getattr(LabApp, f"on_{kind.type}"))
        assert requests.where_told({"type": kind.type}) in get_args(contract.Where)
    assert requests.where_told({"type": "meter"}) == "meter"
    assert requests.where_told(7) == "request"


def test_the_rules_of_the_contract_are_the_librarys() -> None:
    assert list(get_args(requests.RuleName)) == list(RULES)


def test_importing_the_views_imports_no_torch() -> None:
    lazily = "import sys, dspark_widgets; assert 'anywidget' not in sys.modules"
    code = f"{lazily}; from dspark_widgets import *; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": ":".join(sys.path)}).returncode == 0


def test_every_request_comes_back_as_it_was_sent() -> None:
    overrides = Overrides(tokens={2: 5}, uniforms={"accept:1": 0.25}, verify_length=3, settings={"temperature": 0.5})
    sent: list[requests.Request] = [
        requests.ForkRequest(1, 2, overrides),
        requests.DeleteRequest(3),
        requests.GenerateRequest(contract.Controls(prompt="hello", temperature=0.7)),
        requests.ExampleRequest("math", 1),
        requests.StopRequest(),
        requests.SyncRequest(4),
        requests.MeterRequest(0, 2, "resample", 200, True),
        requests.HeadRequest(1, 0, 3, 17),
        requests.HeadRequest(1, 0, 3, None, " of"),
        requests.RaceRequest("hello", ("dspark", "none")),
        requests.OpenRequest("dspark", 2),
        requests.RestoreRequest("eyJ9"),
        requests.WordsRequest("zh"),
        requests.PlanRequest(
            0, 2, Overrides(settings={"load": 9, "step_rate": "curve:1=9,8=4"}, confidence={3: 0.2}), 7
        ),
    ]
    for request in sent:
        assert requests.read_request(to_json(request)) == request


FILE = {"settings": {"step_rate": "/etc/hosts"}}
"""A page may not have files read."""


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("fork", "no type"),
        ({}, "no type"),
        ({"type": ["fork"]}, "no type"),
        ({"type": "format-disk"}, "unknown request"),
        ({"type": "fork", "branch": 0, "round": 1}, "the page's fork request lacks the field 'overrides'"),
        ({"type": "fork", "round": 1, "overrides": {}}, "the page's fork request lacks the field 'branch'"),
        ({"type": "fork", "branch": True, "round": 1, "overrides": {}}, "request.branch has .* wrong type: True"),
        ({"type": "fork", "branch": 0, "round": 1, "overrides": 7}, "override"),
        ({"type": "fork", "branch": 0, "round": 0, "overrides": {"uniforms": {"accept:1": 1.0}}}, "below 1"),
        ({"type": "fork", "branch": 0, "round": 0, "overrides": {"tokens": {"a": 1}}}, "draft positions"),
        ({"type": "example", "domain": "../..", "index": 0}, "'../..', but must be one of 'math', 'code', 'chat'"),
        ({"type": "example", "domain": [], "index": 0}, "request.domain"),
        ({"type": "example", "domain": "math", "index": "0"}, "request.index has .* wrong type: '0'"),
        ({"type": "example", "domain": "math"}, "lacks the field 'index'"),
        ({"type": "generate"}, "the page's generate request lacks the field 'controls'"),
        ({"type": "sync", "have": 1, "want": 2}, "unknown field 'want'"),
        ({"type": "generate", "controls": {"prompt": 3}}, "controls.prompt"),
        ({"type": "sync", "have": "all"}, "have"),
        ({"type": "meter", "branch": 0, "round": 0, "rule": "hope", "rounds": 9}, "'hope', but must be one of 'exact'"),
        ({"type": "meter", "branch": 0, "round": 0, "rule": "exact"}, "lacks the field 'rounds'"),
        ({"type": "head", "branch": 0, "round": 0, "k": 1, "token": "x"}, "request.token"),
        ({"type": "plan", "branch": 0, "round": 0, "overrides": {}}, "lacks the field 'number'"),
        (
            {"type": "plan", "branch": 0, "round": 0, "number": 1, "overrides": {"confidence": {"1": 1}}},
            "neither included",
        ),
        ({"type": "plan", "branch": 0, "round": 0, "number": 1, "overrides": FILE}, "no step rate '/etc/hosts'"),
        ({"type": "fork", "branch": 0, "round": 0, "overrides": FILE}, "no step rate '/etc/hosts'"),
        ({"type": "race", "prompt": "hi", "drafters": "dspark"}, "request.drafters has .* wrong type"),
        ({"type": "words", "language": "../lab"}, "'../lab', but must be one of 'ja', 'zh'"),
        ({"type": "restore", "link": ["eyJ9"]}, "request.link has .* wrong type"),
        ({"type": "race", "prompt": "hi", "drafters": [3]}, r"request.drafters\[0\]"),
    ],
)
def test_a_bad_message_raises_what_can_be_shown(message: Any, said: str) -> None:
    with pytest.raises(LabError, match=said) as caught:
        requests.read_request(message)
    assert "ecord the trace" not in str(caught.value)
