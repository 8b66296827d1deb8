"""Writes ``js/src/contract.d.ts`` from the dataclasses of the contract: ``python -m dspark_widgets.contract_types``."""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dspark_lab import rounds, settings, trace
from dspark_widgets import contract, load_results, permalink, requests, results

TARGET = Path(__file__).resolve().parent.parent / "js" / "src" / "contract.d.ts"
PARTS = [
    kind
    for module in (rounds, trace, settings, results, load_results, contract, permalink, requests)
    for kind in vars(module).values()
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__module__ == module.__name__
]
_SIMPLE = {str: "string", int: "number", float: "number", bool: "boolean", Any: "any", type(None): "null"}


def typescript(kind: Any) -> str:
    """The TypeScript name of a field's type as it is in JSON."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return kind.__name__
    if origin is typing.Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(typescript(part) for part in arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            item = typescript(arguments[0])
            return f"({item})[]" if " | " in item else f"{item}[]"
        return f"[{', '.join(typescript(part) for part in arguments)}]"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{{ [key: string]: {typescript(arguments[1])} }}"
    raise TypeError(f"the contract has a field of type {kind!r}, which has no TypeScript form yet")


def interface(kind: type) -> str:
    """One dataclass as an interface; its docstring's first sentence goes with it."""
    hints = typing.get_type_hints(kind)
    first = inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].replace("\n", " ")
    lines = [f"/** {first} */", f"export interface {kind.__name__} {{"]
    lines += [f"  {field.name}: {typescript(hints[field.name])};" for field in dataclasses.fields(kind)]
    return "\n".join([*lines, "}"])


def generate() -> str:
    """The whole file."""
    phases = " | ".join(f'"{name}"' for name in contract.PHASES)
    asked = " | ".join(kind.__name__ for kind in typing.get_args(requests.Request))
    parts = [
        "// Generated from the contract: python -m dspark_widgets.contract_types",
        *(interface(kind) for kind in PARTS),
        f"export type Phase = {phases};",
        f"export type Request = {asked};",
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
    print(f"wrote {TARGET}")
