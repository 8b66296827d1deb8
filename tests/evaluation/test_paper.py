"""The paper's experiments: which drafters they need, what is drawn, and that nothing missing is made up."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from dspark_lab import Settings
from dspark_lab.checkpoints import POCKET
from dspark_lab.errors import LabError
from dspark_lab.evaluation import paper_confidence
from dspark_lab.evaluation.charts import table
from dspark_lab.evaluation.measure import measure
from dspark_lab.evaluation.paper import EXPERIMENTS, charts, find
from dspark_lab.evaluation.paper_data import PaperData
from dspark_lab.evaluation.report import Report, report
from dspark_lab.evaluation.suites import load_suites
from dspark_lab.loading import Lab, load_drafter
from dspark_lab.training.drafter import new_model
from dspark_lab.training.kinds import Options
from dspark_lab.training.pocket import save_drafter

BENCHMARKS = {"math": ["GSM8K", "MATH"], "code": ["MBPP"], "chat": ["Alpaca"]}


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file laid out as the paper's numbers are, with made-up ones."""

    def row(tau: float) -> dict[str, float]:
        return {"GSM8K": tau, "MATH": tau - 1, "MBPP": tau - 2, "Alpaca": tau - 3}

    positions = [[k, 0.9 - k / 100] for k in range(1, 8)]
    lengths = {s: [[4, 3.5], [8, 5.5]] for s in ("dflash", "dspark_markov", "dspark_rnn")}
    latency = {"dflash": [[4, 100.0], [8, 110.0]], "dspark_markov": [[4, 101.0], [8, 112.2]]}
    data: dict[str, Any] = {
        "table1": {
            "domains": BENCHMARKS,
            "rows": {"Qwen3-4B": {m: row(t) for m, t in (("dflash", 5.0), ("dspark", 6.0))}},
        },
        "figure2": {d: {"dflash": positions, "dspark": positions} for d in BENCHMARKS},
        "figure3": {b: {"dspark_1L": 4.0, "dspark_5L": 6.0, "dflash_5L": 5.0} for b in ("GSM8K", "Arena-Hard v2")},
        "figure4": {**dict.fromkeys(BENCHMARKS, lengths), "latency_ms": latency},
    }
    file = tmp_path_factory.mktemp("paper") / "numbers.json"
    file.write_text(json.dumps(data))
    return file


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path) -> Path:
    """Random drafters of the tiny target under the experiments' names."""
    folder = tmp_path_factory.mktemp("checkpoints")
    target = AutoModelForCausalLM.from_pretrained(tiny_folder / "target", dtype=torch.float32)
    for name, options in {
        "dspark": {},
        "dflash": {"kind": "dflash"},
        "dspark-depth1": {"layers": 1},
        "dspark-depth2-block7": {},
        "dflash-depth2-block7": {"kind": "dflash"},
        "dspark-block3": {"block_size": 3},
        "dflash-block3": {"kind": "dflash", "block_size": 3},
        "dspark-ce": {},
    }.items():
        given = {"kind": "dspark", "mask_token_id": 4, "rank": 8, "taps": (0, 1, 2), **options}
        save_drafter(new_model(target, Options(**given)), folder / name)
    return folder


def run(lab: Lab, experiment: str, folder: Path) -> Report:
    found, _ = find(experiment, folder, pocket=False)
    drafters = {name: load_drafter(there, lab.target) for name, there in found.items()}
    suites = load_suites(["pocket"], None, 1, 0)
    measured = measure(lab.target, drafters, suites, Settings(), max_new_tokens=8)
    return report(measured, drafters, suites, Settings(), lab.target.info, lab.device)


@pytest.mark.parametrize("experiment", sorted(set(EXPERIMENTS) - set(paper_confidence.EXPERIMENTS)))
def test_an_experiment_draws_what_is_there_and_names_what_is_not(
    tiny_lab: Lab, checkpoints: Path, numbers: Path, experiment: str
) -> None:
    _, missing = find(experiment, checkpoints, pocket=False)
    assert missing, "the fixture leaves some out"
    found = run(tiny_lab, experiment, checkpoints)
    for data in (PaperData(), PaperData.load(numbers)):
        for chart in charts(experiment, found, data):
            assert chart.missing == tuple(c.name for c in missing)
            series = [s for panel in chart.panels.values() for s in panel]
            assert any(not s.paper for s in series) and any(s.paper for s in series) == bool(data.values)
            assert table(chart).row_count == len(series)


def test_the_axes_are_what_the_checkpoints_are(tiny_lab: Lab, checkpoints: Path) -> None:
    (depth,) = charts("fig3", run(tiny_lab, "fig3", checkpoints), PaperData())
    assert {s.name: list(s.points) for s in depth.panels["math"]} == {"DSpark": [1, 2], "DFlash": [2]}
    length, latency = charts("fig4", run(tiny_lab, "fig4", checkpoints), PaperData())
    assert {s.name: list(s.points) for s in length.panels["math"]} == {"DSpark, Markov": [4, 8], "DFlash": [4, 8]}
    assert [list(s.points) for s in latency.panels[""]] == [[4, 8]]


def test_gains_separate_head_and_loss(tiny_lab: Lab, checkpoints: Path, numbers: Path) -> None:
    gain = charts("table1", run(tiny_lab, "table1", checkpoints), PaperData.load(numbers))[1].panels[""]
    points = {s.name: s.points for s in gain}
    assert {"DSpark over DFlash", "DSpark, CE loss over DFlash", "DSpark, CE loss over DSpark"} <= set(points)
    assert points["DSpark over DFlash (paper)"]["math"].value == pytest.approx((5.5 / 4.5 - 1) * 100)


def test_the_papers_numbers_are_read_by_domain(numbers: Path) -> None:
    data = PaperData.load(numbers)
    assert data.table1()["dspark"] == {"math": 5.5, "code": 4.0, "chat": 3.0, "macro": pytest.approx(12.5 / 3)}
    assert data.figure3() == {d: {"dspark": {1: 4.0, 5: 6.0}, "dflash": {5: 5.0}} for d in ("math", "chat")}
    assert data.figure4()["code"]["dspark_rnn"] == {4: 3.5, 8: 5.5}
    assert data.overhead() == {"dspark_markov": {4: pytest.approx(1.0), 8: pytest.approx(2.0)}}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"table1": {}}', '{"figure3": {"GSM8K": 7}}'])
def test_a_file_without_the_papers_numbers_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "numbers.json"
    file.write_text(text)
    with pytest.raises(LabError, match=r"--paper-data .*numbers\.json does not hold the paper's numbers"):
        PaperData.load(file)
    with pytest.raises(LabError, match=r"nowhere\.json cannot be read: No such file"):
        PaperData.load(tmp_path / "nowhere.json")


def test_each_checkpoint_has_the_command_that_makes_it() -> None:
    commands = {c.name: c.command(Path("runs/d r"), "Qwen/Qwen3-4B") for group in EXPERIMENTS.values() for c in group}
    answers = "--target Qwen/Qwen3-4B --answers-in 'runs/d r/answers' --out 'runs/d r/"
    assert commands["eagle3"] == f"dspark-lab train drafter --kind eagle3 --loss ce=1 {answers}eagle3'"
    assert commands["dflash"] == f"dspark-lab train drafter --kind dflash --loss ce=1 {answers}dflash'"
    assert commands["dflash-tv"] == f"dspark-lab train drafter --kind dflash --loss ce=1,tv=0.9 {answers}dflash-tv'"
    assert "--kind dspark --block 11 --head rnn --steps 600 --target" in commands["dspark-block11-rnn"]
    assert "--kind dspark --loss ce=1,conf=1" in commands["dspark-ce"]
    pocket = EXPERIMENTS["table1"][0].command(Path("runs"))
    recipe = json.loads((POCKET / "recipe.json").read_text())
    steps, rate = ",".join(map(str, recipe["drafter_steps"])), f"{recipe['drafter_lr']:g}"
    as_shipped = f"--steps {steps} --batch {recipe['drafter_batch']} --optimizer {recipe['drafter_optimizer']}"
    assert f"{as_shipped} --lr {rate} --adamw-lr {rate} --answers-in runs/answers" in pocket, (
        "as the shipped drafter was"
    )
    dspark = next(c for c in EXPERIMENTS["table1"] if c.name == "dspark")
    assert f"--loss {recipe['drafter_loss']} " in dspark.command(Path("runs"))


def test_the_drafters_of_a_sweep_are_trained_alike() -> None:
    """They differ in shape alone; the shipped ones, trained for longer, do not stand among them."""
    shape = ("--kind", "--layers", "--block", "--head")
    for checkpoint in (*EXPERIMENTS["fig3"], *EXPERIMENTS["fig4"]):
        words = checkpoint.arguments(Path("d"))[2:]
        given = dict(zip(words[::2], words[1::2], strict=True))
        learning = {option: value for option, value in given.items() if option not in shape}
        assert learning == {"--steps": "600", "--answers-in": "d/answers", "--out": f"d/{checkpoint.name}"}
    assert not find("fig3", Path("nowhere"), pocket=True)[0] and not find("fig4", Path("nowhere"), pocket=True)[0]
    commands: dict[str, set[str]] = {}
    for c in (c for group in EXPERIMENTS.values() for c in group):
        commands.setdefault(c.name, set()).add(c.command(Path("d")))
    assert all(len(made) == 1 for made in commands.values()), "a name is one drafter, whichever figure asks for it"


def test_what_ships_shows_the_loss_s_share_of_the_gain(tmp_path: Path) -> None:
    """With the pocket target nothing need be trained to tell DFlash with DSpark's loss from DSpark."""
    found, _ = find("table1", tmp_path, pocket=True)
    assert {"eagle3", "dflash", "dspark", "dflash-tv"} <= set(found)
    assert {place.parent for place in found.values()} == {POCKET}


def test_the_shipped_drafters_are_found_for_the_pocket_target_only(tmp_path: Path) -> None:
    assert "dspark" in find("table1", tmp_path, pocket=True)[0]
    assert not find("table1", tmp_path, pocket=False)[0]


@pytest.mark.parametrize(
    ("name", "source", "experiment", "parts"),
    [
        ("dspark-depth5", "dspark", "fig3", "num_hidden_layers 2"),
        ("dspark-block7-rnn", "dspark", "fig4", "markov_head_type 'vanilla'"),
        ("dflash", "dspark", "table1", "markov_rank 8"),
    ],
)
def test_a_checkpoint_that_is_not_what_it_is_called_is_refused(
    tmp_path: Path, checkpoints: Path, name: str, source: str, experiment: str, parts: str
) -> None:
    shutil.copytree(checkpoints / source, tmp_path / name)
    with pytest.raises(LabError, match=rf"{name} is not what its name says: its config has {parts}"):
        find(experiment, tmp_path, pocket=False)


def test_an_unknown_experiment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="--paper is 'fig9', but must be one of table1, fig2, fig3, fig4"):
        find("fig9", tmp_path, pocket=True)
