"""A forwarded bid in the books of its owner: entered, changed at the balancing gate, and withdrawn."""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import layout as v
from .. import state as s
from ..build import law
from ..lookahead import add_ahead, set_cell, split_order, trim_reserve, unsold_behind_mw
from ..state import cell, column, set_consent
from ..units import MTU_H, POWER_EPSILON_MW
from .quantity import tradable_mw


@law
def enter(p: Any, ring: Any, flow: Any, target: int, slot: int, direction: int, quantity_mw: float, work: Any) -> None:
    """Write a forwarded bid at its local price; from now on it is locked against own offers of the same MW.

    It stands on the assets that stood behind the local bid, as far as that was not bought.
    """
    set_cell(ring, slot, column(target, s.OFFERED, direction), quantity_mw)
    if cell(ring, slot, column(c.MFRR, s.OFFERED, direction)) == 0.0:  # where a changed price will stand, see `asked_column`
        set_cell(ring, slot, column(c.MFRR, s.PRICE, direction), cell(ring, slot, column(c.LFM, s.PRICE, direction)))
    flow[f.FORWARDED_MWH] += quantity_mw * MTU_H
    left, sign = quantity_mw, 1.0 if direction == 0 else -1.0
    split_order(p, ring, slot, s.HI_LOCAL, True, s.SHARE, work)
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        taken = min(left, unsold_behind_mw(ring, kind, slot, direction, work))
        if taken > 0.0:
            left -= taken
            add_ahead(ring, kind, s.HI_BALANCING + direction, slot, sign * taken)


@law
def withdraw(p: Any, ring: Any, slot: int, direction: int, keeps_mw: float) -> None:
    """Cut a forwarded bid to what it keeps and free the power behind it, that of the dearest asset first."""
    set_cell(ring, slot, column(c.FORWARDED, s.OFFERED, direction), keeps_mw)
    own = cell(ring, slot, column(c.MFRR, s.OFFERED, direction))
    trim_reserve(p, ring, slot, s.HI_BALANCING, direction, keeps_mw + own)


@law
def asked_column(rules: Any, direction: int) -> int:
    """Return the book column with the price of a forwarded bid: the local one, or that of the balancing gate where it changes."""
    return column(c.LFM if rules[s.CHANGES] == s.UNCHANGED else c.MFRR, s.PRICE, direction)


@law
def revoke(p: Any, action: Any, state: Any, ring: Any, flow: Any, first: int, count: int) -> None:
    """Withdraw the forwarded bids of a block in the directions to whose sharing the owner says no now."""
    for d in range(2):
        if action[v.CONSENT_UP + d] >= 0.5:
            continue
        state[s.CONSENT_NOW + d] = 0.0
        for slot in range(first, first + count):
            set_consent(ring, slot, d, False)
            q = cell(ring, slot, column(c.FORWARDED, s.OFFERED, d))
            if q > POWER_EPSILON_MW:
                flow[f.REFUSED + codes.WITHDRAWN] += q * MTU_H
                withdraw(p, ring, slot, d, 0.0)


@law
def change_passed(rules: Any, product: Any, p: Any, action: Any, ring: Any, flow: Any, first: int, count: int) -> None:
    """Let the balancing decisions change the forwarded bids of a block: their price, and where the rule says their volume.

    A price outside the limits of the product is refused, and the bid keeps its own. Volume: share x forwarded MW, rounded down to
    the granularity, nothing below the minimum.
    """
    for d in range(2):
        price, share = action[v.MFRR_PRICE_UP + d], action[v.MFRR_SHARE_UP + d]
        for slot in range(first, first + count):
            q = cell(ring, slot, column(c.FORWARDED, s.OFFERED, d))
            if q <= POWER_EPSILON_MW:
                continue
            if price < product[s.PRICE_FLOOR] or price > product[s.PRICE_CAP]:
                flow[f.REFUSED + codes.PRICE_LIMIT] += q * MTU_H
            else:
                set_cell(ring, slot, column(c.MFRR, s.PRICE, d), price)
            if rules[s.CHANGES] == s.ALL_CHANGES:
                keeps = tradable_mw(product, share * q)
                flow[f.REFUSED + codes.WITHDRAWN] += (q - keeps) * MTU_H
                withdraw(p, ring, slot, d, keeps)
