"""The clearings of a tick: the books that are due, then what was not bought is passed on."""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import state as s
from .build import law
from .coordination import clear_balancing, clear_local
from .forwarding import forward_unsold
from .observe import is_due
from .state import slot_of


@law
def clearings(
    gates: Any, products: Any, curves: Any, rules: Any, areas: Any, params: Any, series: Any, local: Any, scalars: Any,
    draws: Any, day: Any, length: int, fleets: Any, loads: Any, ring: Any, world: Any, prices: Any, offers: Any, spare: Any,
    flow: Any, result: Any, tick: int, work: Any,
) -> None:  # fmt: skip
    """Clear the books that are due, then pass unsold bids on."""
    priority = draws[:, 1]
    for g in range(gates.shape[0]):
        kind = gates[g, s.KIND]
        if (kind == s.CLEAR or kind == s.FORWARD) and is_due(gates[g], day, tick, length):
            first, count, market = tick + gates[g, s.LEAD], gates[g, s.COUNT], gates[g, s.MARKET]
            if kind == s.FORWARD:
                forward_unsold(gates[g, s.LEDGER], gates[g, s.TARGET], slot_of(first, tick), count, gates[g, s.KNOWN_MIN],
                               products[market], rules, params, priority, ring, offers, spare, flow, work)  # fmt: skip
            elif market == c.LFM:
                clear_local(tick, first, count, curves[market], areas, local, scalars[c.BACKGROUND_PRIORITY], priority, params,
                            ring, fleets, loads, world, prices, offers, spare, flow, result)  # fmt: skip
            else:
                clear_balancing(tick, first, curves[market], series[first], scalars[c.BACKGROUND_PRIORITY], priority, params,
                                ring, fleets, loads, world, offers, spare, flow, result)  # fmt: skip
