"""The command line, ``dspark-lab``: one module a group of commands. torch is imported only once a command needs it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dspark_lab.cli import bench, calibrate, doctor, evaluate, export, generate, profile, share, simulate, step, train
from dspark_lab.cli.console import LabGroup, interrupted
from dspark_lab.cli.streams import close, open_outlets

__all__ = ["app", "main"]

STATUS = (
    "Exit status: 0 done, 1 not all well, 2 bad input, 130 interrupted, 141 the reader of stdout has left (files asked "
    "for, as with --trace, are written whole even then)."
)

app = typer.Typer(
    name="dspark-lab",
    cls=LabGroup,
    help="A laboratory for DSpark: step through, train and measure confidence-scheduled speculative decoding.",
    epilog=STATUS,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("step")(step.step)
app.command("generate")(generate.generate)
app.command("serve")(share.serve)
app.command("export-html")(share.export_html)
app.command("calibrate")(calibrate.calibrate)
app.command("profile")(profile.profile)
app.command("simulate")(simulate.simulate)
app.command("export-drafter")(export.export_drafter)
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
    """Run the command line and exit with its status, as ``STATUS`` explains it."""
    outlets, status = open_outlets(), 0
    try:
        app(prog_name="dspark-lab")
    except KeyboardInterrupt:
        interrupted()
        status = 130
    except SystemExit as end:
        status = int(end.code or 0)
    sys.exit(close(outlets, status))
