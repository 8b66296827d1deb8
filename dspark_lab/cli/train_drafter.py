"""``dspark-lab train drafter``: a drafter of any kind that learns, for any target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from dspark_lab.cli import options, runs
from dspark_lab.cli.console import interrupted, say
from dspark_lab.cli.lazy import part
from dspark_lab.errors import LabError
from dspark_lab.settings import Settings

RUNS = Path("runs")
TRAIN = 'pip install "dspark-lab[train]"'
_DRAFTER, _LEARNING, _ANSWERS, _FILES = "Drafter", "Learning", "Answers", "Files"


def whole(help_text: str, panel: str, default: str | bool = True) -> Any:
    return options.whole_option(help_text, default, panel)


def name(help_text: str, panel: str, default: str | bool = True) -> Any:
    return options.name_option(help_text, default, panel)


def train_drafter(
    kind: Annotated[str, name("dspark, dflash, ...", _DRAFTER)] = "dspark",
    head: Annotated[
        str | None, name("DSpark's sequential head: vanilla (Markov), gated or rnn.", _DRAFTER, "the kind's own")
    ] = None,
    layers: Annotated[int | None, whole("Draft layers of DSpark, DFlash and the draft model.", _DRAFTER, "2")] = None,
    block: Annotated[int, whole("Tokens drafted a round.", _DRAFTER)] = 7,
    rank: Annotated[int | None, whole("Rank of the sequential head; 0 for none.", _DRAFTER, "64")] = None,
    taps: Annotated[
        str | None, name("Target layers read, such as 1,4,6.", _DRAFTER, "an early, a middle and a late one")
    ] = None,
    loss: Annotated[
        str | None,
        name(
            "Weights of ce, tv, conf, kl and accept, and decay, such as ce=0.1,tv=0.9; what is left out is off.",
            _LEARNING,
            "DSpark: kl=1,tv=0.9,conf=1; others: kl=1",
        ),
    ] = None,
    steps: Annotated[str, name("Optimiser steps; 1200,1600 restarts the rate after 1200.", _LEARNING)] = "1200",
    batch: Annotated[
        int | None, whole("Answers a step.", _LEARNING, "16, or more for an equal share of each --accumulate")
    ] = None,
    accumulate: Annotated[
        int | None, whole("Batches that a step is divided into.", _LEARNING, "as many as processes")
    ] = None,
    lr: Annotated[float | None, options.number_option("Peak learning rate.", _LEARNING, "5e-3; 2e-3 for adamw")] = None,
    adamw_lr: Annotated[
        float | None, options.number_option("That of what muon leaves to AdamW.", _LEARNING, "twice --lr")
    ] = None,
    optimizer: Annotated[str, name("muon, or adamw, which takes three times the steps.", _LEARNING)] = "muon",
    precision: Annotated[
        str, name("Of products on a CPU: bfloat16, float32, or auto: bfloat16 where the CPU has it.", _LEARNING)
    ] = "auto",
    anchors: Annotated[int, whole("Blocks trained on per answer.", _LEARNING)] = 24,
    seed: Annotated[int, whole("Another seed makes another drafter.", _LEARNING)] = 0,
    target: options.TargetModel = None,
    prompts: Annotated[
        Path | None,
        runs.folder(
            'JSONL {"turns": [...]} or a prompt a line; a file, or a folder of them.', "the procedural corpus", _ANSWERS
        ),
    ] = None,
    answers: Annotated[int, whole("Prompts answered by the target.", _ANSWERS)] = 10_240,
    longest: Annotated[int, whole("Tokens that an answer may have.", _ANSWERS)] = 160,
    server: Annotated[
        str | None, name("OpenAI-compatible server that runs the target.", _ANSWERS, "the target answers here")
    ] = None,
    served: Annotated[str | None, name("What the server calls the target.", _ANSWERS, "as --target")] = None,
    together: Annotated[int, whole("Requests to the server at a time.", _ANSWERS)] = 16,
    answers_in: Annotated[
        Path | None, runs.folder("Folder of answers, which trainings can share.", "answers/ in --work", _ANSWERS)
    ] = None,
    out: Annotated[Path | None, runs.folder("Folder for the finished drafter.", "runs/ and the kind", _FILES)] = None,
    work: Annotated[
        Path | None, runs.folder("Folder for checkpoints and logs.", "work/ in the --out folder", _FILES)
    ] = None,
    cache_states: Annotated[
        Path | None, runs.folder("Keep the target's states in this folder.", "they are computed on the way", _FILES)
    ] = None,
    save_every: Annotated[int, whole("Steps between checkpoints.", _FILES)] = 100,
    device: options.Device = None,
    threads: runs.Threads = None,
) -> None:
    """Train a drafter on its target's own answers. Interrupted, the same command goes on from the last checkpoint.

    Several processes: torchrun --nproc_per_node 2 -m dspark_lab train drafter ... (or accelerate launch, on GPUs).
    """
    least = 1 if batch is None else batch
    limits = {
        "layers": (2 if layers is None else layers, 1, 64), "block": (block, 1, 64),
        "rank": (64 if rank is None else rank, 0, 4096), "batch": (least, 1, 2**20),
        "anchors": (anchors, 1, 2**16), "answers": (answers, 1, 2**32), "longest": (longest, 1, 2**24),
        "together": (together, 1, 4096), "save-every": (save_every, 1, 2**32), "accumulate": (accumulate or 1, 1, 2**20),
    }  # fmt: skip
    for option, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise LabError(f"--{option} is {value}, but must be from {low} to {high:,}.")
    for option, rate in (("lr", lr), ("adamw-lr", adamw_lr)):
        if rate is not None and not 0 < rate <= 1:
            raise LabError(f"--{option} is {rate}, but must be above 0 and at most 1: leave it out for what is usual.")
    if served is not None and server is None:
        raise LabError(f"--served {served} names the target on a server, but there is no --server: name one.")
    cycles = runs.whole_numbers("--steps", steps, "1200 or 1200,1600")
    if min(cycles) < 1:
        raise LabError(f"--steps is {steps}, but must be at least 1.")
    layers_read = () if taps is None else runs.whole_numbers("--taps", taps, "1,4,6")
    runs.check_threads(threads)
    Settings(seed=seed)
    out = out or RUNS / kind
    work = work or out / "work"
    answers_in = answers_in or work / "answers"
    import torch

    from dspark_lab.checkpoints import POCKET
    from dspark_lab.loading import load_target
    from dspark_lab.memory import keep_freed
    from dspark_lab.training.answers import Answered, regenerate
    from dspark_lab.training.conversations import corpus_conversations, read_conversations
    from dspark_lab.training.kinds import HEADED, LAYERED, Options, training_of, usual_loss
    from dspark_lab.training.losses import LossWeights
    from dspark_lab.training.processes import first_alone, processes
    from dspark_lab.training.trainer import USUAL_BATCH, Plan, Trainer, mask_token

    module, weights = training_of(kind), usual_loss(kind) if loss is None else LossWeights.parse(loss)
    for option, given, kinds in (("layers", layers, LAYERED), ("head", head, HEADED), ("rank", rank, HEADED)):
        if given is not None and kind not in kinds:
            raise LabError(
                f"--{option} is {given}, but {kind} has no such choice: leave it out, or take {', '.join(kinds)}."
            )
    asked = read_conversations(prompts, answers) if prompts else corpus_conversations(answers, seed)
    asking = None
    if server is not None:
        regenerate_through = part("dspark_lab.training.server", "regenerate_through", TRAIN)
        asking = part("dspark_lab.training.server", "Server")(server, served or target or "pocket/target", together)
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed()
    options.quieten(target)
    group = processes()
    loaded = load_target(target or POCKET / "target", runs.device(device, group))
    shape = Options(
        kind, mask_token(loaded), head=head or Options.head, layers=limits["layers"][0], block_size=block,
        rank=limits["rank"][0], anchors=anchors,
        taps=_taps(layers_read, loaded.config.num_hidden_layers), confidence=weights.conf > 0,
    )  # fmt: skip
    parts = accumulate or group.count
    plan = Plan(
        shape,
        weights,
        cycles,
        batch or -(-USUAL_BATCH // parts) * parts,
        parts,
        lr,
        seed,
        optimizer,
        adamw_lr,
        precision,
    ).settled(loaded.device, work)
    module.new_model(loaded.model, shape)  # what cannot be built is refused before the target answers for hours
    runs.make(out=out, work=work, answers_in=answers_in, cache_states=cache_states)
    if group.first:
        say(f"checkpoints and logs are in {work}; after an interruption the same command goes on from there")
        if plan.precision == "bfloat16":
            say("large products are made in bfloat16: --precision float32 makes them in float32")

    def answered() -> list[Answered]:
        if asking is None:
            return regenerate(loaded, asked, answers_in, seed, longest)
        return regenerate_through(asking, loaded, asked, answers_in, seed, longest)

    try:
        rows = first_alone(group, answered)
        trainer = Trainer(loaded, rows, plan, work, cache_states=cache_states, save_every=save_every, group=group)
        trainer.run()
    except KeyboardInterrupt:
        interrupted(f"interrupted: run the same command again to go on from the last checkpoint in {work}")
        raise typer.Exit(130) from None
    if group.first:
        trainer.save(out)
        given = f"--target {target} " if target else ""
        say(f"the trained drafter is in {out}: use it with {given}--drafter {out}")
    group.wait()


def _taps(layers: tuple[int, ...], depth: int) -> tuple[int, ...]:
    """The layers, checked: transformers gives the last one's output only normalised."""
    if list(layers) != sorted(set(layers)) or any(not 0 <= layer < depth - 1 for layer in layers):
        raise LabError(
            f"--taps is {','.join(map(str, layers))}, but must be rising numbers from 0 to {depth - 2}: the target has "
            f"{depth} layers, and the last cannot be read."
        )
    return layers
