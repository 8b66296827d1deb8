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

from .options import EVERY_ADDRESS, KERNEL_OPTIONS, PAGE_CONNECTION, Hosting, is_loopback

# Front-end extensions the page needs. Naming them keeps others in the environment from slowing or breaking it.
EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
    "jupyterlab-plotly",
)

CULL_SECONDS = 5
FILL_SECONDS = 3.0
"""The next kernel is made ready so much later, when the page that took the last one has started."""


def voila_command(notebook: Path, port: int, hosting: Hosting | None = None) -> list[str]:
    """Return the command that serves ``notebook``. Headers, template and routes are set in ``page.PageServer``.

    Args:
        notebook: the notebook whose outputs are the page.
        port: where to listen; the server fails rather than move to another port.
        hosting: where and for how many, this machine alone by default.
    """
    h = hosting or Hosting()
    return [
        sys.executable,
        "-P",  # a voila.py in the current folder is not the server
        "-m",
        "dspark_widgets.serving",
        str(notebook),
        f"--port={port}",
        f"--Voila.ip={h.host}",
        "--Voila.port_retries=0",
        f"--base_url={h.path}",
        *([] if is_loopback(h.host) else ["--token"]),
        "--Voila.open_browser=False",
        "--Voila.log_level=ERROR",
        f"--Voila.kernel_websocket_connection_class={PAGE_CONNECTION}",
        *KERNEL_OPTIONS,
        "--template=dspark",
        "--VoilaConfiguration.allow_template_override=NO",
        "--VoilaConfiguration.multi_kernel_manager_class=dspark_widgets.serving.kernels.PageKernels",
        "--strip_sources=True",
        "--show_tracebacks=False",
        *(f"--VoilaConfiguration.extension_allowlist={name}" for name in EXTENSIONS),
        r"--VoilaConfiguration.file_allowlist=images/[\w-]+\.(png|svg)",
        f"--preheat_kernel={h.ready > 0}",
        f"--pool_size={h.ready}",
        f"--VoilaKernelManager.fill_delay={FILL_SECONDS}",
        f"--PageKernels.visitors={h.visitors}",
        f"--PageKernels.idle={60 * h.idle}",
        # Jupyter's culler, which asks our rule; a dead kernel is not started again without its widgets.
        f"--MappingKernelManager.cull_idle_timeout={max(1, round(60 * h.idle))}",
        f"--MappingKernelManager.cull_interval={CULL_SECONDS}",
        "--KernelManager.autorestart=False",
        f"--PageServer.share={h.share}",
        *([f"--PageServer.origin={h.origin}"] if h.origin else []),
        f"--PageServer.most_prompt={h.limits.prompt}",
        f"--PageServer.most_tokens={h.limits.tokens}",
        f"--PageServer.most_forks={h.limits.forks}",
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
    hosting: Hosting | None = None,
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
    h = hosting or Hosting()
    port = free_port(host=h.host) if port is None else free_port(port, tries=1, host=h.host)
    address = f"{h.origin or f'http://{_shown(h.host)}:{port}'}{h.path}"
    probe = f"http://{_reachable(h.host)}:{port}{h.path}healthz"
    environment, query = dict(os.environ), ""
    if not is_loopback(h.host):
        query = f"?token={environment.setdefault('JUPYTER_TOKEN', secrets.token_urlsafe(16))}"
    command = voila_command(notebook.resolve(), port, h)
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
        stop(child)


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

    ``url`` is no page: asking for one would use up the ready kernel.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if child.poll() is not None:
            return False
        try:
            opener.open(urllib.request.Request(url), timeout=5).close()
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


def stop(child: subprocess.Popen[bytes], patience: float = 10.0) -> None:
    """End a server, and with it its kernels: politely, and after so many seconds by force."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
