"""What the installed distribution asks for, read without importing any of it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "dspark-lab"

_REQUIREMENT = re.compile(r"\s*([\w.-]+)(?:\[[^]]*\])?\s*([^;]*)(?:;.*extra\s*==\s*[\"']([\w-]+)[\"'])?")


@dataclass(frozen=True)
class Requirement:
    """A package, its lowest version ("" for any) and the extra that wants it ("" for the core)."""

    package: str
    lowest: str
    extra: str


def requirements() -> list[Requirement]:
    """From the checkout's pyproject.toml, else from the installed metadata; empty where there is neither."""
    return [r for r in map(_parse, _lines()) if r and r.package.lower() != DISTRIBUTION]


def installed(package: str) -> str | None:
    """The installed version, None where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def at_least(version: str, lowest: str) -> bool:
    """Compare release numbers: 2.13.0+cpu is at least 2.11; 2.0.0rc1 counts as 2.0.0."""
    return _numbers(version) >= _numbers(lowest)


def _numbers(version: str) -> list[int]:
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(n) for n in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers


def _parse(text: str) -> Requirement | None:
    found = _REQUIREMENT.match(text)
    if not found:
        return None
    lowest = re.search(r">=\s*([\w.]+)", found[2])
    return Requirement(found[1], lowest[1] if lowest else "", found[3] or "")


def _lines() -> list[str]:
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.is_file():
        table = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
        if table.get("name") == DISTRIBUTION:
            extras = table.get("optional-dependencies", {})
            more = [f'{line}; extra == "{extra}"' for extra, lines in extras.items() for line in lines]
            return [*table.get("dependencies", []), *more]
    try:
        return metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return []
