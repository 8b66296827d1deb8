"""One target, and the drafters that it has at hand: what a view that runs them can choose from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from dspark_lab.drafters.registry import KINDS
from dspark_lab.errors import LabError
from dspark_lab.rounds import Round
from dspark_lab.settings import Settings
from dspark_widgets import results
from dspark_widgets.view import Session, View

ALONE = "none"


class GenerateResult(Protocol):
    """A finished or stopped run: its session, and the measured wall time of its tokens."""

    @property
    def session(self) -> Session: ...
    @property
    def seconds(self) -> float: ...
    @property
    def tokens(self) -> int: ...


class Lab(Protocol):
    """A loaded target with its drafter, as ``dspark_lab.load()`` gives it.

    ``generate`` calls ``on_round`` after each round and asks ``should_stop``; without ``trace`` it records nothing.
    ``with_drafter`` is the same target with another drafter, not loaded again.
    """

    @property
    def drafter(self) -> Any: ...
    @property
    def block_size(self) -> int: ...
    @property
    def device(self) -> str: ...
    def check(self, prompt: str) -> None: ...
    def with_drafter(self, drafter: str | None) -> Lab: ...
    def generate(
        self,
        prompt: str,
        settings: Settings,
        drafter: bool,
        on_round: Callable[[Round], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        trace: bool = True,
    ) -> GenerateResult: ...


def check_lab(lab: object) -> None:
    """Raises LabError where ``lab`` is no loaded pair, such as the name of one."""
    if not (hasattr(lab, "drafter") and hasattr(lab, "generate")):
        raise LabError(f"lab is {lab!r:.60}, but must be a loaded pair: take dspark_lab.load(), or leave it out.")


class Pairs(View):
    """A view that runs a target with one drafter or another, each loaded once, when it is first asked for."""

    _lab: Lab | None = None
    _loading = False

    def __init__(self) -> None:
        super().__init__()
        self._labs: dict[str, Lab] = {}

    def keep(self, lab: Lab) -> str:
        """Have this pair at hand by its drafter's kind, "none" without one, which is returned.

        Raises:
            LabError: it is no loaded pair.
        """
        check_lab(lab)
        kind = ALONE if lab.drafter is None else str(lab.drafter.info.kind)
        self._lab = self._labs[kind] = lab
        return kind

    def offered(self) -> tuple[results.Runner, ...]:
        """Who can race and be chosen: the drafters that the target has at hand, and the target alone."""
        from dspark_lab.loading import ready_kinds  # with it comes torch, which a page without models can do without

        names = ready_kinds(getattr(self._lab, "target", None))
        kinds = [kind for kind in KINDS.values() if kind.name in names or kind.name in self._labs]
        alone = results.Runner(ALONE, "no drafter", "the target alone, one token a round")
        return (*(results.Runner(kind.name, kind.title, kind.summary) for kind in kinds), alone)

    def lab_of(self, name: str) -> Lab:
        """The target with the drafter of that name, "none" for none, loaded once. Raises LabError where it is not at hand."""
        if name not in self._labs:
            lab, names = self.loaded(), [runner.name for runner in self.offered()]
            if name not in names:
                raise LabError(f"no drafter {name!r} is at hand: take one of {', '.join(names)}.")
            self._labs[name] = lab.with_drafter(None if name == ALONE else name)
        return self._labs[name]

    def loaded(self) -> Lab:
        """The pair that runs now. Raises LabError while there are no models."""
        if self._lab is None:
            waits = "the models are still loading: wait a moment."
            raise LabError(waits if self._loading else "no models are loaded: only recorded examples can be shown.")
        return self._lab

    def lab_for(self, kind: str) -> Lab:
        """Who runs with that drafter, "none" with none. Raises LabError where it cannot be."""
        return self.loaded() if kind == ALONE or self._lab is None else self.lab_of(kind)
