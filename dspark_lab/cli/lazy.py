"""Parts that need more than the core installation, imported when a command asks for them."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from dspark_lab.errors import LabError

REMEDY = 'pip install "dspark-lab[lab]"'


def require(package: str) -> None:
    """Raises LabError where a package of the ``lab`` extra is not installed."""
    if importlib.util.find_spec(package) is None:
        raise LabError(f"this command needs {package}, which is not installed: {REMEDY}")


def part(module: str, name: str, remedy: str = REMEDY) -> Any:
    """``name`` of ``module``. Raises LabError naming the package that is missing, and how to get it."""
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise LabError(f"this command needs {error.name}, which is not installed: {remedy}") from error
    except (ImportError, AttributeError) as error:
        raise LabError(f"{module}.{name} cannot be used ({error}): {remedy}") from error
