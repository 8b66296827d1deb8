"""A folder of work belongs to one training: what another one wrote must not be mixed in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.records import write_atomically


def claim(file: Path, values: Mapping[str, Any], option: str) -> None:
    """Write ``values`` to ``file``, a JSON object, in the folder that they describe; or make sure that they are there.

    Raises:
        LabError: the folder holds the work of other values; the message names the first that differs and ``option``,
            which chooses the folder.
    """
    text = json.dumps(values, indent=1)
    if file.exists():
        try:
            there = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise LabError(
                f"{file} is damaged ({error}): delete {file.parent}, or give {option} another folder."
            ) from error
        wanted = json.loads(text)
        differing = next((n for n in {**wanted, **there} if wanted.get(n) != there.get(n)), None)
        if differing is not None:
            raise LabError(
                f"{file.parent} holds work with {differing} {json.dumps(there.get(differing))}, not "
                f"{json.dumps(wanted.get(differing))}: give {option} another folder, or delete this one."
            )
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)
