"""``dspark-lab eval``: what it prints and writes, and what it refuses before any model is loaded."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.cli import checks
from dspark_lab.evaluation.metrics import Run
from dspark_lab.evaluation.paper import EXPERIMENTS, Checkpoint
from tests.cli.test_bad_input import says


@pytest.fixture
def target(pair: list[str]) -> list[str]:
    """Options that name the tiny target and a short run."""
    return [*pair[:2], *pair[4:], "--max-new-tokens", "8"]


def test_several_drafters_are_measured_side_by_side_and_written(
    cli: Any, target: list[str], pair: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dspark_lab.cli.figures.find_chromium", lambda: None)
    options = ["--suite", "pocket", "--prompts", "4", "--json", "e.json", "--figures", "figures"]
    result = cli("eval", *options, *target, "--drafter", pair[3], "--drafter", "none")
    assert result.exit_code == 0, result.output
    assert "accepted length tau" in result.stdout and "macro" in result.stdout and "measured on" in result.stdout
    written = json.loads(Path("e.json").read_text())
    assert list(written["drafters"]) == ["dspark", "none"] and written["measured"] and not written["interrupted"]
    tiny, none = written["drafters"].values()
    assert none["macro"]["tau"]["value"] == 1 and tiny["macro"]["tau"]["value"] > 1 and tiny["gamma"] == 5
    assert set(written["gains"]) == {"none over dspark"}
    pages = list(Path("figures").glob("*.html"))
    assert {p.stem for p in pages} == {"acceptance-conditional", "acceptance-cumulative", "tau", "tau-by-contexts"}
    assert Path("figures/plotly.min.js").stat().st_size > 10**6
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "plotly.min.js" in text and not re.search(r'(src|href)="https?:', text)
    assert "no Chromium was found" in result.stderr


def test_the_same_command_gives_the_same_figures(cli: Any, target: list[str], pair: list[str]) -> None:
    for name in ("a.json", "b.json"):
        assert (
            cli("eval", "--prompts", "1", "--seed", "3", "--json", name, *target, "--drafter", pair[3]).exit_code == 0
        )
    a, b = (json.loads(Path(name).read_text())["drafters"]["dspark"] for name in ("a.json", "b.json"))
    assert all(a["suites"][d][part] == b["suites"][d][part] for d in a["suites"] for part in ("tau", "conditional"))


def test_a_folder_of_conversations_with_all_turns(cli: Any, target: list[str], pair: list[str]) -> None:
    Path("suites").mkdir()
    lines = [{"turns": ["Hello.", "And then?"]}, {"turns": ["7" * 400]}]
    Path("suites/mt-bench.jsonl").write_text("\n".join(map(json.dumps, lines)))
    arguments = ["--suite-folder", "suites", "--turns", "all", "--json", "e.json"]
    result = cli("eval", *arguments, *target, "--drafter", pair[3])
    assert result.exit_code == 0, result.output
    assert "by turn" in result.stdout and "by context" in result.stdout
    assert "mt-bench: skipped 1 turn that leaves no room" in result.stdout
    chat = json.loads(Path("e.json").read_text())["drafters"]["dspark"]
    assert set(chat["turns"]["chat"]) == {"1", "2"} and chat["suites"]["mt-bench"]["skipped"] == 1


def test_a_suite_of_nothing_but_too_long_prompts_has_no_figures(cli: Any, target: list[str], pair: list[str]) -> None:
    Path("suites").mkdir()
    Path("suites/long.jsonl").write_text(json.dumps({"turns": ["7" * 400]}))
    result = cli("eval", "--suite-folder", "suites", "--json", "e.json", *target, "--drafter", pair[3])
    assert result.exit_code == 0 and "long: skipped 1 turn" in result.stdout
    assert json.loads(Path("e.json").read_text())["drafters"]["dspark"]["macro"]["tau"]["value"] is None


def test_an_experiment_says_how_to_make_what_is_missing(cli: Any, tiny_folder: Path, target: list[str]) -> None:
    shutil.copytree(tiny_folder / "dspark", "drafters/dspark")
    arguments = ["--paper", "table1", "--checkpoints", "drafters", "--prompts", "1", "--json", "e.json"]
    result = cli("eval", *arguments, *target)
    assert result.exit_code == 0, result.output
    assert (
        "missing eagle3, which this makes: dspark-lab train drafter --kind eagle3 --loss ce=1 --target" in result.stderr
    )
    assert "Table 1" in result.stdout and "not shown: eagle3, dflash, dflash-tv, dspark-ce" in result.stdout
    written = json.loads(Path("e.json").read_text())
    assert list(written["drafters"]) == ["dspark"] and list(written["missing"]) == [
        "eagle3", "dflash", "dflash-tv", "dspark-ce",
    ]  # fmt: skip


@pytest.mark.skipif(checks.find_chromium() is None, reason="no Chromium here")
@pytest.mark.browser
def test_figures_are_photographed(cli: Any, target: list[str], pair: list[str]) -> None:
    result = cli("eval", "--prompts", "1", "--figures", "figures", *target, "--drafter", pair[3])
    assert result.exit_code == 0, result.output
    pictures = [page.with_suffix(".png") for page in Path("figures").glob("*.html")]
    assert pictures and all(p.read_bytes()[:4] == b"\x89PNG" for p in pictures)
    assert not list(Path("figures").glob(".*"))


def test_an_interrupted_evaluation_shows_what_it_has(
    cli: Any, target: list[str], pair: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode, calls = Run.decode, []

    def interrupt(self: Run, *arguments: Any) -> None:
        calls.append(self)
        if len(calls) == 3:
            raise KeyboardInterrupt
        decode(self, *arguments)

    monkeypatch.setattr(Run, "decode", interrupt)
    result = cli("eval", "--prompts", "4", "--json", "e.json", *target, "--drafter", pair[3])
    assert result.exit_code == 130
    assert "2 of 12 conversations" in result.stderr and "accepted length tau" in result.stdout
    assert json.loads(Path("e.json").read_text())["interrupted"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--suite", "gsm9k"], ["'gsm9k'", "gsm8k", "--suite-folder"]),
        (["--suite", ""], ["--suite", "'' is empty"]),
        (["--suite-folder", "."], ["--suite-folder .", "no .jsonl file"]),
        (["--suite-folder", "nowhere"], ["--suite-folder nowhere", "No such file"]),
        (["--prompts", "0"], ["--prompts is 0", "at least 1"]),
        (["--temperature", "nan"], ["temperature is nan", "0 to 100"]),
        (["--gamma", "-1"], ["gamma is -1"]),
        (["--seed", "-1"], ["seed is -1"]),
        (["--max-new-tokens", "0"], ["max_new_tokens is 0", "at least one"]),
        (["--turns", "some"], ["--turns is 'some'", "first or all"]),
        (["--drafter", "a", "--drafter", "a"], ["--drafter names a twice"]),
        (["--target", "./t"], ["no drafter is named for ./t", "--drafter"]),
        (["--paper", "fig9"], ["'fig9'", "table1, fig2, fig3, fig4, fig5, fig6"]),
        (["--paper", "fig2", "--drafter", "dspark"], ["--paper fig2", "leave --drafter out"]),
        (["--paper", "fig4", "--gamma", "3"], ["--paper fig4", "leave --gamma out"]),
        (["--paper", "fig2", "--paper-data", "p.json"], ["--paper-data p.json", "No such file"]),
        (["--train"], ["--train makes the drafters", "name one with --paper"]),
        (["--paper-data", "p.json"], ["--paper-data p.json", "name one with --paper"]),
        (["--json", "gone/e.json"], ["--json gone/e.json", "no folder gone"]),
        (["--json", "."], ["--json .", "not a file"]),
        (["--figures", "/proc/self/figures"], ["--figures /proc/self/figures", "Choose another folder"]),
        (
            ["--suite", "pocket", "pocket", "--prompts", "2"],
            ["--suite belongs to eval itself, not to eval pocket", "leave one"],
        ),
    ],
)
def test_bad_options_are_refused_before_any_model_is_loaded(
    cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], parts: list[str]
) -> None:
    monkeypatch.setattr("dspark_lab.loading.load_target", lambda *_: pytest.fail("a model was loaded"))
    says(cli("eval", *arguments), *parts)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_folder_without_any_of_them_is_refused(cli: Any, target: list[str]) -> None:
    result = cli("eval", "--paper", "fig3", *target)
    assert result.exit_code == 2 and result.stderr.count("which this makes") == 6
    assert "holds no drafter of fig3: train one with a command above, or all with --train" in result.stderr


def test_what_an_experiment_lacks_is_trained_on_request(
    cli: Any, target: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tiny drafters in place of Figure 3's six, of which one is there: the other is trained and measured."""
    shapes = [{"layers": 1, "rank": 8, "block": 3, "steps": 2}, {"layers": 2, "rank": 8, "block": 3, "steps": 2}]
    wanted = tuple(
        Checkpoint(f"dspark-depth{s['layers']}", "DSpark", {"kind": "dspark", "answers": 16, "longest": 60, **s})
        for s in shapes
    )
    monkeypatch.setitem(EXPERIMENTS, "fig3", wanted)
    arguments = ["--paper", "fig3", "--checkpoints", "made", "--prompts", "1", *target]
    trained = cli(*wanted[0].arguments(Path("made"), target[1]), "--device", "cpu")
    assert trained.exit_code == 0, trained.output
    before = Path("made/dspark-depth1/model.safetensors").read_bytes()
    result = cli("eval", *arguments, "--train", "--json", "e.json")
    assert result.exit_code == 0, result.output
    assert "training dspark-depth2, 1 of 1: dspark-lab train drafter" in result.stderr
    assert Path("made/dspark-depth1/model.safetensors").read_bytes() == before
    written = json.loads(Path("e.json").read_text())
    assert set(written["drafters"]) == {"dspark-depth1", "dspark-depth2"} and not written["missing"]
    (chart,) = written["charts"]
    assert all(set(series["points"]) == {"1", "2"} for panel in chart["panels"].values() for series in panel)


def test_a_training_that_fails_ends_the_experiment(
    cli: Any, target: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = (Checkpoint("dspark-depth0", "DSpark", {"kind": "dspark", "layers": 65}),)
    monkeypatch.setitem(EXPERIMENTS, "fig3", wanted)
    result = cli("eval", "--paper", "fig3", "--train", *target)
    assert result.exit_code == 2 and "error: --layers is 65, but must be from 1 to 64" in result.stderr
    monkeypatch.setitem(EXPERIMENTS, "fig3", (Checkpoint("dspark", "DSpark", {"kind": "dspark", "steps": 2}),))

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dspark_lab.training.answers.regenerate", interrupt)
    result = cli("eval", "--paper", "fig3", "--train", *target)
    assert result.exit_code == 130 and "run the same command again" in result.stderr
    assert Path("runs/dspark").is_dir()
    again = cli("eval", "--paper", "fig3", "--train", *target)
    assert again.exit_code == 130 and "training dspark, 1 of 1" in again.stderr, "what was begun is not there yet"


def test_gamma_beyond_a_drafters_block_names_the_drafter(cli: Any, target: list[str], pair: list[str]) -> None:
    says(
        cli("eval", "--prompts", "1", "--gamma", "6", *target, "--drafter", pair[3]),
        "dspark: gamma is 6",
        "blocks of 5",
    )
