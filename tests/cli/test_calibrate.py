"""``dspark-lab calibrate`` and the experiments that are read from recorded rounds, on the tiny pair."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dspark_lab import load
from dspark_lab.drafters.base import calibration_of
from dspark_lab.scheduling.calibration import Calibration, CalibrationNote
from dspark_lab.scheduling.recorded import RecordedRounds
from tests.cli.test_bad_input import says


@pytest.fixture
def drafter(tiny_folder: Path, tmp_path: Path) -> Path:
    """The tiny drafter in a folder of its own, where a calibration may lie."""
    return Path(shutil.copytree(tiny_folder / "dspark", tmp_path / "drafters" / "dspark"))


@pytest.fixture
def calibrate(cli: Any, drafter: Path, pair: list[str]) -> Any:
    target = ["--target", pair[1], "--device", "cpu", "--rounds", "90", "--drafter", str(drafter)]
    return lambda *more: cli("calibrate", *target, *more)


def test_temperatures_and_rounds_lie_beside_the_weights(calibrate: Any, drafter: Path, pair: list[str]) -> None:
    result = calibrate("--json", "c.json")
    assert result.exit_code == 0, result.output
    assert "ECE of the survival, measured on" in result.stdout and "mean" in result.stdout
    lab = load(pair[1], drafter, "cpu")
    calibration = calibration_of(lab.drafter)
    assert calibration == Calibration.load(drafter / "calibration.json")
    (fit,) = calibration.fits
    assert fit.fitted.split == "validation" and fit.held_out is not None and fit.held_out.split == "test"
    rounds = RecordedRounds.load(drafter / "rounds.safetensors")
    assert len(rounds) == fit.fitted.rounds >= 90 and rounds.gamma == 5 and rounds.origin.split == "validation"
    assert rounds.origin.drafter.revision == lab.drafter.info.revision  # type: ignore[union-attr]
    assert json.loads(Path("c.json").read_text())["calibration"]["fits"][0]["held_out"]["split"] == "test"


def test_another_sampling_temperature_joins_those_that_are_there(calibrate: Any, drafter: Path) -> None:
    assert calibrate("--temperature", "0.5").exit_code == 0
    assert calibrate("--temperature", "0", "--temperature", "1").exit_code == 0
    assert Calibration.load(drafter / "calibration.json").stored == (0, 0.5, 1)
    assert RecordedRounds.load(drafter / "rounds.safetensors").origin.temperature == 1


def test_what_will_be_replaced_is_said_before_it_is(calibrate: Any, drafter: Path) -> None:
    assert "replaced when" not in calibrate().stderr
    rounds = Calibration.load(drafter / "calibration.json").fits[0].fitted.rounds
    said = " ".join(calibrate("--rounds", "30").stderr.split())
    assert f"rounds.safetensors; temperature 1 in calibration.json, of {rounds} rounds" in said
    assert said.index("replaced when all is done") < said.index("validation rounds")
    elsewhere = calibrate("--rounds", "30", "--out", "elsewhere")
    assert elsewhere.exit_code == 0 and "replaced when" not in elsewhere.stderr


def test_a_calibration_of_other_weights_is_left_out_with_a_note(calibrate: Any, drafter: Path, pair: list[str]) -> None:
    assert calibrate().exit_code == 0
    file = drafter / "calibration.json"
    value = json.loads(file.read_text())
    value["calibration"]["drafter"]["revision"] = "000000000000"
    file.write_text(json.dumps(value))
    with pytest.warns(CalibrationNote, match="fitted to another drafter, revision 000000000000"):
        assert calibration_of(load(pair[1], drafter, "cpu").drafter) is None
    file.write_text("{")
    with pytest.warns(CalibrationNote, match="cannot read the calibration"):
        assert calibration_of(load(pair[1], drafter, "cpu").drafter) is None


def test_notes_are_lines_of_the_command_line(cli: Any, calibrate: Any, drafter: Path, pair: list[str]) -> None:
    """Nobody is shown a line of Python."""
    assert calibrate().exit_code == 0
    result = experiment(cli, "fig6", drafter, pair, "--temperature", "0.4")
    assert result.exit_code == 0, result.output
    (note,) = (line for line in result.stderr.splitlines() if "sampling temperatures 1" in line)
    assert note.startswith(str(drafter)) and "at 0.4 the confidences are scaled as at 1" in note


def test_of_a_drafter_without_confidences_the_rounds_are_recorded(cli: Any, pair: list[str]) -> None:
    options = ["--target", pair[1], "--device", "cpu", "--rounds", "30", "--drafter", "prompt-lookup"]
    says(cli("calibrate", *options), "prompt-lookup has no folder of weights here", "--out")
    result = cli("calibrate", *options, "--out", "there")
    assert result.exit_code == 0, result.output
    assert "no confidence head" in result.stderr and not Path("there/calibration.json").exists()
    rounds = RecordedRounds.load("there/rounds.safetensors")
    assert rounds.confidence is None and rounds.drafted.min() < rounds.gamma


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--rounds", "0"], ["--rounds is 0", "at least 1"]),
        (["--temperature", "-1"], ["temperature is -1"]),
        (["--drafter", "./nowhere"], ["./nowhere is no folder"]),
        (["--out", "/proc/self/there"], ["--out /proc/self/there", "Choose another folder"]),
        (["--json", "gone/c.json"], ["no folder gone"]),
    ],
)
def test_what_cannot_be_is_refused_before_any_model_is_loaded(cli: Any, arguments: list[str], parts: list[str]) -> None:
    says(cli("calibrate", *arguments), *parts)


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """Made-up numbers, laid out as the paper's are."""
    empty: dict[str, Any] = {"table1": {"domains": {}, "rows": {"Qwen3-4B": {}}}, "figure2": {}, "figure3": {}}
    panel = {"ece_before": 0.06, "ece_after": 0.02, "auc": 0.8, "before": [[0.1, 0.2]], "after": [[0.1, 0.2]]}
    points = [{"threshold": t / 10, "accepted": 3.0, "rejected": 2.0, "acceptance_rate": 0.6} for t in range(10)]
    data = {**empty, "figure4": {}, "figure5": {"math": points}, "figure6": {"1": {**panel, "histogram": [[0.5, 1.0]]}}}
    file = tmp_path / "paper.json"
    file.write_text(json.dumps(data))
    return file


def experiment(cli: Any, name: str, drafter: Path, pair: list[str], *more: str) -> Any:
    folders = ["--checkpoints", str(drafter.parent), "--target", pair[1], "--device", "cpu"]
    return cli("eval", "--paper", name, *folders, "--prompts", "2", "--max-new-tokens", "24", *more)


def test_figure_5_cuts_at_thresholds(cli: Any, drafter: Path, pair: list[str], paper: Path) -> None:
    result = experiment(cli, "fig5", drafter, pair, "--paper-data", str(paper), "--json", "e.json")
    assert result.exit_code == 0, result.output
    assert "Figure 5" in result.stdout and "(paper)" in result.stdout
    found = json.loads(Path("e.json").read_text())
    points = found["sweep"]["math"]
    assert found["measured"] and found["experiment"] == "fig5" and len(points) == 10
    assert points[0]["verified"]["value"] > points[-1]["verified"]["value"]
    assert [c["name"] for c in found["charts"]] == ["paper-fig5", "paper-fig5-rate"]
    ours, theirs = (s for s in found["charts"][1]["panels"]["math"])
    assert not ours["paper"] and theirs["paper"] and theirs["points"]["0.5"]["value"] == 0.6
    assert len(found["charts"][1]["panels"]["code"]) == 1  # nothing is made up where the paper has nothing


def test_figure_6_needs_a_calibration_and_shows_before_and_after(
    cli: Any, calibrate: Any, drafter: Path, pair: list[str], paper: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspark_lab.cli.figures.find_chromium", lambda: None)
    says(experiment(cli, "fig6", drafter, pair), "has no calibration", "dspark-lab calibrate")
    assert calibrate().exit_code == 0
    files = ["--paper-data", str(paper), "--json", "e.json", "--figures", "figures"]
    result = experiment(cli, "fig6", drafter, pair, *files)
    assert result.exit_code == 0, result.output
    found = json.loads(Path("e.json").read_text())
    conditional = found["reliability"]["conditional"]
    for raw, after in zip(conditional["raw"], conditional["calibrated"], strict=True):
        assert raw["rounds"] == after["rounds"]
        assert raw["auc"] is None or raw["auc"] == pytest.approx(after["auc"], abs=1e-9)
    panels = found["charts"][0]["panels"]
    assert [title.partition(":")[0] for title in panels] == ["position 1", "position 3", "position 5"]
    assert "paper: 6.0% → 2.0%, 0.800" in next(iter(panels))
    assert Path("figures/paper-fig6.html").is_file()


def test_what_they_cannot_do_is_refused(cli: Any, drafter: Path, pair: list[str]) -> None:
    says(experiment(cli, "fig5", drafter, pair, "--turns", "all"), "--paper fig5 records first turns")
    says(experiment(cli, "fig5", drafter, pair, "--paper-data", str(drafter / "config.json")), "does not hold")
