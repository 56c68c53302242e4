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
    clear_jointly,
)


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
    for a in range(areas.shape[0]):
        areas[a, COST_EUR_PER_H] = 0.0
    for root in range(areas.shape[0]):
        piece = lists[root, LIST_FRONT] if areas[root, PARENT] < 0.0 else -1
        while piece >= 0:
            share(bids[links[piece, LINK_BID]], pieces[piece, PIECE_MW], areas, root)
            piece = links[piece, LINK_NEXT]


@law
def share(bid: Any, net: float, areas: Any, root: int) -> None:
    """Share what the accepted MW of a bid (net, signed) cost among the areas on its path."""
    price, sign, system = bid[BID_EUR_PER_MWH], bid[BID_SIGN], areas[root, PRICE_EUR_PER_MWH]
    premiums, a = 0.0, int(bid[BID_AREA])
    while a != root:
        premiums += premium(areas, a, sign)
        a = int(areas[a, PARENT])
    beyond = net * (price - (min(price, system) if sign > 0.0 else max(price, system))) if premiums > 0.0 else 0.0
    areas[root, COST_EUR_PER_H] += net * price - beyond
    a = int(bid[BID_AREA])
    while a != root and beyond > 0.0:
        areas[a, COST_EUR_PER_H] += beyond * premium(areas, a, sign) / premiums
        a = int(areas[a, PARENT])


@law
def premium(areas: Any, a: int, sign: float) -> float:
    """Return what a MW in an area is worth above one in its parent, in the direction of a bid, EUR/MWh."""
    return max(sign * (areas[a, PRICE_EUR_PER_MWH] - areas[int(areas[a, PARENT]), PRICE_EUR_PER_MWH]), 0.0)
