"""The round stepper: a trace in the notebook, and forks of it where a live session stands behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import anywidget
import traitlets

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.settings import Overrides
from dspark_lab.trace import Round, Trace
from dspark_widgets import contract
from dspark_widgets.export import STATIC
from dspark_widgets.jobs import Worker, explain

Stop = Callable[[], bool]


class Session(Protocol):
    """What the stepper asks of a session, as in ``dspark_lab.session``."""

    @property
    def finished(self) -> str: ...
    def trace(self) -> Trace: ...
    def fork(self, round_index: int, overrides: Overrides, /) -> Session: ...
    def step(self) -> Round: ...


class Stepper(anywidget.AnyWidget):
    """Step through a trace, round by round and phase by phase.

    ``Stepper(trace)`` takes a Trace, its JSON as a dict, or a path; ``Stepper(session)`` also forks: whatever is changed
    on the page runs again from its round on. ``round`` and ``phase`` say where to open.

    Raises:
        LabError: what is given is no trace, or an unknown keyword was used.
    """

    _esm = STATIC / "lab.js"
    _css = STATIC / "lab.css"

    kind = traitlets.Unicode("stepper").tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    run = traitlets.Int(0).tag(sync=True)
    trace: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    branches: Any = traitlets.List().tag(sync=True)
    cursor = traitlets.Dict().tag(sync=True)
    preferences = traitlets.Dict().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)
    controls: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    info: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    speeds: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    def __init__(self, source: Any = None, *, round: int = 0, phase: str = "commit", **unknown: Any) -> None:
        if unknown:
            raise LabError(f"unknown argument {sorted(unknown)[0]!r}: {type(self).__name__} takes round and phase.")
        if phase not in contract.PHASES:
            raise LabError(f"unknown phase {phase!r}: take one of {', '.join(contract.PHASES)}.")
        super().__init__()
        self._worker = Worker()
        self._sessions: dict[int, Session] = {}
        self._next_branch = 1
        self.preferences = to_json(contract.Preferences())
        self.set_status("recorded")
        if source is not None:
            self.show(source, contract.Cursor(round=round, phase=cast(contract.Phase, phase)))
        self.on_msg(self._on_message)

    def show(self, source: Any, cursor: contract.Cursor | None = None) -> None:
        """Show another trace or session; its forks start anew."""
        live = callable(getattr(source, "fork", None))
        trace = source.trace() if live else read_trace(source)
        serial = self.cursor.get("serial", 0) + 1
        start = cursor or contract.Cursor()
        if trace.rounds and not 0 <= start.round < len(trace.rounds):
            raise LabError(f"there is no round {start.round}: the trace has rounds 0 to {len(trace.rounds) - 1}.")
        self._sessions, self._next_branch = ({0: source} if live else {}), 1
        with self.hold_sync():
            self.trace = to_json(trace)
            self.branches = []
            self.live = live
            self.cursor = {**to_json(start), "serial": serial}

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the fork or run at work, for scripts and tests; False when it took longer."""
        return self._worker.wait(seconds)

    def set_status(self, state: contract.State, text: str = "", error: str = "", where: contract.Where = "") -> None:
        self.status = to_json(contract.Status(state, text, error, where))

    @property
    def idle_state(self) -> contract.State:
        """What the status says when nothing is at work."""
        return "ready" if self.live else "recorded"

    def _on_message(self, _widget: Any, message: Any, _buffers: Any) -> None:
        where = _WHERE.get(str(message.get("type", "")), "request") if isinstance(message, Mapping) else "request"
        try:
            self.handle(contract.read_request(message))
        except Exception as error:  # whatever a page sends, it is answered, and the kernel goes on
            self._refuse(error, cast(contract.Where, where))

    def set_state(self, sync_data: Any) -> None:
        """Take what the page sets. A value that does not fit is answered with an error, and with the one that stays."""
        for name, value in sync_data.items():
            try:
                contract.check_trait(name, value)
                super().set_state({name: value})
            except Exception as error:
                self._refuse(error, "request")
                self.send_state(name)

    def _refuse(self, error: Exception, where: contract.Where) -> None:
        state = self.status["state"] if self._worker.busy else self.idle_state
        self.set_status(cast(contract.State, state), error=explain(error), where=where)

    def handle(self, request: contract.Request) -> None:
        """Answer one request of the page. Raises LabError where it cannot be met."""
        if isinstance(request, contract.ForkRequest):
            self._fork(request)
        elif isinstance(request, contract.DeleteRequest):
            self._delete(request.branch)
        elif isinstance(request, contract.StopRequest):
            self._worker.stop()

    def _fork(self, request: contract.ForkRequest) -> None:
        parent = self._sessions.get(request.branch)
        if parent is None:
            raise LabError("this trace is a recording: only a live session can be forked.")
        if not request.overrides:
            raise LabError("nothing was changed: change a token, a draw, the verify length or the temperature first.")
        session = parent

        def job(should_stop: Stop) -> None:
            error = ""
            self.set_status("forking")
            try:
                child = session.fork(request.round, request.overrides)
                while not child.finished and not should_stop():
                    child.step()
                self._add_branch(request, child)
            except Exception as failure:
                error = explain(failure)
            self.set_status(self.idle_state, error=error, where="fork" if error else "")

        self._worker.start(job)

    def _add_branch(self, request: contract.ForkRequest, child: Session) -> None:
        number, self._next_branch = self._next_branch, self._next_branch + 1
        self._sessions[number] = child
        rounds = child.trace().rounds[request.round :]
        changed = to_json(request.overrides)
        branch = contract.Branch(number, f"fork {number}", request.branch, request.round, changed, rounds)
        with self.hold_sync():
            self.branches = [*self.branches, to_json(branch)]
            place = contract.Cursor(branch=number, round=request.round)
            self.cursor = {**to_json(place), "serial": self.cursor["serial"]}

    def _delete(self, number: int) -> None:
        if number == 0 or number not in self._sessions:
            raise LabError(f"there is no fork {number} to delete: the original stays.")
        if self._worker.busy:
            raise LabError("a run is still at work: stop it or wait for its end.")
        gone = {number}
        for branch in self.branches:
            if branch["parent"] in gone:
                gone.add(branch["id"])
        parent = next(b["parent"] for b in self.branches if b["id"] == number)
        for branch_id in gone:
            self._sessions.pop(branch_id, None)
        with self.hold_sync():
            if self.cursor["branch"] in gone:
                self.cursor = {**self.cursor, "branch": parent}
            self.branches = [b for b in self.branches if b["id"] not in gone]


_WHERE = {"fork": "fork", "delete": "fork", "generate": "generate", "example": "example"}


def read_trace(source: Any) -> Trace:
    """A Trace from a Trace, its JSON, or a file. Raises LabError for anything else."""
    if isinstance(source, Trace):
        return source
    if isinstance(source, (str, Path)):
        return Trace.load(source)
    if isinstance(source, Mapping):
        return Trace.from_json(json.loads(json.dumps(source)))
    raise LabError(f"cannot step through a {type(source).__name__}: give a Trace, its JSON, a file or a session.")
