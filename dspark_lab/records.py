"""Dataclass trees to and from JSON types, with errors that name the field, and files that are never half-written."""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError


def write_atomically(path: str | Path, text: str) -> None:
    """Write ``text`` to a temporary file beside ``path``, then rename, so that no half-written file is left."""
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise LabError(
            f"cannot write {path}: {error.strerror}. Choose a folder that exists and is writable."
        ) from error
    try:
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only their owner may read
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def to_json(value: Any) -> Any:
    """A dataclass tree as plain JSON types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(kind: Any, value: Any, where: str) -> Any:
    """Build ``kind`` (a dataclass, tuple, union or JSON type) from parsed JSON; LabError names the place that is off."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        if not isinstance(value, Mapping) or set(value) - set(hints):
            raise LabError(f"{where} is not a {kind.__name__}: {_short(value)}.")
        needed = {f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING}
        if needed - set(value):
            raise LabError(f"{where} lacks the field {sorted(needed - set(value))[0]!r}: record the trace again.")
        return kind(**{name: from_json(hints[name], item, f"{where}.{name}") for name, item in value.items()})
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return from_json(next(a for a in arguments if a is not type(None)), value, where)
    if origin is tuple and isinstance(value, list):
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(inner) == len(value):
            return tuple(from_json(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(inner, value, strict=True)))
    elif kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if abs(value) <= sys.float_info.max:  # neither NaN nor infinite
            return float(value)
    elif kind is str and isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise LabError(f"{where} holds half a surrogate pair: {_short(value)}. Record the trace again.")
    elif isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    elif origin is not None and isinstance(value, Mapping) and isinstance(origin, type) and issubclass(origin, Mapping):
        return dict(value)
    raise LabError(f"{where} has a value of the wrong type: {_short(value)}. Record the trace again.")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
