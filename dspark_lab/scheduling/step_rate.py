"""SPS(B): how many steps a second the target makes when it computes B tokens a step. What the scheduler weighs length against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dspark_lab.errors import LabError
from dspark_lab.records import from_json, to_json, write_atomically

REMEDY = "Measure one with dspark-lab profile."
MOST_TOKENS = 1 << 24
"""For so many tokens a step a step rate can be known: a table of them all is kept."""
SLOWEST, FASTEST = 1e-150, 1e150
"""Steps per second: what lies beyond is no measurement, and its products leave the range of numbers."""
FARTHEST = 128
"""So many times as far as was measured, a measured step rate is carried on at most."""


@dataclass(frozen=True)
class StepRate:
    """A step rate known at some numbers of tokens.

    Between them the time of a step is taken to grow in a straight line; a step of fewer tokens than the first takes as
    long as the first.

    Attributes:
        tokens: B, rising whole numbers from 1. rates: steps per second at each.
        source: whether somebody timed it, or it follows from a model of the hardware.
        title: what it is, in a few words.
        about: where it comes from: device, model and its revision, context length, date, or the model's parameters.

    Raises:
        LabError: it is empty, not as long as its tokens, or a value is not finite and above zero.
    """

    tokens: tuple[int, ...]
    rates: tuple[float, ...]
    source: Literal["measured", "modelled"] = "modelled"
    title: str = "step rate"
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.tokens or len(self.tokens) != len(self.rates):
            raise LabError(
                f"a step rate has {len(self.rates)} rates for {len(self.tokens)} numbers of tokens, but there must be as "
                f"many of both, and one at least. {REMEDY}"
            )
        numbers = [*self.tokens, *self.rates]
        if any(isinstance(n, bool) for n in numbers) or not (
            all(isinstance(n, Integral) for n in self.tokens) and all(isinstance(r, Real) for r in self.rates)
        ):
            raise LabError(
                f"a step rate's numbers of tokens must be whole, and its rates numbers, but the first are {self.tokens[0]!r} and "
                f"{self.rates[0]!r}. {REMEDY}"
            )
        if self.tokens[0] < 1 or any(b <= a for a, b in zip(self.tokens, self.tokens[1:], strict=False)):
            raise LabError(f"a step rate's numbers of tokens must rise from 1 or more, but are {_short(self.tokens)}.")
        if self.tokens[-1] > MOST_TOKENS:
            raise LabError(
                f"a step rate for {self.tokens[-1]:,} tokens a step was asked for, but at most {MOST_TOKENS:,} are computed "
                f"with: take fewer requests or a shorter draft."
            )
        for tokens, rate in zip(self.tokens, self.rates, strict=True):
            if not SLOWEST <= rate <= FASTEST:
                raise LabError(
                    f"the step rate at {tokens} tokens is {rate!s:.40}, but must be a finite number above 0 (steps per second), "
                    f"from {SLOWEST:g} to {FASTEST:g}. {REMEDY}"
                )

    @classmethod
    def each(cls, rates: Sequence[float], **fields: Any) -> StepRate:
        """From SPS(1), SPS(2), ..."""
        return cls(tuple(range(1, len(rates) + 1)), tuple(map(float, rates)), **fields)

    @property
    def most(self) -> int:
        """The largest number of tokens for which it is known."""
        return self.tokens[-1]

    @cached_property
    def _table(self) -> NDArray[np.float64]:
        """SPS(0), SPS(1), ..., the first only so that B is the index."""
        rates = np.array(self.rates, float)
        table: NDArray[np.float64] = 1.0 / np.interp(np.arange(self.most + 1), self.tokens, 1.0 / rates)
        table[list(self.tokens)] = rates  # to the last digit
        return table

    def __call__(self, tokens: int) -> float:
        """SPS(tokens) in steps per second. Raises LabError beyond ``most``."""
        return float(self.between(tokens, tokens)[0])

    def between(self, first: int, last: int) -> NDArray[np.float64]:
        """SPS(first), ..., SPS(last). Raises LabError where it is not known so far."""
        for tokens in (first, last):
            _check_whole(tokens)
        if first < 1:
            raise LabError(f"a step of {first} tokens has no rate: a step computes at least 1 token.")
        if last > self.most:
            raise LabError(
                f"the step rate ({self.title}) is known up to {self.most:,} tokens, but {last:,} are asked for: measure "
                f"more (dspark-lab profile --tokens {last}), or carry it on with extended({last})."
            )
        return self._table[first : last + 1]

    def seconds(self, tokens: int) -> float:
        """The time of a step."""
        return 1.0 / self(tokens)

    def extended(self, most: int) -> StepRate:
        """Known up to ``most`` tokens: beyond the last the time of a step grows as it does on average over the last half.

        What is added is modelled, and so is the whole then: the title says from where on.

        Raises:
            LabError: a measured one was measured for far fewer tokens.
        """
        if most <= self.most:
            return self
        if self.source == "measured" and most > FARTHEST * self.most:
            raise LabError(
                f"the step rate ({self.title}) covers up to {self.most:,} tokens a step, too few to say what {most:,} take: "
                f"measure more (dspark-lab profile --tokens {-(-most // FARTHEST)} or more), or take fewer requests."
            )
        times = 1.0 / self._table
        half = max(1, self.most // 2)
        slope = max(0.0, (times[-1] - times[half]) / (self.most - half)) if self.most > half else 0.0
        rate = 1.0 / (times[-1] + slope * (most - self.most))
        title = f"{self.title}, carried on from {self.most:,} tokens"
        title = title if self.source == "modelled" else f"{self.source}: {title}"
        return replace(
            self, tokens=(*self.tokens, most), rates=(*self.rates, float(rate)), title=title, source="modelled"
        )

    def save(self, path: str | Path) -> None:
        """Write as JSON; an existing file is replaced only by a whole one."""
        write_atomically(path, json.dumps({"step_rate": to_json(self)}, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> StepRate:
        """Read a file. Raises LabError where it is missing or no step rate."""
        try:
            value = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise LabError(f"cannot read the step rate {path}: {error}. {REMEDY}") from error
        if not isinstance(value, Mapping) or "step_rate" not in value:
            raise LabError(f"{path} is no step rate: it has no field 'step_rate'. {REMEDY}")
        read: StepRate = from_json(cls, value["step_rate"], "step_rate", REMEDY)
        return read


def _check_whole(tokens: Any) -> None:
    if not isinstance(tokens, Integral):
        raise LabError(f"a step of {tokens!r} tokens has no rate: a step computes a whole number of tokens.")


def _short(values: Sequence[Any]) -> str:
    shown = ", ".join(map(str, values[:6]))
    return shown if len(values) <= 6 else f"{shown}, ..."
