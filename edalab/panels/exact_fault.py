"""The controls of one exact fault: its point, its action and its count, as the system offers them."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets

from ..errors import listed
from ..model import System
from ..sim import ACTIONS, Fault, actions_at, points
from ..sim.run import Run
from . import html
from .controls import Choice, Settling

Point = tuple[str, str, str]  # service, step, message


class ExactFault(Settling):
    """Drop-downs for point and action, and a number: `.fault` is what they ask for, or None."""

    def __init__(self, changed: Callable[[], None]):
        # As wide as its longest point: a point that is cut cannot be told from its neighbours.
        self.point = Choice(options=[("at no point", "")], layout={"width": "max-content"})
        self.action = Choice(options=[("", "")], layout={"width": "104px"}, disabled=True)
        self.nth = ipywidgets.BoundedIntText(1, min=1, max=9999, description="nth", disabled=True)
        self.nth.style.description_width, self.nth.layout.width = "26px", "88px"
        self._changed, self._system = changed, System("unknown")
        self.point.observe(self._point_chosen, "value")
        self.action.observe(self._turned, "value")
        self.nth.observe(self._turned, "value")

    @property
    def fault(self) -> Fault | None:
        if not self.point.value or not self.action.value:
            return None
        return Fault(self.action.value, self.point.value, self.nth.value)

    def choose(self, fault: Fault) -> None:
        """Ask for this fault."""
        with self.settling():
            if fault.at not in [at for _, at in self.point.options]:
                self.offer([fault.point])
            self.point.value = fault.at
            self._offer_actions()
            self.action.value, self.nth.value = fault.do, fault.nth
        self._changed()

    def meet(self, system: System) -> None:
        """Take on another system; a fault that it cannot have is asked for no more."""
        self._system = system
        if self.point.value and self.action.value not in self._actions(self.point.value):
            with self.settling():
                self.point.value = ""
                self._offer_actions()

    def offer(self, met: Iterable[Point]) -> None:
        """Offer the consumer points of the system, and those of `met` where something is sent."""
        chosen = [tuple(self.point.value.split("."))] if self.point.value else []
        sent = [point for point in met if point[1] in ("publish", "ask")]
        ranks = {name: rank for rank, name in enumerate(["client", *self._system.services])}
        offered = dict.fromkeys([*points(self._system), *sent, *chosen])
        options = [("at no point", "")]
        for service, step, message in sorted(offered, key=lambda point: ranks.get(point[0], 0)):
            options.append((f"{service} · {step} {message}", f"{service}.{step}.{message}"))
        if list(self.point.options) != options:
            at = self.point.value
            with self.settling(), self.point.hold_sync():
                self.point.options = options
                self.point.value = at

    def hint(self, run: Run | None, reached: Counter[Point]) -> str:
        """Which faults never happened, and how often the run reached the point chosen, as HTML."""
        fault, unfired, words = self.fault, run.unfired if run is not None else [], []
        if unfired:
            words.append(f"Never happened: {listed(unfired, 3)}.")
        if fault is not None:
            times = reached[fault.point]
            often = f"reached {times:,} times" if times > 1 else "reached once"
            words.append(f"{fault.at} was {often if times else 'not reached'} in this run.")
        return html.hint(" ".join(words), bool(unfired))

    def _actions(self, at: str) -> tuple[str, ...]:
        """The actions that may strike at a point."""
        service, step, message = at.split(".")
        return actions_at(self._system, (service, step, message))

    def _offer_actions(self) -> None:
        options = self._actions(self.point.value) if self.point.value else [""]
        with self.settling():
            if list(self.action.options) != options:
                action = self.action.value
                self.action.options = options
                self.action.value = action if action in options else options[0]
            self.action.disabled = self.nth.disabled = not self.point.value

    def _point_chosen(self, _: Any) -> None:
        if not self._settling:
            with self.settling():
                self._offer_actions()
                self.nth.value = 1
            self._changed()

    def _turned(self, _: Any) -> None:
        if not self._settling:
            self._changed()


def reached(run: Run) -> Counter[Point]:
    """How often a run reached each point."""
    return Counter(
        (s.service, s.step, s.envelope.type)
        for s in run.journal
        if s.envelope is not None and s.step in ACTIONS
    )
