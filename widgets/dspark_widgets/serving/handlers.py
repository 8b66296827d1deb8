"""The websocket between page and kernel, for Voila and JupyterLab alike."""

from __future__ import annotations

from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


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
