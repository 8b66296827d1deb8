"""``dspark-lab simulate`` and ``dspark-lab profile``: what they print and write, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.cli.simulate import whole_ranges
from dspark_lab.errors import LabError
from dspark_lab.scheduling.step_rate import StepRate
from tests.cli.test_bad_input import says

QUICK = ["--steps", "200", "--requests", "1,16"]


def test_policies_and_drafters_side_by_side(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dspark_lab.cli.figures.find_chromium", lambda: None)
    options = ["--policy", "early-break", "--policy", "fixed:2", "--drafter", "dspark", "--drafter", "mtp-1"]
    result = cli("simulate", *QUICK, *options, "--json", "s.json", "--figures", "figures")
    assert result.exit_code == 0, result.output
    assert "modelled" in result.stdout and "The step rate is modelled" in result.stderr
    assert "Drafting is taken to cost no time" in result.stderr
    written = json.loads(Path("s.json").read_text())
    assert list(written["results"]) == ["dspark early-break", "dspark fixed:2", "mtp-1"] and written["modelled"]
    assert [round(r["requests"]) for r in written["results"]["mtp-1"]] == [1, 16]
    assert all(r["budget"] <= 3 for r in written["results"]["dspark fixed:2"])
    assert {p.stem for p in Path("figures").glob("*.html")} == {
        f"serving-{name}" for name in ("frontier", "throughput", "budget", "waste")
    }


def test_the_same_seed_gives_the_same_numbers(cli: Any) -> None:
    for name in ("a.json", "b.json"):
        assert cli("simulate", *QUICK, "--seed", "4", "--json", name).exit_code == 0
    assert Path("a.json").read_text() == Path("b.json").read_text()


def test_arrivals_that_are_not_constant(cli: Any) -> None:
    result = cli("simulate", "--steps", "200", "--arrivals", "poisson:5", "--mix", "math=1,chat=3", "--json", "s.json")
    assert result.exit_code == 0, result.output
    (only,) = json.loads(Path("s.json").read_text())["results"]["dspark early-break"]
    assert only["arrivals"] == "Poisson, 5 a second" and only["throughput"] > 0


def test_the_papers_figures_in_shape(cli: Any) -> None:
    """Made-up numbers stand for the paper's, which are not shipped: what is held against them is known."""
    curve = {"throughput_per_gpu": [[1, 100.0], [300, 30000.0]], "verification_budget": [[1, 2.0], [300, 2.0]]}
    seven = {"mtp": [[10, 2000.0], [300, 20.0]], "dspark": [[10, 4000.0], [300, 40.0]]}
    seven["anchors"] = [{"sla_tps_per_user": 80.0}]
    data = {
        "table1": {"domains": {}, "rows": {"Qwen3-4B": {}}}, "figure2": {}, "figure3": {}, "figure4": {},
        "figure7": {"DeepSeek-V4-Flash": seven}, "figure8": {"DeepSeek-V4-Flash": {"mtp": curve, "dspark": curve}},
    }  # fmt: skip
    Path("paper.json").write_text(json.dumps(data))
    options = ["--steps", "300", "--requests", "4,20,200,264", "--json", "s.json", "--paper-data", "paper.json"]
    result = cli("simulate", "--paper", "deepseek-v4-flash", *options)
    assert result.exit_code == 0, result.output
    written = json.loads(Path("s.json").read_text())
    mtp, dspark = written["results"]["MTP-1"], written["results"]["DSpark-5"]
    assert all(r["budget"] == pytest.approx(2, abs=0.02) for r in mtp)
    # The paper's falls to 3.5 at 200 requests. The better a drafter is accepted the further it is verified: ours is above.
    few, _, many, _ = (r["budget"] for r in dspark)
    assert 5 < few < 6 and 3.5 < many < few - 1
    assert all(d["throughput"] > m["throughput"] for m, d in zip(mtp, dspark, strict=True))
    assert "more throughput than MTP-1 at 4 of 4 loads" in result.stdout
    differences = {(d["what"], d["where"]): d for d in written["differences"]}
    assert differences["DSpark-5, throughput", "200 requests"]["paper"] == pytest.approx(20_000)
    assert differences["DSpark-5 over MTP-1, throughput", "80 tokens/s a user"]["paper"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--requests", "0"], ["--requests", "'0'", "1 request at least"]),
        (["--requests", "8-2"], ["'8-2'", "must rise"]),
        (["--requests", "1-9:0"], ["'1-9:0'", "must rise"]),
        (["--requests", "many"], ["'many'", "written as"]),
        (["--requests", "1-20000"], ["10,000 loads"]),
        (["--requests", "1", "--arrivals", "poisson:1"], ["--requests 1", "--arrivals poisson:1", "leave one"]),
        (["--arrivals", "poisson:0"], ["requests per second is 0.0"]),
        (["--policy", "lucky"], ["no policy 'lucky'"]),
        (["--drafter", "nobody"], ["no recorded rounds of 'nobody'", "dspark-lab calibrate"]),
        (["--step-rate", "warp"], ["no step rate 'warp'"]),
        (["--gamma", "9"], ["gamma is 9", "1 to 7"]),
        (["--mix", "poems=1"], ["'poems'", "math"]),
        (["--mix", "math"], ["--mix", "math=2,chat=1"]),
        (["--sla", "fast"], ["--sla", "50,80,120"]),
        (["--arrivals", "poisson:5", "--sla", "50"], ["--sla 50", "--arrivals poisson:5", "leave one"]),
        (["--requests", "999999999"], ["7,999,999,992 tokens a step", "16,777,216"]),
        (["--answer-tokens", "9" * 24], ["answer_tokens is 999", "1,000,000,000"]),
        (["--policy", "fixed:" + "9" * 24], ["verify length is 999", "65,535"]),
        (["--step-rate", f"roofline:{'9' * 400}xh100:qwen3-8b"], ["no device '999", "8xh100"]),
        (["--workers", "0"], ["workers is 0"]),
        (["--steps", "0"], ["steps is 0"]),
        (["--answer-tokens", "0"], ["answer_tokens is 0"]),
        (["--draft-ms", "-1"], ["draft_ms", "-1.0"]),
        (["--paper", "fig7"], ["--paper is 'fig7'", "deepseek-v4-flash"]),
        (["--paper", "deepseek-v4-pro", "--gamma", "3"], ["leave --gamma out"]),
        (["--paper", "deepseek-v4-pro", "--step-rate", "pocket-cpu"], ["leave --step-rate out"]),
        (["--paper-data", "p.json"], ["--paper-data p.json", "--paper"]),
        (["--paper", "deepseek-v4-pro", "--policy", "lagged", "--policy", "fixed"], ["--policy once"]),
        (["--json", "gone/s.json"], ["--json gone/s.json", "no folder gone"]),
    ],
)
def test_what_cannot_be_simulated_is_refused(cli: Any, arguments: list[str], parts: list[str]) -> None:
    result = cli("simulate", *arguments)
    assert result.exit_code == 2, result.output
    error = result.stderr[result.stderr.index("error: ") :]
    assert len(error.strip().splitlines()) == 1 and result.stdout == ""
    for part in parts:
        assert part in error


def test_ranges() -> None:
    assert whole_ranges("--requests", "3,1-2, 8-16:4") == [1, 2, 3, 8, 12, 16]
    with pytest.raises(LabError):
        whole_ranges("--requests", "1-")


def test_profile_measures_and_writes(cli: Any, pair: list[str]) -> None:
    options = ["--tokens", "9", "--context", "12", "--repeats", "2", "--out", "rate.json"]
    result = cli("profile", *pair[:2], *pair[4:], *options)
    assert result.exit_code == 0, result.output
    assert "measured" in result.stdout and "--step-rate rate.json" in result.stderr
    rate = StepRate.load("rate.json")
    assert rate.source == "measured" and rate.tokens == tuple(range(1, 10))
    about = rate.about
    assert about["context"] == 12 and about["repeats"] == 2 and about["tokens_per_request"] == 4 and about["torch"]
    assert about["target"]["revision"] and about["device"] in rate.title and about["when"]
    assert cli("simulate", *QUICK, "--step-rate", "rate.json").exit_code == 0
    far = cli("simulate", "--steps", "9", "--requests", "300", "--step-rate", "rate.json")
    assert far.exit_code == 2 and "covers up to 9 tokens a step, too few" in far.stderr
    assert "at most 65,536" in cli("profile", *pair[:2], *pair[4:], "--tokens", "1000000000").stderr


def test_profile_over_a_fixed_number_of_requests(cli: Any, pair: list[str]) -> None:
    options = ["--tokens", "6", "--context", "4", "--repeats", "1", "--requests", "3", "--out", "rate.json"]
    assert cli("profile", *pair[:2], *pair[4:], *options).exit_code == 0
    assert StepRate.load("rate.json").tokens == (3, 4, 5, 6)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--tokens", "0"], ["tokens is 0"]),
        (["--per-request", "0"], ["per_request is 0"]),
        (["--repeats", "0"], ["repeats is 0"]),
        (["--context", "254"], ["context is 254", "1 to 252"]),
        (["--tokens", "4", "--requests", "5"], ["4 tokens", "5 requests"]),
        (["--out", "gone/r.json"], ["gone/r.json", "no folder gone"]),
        (["--threads", "0"], ["--threads is 0"]),
    ],
)
def test_what_cannot_be_profiled_is_refused(cli: Any, pair: list[str], arguments: list[str], parts: list[str]) -> None:
    says(cli("profile", *pair[:2], *pair[4:], *arguments), *parts)
    assert not list(Path().iterdir())
