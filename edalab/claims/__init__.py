"""Ready-made claims. Each rules out one named anomaly.

    from edalab import claims

    run.check(claims.handled_once(OrderPlaced))
    explore(shop, three_orders, [claims.no_event_lost(OrderPlaced), claims.no_poison_loop()])

Write a claim of your own with `edalab.Claim`.
"""

from ..errors import Unknown
from .builtin import (
    compensated_in_reverse,
    compensated_once,
    handled_once,
    in_order_per_key,
    ledger_balanced,
    no_dual_write_gap,
    no_event_lost,
    no_needless_compensation,
    no_poison_loop,
    no_stale_read,
    nothing_dead_lettered,
    nothing_left_behind,
    projection_matches,
    published_in_order,
    saga_settled,
)

__all__ = [
    "compensated_in_reverse", "compensated_once", "handled_once", "in_order_per_key",
    "ledger_balanced", "no_dual_write_gap", "no_event_lost", "no_needless_compensation",
    "no_poison_loop", "no_stale_read", "nothing_dead_lettered", "nothing_left_behind",
    "projection_matches", "published_in_order", "saga_settled",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str):
    if name.startswith("__"):
        raise AttributeError(name)
    raise AttributeError(str(Unknown("ready claim", name, __all__)))
