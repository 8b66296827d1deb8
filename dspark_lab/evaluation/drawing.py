"""Charts as Plotly pages that open from a file, and as pictures where there is a Chromium to take them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from dspark_lab.errors import LabError
from dspark_lab.evaluation.charts import Chart, Series
from dspark_lab.records import write_atomically

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#735C00", "#000000")
"""Okabe and Ito's, told apart by most colour-blind readers; markers differ too."""
MARKERS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "pentagon")
GUIDE = {"color": "grey", "width": 1, "dash": "dot"}
MOST_TICKS = 12
HEIGHT, STRIP_HEIGHT, PANEL_WIDTH, MARGIN_WIDTH = 460, 120, 330, 330


def draw(chart: Chart) -> go.Figure:
    """Markers with confidence intervals, joined where x is a number; the paper's are hollow and dashed. Bars, where there
    are any, stand in a strip below."""
    series = [s for panel in chart.panels.values() for s in panel]
    names = list(dict.fromkeys(_root(s.name) for s in series if s.style != "guide"))
    places = list({x: None for s in series for x in s.points})
    numeric = all(isinstance(x, (int, float)) for x in places)
    strip = any(s.style == "bars" for s in series)
    heights = {"row_heights": [0.75, 0.25], "vertical_spacing": 0.06} if strip else {}
    figure = make_subplots(
        1 + strip,
        len(chart.panels),
        shared_yaxes=True,
        shared_xaxes=strip,
        subplot_titles=list(chart.panels),
        **heights,
    )
    shown: set[str] = set()
    for column, panel in enumerate(chart.panels.values(), 1):
        for s in panel:
            if s.style == "guide":
                trace = go.Scatter(x=list(s.points), y=_values(s), mode="lines", line=GUIDE, hoverinfo="skip")
                figure.add_trace(trace.update(name=s.name, showlegend=False), row=1, col=column)
                continue
            make, row = (_bars, 2) if s.style == "bars" else (_trace, 1)
            figure.add_trace(make(s, names.index(_root(s.name)), numeric, s.name not in shown), row=row, col=column)
            shown.add(s.name)
    missing = f"<br><sup>missing: {', '.join(chart.missing)}</sup>" if chart.missing else ""
    figure.update_layout(
        title=chart.title + missing,
        template="plotly_white",
        height=HEIGHT + STRIP_HEIGHT * strip,
        width=PANEL_WIDTH * len(chart.panels) + MARGIN_WIDTH,
        scattermode="overlay" if numeric else "group",
        barmode="overlay",
        yaxis_title=chart.y,
    )
    figure.update_xaxes(tickvals=places if numeric and len(places) <= MOST_TICKS else None)
    figure.update_xaxes(title=chart.x, row=1 + strip)
    return figure


def _root(name: str) -> str:
    """What a series of ours and the paper's have in common: they share colour and marker."""
    return name.partition(" (")[0]


def _values(s: Series) -> list[float | None]:
    return [e.value for e in s.points.values()]


def _bars(s: Series, index: int, joined: bool, legend: bool) -> go.Bar:
    """Of the paper's only the outline."""
    colour = COLOURS[index % len(COLOURS)]
    return go.Bar(
        x=list(s.points),
        y=_values(s),
        name=s.name,
        legendgroup=s.name,
        showlegend=legend,
        marker={"color": "rgba(0,0,0,0)" if s.paper else colour, "line": {"color": colour, "width": 1}},
        opacity=1 if s.paper else 0.6,
    )


def _trace(s: Series, index: int, joined: bool, legend: bool) -> go.Scatter:
    x, estimates = list(s.points), list(s.points.values())
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    above = [0.0 if e.high is None or e.value is None else e.high - e.value for e in estimates]
    below = [0.0 if e.low is None or e.value is None else e.value - e.low for e in estimates]
    return go.Scatter(
        x=x,
        y=_values(s),
        name=s.name,
        legendgroup=s.name,
        showlegend=legend,
        mode="lines+markers" if joined else "markers",
        line={"color": colour, "dash": "dash" if s.paper else "solid"},
        marker={"symbol": marker + ("-open" if s.paper else ""), "size": 9, "color": colour},
        error_y={"type": "data", "array": above, "arrayminus": below, "visible": any(above + below), "thickness": 1},
    )


def write(charts: Sequence[Chart], folder: Path, chromium: str | None) -> list[Path]:
    """``NAME.html`` for each chart, with Plotly's script beside them in ``plotly.min.js``, so that they work offline; and
    ``NAME.png`` with ``chromium``, the program. Returns the files.

    Raises:
        LabError: a file cannot be written, or the browser fails.
    """
    write_atomically(folder / "plotly.min.js", get_plotlyjs())
    files = []
    for chart in charts:
        figure = draw(chart)
        page = folder / f"{chart.name}.html"
        write_atomically(page, figure.to_html(include_plotlyjs="directory", config={"displayModeBar": False}))
        files.append(page)
        if chromium:
            picture = page.with_suffix(".png")
            width, height = int(figure.layout.width) + 16, int(figure.layout.height) + 16
            _photograph(page, picture, width, height, chromium)
            files.append(picture)
    return files


def _photograph(page: Path, picture: Path, width: int, height: int, chromium: str) -> None:
    """kaleido would drive the same browser through three more packages."""
    part = picture.with_name(f".{picture.name}.part.png")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            chromium,
            "--headless",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "--force-device-scale-factor=2",
            "--virtual-time-budget=10000",
            f"--screenshot={part.resolve()}",
            page.resolve().as_uri(),
        ]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.insert(1, "--no-sandbox")  # Chromium refuses to run as root with it
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError(f"{chromium} cannot draw {picture}: {error}. {page} is there.") from error
    if not part.is_file():
        last = (done.stderr.strip().splitlines() or ["it left no picture"])[-1]
        raise LabError(f"{chromium} cannot draw {picture}: {last}. {page} is there.")
    part.replace(picture)
