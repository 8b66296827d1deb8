"""What every view is: a trace, the reader's place in it, and answers to what the page asks.

A view is one class here and one JavaScript module. The class adds the traits that its results stand in, and a method
``on_<type>`` for each request of the contract that it answers; several views in one page are a class of several bases.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import anywidget
import traitlets

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.rounds import Round
from dspark_lab.settings import Overrides
from dspark_lab.trace import Trace
from dspark_widgets import contract, requests
from dspark_widgets.export import STATIC, html_of, translations
from dspark_widgets.jobs import Worker, explain

Stop = Callable[[], bool]

_LEFT = (
    *("_shown", "_sessions", "_next_branch", "trace", "branches", "live", "cursor"),
    *("controls", "info", "speeds"),
)
"""What belongs to the trace that is shown, the page's controls too."""


class Session(Protocol):
    """What a view asks of a session, as in ``dspark_lab.session``."""

    @property
    def finished(self) -> str: ...
    def trace(self) -> Trace: ...
    def fork(self, round_index: int, overrides: Overrides, /) -> Session: ...
    def step(self) -> Round: ...


class View(anywidget.AnyWidget):
    """A trace, and a place in it that all views of one page share.

    ``View(trace)`` takes a Trace, its JSON as a dict, or a path; ``View(session)`` can also ask its models. ``round``,
    ``phase`` and ``position`` say where to open; position 0 leaves it to the phase.

    Raises:
        LabError: what is given is no trace, or an unknown keyword was used.
    """

    _shown: Trace | None = None
    """The trace as it was given; its forks are with their sessions."""

    _esm = STATIC / "lab.js"
    _css = STATIC / "lab.css"

    kind = traitlets.Unicode("").tag(sync=True)
    live = traitlets.Bool(False).tag(sync=True)
    run = traitlets.Int(0).tag(sync=True)
    trace: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    branches: Any = traitlets.List().tag(sync=True)
    cursor = traitlets.Dict().tag(sync=True)
    preferences = traitlets.Dict().tag(sync=True)
    status = traitlets.Dict().tag(sync=True)

    def __init__(
        self, source: Any = None, *, round: int = 0, phase: str = "commit", position: int = 0, **unknown: Any
    ) -> None:
        if unknown:
            raise LabError(
                f"unknown argument {sorted(unknown)[0]!r}: {type(self).__name__} takes round, phase and position."
            )
        if phase not in contract.PHASES:
            raise LabError(f"unknown phase {phase!r}: take one of {', '.join(contract.PHASES)}.")
        super().__init__()
        self._worker = Worker()
        self._sessions: dict[int, Session] = {}
        self.preferences = to_json(contract.Preferences())
        self.set_status("recorded")
        if source is not None:
            self.show(source, contract.Cursor(round=round, phase=cast(contract.Phase, phase), at=position))
        self.on_msg(self._on_message)

    def show(self, source: Any, cursor: contract.Cursor | None = None) -> None:
        """Show another trace or session; its forks start anew."""
        live = callable(getattr(source, "fork", None))
        trace = source.trace() if live else read_trace(source)
        serial = self.cursor.get("serial", 0) + 1
        start = cursor or contract.Cursor()
        _check_round(start.round, len(trace.rounds))
        self._shown, self._sessions = trace, {0: source} if live else {}
        with self.hold_sync():
            self.trace = to_json(trace)
            self.branches = []
            self.live = live
            self.cursor = {**to_json(start), "serial": serial}
            self.forget()

    def forget(self) -> None:
        """Another trace is shown: drop what belongs to the one before."""

    def leave(self) -> dict[str, Any]:
        """What is shown, and its forks, for ``come_back``."""
        return {name: getattr(self, name) for name in _LEFT if hasattr(self, name)}

    def come_back(self, left: Mapping[str, Any], place: contract.Cursor | None = None) -> None:
        """Show again what was left, at ``place``, or else where the reader was. Raises LabError where there is no such round."""
        serial = self.cursor["serial"] + 1
        if place:
            _check_round(place.round, len(left["trace"]["rounds"]))
        with self.hold_sync():
            self._shown = left["_shown"]
            self.forget()
            for name, value in left.items():
                setattr(self, name, value)
            self.cursor = {**(to_json(place) if place else left["cursor"]), "serial": serial}

    def session_of(self, branch: int, what: str) -> Session:
        """The live session of a branch. Raises LabError where there is none: ``what`` cannot be done then."""
        if branch not in self._sessions:
            raise LabError(f"this trace is a recording: only a live session can be {what}.")
        return self._sessions[branch]

    def trace_of(self, branch: int) -> Trace:
        """The trace of a branch. Raises LabError where there is none."""
        if branch in self._sessions:
            return self._sessions[branch].trace()
        if branch or self._shown is None:
            raise LabError(f"there is no branch {branch} with a trace: show one first.")
        return self._shown

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the fork or run at work, for scripts and tests; False when it took longer."""
        return self._worker.wait(seconds)

    def rested(self) -> None:
        """Raises LabError while a run is at work."""
        if self._worker.busy:
            raise LabError("a run is still at work: stop it or wait for its end.")

    def work(self, where: contract.Where, job: Callable[[Stop], None]) -> None:
        """Run ``job`` beside the page; what it raises is told at ``where``. Raises LabError while another is at work."""

        def told(should_stop: Stop) -> None:
            error = ""
            try:
                job(should_stop)
            except Exception as failure:
                error = explain(failure)
            self.set_status(self.idle_state, error=error, where=where if error else "")

        self._worker.start(told)

    def set_status(self, state: contract.State, text: str = "", error: str = "", where: contract.Where = "") -> None:
        self.status = to_json(contract.Status(state, text, error, where))

    def forgive(self, where: contract.Where) -> None:
        """What was wrong at ``where`` is so no more."""
        if self.status["where"] == where:
            self.status = {**self.status, "error": "", "where": ""}

    @property
    def idle_state(self) -> contract.State:
        """What the status says when nothing is at work."""
        return "ready" if self.live else "recorded"

    def snapshot(self) -> dict[str, Any]:
        """What a page without a kernel shows of this view: its state, but for what only a kernel can answer."""
        state = {name: value for name, value in self.get_state().items() if name in contract.KEPT}
        return {**state, "live": False}

    def _on_message(self, _widget: Any, message: Any, _buffers: Any) -> None:
        where = requests.where_told(message)
        try:
            self.handle(requests.read_request(message))
        except Exception as error:  # whatever a page sends, it is answered, and the kernel goes on
            self._refuse(error, where)

    def handle(self, request: requests.Request) -> None:
        """Answer one request of the page. Raises LabError where it cannot be met."""
        answer = getattr(self, f"on_{request.type}", None)
        if answer is None:
            raise LabError(f"this view answers no {request.type} request: show another view of the same trace for it.")
        answer(request)

    def on_stop(self, _request: requests.StopRequest) -> None:
        self._worker.stop()

    def on_ping(self, _request: requests.PingRequest) -> None:
        self.send(to_json(requests.PongReply()))

    def on_words(self, request: requests.WordsRequest) -> None:
        """Raises LabError where the package was installed without the views' bundle."""
        self.send(to_json(requests.WordsReply(request.language, translations()[request.language])))

    def on_page(self, _request: requests.PageRequest) -> None:
        """Raises LabError where there is nothing to show, or too much for one page."""
        self.send(to_json(requests.PageReply(html_of(self))))

    def set_state(self, sync_data: Any) -> None:
        """Take what the page sets. A value that does not fit is answered with an error, and with the one that stays."""
        for name, value in sync_data.items():
            try:
                requests.check_trait(name, value)
                super().set_state({name: value})
            except Exception as error:
                self._refuse(error, "request")
                if self.has_trait(name):
                    self.send_state(name)

    def _refuse(self, error: Exception, where: contract.Where) -> None:
        state = self.status["state"] if self._worker.busy else self.idle_state
        self.set_status(cast(contract.State, state), error=explain(error), where=where)


def _check_round(number: int, rounds: int) -> None:
    if rounds and not 0 <= number < rounds:
        raise LabError(f"there is no round {number}: the trace has rounds 0 to {rounds - 1}.")


def read_trace(source: Any) -> Trace:
    """A Trace from a Trace, its JSON, or a file. Raises LabError for anything else."""
    if isinstance(source, Trace):
        return source
    if isinstance(source, (str, Path)):
        return Trace.load(source)
    if isinstance(source, Mapping):
        return Trace.from_json(json.loads(json.dumps(source)))
    raise LabError(f"cannot step through a {type(source).__name__}: give a Trace, its JSON, a file or a session.")
