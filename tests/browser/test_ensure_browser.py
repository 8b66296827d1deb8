"""The order in which a browser is looked for and installed, with programs that only pretend."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.browser import ensure_browser as subject


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one folder on the PATH of a machine that has no browser."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    monkeypatch.delenv("DSPARK_CHROMIUM", raising=False)
    monkeypatch.setattr(subject, "MAC_APPLICATIONS", ())
    monkeypatch.setattr(subject, "PLAYWRIGHT_CACHES", ())
    monkeypatch.setattr(sys, "executable", program(programs / "python", "exit 1"))
    return programs


def program(path: Path, script: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_bare_machine_has_no_browser(bare: Path) -> None:
    assert subject.find_browser() is None


def test_the_named_browser_comes_before_the_path(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare / "chromium", "exit 0")
    named = program(tmp_path / "mine", "exit 0")
    monkeypatch.setenv("DSPARK_CHROMIUM", named)
    assert subject.find_browser() == named


def test_a_browser_that_does_not_start_is_passed_over(bare: Path) -> None:
    program(bare / "chromium", "exit 1")
    second = program(bare / "google-chrome", "exit 0")
    assert subject.find_browser() == second


def test_playwrights_own_download_is_found(bare: Path, tmp_path: Path) -> None:
    chrome = program(tmp_path / "playwright" / "chromium-1200" / "chrome-linux64" / "chrome", "exit 0")
    assert subject.find_browser() == chrome


def test_root_on_debian_installs_the_package(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject.os, "geteuid", lambda: 0, raising=False)
    chromium = bare / "chromium"
    program(
        bare / "apt-get",
        f'[ "$1" = install ] && printf "#!/bin/sh\\n" > {chromium} && /bin/chmod +x {chromium}\nexit 0',
    )
    assert subject.ensure_browser() == str(chromium)


def test_others_leave_the_package_manager_alone(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject.os, "geteuid", lambda: 1000, raising=False)
    program(bare / "apt-get", f"echo ran > {tmp_path / 'ran'}")
    assert subject.ensure_browser() is None
    assert not (tmp_path / "ran").exists()


def test_a_hanging_download_is_given_up(bare: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hang = program(bare / "hang", "exec /bin/sleep 60")
    assert not subject._run([hang], 0.2)
    assert "no result within 0.2 s" in capfd.readouterr().err
