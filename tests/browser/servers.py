"""Servers for the tests, and kernels that may talk to this machine only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dspark_widgets.serving.options import is_loopback

START = 90.0
"""Seconds that a loaded machine may take to a server's first answer."""

LOGS: list[Path] = []
"""What the last servers said, in files."""

GUARD = '''\
import importlib.abc, socket, sys, time
from pathlib import Path

ATTEMPTS, GATE = Path({attempts!r}), Path({gate!r})


def _checked(real, host_of):
    def call(*arguments, **named):
        host = host_of(*arguments, **named)
        if isinstance(host, bytes):
            host = host.decode()
        if host and host not in ("localhost", "::1") and not host.startswith("127."):
            with ATTEMPTS.open("a") as file:
                file.write(host + "\\n")
            raise OSError(f"a test kernel may not reach {{host}}")
        return real(*arguments, **named)

    return call


def _host(_socket, address, *_):
    return address[0] if isinstance(address, tuple) else ""


socket.getaddrinfo = _checked(socket.getaddrinfo, lambda host, *_, **__: host)
socket.socket.connect = _checked(socket.socket.connect, _host)
socket.socket.connect_ex = _checked(socket.socket.connect_ex, _host)


class Gate(importlib.abc.MetaPathFinder):
    """Holds the models back until the gate is open."""

    def find_spec(self, name, path, target=None):
        while name == "dspark_lab.loading" and not GATE.exists():
            time.sleep(0.05)


sys.meta_path.insert(0, Gate())
'''


class Workplace:
    """Folders and an environment of their own for servers and kernels, so that no setting of this machine shows.

    Kernels refuse connections to other machines and write them to ``attempts``. Models load once ``gate`` exists.
    They compute on one CPU thread, as the tests do, so that both get the same numbers.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.gate, self._attempts = folder, folder / "gate", folder / "attempts.txt"
        startup = folder / "ipython" / "profile_default" / "startup"
        startup.mkdir(parents=True)
        guard = GUARD.format(attempts=str(self._attempts), gate=str(self.gate))
        (startup / "00-guard.py").write_text(guard, encoding="utf-8")
        self.gate.touch()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "HF_", "IPYTHON"))}
        folders = {
            "IPYTHONDIR": "ipython",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "HF_HOME": "huggingface",
        }
        own = {name: str(folder / place) for name, place in folders.items()}
        self.environment = {**kept, **own, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

    @property
    def attempts(self) -> list[str]:
        """Hosts that a kernel tried to reach."""
        return self._attempts.read_text(encoding="utf-8").split() if self._attempts.exists() else []


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], probe: str, place: Workplace, log: Path) -> Iterator[None]:
    """Run a server until the block ends; then end it and everything it started.

    Raises:
        RuntimeError: it ended before it answered at ``probe``; the message holds the end of its output.
        TimeoutError: it did not answer.
    """
    with log.open("wb") as output:
        child = subprocess.Popen(
            command, env=place.environment, cwd=place.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait(child, probe, log)
            yield
        finally:
            _end(child)


def _wait(child: subprocess.Popen[bytes], probe: str, log: Path) -> None:
    LOGS[:] = [*(known for known in LOGS if known != log), log][-8:]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise RuntimeError(f"the server ended ({child.returncode}): {log.read_text(errors='replace')[-2000:]}")
        try:
            opener.open(probe, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"no answer from {probe} within {START:g} s: {log.read_text(errors='replace')[-2000:]}")


def _end(child: subprocess.Popen[bytes]) -> None:
    """A server asked politely ends its kernels too; what is left of its group goes with it."""
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextmanager
def blackhole() -> Iterator[int]:
    """Yield a port that takes connections and never answers, as a firewall that drops packets looks from a browser."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        held: list[socket.socket] = []

        def hold() -> None:
            while True:
                try:
                    held.append(listener.accept()[0])
                except OSError:
                    return

        threading.Thread(target=hold, daemon=True).start()
        yield int(listener.getsockname()[1])
        for connection in held:
            connection.close()


def is_local(host: str | None) -> bool:
    return host is not None and is_loopback(host)
