"""A shared book: the TSO buys unsold local bids where they stand, beside the DSO; a match locks the bid for all.

The lock reaches other buyers `lock_latency_s` later. Until then they see the bid as it was; what is matched twice is void for
the later buyer, or stands for both (rule `conflict_rule`). Stands for FinFlex, of which no rulebook was found.
"""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..lookahead import add_ahead, set_cell
from ..markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_KEY,
    OFFER_LEDGER,
    OFFER_MW,
    OFFER_PRIORITY,
    OFFER_ROW,
    shifted_need,
)
from ..state import ahead, cell, column, slot_of
from ..units import MTU_H, POWER_EPSILON_MW
from .forwarding import fit_offers
from .grid import buy_within_limits
from .offers import doubly_sold_mw
from .passed import enter


@law
def note_book(gates: Any, ring: Any, before: Any) -> None:
    """Note what the DSO had bought for the MTU that the TSO looks at, before this tick's clearings; before: (row, 2) MW."""
    for g in range(gates.shape[0]):
        if gates[g, s.KIND] == s.MATCH:
            for row in range(ring.shape[0]):
                for d in range(2):
                    before[row, d] = cell(ring[row], gates[g, s.LEAD] + s.PAST, column(c.LFM, s.SOLD, d))


@part
def match_book(
    gate: Any, tick: int, first: int, rules: Any, curve: Any, at: Any, areas: Any, local: Any, background_priority: float,
    priority: Any, params: Any, ring: Any, fleets: Any, loads: Any, world: Any, prices: Any, before: Any, offers: Any, spare: Any,
    rooms: Any, flow: Any, result: Any, work: Any,
) -> None:  # fmt: skip
    """Let the TSO buy from the local book for one MTU what is cheaper than the balancing bids that its forecast need asks for.

    Args:
        gate: (GATE_W,); tick: now; first: delivery MTU.
        curve, at: other people's balancing supply; at: (SERIES_W,) of the MTU.
        before: (portfolio, 2) local sales when the tick began.
        others: as in `stacking.gates.clearing.clear_balancing`.
    """
    slot, forecast = slot_of(first, tick), at[c.NEED_FORECAST]
    up, down = shifted_need(max(0.0, forecast), max(0.0, -forecast), world[s.SHIFT_KNOWN + slot])
    blind = at[c.LOOK_S] < rules[s.LOCK_LATENCY_S]
    for d in range(2):
        sign, need = (1.0, up) if d == 0 else (-1.0, down)
        if need <= POWER_EPSILON_MW:
            continue
        n = list_book(ring, priority, before, blind, slot, d, offers)
        fit_offers(offers, n, params, ring, slot, d, gate[s.KNOWN_MIN], flow, work)
        buy_within_limits(
            rules, offers, spare, n, d, need, first, tick, curve, at, background_priority, areas, local, params, ring, prices,
            rooms, flow,
        )  # fmt: skip
        for i in range(n):
            if offers[i, OFFER_ACCEPTED] > POWER_EPSILON_MW:
                row = int(offers[i, OFFER_ROW])
                p = params[row]
                fleet, load = fleets[max(0, int(p[s.FLEET_ROW]))], loads[max(0, int(p[s.LOAD_ROW]))]
                bought = lock(rules, p, ring[row], fleet, load, flow[row], first, slot, d, offers[i, OFFER_ACCEPTED], work)
                world[s.MATCHED + slot] += sign * bought
                result[f.ACCEPTED_MFRR_MWH] += bought * MTU_H
                result[f.NEED_MFRR_MWH] += bought * MTU_H


@law
def list_book(ring: Any, priority: Any, before: Any, blind: bool, slot: int, direction: int, offers: Any) -> int:
    """List the local bids as the TSO sees them, blind: as they were when the tick began; return their number."""
    n, sign = 0, 1.0 if direction == 0 else -1.0
    for row in range(ring.shape[0]):
        sold = before[row, direction] if blind else cell(ring[row], slot, column(c.LFM, s.SOLD, direction))
        quantity = cell(ring[row], slot, column(c.LFM, s.OFFERED, direction)) - sold
        if quantity > POWER_EPSILON_MW:
            offers[n, OFFER_KEY] = sign * cell(ring[row], slot, column(c.LFM, s.PRICE, direction))
            offers[n, OFFER_PRIORITY], offers[n, OFFER_MW], offers[n, OFFER_ROW] = priority[row], quantity, row
            offers[n, OFFER_LEDGER], offers[n, OFFER_ACCEPTED] = c.LFM, 0.0
            n += 1
    return n


@law
def lock(
    rules: Any, p: Any, ring: Any, fleet: Any, load: Any, flow: Any, tau: int, slot: int, direction: int, power_mw: float,
    work: Any,
) -> float:  # fmt: skip
    """Write a match of the TSO to the books of one portfolio; return the MW that stand.

    What the DSO had matched a moment before is void for the TSO, or sold to both and added to what the assets are to deliver.
    """
    free = max(0.0, cell(ring, slot, column(c.LFM, s.OFFERED, direction)) - cell(ring, slot, column(c.LFM, s.SOLD, direction)))
    conflict = max(0.0, power_mw - free)
    if conflict > POWER_EPSILON_MW and rules[s.BOTH_STAND] == 0.0:
        flow[f.REFUSED + codes.LOCKED] += conflict * MTU_H
        conflict = 0.0
    if power_mw > free:
        power_mw = free + conflict
    if power_mw <= POWER_EPSILON_MW:
        return 0.0
    enter(p, ring, flow, c.FORWARDED, slot, direction, power_mw, work)
    left, sign = conflict, 1.0 if direction == 0 else -1.0
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        taken = min(left, sign * ahead(ring, kind, s.HI_LOCAL + direction, slot))
        if taken > 0.0:
            left -= taken
            add_ahead(ring, kind, s.HI_BALANCING + direction, slot, sign * taken)
    set_cell(ring, slot, column(c.FORWARDED, s.SOLD, direction), power_mw)
    flow[f.DOUBLE_SELECTED] += doubly_sold_mw(p, ring, fleet, load, tau, slot, direction) * MTU_H
    return power_mw
