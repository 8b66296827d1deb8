"""What ``dspark-lab doctor`` looks at. Each check says what it found and, where something is off, the remedy."""

from __future__ import annotations

import glob
import importlib
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dspark_lab.cli.requirements import Requirement, at_least, installed, requirements
from dspark_lab.errors import LabError

OK, MISSING, OLD, BROKEN, INFO = "ok", "missing", "too old", "broken", "info"

CORE, MODELS, LAB, TESTS = "step and generate", "models", "views and course", "tests"

OLDEST_PYTHON, TOO_NEW_PYTHON = (3, 11), (3, 14)
REMEDIES = {
    "": "pip install --upgrade dspark-lab",
    "lab": 'pip install "dspark-lab[lab]"',
    "test": 'pip install "dspark-lab[test]"',
}
LAB_EXTENSIONS = {
    "@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets",
    "anywidget": "anywidget",
    "jupyterlab-plotly": "plotly",
}
PAGE_PORTS = range(8866, 8886)


@dataclass(frozen=True)
class Check:
    """One line of the report. ``needed``: step and generate do not work without it."""

    group: str
    name: str
    status: str
    detail: str
    remedy: str = ""
    needed: bool = False

    @property
    def well(self) -> bool:
        return self.status in (OK, INFO)


def every_check() -> Iterator[Check]:
    """All checks, each made when it is asked for."""
    yield python()
    wanted = requirements()
    yield from (package(r, CORE, needed=True) for r in wanted if r.extra == "")
    yield kernels()
    yield from devices()
    yield from pocket()
    yield from (package(r, LAB) for r in wanted if r.extra == "lab")
    yield from extensions()
    yield views()
    yield port()
    yield from (package(r, TESTS) for r in wanted if r.package == "playwright")
    yield chromium()


def python() -> Check:
    """The interpreter, within the versions that the lab is made for."""
    version, here = platform.python_version(), sys.version_info[:2]
    if OLDEST_PYTHON <= here < TOO_NEW_PYTHON:
        return Check(CORE, "python", OK, version, needed=True)
    status = OLD if here < OLDEST_PYTHON else BROKEN
    return Check(CORE, "python", status, f"{version}, wanted 3.11 to 3.13", "install Python 3.12", needed=True)


def package(wanted: Requirement, group: str, *, needed: bool = False) -> Check:
    """A package by its version, without importing it."""
    version, remedy = installed(wanted.package), REMEDIES.get(wanted.extra, REMEDIES[""])
    if version is None:
        return Check(group, wanted.package, MISSING, "not installed", remedy, needed)
    if wanted.lowest and not at_least(version, wanted.lowest):
        return Check(group, wanted.package, OLD, f"{version}, at least {wanted.lowest} is needed", remedy, needed)
    return Check(group, wanted.package, OK, version, needed=needed)


def kernels() -> Check:
    """The arithmetic's own package, which travels with the library."""
    try:
        import dspark_kernels
    except Exception as error:
        return Check(CORE, "dspark_kernels", BROKEN, _said(error), REMEDIES[""], needed=True)
    return Check(CORE, "dspark_kernels", OK, str(Path(dspark_kernels.__file__ or "").parent), needed=True)


def devices() -> Iterator[Check]:
    """Where models can run."""
    try:
        import torch
    except Exception as error:
        yield Check(MODELS, "device", BROKEN, _said(error), "install torch again: https://pytorch.org", needed=True)
        return
    cores = f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    yield Check(MODELS, "CPU", OK, cores, needed=True)
    if not torch.cuda.is_available():
        built = (
            f"torch for CUDA {torch.version.cuda} finds no GPU" if torch.version.cuda else "this torch is for the CPU"
        )
        yield Check(MODELS, "CUDA", INFO, built)
        return
    for i in range(torch.cuda.device_count()):
        gpu = torch.cuda.get_device_properties(i)
        detail = f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
        yield Check(MODELS, f"cuda:{i}", OK, detail)


def pocket() -> Iterator[Check]:
    """The shipped pair: files whole, and one round decoded with it."""
    try:
        from transformers.utils.logging import disable_progress_bar

        from dspark_lab.checkpoints import POCKET, revision, weight_files
        from dspark_lab.loading import load
        from dspark_lab.settings import Settings

        disable_progress_bar()
        for name in ("target", "dspark"):
            files = weight_files(POCKET / name)
            size = sum(file.stat().st_size for file in files) / 1e6
            yield Check(MODELS, f"pocket {name}", OK, f"revision {revision(files)}, {size:.1f} MB", needed=True)
        latest = load(device="cpu").session("Tom has 12 apples.", Settings(max_new_tokens=9)).step()
    except LabError as error:
        yield Check(MODELS, "pocket pair", BROKEN, str(error), "see the message", needed=True)
    except Exception as error:
        yield Check(MODELS, "pocket pair", BROKEN, _said(error), "install the lab again", needed=True)
    else:
        yield Check(MODELS, "one round", OK, f"{latest.accepted} of {latest.gamma} draft tokens accepted", needed=True)


def extensions() -> Iterator[Check]:
    """The parts of the views that JupyterLab and Voila load from disk."""
    try:
        jupyter_path = importlib.import_module("jupyter_core.paths").jupyter_path
    except ImportError:
        yield Check(LAB, "lab extensions", MISSING, "JupyterLab is not installed", REMEDIES["lab"])
        return
    for name, owner in LAB_EXTENSIONS.items():
        found = next((p for p in jupyter_path("labextensions") if Path(p, name, "package.json").is_file()), None)
        if found:
            yield Check(LAB, name, OK, f"extension in {found}")
        else:
            remedy = f"pip install --force-reinstall --no-deps {owner}"
            yield Check(LAB, name, MISSING, "extension not found", remedy)


def views() -> Check:
    """The bundle of the views' scripts."""
    try:
        import dspark_widgets
    except Exception as error:
        return Check(LAB, "dspark_widgets", BROKEN, _said(error), REMEDIES["lab"])
    static = Path(dspark_widgets.__file__ or "").parent / "static"
    scripts = [p for p in glob.glob(str(static / "*.js")) if os.path.getsize(p)]
    if not scripts:
        return Check(LAB, "views", MISSING, f"no script in {static}", "install the lab again")
    return Check(LAB, "views", OK, ", ".join(sorted(os.path.basename(p) for p in scripts)))


def port() -> Check:
    """Where ``dspark-lab serve`` would listen."""
    for number in PAGE_PORTS:
        with socket.socket() as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return Check(LAB, "port", OK, f"{number} is free")
    span = f"{PAGE_PORTS.start} to {PAGE_PORTS.stop - 1}"
    return Check(LAB, "port", MISSING, f"{span} are all taken", "dspark-lab serve --port 9000")


def chromium() -> Check:
    """A browser for the browser tests and for pictures of figures."""
    named = os.environ.get("DSPARK_CHROMIUM", "")
    if named and not os.access(named, os.X_OK):
        return Check(TESTS, "chromium", BROKEN, f"DSPARK_CHROMIUM={named} cannot be run", "unset DSPARK_CHROMIUM")
    found = find_chromium()
    if not found:
        return Check(TESTS, "chromium", MISSING, "not found", "python tests/browser/ensure_browser.py")
    return Check(TESTS, "chromium", OK, found)


def find_chromium() -> str | None:
    """A Chromium that can be run: named by DSPARK_CHROMIUM, on the PATH, or Playwright's own."""
    named = os.environ.get("DSPARK_CHROMIUM", "")
    if named:
        return named if os.access(named, os.X_OK) else None
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    own = os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    caches = [os.path.expanduser(c) for c in (own, "~/.cache/ms-playwright", "~/Library/Caches/ms-playwright") if c]
    layouts = ("chromium-*/chrome-linux*/chrome", "chromium-*/chrome-mac*/*.app/Contents/MacOS/*")
    downloaded = (path for c in caches for layout in layouts for path in glob.glob(os.path.join(c, layout)))
    return next(filter(None, map(shutil.which, names)), None) or next(downloaded, None)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
