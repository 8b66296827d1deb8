"""Permalinks: all it takes to see the same rounds again, as text fit for an address.

A link holds the prompt, the settings with their seed, the models by name and revision, the forks as what was changed in
which round of which branch, and the reader's place. Every draw is addressed by the seed, so that is enough. The page writes
the same text (``js/src/logic/permalink.js``): JSON in base64url. It is read as any other input of a visitor's is: bounded,
checked field by field, and never more than data.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from dspark_lab.errors import LabError
from dspark_lab.records import from_json, to_json
from dspark_lab.scheduling.rates import is_name
from dspark_lab.settings import Overrides, Settings
from dspark_lab.trace import ModelInfo, Trace
from dspark_widgets.contract import Cursor, ModelName

VERSION = 1
LONGEST = 24_000
"""Characters of a link: a prompt of 4,000 that is not ASCII, and the most forks, fit."""
MOST_FORKS = 24
_REMEDY = "Ask whoever sent the link for a new one."


@dataclass(frozen=True)
class Fork:
    """What was changed in a round of ``parent``: 0 is the original, n the nth fork of the link."""

    parent: int
    round: int
    overrides: Overrides


@dataclass(frozen=True)
class Permalink:
    """What a link stands for. ``cursor.branch`` counts as ``Fork.parent`` does; without a ``drafter`` nothing is drafted.
    ``view`` is the one that was open below the stepper; "" leaves that as it is."""

    prompt: str
    settings: Settings
    target: ModelName
    drafter: ModelName | None
    forks: tuple[Fork, ...]
    cursor: Cursor
    version: int
    view: Literal["", "rejection", "confidence", "scheduler", "load", "race", "lens"] = ""


def link_to(trace: Trace, forks: tuple[Fork, ...] = (), cursor: Cursor | None = None) -> Permalink:
    """The link to a trace, its forks and a place in them."""
    target, drafter = model_name(trace.target), model_name(trace.drafter) if trace.drafter else None
    place = replace(cursor or Cursor(), serial=0)
    return Permalink(trace.prompt, Settings(**trace.settings), target, drafter, forks, place, VERSION)


def encode(link: Permalink) -> str:
    """The link as text of letters, digits, - and _."""
    text = json.dumps(to_json(link), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(text: str) -> Permalink:
    """Read a link back.

    Raises:
        LabError: it is too long, cut off, of another version, or holds what no page would put there.
    """
    if len(text) > LONGEST:
        raise LabError(f"this link has {len(text):,} characters, but at most {LONGEST:,} are read. {_REMEDY}")
    value = _parsed(text)
    if value.get("version") != VERSION:
        shown = repr(value.get("version"))[:20]
        raise LabError(f"this link is of version {shown}, but this page reads version {VERSION}. {_REMEDY}")
    forks = value.get("forks") or []
    if not isinstance(forks, list) or len(forks) > MOST_FORKS:
        raise LabError(f"this link has no list of at most {MOST_FORKS} forks. {_REMEDY}")
    read = [{**f, "overrides": Overrides.from_json(f.get("overrides"))} if isinstance(f, Mapping) else f for f in forks]
    link: Permalink = from_json(Permalink, {**value, "forks": read}, "this link", _REMEDY)
    _check(link)
    return link


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        value = json.loads(raw.decode())
    except (binascii.Error, ValueError, RecursionError) as error:
        raise LabError(f"this link cannot be read: it is cut off or changed. {_REMEDY}") from error
    if not isinstance(value, Mapping):
        raise LabError(f"this link holds no page. {_REMEDY}")
    return value


def _check(link: Permalink) -> None:
    """Raises LabError for what each field by itself would allow: forks of forks to come, rounds below 0, files."""
    for number, fork in enumerate(link.forks, 1):
        if not 0 <= fork.parent < number or fork.round < 0 or not fork.overrides:
            raise LabError(f"fork {number} of this link is a fork of nothing, or changes nothing. {_REMEDY}")
        check_rate(fork.overrides.settings.get("step_rate", link.settings.step_rate))
    check_rate(link.settings.step_rate)
    place = link.cursor
    if not 0 <= place.branch <= len(link.forks) or min(place.round, place.k, place.at) < 0:
        raise LabError(f"this link points to no place in its rounds. {_REMEDY}")


def check_rate(name: Any) -> None:
    """Raises LabError for a step rate that is not known by name: a link names no files."""
    if not isinstance(name, str) or not is_name(name):
        raise LabError(f"this link has the step rate {name!r:.60}, which is none of those known by name. {_REMEDY}")


def model_name(info: ModelInfo) -> ModelName:
    return ModelName(info.name, info.kind, info.revision)


def others(link: Permalink, trace: Trace) -> tuple[ModelName, ...]:
    """The models that the link names where the trace was made by others: its text may differ then."""
    pairs = ((link.target, trace.target), (link.drafter, trace.drafter))
    return tuple(named for named, here in pairs if named and (here is None or model_name(here) != named))
