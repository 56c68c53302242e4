"""Unsold local bids passed on to the intraday market: sold at once where its price meets theirs."""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..lookahead import add_ahead, position_mw, set_cell, split_order, unsold_behind_mw
from ..state import cell, column, consented, slot_of
from ..units import MTU_H, POWER_EPSILON_MW
from .forwarding import unsold_mw


@part
def resell(
    tick: int, first: int, count: int, rules: Any, series: Any, params: Any, ring: Any, fleets: Any, loads: Any, flow: Any,
    work: Any,
) -> None:  # fmt: skip
    """Sell unsold local bids of a block intraday, quarter hour by quarter hour, where their owners consent.

    The market is price-taking: it pays the day-ahead price of the MTU less half a spread and asks it plus half a spread, as for
    trades of one's own (rule 9); a bid is sold whole if its price is met. Asking and opting out are counted once, at the last
    receiving market that a design has. Args: as in `stacking.gates.clearing.clearings`; first: delivery MTU.
    """
    for tau in range(first, first + count):
        for d in range(2):
            sign = 1.0 if d == 0 else -1.0
            price = series[tau, c.DA_PRICE] - sign * rules[s.ID_HALF_SPREAD]
            for row in range(params.shape[0]):
                slot, p = slot_of(tau, tick), params[row]
                unsold = unsold_mw(ring[row], c.LFM, slot, d)
                asked = cell(ring[row], slot, column(c.LFM, s.PRICE, d))
                if unsold <= POWER_EPSILON_MW or not consented(ring[row], slot, d) or sign * asked > sign * price:
                    continue
                if rules[s.BLOCK_INTRADAY] > 0.0 and cell(ring[row], slot, column(c.LFM, s.SOLD, 1 - d)) > POWER_EPSILON_MW:
                    flow[row, f.REFUSED + codes.OPPOSITE_SALE] += unsold * MTU_H
                    continue
                fleet, load = fleets[max(0, int(p[s.FLEET_ROW]))], loads[max(0, int(p[s.LOAD_ROW]))]
                resell_bid(p, ring[row], fleet, load, flow[row], tau, slot, d, unsold, price, work)


@law
def resell_bid(
    p: Any, ring: Any, fleet: Any, load: Any, flow: Any, tau: int, slot: int, direction: int, unsold: float, price: float,
    work: Any,
) -> None:  # fmt: skip
    """Move the schedule by an unsold bid: what stood behind it is no longer offered locally. A load has no schedule."""
    left, sign = unsold, 1.0 if direction == 0 else -1.0
    before = position_mw(p, ring, fleet, load, tau, slot)
    split_order(p, ring, slot, s.HI_LOCAL, True, s.SHARE, work)
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        taken = min(left, unsold_behind_mw(ring, kind, slot, direction, work))
        if taken > 0.0 and kind != s.LOAD:
            left -= taken
            add_ahead(ring, kind, s.HI_LOCAL + direction, slot, -sign * taken)
            add_ahead(ring, kind, s.SCHEDULED, slot, sign * taken)
    moved = position_mw(p, ring, fleet, load, tau, slot) - before  # what single precision kept of it
    offered = column(c.LFM, s.OFFERED, direction)
    set_cell(ring, slot, offered, cell(ring, slot, offered) - abs(moved))
    set_cell(ring, slot, s.ID_MW, cell(ring, slot, s.ID_MW) + moved)
    set_cell(ring, slot, s.ID_VALUE, cell(ring, slot, s.ID_VALUE) + moved * MTU_H * price)
    flow[f.FORWARDED_ID] += abs(moved) * MTU_H
