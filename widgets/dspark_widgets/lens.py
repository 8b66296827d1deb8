"""What the sequential head raises and lowers after a token, and what it would after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import traitlets

from dspark_lab.records import to_json
from dspark_lab.rounds import Choice
from dspark_widgets import requests, results
from dspark_widgets.view import Stop, View

if TYPE_CHECKING:
    from torch import Tensor

    from dspark_lab.session import Session as LabSession

HEAD = 8
BIASES = 5


class HeadLens(View):
    """The draft's distribution at a position without and with the sequential head. With a session, the head can be asked
    what it would do after another previous token."""

    kind = traitlets.Unicode("lens").tag(sync=True)
    lens: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)

    def forget(self) -> None:
        super().forget()
        self.lens = None

    def on_head(self, request: requests.HeadRequest) -> None:
        session = cast("LabSession", self.session_of(request.branch, "asked"))

        def job(_should_stop: Stop) -> None:
            from dspark_lab.teaching.head import one_token, read_head

            self.set_status("asking")
            target = session.target
            previous = one_token(target.tokenizer, request.text) if request.token is None else request.token
            reading = read_head(session, request.round, request.k, previous)
            wanted = [*_top(reading.base, HEAD), *_top(reading.draft, HEAD)]

            def choices(values: Tensor, ids: list[int]) -> tuple[Choice, ...]:
                return tuple(Choice(target.token(i), float(values[i])) for i in ids)

            rows = list(dict.fromkeys(wanted))
            self.lens = to_json(
                results.Lens(
                    branch=request.branch,
                    round=request.round,
                    k=request.k,
                    previous=target.token(reading.previous),
                    base=choices(reading.base, rows),
                    draft=choices(reading.draft, rows),
                    biased_up=choices(reading.bias, _top(reading.bias, BIASES)),
                    biased_down=choices(reading.bias, _top(-reading.bias, BIASES)),
                )
            )

        self.work("lens", job)


def _top(values: Tensor, count: int) -> list[int]:
    return [int(i) for i in values.topk(min(count, len(values))).indices]
