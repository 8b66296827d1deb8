"""The views of DSpark Lab. Importing this package imports neither torch nor the widget libraries."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dspark_widgets.app import LabApp
    from dspark_widgets.confidence import ConfidenceView
    from dspark_widgets.export import export_html
    from dspark_widgets.lens import HeadLens
    from dspark_widgets.load import LoadLab
    from dspark_widgets.race import DrafterRace
    from dspark_widgets.rejection import RejectionView
    from dspark_widgets.scheduler import SchedulerView
    from dspark_widgets.stepper import Stepper

__all__ = [
    "ConfidenceView",
    "DrafterRace",
    "HeadLens",
    "LabApp",
    "LoadLab",
    "RejectionView",
    "SchedulerView",
    "Stepper",
    "export_html",
]

_HOMES = {
    "ConfidenceView": "confidence",
    "DrafterRace": "race",
    "HeadLens": "lens",
    "LabApp": "app",
    "LoadLab": "load",
    "RejectionView": "rejection",
    "SchedulerView": "scheduler",
    "Stepper": "stepper",
    "export_html": "export",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
