"""What Voila and JupyterLab are both told, and what a host decides."""

from __future__ import annotations

import ipaddress
import os
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import zmq

from dspark_lab.errors import LabError
from dspark_widgets.limits import Limits

CONNECTION = "dspark_widgets.serving.handlers.NoDelayConnection"
PAGE_CONNECTION = "dspark_widgets.serving.handlers.PageConnection"

# The channel between server and kernel is a TCP port that other users of the machine could read. Conda's zmq may come
# without the encryption.
KERNEL_OPTIONS = ["--KernelManager.transport_encryption=auto"] if zmq.has("curve") else []

EVERY_ADDRESS = ("", "0.0.0.0", "::")


def is_loopback(host: str) -> bool:
    """Return whether ``host`` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: 127.example.com may be anybody's
        return host == "localhost"


def can_share() -> bool:
    """Return whether kernels can be forked from one process that holds torch and the models. What a GPU holds cannot."""
    return sys.platform == "linux" and not Path("/proc/driver/nvidia/version").exists()


def can_use_sockets() -> bool:
    """Return whether server and kernels can talk by sockets in a folder of the server's. A TCP port is picked before its
    kernel takes it, and whoever takes it in between leaves a page without a kernel."""
    example = Path(tempfile.gettempdir(), "voila_12345678", f"kernel-{uuid.UUID(int=0)}-ipc-5")
    return sys.platform == "linux" and len(os.fsencode(example)) <= zmq.IPC_PATH_MAX_LEN


@dataclass(frozen=True)
class Hosting:
    """Where the page is served, and to how many.

    Attributes:
        host: the address to listen on. Off the loopback range a token is asked for.
        base_url: the path of the page.
        public_url: the address that visitors use, where a reverse proxy stands in front; then its X-Forwarded-* headers
            are believed, and its path is the page's.
        ready: kernels kept ready, each with the notebook already run.
        visitors: the most kernels that pages may have at a time.
        idle: minutes without a request after which the kernel of an open page ends; the page says so.
        share: fork kernels from one process that holds torch and the models.
        limits: what each visitor may ask for.

    Raises:
        LabError: a number is out of its range, or the public address is none.
    """

    host: str = "127.0.0.1"
    base_url: str = "/"
    public_url: str = ""
    ready: int = 1
    visitors: int = 12
    idle: float = 30.0
    share: bool = field(default_factory=can_share)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.ready <= 100:
            raise LabError(f"{self.ready} kernels cannot be kept ready: take 0 to 100; 1 or 2 are usual.")
        if not 1 <= self.visitors <= 10_000:
            raise LabError(f"the limit on visitors is {self.visitors}, but must be from 1 to 10,000: 12 is usual.")
        if not 0 < self.idle <= 1e6:
            raise LabError(f"the idle time is {self.idle}, but must be a number of minutes above 0: 30 is usual.")
        if self.public_url:
            parts = urlsplit(self.public_url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
                raise LabError(
                    f"the public address is {self.public_url!r}, but must be one that a browser can open: "
                    f"https://lab.example.org/dspark/ is of the right form."
                )

    @property
    def path(self) -> str:
        """The page's path, with a slash at both ends."""
        path = urlsplit(self.public_url).path if self.public_url else self.base_url
        return f"/{path.strip('/')}/".replace("//", "/")

    @property
    def origin(self) -> str:
        """Scheme, host and port of the public address, "" without one."""
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.public_url)) if self.public_url else ""
