"""The command line, ``dspark-lab``: one module a group of commands. torch is imported only once a command needs it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dspark_lab.cli import bench, doctor, evaluate, generate, share, step, train
from dspark_lab.cli.console import LabGroup, interrupted

__all__ = ["app", "main"]

app = typer.Typer(
    name="dspark-lab",
    cls=LabGroup,
    help="A laboratory for DSpark: step through, train and measure confidence-scheduled speculative decoding.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("step")(step.step)
app.command("generate")(generate.generate)
app.command("serve")(share.serve)
app.command("export-html")(share.export_html)
app.command("doctor")(doctor.doctor)
app.add_typer(train.training, name="train")
app.add_typer(evaluate.evaluating, name="eval")
app.add_typer(bench.app, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        import dspark_lab

        typer.echo(f"dspark-lab {dspark_lab.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line and exit with its status: 0 done, 1 not all well, 2 bad input, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ✓ shows ? instead of failing
    try:
        app(prog_name="dspark-lab")
    except KeyboardInterrupt:
        interrupted()
        sys.exit(130)
