"""Records the example traces that the demo page shows while its models load: ``python -m dspark_widgets.record``."""

from __future__ import annotations

from pathlib import Path

from dspark_lab import Settings, load
from dspark_lab.training.corpus import open_prompts

FOLDER = Path(__file__).parent / "recorded"
SEED = 7


def record(folder: Path = FOLDER) -> None:
    """One trace an example prompt, at temperature 1, as ``{domain}_{index}.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    lab = load()
    for domain, prompts in open_prompts().items():
        for index, prompt in enumerate(prompts):
            trace = lab.session(prompt, Settings(seed=SEED)).run().trace()
            trace.save(folder / f"{domain}_{index}.json")
            print(f"{domain}_{index}: {len(trace.rounds)} rounds, tau {trace.tau:.2f}: {trace.text!r}")


if __name__ == "__main__":
    record()
