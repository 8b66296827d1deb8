"""doctor, train, eval, bench, export-html and serve: what they hand on, and what they say when a part is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dspark_lab.cli import checks, requirements
from dspark_lab.cli.checks import BROKEN, MISSING, OK, OLD, Check
from dspark_lab.cli.requirements import Requirement, at_least
from dspark_widgets.limits import Limits
from dspark_widgets.serving.options import Hosting

HOSTING = [
    *("--ready", "2", "--visitors", "30", "--idle", "5", "--no-share"),
    *("--most-prompt", "500", "--most-tokens", "64", "--most-forks", "8"),
]


class Recorder:
    """A function that keeps what it was called with."""

    def __init__(self, result: Any = None) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.result = result

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls.append((arguments, options))
        return self.result


@pytest.fixture
def evaluate(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Stands for the evaluation."""
    recorder = Recorder()
    monkeypatch.setitem(sys.modules, "dspark_lab.evaluation.pocket", SimpleNamespace(evaluate=recorder))
    return recorder


def test_training_says_where_it_resumes_and_ends_with_the_evaluation(
    cli: Any, monkeypatch: pytest.MonkeyPatch, evaluate: Recorder
) -> None:
    train = Recorder()
    monkeypatch.setattr("dspark_lab.training.pocket.train_pocket", train)
    result = cli("train", "pocket", "--out", "pair", "--seed", "5")
    assert result.exit_code == 0, result.output
    (out, work, recipe), _ = train.calls[0]
    assert (out, work, recipe.seed) == (Path("pair"), Path("pair", "work"), 5)
    assert str(work) in result.stderr and "same command goes on" in result.stderr
    assert evaluate.calls == [((Path("pair"),), {"card": True})]


def test_an_interrupted_training_says_how_to_go_on(
    cli: Any, monkeypatch: pytest.MonkeyPatch, evaluate: Recorder
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dspark_lab.training.pocket.train_pocket", interrupt)
    result = cli("train", "pocket", "--work", "here")
    assert result.exit_code == 130
    assert "run the same command again" in result.stderr and "here" in result.stderr
    assert not evaluate.calls


def test_eval_hands_on_its_options(cli: Any, evaluate: Recorder, tiny_folder: Path) -> None:
    assert cli("eval", "pocket", "--folder", str(tiny_folder), "--prompts", "4", "--json", "e.json").exit_code == 0
    assert evaluate.calls == [((tiny_folder,), {"json_file": Path("e.json"), "prompts": 4})]


def test_bench_hands_on_its_options(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Recorder()
    monkeypatch.setitem(sys.modules, "dspark_lab.bench.decode", SimpleNamespace(run=run))
    assert cli("bench", "decode", "--quick").exit_code == 0
    assert run.calls == [((), {"quick": True, "json_file": None})]


def test_a_recorded_trace_becomes_one_page(cli: Any, pair: list[str]) -> None:
    assert cli("step", "Tom has 3 apples.", *pair, "--max-new-tokens", "4", "--trace", "t.json").exit_code == 0
    result = cli("export-html", "t.json", "t.html")
    assert result.exit_code == 0, result.output
    assert "Tom has 3 apples." in Path("t.html").read_text(encoding="utf-8")
    assert "t.html" in result.stderr


def test_a_file_that_is_no_trace_is_refused(cli: Any) -> None:
    Path("x.json").write_text('{"schema_version": 99}')
    result = cli("export-html", "x.json", "x.html")
    assert result.exit_code == 2 and "99" in result.stderr and not Path("x.html").exists()


def test_serve_hands_on_its_options_and_its_status(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    serve = Recorder(3)
    monkeypatch.setattr("dspark_widgets.serving.server.serve", serve)
    monkeypatch.setattr("dspark_lab.cli.share.require", lambda _: None)
    Path("page.ipynb").write_text("{}")
    result = cli("serve", "page.ipynb", "--port", "9000", "--no-browser", "--base-url", "/lab/", *HOSTING)
    assert result.exit_code == 3
    assert serve.calls[0] == (
        (Path("page.ipynb"),),
        {
            "port": 9000,
            "hosting": Hosting(
                base_url="/lab/", ready=2, visitors=30, idle=5.0, share=False, limits=Limits(500, 64, 8)
            ),
            "open_browser": False,
            "timeout": 120.0,
        },
    )


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--visitors", "0", "from 1 to 10,000"),
        ("--ready", "-1", "0 to 100"),
        ("--idle", "0", "minutes above 0"),
        ("--most-tokens", "0", "limit on tokens is 0"),
        ("--public-url", "lab.example.org", "https://lab.example.org/"),
    ],
)
def test_serve_refuses_limits_that_are_none(
    cli: Any, monkeypatch: pytest.MonkeyPatch, option: str, value: str, said: str
) -> None:
    serve = Recorder(0)
    monkeypatch.setattr("dspark_widgets.serving.server.serve", serve)
    Path("page.ipynb").write_text("{}")
    result = cli("serve", "page.ipynb", option, value)
    assert result.exit_code == 2 and said in result.stderr.replace("\n", " ") and value in result.stderr
    assert not serve.calls


def test_serve_without_its_packages_names_the_remedy(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    Path("page.ipynb").write_text("{}")
    result = cli("serve", "page.ipynb")
    assert result.exit_code == 2
    assert "voila" in result.stderr and 'pip install "dspark-lab[lab]"' in result.stderr


def test_a_taken_port_is_one_message(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise OSError("no free port on 127.0.0.1: port 9000 taken")

    monkeypatch.setattr("dspark_widgets.serving.server.serve", taken)
    monkeypatch.setattr("dspark_lab.cli.share.require", lambda _: None)
    Path("page.ipynb").write_text("{}")
    result = cli("serve", "page.ipynb", "--port", "9000")
    assert result.exit_code == 2 and "port 9000 taken" in result.stderr


@pytest.mark.parametrize(("status", "needed", "code"), [(OK, True, 0), (MISSING, False, 0), (BROKEN, True, 1)])
def test_doctor_fails_only_where_step_and_generate_would(
    cli: Any, monkeypatch: pytest.MonkeyPatch, status: str, needed: bool, code: int
) -> None:
    check = Check(checks.LAB, "thing", status, "detail\x1b[2J", "fix it" if status != OK else "", needed)
    monkeypatch.setattr(checks, "every_check", lambda: iter([check]))
    result = cli("doctor", "--json", "d.json")
    assert result.exit_code == code
    assert "thing" in result.stdout and status in result.stdout and "\x1b" not in result.stdout
    assert ("remedy: fix it" in result.stdout) == (status != OK)
    assert json.loads(Path("d.json").read_text())["ok"] == (code == 0)


def test_doctor_knows_what_the_lab_asks_for() -> None:
    wanted = {(r.package, r.extra): r.lowest for r in requirements.requirements()}
    assert at_least(wanted["torch", ""], "2") and at_least(wanted["voila", "lab"], "0.5")
    assert ("playwright", "test") in wanted and ("dspark-lab", "test") not in wanted


def test_doctor_flags_what_is_missing_or_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "installed", {"old": "1.9", "new": "2.13.0+cpu"}.get)
    assert checks.package(Requirement("new", "2.11", ""), checks.CORE).status == OK
    gone = checks.package(Requirement("gone", "", "lab"), checks.LAB)
    old = checks.package(Requirement("old", "1.10", "lab"), checks.LAB)
    assert (gone.status, old.status) == (MISSING, OLD)
    assert "1.9" in old.detail and "1.10" in old.detail and "dspark-lab[lab]" in old.remedy


@pytest.mark.parametrize(
    ("version", "lowest", "enough"),
    [
        ("2.11", "2.11", True),
        ("2.9", "2.11", False),
        ("7", "7.0", True),
        ("5.17.0.dev0", "5.17", True),
        ("?", "1", False),
    ],
)
def test_versions_compare_by_their_numbers(version: str, lowest: str, enough: bool) -> None:
    assert at_least(version, lowest) == enough


def test_doctor_names_a_truncated_weight_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_folder: Path
) -> None:
    import shutil

    shutil.copytree(tiny_folder, tmp_path / "pocket")
    weights = tmp_path / "pocket" / "dspark" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    monkeypatch.setattr("dspark_lab.loading.POCKET", tmp_path / "pocket")
    *_, last = checks.pocket()
    assert last.needed and last.status == BROKEN
    assert str(weights) in last.detail and "truncated" in last.detail


def test_the_shipped_pair_is_whole_and_decodes() -> None:
    assert all(check.well for check in checks.pocket())
