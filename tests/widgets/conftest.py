"""A finished session of the tiny pair, and a race of drafters on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dspark_lab.loading import Lab
from dspark_lab.session import Session
from dspark_widgets import DrafterRace
from tests.widgets.asking import PROMPT, SETTINGS


@pytest.fixture(scope="module")
def session(tiny_lab: Lab) -> Session:
    return tiny_lab.session(PROMPT, SETTINGS).run()


@pytest.fixture(scope="module")
def race(tiny_lab: Lab) -> Iterator[DrafterRace]:
    view = DrafterRace(tiny_lab, PROMPT, ["early-exit", "prompt-lookup", "none"], settings=SETTINGS)
    assert view.wait(60)
    yield view
