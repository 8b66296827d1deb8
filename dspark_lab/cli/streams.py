"""stdout and stderr of the process, whose readers may leave: ``dspark-lab step ... | head -1``."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

from dspark_lab.cli.console import complain

NO_READER = 141
"""The status of a command whose reader has left, the same that a shell gives to one that SIGPIPE ended."""


class Outlet(io.FileIO):
    """A stream's file. Once nothing can be written there any more, what is written goes nowhere.

    A command that has files to write goes on to them then (`outlive_readers`); any other ends at once.
    """

    outlives = False
    failure: OSError | None = None

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
                if not Outlet.outlives:
                    raise SystemExit(0) from None  # `close` says what the process ends with
        return len(data)


def outlive_readers() -> None:
    """From here on the command goes on to its end, whoever reads what it prints."""
    Outlet.outlives = True


def open_outlets() -> list[Outlet]:
    """Let stdout and stderr write through outlets. A stream that is closed goes nowhere; what a terminal cannot show,
    such as a mark, becomes a question mark."""
    outlets = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        outlet = Outlet(os.devnull, "wb") if stream is None else Outlet(stream.fileno(), "wb", closefd=False)
        encoding = stream.encoding if stream else "utf-8"
        lines = bool(stream) and (stream.line_buffering or stream.write_through)
        setattr(sys, name, io.TextIOWrapper(io.BufferedWriter(outlet), encoding, "replace", line_buffering=lines))
        outlets.append(outlet)
    return outlets


def close(outlets: list[Outlet], status: int) -> int:
    """Write what is still to be written, and return the process's status, given the command's own."""
    outlive_readers()
    sys.stdout.flush()
    sys.stderr.flush()
    failure = next((outlet.failure for outlet in outlets if outlet.failure), None)
    if failure is None or status:
        return status
    if isinstance(failure, BrokenPipeError):
        return NO_READER
    complain(f"stdout cannot be written: {failure.strerror}. Choose another place for it.")
    return 1
