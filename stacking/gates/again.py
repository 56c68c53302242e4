"""Bids of the day before that were not sold locally are offered again to the balancing market, as far as they are still there."""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..lookahead import free_power, reserve, set_cell
from ..state import cell, column, slot_of
from ..units import MTU_H, POWER_EPSILON_MW
from .early import hold_sold
from .forwarding import forward_unsold, unsold_mw


@part
def forward_early(
    gate: Any, tick: int, first: int, same_day: bool, product: Any, rules: Any, params: Any, priority: Any, state: Any, ring: Any,
    fleets: Any, loads: Any, offers: Any, spare: Any, flow: Any, work: Any,
) -> None:  # fmt: skip
    """Forward what is unsold for the MTU that has just come within reach; what the day plan has used meanwhile is refused.

    Args: as in `stacking.gates.forwarding.forward_unsold`; first: the MTU; same_day: whether it is of this local day.
    """
    slot = slot_of(first, tick)
    for row in range(params.shape[0]):
        p = params[row]
        fleet, load = fleets[max(0, int(p[s.FLEET_ROW]))], loads[max(0, int(p[s.LOAD_ROW]))]
        if unsold_mw(ring[row], c.LFM, slot, 0) + unsold_mw(ring[row], c.LFM, slot, 1) > POWER_EPSILON_MW:
            hold_again(gate, p, state[row], ring[row], fleet, load, flow[row], tick, slot, same_day, work)
    known_min = gate[s.KNOWN_MIN]
    forward_unsold(c.LFM, c.FORWARDED, slot, 1, known_min, product, rules, params, priority, ring, offers, spare, flow, work)
    for row in range(params.shape[0]):
        sold = cell(ring[row], slot, column(c.LFM, s.SOLD, 0)) - cell(ring[row], slot, column(c.LFM, s.SOLD, 1))
        hold_sold(ring[row], slot, sold)


@law
def hold_again(
    gate: Any, p: Any, state: Any, ring: Any, fleet: Any, load: Any, flow: Any, tick: int, slot: int, same_day: bool, work: Any
) -> None:
    """Hold ready again what is unsold and feasible for one MTU; refuse the rest."""
    up, down, _, _ = free_power(
        p, state, ring, fleet, load, tick, gate[s.LEAD], 1, gate[s.KNOWN_MIN], 1.0, 1.0, False, same_day, work
    )
    for kind in (s.FLEET, s.LOAD):
        work[s.ROOM + 2 * kind] = work[s.ROOM + 2 * kind + 1] = 0.0
    for d in range(2):
        unsold = unsold_mw(ring, c.LFM, slot, d)
        battery = min(up if d == 0 else down, work[s.ROOM + 2 * s.BATTERY + d])
        free = min(unsold, battery)
        if unsold > POWER_EPSILON_MW:
            flow[f.REFUSED + codes.NO_LONGER_FREE] += (unsold - free) * MTU_H
            set_cell(ring, slot, column(c.LFM, s.OFFERED, d), cell(ring, slot, column(c.LFM, s.SOLD, d)) + free)
            work[s.ROOM + 2 * s.BATTERY + d] = battery
            reserve(p, ring, slot, 1, s.HI_LOCAL, d, free, work)
