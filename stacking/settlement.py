"""Money and responsibility of one MTU: who delivered what, and who pays whom."""

from __future__ import annotations

from .build import law
from .state import AS_BID, BETTER, DSO_FIRST, PRO_RATA
from .units import POWER_EPSILON_MW


@law
def overlap_mw(local_mw: float, balancing_mw: float, headroom_mw: float) -> float:
    """Return the MW of one direction that were sold to both operators: min(local, balancing, local + balancing - headroom).

    >>> overlap_mw(3.0, 4.0, 5.0), overlap_mw(3.0, 2.0, 5.0)
    (2.0, 0.0)
    """
    return max(0.0, min(local_mw, balancing_mw, local_mw + balancing_mw - max(headroom_mw, 0.0)))


@law
def between(value: float, bound: float) -> float:
    """Return the part of `value` that lies between 0 and `bound` (either sign)."""
    return min(max(value, min(0.0, bound)), max(0.0, bound))


@law
def shortfall_shares_mw(shortfall_mw: float, local_mw: float, balancing_mw: float, priority: int) -> tuple[float, float]:
    """Split a signed shortfall (ordered - delivered) over the two operators by the delivery priority.

    DSO first: the balancing order bears it up to its own size, then the local one; TSO first: the reverse; pro rata: by
    size. What neither can bear (an infeasible schedule) stays with the imbalance. DOMAIN C, rule `delivery_priority`.

    Returns:
        (local, balancing) undelivered MW, each with the sign of its order.

    >>> shortfall_shares_mw(2.0, 3.0, 3.0, 0), shortfall_shares_mw(2.0, 3.0, 3.0, 1), shortfall_shares_mw(3.0, 4.0, 2.0, 2)
    ((0.0, 2.0), (2.0, 0.0), (2.0, 1.0))
    """
    if priority == PRO_RATA:
        # only orders in the direction of the shortfall can have caused it
        local = local_mw if local_mw * shortfall_mw > 0.0 else 0.0
        balancing = balancing_mw if balancing_mw * shortfall_mw > 0.0 else 0.0
        total = local + balancing
        if abs(total) <= POWER_EPSILON_MW:
            return 0.0, 0.0
        share = min(1.0, shortfall_mw / total)
        return share * local, share * balancing
    if priority == DSO_FIRST:
        balancing = between(shortfall_mw, balancing_mw)
        return between(shortfall_mw - balancing, local_mw), balancing
    local = between(shortfall_mw, local_mw)
    return local, between(shortfall_mw - local, balancing_mw)


@law
def apart_shortfalls_mw(delivered_mw: float, local_mw: float, balancing_mw: float) -> tuple[float, float]:
    """Return what each operator misses, (local, balancing) MW, if each measures metered - schedule for itself.

    Neither knows of the other's order: a MW that was sold to both counts for both and is paid twice, and orders in opposite
    directions hide each other. Rule `validation`; Article 34 i leaves open whether delivery is validated per market or net.

    >>> apart_shortfalls_mw(2.0, 2.0, 2.0), apart_shortfalls_mw(0.0, 1.0, -1.0)
    ((0.0, 0.0), (1.0, -1.0))
    """
    return local_mw - between(delivered_mw, local_mw), balancing_mw - between(delivered_mw, balancing_mw)


@law
def local_pay_eur(price: float, ordered_mwh: float, delivered_mwh: float, threshold_frac: float) -> float:
    """Return the pay of a local activation: bid price x delivered energy, nothing below the threshold.

    Delivered energy counts at most as ordered (sthlmflex/SWITCH, DOMAIN A2 and C). Signed: down orders are negative.

    >>> local_pay_eur(200.0, 1.0, 0.9, 0.8), local_pay_eur(200.0, 1.0, 0.7, 0.8)
    (180.0, 0.0)
    """
    if abs(ordered_mwh) <= 0.0 or delivered_mwh / ordered_mwh < threshold_frac - 1e-12:
        return 0.0
    return price * between(delivered_mwh, ordered_mwh)


@law
def forwarded_price(rule: int, bid_price: float, marginal_price: float, sign: float) -> float:
    """Return the price of an activated forwarded bid: marginal, as bid, or the better of both for the FSP."""
    if rule == AS_BID:
        return bid_price
    if rule == BETTER:
        return sign * max(sign * bid_price, sign * marginal_price)
    return marginal_price


@law
def imbalance_price(
    published: float, dominant: float, up_now: float, up_published: float, dn_now: float, dn_published: float
) -> float:
    """Return the imbalance price: as published, moved by as much as the balancing price of the dominating direction moved.

    Nordic single price since November 2021 (DOMAIN C). With nobody bidding nothing moves and the price is exactly the
    published one.
    """
    if dominant > 0.0:
        return published + (up_now - up_published)
    if dominant < 0.0:
        return published + (dn_now - dn_published)
    return published


@law
def penalty_eur(factor: float, price: float, undelivered_mwh: float) -> float:
    """Return the explicit charge for undelivered balancing energy: factor x |marginal price| x shortfall (<= 0).

    Germany: k = 1 (DOMAIN I5); other countries' formulas are not confirmed.
    """
    return -factor * abs(price) * abs(undelivered_mwh)
