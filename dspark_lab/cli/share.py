"""``dspark-lab serve`` and ``export-html``: the views in a browser, live or as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dspark_lab.cli import options
from dspark_lab.cli.console import say
from dspark_lab.cli.lazy import part, require
from dspark_lab.errors import LabError
from dspark_lab.trace import Trace

PAGE = Path("notebooks", "app.ipynb")


def serve(
    notebook: Annotated[
        Path | None,
        typer.Argument(
            help="The notebook whose outputs are the page.", parser=options.path, show_default="the lab's own page"
        ),
    ] = None,
    port: Annotated[int | None, options.whole_option("Where to listen.", "the first free one from 8866")] = None,
    host: Annotated[
        str, options.name_option("Listen on this address; 0.0.0.0 lets others in, with a token.")
    ] = "127.0.0.1",
    base_url: Annotated[str, typer.Option(help="The page's path, for a proxy in front of it.", metavar="PATH")] = "/",
    public_url: Annotated[
        str,
        typer.Option(
            help="The address that visitors use, where a reverse proxy stands in front; its headers are believed then.",
            metavar="URL",
            show_default=False,
        ),
    ] = "",
    ready: Annotated[int, options.whole_option("Kernels kept ready; with 0 one starts when a page asks.")] = 1,
    visitors: Annotated[int, options.whole_option("The most visitors at a time; others are asked to come again.")] = 12,
    idle: Annotated[
        float, options.number_option("Minutes without a request after which an open page gives up its kernel.")
    ] = 30.0,
    most_prompt: Annotated[int, options.whole_option("The most characters of a prompt.")] = 4000,
    most_tokens: Annotated[int, options.whole_option("The most new tokens of a run.")] = 512,
    most_forks: Annotated[int, options.whole_option("The most forks that a visitor keeps.")] = 32,
    no_share: Annotated[
        bool,
        typer.Option("--no-share", help="Start kernels one by one, not forked from one that has the models loaded."),
    ] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
    timeout: Annotated[float, options.number_option("Seconds to wait for the server to answer.")] = 120.0,
) -> None:
    """Open the page in a browser; Ctrl-C ends it."""
    if port is not None and not 1 <= port <= 65535:
        raise LabError(f"--port is {port}, but ports go from 1 to 65535: 8866 is the usual one.")
    if not 0 < timeout < float("inf"):
        raise LabError(f"--timeout is {timeout}, but must be a number of seconds above 0: 120 is the usual one.")
    page = _page(notebook)
    require("voila")
    run, hosting_of, can_share, limits_of = (
        part(f"dspark_widgets.{module}", name)
        for module, name in (
            ("serving.server", "serve"),
            ("serving.options", "Hosting"),
            ("serving.options", "can_share"),
            ("limits", "Limits"),
        )
    )
    hosting = hosting_of(
        host=host,
        base_url=base_url,
        public_url=public_url,
        ready=ready,
        visitors=visitors,
        idle=idle,
        share=can_share() and not no_share,
        limits=limits_of(most_prompt, most_tokens, most_forks),
    )
    try:
        status = run(page, port=port, hosting=hosting, open_browser=not no_browser, timeout=timeout)
    except (OSError, OverflowError) as error:  # a timeout is an OSError too
        raise LabError(f"the page cannot be served: {error}") from error
    raise typer.Exit(status)


def export_html(
    trace: Annotated[
        Path, typer.Argument(metavar="TRACE.json", help="A file that --trace has written.", parser=options.path)
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.html", help="The page to write.", parser=options.path)],
) -> None:
    """Turn a recorded trace into one HTML file that steps through it without a kernel or the internet."""
    options.check_outputs(out=out)
    if out.exists() and trace.exists() and out.samefile(trace):
        raise LabError(
            f"{out} is the trace itself: name another file for the page, such as {trace.with_suffix('.html')}."
        )
    part("dspark_widgets", "export_html")(Trace.load(trace), out)
    say(f"wrote {out}: open it in any browser")


def _page(notebook: Path | None) -> Path:
    """The notebook to serve: the one named, else the lab's own, in this folder or beside the library."""
    if notebook is not None:
        if not notebook.is_file():
            raise LabError(f"there is no notebook {notebook}: name an .ipynb file that exists.")
        return notebook
    places = [Path.cwd() / PAGE, Path(__file__).parents[2] / PAGE]
    for place in places:
        if place.is_file():
            return place
    raise LabError(
        f"{PAGE} is neither in {Path.cwd()} nor beside the library: name a notebook, or run this in a checkout."
    )
