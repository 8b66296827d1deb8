"""``dspark-lab doctor``: what is installed, what works, and what to do about the rest."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.console import Console
from rich.text import Text

from dspark_lab.cli import checks, options
from dspark_lab.cli.checks import INFO, OK, Check
from dspark_lab.cli.console import out
from dspark_lab.cli.text import line

NAME = 36


def doctor(json: options.JsonFile = None) -> None:
    """Check the installation; status 0 when step and generate work."""
    options.check_outputs(json=json)
    console, found, group = out(), list[Check](), ""
    for check in checks.every_check():
        if check.group != group:
            group = check.group
            console.print(Text(("\n" if found else "") + group.capitalize(), style="bold"))
        _show(check, console)
        found.append(check)
    works = all(check.well for check in found if check.needed)
    lacking = [check.name for check in found if not check.well and not check.needed]
    verdict = "step and generate work" if works else "step and generate do not work yet: see the lines marked ✗"
    console.print(Text(f"\n{verdict}", style="bold" if works else "bold red"))
    if lacking:
        console.print(Text(f"not needed for them, but lacking: {', '.join(lacking)}"), soft_wrap=True)
    if json:
        options.write_json(json, {"ok": works, "checks": [asdict(check) for check in found]})
    raise typer.Exit(0 if works else 1)


def _show(check: Check, console: Console) -> None:
    off = ("✗", "bold red") if check.needed else ("!", "yellow")
    mark, style = {OK: ("✓", "green"), INFO: ("·", "bright_black")}.get(check.status, off)
    text = Text.assemble((f"  {mark} ", style), (f"{check.name:<{NAME}} ", ""), (f"{check.status:<8} ", style))
    text.append(line(check.detail), "bright_black" if check.well else "")
    if check.remedy:
        text.append(f"\n    {'':<{NAME}} {'':<8} ", "").append(f"remedy: {check.remedy}", "cyan")
    console.print(text, soft_wrap=True)
