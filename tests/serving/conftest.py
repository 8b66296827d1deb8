"""A server of a page beside which there are things that no visitor may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from dspark_widgets.serving import kernels as module
from dspark_widgets.serving.options import Hosting
from tests.serving.fakes import Kernels
from tests.serving.visitor import SECRET, Server, served

CODE = """\
import pathlib
from dspark_lab.errors import LabError
from dspark_widgets.stepper import Stepper

class Witness(Stepper):
    def on_stop(self, request):
        raise LabError(f"{pathlib.Path.cwd()}/weights is damaged")

    def on_delete(self, request):
        raise ValueError(f"{pathlib.Path.cwd()}/weights")

Witness()
"""
BROKEN = "raise RuntimeError(__import__('os').getcwd())"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("notebooks")
    for name, code in (("page", CODE), ("other", f"print('{SECRET}')"), ("broken", BROKEN)):
        cell = nbformat.v4.new_code_cell(code)
        spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=spec), place / f"{name}.ipynb")
    (place / "secret.txt").write_text(SECRET)
    return place


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(folder, "page.ipynb", Hosting(ready=0, share=False), tmp_path_factory.mktemp("server")) as found:
        yield found


@pytest.fixture(scope="module")
def kernel(server: Server) -> str:
    return server.page()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    time = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "monotonic", lambda: time.now)
    return time


@pytest.fixture
def kernels(clock: SimpleNamespace) -> Kernels:
    return Kernels(visitors=2, idle=600.0, linger=90.0)
