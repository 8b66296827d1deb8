"""Charts of a view as Plotly FigureWidgets, which can be zoomed and panned, shown in the view itself."""

from __future__ import annotations

from typing import Any

import traitlets

from dspark_lab.records import to_json
from dspark_widgets import load_results, requests
from dspark_widgets.view import View


class Zooming(View):
    """A view with charts to zoom: ``figure`` of a subclass draws one."""

    zoomed: Any = traitlets.Dict(to_json(load_results.Zoomed())).tag(sync=True)

    _figure: Any = None
    _dark = False

    def figure(self, chart: str) -> Any:
        """The chart of that name as a Plotly figure. Raises LabError where there is none yet."""
        raise NotImplementedError

    def on_zoom(self, request: requests.ZoomRequest) -> None:
        self.forgive("serving")
        self._dark = request.dark
        self._zoom(request.chart)

    def zoom_again(self) -> None:
        """The chart that is shown, anew: its numbers have changed."""
        self._zoom(self.zoomed["chart"])

    def _zoom(self, chart: str) -> None:
        """One widget shows one chart after the other, as each brings the whole of Plotly to the page."""
        if chart:
            found = self.figure(chart)
            found.update_layout(
                template="plotly_dark" if self._dark else "plotly_white", paper_bgcolor="rgba(0,0,0,0)", width=None
            )
            if self._figure is None:
                from plotly.graph_objects import FigureWidget

                self._figure = FigureWidget(found)
                self._figure._config = {"displaylogo": False, "responsive": True}
            else:
                self._figure.data = ()
                self._figure.add_traces(found.data)
                self._figure.update_layout(found.layout, overwrite=True)
        self.zoomed = to_json(load_results.Zoomed(chart, self._figure.model_id if chart else ""))
