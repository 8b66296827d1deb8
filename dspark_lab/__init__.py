"""DSpark Lab: speculative decoding with DSpark, one round at a time.

>>> from dspark_lab import load, Settings
>>> lab = load()
>>> session = lab.session("Tom has 12 apples. He buys 7 more. How many apples does Tom have now?", Settings(seed=7))
>>> session.step()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dspark_lab.errors import LabError
from dspark_lab.settings import Overrides, Settings
from dspark_lab.trace import Trace

if TYPE_CHECKING:
    from dspark_lab.generation import speculate
    from dspark_lab.loading import Lab, load
    from dspark_lab.session import Session

__all__ = ["Lab", "LabError", "Overrides", "Session", "Settings", "Trace", "load", "speculate"]
__version__ = "0.1.0"

_LAZY = {
    "Lab": "dspark_lab.loading",
    "Session": "dspark_lab.session",
    "load": "dspark_lab.loading",
    "speculate": "dspark_lab.generation",
}


def __getattr__(name: str) -> Any:
    """torch and transformers are imported when something first needs them: the views show a trace without."""
    if name in _LAZY:
        import importlib

        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'dspark_lab' has no attribute {name!r}")
