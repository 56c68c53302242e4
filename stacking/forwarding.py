"""Forwarding: unsold local bids become bids of a receiving market, if their owner consents and the rules allow it.

Rules a to i of Article 34 of the draft network code on demand response (DOMAIN D, E): volume and price are unchanged
except for the granularity; a bid that does not fit is refused with a code, never clipped.
"""

from __future__ import annotations

from typing import Any

from . import codes
from . import flows as f
from . import state as s
from .build import law
from .coordination import round_down
from .lookahead import column, renew_sums
from .markets.merit_order import OFFER_KEY, OFFER_MW, OFFER_PRIORITY, OFFER_ROW, sort_offers
from .units import MTU_H, POWER_EPSILON_MW


@law
def forward_unsold(
    source: int, target: int, first: int, count: int, product: Any, rules: Any, params: Any, priority: Any,
    book: Any, sums: Any, plan: Any, offers: Any, spare: Any, flow: Any,
) -> None:  # fmt: skip
    """Forward the unsold part of local bids for the MTU of a block to the receiving market's ledger.

    Args:
        source, target: ledgers.
        first, count: the block of delivery MTU.
        product: (PRODUCT_W,) receiving product.
        rules: (RULES_W,) rules of sharing.
        params, priority, book, sums, plan, flow: matrices of all portfolios of the world.
        offers, spare: scratch of the merit order.
    """
    for tau in range(first, first + count):
        slot = tau % s.BOOK_SLOTS
        for d in range(2):
            n = 0
            for row in range(book.shape[0]):
                unsold = book[row, slot, column(source, s.PENDING, d)] - book[row, slot, column(source, s.SOLD, d)]
                if unsold <= POWER_EPSILON_MW:
                    continue
                other = book[row, slot, column(source, s.PENDING, 1 - d)] - book[row, slot, column(source, s.SOLD, 1 - d)]
                if d == 0 or other <= POWER_EPSILON_MW:  # both directions of one MTU are one FSP-MTU
                    flow[row, f.ASKED_COUNT] += 1.0
                    if sums[row, s.CONSENTED, slot] <= 0.0:
                        flow[row, f.OPTED_OUT_COUNT] += 1.0
                if not may_forward(
                    product,
                    rules,
                    sums[row, s.CONSENTED, slot],
                    flow[row],
                    unsold,
                    book[row, slot, column(source, s.PRICE, d)],
                    d,
                    book[row, slot, column(source, s.SOLD, 1 - d)],
                ):
                    continue
                if rules[s.POOLING] > 0.0:
                    price = book[row, slot, column(source, s.PRICE, d)]
                    offers[n, OFFER_KEY] = price if d == 0 else -price
                    offers[n, OFFER_PRIORITY] = priority[row]
                    offers[n, OFFER_MW] = unsold
                    offers[n, OFFER_ROW] = row
                    n += 1
                else:
                    forward_alone(product, book[row], flow[row], source, target, slot, d, unsold)
            if n > 0:
                forward_pool(product, book, flow, source, target, slot, d, offers, spare, n)
        for row in range(book.shape[0]):
            if book[row, slot, column(target, s.PENDING, 0)] + book[row, slot, column(target, s.PENDING, 1)] > 0.0:
                renew_sums(params[row], book[row], sums[row], plan[row], tau)


@law
def may_forward(
    product: Any, rules: Any, consented: float, flow: Any, unsold_mw: float, price: float, direction: int, opposite_mw: float
) -> bool:
    """Check consent and the requirements that do not depend on size; count the refusal."""
    energy = unsold_mw * MTU_H
    flow[f.CONSENT_ASKED] += energy
    if consented <= 0.0:
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
    product: Any, book: Any, flow: Any, source: int, target: int, slot: int, direction: int, unsold_mw: float
) -> None:
    """Forward one bid: whole multiples of the granularity from the minimum on."""
    quantity = round_down(unsold_mw, product[s.GRANULARITY_MW])
    if quantity < product[s.MIN_MW] - POWER_EPSILON_MW:
        flow[f.REFUSED + codes.BELOW_MINIMUM] += unsold_mw * MTU_H
        return
    flow[f.REFUSED + codes.GRANULARITY_REST] += max(0.0, unsold_mw - quantity) * MTU_H
    enter(book, flow, source, target, slot, direction, quantity)


@law
def enter(book: Any, flow: Any, source: int, target: int, slot: int, direction: int, quantity_mw: float) -> None:
    """Write a forwarded bid at its local price; from now on it is locked against own offers of the same MW."""
    book[slot, column(target, s.OFFERED, direction)] = quantity_mw
    book[slot, column(target, s.PENDING, direction)] = quantity_mw
    book[slot, column(target, s.PRICE, direction)] = book[slot, column(source, s.PRICE, direction)]
    flow[f.FORWARDED_MWH] += quantity_mw * MTU_H


@law
def forward_pool(
    product: Any,
    book: Any,
    flow: Any,
    source: int,
    target: int,
    slot: int,
    direction: int,
    offers: Any,
    spare: Any,
    n: int,
) -> None:
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
            enter(book[row], flow[row], source, target, slot, direction, taken)
