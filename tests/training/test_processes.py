"""Several processes under Accelerate: the run of one, shared out."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dspark_lab.errors import LabError
from dspark_lab.loading import load_target
from dspark_lab.training.kinds import Options
from dspark_lab.training.loop import Schedule, train
from dspark_lab.training.losses import LossWeights
from dspark_lab.training.processes import Alone
from dspark_lab.training.trainer import Plan, Trainer
from tests.training.test_loop import new_model
from tests.training.test_trainer import ROWS

TOLERANCE = 1e-4
"""Largest relative difference of a step's loss: two processes add up gradients in another order."""

SCRIPT = """
import sys
import torch
torch.set_num_threads(1)
from dspark_lab.training.processes import processes
from tests.training.test_processes import train_tiny
train_tiny(*sys.argv[1:], processes())
"""


def train_tiny(target: str, work: str, group: Alone) -> None:
    """A training in steps of two batches; its losses go to ``losses.json`` in ``work``."""
    shape = Options("dspark", 4, layers=1, block_size=3, rank=8, anchors=4, taps=(0, 2))
    # The confidence head is there, but no loss trains it: a parameter without gradients.
    plan = Plan(shape, LossWeights(conf=0), steps=(6,), batch=4, accumulate=2, lr=0.01)
    loaded = load_target(target, torch.device("cpu"))
    trainer = Trainer(loaded, ROWS, plan, work, bar=False, group=group, save_every=4)
    losses = [p.losses["loss"] for p in trainer]
    if group.first:
        Path(work, "losses.json").write_text(json.dumps([group.count, losses]))


def test_two_processes_make_the_run_of_one(tiny_folder: Path, tmp_path: Path) -> None:
    """What a launcher starts: two processes that find each other by their environment (gloo, on the CPU)."""
    root, target = Path(__file__).parents[2], str(tiny_folder / "target")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        **os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(root / "kernels")]), "ACCELERATE_USE_CPU": "true",
        "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    both = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, target, str(tmp_path / "two")],
            env={**shared, "RANK": rank, "LOCAL_RANK": rank}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for rank in "01"
    ]  # fmt: skip
    try:
        train_tiny(target, str(tmp_path / "one"), Alone())
        for process in both:
            output, _ = process.communicate(timeout=300)
            assert process.returncode == 0, output
    finally:
        for process in both:
            process.kill()
    (one, alone), (two, together) = (
        json.loads((tmp_path / name / "losses.json").read_text()) for name in ("one", "two")
    )
    assert (one, two) == (1, 2)
    assert together == pytest.approx(alone, rel=TOLERANCE)
    assert alone[-1] < alone[0]


def test_batches_that_cannot_be_shared_out_are_refused(tmp_path: Path) -> None:
    class Three(Alone):
        count = 3

    model = new_model()
    with pytest.raises(LabError, match="2 batches cannot be shared out among 3 processes"):
        next(train(model, lambda _: {}, Schedule(1, 0.1), tmp_path, accumulate=2, group=Three()))
