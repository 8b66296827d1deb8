"""Where messages go, and how errors end a command: one line on stderr and an exit status, never a traceback."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from dspark_lab.cli.text import flow
from dspark_lab.errors import LabError, LabNote


def out() -> Console:
    """stdout, coloured where it is a terminal."""
    return Console(highlight=False, markup=False, emoji=False)


def err() -> Console:
    """stderr: what is said beside the result."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(message: str, style: str = "") -> None:
    """One line beside the result."""
    err().print(Text(flow(message), style=style), soft_wrap=True)


def complain(message: str) -> None:
    """The one message of a command that failed."""
    err().print(Text.assemble(("error: ", "bold red"), flow(message)), soft_wrap=True)


def interrupted(message: str = "interrupted") -> None:
    """What Ctrl-C leaves behind."""
    say(message, "yellow")


class LabGroup(TyperGroup):
    """The root command. Whatever a person can put right ends it with one message and status 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _one_message():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        with _one_message(), _notes():
            return super().invoke(ctx)


@contextmanager
def _one_message() -> Iterator[None]:
    try:
        yield
    except LabError as error:
        complain(str(error))
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        interrupted()
        raise typer.Exit(130) from None
    except Exception as error:
        # Click's own errors, known by what they can do: typer brings click along or inside, by version.
        if not hasattr(error, "format_message") or type(error).__name__ == "NoArgsIsHelpError":
            raise
        complain(_usage(error))
        raise typer.Exit(2) from None


@contextmanager
def _notes() -> Iterator[None]:
    """The lab's own warnings as lines on stderr, each once."""
    shown: set[str] = set()
    with warnings.catch_warnings():
        otherwise = warnings.showwarning

        def show(message: Any, category: Any, *arguments: Any, **more: Any) -> None:
            if not issubclass(category, LabNote):
                otherwise(message, category, *arguments, **more)
            elif str(message) not in shown:
                shown.add(str(message))
                say(str(message), "yellow")

        warnings.showwarning = show
        yield


def _usage(error: Any) -> str:
    """A usage error in this command line's own form, with the way out."""
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    if message.startswith("Got unexpected extra argument"):
        return f'{message}: put a prompt of several words in quotes, such as dspark-lab step "Tom has 12 apples."'
    command = context.command_path if context else "dspark-lab"
    return f"{message}: see {command} --help"
