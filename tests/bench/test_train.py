"""``bench train``: its figures' form, not their values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dspark_lab.bench import train
from dspark_lab.bench.train import run
from dspark_lab.errors import LabError
from dspark_lab.loading import Lab


@pytest.mark.parametrize("able", [False, True])
def test_ours_alone_is_measured(
    tiny_lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], able: bool
) -> None:
    monkeypatch.setattr(train, "multiplies_bfloat16", lambda: able)
    result = run(quick=True, json_file=tmp_path / "b.json", target=tiny_lab.target)
    assert result["measured"]
    assert [name for name in result if "float" in name] == ["bfloat16", "float32"][1 - able :]
    for precision in ["bfloat16", "float32"][1 - able :]:
        assert list(result[precision]["blocks_per_second"]) == ["ours"] and "ratio" not in result[precision]
    if able:  # from the same weights
        assert result["bfloat16"]["first_loss"]["ours"] == pytest.approx(
            result["float32"]["first_loss"]["ours"], rel=0.01
        )
    assert ("bfloat16, ours:" in capsys.readouterr().out) is able
    assert json.loads((tmp_path / "b.json").read_text()) == result


def test_a_peer_that_is_no_deepspec_is_refused(tiny_lab: Lab, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="holds no DeepSpec"):
        run(quick=True, peer=tmp_path, target=tiny_lab.target)


def test_the_command_hands_on_its_options(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from dspark_lab.cli import app

    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("dspark_lab.bench.train.run", lambda **options: calls.append(options))
    assert CliRunner().invoke(app, ["bench", "train", "--peer", str(tmp_path)]).exit_code == 0
    assert calls == [{"quick": False, "peer": tmp_path, "json_file": None}]
