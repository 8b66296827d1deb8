"""Asking a view as its page does, and what it says where it cannot."""

from __future__ import annotations

from typing import Any

from dspark_lab import Settings
from dspark_widgets.view import View

PROMPT = "Tom has 12 apples."
SETTINGS = Settings(seed=3, temperature=0.8, max_new_tokens=12)


def ask(view: View, **message: Any) -> None:
    view._on_message(view, message, [])
    assert view.wait(60)


def repeat(view: View, rounds: int = 30, rule: str = "exact", **more: Any) -> None:
    ask(view, type="meter", **{"branch": 0, "round": 0, "rule": rule, "rounds": rounds, **more})


def refused(view: View, where: str, said: str) -> None:
    assert said in view.status["error"], view.status
    assert view.status["where"] == where


def after(view: View, **more: Any) -> None:
    ask(view, type="head", **{"branch": 0, "round": 0, "k": 2, "token": None, "text": "", **more})


def lowered(round_index: int, k: int, u: float) -> dict[str, Any]:
    return {"round": round_index, "overrides": {"uniforms": {f"accept:{k}": u}}}
