"""The drafter that the page drafts by: chosen, taken from a lane that is opened, or missing."""

from __future__ import annotations

import threading

from dspark_lab.loading import Lab
from dspark_widgets import LabApp
from dspark_widgets.app import BLOCK_SIZE
from tests.widgets.asking import PROMPT, ask, refused


def test_the_page_goes_on_with_the_drafter_of_the_lane_that_is_opened(tiny_lab: Lab) -> None:
    app = LabApp(lambda: tiny_lab, recorded="nowhere")
    assert app.wait_loaded(60)
    app.controls = {**app.controls, "prompt": PROMPT, "max_new_tokens": 6}
    ask(app, type="race", prompt=PROMPT, drafters=["prompt-lookup", "none"])
    ask(app, type="open", lane="prompt-lookup", round=0)
    titles = {runner.name: runner.title for runner in app.offered()}
    assert (app.info["drafter"], app.controls["drafter"]) == (titles["prompt-lookup"], "prompt-lookup")
    ask(app, type="generate", controls=app.controls)
    assert app.trace["drafter"]["kind"] == "prompt-lookup" and not app.status["error"]
    ask(app, type="race", prompt=PROMPT, drafters=["none"])
    ask(app, type="open", lane="none", round=0)
    assert app.controls["drafter"] == "none"


def test_what_was_shown_before_a_race_comes_back_with_its_forks(tiny_lab: Lab) -> None:
    app = LabApp(lambda: tiny_lab, recorded="nowhere")
    assert app.wait_loaded(60)
    ask(app, type="generate", controls={**app.controls, "prompt": PROMPT, "max_new_tokens": 6, "seed": 5})
    ask(app, type="fork", branch=0, round=0, overrides={"verify_length": 0})
    ask(app, type="race", prompt=PROMPT, drafters=["prompt-lookup", "none"])
    shown = (app.trace, app.branches, app.controls, app.info, app.speeds, {**app.cursor, "serial": 0})
    assert app.branches and app.speeds["speculative"]
    ask(app, type="open", lane="prompt-lookup", round=0)
    ask(app, type="open", lane="none", round=0)
    assert app.branches == [] and app.controls["drafter"] == "none"
    ask(app, type="race", prompt=PROMPT, drafters=["none"])  # another race keeps it too
    ask(app, type="open", lane="none", round=0)
    ask(app, type="open", lane="", round=0)
    assert (app.trace, app.branches, app.controls, app.info, app.speeds, {**app.cursor, "serial": 0}) == shown
    assert app.race["opened"] == ""
    ask(app, type="fork", branch=1, round=0, overrides={"verify_length": 1})
    assert len(app.branches) == 2 and not app.status["error"]
    ask(app, type="open", lane="none", round=0)
    ask(app, type="generate", controls={**app.controls, "prompt": PROMPT})
    assert not app.status["error"] and app.race["opened"] == ""
    ask(app, type="open", lane="none", round=0)
    ask(app, type="open", lane="", round=0)
    assert app.branches == [] and app.controls["drafter"] == "none", "the run that was made last"


def test_the_page_drafts_by_the_drafter_that_is_chosen(tiny_lab: Lab) -> None:
    app = LabApp(lambda: tiny_lab, recorded="nowhere")
    assert app.wait_loaded(60)
    app.controls = {**app.controls, "prompt": PROMPT, "max_new_tokens": 6}
    assert (app.controls["drafter"], app.controls["gamma"]) == ("dspark", tiny_lab.block_size)
    titles = {runner.name: runner.title for runner in app.offered()}
    ask(app, type="choose", drafter="prompt-lookup")
    assert (app.controls["drafter"], app.info["drafter"]) == ("prompt-lookup", titles["prompt-lookup"])
    ask(app, type="generate", controls=app.controls)
    assert app.trace["drafter"]["kind"] == "prompt-lookup" and not app.status["error"]
    ask(app, type="choose", drafter="none")
    ask(app, type="generate", controls=app.controls)
    assert app.trace["drafter"] is None and {r["gamma"] for r in app.trace["rounds"]} == {0}
    ask(app, type="generate", controls={**app.controls, "drafter": "dspark", "gamma": 5})  # what the controls say runs
    assert app.trace["drafter"]["kind"] == "dspark" and app.info["drafter"] == titles["dspark"]
    before = app.controls
    app.set_state({"controls": {**before, "drafter": "oracle"}})  # as the page does while it asks
    ask(app, type="choose", drafter="oracle")
    refused(app, "generate", "no drafter 'oracle' is at hand: take one of dspark,")
    assert app.controls == before
    assert "dflash" not in {c["name"] for c in app.race["choices"]}, "what ships is for the pocket target"
    ask(app, type="choose", drafter="dspark")
    assert not app.status["error"]


def test_a_run_at_work_keeps_its_drafter(tiny_lab: Lab) -> None:
    app = LabApp(lambda: tiny_lab, recorded="nowhere")
    assert app.wait_loaded(60)
    gate = threading.Event()
    app.work("generate", lambda _stop: gate.wait(60))
    before = app.controls
    for message in (
        {"type": "generate", "controls": {**before, "prompt": PROMPT, "drafter": "prompt-lookup"}},
        {"type": "choose", "drafter": "prompt-lookup"},
    ):
        app._on_message(app, message, [])
        assert "still at work" in app.status["error"] and app.controls == before
    gate.set()
    assert app.wait(60)


def test_a_pair_without_a_drafter_says_so_and_can_take_one(tiny_lab: Lab) -> None:
    app = LabApp(lambda: tiny_lab.with_drafter(None), recorded="nowhere")
    assert app.wait_loaded(60)
    assert (app.controls["drafter"], app.controls["gamma"], app.info["drafter"]) == ("none", BLOCK_SIZE, "")
    ask(app, type="choose", drafter="prompt-lookup")
    ask(app, type="generate", controls={**app.controls, "prompt": PROMPT, "max_new_tokens": 6})
    assert app.trace["drafter"]["kind"] == "prompt-lookup" and app.controls["gamma"] > 0


def test_a_recording_by_a_drafter_that_is_not_at_hand_shows_all_the_same(tiny_lab: Lab) -> None:
    app = LabApp(lambda: tiny_lab.with_drafter("prompt-lookup"))
    assert app.wait_loaded(60)
    ask(app, type="example", domain="code", index=1)
    assert not app.status["error"]
    assert (app.trace["drafter"]["kind"], app.controls["drafter"]) == ("dspark", "prompt-lookup")


def test_a_policy_that_the_drafter_cannot_serve_leaves_the_page_as_it_is(tiny_lab: Lab) -> None:
    app = LabApp(lambda: tiny_lab, recorded="nowhere")
    assert app.wait_loaded(60)
    ask(app, type="generate", controls={**app.controls, "prompt": PROMPT, "max_new_tokens": 6, "policy": "early-break"})
    shown = app.trace
    ask(app, type="choose", drafter="prompt-lookup")
    assert (app.controls["policy"], app.controls["load"], app.info["confident"]) == ("fixed", 0, False)
    ask(app, type="generate", controls={**app.controls, "policy": "early-break"})
    refused(app, "generate", "has no confidence head")
    assert app.trace == shown
