"""Dataclass trees to and from JSON types, with errors that name the field, and files that are never half-written."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import functools
import os
import stat
import sys
import tempfile
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write text, or bytes, to a temporary file beside ``path``, then rename, so that no half-written file is left.

    Raises:
        LabError: it cannot be written; what was there is untouched.
    """
    with _beside(Path(path), str(path)) as (handle, temporary):
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)  # mkstemp makes files that only their owner may read
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)


def check_writable(path: str | Path, called: str) -> None:
    """Try all of `write_atomically` but the writing, before the work that has something to write.

    Raises:
        LabError: ``path`` cannot be written; the message calls it ``called``.
    """
    with _beside(Path(path), called) as (handle, _):
        os.close(handle)


@contextlib.contextmanager
def _beside(path: Path, called: str) -> Iterator[tuple[int, str]]:
    """A temporary file beside ``path``, removed in the end unless it was renamed."""
    try:
        _check_replaceable(path)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".part")
        try:
            yield handle, temporary
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        remedy = "Choose a file in a folder that exists and is writable"
        if error.errno == errno.ENAMETOOLONG:
            name, whole = (os.pathconf("/", limit) for limit in ("PC_NAME_MAX", "PC_PATH_MAX"))
            remedy = f"A name may have {name} bytes, a path {whole:,}: choose a shorter one"
        raise LabError(f"cannot write {called}: {error.strerror}. {remedy}.") from error


def _check_replaceable(path: Path) -> None:
    """Raises OSError where ``path`` is something that no result may replace, or its folder is not there."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise OSError(errno.ENOENT, f"there is no folder {path.parent}, make it first") from None
        return
    if not stat.S_ISREG(there.st_mode):
        raise OSError(errno.EISDIR, "it is not a file")
    if not os.access(path, os.W_OK):
        raise OSError(errno.EACCES, "it is write-protected")


def to_json(value: Any) -> Any:
    """A dataclass tree as plain JSON types."""
    kind: Any = type(value)
    if kind in _LEAVES:
        return value
    names = _field_names(kind)
    if names is not None:
        return {name: to_json(getattr(value, name)) for name in names}
    if isinstance(value, (list, tuple)):
        return list(value) if _LEAVES.issuperset(map(type, value)) else [to_json(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    return value


_LEAVES = frozenset((str, int, float, bool, type(None)))


@functools.cache
def _field_names(kind: type) -> tuple[str, ...] | None:
    """Of a dataclass; None of any other type."""
    return tuple(f.name for f in dataclasses.fields(kind)) if dataclasses.is_dataclass(kind) else None


def from_json(kind: Any, value: Any, where: str, remedy: str = "Record the trace again.") -> Any:
    """Build ``kind`` (a dataclass, tuple, union, Literal or JSON type) from parsed JSON. An instance of ``kind`` is kept.

    Raises:
        LabError: something is off; the message names the place, and ends with the ``remedy``.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return value if isinstance(value, kind) else _record(kind, value, where, remedy)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return from_json(next(a for a in arguments if a is not type(None)), value, where, remedy)
    if origin is typing.Literal:
        if value in arguments:
            return value
        raise LabError(f"{where} is {_short(value)}, but must be one of {', '.join(map(repr, arguments))}. {remedy}")
    if origin is tuple and isinstance(value, list):
        inner = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(inner) == len(value):
            pairs = enumerate(zip(inner, value, strict=True))
            return tuple(from_json(k, v, f"{where}[{i}]", remedy) for i, (k, v) in pairs)
    elif kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if abs(value) <= sys.float_info.max:  # neither NaN nor infinite
            return float(value)
    elif kind is str and isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
        raise LabError(f"{where} holds half a surrogate pair: {_short(value)}. {remedy}")
    elif isinstance(kind, type) and isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    elif origin is not None and isinstance(value, Mapping) and isinstance(origin, type) and issubclass(origin, Mapping):
        return dict(value)
    raise LabError(f"{where} has a value of the wrong type: {_short(value)}. {remedy}")


_hints = functools.cache(typing.get_type_hints)  # each call compiles the annotations anew


def _record(kind: type, value: Any, where: str, remedy: str) -> Any:
    """A dataclass by its fields; those with a default may be left out."""
    hints = _hints(kind)
    if not isinstance(value, Mapping):
        raise LabError(f"{where} is not a {kind.__name__}: {_short(value)}. {remedy}")
    unknown = set(value) - set(hints)
    if unknown:
        raise LabError(
            f"{where} is not a {kind.__name__}: unknown field {_short(sorted(map(str, unknown))[0])}. {remedy}"
        )
    missing = [f.name for f in dataclasses.fields(kind) if f.default is dataclasses.MISSING and f.name not in value]
    if missing:
        raise LabError(f"{where} lacks the field {missing[0]!r}. {remedy}")
    return kind(**{name: from_json(hints[name], item, f"{where}.{name}", remedy) for name, item in value.items()})


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
