"""What a page shows at once, before its kernel or Voila's front end is there: a recorded trace that can be stepped through."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import voila

from dspark_widgets.export import STATIC, TRANSLATIONS

PREFIX = "dspark"
"""Below it are addresses with a version in them: browsers keep what they give for good."""


@dataclass(frozen=True)
class File:
    """A small file in memory, as it is and compressed."""

    kind: str
    plain: bytes
    packed: bytes

    @classmethod
    def of(cls, kind: str, content: bytes) -> File:
        return cls(kind, content, gzip.compress(content, 9, mtime=0))


class Shell:
    """The frame of the page of ``notebook``. One with ``"dspark": {"first": "app"}`` in its metadata opens with the app's
    recorded example; others with a spinner.

    Attributes:
        files: what the frame loads, by name.
        version: of all of these, and of Voila's front end.
        first: whether there is something to show at once.
    """

    def __init__(self, notebook: Path) -> None:
        metadata = json.loads(notebook.read_text(encoding="utf-8")).get("metadata", {})
        self.first = metadata.get("dspark", {}).get("first") == "app"
        self.files: dict[str, File] = {}
        if self.first:
            scripts = ("lab.js", *TRANSLATIONS.values())
            state = json.dumps(first_state(), ensure_ascii=False, separators=(",", ":")).encode()
            self.files = {
                **{name: File.of("text/javascript", (STATIC / name).read_bytes()) for name in scripts},
                "lab.css": File.of("text/css", (STATIC / "lab.css").read_bytes()),
                "first.json": File.of("application/json", state),
            }
        digest = hashlib.sha256(voila.__version__.encode())
        for file in self.files.values():
            digest.update(file.plain)
        self.version = digest.hexdigest()[:16]

    @property
    def path(self) -> str:
        """The folder of the versioned addresses, without a slash at either end."""
        return f"{PREFIX}/{self.version}"


def first_state() -> dict[str, Any]:
    """The app as it opens, on its first recorded example. Nothing can be asked of it yet."""
    from dspark_lab.records import to_json
    from dspark_widgets import contract
    from dspark_widgets.app import LabApp

    app = LabApp()
    state = {name: value for name, value in app.get_state().items() if name in contract.ViewState.__dataclass_fields__}
    app.close()
    return {**state, "status": to_json(contract.Status("starting"))}
