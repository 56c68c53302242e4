"""Joint procurement: one optimisation picks the cheapest set of bids for the needs of all operators on a tree of areas.

Rules of the OneNet Northern cluster: bids are selected by the cost of the whole system under the network's limits, so the
cheapest bid is not always the one that is called; one activation serves several needs and is paid once; a bid can be
restricted in part (NOCL-01 "Northern Flexibility Market": selection rule, stacking, restriction; grid information: limits).

For one delivery period::

    minimise    sum_up p x - sum_dn p x + sum_a (shortfall_price_a (lower_a - S_a)+ + surplus_price_a (S_a - upper_a)+)
    subject to  0 <= x_i <= q_i,    S_a = sum of up minus down in and below area a

Method: the least cost of an area as a function of S_a is convex and piecewise linear. It is kept as a list of pieces
(MW at one slope, EUR/MWh) sorted by slope. Areas side by side add up by merging their lists; a limit lowers the slopes
left of it or raises those right of it. At the root, all pieces that lower the cost are accepted. Lists are chained through
`links`, so nothing is copied or allocated. Effort: O(n log n) for each level of the tree at most.
"""

from __future__ import annotations

from typing import Any

from ..build import law, part
from ..units import POWER_EPSILON_MW
from .merit_order import goes_before

BID_AREA, BID_SIGN, BID_EUR_PER_MWH, BID_MW, BID_PRIORITY, BID_ACCEPTED_MW = 0, 1, 2, 3, 4, 5
BIDS_W = 6

PARENT, LOWER_MW, UPPER_MW, SHORTFALL_EUR_PER_MWH, SURPLUS_EUR_PER_MWH = 0, 1, 2, 3, 4
NET_MW, SHORTFALL_MW, SURPLUS_MW, PRICE_EUR_PER_MWH, COST_EUR_PER_H = 5, 6, 7, 8, 9
SCRATCH = 10
_START_MW, _END_MW, _BELOW, _ABOVE = SCRATCH, SCRATCH + 1, SCRATCH + 2, SCRATCH + 3
AREAS_W = SCRATCH + 4

PIECE_SLOPE, PIECE_MW = 0, 1
PIECES_W = 2
LINK_NEXT, LINK_LATER, LINK_BID = 0, 1, 2
LINKS_W = 3
LIST_FRONT, LIST_BACK = 0, 1
LISTS_W = 2

_INFINITY = float("inf")


def pieces_needed(bids: int, areas: int) -> int:
    """Return the columns of `pieces` and `links`: one for each bid, and each area cuts at most two pieces.

    >>> pieces_needed(200, 50)
    300
    """
    return bids + 2 * areas


@part
def clear_jointly(bids: Any, count: int, areas: Any, reference: float, pieces: Any, links: Any, lists: Any) -> float:
    """Accept the set of bids that costs least for all needs together; return its cost with penalties, EUR/h.

    Equal slopes: withdrawing a down bid comes before calling an up bid (nothing is activated without gain), then the lower
    priority, then the lower row. Bid and penalty equal: the need is served.

    The price of an area is the value of one more MW in it, the multiplier of S_a: it is the parent's price plus the area's
    own premium, which lies in [0, shortfall price] at `lower` and in [-surplus price, 0] at `upper` and is 0 between them.
    Of several right prices the nearest to the parent's (at the root: to the reference) is given.

    Args:
        bids: (bid, BIDS_W), the first `count` rows: area, sign (+1 up, -1 down), EUR/MWh, MW, priority (a tie-break);
            BID_ACCEPTED_MW is written, MW >= 0.
        count: number of bids.
        areas: (area, AREAS_W), parents behind their children, PARENT -1 for the root: lower and upper MW of S_a (an up need is
            a lower, a down need a negative upper; -inf, inf: none), finite penalties >= 0 EUR/MWh. NET_MW, SHORTFALL_MW,
            SURPLUS_MW and PRICE_EUR_PER_MWH are written, the columns behind are memory.
        reference: price that the root's is nearest to where several are right, EUR/MWh.
        pieces, links: (PIECES_W, pieces_needed(count, area)) float64 and (LINKS_W, same) int64 memory.
        lists: (area, LISTS_W) int64 memory.
    """
    last = areas.shape[0]
    start(bids, count, areas, pieces, links, lists)
    for a in range(last):
        merge_all(a, pieces, links, lists, bids)
        measure(areas[a], lists[a, LIST_FRONT], pieces, links, bids)
    fresh, cost = count, 0.0
    for a in range(last):
        parent = int(areas[a, PARENT])
        if parent < 0 or areas[a, _START_MW] < areas[a, LOWER_MW] or areas[a, _END_MW] > areas[a, UPPER_MW]:
            merge_all(a, pieces, links, lists, bids)
            fresh = penalise(areas[a], lists[a, LIST_FRONT], fresh, pieces, links)
        if parent < 0:
            cost += accept(areas, a, lists[a, LIST_FRONT], pieces, links, bids)
        else:
            areas[parent, _START_MW] += areas[a, _START_MW]
            areas[parent, _END_MW] += areas[a, _END_MW]
            append(lists[a, LIST_FRONT], lists[a, LIST_BACK], parent, links, lists)
    for a in range(last):
        cost += close(areas, a)
    for k in range(last):
        set_price(areas, last - 1 - k, reference)
    return cost


@law
def start(bids: Any, count: int, areas: Any, pieces: Any, links: Any, lists: Any) -> None:
    """Forget the last clearing and give each area the list of lists of its own bids, one piece each."""
    for a in range(areas.shape[0]):
        lists[a, LIST_FRONT] = lists[a, LIST_BACK] = -1
        areas[a, NET_MW] = areas[a, _START_MW] = areas[a, _END_MW] = 0.0
        areas[a, _BELOW], areas[a, _ABOVE] = -_INFINITY, _INFINITY
    for i in range(count):
        bids[i, BID_ACCEPTED_MW] = 0.0
        if bids[i, BID_MW] > 0.0:
            pieces[PIECE_SLOPE, i], pieces[PIECE_MW, i] = bids[i, BID_EUR_PER_MWH], bids[i, BID_MW]
            links[LINK_NEXT, i], links[LINK_BID, i] = -1, i
            append(i, i, int(bids[i, BID_AREA]), links, lists)


@law
def append(first: int, last: int, area: int, links: Any, lists: Any) -> None:
    """Put lists, chained from first to last, behind the other lists of an area; -1 = none."""
    if first < 0:
        return
    links[LINK_LATER, last] = -1
    if lists[area, LIST_FRONT] < 0:
        lists[area, LIST_FRONT] = first
    else:
        links[LINK_LATER, lists[area, LIST_BACK]] = first
    lists[area, LIST_BACK] = last


@part
def merge_all(area: int, pieces: Any, links: Any, lists: Any, bids: Any) -> None:
    """Merge the lists of an area into one: always the two in front, so each piece moves log2(lists) times."""
    first = lists[area, LIST_FRONT]
    while first >= 0 and links[LINK_LATER, first] >= 0:
        second = links[LINK_LATER, first]
        lists[area, LIST_FRONT] = links[LINK_LATER, second]
        merged = merge_two(first, second, pieces, links, bids)
        append(merged, merged, area, links, lists)
        first = lists[area, LIST_FRONT]


@part
def merge_two(left: int, right: int, pieces: Any, links: Any, bids: Any) -> int:
    """Merge two lists that are not empty; return the head."""
    if precedes(right, left, pieces, links, bids):
        left, right = right, left
    head = left
    while right >= 0:  # links change only where the lists take turns
        tail, left = left, links[LINK_NEXT, left]
        while left >= 0 and precedes(left, right, pieces, links, bids):
            tail, left = left, links[LINK_NEXT, left]
        links[LINK_NEXT, tail] = right
        left, right = right, left
    return head


@law
def precedes(i: int, j: int, pieces: Any, links: Any, bids: Any) -> bool:
    """Return whether piece i comes before piece j: lower slope, then down before up, then priority and row.

    A down bid of good priority is withdrawn last, so priorities count backwards there.
    """
    if pieces[PIECE_SLOPE, i] != pieces[PIECE_SLOPE, j]:
        return pieces[PIECE_SLOPE, i] < pieces[PIECE_SLOPE, j]
    p, q = links[LINK_BID, i], links[LINK_BID, j]
    if bids[p, BID_SIGN] != bids[q, BID_SIGN]:
        return bids[p, BID_SIGN] < bids[q, BID_SIGN]
    sooner = goes_before(bids[p, BID_PRIORITY], p, bids[q, BID_PRIORITY], q)
    return sooner if bids[p, BID_SIGN] > 0.0 else not sooner


@law
def measure(area: Any, piece: int, pieces: Any, links: Any, bids: Any) -> None:
    """Set the least and largest net MW of an area's own bids, summed in the order of the list whatever that of the bids."""
    while piece >= 0:
        if bids[links[LINK_BID, piece], BID_SIGN] > 0.0:
            area[_END_MW] += pieces[PIECE_MW, piece]
        else:
            area[_START_MW] -= pieces[PIECE_MW, piece]
        piece = links[LINK_NEXT, piece]


@part
def penalise(area: Any, piece: int, fresh: int, pieces: Any, links: Any) -> int:
    """Add an area's penalties to its list: -shortfall price left of `lower`, +surplus price right of `upper`.

    Pieces that lie across a limit are cut in two. Returns the next unused piece.
    """
    lower, upper, position = area[LOWER_MW], area[UPPER_MW], area[_START_MW]
    while piece >= 0 and (position < lower or area[_END_MW] > upper):
        cut, shift = _INFINITY, 0.0
        if position < lower:
            cut, shift = lower, -area[SHORTFALL_EUR_PER_MWH]
        if position < upper:
            cut = min(cut, upper)
        else:
            shift += area[SURPLUS_EUR_PER_MWH]
        reached = position + pieces[PIECE_MW, piece]
        if reached > cut:
            pieces[PIECE_SLOPE, fresh], pieces[PIECE_MW, fresh] = pieces[PIECE_SLOPE, piece], reached - cut
            links[LINK_NEXT, fresh], links[LINK_BID, fresh] = links[LINK_NEXT, piece], links[LINK_BID, piece]
            pieces[PIECE_MW, piece], links[LINK_NEXT, piece] = cut - position, fresh
            reached, fresh = cut, fresh + 1
        pieces[PIECE_SLOPE, piece] += shift
        position, piece = reached, links[LINK_NEXT, piece]
    return fresh


@part
def accept(areas: Any, root: int, piece: int, pieces: Any, links: Any, bids: Any) -> float:
    """Move from all down bids accepted to the least cost at the root, piece by piece; return the cost of the bids, EUR/h.

    What is taken of an up bid is accepted, what is taken of a down bid is withdrawn. Afterwards a piece holds its signed
    accepted MW, an area the sum of its own bids and the prices next to it: of what was taken and of what was not.
    """
    cost, position, moving = 0.0, areas[root, _START_MW], True
    while piece >= 0:
        i, mw, slope = links[LINK_BID, piece], pieces[PIECE_MW, piece], pieces[PIECE_SLOPE, piece]
        sign, price, a = bids[i, BID_SIGN], bids[i, BID_EUR_PER_MWH], int(bids[i, BID_AREA])
        needed = position + 0.5 * mw < areas[root, UPPER_MW if sign < 0.0 else LOWER_MW]
        moving = moving and (slope < 0.0 or (slope == 0.0 and needed))
        if mw <= POWER_EPSILON_MW:
            pass  # what rounding left between a bid and a limit sets no price
        elif moving:
            areas[a, _BELOW] = max(areas[a, _BELOW], price)
        else:
            areas[a, _ABOVE] = min(areas[a, _ABOVE], price)
        accepted = mw if moving == (sign > 0.0) else 0.0
        bids[i, BID_ACCEPTED_MW] = min(bids[i, BID_ACCEPTED_MW] + accepted, bids[i, BID_MW])
        pieces[PIECE_MW, piece] = sign * accepted
        areas[a, NET_MW] += sign * accepted
        cost += sign * accepted * price
        position += mw
        piece = links[LINK_NEXT, piece]
    return cost


@law
def close(areas: Any, a: int) -> float:
    """Measure shortfall and surplus of an area, hand its sums and slopes to the parent; return its penalties, EUR/h."""
    net, lower, upper = areas[a, NET_MW], areas[a, LOWER_MW], areas[a, UPPER_MW]
    parent = int(areas[a, PARENT])
    if parent >= 0:
        areas[parent, NET_MW] += net
    if abs(net - lower) <= POWER_EPSILON_MW:
        net = lower
    elif abs(net - upper) <= POWER_EPSILON_MW:
        net = upper
    areas[a, NET_MW] = net
    areas[a, SHORTFALL_MW], areas[a, SURPLUS_MW] = max(lower - net, 0.0), max(net - upper, 0.0)
    if parent >= 0:
        areas[parent, _BELOW] = max(areas[parent, _BELOW], areas[a, _BELOW] + slope_left(areas[a]))
        areas[parent, _ABOVE] = min(areas[parent, _ABOVE], areas[a, _ABOVE] + slope_right(areas[a]))
    return areas[a, SHORTFALL_MW] * areas[a, SHORTFALL_EUR_PER_MWH] + areas[a, SURPLUS_MW] * areas[a, SURPLUS_EUR_PER_MWH]


@law
def slope_left(area: Any) -> float:
    """Return what the area's penalties change by per MW left of where it stands, EUR/MWh."""
    slope = -area[SHORTFALL_EUR_PER_MWH] if area[NET_MW] <= area[LOWER_MW] else 0.0
    return slope + area[SURPLUS_EUR_PER_MWH] if area[NET_MW] > area[UPPER_MW] else slope


@law
def slope_right(area: Any) -> float:
    """Return what the area's penalties change by per MW right of where it stands, EUR/MWh."""
    slope = -area[SHORTFALL_EUR_PER_MWH] if area[NET_MW] < area[LOWER_MW] else 0.0
    return slope + area[SURPLUS_EUR_PER_MWH] if area[NET_MW] >= area[UPPER_MW] else slope


@law
def set_price(areas: Any, a: int, reference: float) -> None:
    """Set the price of an area: the nearest to the parent's that its bids, the areas below and its penalties admit."""
    parent = int(areas[a, PARENT])
    above = areas[parent, PRICE_EUR_PER_MWH] if parent >= 0 else 0.0
    lowest = max(areas[a, _BELOW], above - slope_right(areas[a]))
    highest = min(areas[a, _ABOVE], above - slope_left(areas[a]))
    areas[a, PRICE_EUR_PER_MWH] = min(max(above if parent >= 0 else reference, lowest), highest)
