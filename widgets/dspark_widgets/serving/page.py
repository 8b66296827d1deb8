"""Voila as the lab runs it: its own template, and nothing on the page from another origin."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from traitlets import default
from voila.app import Voila

from .options import is_loopback

SHARE = Path(__file__).with_name("share") / "jupyter"

# Voila's own scripts and styles are inline and anywidget imports each view's module from a blob. Nothing needs eval;
# plotly's WebGL traces (scattergl and the like) would.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' blob:",
    "style-src 'self' 'unsafe-inline'",
    "font-src 'self' data:",
    "img-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
)


class PageServer(Voila):
    """Voila with the ``dspark`` template within reach and headers that keep the page on its own origin."""

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the options. Voila finds templates in Jupyter's data folders only, so ours becomes one first."""
        others = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = os.pathsep.join([str(SHARE), others] if others else [str(SHARE)])
        # Tornado reads Jupyter's ping times, in milliseconds, as seconds, and complains about them.
        logging.getLogger("tornado.general").setLevel(logging.ERROR)
        super().initialize(argv)

    @default("tornado_settings")
    def _default_tornado_settings(self) -> dict[str, Any]:
        # Some browsers do not take 'self' to include the websocket.
        sockets = f"connect-src 'self' ws://127.0.0.1:{self.port} ws://localhost:{self.port}"
        policy = "; ".join((*CONTENT_SECURITY_POLICY, sockets))
        return {
            "headers": {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"},
            # A local page asked for under a foreign name (DNS rebinding) does not answer. A proxy may rename it.
            "allow_remote_access": self.base_url != "/" or not is_loopback(self.ip),
        }
