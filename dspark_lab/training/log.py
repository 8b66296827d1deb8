"""What a training leaves to be read: a line every so many steps, and TensorBoard's log."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspark_lab.records import write_atomically
from dspark_lab.training.processes import Alone

if TYPE_CHECKING:
    from dspark_lab.training.trainer import Progress

LOG_EVERY = 20
"""Steps between lines of the log."""


class Log:
    """A training's ``log.jsonl``, and its TensorBoard log where TensorBoard is installed; only the first process writes."""

    def __init__(self, folder: Path, group: Alone) -> None:
        self._file = folder / "log.jsonl" if group.first else None
        self._board: Any = None
        self._folder = folder

    def add(self, progress: Progress) -> None:
        if self._file is None or progress.step % LOG_EVERY:
            return
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        # What was logged after the checkpoint that a run went on from is trained, and logged, once more.
        kept = [line for line in lines if json.loads(line)["step"] < progress.step]
        write_atomically(self._file, "\n".join([*kept, json.dumps(asdict(progress))]) + "\n")
        if self._board is None and importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self._folder / "tensorboard"), purge_step=progress.step)
        if self._board is not None:
            for name, value in {**progress.losses, "tau": progress.tau}.items():
                self._board.add_scalar(name, value, progress.step)
            for k, value in enumerate(progress.alpha, 1):
                self._board.add_scalar(f"alpha/{k}", value, progress.step)
            self._board.add_scalar("blocks_per_second", progress.blocks_per_second, progress.step)
            self._board.flush()
