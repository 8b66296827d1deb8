"""Kernels forked from one process that has torch and the models loaded: they start at once and share its memory."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import EntryPoint
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

LAUNCHER = "ipykernel_launcher"
NAME = "dspark-fork"
NICENESS = 5
"""How far kernels stand back for the server, which has little to do and should do it at once."""

_context = multiprocessing.get_context("forkserver")
_starter = ThreadPoolExecutor(1, thread_name_prefix="fork")  # the first start waits for torch and the models


def use_forks() -> str:
    """Make the provisioner known to Jupyter and the fork server ready to start; return the provisioner's name."""
    _context.set_forkserver_preload(["dspark_widgets.serving.warm"])
    KernelProvisionerFactory.provisioners[NAME] = EntryPoint(
        NAME, f"{__name__}:{ForkProvisioner.__name__}", KernelProvisionerFactory.GROUP_NAME
    )
    return NAME


class ForkedKernel:
    """A forked kernel's process, as ``subprocess.Popen`` shows one."""

    stdin = stdout = stderr = None

    def __init__(self, arguments: Sequence[str], environment: dict[str, str], folder: str) -> None:
        self._process = _context.Process(target=run_kernel, args=(arguments, environment, folder), daemon=True)
        self._process.start()
        self.pid = self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()


class ForkProvisioner(LocalProvisioner):
    """Forks the kernels of this interpreter; starts any other as Jupyter does."""

    process: Any = None

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        here = os.path.dirname(cmd[0]) == os.path.dirname(sys.executable)
        if not here or LAUNCHER not in cmd:
            return await super().launch_kernel(cmd, **kwargs)
        self.cwd = kwargs.get("cwd") or os.getcwd()
        start = asyncio.get_running_loop().run_in_executor
        # Voila names some by members of an enum of its own: unpickling one would bring all of Voila into the kernel.
        environment = {str.__str__(name): value for name, value in kwargs["env"].items()}
        self.process = await start(_starter, ForkedKernel, cmd[cmd.index(LAUNCHER) + 1 :], environment, str(self.cwd))
        self.pid = self.process.pid
        return self.connection_info


def run_kernel(arguments: Sequence[str], environment: dict[str, str], folder: str) -> None:
    """Be a kernel until it is told to end, or its server is gone."""
    from ipykernel.kernelapp import IPKernelApp
    from ipywidgets import register_comm_target

    os.setpgrp()  # no session of its own: Linux would weigh sessions, not what is in them, and niceness count for nothing
    os.nice(NICENESS)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    threading.Thread(target=_end_with_server, daemon=True).start()
    app = IPKernelApp.instance(parent_handle=os.getppid())
    app.initialize(list(arguments))
    register_comm_target()  # as a kernel does that imports ipywidgets itself: pages ask for all widgets at once by it
    app.start()


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(0)
