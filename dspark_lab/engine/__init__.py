"""Many requests decoded together: each step drafts, schedules and verifies all of them in one pass of each model."""

from dspark_lab.engine.engine import Engine
from dspark_lab.engine.request import Request, RequestRound, StepReport

__all__ = ["Engine", "Request", "RequestRound", "StepReport"]
