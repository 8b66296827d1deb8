"""Records the example traces that the demo page shows while its models load: ``python -m dspark_widgets.record``."""

from __future__ import annotations

from pathlib import Path

from dspark_lab import Settings, Trace, load
from dspark_lab.training.corpus import open_prompts

FOLDER = Path(__file__).parent / "recorded"
SEED, RUNS = 7, 3


def record(folder: Path = FOLDER) -> None:
    """One trace an example prompt, at temperature 1, as ``{domain}_{index}.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    lab = load()
    for domain, prompts in open_prompts().items():
        for index, prompt in enumerate(prompts):
            runs = [lab.session(prompt, Settings(seed=SEED)).run().trace() for _ in range(RUNS)]
            trace = min(runs, key=milliseconds)  # alike but for what they took, which other work on the machine adds to
            trace.save(folder / f"{domain}_{index}.json")
            shown = f"{len(trace.rounds)} rounds, tau {trace.tau:.2f}, {milliseconds(trace):.0f} ms"
            print(f"{domain}_{index}: {shown}: {trace.text!r}")


def milliseconds(trace: Trace) -> float:
    """Measured in its rounds."""
    return sum(r.timings.total for r in trace.rounds if r.timings)


if __name__ == "__main__":
    record()
