"""Target states kept on disk, for trainings that read each answer many times: memory-mapped safetensors.

Computing them on the way costs a forward pass of the target a step and no disk; all of Qwen3-4B's for the paper's data would
take about 38 TB.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm.auto import tqdm

from dspark_lab.errors import LabError
from dspark_lab.target import Target
from dspark_lab.training.answers import Answered
from dspark_lab.training.batches import Batch
from dspark_lab.training.claims import claim
from dspark_lab.training.states import States, target_states

ROWS_A_FILE = 256
TOKENS_A_PASS = 2**13
"""Tokens that the target reads at a time, padding included, or a single row: all its layers' outputs are held meanwhile."""
SPARE = 2**28
"""Bytes of the disk that are left free."""


class StateCache:
    """The states of numbered rows. ``with_states(batches)`` gives the batches theirs.

    Args:
        target: computes what is not there yet, in ``fill``.
        rows: the answers; a row's number is its place.
        layers: tapped target layers.
        folder: one file for each ``ROWS_A_FILE`` rows.
    """

    def __init__(self, target: Target, rows: Sequence[Answered], layers: Sequence[int], folder: Path) -> None:
        self.target, self.rows, self.layers, self.folder = target, rows, tuple(layers), folder
        self._widths = len(self.layers) * target.config.hidden_size, target.config.hidden_size
        self._open: dict[int, dict[str, Tensor]] = {}

    @property
    def size(self) -> int:
        """Bytes that all states take."""
        tokens = sum(len(prompt) + len(answer) for prompt, answer in self.rows)
        return tokens * sum(self._widths) * self.target.model.dtype.itemsize

    def fill(self, say: Callable[[str], None] = print) -> None:
        """Compute and write what is not there yet, after saying how much that is.

        Raises:
            LabError: the disk has no room for it, or the folder holds the states of something else.
        """
        digest = hashlib.sha256(json.dumps(self.rows).encode()).hexdigest()[:12]
        values = {"target": self.target.info.revision, "layers": self.layers, "rows": len(self.rows), "digest": digest}
        claim(self.folder / "states.json", values, "--cache-states")
        files = [self._file(part) for part in range(-(-len(self.rows) // ROWS_A_FILE))]
        missing = [part for part, file in enumerate(files) if not file.exists()]
        there = sum(file.stat().st_size for file in files if file.exists())
        need, free = max(0, self.size - there), shutil.disk_usage(self.folder).free
        say(f"target states: {_gigabytes(self.size)} in {self.folder}, {_gigabytes(need)} of them to be computed")
        if missing and need + SPARE > free:
            raise LabError(
                f"{self.folder} has room for {_gigabytes(max(0, free - SPARE))}, but the target states take "
                f"{_gigabytes(need)}: leave --cache-states out to compute them on the way, or train on fewer answers."
            )
        for part in tqdm(missing, desc="target states", unit="file"):
            self._write(part)

    def with_states(self, batches: Callable[[int], Batch]) -> Callable[[int], Batch]:
        """The batches with their states, which are read when a batch is asked for."""

        def batch_of(step: int) -> Batch:
            batch = batches(step)
            return replace(batch, states=self.read(batch.rows, batch.ids.shape[1]))

        return batch_of

    def read(self, rows: Sequence[int], length: int) -> States:
        """The states of ``rows``, zero past their ends, [B, length, ...]."""
        taps, final = (
            torch.zeros(len(rows), length, width, dtype=self.target.model.dtype, device=self.target.device)
            for width in self._widths
        )
        for i, row in enumerate(rows):
            stored = self._tensors(row // ROWS_A_FILE)
            taps[i, : len(stored[f"taps.{row}"])] = stored[f"taps.{row}"]
            final[i, : len(stored[f"final.{row}"])] = stored[f"final.{row}"]
        return taps, final

    def _write(self, part: int) -> None:
        first, tensors = part * ROWS_A_FILE, dict[str, Tensor]()
        rows = enumerate(self.rows[first : first + ROWS_A_FILE], first)
        ids = {row: torch.tensor(prompt + answer) for row, (prompt, answer) in rows}
        for some in _alike({row: len(each) for row, each in ids.items()}):
            # What stands to the right of a token is not seen by it, so padding changes nothing.
            batch = pad_sequence([ids[row] for row in some], batch_first=True).to(self.target.device)
            taps, final = (states.cpu() for states in target_states(self.target.model, batch, self.layers))
            for i, row in enumerate(some):
                tensors[f"taps.{row}"] = taps[i, : len(ids[row])].contiguous()
                tensors[f"final.{row}"] = final[i, : len(ids[row])].contiguous()
        file = self._file(part)
        unfinished = file.with_name(f".{file.name}.part")
        save_file(tensors, unfinished)
        os.replace(unfinished, file)

    def _tensors(self, part: int) -> dict[str, Tensor]:
        """A file's tensors: views of the mapped file, which the system reads as they are used."""
        if part not in self._open:
            with safe_open(self._file(part), "pt") as stored:
                self._open[part] = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        return self._open[part]

    def _file(self, part: int) -> Path:
        return self.folder / f"states-{part:05d}.safetensors"


def _alike(lengths: dict[int, int]) -> Iterator[list[int]]:
    """The rows, those of similar length together, as many as a pass may read."""
    some: list[int] = []
    for row in sorted(lengths, key=lengths.__getitem__):
        if some and lengths[row] * (len(some) + 1) > TOKENS_A_PASS:
            yield some
            some = []
        some.append(row)
    if some:
        yield some


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.2f} GB"
