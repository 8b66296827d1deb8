"""One piece of work at a time, beside the kernel's own thread, so that a page stays answered while models run."""

from __future__ import annotations

import atexit
import os
import re
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress

from dspark_lab.errors import LabError

PATIENT = 15
"""The niceness of work whose first result is shown already."""


def stand_back() -> None:
    """From here on this thread lets others go first, those of other visitors' kernels too: what was asked for is on the page,
    and only the rest of it is still to come. On Linux, where each thread has a niceness; elsewhere nothing changes."""
    if sys.platform == "linux":
        own = threading.get_native_id()
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, own, max(PATIENT, os.getpriority(os.PRIO_PROCESS, own)))


LEAVING = 20.0
"""Seconds that Python waits at its end for jobs to stop: a thread that is cut off within torch takes the process down with it."""
_WORKERS: weakref.WeakSet[Worker] = weakref.WeakSet()


@atexit.register
def _leave() -> None:
    for worker in _WORKERS:
        worker.stop()
    for worker in _WORKERS:
        worker.wait(LEAVING)


class Worker:
    """Runs one job at a time in a thread. A job is given ``should_stop`` and is expected to ask it once a round."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        _WORKERS.add(self)

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, job: Callable[[Callable[[], bool]], None]) -> None:
        """Run ``job``. Raises LabError while another one is at work."""
        with self._lock:
            if self.busy:
                raise LabError("a run is still at work: stop it or wait for its end.")
            self._stop = threading.Event()
            self._thread = threading.Thread(target=job, args=(self._stop.is_set,), daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask the job to end after its current round."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the job's end; False when it took longer."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.busy


PLACE = re.compile(r"(?<![\w.:/\\~])(?:~?/|[A-Za-z]:\\)[^\s'\"`,;:()<>]*[/\\][^\s'\"`,;:()<>]*")
"""An absolute path of at least two parts, in a sentence."""


def explain(error: BaseException) -> str:
    """An error as text for the page: a LabError speaks for itself, anything else is named. Of a place on the server's disk
    only the end shows, enough for who runs it to know which is meant."""
    text = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
    return PLACE.sub(lambda match: "…/" + "/".join(re.split(r"[/\\]", match[0].rstrip("."))[-2:]), text)
