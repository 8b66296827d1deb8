"""Permalinks: page and Python write the same text, a bad one is told and changes nothing, a good one brings all back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.settings import Overrides, Settings
from dspark_widgets import permalink
from dspark_widgets.app import LabApp
from dspark_widgets.contract import Cursor, ModelName
from dspark_widgets.permalink import Fork, Permalink, decode, encode, link_to
from tests.widgets import fixtures

WRITTEN_BY_THE_PAGE = Path(__file__).parents[2] / "widgets" / "js" / "test" / "permalink.json"


def a_link(**changes: Any) -> Permalink:
    forks = (Fork(0, 1, Overrides(uniforms={"accept:1": 0.995})), Fork(1, 2, Overrides(verify_length=0)))
    made = link_to(fixtures.trace(max_new_tokens=40), forks, Cursor(branch=2, round=2, phase="accept", k=1, serial=9))
    return replace(made, **changes)


def text_of(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_link_comes_back_as_it_was_written() -> None:
    link = a_link(prompt="“quoted” ⟨1⟩ \U0001f34e </script>\n")
    assert decode(encode(link)) == link
    by_hand = Overrides(settings={"step_rate": "curve:1=95,64=80.5"}, confidence={3: 0.2})
    drawn = a_link(forks=(Fork(0, 1, by_hand),), cursor=Cursor())
    assert decode(encode(drawn)) == drawn
    assert set(encode(link)) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


def test_python_reads_what_the_page_writes_and_writes_the_same() -> None:
    fixture = json.loads(WRITTEN_BY_THE_PAGE.read_text(encoding="utf-8"))
    link = decode(fixture["text"])
    assert json.loads(json.dumps(to_json(link))) == fixture["link"]
    assert link.settings == Settings(**fixture["link"]["settings"])
    assert decode(encode(link)) == link


def test_the_longest_prompt_and_the_most_forks_fit() -> None:
    forks = tuple(
        Fork(i, 30, Overrides(tokens={7: 1000}, uniforms={"draft:7": 1 / 3})) for i in range(permalink.MOST_FORKS)
    )
    assert decode(encode(a_link(prompt="界" * 4000, forks=forks))).forks == forks


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v | {"version": 2}, "version 2, but this page reads version 1"),
        (lambda v: v | {"version": True}, "version has a value of the wrong type"),
        (lambda v: {k: x for k, x in v.items() if k != "version"}, "version None"),
        (lambda v: v | {"code": "import os"}, "unknown field 'code'"),
        (lambda v: v | {"prompt": ["a"]}, "prompt has a value of the wrong type"),
        (lambda v: v | {"settings": {"temperature": -1}}, "temperature is -1"),
        (lambda v: v | {"settings": {"gamma": "7"}}, "settings.gamma"),
        (lambda v: v | {"settings": {"step_rate": "/etc/passwd"}}, "none of those known by name"),
        (lambda v: v | {"forks": "all"}, "no list of at most"),
        (lambda v: v | {"forks": [7]}, r"forks\[0\]"),
        (lambda v: v | {"forks": v["forks"] * 20}, "no list of at most 24 forks"),
        (lambda v: v | {"forks": [v["forks"][0] | {"parent": 1}]}, "fork 1 of this link is a fork of nothing"),
        (lambda v: v | {"forks": [v["forks"][0] | {"round": -1}]}, "fork 1 of this link"),
        (lambda v: v | {"forks": [v["forks"][0] | {"overrides": {}}]}, "changes nothing"),
        (lambda v: v | {"forks": [v["forks"][0] | {"overrides": {"shell": "x"}}]}, "unknown override 'shell'"),
        (
            lambda v: v | {"forks": [v["forks"][0] | {"overrides": {"settings": {"step_rate": "x.json"}}}]},
            "known by name",
        ),
        (lambda v: v | {"cursor": v["cursor"] | {"branch": 3}}, "points to no place"),
        (lambda v: v | {"cursor": v["cursor"] | {"phase": "lunch"}}, "cursor.phase is 'lunch'"),
        (lambda v: v | {"target": None}, "target"),
        (lambda v: [v], "holds no page"),
    ],
)
def test_a_link_that_no_page_wrote_is_told_so(change: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(LabError, match=said) as caught:
        decode(text_of(change(to_json(a_link()))))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", ["", "%%%", "bm90IGpzb24", encode(a_link())[:-7], "[" * 3000, text_of("x" * 10), "é"])
def test_what_is_no_link_is_told_so(text: str) -> None:
    with pytest.raises(LabError, match="this link"):
        decode(text)


def test_a_link_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(LabError, match=r"24,001 characters, but at most 24,000"):
        decode("A" * (permalink.LONGEST + 1))


def loaded(tmp_path: Path) -> LabApp:
    app = LabApp(fixtures.FakeLab, recorded=tmp_path)
    assert app.wait_loaded(10)
    return app


def ask(app: LabApp, **message: Any) -> None:
    app._on_message(app, message, [])
    assert app.wait(30)


def test_opening_a_link_shows_the_same_rounds_forks_and_place(tmp_path: Path) -> None:
    first, second = loaded(tmp_path), loaded(tmp_path)
    ask(
        first,
        type="generate",
        controls={**first.controls, "prompt": "count", "seed": 3, "temperature": 0.8, "gamma": 5},
    )
    ask(first, type="fork", branch=0, round=1, overrides={"uniforms": {"accept:1": 0.995}})
    ask(first, type="fork", branch=1, round=2, overrides={"settings": {"temperature": 0.2}})
    ask(first, type="delete", branch=2)
    ask(first, type="fork", branch=1, round=2, overrides={"verify_length": 0})
    trace = first._sessions[0].trace()
    forks = tuple(
        Fork(parent, b["round"], Overrides.from_json(b["overrides"])) for parent, b in enumerate(first.branches)
    )
    place = Cursor(branch=2, round=2, phase="accept", k=1, at=2, row="u")
    ask(second, type="restore", link=encode(replace(link_to(trace, forks, place), view="lens")))
    assert second.preferences["tab"] == "lens"
    assert second.status["error"] == ""
    assert second.trace["rounds"] == first.trace["rounds"]
    assert [b["rounds"] for b in second.branches] == [b["rounds"] for b in first.branches]
    assert [(b["id"], b["parent"]) for b in second.branches] == [(1, 0), (2, 1)]
    assert {**second.cursor, "serial": 0} == to_json(place)
    assert (second.controls["seed"], second.controls["temperature"], second.controls["gamma"]) == (3, 0.8, 5)
    assert (second.live, second.info["made_by"]) == (True, [])
    ask(second, type="fork", branch=2, round=0, overrides={"verify_length": 1})
    assert len(second.branches) == 3


def test_models_of_another_revision_are_named(tmp_path: Path) -> None:
    app = loaded(tmp_path)
    older = ModelName("pocket-dspark", "dspark", "000000000000")
    ask(app, type="restore", link=encode(a_link(forks=(), cursor=Cursor(), drafter=older)))
    assert app.status["error"] == ""
    assert app.info["made_by"] == [to_json(older)]
    ask(app, type="generate", controls={**app.controls, "prompt": "count"})
    assert app.info["made_by"] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": " "}, "the prompt is empty"),
        ({"prompt": "x" * 4001}, "4,001 characters"),
        ({"prompt": "\x1b[31m"}, "control character"),
        ({"settings": Settings(gamma=9)}, "gamma is 9"),
    ],
)
def test_a_link_that_cannot_run_leaves_what_is_shown(tmp_path: Path, changes: Any, said: str) -> None:
    app = loaded(tmp_path)
    ask(app, type="generate", controls={**app.controls, "prompt": "count"})
    shown = app.trace
    ask(app, type="restore", link=encode(a_link(**changes)))
    assert said in app.status["error"]
    assert app.status["where"] == "link"
    assert app.trace == shown


def test_a_fork_that_cannot_be_made_leaves_those_before_it(tmp_path: Path) -> None:
    app = loaded(tmp_path)
    forks = (*a_link().forks[:1], Fork(1, 400, Overrides(verify_length=0)))
    ask(app, type="restore", link=encode(a_link(forks=forks)))
    assert "Fork 2 of this link cannot be made here: there is no round 400" in app.status["error"]
    assert [b["id"] for b in app.branches] == [1]
    assert app.live


def test_without_models_a_link_is_refused(tmp_path: Path) -> None:
    app = LabApp(recorded=tmp_path)
    ask(app, type="restore", link=encode(a_link()))
    assert "no models are loaded" in app.status["error"]
