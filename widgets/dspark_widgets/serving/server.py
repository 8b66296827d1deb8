"""The lab's page: Voila on one notebook, on this machine alone unless another host is asked for."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from .options import CONNECTION, KERNEL_OPTIONS, is_loopback

# Front-end extensions the page needs. Naming them keeps others in the environment from slowing or breaking it.
EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "jupyterlab-plotly",
)

EVERY_ADDRESS = ("", "0.0.0.0", "::")

KERNEL_IDLE_SECONDS = 600  # a kernel whose page went away without a word ends after this long


def voila_command(
    notebook: Path,
    port: int,
    host: str = "127.0.0.1",
    base_url: str = "/",
    preheat: bool = True,
    open_browser: bool = False,
) -> list[str]:
    """Return the command that serves ``notebook``. Headers and template are set in ``page.PageServer``.

    Args:
        notebook: the notebook whose outputs are the page.
        port: where to listen; the server fails rather than move to another port.
        host: the address to listen on. Off the loopback range a token is asked for.
        base_url: the path of the page, for a proxy in front of it.
        preheat: keep one kernel ready that has already run the notebook.
        open_browser: let the server open a browser window itself.
    """
    return [
        sys.executable,
        "-P",  # a voila.py in the current folder is not the server
        "-m",
        "dspark_widgets.serving",
        str(notebook),
        f"--port={port}",
        f"--Voila.ip={host}",
        "--Voila.port_retries=0",
        f"--base_url={base_url}",
        *([] if is_loopback(host) else ["--token"]),
        f"--Voila.open_browser={open_browser}",
        "--Voila.log_level=ERROR",
        f"--Voila.kernel_websocket_connection_class={CONNECTION}",
        *KERNEL_OPTIONS,
        "--template=dspark",
        "--VoilaConfiguration.allow_template_override=NO",
        "--strip_sources=True",
        "--show_tracebacks=False",
        *(f"--VoilaConfiguration.extension_allowlist={name}" for name in EXTENSIONS),
        r"--VoilaConfiguration.file_allowlist=images/[\w-]+\.(png|svg)",
        f"--preheat_kernel={preheat}",
        f"--pool_size={1 if preheat else 0}",
        f"--MappingKernelManager.cull_idle_timeout={KERNEL_IDLE_SECONDS}",
        f"--MappingKernelManager.cull_interval={KERNEL_IDLE_SECONDS // 10}",
        "--MappingKernelManager.cull_connected=False",
    ]


def free_port(preferred: int = 8866, tries: int = 20, host: str = "127.0.0.1") -> int:
    """Return the first port from ``preferred`` on that nothing listens on.

    Raises:
        OSError: ``host`` is no address of this machine, a port needs rights, or ``tries`` ports in a row are taken.
    """
    last = min(preferred + tries, 65536) - 1
    for port in range(preferred, last + 1):
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                if os.name == "posix":  # as servers do: a port whose old connections are only fading counts as free
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, port))
                return port
        except (OSError, TypeError) as error:  # a name that cannot be encoded is a TypeError
            code = getattr(error, "errno", None)
            if code == errno.EACCES:
                raise OSError(f"port {port} on {host} needs rights that you lack: name one from 1024 on") from error
            if code != errno.EADDRINUSE:
                raise OSError(
                    f"host {host!r} is no address of this machine ({error}): "
                    "take 127.0.0.1 for this machine alone, 0.0.0.0 to let others in"
                ) from error
    where = f"port {preferred}" if last <= preferred else f"ports {preferred} to {last}"
    raise OSError(f"no free port on {host}: {where} taken; end what listens there or name another port")


def serve(
    notebook: Path,
    port: int | None = None,
    host: str = "127.0.0.1",
    base_url: str = "/",
    preheat: bool = True,
    open_browser: bool = False,
    timeout: float = 120.0,
) -> int:
    """Serve ``notebook`` until Ctrl-C and return an exit status.

    Prints one line with the address as soon as the server answers. ``port`` None takes the first free one from 8866.

    Raises:
        FileNotFoundError: there is no such notebook.
        OSError: no port is free.
        TimeoutError: the server does not answer within ``timeout`` seconds.
    """
    if not notebook.is_file():
        raise FileNotFoundError(f"no notebook at {notebook}: name an existing .ipynb file")
    port = free_port(host=host) if port is None else free_port(port, tries=1, host=host)
    base_url = f"/{base_url.strip('/')}/".replace("//", "/")
    address = f"http://{_shown(host)}:{port}{base_url}"
    probe = f"http://{_reachable(host)}:{port}{base_url}voila/static/voila.js"
    environment, query = dict(os.environ), ""
    if not is_loopback(host):
        query = f"?token={environment.setdefault('JUPYTER_TOKEN', secrets.token_urlsafe(16))}"
    command = voila_command(notebook.resolve(), port, host, base_url, preheat)
    # A session of its own: Ctrl-C reaches the server once, from here, and it ends its kernels in peace.
    child = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        with _signals_as_interrupt():
            if not _answers(probe, child, timeout):
                return child.returncode or 1
            print(f"DSpark Lab: {address}{query}", flush=True)
            if open_browser and _has_screen():
                webbrowser.open(address + query)
            return child.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        _stop(child)


def _shown(host: str) -> str:
    """Return the host part of the address that people are given."""
    return socket.gethostname() if host in EVERY_ADDRESS else _reachable(host)


def _reachable(host: str) -> str:
    """Return the host part of an address that this machine can ask."""
    if host in EVERY_ADDRESS:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _has_screen() -> bool:
    """Without a screen, Linux offers a browser that takes over the terminal."""
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))


def _answers(url: str, child: subprocess.Popen[bytes], timeout: float) -> bool:
    """Wait until ``url`` answers; False when the server has ended.

    ``url`` is a static file: asking for the page would use up the ready kernel.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if child.poll() is not None:
            return False
        try:
            opener.open(urllib.request.Request(url, method="HEAD"), timeout=5).close()
        except urllib.error.HTTPError:
            return True
        except OSError:
            time.sleep(0.1)
        else:
            return True
    raise TimeoutError(f"the server gave no answer within {timeout:g} s; a busy machine may need a longer timeout")


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """Let a polite kill or a closed terminal end the server as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    in_main = threading.current_thread() is threading.main_thread()
    names = [name for name in ("SIGTERM", "SIGHUP") if in_main and hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), interrupt) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


def _stop(child: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
