"""The websocket between page and kernel: fast for Voila and JupyterLab alike, and for the page a narrow one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    deserialize_msg_from_ws_v1,
)
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

ASKED = frozenset({"comm_msg", "comm_info_request", "kernel_info_request"})
"""What a page may send to its kernel's shell. Anything that would run, complete, inspect or debug code is not among it."""
CONTROL_TARGET = "jupyter.widget.control"
"""The one comm that a page opens: by it it asks for the state of the widgets that are there."""


class NoDelayConnection(ZMQChannelsWebsocketConnection):
    """A kernel connection that sends each message at once.

    Small messages otherwise wait for the acknowledgement of the one before (Nagle's algorithm meets delayed ACKs),
    which costs a slider some 45 ms a step.
    """

    async def prepare(self) -> None:
        """Hand the page its ``_xsrf`` cookie with the handshake.

        Voila's page asks for its kernel to be ended when it closes, and is refused without this cookie, which nothing
        else sets: kernels would pile up until they are culled.
        """
        _ = self.websocket_handler.xsrf_token
        await super().prepare()

    def connect(self) -> Any:
        """Open the channels to the kernel; the socket to the page is up by now."""
        self.websocket_handler.set_nodelay(True)
        return super().connect()


class PageConnection(NoDelayConnection):
    """A connection that lets a visitor talk to the widgets that are there, and to nothing else of the kernel."""

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Pass a message on, or drop it. Anything but a heartbeat counts as use of the kernel."""
        try:
            channel, header, content = self._parts(incoming_msg)
            kind, passes = header["msg_type"], may_pass(channel, header, content)
        except Exception:  # whatever a visitor makes up
            kind, passes = "malformed", False
        if not passes:
            self.log.warning("a message of type %r from a page was dropped", str(kind)[:40])
            return
        if not is_heartbeat(content):
            self.multi_kernel_manager.touch(self.kernel_id)
        super().handle_incoming_message(incoming_msg)

    def _parts(self, message: Any) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
        """Channel, header and content, in whichever of Jupyter's two formats the message is."""
        if self.subprotocol == "v1.kernel.websocket.jupyter.org":
            channel, parts = deserialize_msg_from_ws_v1(message)
            return channel, self.session.unpack(parts[0]), self.session.unpack(parts[3])
        whole = deserialize_binary_message(message) if isinstance(message, bytes) else json.loads(message)
        return whole.get("channel") or "shell", whole["header"], whole.get("content") or {}


def may_pass(channel: str, header: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    """Whether a page may send this to its kernel."""
    kind = header["msg_type"]
    if channel != "shell":
        return False
    if kind in ("comm_open", "comm_close"):
        return kind == "comm_close" or content.get("target_name") == CONTROL_TARGET
    return kind in ASKED


def is_heartbeat(content: Mapping[str, Any]) -> bool:
    """Whether this is a page's question whether the kernel is there, which no person has asked."""
    data = content.get("data")
    asked = data.get("content") if isinstance(data, Mapping) else None
    return isinstance(asked, Mapping) and asked.get("type") == "ping"
