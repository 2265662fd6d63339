"""The simulation: a system runs in virtual time, with faults at the points that its patterns are about.

The way of one message through a topic (or a work queue):
    publish: `Publish.begin`, and 10 ms later `Publish._arrive`
    store: `Log.append` (`WorkQueue.append`)
    offer: `Reader.wake` (`WorkQueue.offer`) to `Replica.offer`, which fetches it now or when it is free
    deliver, handle: `Reader.deliver` (`WorkQueue.deliver`), `Execution.run`
    save: `Transaction.__exit__`
    commit (ack): `Reader.handled` (`WorkQueue.handled`). Then `Replica.release` takes the next message.
What delivers it again:
    a crash: `Replica.crash` and `Reader.back_to_commit`, then `ServiceRuntime.back_in_reach` and `Reader.rebalance`
    a failure: `Reader.failed` and `Reader._offer_again` (`WorkQueue.failed` and `WorkQueue._put_back`)
    no ack in time: (`WorkQueue._expired` and `WorkQueue._put_back`, also after a crash)"""

from .at_time import AtTime
from .context import Context
from .deploy import Deploy, deploy
from .faults import ACTIONS, Fault, Faults
from .plan import AnyFault, parse_plan
from .points import actions_at, enumerate_faults, points
from .printed import Printed, printing, quiet
from .simulate import simulate
from .windows import cut, pause, repartition, restore, rewind, scale, skew
from .world import World

__all__ = [
    "ACTIONS",
    "AnyFault",
    "AtTime",
    "Context",
    "Deploy",
    "Fault",
    "Faults",
    "Printed",
    "World",
    "actions_at",
    "cut",
    "deploy",
    "enumerate_faults",
    "parse_plan",
    "pause",
    "points",
    "printing",
    "quiet",
    "repartition",
    "restore",
    "rewind",
    "scale",
    "simulate",
    "skew",
]
