"""Voila as the lab runs it: its own page frame, limits on what a visitor gets, and nothing from another origin."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.utils import url_path_join
from traitlets import Bool, Int, Unicode, default
from voila.app import Voila
from voila.request_info_handler import RequestInfoSocketHandler
from voila.static_file_handler import TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from dspark_widgets.limits import Limits

from .forks import use_forks
from .options import can_use_sockets, is_loopback
from .routes import Health, LabFiles, PageHandler, TemplateFiles, VersionedFiles
from .shell import PREFIX, Shell

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

LONGEST_MESSAGE = 2**20
"""Bytes of a websocket message from a page; the longest prompt is a hundredth of it."""


OURS = {TornadoVoilaHandler: PageHandler, TemplateStaticFileHandler: TemplateFiles}


class PageServer(Voila):
    """Voila with the ``dspark`` template within reach, narrow doors, and headers that keep the page on its own origin."""

    origin = Unicode("", config=True, help="Scheme and host that visitors use, where a proxy stands in front.")
    share = Bool(False, config=True, help="Fork kernels from one process that holds torch and the models.")
    most_prompt = Int(Limits.prompt, config=True, help="The most characters of a prompt.")
    most_tokens = Int(Limits.tokens, config=True, help="The most new tokens of a run.")
    most_forks = Int(Limits.forks, config=True, help="The most forks a visitor keeps.")

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the options. Voila finds templates in Jupyter's data folders only, so ours becomes one first."""
        others = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = os.pathsep.join([str(SHARE), others] if others else [str(SHARE)])
        # Tornado reads Jupyter's ping times, in milliseconds, as seconds, and complains about them.
        logging.getLogger("tornado.general").setLevel(logging.ERROR)
        super().initialize(argv)
        limits = Limits(self.most_prompt, self.most_tokens, self.most_forks)
        os.environ.update(limits.environment, PYTHONWARNINGS="ignore")  # a warning would show a path on the page
        if can_use_sockets():
            self.config.KernelManager.transport = "ipc"
        if self.share:
            self.config.KernelProvisionerFactory.default_provisioner_name = use_forks()

    @default("tornado_settings")
    def _default_tornado_settings(self) -> dict[str, Any]:
        # Some browsers do not take 'self' to include the websocket.
        sockets = f"connect-src 'self' ws://127.0.0.1:{self.port} ws://localhost:{self.port}"
        if self.origin:
            sockets += " " + self.origin.replace("http", "ws", 1)
        policy = "; ".join((*CONTENT_SECURITY_POLICY, sockets))
        return {
            "headers": {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"},
            # A local page asked for under a foreign name (DNS rebinding) does not answer, but under its proxy's.
            "allow_remote_access": self.base_url != "/" or not is_loopback(self.ip),
            "local_hostnames": ["localhost", *filter(None, [urlsplit(self.origin).hostname])],
            "allow_origin": self.origin,
            "websocket_max_message_size": LONGEST_MESSAGE,
        }

    def init_settings(self) -> dict[str, Any]:
        """Voila's, and the page's frame."""
        self.shell = Shell(Path(self.notebook_path))
        self.voila_configuration.page_config_hook = self._versioned
        return {**super().init_settings(), "dspark_shell": self.shell}

    def _versioned(self, page_config: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Voila's front end is taken from addresses that change with its version, which browsers need not ask for again."""
        place = url_path_join(self.base_url, self.shell.path)
        return {**page_config, "fullStaticUrl": f"{place}/static", "fullLabextensionsUrl": f"{place}/labextensions"}

    def init_handlers(self) -> list[Any]:
        """Voila's, less a socket that would tell of other visitors; the page's own files and the server's health."""

        def under(pattern: str) -> str:
            return str(url_path_join(self.server_url, pattern))

        own: list[Any] = [
            (under("/healthz"), Health),
            (under("/healthz/([0-9a-f-]{36})"), Health),
            (under(rf"/{PREFIX}/\w+/static/(.*)"), VersionedFiles, {"paths": self.static_paths}),
            (under(rf"/{PREFIX}/\w+/labextensions/(.*)"), VersionedFiles, {"paths": self.labextensions_path}),
            (under(rf"/{PREFIX}/\w+/([\w.]+)"), LabFiles, {"shell": self.shell}),
        ]
        for pattern, handler, *options in super().init_handlers():
            handler = OURS.get(handler, handler)
            if handler is not RequestInfoSocketHandler:
                own.append((pattern, handler, *options))
        return own

    def listen(self) -> None:
        """Listen; behind a proxy, believe what it says of the visitor."""
        if self.origin:
            listen = self.app.listen
            self.app.listen = lambda port, address: listen(port, address, xheaders=True)
        super().listen()
