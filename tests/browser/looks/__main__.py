"""``python -m tests.browser.looks [states]``: take the pictures anew, and before that the states they show."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from dspark_lab import Settings, load
from dspark_widgets import (
    ConfidenceView,
    DrafterRace,
    HeadLens,
    LoadLab,
    RejectionView,
    SchedulerView,
    Stepper,
)
from dspark_widgets.view import View
from tests.browser.conftest import CHROMIUM
from tests.browser.ensure_browser import REMEDY, find_browser
from tests.browser.looks import QUALITY, STATES, THEMES, VIEWS, WINDOW, dress, export, path_of, photograph

PROMPT = "Can you recommend a thrilling book for my teacher?"
SETTINGS = Settings(seed=7, max_new_tokens=16)


def record() -> None:
    """The views on the pocket pair as it is now; numbers to four digits."""
    lab = load()
    session = lab.session(PROMPT, SETTINGS.with_changes({"policy": "early-break", "load": 60})).run()
    made: list[View] = [kind(session) for kind in (Stepper, RejectionView, ConfidenceView, SchedulerView, HeadLens)]
    made[1]._on_message(made[1], {"type": "meter", "branch": 0, "round": 0, "rule": "exact", "rounds": 200}, [])
    made += [DrafterRace(lab, PROMPT, ["dspark", "prompt-lookup", "none"], settings=SETTINGS), LoadLab()]
    made[-1].figures()
    assert all(view.wait(600) for view in made)
    states = {view.kind: view.snapshot() for view in made}
    for name, state in states.items():
        if name != "race":
            del state["trace"]
    text = json.dumps({"trace": session.trace().to_json(), "views": states})
    short: Any = json.loads(text, parse_float=lambda number: float(f"{float(number):.4g}"))
    STATES.write_text(json.dumps(short, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def main() -> None:
    if sys.argv[1:] == ["states"]:
        record()
    path = find_browser()
    if path is None:
        sys.exit(REMEDY)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        lens = browser.new_page()
        for view in VIEWS:
            page = browser.new_page(viewport=WINDOW, bypass_csp=True)
            page.goto(export(view, Path(folder)).as_uri())
            for theme in THEMES:
                dress(page, theme)
                path_of(view, theme).write_bytes(photograph(page, lens, QUALITY)[1])
            page.close()


if __name__ == "__main__":
    main()
