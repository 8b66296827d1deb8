"""The one written contract between Python and the browser; ``js/src/contract.d.ts`` is generated from it.

``ViewState`` is the whole state of a widget: each field is one synchronised trait, so that a reloaded page or a second
view shows the same thing. Requests go from the browser to Python, replies the other way. Rounds are streamed as
replies while a run is at work; the ``trace`` trait holds the truth before and after. Errors are in ``status``: they
stay where they are until the next request. A trace is as in ``dspark_lab.trace``, its rounds as in ``dspark_lab.rounds``;
what single views show beside it is in ``results`` and ``load_results``, requests and replies are in ``requests``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dspark_lab.rounds import Round
from dspark_lab.trace import Trace
from dspark_widgets.load_results import Serving, Zoomed
from dspark_widgets.results import Lens, Meter, Plan, Race, Reliability, StepRateChoice

PHASES = ("prompt", "parallel", "sequential", "confidence", "schedule", "verify", "accept", "commit")
DOMAINS = ("math", "code", "chat")

Phase = Literal["prompt", "parallel", "sequential", "confidence", "schedule", "verify", "accept", "commit"]
Domain = Literal["math", "code", "chat"]
State = Literal[
    "starting",
    "lost",
    "loading",
    "ready",
    "recorded",
    "running",
    "measuring",
    "forking",
    "repeating",
    "asking",
    "racing",
]
ServerWord = Literal["alive", "idle", "left", "died", "closed", "unknown"]
Where = Literal[
    "", "load", "generate", "example", "fork", "meter", "lens", "race", "plan", "link", "serving", "request"
]


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
    """What the reader likes: theme, the interface's language ("auto" as the browser's), whether acceptance is predicted
    before it shows, steps a second when playing, and the ``kind`` of the view that is open below the stepper."""

    theme: Literal["auto", "light", "dark"] = "auto"
    language: Literal["auto", "en", "ja", "zh"] = "auto"
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
    """What Python is doing; ``error`` is a message fit to be shown, and ``where`` the request that it answers.

    "starting" and "lost" a page says itself: there is no kernel yet, or none any more.
    """

    state: State = "recorded"
    text: str = ""
    error: str = ""
    where: Where = ""


@dataclass(frozen=True)
class Controls:
    """What the page's controls hold. ``drafter`` is a kind of drafter, or "none" for one token a round; ``gamma``, the number of
    tokens drafted a round, is unused then, and so are ``policy`` and ``load``."""

    prompt: str = ""
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    gamma: int = 7
    seed: int = 0
    max_new_tokens: int = 64
    policy: str = "fixed"
    load: int = 0
    drafter: str = "dspark"


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
    """The same prompt and settings with and without the drafter, of which this is the title, measured one after the other
    without recording."""

    device: str
    drafter: str
    speculative: Speed | None = None
    autoregressive: Speed | None = None


@dataclass(frozen=True)
class ModelName:
    """A model as a trace names it."""

    name: str
    kind: str
    revision: str


@dataclass(frozen=True)
class AppInfo:
    """What the page offers: its examples, the one shown (as "math_0"), the block's size, the most characters of a prompt and
    new tokens of a run.

    ``made_by`` are the models that the opened link names, where others made what is shown. ``drafter`` is the title of the
    drafter that the page runs, "" while none is known; ``confident``: it has confidences to schedule by.
    """

    examples: tuple[Example, ...]
    example: str
    block_size: int
    prompt_limit: int
    token_limit: int
    made_by: tuple[ModelName, ...] = ()
    drafter: str = ""
    confident: bool = True


@dataclass(frozen=True)
class KernelReply:
    """What the page's server says of a kernel: it is there, or why it ended; "unknown" are those of a server before it."""

    kernel: ServerWord


@dataclass(frozen=True)
class ViewState:
    """The traits of a widget. ``live`` says that a session stands behind the trace, so that it can be forked.

    ``run`` numbers the run whose rounds are being streamed. A view has the traits from ``meters`` on that it shows; those
    from ``controls`` on are the app's.
    """

    kind: Literal["stepper", "rejection", "confidence", "scheduler", "load", "lens", "race", "app"]
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
    serving: Serving | None
    zoomed: Zoomed
    plans: tuple[Plan, ...]
    step_rates: tuple[StepRateChoice, ...]
    reliability: Reliability | None
    controls: Controls | None
    info: AppInfo | None
    speeds: Speeds | None


KEPT = ("kind", "trace", "branches", "cursor", "meters", "lens", "race", "serving", "plans", "reliability")
"""What a page without a kernel keeps of a view."""
