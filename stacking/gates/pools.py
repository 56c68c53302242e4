"""Pools (super-aggregation): bids too small for the receiving market meet its minimum together, and failure may be shared.

A pool is a chain of portfolios of one zone, or of one area where a forwarded bid keeps its place; of all FSPs, or of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import codes
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..config import Rules
from ..markets.merit_order import OFFER_MW, OFFER_ROW, sort_offers
from ..portfolio import Portfolio
from ..units import MTU_H, POWER_EPSILON_MW
from .passed import enter
from .quantity import tradable_mw


def link_pools(rules: Rules, portfolios: Sequence[Portfolio], area: NDArray[np.int64], params: NDArray[np.float64]) -> None:
    """Write which portfolios pool their bids into the columns POOL_HEAD and NEXT_IN_POOL; without pooling each stands alone.

    Args:
        rules: of the design.
        portfolios: (F,) in row order.
        area: (F,) local market of each.
        params: (F, PARAMS_W), written.
    """
    last: dict[object, int] = {}
    params[:, s.POOL_HEAD], params[:, s.NEXT_IN_POOL] = 1.0, -1.0
    if not rules.pooling:
        return
    for row, portfolio in enumerate(portfolios):
        place = int(area[row]) if rules.location == "kept" else None
        key = (place, portfolio.owner if rules.pool_members == "fsp" else None)
        if key in last:
            params[last[key], s.NEXT_IN_POOL], params[row, s.POOL_HEAD] = row, 0.0
        last[key] = row


@law
def forward_pool(
    product: Any, params: Any, ring: Any, flow: Any, target: int, slot: int, direction: int, offers: Any, spare: Any, n: int,
    work: Any,
) -> None:  # fmt: skip
    """Forward the listed bids of one pool, direction and MTU: minimum and granularity apply to their sum.

    The pool is a stack of its members' prices (a multipart bid): each keeps its own price and is paid the marginal
    price, so never less than it bid. What the granularity cuts off is taken from the dearest members.
    """
    total = 0.0
    for i in range(n):
        total += offers[i, OFFER_MW]
    quantity = tradable_mw(product, total)
    if quantity == 0.0:
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


@part
def share_failure(params: Any, flow: Any) -> None:
    """Split the penalties of each pool over its members by ordered MW, after the MTU was settled; their sum is unchanged.

    The part of a penalty that belongs to forwarded energy is its share of what was ordered from the member; the last member
    bears what is left, so that nothing is lost to rounding.
    """
    for head in range(params.shape[0]):
        if params[head, s.POOL_HEAD] == 0.0:
            continue
        row, penalty, ordered, last = head, 0.0, 0.0, -1
        while row >= 0:
            if flow[row, f.ACTIVATED_FORWARDED] > 0.0:
                penalty += pool_penalty_eur(flow[row])
                ordered += flow[row, f.ACTIVATED_FORWARDED]
                last = row
            row = int(params[row, s.NEXT_IN_POOL])
        row, left = head, penalty
        while row >= 0 and penalty != 0.0:
            if flow[row, f.ACTIVATED_FORWARDED] > 0.0:
                mine = left if row == last else penalty * flow[row, f.ACTIVATED_FORWARDED] / ordered
                left -= mine
                flow[row, f.CASH_TSO_PENALTY] += mine - pool_penalty_eur(flow[row])
            row = int(params[row, s.NEXT_IN_POOL])


@law
def pool_penalty_eur(flow: Any) -> float:
    """Return the part of a portfolio's penalty that belongs to its forwarded orders, EUR."""
    forwarded = flow[f.ACTIVATED_FORWARDED]
    return flow[f.CASH_TSO_PENALTY] * forwarded / (forwarded + flow[f.ACTIVATED_MFRR])
