"""The record of a decoding session: what the stepper, the terminal, the tests and the static page all read.

Its rounds are those of ``dspark_lab.rounds``; all of it is written to and read from versioned JSON. Imports no torch.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspark_lab.errors import LabError
from dspark_lab.records import from_json, to_json, write_atomically
from dspark_lab.rounds import Round, Token

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class ModelInfo:
    """A model of the session: name, kind ("target", or the drafter's kind such as "dspark"), revision (first 12 hex
    digits of the weights' SHA-256, "" without weights), parameter count, and for a drafter its block size."""

    name: str
    kind: str
    revision: str
    parameters: int
    block_size: int | None = None


@dataclass(frozen=True)
class Trace:
    """A whole session. ``forked_at`` is the index of the round in which a fork left its parent; None for an original."""

    schema_version: int
    prompt: str
    prompt_tokens: tuple[Token, ...]
    settings: Mapping[str, Any]
    target: ModelInfo
    drafter: ModelInfo | None
    device: str
    rounds: tuple[Round, ...]
    forked_at: int | None = None

    @property
    def tokens(self) -> list[int]:
        """Ids of all emitted tokens."""
        return [token.id for r in self.rounds for token in r.emitted]

    @property
    def text(self) -> str:
        return self.rounds[-1].text if self.rounds else ""

    @property
    def tau(self) -> float:
        """Accepted length: emitted tokens per round, the final token counted (as in the paper, Table 1)."""
        return len(self.tokens) / len(self.rounds) if self.rounds else 0.0

    @property
    def finished(self) -> str:
        return self.rounds[-1].finished if self.rounds else ""

    def to_json(self) -> dict[str, Any]:
        """As JSON types; floats keep all their digits."""
        return typing.cast("dict[str, Any]", to_json(self))

    @classmethod
    def from_json(cls, value: Any) -> Trace:
        """Read back. Raises LabError for another schema version or a value that is no trace, naming the field."""
        if not isinstance(value, Mapping) or "schema_version" not in value:
            raise LabError("this is not a DSpark Lab trace: it has no schema_version. Write one with --trace out.json.")
        if value["schema_version"] != SCHEMA_VERSION:
            raise LabError(
                f"the trace has schema version {value['schema_version']!r}, but this DSpark Lab reads version "
                f"{SCHEMA_VERSION}: record it again with this version."
            )
        return typing.cast(Trace, from_json(cls, value, "trace"))

    def save(self, path: str | Path) -> None:
        """Write as a JSON file; an existing file is replaced only once the new one is whole."""
        write_atomically(path, json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Trace:
        """Read a file. Raises LabError where it is missing, not JSON, or not a trace of this version."""
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise LabError(f"cannot read the trace {path}: {error}.") from error
        try:
            return cls.from_json(json.loads(text))
        except LabError:
            raise
        except (ValueError, RecursionError) as error:
            raise LabError(f"the trace {path} is not whole JSON ({error}): record it again.") from error
