"""When requests come to a simulated server: as others leave, at random, in bursts, or as they were recorded."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dspark_lab.errors import LabError

MOST_TOKENS = 10**9
"""The longest answer that is simulated."""


@dataclass(frozen=True)
class Arrival:
    """A request: when it comes, in seconds; its domain and the tokens of its answer, or None where chance decides."""

    time: float
    domain: str | None = None
    tokens: int | None = None


@dataclass(frozen=True)
class Constant:
    """So many requests at every moment: whenever one is answered, another takes its place.

    Raises:
        LabError: there is less than one.
    """

    requests: int

    def __post_init__(self) -> None:
        if isinstance(self.requests, bool) or not isinstance(self.requests, (int, np.integer)) or self.requests < 1:
            raise LabError(
                f"the number of concurrent requests is {self.requests!r}, but must be a whole number from 1 on."
            )

    def __str__(self) -> str:
        return f"{self.requests:,} at every moment"


class Open(Protocol):
    """Requests that come whether others have been answered or not, in the order of their times."""

    def requests(self, rng: np.random.Generator) -> Iterator[Arrival]: ...


@dataclass(frozen=True)
class Poisson:
    """Independent users: ``per_second`` requests a second on average."""

    per_second: float

    def __post_init__(self) -> None:
        _positive("requests per second", self.per_second)

    def __str__(self) -> str:
        return f"Poisson, {self.per_second:g} a second"

    def requests(self, rng: np.random.Generator) -> Iterator[Arrival]:
        time = 0.0
        while True:
            for gap in rng.exponential(1 / self.per_second, 256).tolist():
                time += gap
                yield Arrival(time)


@dataclass(frozen=True)
class Bursts:
    """``size`` requests at once, ``every`` so many seconds, the first at 0."""

    size: int
    every: float

    def __post_init__(self) -> None:
        if self.size < 1:
            raise LabError(f"a burst has {self.size} requests, but must have 1 at least.")
        _positive("seconds between bursts", self.every)

    def __str__(self) -> str:
        return f"bursts of {self.size:,} every {self.every:g} s"

    def requests(self, rng: np.random.Generator) -> Iterator[Arrival]:
        burst = 0
        while True:
            for _ in range(self.size):
                yield Arrival(burst * self.every)
            burst += 1


@dataclass(frozen=True)
class Listed:
    """Requests as they were recorded.

    Raises:
        LabError: there is none; a time is negative or earlier than the one before; an answer has less than a token.
    """

    arrivals: tuple[Arrival, ...]

    def __post_init__(self) -> None:
        if not self.arrivals:
            raise LabError("the list of arrivals is empty: give one request at least.")
        before = 0.0
        for number, arrival in enumerate(self.arrivals, 1):
            if not (math.isfinite(arrival.time) and arrival.time >= before):
                raise LabError(
                    f"request {number:,} of the list comes at {arrival.time} s, but times must rise from {before:g} on."
                )
            if arrival.tokens is not None and not 1 <= arrival.tokens <= MOST_TOKENS:
                raise LabError(
                    f"request {number:,} of the list asks for {arrival.tokens} tokens, but an answer has 1 to {MOST_TOKENS:,}."
                )
            before = arrival.time

    def __str__(self) -> str:
        return f"{len(self.arrivals):,} recorded requests"

    def requests(self, rng: np.random.Generator) -> Iterator[Arrival]:
        yield from self.arrivals

    @classmethod
    def load(cls, path: str | Path) -> Listed:
        """Read a JSON list of {"time": seconds, "domain": name, "tokens": number}, of which only the time must be there.

        Raises:
            LabError: the file cannot be read, or holds something else.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise LabError(f"cannot read the list of arrivals {path}: {error}.") from error
        if not isinstance(values, list):
            raise LabError(
                f'{path} holds no list of arrivals: write [{{"time": 0.5, "domain": "math", "tokens": 60}}, ...].'
            )
        return cls(tuple(_arrival(value, f"{path}, request {number:,}") for number, value in enumerate(values, 1)))


Arrivals = Constant | Open


def _arrival(value: Any, where: str) -> Arrival:
    known = {"time", "domain", "tokens"}
    if not isinstance(value, dict) or "time" not in value or not set(value) <= known:
        raise LabError(f"{where}: {value!r} must be an object with time, and perhaps domain and tokens.")
    time, domain, tokens = value["time"], value.get("domain"), value.get("tokens")
    if isinstance(time, bool) or not isinstance(time, (int, float)):
        raise LabError(f"{where}: the time is {time!r}, but must be a number of seconds.")
    if not (domain is None or isinstance(domain, str)):
        raise LabError(f"{where}: the domain is {domain!r}, but must be a name.")
    if not (tokens is None or (isinstance(tokens, int) and not isinstance(tokens, bool))):
        raise LabError(f"{where}: tokens is {tokens!r}, but must be a whole number.")
    return Arrival(float(time), domain, tokens)


def _positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise LabError(f"{name} is {value}, but must be a finite number above 0.")


def arrivals_named(text: str) -> Arrivals:
    """Arrivals from how the command line writes them: "64", "poisson:12.5", "bursts:32:4" or the path of a list.

    Raises:
        LabError: it is none of these.
    """
    kind, _, rest = text.partition(":")
    try:
        if text.strip().isdecimal():
            return Constant(int(text))
        if kind == "poisson":
            return Poisson(float(rest))
        if kind == "bursts":
            size, _, every = rest.partition(":")
            return Bursts(int(size), float(every))
    except LabError:
        raise
    except ValueError as error:
        raise LabError(
            f"the arrivals {text!r} lack a number: write poisson:PER_SECOND or bursts:SIZE:SECONDS."
        ) from error
    if Path(text).is_file() or Path(text).suffix == ".json":
        return Listed.load(text)
    raise LabError(
        f"there are no arrivals {text!r}: write a number of concurrent requests, poisson:PER_SECOND, bursts:SIZE:SECONDS, "
        f"or name a file with a list."
    )
