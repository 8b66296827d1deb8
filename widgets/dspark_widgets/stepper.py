"""The round stepper: a trace in the notebook, and forks of it where a live session stands behind it."""

from __future__ import annotations

import time

import traitlets

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_widgets import contract, requests
from dspark_widgets.jobs import stand_back
from dspark_widgets.limits import Limits
from dspark_widgets.view import Session, Stop, View

TELLING = 0.2
"""Seconds between what the page is told of a fork at work."""


class Stepper(View):
    """Step through a trace, round by round and phase by phase. Given a session it also forks: whatever is changed on the
    page runs again from its round on."""

    kind = traitlets.Unicode("stepper").tag(sync=True)

    _next_branch = 1

    def forget(self) -> None:
        super().forget()
        self._next_branch = 1

    def on_fork(self, request: requests.ForkRequest) -> None:
        session = self.session_of(request.branch, "forked")
        if not request.overrides:
            raise LabError("nothing was changed: change a token, a draw, the verify length or the temperature first.")

        self.work("fork", lambda should_stop: self.grow(session, request, should_stop))

    def grow(self, session: Session, request: requests.ForkRequest, should_stop: Stop) -> None:
        """Make the fork of a session and run it to its end. The page is shown its first round at once, and the others as they
        come. Raises LabError where it cannot be made; what was run by then stays."""
        if len(self.branches) >= Limits.here().forks:
            raise LabError(f"there are {len(self.branches)} forks, as many as are kept: delete one first.")
        self.set_status("forking")
        child = session.fork(request.round, request.overrides)
        number, self._next_branch = self._next_branch, self._next_branch + 1
        changed = to_json(request.overrides)
        branch = contract.Branch(number, f"fork {number}", request.branch, request.round, changed, ())
        reply = to_json(requests.RoundsReply(self.run, 0, (), branch))
        rounds = to_json(child.trace().rounds[request.round :])
        self.send({**reply, "rounds": rounds.copy()})
        self.cursor = {**to_json(contract.Cursor(branch=number, round=request.round)), "serial": self.cursor["serial"]}
        sent, told = len(rounds), time.monotonic()
        stand_back()
        try:
            while not child.finished and not should_stop():
                rounds.append(to_json(child.step()))
                if time.monotonic() - told >= TELLING:
                    self.send({**reply, "start": sent, "rounds": rounds[sent:]})
                    sent, told = len(rounds), time.monotonic()
        finally:
            self._sessions[number] = child
            self.branches = [*self.branches, {**reply["fork"], "rounds": rounds}]

    def on_delete(self, request: requests.DeleteRequest) -> None:
        number = request.branch
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
