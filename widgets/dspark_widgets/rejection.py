"""Why this token: acceptance at one position, and a meter that repeats its round to see whether it is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import traitlets

from dspark_lab.errors import LabError
from dspark_lab.records import to_json
from dspark_lab.rounds import Token
from dspark_widgets import requests, results
from dspark_widgets.view import Stop, View

if TYPE_CHECKING:
    from dspark_lab.session import Session as LabSession
    from dspark_lab.teaching.exactness import ExactnessMeter, Tally

CHUNK = 20
MOST_ROUNDS = 2000


class RejectionView(View):
    """p_t and p_d at a position, what they share, the draw that decided, and the residual. With a session, the exactness
    meter repeats the round with fresh seeds and holds its first token against p_t, by the real rule or by a wrong one."""

    kind = traitlets.Unicode("rejection").tag(sync=True)
    meters: Any = traitlets.List().tag(sync=True)

    _meters: dict[tuple[int, int, str], ExactnessMeter]

    def forget(self) -> None:
        super().forget()
        self.meters, self._meters = [], {}

    def on_meter(self, request: requests.MeterRequest) -> None:
        """Repeat a round some times more; a stopped meter keeps what it has."""
        if not 1 <= request.rounds <= MOST_ROUNDS:
            raise LabError(
                f"{request.rounds} repetitions were asked for, but 1 to {MOST_ROUNDS:,} can be run at a time."
            )
        session = cast("LabSession", self.session_of(request.branch, "repeated"))
        key = request.branch, request.round, request.rule
        if request.afresh:
            self._meters.pop(key, None)
        serial = self.cursor["serial"]

        def job(should_stop: Stop) -> None:
            from dspark_lab.teaching.exactness import ExactnessMeter

            self.set_status("repeating")
            meter = self._meters.get(key) or ExactnessMeter(session, request.round, request.rule)
            left = request.rounds
            while left and not should_stop():
                left -= meter.run(min(CHUNK, left), should_stop)
                if self.cursor["serial"] != serial:
                    return
                self._meters[key] = meter
                self._publish(key, meter, session)
                self.set_status("repeating", f"repeated {meter.rounds} times")

        self.work("meter", job)

    def _publish(self, key: tuple[int, int, str], meter: ExactnessMeter, session: LabSession) -> None:
        if not meter.rounds:
            return
        reading, (branch, number, rule) = meter.reading(), key

        def row(tally: Tally, token: Token | None) -> results.MeterRow:
            return results.MeterRow(token, tally.p_t, tally.law, tally.count)

        shown = results.Meter(
            branch=branch,
            round=number,
            rule=rule,
            rounds=reading.rounds,
            first_seed=reading.first_seed,
            rows=tuple(row(t, session.target.token(t.token)) for t in reading.tallies),
            others=row(reading.others, None),
            statistic=reading.fit.statistic,
            degrees=reading.fit.degrees,
            p_value=reading.fit.p_value,
            impossible=reading.fit.impossible,
            distance=reading.distance,
            bias=reading.bias,
            history=tuple(meter.history),
        )
        others = [m for m in self.meters if (m["branch"], m["round"], m["rule"]) != key]
        self.meters = [*others, to_json(shown)]
