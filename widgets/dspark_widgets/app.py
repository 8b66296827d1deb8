"""The demo page: a prompt, a few settings, the stepper and the other views. Recorded traces show while the models load."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import traitlets

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.rounds import Round
from dspark_lab.settings import Settings
from dspark_lab.trace import SCHEMA_VERSION, ModelInfo, Trace
from dspark_widgets import contract, permalink, requests
from dspark_widgets.confidence import ConfidenceView
from dspark_widgets.controls import CHOSEN, raced, read_controls, suited
from dspark_widgets.examples import find_examples
from dspark_widgets.jobs import explain
from dspark_widgets.lens import HeadLens
from dspark_widgets.limits import Limits
from dspark_widgets.load import LoadLab
from dspark_widgets.pairs import ALONE, Lab
from dspark_widgets.race import DrafterRace
from dspark_widgets.rejection import RejectionView
from dspark_widgets.scheduler import SchedulerView
from dspark_widgets.view import Stop

RECORDED = Path(__file__).parent / "recorded"
BLOCK_SIZE = 7
LOAD_REMEDY = "The recorded examples still work; `dspark-lab doctor` tells what is missing."


class LabApp(ConfidenceView, SchedulerView, RejectionView, HeadLens, DrafterRace, LoadLab):
    """The whole page. ``load`` is called in a thread and gives a ``Lab``; without it the recorded traces are all there is.

    A failed load is told on the page; the recordings stay. ``recorded`` is the folder of ``{domain}_{i}.json`` traces.

    Raises:
        LabError: an unknown keyword was used.
    """

    kind = traitlets.Unicode("app").tag(sync=True)
    controls: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    info: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    speeds: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    _settled = contract.Controls.drafter

    def __init__(
        self, load: Callable[[], Lab] | None = None, *, recorded: str | Path = RECORDED, **unknown: Any
    ) -> None:
        if unknown:
            raise LabError(f"unknown argument {sorted(unknown)[0]!r}: LabApp takes load and recorded.")
        super().__init__()
        self._folder, self._loading, self._limits = Path(recorded), load is not None, Limits.here()
        self._streamed: list[Round] = []
        examples = find_examples(self._folder)
        self.controls = to_json(contract.Controls())
        self.info = to_json(contract.AppInfo(examples, "", BLOCK_SIZE, self._limits.prompt, self._limits.tokens))
        if examples:
            self._show_example(examples[0].domain, examples[0].index)
        self.set_status(self.idle_state)
        self._loader = threading.Thread(target=self._load, args=(load,), daemon=True)
        if load is not None:
            self._loader.start()

    def wait_loaded(self, seconds: float | None = None) -> bool:
        """Wait for the models, for scripts and tests; False when they are not there after that."""
        if self._loader.ident is not None:
            self._loader.join(seconds)
        return self._lab is not None

    @property
    def idle_state(self) -> contract.State:
        if self._loading:
            return "loading"
        return "ready" if self._lab is not None else "recorded"

    def _load(self, load: Callable[[], Lab]) -> None:
        error = ""
        try:
            self._choose(self.keep(load()))
            self.offer_drafters()
        except Exception as failure:
            error = f"The models could not be loaded: {explain(failure)} {LOAD_REMEDY}"
        self._loading = False
        self.set_status(self.idle_state, error=error, where="load" if error else "")

    def on_example(self, request: requests.ExampleRequest) -> None:
        self.rested()
        self._show_example(request.domain, request.index, contract.Cursor(round=request.round, at=request.at))
        self.set_status(self.idle_state)

    def on_open(self, request: requests.OpenRequest) -> None:
        """Show a lane, and go on with its drafter and as it was raced."""
        pair = {name: self.info[name] for name in ("block_size", "drafter", "confident")}
        super().on_open(request)
        self.info = {**self.info, **pair}  # that of what is shown follows
        self._choose(request.lane or self.controls["drafter"])

    def newly_opened(self) -> None:
        self.controls, self.speeds = raced(self.controls, self.race), None
        self._tell_origin()

    def on_choose(self, request: requests.ChooseRequest) -> None:
        try:
            self.loaded()
            self.rested()
            self._choose(request.drafter)
        except LabError:
            self.controls = {**self.controls, "drafter": self._settled}  # the page has chosen already
            raise
        self.forgive("generate")

    def _choose(self, kind: str) -> None:
        """Draft so from now on. Raises LabError where it cannot be, and all stays as it is."""
        chosen: dict[str, Any] = {"drafter": kind, "gamma": min(self.controls["gamma"], self.info["block_size"])}
        if kind != ALONE:
            self._lab = self.lab_of(kind)
            title = next((runner.title for runner in self.offered() if runner.name == kind), kind)
            sure = bool(getattr(getattr(self._lab, "drafter", None), "confident", False))
            known = {"block_size": self._lab.block_size, "drafter": title, "confident": sure}
            chosen |= suited(self.controls, self.info, known)
            self.info = {**self.info, **known}
        self.controls, self._settled = {**self.controls, **chosen}, kind

    def race_settings(self, prompt: str) -> Settings:
        """As the page's controls are; each drafter drafts at most its block."""
        controls = contract.Controls(**{**self.controls, "prompt": prompt})
        return read_controls(controls, self.info["block_size"], self._limits)

    def _show_example(self, domain: str, index: int, cursor: contract.Cursor | None = None) -> None:
        trace = Trace.load(self._folder / f"{domain}_{index}.json")
        known = {n: trace.settings[n] for n in ("temperature", "top_k", "top_p", "seed") if n in trace.settings}
        gamma = trace.settings.get("gamma")
        if gamma is None:
            gamma = trace.rounds[0].gamma if trace.rounds else BLOCK_SIZE
        kind = trace.drafter.kind if gamma and trace.drafter else ALONE
        if self._lab is not None:
            try:
                self._choose(kind)
            except LabError:  # a recording shows all the same
                kind = self._settled
        known["gamma"] = min(gamma, self.info["block_size"]) or self.controls["gamma"]
        with self.hold_sync():
            self.show(trace, cursor)
            self.controls, self.speeds = {**self.controls, **known, "prompt": trace.prompt, "drafter": kind}, None
            self._tell_origin(f"{domain}_{index}")

    def on_generate(self, request: requests.GenerateRequest) -> None:
        self.rested()
        controls = request.controls
        lab = self.lab_for(controls.drafter)
        settings = read_controls(controls, lab.block_size, self._limits, getattr(lab.drafter, "confident", False))
        lab.check(controls.prompt)  # before the page is cleared: what cannot run leaves all as it is
        self._choose(controls.drafter)

        def job(should_stop: Stop) -> None:
            self._clear(lab, controls, settings)
            self._measure(lab, controls, settings, should_stop)

        self.work("generate", job)

    def on_restore(self, request: requests.RestoreRequest) -> None:
        self.rested()
        lab, link = self.loaded(), permalink.decode(request.link)
        lab.check(link.prompt)
        kind = link.drafter.kind if link.drafter else ALONE
        if kind not in {ALONE, *(runner.name for runner in self.offered())}:
            kind = next(name for name, own in self._labs.items() if own is lab)
        lab = self.lab_for(kind)
        known = {name: getattr(link.settings, name) for name in CHOSEN}
        known["gamma"] = lab.block_size if known["gamma"] is None else known["gamma"]
        controls = contract.Controls(**known, prompt=link.prompt, drafter=kind)
        read_controls(controls, lab.block_size, self._limits)
        self._choose(kind)

        def job(should_stop: Stop) -> None:
            self._clear(lab, controls, link.settings)
            self._restore(lab, link, should_stop)

        self.work("link", job)

    def _restore(self, lab: Lab, link: permalink.Permalink, should_stop: Stop) -> None:
        shown = lab.generate(link.prompt, link.settings, link.drafter is not None, self._on_round, should_stop).session
        with self.hold_sync():
            self.show(shown)
            self._tell_origin(made_by=permalink.others(link, shown.trace()))
        for number, fork in enumerate(link.forks, 1):
            try:
                request = requests.ForkRequest(fork.parent, fork.round, fork.overrides)
                self.grow(self._sessions[fork.parent], request, should_stop)
            except LabError as error:
                raise LabError(f"Fork {number} of this link cannot be made here: {error}") from error
        self.cursor = {**to_json(link.cursor), "serial": self.cursor["serial"]}
        self.preferences = {**self.preferences, "tab": link.view or self.preferences["tab"]}

    def _tell_origin(self, example: str = "", made_by: tuple[contract.ModelName, ...] = ()) -> None:
        """Say whether a recorded example is shown, or a link's rounds by other models than its own."""
        self.info = {**self.info, "example": example, "made_by": to_json(made_by)}

    def _clear(self, lab: Lab, controls: contract.Controls, settings: Settings) -> None:
        """Make room for a new run: its trace has no rounds yet."""
        device, target = str(getattr(lab, "device", "")), ModelInfo("", "target", "", 0)
        self._streamed = []
        with self.hold_sync():
            self.run += 1
            self.controls = to_json(controls)
            self._tell_origin()
            self.speeds = to_json(contract.Speeds(device, self.info["drafter"]))
            self.show(Trace(SCHEMA_VERSION, controls.prompt, (), to_json(settings), target, None, device, ()))
            self.set_status("running")

    def _measure(self, lab: Lab, controls: contract.Controls, settings: Settings, should_stop: Stop) -> None:
        """The run that is shown, recorded and streamed; then both ways without recording, for their speeds."""
        shown = lab.generate(controls.prompt, settings, controls.drafter != ALONE, self._on_round, should_stop).session
        with self.hold_sync():
            place = self.cursor
            self.show(shown)
            self.cursor = {**place, "serial": self.cursor["serial"]}
        for drafter, name in ((True, "speculative"), (False, "autoregressive")):
            if should_stop():
                return
            self.set_status("measuring", f"measuring {'speculative' if drafter else 'one by one'}…")
            run = lab.generate(controls.prompt, settings, drafter, None, should_stop, trace=False)
            speed = contract.Speed(run.tokens, run.seconds, bool(run.session.finished))
            self.speeds = {**(self.speeds or {}), name: to_json(speed)}

    def _on_round(self, done: Round) -> None:
        self._streamed.append(done)
        self._send_rounds(len(self._streamed) - 1)
        self.set_status("running", f"running round {len(self._streamed)}")

    def on_sync(self, request: requests.SyncRequest) -> None:
        self._send_rounds(request.have)

    def _send_rounds(self, have: int) -> None:
        if 0 <= have < len(self._streamed):
            self.send(to_json(requests.RoundsReply(self.run, have, tuple(self._streamed[have:]))))
