"""The views beside the stepper: each answers what its page asks, says what it cannot, and stands alone in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dspark_lab import LabError
from dspark_lab.loading import Lab
from dspark_lab.session import Session
from dspark_lab.teaching.exactness import ExactnessMeter
from dspark_lab.teaching.head import read_head
from dspark_widgets import DrafterRace, HeadLens, LabApp, RejectionView, export_html
from dspark_widgets.examples import find_collision
from dspark_widgets.export import SIZE_LIMIT
from dspark_widgets.rejection import CHUNK
from dspark_widgets.view import View
from tests.scripted import untimed
from tests.widgets import fixtures
from tests.widgets.asking import PROMPT, SETTINGS, after, ask, refused, repeat


def test_the_meter_adds_up_and_agrees_with_the_library(session: Session) -> None:
    view = RejectionView(session)
    repeat(view, 30)
    repeat(view, CHUNK + 1)
    (meter,) = view.meters
    known = ExactnessMeter(session, 0)
    known.run(CHUNK + 31)
    reading = known.reading()
    assert (meter["rounds"], meter["first_seed"]) == (CHUNK + 31, SETTINGS.seed + 1)
    assert [(r["token"]["id"], r["count"]) for r in meter["rows"]] == [(t.token, t.count) for t in reading.tallies]
    assert meter["p_value"] == pytest.approx(reading.fit.p_value)
    assert meter["others"]["token"] is None
    assert [n for n, _ in meter["history"]] == [CHUNK, 30, CHUNK + 30, CHUNK + 31]
    assert view.status == {"state": "ready", "text": "", "error": "", "where": ""}


def test_each_rule_and_round_has_a_meter_of_its_own(session: Session) -> None:
    view = RejectionView(session)
    for rule in ("exact", "accept-all"):
        repeat(view, 5, rule)
    repeat(view, 5, round=1)
    assert [(m["rule"], m["round"], m["rounds"]) for m in view.meters] == [
        ("exact", 0, 5),
        ("accept-all", 0, 5),
        ("exact", 1, 5),
    ]
    repeat(view, 5, afresh=True)
    assert [(m["round"], m["rounds"]) for m in view.meters if m["rule"] == "exact"] == [(1, 5), (0, 5)]
    view.show(session)
    assert view.meters == []


def test_a_meter_that_is_stopped_keeps_what_it_has(session: Session) -> None:
    class Impatient(RejectionView):
        def _publish(self, *arguments: Any) -> None:
            super()._publish(*arguments)
            self._worker.stop()

    view = Impatient(session)
    repeat(view, 5 * CHUNK)
    assert view.meters[0]["rounds"] == CHUNK
    repeat(view, CHUNK)
    assert view.meters[0]["rounds"] == 2 * CHUNK


@pytest.mark.parametrize(
    ("message", "where", "said"),
    [
        ({"rounds": 0}, "meter", "1 to 2,000"),
        ({"rounds": 10**9}, "meter", "1 to 2,000"),
        ({"round": 99}, "meter", "no round 99"),
        ({"branch": 5}, "meter", "recording"),
        ({"rule": "hope"}, "meter", "'hope', but must be one of"),
    ],
)
def test_a_meter_says_what_it_cannot_repeat(session: Session, message: dict[str, Any], where: str, said: str) -> None:
    view = RejectionView(session)
    repeat(view, **message)
    refused(view, where, said)
    assert (view.meters, view.status["state"]) == ([], "ready")
    repeat(view, 2)
    assert view.status["error"] == ""


def test_a_recording_is_shown_but_not_repeated() -> None:
    view = RejectionView(fixtures.trace(seed=3), round=1, position=2)
    assert (view.kind, view.live, view.cursor["round"], view.cursor["at"]) == ("rejection", False, 1, 2)
    repeat(view)
    refused(view, "meter", "recording: only a live session can be repeated")
    ask(view, type="fork", branch=0, round=0, overrides={"verify_length": 1})
    assert "this view answers no fork request" in view.status["error"]


def test_the_head_is_asked_by_id_and_by_text(session: Session, tiny_lab: Lab) -> None:
    view = HeadLens(session)
    after(view, token=17)
    reading = read_head(session, 0, 2, 17)
    assert (view.lens["k"], view.lens["previous"]["id"]) == (2, 17)
    for name, values in (("base", reading.base), ("draft", reading.draft)):
        assert all(c["value"] == pytest.approx(float(values[c["token"]["id"]])) for c in view.lens[name])
    assert [c["token"]["id"] for c in view.lens["base"]] == [c["token"]["id"] for c in view.lens["draft"]]
    assert view.lens["biased_up"][0]["value"] == pytest.approx(float(reading.bias.max()))
    assert view.lens["biased_down"][0]["value"] == pytest.approx(float(reading.bias.min()))
    after(view, text="a")
    assert view.lens["previous"]["text"] == "a"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"token": 10**6}, "not in the vocabulary"),
        ({"k": 99, "token": 1}, "no draft position 99"),
        ({"round": 99, "token": 1}, "no round 99"),
        ({"text": "quixotic zebras"}, "tokens ("),
        ({}, "no token was written"),
    ],
)
def test_the_lens_says_what_it_cannot_ask(session: Session, message: dict[str, Any], said: str) -> None:
    view = HeadLens(session)
    after(view, **message)
    refused(view, "lens", said)
    assert view.lens is None


def test_a_drafter_without_a_head_is_told_in_place(tiny_lab: Lab) -> None:
    view = HeadLens(tiny_lab.with_drafter("early-exit").session(PROMPT, SETTINGS).run())
    after(view, token=1)
    refused(view, "lens", "no sequential head: take dspark")


def test_the_app_is_all_of_them(tiny_lab: Lab, session: Session) -> None:
    app = LabApp(lambda: tiny_lab, recorded="nowhere")
    assert app.wait_loaded(30)
    controls = {**app.controls, "prompt": PROMPT, "seed": 3, "temperature": 0.8, "max_new_tokens": 12, "gamma": 5}
    ask(app, type="generate", controls=controls)
    assert app.trace["rounds"] == json.loads(json.dumps(app.trace["rounds"]))
    assert untimed(list(app._sessions[0].trace().rounds)) == untimed(session.rounds)
    repeat(app, 4)
    after(app, token=17)
    assert (app.meters[0]["rounds"], app.lens["previous"]["id"]) == (4, 17)
    ask(app, type="fork", branch=0, round=0, overrides={"verify_length": 1})
    repeat(app, 3, branch=1)
    assert app.meters[1]["branch"] == 1
    ask(app, type="race", prompt=PROMPT, drafters=["none"])
    ask(app, type="open", lane="none", round=0)
    assert (app.race["opened"], app.trace["drafter"], app.meters, app.lens) == ("none", None, [], None)
    assert (app.branches, app.speeds, app.info["example"]) == ([], None, "")


def test_a_collision_is_found_where_one_is() -> None:
    drawn = {"text": " problem"}
    quiet = {"k": 1, "token": drawn, "p_base": 0.9, "p_d": 0.95}
    assert find_collision([{"index": 0, "positions": [quiet]}]) is None
    chance = {"k": 1, "token": drawn, "p_base": 0.1, "p_d": 0.2}
    assert find_collision([{"index": 0, "positions": [chance]}]) is None
    loud = {"k": 2, "token": drawn, "p_base": 0.1, "p_d": 0.95}
    assert find_collision([{"index": 4, "positions": [quiet, chance, loud]}]) == (4, 2)


@pytest.mark.parametrize("kind", ["rejection", "lens", "race"])
def test_a_view_stands_alone_in_a_file(kind: str, session: Session, race: DrafterRace, tmp_path: Path) -> None:
    view: View = race if kind == "race" else RejectionView(session) if kind == "rejection" else HeadLens(session)
    if kind == "rejection":
        repeat(view, 3)
    text = export_html(view, tmp_path / "view.html").read_text(encoding="utf-8")
    assert len(text.encode()) < SIZE_LIMIT
    payload = json.loads(text.partition('type="application/json">')[2].partition("</script>")[0])
    assert (payload["kind"], payload["live"]) == (kind, False)
    assert not {"status", "preferences", "controls"} & set(payload)
    if kind == "rejection":
        assert payload["meters"][0]["rounds"] == 3


def test_a_view_of_nothing_is_not_exported(tiny_lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no rounds"):
        export_html(RejectionView(), tmp_path / "view.html")
    with pytest.raises(LabError, match="no rounds"):
        export_html(DrafterRace(tiny_lab), tmp_path / "view.html")
