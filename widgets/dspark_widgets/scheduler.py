"""How far: the queue for a step, what it comes to, and where a policy cuts it, at any load."""

from __future__ import annotations

import traitlets

from dspark_widgets.planner import Planner


class SchedulerView(Planner):
    """The pool of candidates in order of admission, Theta along the way, the step rate, and where the policy stops. The load,
    the policy and the step rate can be changed, and the cut follows; given a session, such a change can be run as a fork."""

    kind = traitlets.Unicode("scheduler").tag(sync=True)
