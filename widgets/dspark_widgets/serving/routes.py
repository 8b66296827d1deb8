"""What the page server answers itself: the page with its limits, its files, and how it is."""

from __future__ import annotations

from time import monotonic
from typing import Any

from tornado.web import HTTPError, RequestHandler, authenticated
from voila.request_info_handler import RequestInfoSocketHandler
from voila.static_file_handler import MultiStaticFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

import dspark_lab

from .kernels import PageKernels
from .shell import Shell

YEAR = 365 * 24 * 3600
FOR_GOOD = f"public, max-age={YEAR}, immutable"
HEARTBEAT = "<script>window.voila_heartbeat"
PATIENCE = 120.0
"""Seconds that a page waits for more of it: its models may have to be loaded from a slow disk."""
FAILED = '<script>window.dsparkFailed = true; dispatchEvent(new Event("dspark-failed"))</script>'


class PageHandler(TornadoVoilaHandler):
    """The page, and no other: its frame at once, then what the notebook gives."""

    def get_argument(self, name: str, *default: Any, **options: Any) -> Any:
        """Voila's own arguments are not a visitor's: another theme or template would need a kernel of its own."""
        return None if name in ("theme", "template") else super().get_argument(name, *default, **options)

    @authenticated
    async def get(self, path: str | None = None) -> None:
        """Send the page; where all places are taken 503, and when to come again."""
        if path:
            raise HTTPError(404)
        kernels: PageKernels = self.kernel_manager
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        if kernels.full:
            wait = kernels.seconds_to_wait()
            self.set_status(503)
            self.set_header("Retry-After", str(wait))
            self.finish(self.frame("full", wait) + "</body></html>")
            return
        kernels.arriving += 1
        counted = True
        try:
            self.write(self.frame())
            self.flush()
            await kernels.mend_pool()
            silent: float | None = None
            async for html in self.get_generator():
                if counted:  # its kernel is among the kernels by now
                    counted, kernels.arriving = False, kernels.arriving - 1
                if silent is None or HEARTBEAT not in html:  # a kernel that has just started has all the time there is
                    silent = monotonic()
                elif monotonic() - silent > PATIENCE:  # what makes the page has failed, of which Voila does not tell
                    raise TimeoutError(f"nothing of the page came in {PATIENCE} seconds")
                self.write(html)
                self.flush()
        except Exception:
            self.log.exception("the page could not be made")
            self.write(FAILED)
        finally:
            kernels.arriving -= counted
            RequestInfoSocketHandler._cache.clear()  # kept by Voila for a socket that is not offered here

    def frame(self, notice: str = "", wait: int = 0) -> str:
        """The page up to where the notebook's output goes."""
        shell: Shell = self.settings["dspark_shell"]
        files = f"{self.base_url}{shell.path}" if shell.first else ""
        limit = self.kernel_manager.visitors
        html: str = self.render_template("shell.html", files=files, notice=notice, wait=wait, limit=limit)
        return html


class LabFiles(RequestHandler):
    """The files of the frame, from memory; their address changes when they do."""

    def initialize(self, shell: Shell) -> None:
        self.shell = shell

    def get(self, name: str) -> None:
        """Send one, compressed to whoever takes it so."""
        file = self.shell.files.get(name)
        if file is None:
            raise HTTPError(404)
        packed = "gzip" in self.request.headers.get("Accept-Encoding", "")
        self.set_header("Content-Type", f"{file.kind}; charset=utf-8")
        self.set_header("Cache-Control", FOR_GOOD)
        self.set_header("Vary", "Accept-Encoding")
        if packed:
            self.set_header("Content-Encoding", "gzip")
        self.finish(file.packed if packed else file.plain)


class TemplateFiles(TemplateStaticFileHandler):
    """Static files of Voila's templates. A path of another form is not there; Voila's handler stumbles over it."""

    async def get(self, path: str, include_body: bool = True) -> None:
        try:
            await super().get(path, include_body)
        except (AssertionError, ValueError, UnboundLocalError):
            raise HTTPError(404) from None


class VersionedFiles(MultiStaticFileHandler):
    """Static files of Voila and its extensions, under an address that changes with their version."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", FOR_GOOD)


class Health(RequestHandler):
    """How the server is, for whoever watches it, and whether a page's kernel is there, for that page."""

    async def get(self, kernel_id: str = "") -> None:
        kernels: PageKernels = self.settings["kernel_manager"]
        self.set_header("Cache-Control", "no-store")
        if kernel_id:
            self.finish({"kernel": await kernels.state_of(kernel_id)})
            return
        self.finish(
            {
                "status": "full" if kernels.full else "ok",
                "kernels": kernels.in_use,
                "ready": len(kernels.in_pool),
                "limit": kernels.visitors,
                "version": dspark_lab.__version__,
            }
        )
