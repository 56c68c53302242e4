"""Who pays for jointly procured bids: the split of their cost among the needs that they serve."""

from __future__ import annotations

from typing import Any

from ..build import law, part, prange
from .joint import (
    BID_AREA,
    BID_EUR_PER_MWH,
    BID_SIGN,
    COST_EUR_PER_H,
    LINK_BID,
    LINK_NEXT,
    LIST_FRONT,
    PARENT,
    PIECE_MW,
    PRICE_EUR_PER_MWH,
    SCRATCH,
    clear_jointly,
)

_PREMIUM_UP, _PREMIUM_DN, _RATE_UP, _RATE_DN = SCRATCH, SCRATCH + 1, SCRATCH + 2, SCRATCH + 3


def clear_and_split(
    bids: Any, count: Any, areas: Any, reference: Any, pieces: Any, links: Any, lists: Any, cost: Any
) -> None:  # fmt: skip
    """Clear one delivery period in each world and split its cost.

    The arguments are those of `clear_jointly` with the world as first axis; cost: (world,) EUR/h with penalties; written.
    """
    for b in prange(bids.shape[0]):
        cost[b] = clear_jointly(bids[b], count[b], areas[b], reference[b], pieces[b], links[b], lists[b])
        split_cost(bids[b], areas[b], pieces[b], links[b], lists[b])


@part
def split_cost(bids: Any, areas: Any, pieces: Any, links: Any, lists: Any) -> None:
    """Write what each area's operator pays for accepted bids to COST_EUR_PER_H, without penalties; call after `clear_jointly`.

    Each MW is paid as bid. The root (the TSO) pays for it at most its own price: x min(p, price_root) for up-regulation,
    -x max(p, price_root) for down-regulation. What the bid costs beyond is due to the areas on its path, in proportion to
    their premiums in the bid's direction: price_a - price_parent up, price_parent - price_a down. The shares add up to the
    cost of all bids. An assumed rule: the sources of `stacking.markets.joint` name none.

    Args:
        bids: (bid, BIDS_W); areas: (area, AREAS_W); pieces, links, lists: as `clear_jointly` left them.
    """
    last = areas.shape[0]
    for k in range(last):
        start_shares(areas, last - 1 - k)
    for root in range(last):
        piece = lists[root, LIST_FRONT] if areas[root, PARENT] < 0.0 else -1
        while piece >= 0:
            bid, net = bids[links[LINK_BID, piece]], pieces[PIECE_MW, piece]
            share(areas, root, int(bid[BID_AREA]), bid[BID_SIGN], bid[BID_EUR_PER_MWH], net)
            piece = links[LINK_NEXT, piece]
    for a in range(last):
        pass_on(areas, a)


@law
def start_shares(areas: Any, a: int) -> None:
    """Forget an area's share and sum the premiums on its path, up and down, EUR/MWh."""
    parent = int(areas[a, PARENT])
    areas[a, COST_EUR_PER_H] = areas[a, _PREMIUM_UP] = areas[a, _PREMIUM_DN] = areas[a, _RATE_UP] = areas[a, _RATE_DN] = 0.0
    if parent >= 0:
        areas[a, _PREMIUM_UP] = areas[parent, _PREMIUM_UP] + premium(areas, a, 1.0)
        areas[a, _PREMIUM_DN] = areas[parent, _PREMIUM_DN] + premium(areas, a, -1.0)


@law
def share(areas: Any, root: int, a: int, sign: float, price: float, net: float) -> None:
    """Charge the root for a bid's accepted MW (net, signed), and its area for what they cost beyond, per EUR/MWh of premium."""
    system, premiums = areas[root, PRICE_EUR_PER_MWH], areas[a, _PREMIUM_UP if sign > 0.0 else _PREMIUM_DN]
    beyond = net * (price - (min(price, system) if sign > 0.0 else max(price, system))) if premiums > 0.0 else 0.0
    areas[root, COST_EUR_PER_H] += net * price - beyond
    if beyond > 0.0:
        areas[a, _RATE_UP if sign > 0.0 else _RATE_DN] += beyond / premiums


@law
def pass_on(areas: Any, a: int) -> None:
    """Charge an area for its premiums, and hand on what was charged below to the parent."""
    parent = int(areas[a, PARENT])
    if parent >= 0:
        areas[a, COST_EUR_PER_H] += areas[a, _RATE_UP] * premium(areas, a, 1.0) + areas[a, _RATE_DN] * premium(areas, a, -1.0)
        areas[parent, _RATE_UP] += areas[a, _RATE_UP]
        areas[parent, _RATE_DN] += areas[a, _RATE_DN]


@law
def premium(areas: Any, a: int, sign: float) -> float:
    """Return what a MW in an area is worth above one in its parent, in the direction of a bid, EUR/MWh."""
    return max(sign * (areas[a, PRICE_EUR_PER_MWH] - areas[int(areas[a, PARENT]), PRICE_EUR_PER_MWH]), 0.0)
