"""The faults that a learner requests: one at an exact point, more as text, and rates of random faults."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields

import ipywidgets

from ..errors import Misuse, listed
from ..model import System
from ..sim import ACTIONS, AnyFault, Deploy, Fault, Faults, actions_at, parse_plan, points
from ..sim.points import Point
from ..sim.run import Run
from . import html
from .controls import Choice, Settling, labelled

UNREACHED = "— not reached in this run —"  # a heading, which panel.js disables
RATES = tuple(field.name for field in fields(Faults))


class FaultsAsked(Settling):
    """The widgets for requesting faults: `.point`, `.action` and `.nth` for an exact fault, `.plan` for
    more as text, and a slider for each of the `.rates`. `changed` is called when one changes."""

    def __init__(self, changed: Callable[[], None], deploys: Iterable[Deploy] = ()):
        # As wide as its longest point, because truncated points can look the same.
        self.point = Choice(options=[("at no point", "")], layout={"width": "max-content"})
        self.action = Choice(options=[("", "")], layout={"width": "104px"}, disabled=True)
        self.point.tooltip, self.action.tooltip = "point of the exact fault", "what happens there"
        self.nth = ipywidgets.BoundedIntText(1, min=1, max=9999, description="nth", disabled=True)
        self.nth.style.description_width, self.nth.layout.width = "26px", "88px"
        self.plan = ipywidgets.Text(placeholder="more faults, as text", continuous_update=False)
        self.plan.layout = {"flex": "1 1 120px", "width": "auto"}
        rate = {"value": 0, "max": 1, "step": 0.05, "readout_format": ".2f"}
        self.rates = {name: ipywidgets.FloatSlider(**rate, **labelled(name)) for name in RATES}
        self.exactly = self.point, self.action, self.nth, self.plan
        self.deploys = [*deploys]  # the deploys that the text may name
        self._changed, self._system = changed, System("unknown")
        self._sent: dict[Point, None] = {}  # points at which runs of the system publish and ask
        self._reached: Counter[Point] = Counter()  # how often the last run reached each point
        self.watch(self._point_chosen, self.point)
        self.watch(changed, self.action, self.nth, self.plan, *self.rates.values())

    @property
    def exact(self) -> Fault | None:
        """The fault at the chosen point, or None."""
        if not self.point.value or not self.action.value:
            return None
        return Fault(self.action.value, self.point.value, self.nth.value)

    def read(self) -> tuple[list[AnyFault], str]:
        """The faults, for `simulate`, and an error message for the text, or ""."""
        exact, error = self.exact, ""
        faults: list[AnyFault] = [] if exact is None else [exact]
        try:
            faults += parse_plan(self.plan.value, self.deploys)
        except Misuse as misuse:
            error = str(misuse)
        rates = {name: round(slider.value, 4) for name, slider in self.rates.items()}
        if any(rates.values()):
            faults.append(Faults(**rates))
        return faults, error

    def ask_for(self, fault: Fault) -> None:
        """Set the widgets to this fault and no other."""
        with self.settling():
            for slider in self.rates.values():
                slider.value = 0
            self.plan.value = ""
            self._offer(fault.point)
            self.point.value = fault.at
            self._offer_actions()
            self.action.value, self.nth.value = fault.do, fault.nth
        self._changed()

    def adopt_system(self, system: System) -> None:
        """Adopt another system. If the exact fault cannot strike there, remove it."""
        self._system, self._sent = system, {}
        if self.point.value and self.action.value not in self._actions():
            with self.settling():
                self.point.value = ""
                self._offer_actions()

    def adopt_run(self, run: Run) -> None:
        """Offer the consumer points of the system and the points at which its runs sent something,
        those that this run reached first."""
        self._reached = Counter(
            (step.service, step.step, step.envelope.type)
            for step in run.journal
            if step.envelope is not None and step.step in ACTIONS
        )
        self._sent |= {point: None for point in self._reached if point[1] in ("publish", "ask")}
        self._offer()

    def _offer(self, *more: Point) -> None:
        chosen = [self._chosen()] if self.point.value else []
        ranks = {name: rank for rank, name in enumerate(["client", *self._system.services])}
        offered = dict.fromkeys([*points(self._system), *self._sent, *chosen, *more])
        options, last = [("at no point", "")], False
        for point in sorted(offered, key=lambda p: (p not in self._reached, ranks.get(p[0], 0))):
            if last and point not in self._reached:
                options.append((UNREACHED, ""))
            last = point in self._reached
            service, step, message = point
            options.append((f"{service} · {step} {message}", f"{service}.{step}.{message}"))
        if list(self.point.options) != options:
            at = self.point.value
            with self.settling(), self.point.hold_sync():
                self.point.options = options
                self.point.value = at

    def hint(self, run: Run | None) -> str:
        """The faults that never happened, and how often the run reached the chosen point, as HTML."""
        unfired, sentences = run.unfired if run is not None else [], []
        if unfired:
            sentences.append(f"Never happened: {listed(unfired, 3)}.")
        if self.exact is not None:
            times = self._reached[self.exact.point]
            often = {0: "not reached", 1: "reached once"}.get(times, f"reached {times:,} times")
            sentences.append(f"{self.exact.at} was {often} in this run.")
        return html.hint(" ".join(sentences), bool(unfired))

    def _chosen(self) -> Point:
        service, step, message = self.point.value.split(".", 2)
        return service, step, message

    def _actions(self) -> tuple[str, ...]:
        return actions_at(self._system, self._chosen()) if self.point.value else ("",)

    def _offer_actions(self) -> None:
        options, action = self._actions(), self.action.value
        if self.action.options != options:
            self.action.options = options
            self.action.value = action if action in options else options[0]
        self.action.disabled = self.nth.disabled = not self.point.value

    def _point_chosen(self) -> None:
        with self.settling():
            self._offer_actions()
            self.nth.value = 1
        self._changed()
