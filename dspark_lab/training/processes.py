"""The processes of a training: one alone, or several under Hugging Face Accelerate, started by ``torchrun`` or, on GPUs,
``accelerate launch``. ``ACCELERATE_USE_CPU=true`` in the environment keeps them on the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn

from dspark_lab.errors import LabError


class Alone:
    """One process; also what every process of several offers.

    Attributes:
        rank, count: this process among how many.
        device: where it computes, None where that is free.
    """

    rank, count = 0, 1
    device: torch.device | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files and shows progress."""
        return self.rank == 0

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module as it is to be called in training."""
        return module

    def unsynchronised(self, module: nn.Module) -> AbstractContextManager[Any]:
        """Within it gradients gather in this process only."""
        return nullcontext()

    def mean(self, values: Tensor) -> Tensor:
        """The mean of ``values`` over the processes."""
        return values

    def wait(self) -> None:
        """Until all processes are here."""


class Several(Alone):
    """One of several processes, each with the whole model; gradients are averaged (data parallelism)."""

    def __init__(self) -> None:
        try:
            from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
        except ModuleNotFoundError as error:
            raise LabError('several processes need accelerate: pip install "dspark-lab[train]".') from error
        # A head whose loss is switched off gets no gradient; and the first process may write answers for days.
        handlers = [
            DistributedDataParallelKwargs(find_unused_parameters=True),
            InitProcessGroupKwargs(timeout=timedelta(days=30)),
        ]
        self._accelerator: Any = Accelerator(kwargs_handlers=handlers)
        kind = str(self._accelerator.distributed_type.value)
        if not kind.startswith("MULTI_"):
            raise LabError(
                f"accelerate is set up for {kind}, but drafters train data-parallel: choose MULTI_GPU or MULTI_CPU."
            )
        self.device = self._accelerator.device
        self.rank, self.count = self._accelerator.process_index, self._accelerator.num_processes

    def prepare(self, module: nn.Module) -> nn.Module:
        return self._accelerator.prepare_model(module)

    def unsynchronised(self, module: nn.Module) -> AbstractContextManager[Any]:
        return self._accelerator.no_sync(module)

    def mean(self, values: Tensor) -> Tensor:
        return self._accelerator.reduce(values, reduction="mean")

    def wait(self) -> None:
        self._accelerator.wait_for_everyone()


def processes() -> Alone:
    """As this program was started: under a launcher that says there are several, or alone."""
    return Several() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else Alone()


def first_alone(those: Alone, work: Callable[[], Any]) -> Any:
    """What ``work`` returns, done by the first process before the others do it again over the files that it left."""
    if not those.first:
        those.wait()
    result = work()
    if those.first:
        those.wait()
    return result
