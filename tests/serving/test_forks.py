"""Kernels forked from one warmed process: real ones, which share its memory and end with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec

from dspark_widgets.serving import forks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

SCRIPT = """
import asyncio, json, os, sys
from jupyter_client.manager import AsyncKernelManager
from dspark_widgets.serving.forks import use_forks

def private(pid):
    rows = dict(line.split(":") for line in open(f"/proc/{pid}/smaps_rollup").read().splitlines()[1:])
    return int(rows["Private_Dirty"].split()[0]) // 1024

CODE = '''
import json, os, sys, threading
from dspark_lab.loading import shared
from dspark_lab.settings import Settings
loaded = "torch" in sys.modules and shared.cache_info().currsize
text = shared().generate("Tom has 3 apples.", Settings(max_new_tokens=4)).session.text
print(json.dumps([bool(loaded), text, os.environ["MARK"], os.getcwd(), os.getpgrp() == os.getpid()]))
'''

async def ask(client, code):
    said = []
    hear = lambda message: said.append(message["content"].get("text") or str(message["content"]))
    await client.execute_interactive(code, timeout=120, output_hook=hear)
    return "".join(x for x in said if x.startswith("["))

async def main():
    os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = use_forks()
    found, kernels = [], []
    for mark in ("one", "two"):
        kernel = AsyncKernelManager(autorestart=False)
        await kernel.start_kernel(env={**os.environ, "MARK": mark}, cwd=sys.argv[1])
        client = kernel.client()
        client.start_channels()
        await client.wait_for_ready(timeout=120)
        said = json.loads(await ask(client, CODE))
        pid = kernel.provisioner.pid
        found.append({"said": said, "private": private(pid), "pid": pid, "parent": os.getpid()})
        kernels.append((kernel, client))
    kernels[0][1].stop_channels()
    await kernels[0][0].shutdown_kernel()
    found[0]["ended"] = not await kernels[0][0].is_alive()
    print(json.dumps(found), flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("forks") / "run.py"
    file.write_text(SCRIPT, encoding="utf-8")
    return file


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_forked_kernels_have_the_models_share_memory_and_end_with_their_server(script: Path) -> None:
    server = subprocess.Popen([sys.executable, script, script.parent], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        found = json.loads(server.stdout.readline())
        texts = set()
        for kernel, mark in zip(found, ("one", "two"), strict=True):
            loaded, text, environment, folder, leads = kernel["said"]
            assert loaded, "the models were loaded again"
            assert (environment, folder, leads) == (mark, str(script.parent), True)
            texts.add(text)
            assert kernel["private"] < 80, f"{kernel['private']} MB of this kernel's own"
        assert len(texts) == 1
        assert found[0]["ended"] and not alive(found[0]["pid"])
        assert alive(found[1]["pid"])
        os.kill(server.pid, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while alive(found[1]["pid"]):
            assert time.monotonic() < deadline, "a kernel has outlived its server"
            time.sleep(0.1)
    finally:
        server.kill()
        server.wait()


class Name(StrEnum):
    """As Voila names variables."""

    BASE = "VOILA_BASE_URL"


def test_a_kernel_is_given_nothing_that_brings_the_servers_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, str]] = []

    def forked(_arguments: Any, environment: dict[str, str], _folder: str) -> SimpleNamespace:
        given.append(environment)
        return SimpleNamespace(pid=1)

    monkeypatch.setattr(forks, "ForkedKernel", forked)
    provisioner = forks.ForkProvisioner(kernel_id="1", kernel_spec=KernelSpec(argv=[]))
    command = [sys.executable, "-m", forks.LAUNCHER, "-f", "connection.json"]
    asyncio.run(provisioner.launch_kernel(command, env={Name.BASE: "/", "PATH": "x"}, cwd="."))
    assert given == [{"VOILA_BASE_URL": "/", "PATH": "x"}]
    assert {type(name) for name in given[0]} == {str}
