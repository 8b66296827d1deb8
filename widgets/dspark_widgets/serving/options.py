"""What Voila and JupyterLab are both told."""

from __future__ import annotations

import ipaddress

import zmq

CONNECTION = "dspark_widgets.serving.handlers.NoDelayConnection"

# The channel between server and kernel is a TCP port that other users of the machine could read. Conda's zmq may come
# without the encryption.
KERNEL_OPTIONS = ["--KernelManager.transport_encryption=auto"] if zmq.has("curve") else []


def is_loopback(host: str) -> bool:
    """Return whether ``host`` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name: 127.example.com may be anybody's
        return host == "localhost"
