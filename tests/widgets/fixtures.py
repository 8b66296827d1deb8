"""A session over the toy pair that can fork, its traces, and a lab that makes such sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.prompts import clean_prompt
from dspark_lab.rounds import Round, Token
from dspark_lab.settings import Overrides, Settings
from dspark_lab.trace import SCHEMA_VERSION, ModelInfo, Trace
from tests.widgets.toy import BLOCK, Toy, play_round

PROMPT = "Tom has 12 apples and buys 7 more. How many apples does he have?"


class FakeSession:
    """What the stepper needs of a session, over the toy pair."""

    def __init__(self, toy: Toy = Toy(), settings: Settings | None = None, prompt: str = PROMPT) -> None:
        self.toy, self.settings, self.prompt = toy, settings or Settings(seed=7), prompt
        self.rounds: list[Round] = []
        self.forked_at: int | None = None

    @property
    def finished(self) -> str:
        return self.rounds[-1].finished if self.rounds else ""

    def step(self, overrides: Overrides | None = None) -> Round:
        overrides = overrides or Overrides()
        place = sum(len(r.emitted) for r in self.rounds)
        anchor = self.rounds[-1].emitted[-1] if self.rounds else Token(1, "\n")
        text = self.rounds[-1].text if self.rounds else ""
        self.settings = self.settings.with_changes(overrides.settings)
        done = play_round(self.toy, self.settings, len(self.rounds), anchor, place, text, overrides)
        left = self.settings.max_new_tokens - place
        if len(done.emitted) >= left and not done.finished:
            done = replace(done, finished="length")
        self.rounds.append(done)
        return done

    def run(self) -> None:
        while not self.finished:
            self.step()

    def fork(self, round_index: int, overrides: Overrides) -> FakeSession:
        if not 0 <= round_index < len(self.rounds):
            raise LabError(f"there is no round {round_index}: the session has rounds 0 to {len(self.rounds) - 1}.")
        child = FakeSession(self.toy, self.settings, self.prompt)
        child.rounds, child.forked_at = self.rounds[:round_index], round_index
        child.step(overrides)
        return child

    def trace(self) -> Trace:
        words = [Token(100 + i, ("" if i == 0 else " ") + w) for i, w in enumerate(self.prompt.split(" "))]
        dspark = ModelInfo("pocket-dspark", "dspark", "0a1b2c3d4e5f", 1_200_000, BLOCK)
        settings: Mapping[str, Any] = vars(self.settings)
        return Trace(
            schema_version=SCHEMA_VERSION,
            prompt=self.prompt,
            prompt_tokens=tuple(words),
            settings=dict(settings),
            target=ModelInfo("pocket-target", "target", "f0e1d2c3b4a5", 5_000_000),
            drafter=None if self.settings.gamma == 0 else dspark,
            device="toy processor",
            rounds=tuple(self.rounds),
            forked_at=self.forked_at,
        )


def session(toy: Toy = Toy(cut_below=0.3), **settings: Any) -> FakeSession:
    """A finished toy session."""
    made = FakeSession(toy, Settings(**{"seed": 7, **settings}))
    made.run()
    return made


def trace(toy: Toy = Toy(cut_below=0.3), **settings: Any) -> Trace:
    """A finished toy trace."""
    return session(toy, **settings).trace()


@dataclass(frozen=True)
class FakeResult:
    """As a lab's GenerateResult."""

    session: FakeSession
    seconds: float
    tokens: int


class FakeLab:
    """As a lab whose models are loaded; ``calls`` records how it was used."""

    block_size, device = BLOCK, "toy processor"
    drafter = SimpleNamespace(info=ModelInfo("toy", "dspark", "", 0), confident=True)

    def __init__(self) -> None:
        self.calls: list[tuple[str, Settings, bool, bool]] = []

    def check(self, prompt: str) -> None:
        clean_prompt(prompt)

    def generate(
        self,
        prompt: str,
        settings: Settings,
        drafter: bool,
        on_round: Callable[[Round], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        *,
        trace: bool = True,
    ) -> FakeResult:
        self.calls.append((prompt, settings, drafter, trace))
        if prompt == "fail":
            raise LabError("the prompt has 9000 tokens, but the context holds 512: shorten it.")
        made = FakeSession(Toy(), settings if drafter else replace(settings, gamma=0), prompt)
        while not made.finished and not (should_stop and should_stop()):
            done = made.step()
            if on_round:
                on_round(done)
        tokens = sum(len(r.emitted) for r in made.rounds)
        return FakeResult(made, 0.01 * len(made.rounds), tokens)


if __name__ == "__main__":
    for first, second in pairwise(trace().rounds):
        print(second.index, first.accepted, first.final.kind, [t.text for t in first.emitted])
