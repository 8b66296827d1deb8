"""What an engine is asked in these tests, and that each request got what a session alone gives it."""

from __future__ import annotations

from typing import Any

from dspark_lab import Session, Settings
from dspark_lab.engine import Engine, StepReport
from dspark_lab.scheduling.step_rate import StepRate
from dspark_lab.target import Target
from tests.scripted import table

PROMPTS = [
    "Tom has 12 apples. He buys 7 more.",
    "Hello!",
    "def add(a, b):",
    "Write a function that returns the larger of two numbers, and say in one sentence how it works.",
    "What is 3 + 4?",
    "Can you help me with my homework today?",
]
TARGET, OTHER = table(3, seed=1, zeros=0.1), table(3, seed=2, zeros=0.1)
FLAT = StepRate.each([1.0] * 400)
FALLING = StepRate.each([1 / (10 + b) for b in range(1, 400)])


def settings_of(i: int) -> Settings:
    """Some of everything."""
    return Settings(
        temperature=(1.0, 0.7, 0.0, 1.3)[i % 4], top_k=(0, 20)[i % 2], top_p=(1.0, 0.9, 1.0)[i % 3],
        gamma=(None, 3, 0, 1, 5)[i % 5], seed=i, max_new_tokens=(40, 25, 1, 33, 2)[i % 5],
    )  # fmt: skip


def submit_all(engine: Engine, count: int) -> list[Any]:
    return [engine.submit(PROMPTS[i % len(PROMPTS)], settings_of(i)) for i in range(count)]


def steps(engine: Engine) -> list[StepReport]:
    reports: list[StepReport] = []
    engine.run(reports.append)
    return reports


def assert_as_sessions(requests: list[Any], target: Target, drafter: Any) -> None:
    for request in requests:
        session = Session(target, drafter, request.prompt, request.settings).run()
        assert (request.tokens, request.finished) == (session.tokens, session.finished)
        assert request.text == session.text
        for ours, theirs in zip(request.rounds, session.rounds, strict=True):
            assert (ours.drafted, ours.accepted) == (theirs.gamma, theirs.accepted)
            assert ours.emitted == tuple(t.id for t in theirs.emitted)
