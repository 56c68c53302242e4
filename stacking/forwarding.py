"""Forwarding: unsold local bids become bids of a receiving market, if their owner consents and the rules allow it.

Rules a to i of Article 34 of the draft network code on demand response (DOMAIN D, E): volume and price are unchanged
except for the granularity; a bid that does not fit is refused with a code, never clipped.
"""

from __future__ import annotations

from typing import Any

from . import codes
from . import flows as f
from . import state as s
from .build import law, part
from .coordination import round_down
from .lookahead import add_ahead, set_cell, split_order
from .markets.merit_order import OFFER_KEY, OFFER_MW, OFFER_PRIORITY, OFFER_ROW, sort_offers
from .state import ahead, cell, column, consented
from .units import MTU_H, POWER_EPSILON_MW


@part
def forward_unsold(
    source: int, target: int, first: int, count: int, known_min: int, product: Any, rules: Any, params: Any, priority: Any,
    ring: Any, offers: Any, spare: Any, flow: Any, work: Any,
) -> None:  # fmt: skip
    """Forward the unsold part of local bids for the MTU of a block to the receiving market's ledger.

    Args:
        source, target: ledgers.
        first: slot of the first MTU of the block; count: its MTU.
        known_min: minutes before delivery at which orders of the receiving market are known.
        product: (PRODUCT_W,) receiving product.
        rules: (RULES_W,) rules of sharing.
        params, priority, ring, flow: matrices of all portfolios of the world.
        offers, spare, work: scratch.
    """
    for slot in range(first, first + count):
        for d in range(2):
            n = 0
            for row in range(params.shape[0]):
                unsold = unsold_mw(ring[row], source, slot, d)
                if unsold <= POWER_EPSILON_MW:
                    continue
                agreed = consented(ring[row], slot, d)
                flow[row, f.ASKED_COUNT] += 1.0
                if not agreed:
                    flow[row, f.OPTED_OUT_COUNT] += 1.0
                price = cell(ring[row], slot, column(source, s.PRICE, d))
                opposite = cell(ring[row], slot, column(source, s.SOLD, 1 - d))
                if not may_forward(product, rules, agreed, flow[row], unsold, price, d, opposite):
                    continue
                unsold -= unfit_mw(params[row], ring[row], slot, d, known_min, flow[row], work)
                if unsold <= POWER_EPSILON_MW:
                    continue
                if rules[s.POOLING] > 0.0:
                    offers[n, OFFER_KEY] = price if d == 0 else -price
                    offers[n, OFFER_PRIORITY] = priority[row]
                    offers[n, OFFER_MW] = unsold
                    offers[n, OFFER_ROW] = row
                    n += 1
                else:
                    forward_alone(product, params[row], ring[row], flow[row], target, slot, d, unsold, work)
            if n > 0:
                forward_pool(product, params, ring, flow, target, slot, d, offers, spare, n, work)


@law
def unsold_mw(ring: Any, ledger: int, slot: int, direction: int) -> float:
    """Return what of an offer was not bought, MW."""
    return cell(ring, slot, column(ledger, s.OFFERED, direction)) - cell(ring, slot, column(ledger, s.SOLD, direction))


@law
def unfit_mw(p: Any, ring: Any, slot: int, direction: int, known_min: int, flow: Any, work: Any) -> float:
    """Return the part of an unsold bid that stands on a load which the receiving market cannot use, MW; count the refusal.

    A run longer than one MTU cannot be expressed there, nor a notice longer than the time from its order to delivery.
    """
    if direction == 1 or p[s.LOAD_ROW] < 0.0:
        return 0.0
    split_order(p, ring, slot, s.HI_LOCAL, True, s.SHARE, work)
    part_mw = max(0.0, ahead(ring, s.LOAD, s.HI_LOCAL, slot) - work[s.SHARE + s.LOAD])
    if part_mw <= POWER_EPSILON_MW or (p[s.MIN_RUN] <= 1.0 and p[s.NOTICE_MIN] <= known_min):
        return 0.0
    flow[f.REFUSED + (codes.MIN_RUN if p[s.MIN_RUN] > 1.0 else codes.TOO_SLOW)] += part_mw * MTU_H
    return part_mw


@law
def fit_offers(
    offers: Any, n: int, params: Any, ring: Any, slot: int, direction: int, known_min: int, flow: Any, work: Any
) -> None:
    """Cut listed local offers to what a buyer of single MTU can use."""
    for i in range(n):
        row = int(offers[i, OFFER_ROW])
        offers[i, OFFER_MW] -= unfit_mw(params[row], ring[row], slot, direction, known_min, flow[row], work)


@law
def may_forward(
    product: Any, rules: Any, agreed: bool, flow: Any, unsold_mw: float, price: float, direction: int, opposite_mw: float
) -> bool:
    """Check consent and the requirements that do not depend on size; count the refusal."""
    energy = unsold_mw * MTU_H
    flow[f.CONSENT_ASKED] += energy
    if not agreed:
        flow[f.OPTED_OUT] += energy
        flow[f.REFUSED + codes.NO_CONSENT] += energy
        return False
    if rules[s.NOT_ELIGIBLE] >= 0.0:
        flow[f.REFUSED + int(rules[s.NOT_ELIGIBLE])] += energy
        return False
    if rules[s.BLOCK_BALANCING] > 0.0 and opposite_mw > POWER_EPSILON_MW:
        flow[f.REFUSED + codes.OPPOSITE_SALE] += energy
        return False
    if price > product[s.PRICE_CAP] or price < product[s.PRICE_FLOOR] or product[s.UP_OPEN + direction] == 0.0:
        flow[f.REFUSED + codes.PRICE_LIMIT] += energy
        return False
    return True


@law
def forward_alone(
    product: Any, p: Any, ring: Any, flow: Any, target: int, slot: int, direction: int, unsold: float, work: Any
) -> None:
    """Forward one bid: whole multiples of the granularity from the minimum on."""
    quantity = round_down(unsold, product[s.GRANULARITY_MW])
    if quantity < product[s.MIN_MW] - POWER_EPSILON_MW:
        flow[f.REFUSED + codes.BELOW_MINIMUM] += unsold * MTU_H
        return
    flow[f.REFUSED + codes.GRANULARITY_REST] += max(0.0, unsold - quantity) * MTU_H
    enter(p, ring, flow, target, slot, direction, quantity, work)


@law
def enter(p: Any, ring: Any, flow: Any, target: int, slot: int, direction: int, quantity_mw: float, work: Any) -> None:
    """Write a forwarded bid at its local price; from now on it is locked against own offers of the same MW.

    It stands on the assets that stood behind the local bid, as far as that was not bought.
    """
    set_cell(ring, slot, column(target, s.OFFERED, direction), quantity_mw)
    flow[f.FORWARDED_MWH] += quantity_mw * MTU_H
    left, sign = quantity_mw, 1.0 if direction == 0 else -1.0
    split_order(p, ring, slot, s.HI_LOCAL, True, s.SHARE, work)
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        offered = sign * ahead(ring, kind, s.HI_LOCAL + direction, slot)
        taken = min(left, max(0.0, offered - max(0.0, sign * work[s.SHARE + kind])))
        if taken > 0.0:
            left -= taken
            add_ahead(ring, kind, s.HI_BALANCING + direction, slot, sign * taken)


@law
def forward_pool(
    product: Any, params: Any, ring: Any, flow: Any, target: int, slot: int, direction: int, offers: Any, spare: Any, n: int,
    work: Any,
) -> None:  # fmt: skip
    """Forward the bids of one zone, direction and MTU as a pool: minimum and granularity apply to their sum.

    The pool is a stack of its members' prices (a multipart bid): each keeps its own price and is paid the marginal
    price, so never less than it bid. What the granularity cuts off is taken from the dearest members.
    """
    total = 0.0
    for i in range(n):
        total += offers[i, OFFER_MW]
    quantity = round_down(total, product[s.GRANULARITY_MW])
    if quantity < product[s.MIN_MW] - POWER_EPSILON_MW:
        for i in range(n):
            flow[int(offers[i, OFFER_ROW]), f.REFUSED + codes.POOL_TOO_SMALL] += offers[i, OFFER_MW] * MTU_H
        return
    sort_offers(offers, spare, n)
    left = quantity
    for i in range(n):
        row = int(offers[i, OFFER_ROW])
        taken = min(left, offers[i, OFFER_MW])
        left -= taken
        flow[row, f.REFUSED + codes.POOL_TRIMMED] += (offers[i, OFFER_MW] - taken) * MTU_H
        if taken > POWER_EPSILON_MW:
            enter(params[row], ring[row], flow[row], target, slot, direction, taken, work)
