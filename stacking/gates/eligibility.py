"""Membership and collateral in the receiving market (Article 34 a): who may bid there, for how many MW, and who checks it.

The local operator checks before a bid is passed on; where the receiving operator does, a bid is locked until that market clears,
and then struck out, which can take a whole pool below its minimum.
"""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..state import cell, column
from ..units import MTU_H, POWER_EPSILON_MW
from .passed import withdraw
from .quantity import tradable_mw


@law
def is_member(rules: Any, p: Any, passed_on: bool) -> bool:
    """Return whether a portfolio may bid in the receiving market; forwarded bids of a pool may be those of its operator."""
    demanded = rules[s.MEMBERSHIP]
    return demanded == s.ANYBODY or p[s.MEMBER] > 0.0 or (passed_on and demanded == s.EACH_POOL)


@law
def covered_mw(rules: Any, p: Any, power_mw: float) -> float:
    """Return the part of a forwarded bid that the collateral of its owner covers: min(power, collateral / EUR per MW), MW."""
    asked = rules[s.COLLATERAL_EUR_PER_MW]
    return power_mw if asked <= 0.0 else min(power_mw, p[s.COLLATERAL] / asked)


@part
def strike_out(rules: Any, product: Any, slot: int, params: Any, ring: Any, flow: Any) -> None:
    """Strike out forwarded bids for one MTU that the receiving operator does not accept, and pools that are then too small."""
    for d in range(2):
        for head in range(params.shape[0]):
            if params[head, s.POOL_HEAD] > 0.0:
                strike_pool(rules, product, slot, d, head, params, ring, flow)


@law
def strike_pool(rules: Any, product: Any, slot: int, direction: int, head: int, params: Any, ring: Any, flow: Any) -> None:
    """Strike out the members of one pool who are not accepted; what stays keeps to minimum and granularity of the product."""
    row, left, struck, offered = head, 0.0, 0.0, column(c.FORWARDED, s.OFFERED, direction)
    while row >= 0:
        q = cell(ring[row], slot, offered)
        code = codes.NOT_MEMBER
        if q > POWER_EPSILON_MW and is_member(rules, params[row], True):
            left += q
            code = codes.COLLATERAL
        if q > POWER_EPSILON_MW and (code == codes.NOT_MEMBER or covered_mw(rules, params[row], q) < q - POWER_EPSILON_MW):
            left -= q if code == codes.COLLATERAL else 0.0
            struck += q
            flow[row, f.REFUSED + code] += q * MTU_H
            withdraw(params[row], ring[row], slot, direction, 0.0)
        row = int(params[row, s.NEXT_IN_POOL])
    if struck <= POWER_EPSILON_MW or left <= POWER_EPSILON_MW:
        return
    row, keeps = head, tradable_mw(product, left)
    while row >= 0:  # the first members of the chain stay whole
        q = cell(ring[row], slot, offered)
        if q > POWER_EPSILON_MW:
            stays = min(q, keeps)
            keeps -= stays
            if stays < q - POWER_EPSILON_MW:
                flow[row, f.REFUSED + codes.POOL_TOO_SMALL] += (q - stays) * MTU_H
                withdraw(params[row], ring[row], slot, direction, stays)
        row = int(params[row, s.NEXT_IN_POOL])
