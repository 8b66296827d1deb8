"""Simulations side by side, in processes of their own: each comes to what it would alone, in whatever order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice

from dspark_lab.memory import keep_freed
from dspark_lab.scheduling.arrivals import Arrivals, Constant
from dspark_lab.scheduling.bootstrap import Bootstrap
from dspark_lab.scheduling.scenario import Result, Scenario
from dspark_lab.scheduling.simulator import simulate_together

WORTH = 3e7
"""Rounds of requests to simulate, from which on processes are worth their start: some three seconds of one."""


Server = tuple[Scenario, Bootstrap]
"""What is simulated, under one load, and its tables."""


@dataclass(frozen=True)
class Job:
    """Simulations that are done together: the server by its place, the loads that it is put under and each one's steps;
    ``first`` counts the server's loads before these."""

    server: int
    first: int
    loads: list[tuple[Arrivals, int]]

    def rounds(self, most: int) -> int:
        """Rounds of requests to simulate, with ``most`` at once where their number is not constant."""
        return sum(steps * (x.requests if isinstance(x, Constant) else most) for x, steps in self.loads)


Done = tuple[Job, list[Result]]


def run(
    jobs: Sequence[Job], servers: Sequence[Server], workers: int = 1, should_stop: Callable[[], bool] | None = None
) -> Iterator[Done]:
    """The results of each job, soon after it is done; in the order of ``jobs`` where one process does them.

    Args:
        servers: those that jobs name.
        workers: processes; this one alone where the work is not worth their start.
        should_stop: asked before each job is begun; once it says so, no other is.
    """
    stopped = should_stop or (lambda: False)
    whole = sum(job.rounds(servers[job.server][0].most_requests) for job in jobs)
    workers = min(workers, len(jobs)) if whole >= WORTH else 1
    if workers > 1:
        yield from _side_by_side(jobs, servers, workers, stopped)
        return
    for job in jobs:
        if stopped():
            return
        yield job, _simulate(job, servers)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _side_by_side(
    jobs: Sequence[Job], servers: Sequence[Server], workers: int, stopped: Callable[[], bool]
) -> Iterator[Done]:
    # Started afresh: a fork of a process with threads, such as torch's, may hang.
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _begin, (list(servers),))
    left, under_way = iter(jobs), dict[Future[list[Result]], Job]()
    try:
        while True:
            for job in islice(left, 0 if stopped() else workers + 1 - len(under_way)):
                under_way[pool.submit(_simulate_begun, job)] = job
            if not under_way:
                return
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                yield under_way.pop(future), future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_servers: list[Server] = []


def _begin(servers: list[Server]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks is interrupted, and ends these
    keep_freed()
    _servers[:] = servers


def _simulate_begun(job: Job) -> list[Result]:
    return _simulate(job, _servers)


def _simulate(job: Job, servers: Sequence[Server]) -> list[Result]:
    what, rounds = servers[job.server]
    scenarios = [replace(what, arrivals=arrivals, steps=steps) for arrivals, steps in job.loads]
    return simulate_together(scenarios, bootstrap=rounds)
