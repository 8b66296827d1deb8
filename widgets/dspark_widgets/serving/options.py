"""What Voila and JupyterLab are both told."""

from __future__ import annotations

import zmq

CONNECTION = "dspark_widgets.serving.handlers.NoDelayConnection"

# The channel between server and kernel is a TCP port that other users of the machine could read. Conda's zmq may come
# without the encryption.
KERNEL_OPTIONS = ["--KernelManager.transport_encryption=auto"] if zmq.has("curve") else []


def is_loopback(host: str) -> bool:
    """Return whether ``host`` can be reached from this machine only."""
    return host in ("localhost", "::1") or host.startswith("127.")
