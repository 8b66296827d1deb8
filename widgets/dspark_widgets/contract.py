"""The one written contract between Python and the browser; ``js/src/contract.d.ts`` is generated from it.

``ViewState`` is the whole state of a widget: each field is one synchronised trait, so that a reloaded page or a second
view shows the same thing. Requests go from the browser to Python, replies the other way. Rounds are streamed as
replies while a run is at work; the ``trace`` trait holds the truth before and after. Errors are in ``status``: they
stay where they are until the next request. A trace is as in ``dspark_lab.trace``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from dspark_lab.errors import LabError
from dspark_lab.records import from_json
from dspark_lab.settings import Overrides
from dspark_lab.trace import Choice, Round, Token, Trace

PHASES = ("prompt", "parallel", "sequential", "confidence", "schedule", "verify", "accept", "commit")
DOMAINS = ("math", "code", "chat")

Phase = Literal["prompt", "parallel", "sequential", "confidence", "schedule", "verify", "accept", "commit"]
Domain = Literal["math", "code", "chat"]
State = Literal["loading", "ready", "recorded", "running", "measuring", "forking", "repeating", "asking", "racing"]
Where = Literal["", "load", "generate", "example", "fork", "meter", "lens", "race", "request"]
RuleName = Literal["exact", "resample", "accept-all"]
LaneState = Literal["waiting", "running", "measuring", "done", "stopped", "failed"]


@dataclass(frozen=True)
class Cursor:
    """The reader's place: branch, round and phase; ``k`` and ``sub`` refine phases that go position by position.

    ``sub`` is "bias" or "draw" in the sequential phase, "final" at the round's last draw, else "". ``serial`` counts
    the traces shown so far: a place in an earlier trace is not one in the next. ``at`` is the position that the reader
    chose, gamma + 1 the final token's, and ``row`` the table's row; 0 and "" leave both to the phase.
    """

    branch: int = 0
    round: int = 0
    phase: Phase = "commit"
    k: int = 0
    sub: str = ""
    serial: int = 0
    at: int = 0
    row: str = ""


@dataclass(frozen=True)
class Preferences:
    """What the reader likes: theme, whether acceptance is predicted before it shows, steps a second when playing, and
    the ``kind`` of the view that is open below the stepper."""

    theme: Literal["auto", "light", "dark"] = "auto"
    predict: bool = False
    speed: float = 1.0
    tab: str = "rejection"


@dataclass(frozen=True)
class Branch:
    """A fork: as its parent before ``round``, then ``rounds``. The original trace is branch 0 and is not in the list."""

    id: int
    name: str
    parent: int
    round: int
    overrides: Mapping[str, Any]
    rounds: tuple[Round, ...]


@dataclass(frozen=True)
class Status:
    """What Python is doing; ``error`` is a message fit to be shown, and ``where`` the request that it answers."""

    state: State = "recorded"
    text: str = ""
    error: str = ""
    where: Where = ""


@dataclass(frozen=True)
class Controls:
    """What the page's controls hold. ``gamma`` is the number of tokens drafted a round; without ``drafter`` it is unused, and
    so are ``policy`` and ``load``."""

    prompt: str = ""
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    gamma: int = 7
    seed: int = 0
    max_new_tokens: int = 64
    policy: str = "fixed"
    load: int = 0
    drafter: bool = True


@dataclass(frozen=True)
class Example:
    """An example prompt with a recorded trace. ``collision`` is a round and a draft position where the parallel pass leaves
    open what the head decides (the second word of the paper's "of course" or "no problem"); null where there is none."""

    domain: Domain
    index: int
    prompt: str
    collision: tuple[int, int] | None = None


@dataclass(frozen=True)
class Speed:
    """One measured run, on the device of its ``Speeds``. ``whole`` is false when it was stopped before its end."""

    tokens: int
    seconds: float
    whole: bool


@dataclass(frozen=True)
class Speeds:
    """The same prompt and settings with and without the drafter, measured one after the other without recording."""

    device: str
    speculative: Speed | None = None
    autoregressive: Speed | None = None


@dataclass(frozen=True)
class AppInfo:
    """What the page offers: its examples, the one shown (as "math_0"), the block's size, the length limit of a prompt."""

    examples: tuple[Example, ...]
    example: str
    block_size: int
    prompt_limit: int


@dataclass(frozen=True)
class MeterRow:
    """A token's probability under p_t and under the rule's own law, and how often it came out; no token: all others."""

    token: Token | None
    p_t: float
    law: float
    count: int


@dataclass(frozen=True)
class Meter:
    """A round repeated ``rounds`` times with the seeds from ``first_seed`` on, as in ``dspark_lab.teaching.exactness``."""

    branch: int
    round: int
    rule: str
    rounds: int
    first_seed: int
    rows: tuple[MeterRow, ...]
    others: MeterRow
    statistic: float
    degrees: int
    p_value: float
    impossible: int
    distance: float
    bias: float
    history: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Lens:
    """Draft position ``k`` as the sequential head makes it after ``previous``; ``base`` is without the head."""

    branch: int
    round: int
    k: int
    previous: Token
    base: tuple[Choice, ...]
    draft: tuple[Choice, ...]
    biased_up: tuple[Choice, ...]
    biased_down: tuple[Choice, ...]


@dataclass(frozen=True)
class Runner:
    """A drafter that can race, "none" the target alone."""

    name: str
    title: str
    summary: str


@dataclass(frozen=True)
class Piece:
    """A token of a round's block and what became of it: accepted, rejected, discarded, cut, residual, bonus, plain."""

    token: Token
    kind: str


@dataclass(frozen=True)
class Lane:
    """One drafter's run: its rounds as blocks, and, measured without recording, its ``seconds``.

    ``acceptance`` holds by position the share accepted of those that were reached; null where none was.
    """

    name: str
    title: str
    state: LaneState
    error: str
    rounds: tuple[tuple[Piece, ...], ...]
    tokens: int
    tau: float
    acceptance: tuple[float | None, ...]
    seconds: float | None


@dataclass(frozen=True)
class Race:
    """One prompt, one seed, several drafters: the ``choices`` there are, and the last race; ``opened`` is the lane whose
    trace is shown, or ""."""

    choices: tuple[Runner, ...]
    prompt: str
    settings: Mapping[str, Any]
    device: str
    lanes: tuple[Lane, ...]
    opened: str = ""


@dataclass(frozen=True)
class ViewState:
    """The traits of a widget. ``live`` says that a session stands behind the trace, so that it can be forked.

    ``run`` numbers the run whose rounds are being streamed. A view has the traits from ``meters`` on that it shows; those
    from ``controls`` on are the app's.
    """

    kind: Literal["stepper", "rejection", "lens", "race", "app"]
    live: bool
    run: int
    trace: Trace | None
    branches: tuple[Branch, ...]
    cursor: Cursor
    preferences: Preferences
    status: Status
    meters: tuple[Meter, ...]
    lens: Lens | None
    race: Race | None
    controls: Controls | None
    info: AppInfo | None
    speeds: Speeds | None


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
    """Show the trace of a race's lane, at a round."""

    lane: str
    round: int
    type: Literal["open"] = "open"


Request = (
    ForkRequest | DeleteRequest | GenerateRequest | ExampleRequest | StopRequest | SyncRequest
    | MeterRequest | HeadRequest | RaceRequest | OpenRequest
)  # fmt: skip


@dataclass(frozen=True)
class RoundsReply:
    """Rounds of run ``run`` as they come: append them at ``start``."""

    run: int
    start: int
    rounds: tuple[Round, ...]
    type: Literal["rounds"] = "rounds"


_REQUESTS: dict[str, type[Any]] = {kind.type: kind for kind in get_args(Request)}
_WHERE: dict[str, Where] = {
    "fork": "fork",
    "delete": "fork",
    "generate": "generate",
    "example": "example",
    "meter": "meter",
    "head": "lens",
    "race": "race",
    "open": "race",
}
KEPT = ("kind", "trace", "branches", "cursor", "meters", "lens", "race")
"""What a page without a kernel keeps of a view."""
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
    if kind == "fork" and "overrides" in values:
        values["overrides"] = Overrides.from_json(values["overrides"])
    request: Request = from_json(_REQUESTS[kind], values, f"the page's {kind} request", _RELOAD)
    return request


def where_told(message: Any) -> Where:
    """Where an error of this request is shown."""
    return _WHERE.get(str(message.get("type", "")), "request") if isinstance(message, Mapping) else "request"


def check_trait(name: str, value: Any) -> None:
    """Raises LabError where ``value`` is nothing that the page may set ``name`` to. Traits not of the contract pass."""
    if name in _SET_BY_THE_PAGE:
        kind, where = _SET_BY_THE_PAGE[name], f"the page's {name}"
        from_json(kind, value, where, _RELOAD)
        missing = [field.name for field in fields(kind) if field.name not in value]
        if missing:
            raise LabError(f"{where} lacks the field {missing[0]!r}. {_RELOAD}")
    elif name in {field.name for field in fields(ViewState)}:
        raise LabError(f"the page cannot set {name}. {_RELOAD}")
