"""What the browser asks, what Python replies, and the checks on what comes from a page: part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from dspark_lab.errors import LabError
from dspark_lab.records import from_json
from dspark_lab.rounds import Round
from dspark_lab.scheduling.rates import RATES, is_name
from dspark_lab.settings import Overrides
from dspark_widgets.contract import Branch, Controls, Cursor, Domain, Preferences, ViewState, Where
from dspark_widgets.load_results import ServingSetup

RuleName = Literal["exact", "resample", "accept-all"]


@dataclass(frozen=True)
class ForkRequest:
    """Fork ``branch`` at ``round`` with these overrides and run the fork to its end."""

    branch: int
    round: int
    overrides: Overrides
    type: Literal["fork"] = "fork"


@dataclass(frozen=True)
class DeleteRequest:
    """Forget a branch and the forks made from it."""

    branch: int
    type: Literal["delete"] = "delete"


@dataclass(frozen=True)
class ChooseRequest:
    """Draft by this kind of drafter from now on, "none" for by none."""

    drafter: str
    type: Literal["choose"] = "choose"


@dataclass(frozen=True)
class GenerateRequest:
    """Run the prompt with and without the drafter."""

    controls: Controls
    type: Literal["generate"] = "generate"


@dataclass(frozen=True)
class ExampleRequest:
    """Show a recorded trace, at a round and, where ``at`` is not 0, at one of its positions."""

    domain: Domain
    index: int
    round: int = 0
    at: int = 0
    type: Literal["example"] = "example"


@dataclass(frozen=True)
class StopRequest:
    """Stop the run at work after its current round; what it has stays."""

    type: Literal["stop"] = "stop"


@dataclass(frozen=True)
class SyncRequest:
    """Send the running trace's rounds from number ``have`` on: a page that was opened mid-run missed them."""

    have: int
    type: Literal["sync"] = "sync"


@dataclass(frozen=True)
class MeterRequest:
    """Repeat a round ``rounds`` times more and judge it by ``rule``; ``afresh`` forgets what was counted before."""

    branch: int
    round: int
    rule: RuleName
    rounds: int
    afresh: bool = False
    type: Literal["meter"] = "meter"


@dataclass(frozen=True)
class HeadRequest:
    """Ask the sequential head at position ``k`` after another previous token, by its id or, without one, by its text."""

    branch: int
    round: int
    k: int
    token: int | None = None
    text: str = ""
    type: Literal["head"] = "head"


@dataclass(frozen=True)
class RaceRequest:
    """Run the prompt once with each of these drafters."""

    prompt: str
    drafters: tuple[str, ...]
    type: Literal["race"] = "race"


@dataclass(frozen=True)
class OpenRequest:
    """Show the trace of a race's lane, at a round; what was shown before any lane with ""."""

    lane: str
    round: int
    type: Literal["open"] = "open"


@dataclass(frozen=True)
class RestoreRequest:
    """Run again what a permalink stands for, with its forks, and go to its place (``permalink``)."""

    link: str
    type: Literal["restore"] = "restore"


@dataclass(frozen=True)
class ServeRequest:
    """Simulate servers under load."""

    setup: ServingSetup
    type: Literal["serve"] = "serve"


@dataclass(frozen=True)
class UnserveRequest:
    """Stop the simulation; what it has stays."""

    type: Literal["unserve"] = "unserve"


@dataclass(frozen=True)
class ZoomRequest:
    """Show a chart of what was simulated as one that can be zoomed; none with "" as its name."""

    chart: Literal["", "frontier", "throughput", "budget", "waste"]
    dark: bool = False
    type: Literal["zoom"] = "zoom"


@dataclass(frozen=True)
class PingRequest:
    """Answer at once: is Python there? No person has asked."""

    type: Literal["ping"] = "ping"


@dataclass(frozen=True)
class WordsRequest:
    """Send the interface's text in another language."""

    language: Literal["ja", "zh"]
    type: Literal["words"] = "words"


@dataclass(frozen=True)
class PageRequest:
    """Send the view as a page that works from a file, as ``export_html`` writes it."""

    type: Literal["page"] = "page"


@dataclass(frozen=True)
class PlanRequest:
    """Schedule a round anew with other settings or confidences, without running a model. ``number`` comes back with the
    answer."""

    branch: int
    round: int
    overrides: Overrides
    number: int
    type: Literal["plan"] = "plan"


Request = (
    ForkRequest | DeleteRequest | ChooseRequest | GenerateRequest | ExampleRequest | StopRequest | SyncRequest
    | MeterRequest | HeadRequest | RaceRequest | OpenRequest | RestoreRequest
    | PlanRequest | ServeRequest | UnserveRequest | ZoomRequest | PingRequest | WordsRequest | PageRequest
)  # fmt: skip


@dataclass(frozen=True)
class RoundsReply:
    """Rounds of run ``run`` as they come: append them at ``start``. With ``fork`` they are that fork's, which is among the
    branches once it is done."""

    run: int
    start: int
    rounds: tuple[Round, ...]
    fork: Branch | None = None
    type: Literal["rounds"] = "rounds"


@dataclass(frozen=True)
class PongReply:
    """Python is there."""

    type: Literal["pong"] = "pong"


@dataclass(frozen=True)
class WordsReply:
    """The script that brings the interface's text in a language."""

    language: Literal["ja", "zh"]
    script: str
    type: Literal["words"] = "words"


@dataclass(frozen=True)
class PageReply:
    """The page, all of it."""

    html: str
    type: Literal["page"] = "page"


_REQUESTS: dict[str, type[Any]] = {kind.type: kind for kind in get_args(Request)}
_WHERE: dict[str, Where] = {
    "fork": "fork",
    "delete": "fork",
    "choose": "generate",
    "generate": "generate",
    "example": "example",
    "meter": "meter",
    "head": "lens",
    "race": "race",
    "open": "race",
    "restore": "link",
    "serve": "serving",
    "unserve": "serving",
    "zoom": "serving",
    "plan": "plan",
}
_SET_BY_THE_PAGE: dict[str, type[Any]] = {"cursor": Cursor, "preferences": Preferences, "controls": Controls}
_RELOAD = "Reload the page, so that page and library are of one version."


def read_request(message: Any) -> Request:
    """A message of the browser as its dataclass. Raises LabError for anything else."""
    if not isinstance(message, Mapping) or not isinstance(message.get("type"), str):
        raise LabError(f"a message from the page has no type. {_RELOAD}")
    values = dict(message)
    kind = values.pop("type")
    if kind not in _REQUESTS:
        raise LabError(f"unknown request {kind!r}. {_RELOAD}")
    if "overrides" in {field.name for field in fields(_REQUESTS[kind])} & set(values):
        values["overrides"] = Overrides.from_json(values["overrides"])
        _check_step_rate(values["overrides"].settings.get("step_rate"))
    request: Request = from_json(_REQUESTS[kind], values, f"the page's {kind} request", _RELOAD)
    return request


def _check_step_rate(name: Any) -> None:
    """A page may name a step rate, but no file. Raises LabError."""
    if isinstance(name, str) and not is_name(name):
        raise LabError(f"the page knows no step rate {name[:60]!r}: choose one of {', '.join(RATES)}.")


def where_told(message: Any) -> Where:
    """Where an error of this request is shown."""
    return _WHERE.get(str(message.get("type", "")), "request") if isinstance(message, Mapping) else "request"


def check_trait(name: str, value: Any) -> None:
    """Raises LabError where ``value`` is nothing that the page may set ``name`` to. Jupyter's own traits pass, such as the
    layout; what they keep private does not, such as the view's code."""
    if name in _SET_BY_THE_PAGE:
        kind, where = _SET_BY_THE_PAGE[name], f"the page's {name}"
        from_json(kind, value, where, _RELOAD)
        missing = [field.name for field in fields(kind) if field.name not in value]
        if missing:
            raise LabError(f"{where} lacks the field {missing[0]!r}. {_RELOAD}")
    elif name.startswith("_") or name in {field.name for field in fields(ViewState)}:
        raise LabError(f"the page cannot set {name}. {_RELOAD}")
