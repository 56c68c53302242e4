"""Local availability: the DSO awards bids before it knows its need; what is awarded is paid for being ready, and may be called.

Stands for availability contracts that are procured shortly before delivery (SWITCH availability orders, ShortFlex Availability,
SOCL-CY-01 of OneNet): the DSO sets the rate, the FSP bids the price of energy, the cheapest bids are awarded.
"""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..columns import background_column
from ..lookahead import set_cell, trim_reserve
from ..markets.merit_order import OFFER_ACCEPTED, OFFER_ROW, accept, sort_offers
from ..state import cell, column, slot_of
from ..units import MTU_H, MTU_PER_HOUR, POWER_EPSILON_MW
from .local_need import told_margin_mw
from .offers import beyond_mw, gather_local


@part
def award(
    gate: Any, tick: int, first: int, rules: Any, curve: Any, areas: Any, local: Any, local_hourly: Any,
    background_priority: float, priority: Any, params: Any, ring: Any, offers: Any, spare: Any, flow: Any,
) -> None:  # fmt: skip
    """Award the cheapest local bids of a block up to the forecast need of each area; all others are returned.

    Other people's supply is awarded beside them, at its own prices. Args: as in `stacking.gates.clearing.clear_local`.
    """
    count, slot = gate[s.COUNT], slot_of(first, tick)
    for a in range(areas.shape[0]):
        at, beyond = local[a, first], beyond_mw(areas[a], params, ring, slot, count)
        for d in range(2):
            sign, base = 1.0 if d == 0 else -1.0, background_column(d)
            forecast = local_hourly[a, c.LFM_NEED_NEAR - c.LFM_NEED_FAR, first // MTU_PER_HOUR]
            need = told_margin_mw(sign * forecast) - sign * beyond
            if need <= POWER_EPSILON_MW:
                continue
            n = gather_local(rules, ring, priority, areas[a], d, slot, offers)
            sort_offers(offers, spare, n)
            accept(offers, n, curve, sign, need, at[base + c.VOLUME], at[base + c.REF], at[base + c.ANCHOR], at[base + c.LIMIT],
                   background_priority, 0.0)  # fmt: skip
            for i in range(n):
                for place in range(slot, slot + count):
                    mark_awarded(ring[int(offers[i, OFFER_ROW])], place, d, offers[i, OFFER_ACCEPTED])
    for row in range(params.shape[0]):
        for d in range(2):
            for place in range(slot, slot + count):
                keep_awarded(params[row], ring[row], flow[row], place, d)


@law
def mark_awarded(ring: Any, slot: int, direction: int, power_mw: float) -> None:
    """Add to what is awarded, which stands with the sales until all areas have looked."""
    sold = column(c.LFM, s.SOLD, direction)
    set_cell(ring, slot, sold, cell(ring, slot, sold) + power_mw)


@law
def keep_awarded(p: Any, ring: Any, flow: Any, slot: int, direction: int) -> None:
    """Let the offer of one MTU be what was awarded of it; the rest is free again."""
    offered, sold = column(c.LFM, s.OFFERED, direction), column(c.LFM, s.SOLD, direction)
    wanted, awarded = cell(ring, slot, offered), cell(ring, slot, sold)
    if wanted <= POWER_EPSILON_MW:
        return
    flow[f.REFUSED + codes.NOT_AWARDED] += max(0.0, wanted - awarded) * MTU_H
    flow[f.AWARDED] += awarded * MTU_H
    set_cell(ring, slot, offered, awarded)
    set_cell(ring, slot, sold, 0.0)
    trim_reserve(p, ring, slot, s.HI_LOCAL, direction, awarded)
