"""Forwarding: unsold local bids become bids of a receiving market, if their owner consents and the rules allow it.

Rules a to i of Article 34 of the draft network code on demand response (DOMAIN D, E): volume and price are unchanged
except for the granularity; a bid that does not fit is refused with a code, never clipped.
"""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..lookahead import split_order
from ..markets.merit_order import OFFER_KEY, OFFER_MW, OFFER_PRIORITY, OFFER_ROW
from ..state import ahead, cell, column, consented
from ..units import MTU_H, POWER_EPSILON_MW
from .eligibility import covered_mw, is_member
from .passed import enter
from .pools import forward_pool
from .quantity import tradable_mw


@part
def forward_unsold(
    source: int, target: int, first: int, count: int, known_min: int, product: Any, rules: Any, params: Any, priority: Any,
    ring: Any, offers: Any, spare: Any, flow: Any, work: Any,
) -> None:  # fmt: skip
    """Forward the unsold part of local bids for the MTU of a block to the receiving market's ledger, alone or pool by pool.

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
            for head in range(params.shape[0]):
                if params[head, s.POOL_HEAD] == 0.0:
                    continue
                row, n = head, 0
                while row >= 0:
                    q = shareable_mw(source, slot, d, known_min, product, rules, params[row], ring[row], flow[row], work)
                    if q > POWER_EPSILON_MW:
                        price = cell(ring[row], slot, column(source, s.PRICE, d))
                        offers[n, OFFER_KEY] = price if d == 0 else -price
                        offers[n, OFFER_PRIORITY], offers[n, OFFER_MW], offers[n, OFFER_ROW] = priority[row], q, row
                        n += 1
                    row = int(params[row, s.NEXT_IN_POOL])
                if n > 0 and rules[s.POOLING] > 0.0:
                    forward_pool(product, params, ring, flow, target, slot, d, offers, spare, n, work)
                elif n > 0:
                    forward_alone(product, params[head], ring[head], flow[head], target, slot, d, offers[0, OFFER_MW], work)


@law
def shareable_mw(
    source: int, slot: int, direction: int, known_min: int, product: Any, rules: Any, p: Any, ring: Any, flow: Any, work: Any
) -> float:
    """Return what of one local bid may be forwarded whatever its size, MW; ask for consent and count refusals."""
    unsold = unsold_mw(ring, source, slot, direction)
    if unsold <= POWER_EPSILON_MW:
        return 0.0
    agreed = consented(ring, slot, direction)
    flow[f.ASKED_COUNT] += 1.0
    flow[f.CONSENT_ASKED] += unsold * MTU_H
    if not agreed:
        flow[f.OPTED_OUT_COUNT] += 1.0
        flow[f.OPTED_OUT] += unsold * MTU_H
    price = cell(ring, slot, column(source, s.PRICE, direction))
    opposite = cell(ring, slot, column(source, s.SOLD, 1 - direction))
    partly = cell(ring, slot, column(source, s.SOLD, direction)) > POWER_EPSILON_MW
    code = refusal(product, rules, p, agreed, partly, price, direction, opposite)
    if code >= 0:
        flow[f.REFUSED + code] += unsold * MTU_H
        return 0.0
    unsold -= unfit_mw(p, ring, slot, direction, known_min, flow, work)
    if rules[s.VERIFIED_LATE] == 0.0:
        beyond = unsold - covered_mw(rules, p, unsold)
        flow[f.REFUSED + codes.COLLATERAL] += beyond * MTU_H
        unsold -= beyond
    return unsold


@law
def refusal(
    product: Any, rules: Any, p: Any, agreed: bool, partly_sold: bool, price: float, direction: int, opposite_mw: float
) -> int:
    """Return the code of the first requirement that a local bid fails whatever its size, or -1."""
    if not agreed:
        return codes.NO_CONSENT
    if rules[s.NOT_ELIGIBLE] >= 0.0:
        return int(rules[s.NOT_ELIGIBLE])
    if rules[s.VERIFIED_LATE] == 0.0 and not is_member(rules, p, True):
        return codes.NOT_MEMBER
    if rules[s.RETURNS_REST] > 0.0 and partly_sold:
        return codes.RESIDUAL
    if rules[s.BLOCK_BALANCING] > 0.0 and opposite_mw > POWER_EPSILON_MW:
        return codes.OPPOSITE_SALE
    if price > product[s.PRICE_CAP] or price < product[s.PRICE_FLOOR] or product[s.UP_OPEN + direction] == 0.0:
        return codes.PRICE_LIMIT
    return -1


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
def forward_alone(
    product: Any, p: Any, ring: Any, flow: Any, target: int, slot: int, direction: int, unsold: float, work: Any
) -> None:
    """Forward one bid: whole multiples of the granularity from the minimum on."""
    quantity = tradable_mw(product, unsold)
    if quantity == 0.0:
        flow[f.REFUSED + codes.BELOW_MINIMUM] += unsold * MTU_H
        return
    flow[f.REFUSED + codes.GRANULARITY_REST] += max(0.0, unsold - quantity) * MTU_H
    enter(p, ring, flow, target, slot, direction, quantity, work)
