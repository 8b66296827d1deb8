"""Several drafters on one prompt, with the same uniforms: who needs how many rounds, and how long they take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

import traitlets

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.rounds import Round
from dspark_lab.scheduling.policies import Fixed, policy_named
from dspark_lab.settings import Settings
from dspark_widgets import contract, requests, results
from dspark_widgets.jobs import explain
from dspark_widgets.pairs import ALONE, Pairs
from dspark_widgets.stepper import Stepper
from dspark_widgets.view import Session, Stop

USUAL = ("dspark", "dflash", "early-exit", "prompt-lookup", ALONE)
"""Who races where nobody chose, here and on the page."""


class DrafterRace(Pairs, Stepper):
    """The same prompt and the same uniforms with several drafters, one after the other. Runs at once where a prompt is given.

    Args:
        lab: a loaded pair; its target serves all.
        prompt: what they all continue.
        drafters: kinds of drafter, as ``dspark_lab.loading.ready_kinds()`` names them, and "none" for the target alone; those of
            ``USUAL`` that are at hand where they are not given.
        settings: the same for all; where a drafter's block is shorter than gamma, it drafts its whole block, and where
            it has no confidences, all that it drafts is verified.

    Raises:
        LabError: an unknown keyword was used, the lab is no loaded pair, a drafter is not at hand, or the prompt cannot be run.
    """

    kind = traitlets.Unicode("race").tag(sync=True)
    race: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    _traces: dict[str, Session]
    _left: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    """What was shown, with its forks, when a lane was opened, by lane; "" is what was there before any."""
    _at: str | None = ""
    """Which of these is shown; None for a lane of a race before."""

    def __init__(
        self, lab: Any = None, prompt: str = "", drafters: Iterable[str] | None = None, *, settings: Settings | None = None,
        **unknown: Any,
    ) -> None:  # fmt: skip
        if unknown:
            raise LabError(f"unknown argument {sorted(unknown)[0]!r}: it takes lab, prompt, drafters and settings.")
        super().__init__()
        self._settings, self._traces = settings or Settings(), {}
        if lab is not None:
            self.keep(lab)
            self.offer_drafters()
            self.set_status(self.idle_state)
        if prompt:
            names = [runner.name for runner in self.offered()]
            chosen = [name for name in USUAL if name in names] if drafters is None else drafters
            self.on_race(requests.RaceRequest(prompt, tuple(chosen)))

    @property
    def idle_state(self) -> contract.State:
        return "ready" if self._lab is not None else super().idle_state

    def offer_drafters(self) -> None:
        """Say who can race, now that there is a lab."""
        device = str(getattr(self._lab, "device", ""))
        self.race = to_json(results.Race(self.offered(), "", {}, device, ()))

    def race_settings(self, _prompt: str) -> Settings:
        """What a race on this prompt runs with. Raises LabError where that cannot be run."""
        return self._settings

    def on_race(self, request: requests.RaceRequest) -> None:
        lab, settings = self._lab, self.race_settings(request.prompt)
        if lab is None:
            raise LabError("no models are loaded: a race needs them.")
        titles = {runner.name: runner.title for runner in self.offered()}
        unknown = [name for name in request.drafters if name not in titles]
        if unknown:
            raise LabError(f"no drafter {unknown[0]!r} is at hand: take some of {', '.join(titles)}.")
        if len(request.drafters) != len(set(request.drafters)):
            raise LabError("a drafter was named twice: each runs once.")
        if not request.drafters:
            raise LabError("nobody takes part: choose at least one drafter.")
        lab.check(request.prompt)

        def job(should_stop: Stop) -> None:
            lanes = [results.Lane(n, titles[n], "waiting", "", (), 0, 0.0, (), None) for n in request.drafters]
            self._traces = {}
            if self._at:
                self._at = None
            self._left = {name: left for name, left in self._left.items() if not name}
            race = results.Race(self.offered(), request.prompt, asdict(settings), lab.device, tuple(lanes))
            self.race = to_json(race)
            for number in range(len(lanes)):
                self._run(race, lanes, number, settings, should_stop)

        self.work("race", job)

    def _run(
        self, race: results.Race, lanes: list[results.Lane], number: int, settings: Settings, should_stop: Stop
    ) -> None:
        """One drafter: a run that is recorded, then one that is measured. Its failure is its own lane's."""
        rounds: list[Round] = []

        def publish(**changes: Any) -> None:
            lanes[number] = replace(lanes[number], **changes)
            self.race = to_json(replace(race, lanes=tuple(lanes), opened=self.race["opened"]))

        def on_round(done: Round) -> None:
            rounds.append(done)
            publish(rounds=tuple(map(pieces, rounds)), **counts(rounds))
            self.set_status("racing", f"{lanes[number].title}: round {len(rounds)}")

        name = lanes[number].name
        if should_stop():
            return publish(state="stopped")
        publish(state="running")
        self.set_status("racing", f"{lanes[number].title}: loading")
        try:
            mine, own = self.lab_of(name), settings
            if settings.gamma is not None:
                own = replace(settings, gamma=min(settings.gamma, mine.block_size))
            if not getattr(mine.drafter, "confident", False) and not isinstance(policy_named(own.policy), Fixed):
                own = replace(own, policy="fixed", load=0)  # it has nothing to schedule by
            shown = mine.generate(race.prompt, own, name != ALONE, on_round, should_stop).session
            self._traces[name] = shown
            if not shown.finished:
                return publish(state="stopped")
            publish(state="measuring")
            run = mine.generate(race.prompt, own, name != ALONE, None, should_stop, trace=False)
            whole = bool(run.session.finished)
            publish(state="done" if whole else "stopped", seconds=run.seconds if whole else None)
        except Exception as failure:
            publish(state="failed", error=explain(failure))

    def on_open(self, request: requests.OpenRequest) -> None:
        """Show a lane's trace in the stepper, where it can be forked too; lane "" is what was shown before any. Forks are there
        again when their trace is."""
        if request.lane not in {*self._traces, *self._left}:
            raise LabError(f"there is no run of {request.lane!r} to open: run the race first.")
        self.rested()
        left = dict(self._left)
        if self._at is not None:
            left[self._at] = self.leave()
        place = contract.Cursor(round=request.round)
        with self.hold_sync():
            if request.lane in left:
                self.come_back(left[request.lane], place if request.lane else None)
            else:
                self.show(self._traces[request.lane], place)
                self.newly_opened()
            self._left, self._at, self.race = left, request.lane, {**self.race, "opened": request.lane}
        self.set_status(self.idle_state)

    def newly_opened(self) -> None:
        """A lane is shown for the first time since its race."""

    def forget(self) -> None:
        super().forget()
        self._left, self._at = {}, ""
        if self.race and self.race["opened"]:
            self.race = {**self.race, "opened": ""}


def pieces(r: Round) -> tuple[results.Piece, ...]:
    """A round's block: its draft tokens by verdict, the final token after the last accepted one."""
    drafted = [results.Piece(p.token, p.verdict) for p in r.positions]
    if r.tree is not None:
        drafted = [results.Piece(token, "accepted") for token in r.emitted[: r.accepted]]
    if r.final.token is not None:
        kind = r.final.kind if r.gamma or r.tree else "plain"
        drafted.insert(r.accepted + (kind == "residual" and r.tree is None), results.Piece(r.final.token, kind))
    return tuple(drafted)


def counts(rounds: Sequence[Round]) -> dict[str, Any]:
    """A lane's numbers so far."""
    tokens = sum(len(r.emitted) for r in rounds)
    by_position = []
    for k in range(max((r.gamma for r in rounds), default=0)):
        verdicts = [r.positions[k].verdict for r in rounds if len(r.positions) > k]
        reached = [v for v in verdicts if v in ("accepted", "rejected")]
        by_position.append(reached.count("accepted") / len(reached) if reached else None)
    return {"tokens": tokens, "tau": tokens / len(rounds), "acceptance": tuple(by_position)}
