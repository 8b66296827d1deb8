"""What a visitor of the page may ask for. A server tells its kernels by their environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from dspark_lab.errors import LabError

_PREFIX = "DSPARK_MOST_"


@dataclass(frozen=True)
class Limits:
    """The most that one visitor gets: characters of a prompt, new tokens of a run, forks kept beside a trace."""

    prompt: int = 4000
    tokens: int = 512
    forks: int = 32

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise LabError(
                    f"the limit on {name} is {value}, but must be at least 1: {getattr(Limits, name)} is usual."
                )

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> Limits:
        """Those that the environment sets, the usual ones otherwise. Raises LabError where one is no number above 0."""
        given = {f.name: environment.get(_PREFIX + f.name.upper(), "") for f in fields(cls)}
        try:
            return cls(**{name: int(text) for name, text in given.items() if text})
        except ValueError as error:
            raise LabError(f"{_PREFIX}…: {error}; write whole numbers.") from error

    @property
    def environment(self) -> dict[str, str]:
        """What tells a kernel of these limits."""
        return {_PREFIX + name.upper(): str(value) for name, value in asdict(self).items()}
