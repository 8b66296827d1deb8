"""A race of drafters: each runs as alone, opens as a live session, and what cannot be run is explained."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dspark_lab import LabError
from dspark_lab.loading import Lab
from dspark_widgets import DrafterRace
from dspark_widgets.race import USUAL, counts, pieces
from tests.widgets import fixtures
from tests.widgets.asking import PROMPT, SETTINGS, ask, refused


def test_a_race_runs_each_drafter_as_alone(race: DrafterRace, tiny_lab: Lab) -> None:
    lanes = {lane["name"]: lane for lane in race.race["lanes"]}
    assert list(lanes) == ["early-exit", "prompt-lookup", "none"]
    assert {lane["state"] for lane in lanes.values()} == {"done"}
    for name, lane in lanes.items():
        lab = tiny_lab.with_drafter(None if name == "none" else name)
        trace = lab.session(PROMPT, SETTINGS).run().trace()
        assert lane["tau"] == pytest.approx(trace.tau)
        assert [len(block) for block in lane["rounds"]] == [len(pieces(r)) for r in trace.rounds]
        kept = [
            p["token"]["id"]
            for block in lane["rounds"]
            for p in block
            if p["kind"] not in ("rejected", "discarded", "cut")
        ]
        assert kept == [t.id for r in trace.rounds for t in r.emitted]
        assert lane["seconds"] > 0
    assert lanes["none"]["tau"] == 1
    assert lanes["none"]["acceptance"] == []
    assert race.race["prompt"] == PROMPT and race.race["settings"]["seed"] == SETTINGS.seed


def test_a_lane_opens_as_a_live_session(race: DrafterRace) -> None:
    ask(race, type="open", lane="early-exit", round=1)
    assert (race.live, race.race["opened"], race.cursor["round"]) == (True, "early-exit", 1)
    assert race.trace["drafter"]["kind"] == "early-exit"
    ask(race, type="open", lane="dspark", round=0)
    refused(race, "race", "no run of 'dspark'")
    ask(race, type="open", lane="none", round=99)
    refused(race, "race", "no round 99")
    assert race.race["opened"] == "early-exit"


def test_forks_are_there_again_when_their_trace_is(race: DrafterRace) -> None:
    ask(race, type="open", lane="early-exit", round=0)
    ask(race, type="fork", branch=0, round=0, overrides={"uniforms": {"accept:1": 0.999}})
    assert race.status["error"] == "" and len(race.branches) == 1
    trace, branches = race.trace, race.branches
    ask(race, type="open", lane="none", round=0)
    assert race.branches == [] and race.trace["drafter"] is None
    serial = race.cursor["serial"]
    ask(race, type="open", lane="early-exit", round=1)
    assert (race.trace, race.branches) == (trace, branches)
    assert (race.cursor["round"], race.cursor["branch"]) == (1, 0) and race.cursor["serial"] > serial
    ask(race, type="fork", branch=1, round=0, overrides={"verify_length": 0})
    assert [b["id"] for b in race.branches] == [1, 2], "and they can be forked on"
    ask(race, type="open", lane="none", round=0)
    ask(race, type="open", lane="early-exit", round=99)
    refused(race, "race", "no round 99")
    ask(race, type="race", prompt=PROMPT, drafters=["early-exit"])
    ask(race, type="open", lane="early-exit", round=0)
    assert race.branches == [], "another race, other runs"


def test_who_races_need_not_be_said(tiny_lab: Lab) -> None:
    race = DrafterRace(tiny_lab, PROMPT, settings=SETTINGS)
    assert race.wait(60)
    assert {"early-exit", "prompt-lookup", "none"} <= {lane["name"] for lane in race.race["lanes"]}
    assert all(lane["state"] == "done" for lane in race.race["lanes"])


def test_the_page_checks_the_same_drafters() -> None:
    strings = Path(__file__).resolve().parents[2] / "widgets" / "js" / "src" / "strings.js"
    assert f"usual: {json.dumps(USUAL)}," in strings.read_text("utf-8")


def test_drafters_without_confidences_race_under_any_policy(tiny_lab: Lab) -> None:
    settings = replace(SETTINGS, policy="early-break", load=4)
    race = DrafterRace(tiny_lab, PROMPT, ("prompt-lookup", "none"), settings=settings)
    race.wait(60)
    assert [(lane["state"], lane["error"]) for lane in race.race["lanes"]] == [("done", "")] * 2


def test_acceptance_counts_what_was_reached() -> None:
    rounds = fixtures.trace(seed=3).rounds
    by_hand = counts(rounds)["acceptance"]
    first = [r.positions[0].verdict for r in rounds if r.positions[0].verified]
    assert by_hand[0] == pytest.approx(first.count("accepted") / len(first))
    for r in rounds:
        tokens = [p.token for p in pieces(r) if p.kind in ("accepted", "residual", "bonus")]
        assert tokens == list(r.emitted)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"drafters": ["none", "hope"]}, "no drafter 'hope' is at hand"),
        ({"drafters": []}, "choose at least one"),
        ({"drafters": ["none", "none"]}, "named twice"),
        ({"prompt": " "}, "empty"),
    ],
)
def test_a_race_that_cannot_be_run_is_explained(tiny_lab: Lab, message: dict[str, Any], said: str) -> None:
    view = DrafterRace(tiny_lab)
    assert [c["name"] for c in view.race["choices"]] == [r.name for r in view.offered()]
    ask(view, type="race", **{"prompt": PROMPT, "drafters": ["none"], **message})
    refused(view, "race", said)
    assert view.race["lanes"] == []
    with pytest.raises(LabError, match="laps"):
        DrafterRace(tiny_lab, laps=3)


def test_one_that_fails_does_not_stop_the_others(tiny_lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_lab: Lab, drafter: str | None) -> Lab:
        raise LabError(f"{drafter} is truncated: get it again.")

    monkeypatch.setattr(Lab, "with_drafter", refuse)
    view = DrafterRace(tiny_lab, PROMPT, ["early-exit", "dspark"], settings=SETTINGS)
    assert view.wait(60)
    failed, own = view.race["lanes"]
    assert (failed["state"], own["state"]) == ("failed", "done")
    assert "early-exit is truncated" in failed["error"]


def test_a_script_may_end_while_a_race_runs() -> None:
    """A thread that is cut off within torch would abort the process."""
    script = """
from dspark_lab import load
from dspark_widgets import DrafterRace
race = DrafterRace(load(), "How are you?")
while not any(lane["rounds"] for lane in race.race["lanes"]):
    pass
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr[-2000:]
