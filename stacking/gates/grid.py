"""Whether an operator's activation respects the other's grid: rooms below the limits, the check of bids, and violations.

Coordination of markets is not coordination of grids: the check is a rule of its own, to be combined with every design.
"""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..columns import background_column
from ..markets.merit_order import OFFER_KEY, OFFER_LEDGER, OFFER_MW, OFFER_ROW, accept, sort_offers
from ..state import cell, column, slot_of
from ..units import MTU_H, POWER_EPSILON_MW
from .offers import beyond_mw


@law
def activated_mw(area: Any, ring: Any, slot: int) -> float:
    """Return what the TSO activated net below a node for one MTU, MW."""
    total = 0.0
    for row in range(area[s.FIRST_ROW], area[s.LAST_ROW]):
        for ledger in range(c.MFRR, c.FORWARDED + 1):
            total += cell(ring[row], slot, column(ledger, s.SOLD, 0)) - cell(ring[row], slot, column(ledger, s.SOLD, 1))
    return total


@law
def others_mw(prices: Any, a: int, slot: int) -> float:
    """Return what other people sold net to the local market of an area for one MTU, MW."""
    return prices[a, s.OTHERS + slot] - prices[a, s.OTHERS + s.SLOTS + slot]


@law
def need_mw(margin: Any, direction: int, injected_mw: float) -> float:
    """Return what is needed in a direction for a limit to hold, negative where there is room: margin - signed injection, MW."""
    return margin[background_column(direction) + c.NEED] - (injected_mw if direction == 0 else -injected_mw)


@part
def buy_within_limits(
    rules: Any, offers: Any, spare: Any, n: int, direction: int, need: float, first: int, tick: int, curve: Any, at: Any,
    background_priority: float, areas: Any, local: Any, params: Any, ring: Any, prices: Any, rooms: Any, flow: Any,
) -> tuple[float, float, float]:  # fmt: skip
    """Sort listed offers, check them as the rule `grid_check` says and accept them beside other people's balancing supply.

    Returns:
        marginal price, MW of the offers, MW of others (see `accept`).
    """
    sign, base, checked = 1.0 if direction == 0 else -1.0, background_column(direction), rules[s.GRID_CHECK] > 0.0
    sort_offers(offers, spare, n)
    if checked:
        whole = rules[s.GRID_CHECK] == s.CHECK_REJECTS
        blind = rules[s.STRIPPED] > 0.0
        check_grid(offers, spare, n, direction, first, tick, whole, blind, areas, local, params, ring, prices, rooms)
    price, mine, others = accept(
        offers, n, curve, sign, need, at[base + c.VOLUME], at[base + c.REF], at[base + c.ANCHOR], at[base + c.LIMIT],
        background_priority, 0.0,
    )  # fmt: skip
    if checked:
        count_refused(offers, spare, n, sign, price, flow)
    return price, mine, others


@law
def check_grid(
    offers: Any, spare: Any, n: int, direction: int, first: int, tick: int, whole: bool, blind: bool, areas: Any, local: Any,
    params: Any, ring: Any, prices: Any, rooms: Any,
) -> None:  # fmt: skip
    """Cut sorted offers to what the limits on their path leave if all cheaper ones are taken; `whole`: refuse what does not fit.

    The room of a direction is minus the need of the other one.

    Args:
        offers: (offer, OFFER_W) sorted, OFFER_MW is changed; spare: the same, OFFER_MW is written: what was cut, MW.
        blind: whether the place of forwarded bids was stripped, so that they cannot be checked.
        n: number of offers; direction: 0 up, 1 down; first: delivery MTU; tick: now.
        areas: (area, AREAS_W); local: (area, mtu, LOCAL_W); params, ring: of all portfolios; prices: (area + 1, AREA_W).
        rooms: (area or more, 1 or more) memory.
    """
    slot = slot_of(first, tick)
    for a in range(areas.shape[0]):
        injected = beyond_mw(areas[a], params, ring, slot, 1) + activated_mw(areas[a], ring, slot) + others_mw(prices, a, slot)
        rooms[a, 0] = max(0.0, -need_mw(local[a, first], 1 - direction, injected))
    for i in range(n):
        wanted, a = offers[i, OFFER_MW], int(params[int(offers[i, OFFER_ROW]), s.AREA])
        spare[i, OFFER_MW] = 0.0
        if blind and offers[i, OFFER_LEDGER] == c.FORWARDED:
            continue
        fits, above = wanted, a
        while above >= 0:
            fits, above = min(fits, rooms[above, 0]), areas[above, s.PARENT]
        if fits < wanted - POWER_EPSILON_MW and whole:
            fits = 0.0
        while a >= 0:
            rooms[a, 0] -= fits
            a = areas[a, s.PARENT]
        offers[i, OFFER_MW], spare[i, OFFER_MW] = fits, wanted - fits


@law
def count_refused(offers: Any, spare: Any, n: int, sign: float, price: float, flow: Any) -> None:
    """Count what the grid kept from being bought although it was not dearer than what was."""
    for i in range(n):
        if spare[i, OFFER_MW] > POWER_EPSILON_MW and offers[i, OFFER_KEY] <= sign * price:
            flow[int(offers[i, OFFER_ROW]), f.REFUSED + codes.GRID_LIMIT] += spare[i, OFFER_MW] * MTU_H


@part
def count_violations(first: int, tick: int, areas: Any, local: Any, params: Any, ring: Any, prices: Any, result: Any) -> None:
    """Add the MWh by which the TSO's activations exceed limits of areas beyond what exceeded them without."""
    slot = slot_of(first, tick)
    for a in range(areas.shape[0]):
        without = beyond_mw(areas[a], params, ring, slot, 1) + others_mw(prices, a, slot)
        injected = without + activated_mw(areas[a], ring, slot)
        for d in range(2):
            more = max(0.0, need_mw(local[a, first], d, injected)) - max(0.0, need_mw(local[a, first], d, without))
            result[f.VIOLATED_MWH] += max(0.0, more) * MTU_H
