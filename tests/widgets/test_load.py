"""The load lab: what is simulated is the library's simulation, told as it comes, stopped where asked, and refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ipywidgets import Widget

from dspark_lab import LabError
from dspark_lab.scheduling.contenders import contender_named
from dspark_lab.scheduling.rates import paper_step_rate, step_rate_named
from dspark_lab.scheduling.sweep import Sweep, sweep
from dspark_widgets import DrafterRace, LabApp, LoadLab, export_html, load
from dspark_widgets.export import SIZE_LIMIT
from dspark_widgets.view import View

SETUP = {
    "contenders": ["none", "mtp-1", "dspark early-break"],
    "gamma": 5,
    "step_rate": "deepseek-v4-flash",
    "arrivals": "constant",
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few loads and few steps: what is tested does not hang on them."""
    monkeypatch.setattr(load, "LOADS", (1, 8, 64))
    monkeypatch.setattr(load, "FEWER", (4, 32))
    monkeypatch.setattr(load, "STEPS", 40)
    monkeypatch.setattr(load, "ROUNDS", 80)


def ask(view: View, **message: Any) -> None:
    view._on_message(view, message, [])
    assert view.wait(60)


def serve(view: View, **changed: Any) -> dict[str, Any]:
    ask(view, type="serve", setup={**SETUP, **changed})
    serving: dict[str, Any] = view.serving
    return serving


def curves(view: LoadLab) -> dict[str, Any]:
    return {curve["name"]: curve for curve in view.serving["curves"]}


def test_it_shows_what_the_library_simulates() -> None:
    view = LoadLab()
    assert (view.kind, view.serving["state"], view.serving["curves"]) == ("load", "", [])
    shown = serve(view)
    assert (shown["state"], shown["done"], shown["total"], shown["source"]) == ("done", 9, 9, "modelled")
    known = sweep(
        [contender_named("dspark", "early-break", gamma=5), contender_named("mtp-1", "fixed")],
        step_rate_named("deepseek-v4-flash"), [1, 8, 64], steps=40, rounds=80,
    )  # fmt: skip
    for name, results in zip(("dspark early-break", "mtp-1"), known.results.values(), strict=True):
        points = curves(view)[name]["points"]
        assert [p["load"] for p in points] == [1, 8, 64]
        for p, r in zip(points, results, strict=True):
            assert (p["throughput"], p["speed"], p["budget"], p["waste"]) == (r.throughput, r.speed, r.budget, r.waste)
            assert p["step_ms"] == pytest.approx(1e3 * r.seconds / r.steps)
        front = [points[i]["throughput"] for i in curves(view)[name]["frontier"]]
        assert front == [r.throughput for r in Sweep({"": results}).frontier("")]
    assert all(p["budget"] == p["tau"] == 1 for p in curves(view)["none"]["points"])  # a token a request and step
    assert curves(view)["dspark early-break"]["gamma"] == 5
    assert "stand-in" not in " ".join(shown["notes"]), "MTP's own rounds ship"
    assert "modelled, not measured" in shown["notes"][0]


def test_points_are_told_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PAUSE", 0.0)
    view = LoadLab()
    told: list[tuple[str, int]] = []
    view.observe(lambda change: told.append((change["new"]["state"], change["new"]["done"])), "serving")
    serve(view)
    assert told == [("running", n) for n in range(10)] + [("done", 9)]


def test_a_simulation_that_is_stopped_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "PAUSE", 0.0)
    view = LoadLab()

    def stop(change: Any) -> None:
        if change["new"]["done"] == 2:
            view._on_message(view, {"type": "unserve"}, [])

    view.observe(stop, "serving")
    shown = serve(view)
    assert shown["state"] == "stopped" and 2 <= shown["done"] < 9
    assert sum(len(curve["points"]) for curve in shown["curves"]) == shown["done"]
    view.unobserve_all("serving")
    assert serve(view)["state"] == "done"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"contenders": ["dspark hope"]}, "no contender 'dspark hope'"),
        ({"contenders": ["../secret fixed"]}, "no contender '../secret fixed'"),
        ({"contenders": []}, "0 contenders were chosen: choose 1 to 12"),
        ({"step_rate": "/etc/passwd"}, "no step rate '…/etc/passwd'"),
        ({"gamma": 0}, "gamma is 0, but 1 to 16"),
        ({"arrivals": "weekly"}, "weekly"),
    ],
)
def test_it_says_what_it_cannot_simulate(changed: dict[str, Any], said: str) -> None:
    view = LoadLab()
    serve(view, **changed)
    assert said in view.status["error"] and view.status["where"] == "serving"
    assert view.serving["state"] == ""
    assert serve(view)["state"] == "done" and not view.status["error"]


@pytest.mark.parametrize("kind", ["poisson", "bursts"])
def test_requests_may_come_by_themselves(kind: str) -> None:
    shown = serve(LoadLab(), contenders=["none", "dspark fixed"], arrivals=kind)
    alone, drafting = (curve["points"] for curve in shown["curves"])
    assert [p["load"] for p in alone] == [p["load"] for p in drafting]  # the same requests a second for all
    assert alone[0]["load"] < alone[1]["load"]
    assert all(
        d["requests"] < a["requests"] for a, d in zip(alone, drafting, strict=True)
    )  # answered sooner, fewer at once
    assert shown["paper"] == []  # whose requests were constant


def test_of_the_paper_what_follows_from_the_step_rates_that_ship() -> None:
    shown = serve(LoadLab(), contenders=["mtp-1"])
    assert shown["implied"] and {(c["chart"], c["method"]) for c in shown["paper"]} == {
        (chart, "MTP-1") for chart in ("frontier", "throughput", "budget")
    }
    rate = paper_step_rate("deepseek-v4-flash")
    throughput = next(dict(map(tuple, c["points"])) for c in shown["paper"] if c["chart"] == "throughput")
    for tokens, sps in zip(rate.tokens, rate.rates, strict=True):
        assert throughput[tokens / 2] == pytest.approx(tokens / 2 * rate.about["tau"] * sps)
    assert serve(LoadLab(), step_rate="pocket-cpu")["paper"] == []


def test_the_papers_own_curves_from_a_file(tmp_path: Path) -> None:
    points = [[10, 100.0], [20, 90.0]]
    lines = {"throughput_per_gpu": points, "verification_budget": points}
    values = {
        "table1": {"domains": {}, "rows": {"Qwen3-4B": {}}},
        "figure2": {}, "figure3": {}, "figure4": {},
        "figure7": {"DeepSeek-V4-Flash": {"mtp": points, "dspark": points}},
        "figure8": {"DeepSeek-V4-Flash": {"mtp": lines, "dspark": lines}},
    }  # fmt: skip
    file = tmp_path / "paper.json"
    file.write_text(json.dumps(values), encoding="utf-8")
    shown = serve(LoadLab(paper=file), contenders=["mtp-1"])
    assert not shown["implied"]
    assert {(c["chart"], c["method"]) for c in shown["paper"]} == {
        (chart, method) for chart in ("frontier", "throughput", "budget") for method in ("MTP-1", "DSpark-5")
    }
    assert shown["paper"][0]["points"] == points
    with pytest.raises(LabError, match="cannot be read"):
        LoadLab(paper=tmp_path / "gone.json")


def test_a_measured_profile_and_rounds_of_ones_own(tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    step_rate_named("pocket-cpu").save(mine)
    rounds = tmp_path / "my drafter" / "rounds.safetensors"
    rounds.parent.mkdir()
    rounds.write_bytes(
        (Path(load.__file__).parents[2] / "dspark_lab" / "pocket" / "dspark" / "rounds.safetensors").read_bytes()
    )
    view = LoadLab(step_rates=[mine], drafters=[rounds])
    shown = serve(view, contenders=["my-drafter early-break"], step_rate=str(mine))
    assert shown["state"] == "done"
    assert shown["curves"][0]["points"][0]["budget"] > 1
    with pytest.raises(LabError, match="unknown argument 'hope'"):
        LoadLab(hope=1)


@pytest.mark.parametrize("view", [LoadLab, DrafterRace])
@pytest.mark.parametrize("lab", ["dspark", 3])
def test_what_is_no_lab_is_refused_at_once(view: Any, lab: Any) -> None:
    with pytest.raises(LabError, match=f"lab is {lab!r}, but must be a loaded pair: take dspark_lab.load"):
        view(lab)


def test_times_of_a_step_are_called_measured_only_as_far_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = step_rate_named("pocket-cpu")
    assert measured.most < 512
    monkeypatch.setattr(load, "LOADS", (1, 256))  # each with an anchor and a draft token
    shown = serve(LoadLab(), contenders=["mtp-1"], step_rate="pocket-cpu")
    assert shown["source"] == "modelled"
    assert shown["title"] == measured.extended(512).title
    monkeypatch.setattr(load, "LOADS", (1, 2, 4))
    shown = serve(LoadLab(), contenders=["mtp-1"], step_rate="pocket-cpu")
    assert (shown["source"], shown["title"]) == ("measured", measured.title)


def test_figures_to_zoom_show_the_same_numbers() -> None:
    view = LoadLab()
    figures = view.figures()  # which simulate the usual
    assert set(figures) == {"frontier", "throughput", "budget", "waste"}
    for name, curve in curves(view).items():
        drawn = next(trace for trace in figures["throughput"].data if trace.name.startswith(name))
        assert list(drawn.y) == [p["throughput"] for p in curve["points"]]
    assert any("(paper)" in trace.name for trace in figures["frontier"].data)
    assert type(figures["budget"]).__name__ == "FigureWidget"


def test_one_widget_zooms_chart_after_chart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each further one would bring all of Plotly, megabytes, to the page."""
    made, view = [], LoadLab()
    monkeypatch.setattr(Widget, "_widget_construction_callback", made.append)
    ask(view, type="zoom", chart="budget")
    assert "nothing was simulated yet" in view.status["error"] and view.status["where"] == "serving"
    serve(view)
    ask(view, type="zoom", chart="budget")
    shown, figure = view.zoomed, view._figure
    assert (shown["chart"], shown["widget"]) == ("budget", figure.model_id)
    assert "budget" in figure.layout.title.text and figure.layout.width is None
    serve(view, contenders=["mtp-1"])  # what is zoomed goes with what is simulated
    (ours,) = (trace for trace in figure.data if trace.name.startswith("mtp-1"))
    assert list(ours.y) == [p["budget"] for p in curves(view)["mtp-1"]["points"]]
    light = figure.layout.template.layout.font.color
    ask(view, type="zoom", chart="frontier", dark=True)
    assert view.zoomed == {"chart": "frontier", "widget": figure.model_id}
    assert "Figure 7" in figure.layout.title.text and figure.layout.template.layout.font.color != light
    ask(view, type="zoom", chart="")
    assert view.zoomed == {"chart": "", "widget": ""} and not view.status["error"]
    assert [type(widget).__name__ for widget in made].count("FigureWidget") == 1


def test_a_file_keeps_the_results(tmp_path: Path) -> None:
    view = LoadLab()
    page = export_html(view, tmp_path / "load.html").read_text(encoding="utf-8")
    assert len(page.encode()) < SIZE_LIMIT
    payload = json.loads(page.split('<script id="payload" type="application/json">')[1].split("</script>")[0])
    assert (
        payload["serving"]["state"] == "done" and payload["serving"]["curves"] == view.snapshot()["serving"]["curves"]
    )


def test_the_page_has_it_and_models_come_first(tmp_path: Path) -> None:
    app = LabApp(recorded=tmp_path)
    assert serve(app)["state"] == "done"
    app.work("generate", lambda should_stop: serve_in_the_middle(app))
    assert app.wait(60)
    assert app.status["error"] == "" and app.serving["state"] == "done"


def serve_in_the_middle(app: LabApp) -> None:
    app._on_message(app, {"type": "serve", "setup": SETUP}, [])
    assert "wait for their end" in app.status["error"]
