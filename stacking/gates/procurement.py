"""Joint procurement of one delivery MTU: one optimisation serves the needs of all areas and of the balancing area.

Roles as in the OneNet Northern cluster (NOCL-01 "Northern Flexibility Market"): the system operators report limits and
needs, the optimisation operator picks the bids that cost least for all of them, the market operator books what was picked.
"""

from __future__ import annotations

from typing import Any

from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..columns import background_column
from ..markets import joint as j
from ..markets.joint import clear_jointly
from ..markets.merit_order import OFFER_ACCEPTED, OFFER_KEY, OFFER_MW, OFFER_PRIORITY, OFFER_ROW, background_alone_mw, step_price
from ..state import slot_of
from ..units import MTU_H, POWER_EPSILON_MW
from .offers import beyond_mw, book_sales, gather_offers

ASKED_LOWER_MW, ASKED_UPPER_MW = j.AREAS_W, j.AREAS_W + 1
NODES_W = j.AREAS_W + 2
"""Columns of an area: those of the optimisation, then the limits as the operator has them."""


def bids_needed(rows: int, areas: int, steps: int) -> int:
    """Return the rows of `bids`: an offer up and one down of each portfolio, and other people's steps everywhere.

    >>> bids_needed(10, 2, 8)
    68
    """
    return 2 * (rows + (areas + 1) * steps)


@part
def procure_jointly(
    tick: int, first: int, rules: Any, product: Any, curves: Any, at: Any, areas: Any, local: Any, background_priority: float,
    priority: Any, params: Any, ring: Any, fleets: Any, loads: Any, world: Any, prices: Any, offers: Any, spare: Any,
    bids: Any, nodes: Any, pieces: Any, links: Any, lists: Any, flow: Any, result: Any,
) -> None:  # fmt: skip
    """Pick the bids that cost least for all operators together, book them and set the price of each area.

    Net injection S below a node is held between two limits: S >= up margin - what is injected beyond the reference schedule,
    S <= -(down margin + the same); at the root S = need of the balancing area. A local MW that is missing costs what the DSO
    was willing to pay, one that is missing at the root the price limit of the product. Where no willingness to pay is drawn, what
    schedules exceed is left as it is, and nothing may be added to it: that costs the price limit too.

    Args:
        tick: now; first: delivery MTU.
        rules: (RULES_W,); product: (PRODUCT_W,) balancing product; curves: shapes of other people's supply, local and balancing.
        at: (SERIES_W,) of the MTU; areas: (area, AREAS_W); local: (area, mtu, LOCAL_W).
        prices: (area + 1, AREA_W), the last row is the root's; written.
        offers, spare: memory, a row for each portfolio; bids, nodes, pieces, links, lists: memory of `clear_jointly`.
        others: as in `stacking.gates.offers.clear_balancing`.
    """
    slot, root = slot_of(first, tick), areas.shape[0]
    up, down = gather_offers(rules, ring, priority, c.MFRR, 0, slot, 0, params.shape[0], False, offers), 0
    n = list_offers(offers, up, 0, 1.0, root, params, bids)
    down = gather_offers(rules, ring, priority, c.MFRR, 1, slot, 0, params.shape[0], False, spare)
    n = list_offers(spare, down, n, -1.0, root, params, bids)
    own = n
    set_limits(first, slot, product, at, areas, local, params, ring, nodes)
    for a in range(root):
        n = add_local(n, a, areas, curves[c.LFM], local[a, first], background_priority, bids, nodes)
    local_count = n
    n = add_balancing(n, root, curves[c.MFRR], at, background_priority, bids)
    needed = at[background_column(0) + c.NEED] - at[background_column(1) + c.NEED]
    reference = at[c.DA_PRICE]
    if abs(needed) > POWER_EPSILON_MW:  # of several right prices that of the last bid taken, as in a merit order
        reference = product[s.PRICE_FLOOR] if needed > 0.0 else product[s.PRICE_CAP]
    clear_jointly(bids, n, nodes, reference, pieces, links, lists)
    for a in range(root + 1):
        prices[a, slot] = nodes[a, j.PRICE_EUR_PER_MWH]
    for d in range(2):
        world[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot] = at[background_column(d) + c.ANCHOR]
    if abs(needed) > POWER_EPSILON_MW:
        world[(s.CLEARED_UP if needed > 0.0 else s.CLEARED_DN) + slot] = nodes[root, j.PRICE_EUR_PER_MWH]
    take_results(offers, up, bids, 0)
    take_results(spare, down, bids, up)
    book_sales(offers, up, 0, tick, first, 1, params, ring, fleets, loads, flow)
    book_sales(spare, down, 1, tick, first, 1, params, ring, fleets, loads, flow)
    result[f.NEED_MFRR_MWH] += abs(needed) * MTU_H
    result[f.UNSERVED_MFRR_MWH] += (nodes[root, j.SHORTFALL_MW] + nodes[root, j.SURPLUS_MW]) * MTU_H
    for i in range(n):
        label = f.ACCEPTED_MFRR_MWH if i < own else f.BACKGROUND_LFM_MWH if i < local_count else f.BACKGROUND_MFRR_MWH
        result[label] += bids[i, j.BID_ACCEPTED_MW] * MTU_H
    for a in range(root):
        for d in range(2):
            need, missing = asked_mw(nodes[a], d), missing_mw(nodes[a], d)
            result[f.NEED_LFM_MWH] += need * MTU_H
            result[f.UNSERVED_LFM_MWH] += min(need, missing) * MTU_H
            result[f.VIOLATED_MWH] += max(0.0, missing - need) * MTU_H


@law
def asked_mw(node: Any, direction: int) -> float:
    """Return what an area needs in a direction before anything is bought, MW >= 0."""
    return max(0.0, node[ASKED_LOWER_MW] if direction == 0 else -node[ASKED_UPPER_MW])


@law
def missing_mw(node: Any, direction: int) -> float:
    """Return by how much a limit of an area is exceeded in the end, MW >= 0: more than was asked for is a violation."""
    missing = node[ASKED_LOWER_MW] - node[j.NET_MW] if direction == 0 else node[j.NET_MW] - node[ASKED_UPPER_MW]
    return missing if missing > POWER_EPSILON_MW else 0.0


@law
def list_offers(offers: Any, count: int, n: int, sign: float, root: int, params: Any, bids: Any) -> int:
    """Append the offers of one direction to the bids; return their number."""
    for i in range(count):
        a = int(params[int(offers[i, OFFER_ROW]), s.AREA])
        write_bid(bids, n + i, root if a < 0 else a, sign, sign * offers[i, OFFER_KEY], offers[i, OFFER_MW])
        bids[n + i, j.BID_PRIORITY] = offers[i, OFFER_PRIORITY]
    return n + count


@law
def write_bid(bids: Any, i: int, area: int, sign: float, price_eur_per_mwh: float, power_mw: float) -> None:
    """Write one bid."""
    bids[i, j.BID_AREA], bids[i, j.BID_SIGN] = area, sign
    bids[i, j.BID_EUR_PER_MWH], bids[i, j.BID_MW] = price_eur_per_mwh, power_mw


@law
def take_results(offers: Any, count: int, bids: Any, first: int) -> None:
    """Copy what was accepted of the bids first.. back to the offers."""
    for i in range(count):
        offers[i, OFFER_ACCEPTED] = bids[first + i, j.BID_ACCEPTED_MW]


@law
def set_limits(first: int, slot: int, product: Any, at: Any, areas: Any, local: Any, params: Any, ring: Any, nodes: Any) -> None:
    """Set limits and penalties of all areas, and need and penalty of the root."""
    root, up, down = areas.shape[0], background_column(0), background_column(1)
    for a in range(root):
        parent, margin = areas[a, s.PARENT], local[a, first]
        beyond = beyond_mw(areas[a], params, ring, slot, 1)
        nodes[a, j.PARENT] = root if parent < 0 else parent
        lower, upper = margin[up + c.NEED] - beyond, -(margin[down + c.NEED] + beyond)
        nodes[a, ASKED_LOWER_MW], nodes[a, ASKED_UPPER_MW] = lower, upper
        nodes[a, j.SHORTFALL_EUR_PER_MWH], nodes[a, j.SURPLUS_EUR_PER_MWH] = penalties(product, margin)
        if margin[up + c.LIMIT] == 0.0:
            lower, nodes[a, j.SHORTFALL_EUR_PER_MWH] = min(lower, 0.0), max(0.0, product[s.PRICE_CAP])
        if margin[down + c.LIMIT] == 0.0:
            upper, nodes[a, j.SURPLUS_EUR_PER_MWH] = max(upper, 0.0), max(0.0, -product[s.PRICE_FLOOR])
        nodes[a, j.LOWER_MW], nodes[a, j.UPPER_MW] = lower, upper
    nodes[root, j.PARENT] = -1.0
    for column in (j.LOWER_MW, j.UPPER_MW, ASKED_LOWER_MW, ASKED_UPPER_MW):
        nodes[root, column] = at[up + c.NEED] - at[down + c.NEED]
    nodes[root, j.SHORTFALL_EUR_PER_MWH], nodes[root, j.SURPLUS_EUR_PER_MWH] = penalties(product, at)


@law
def penalties(product: Any, at: Any) -> tuple[float, float]:
    """Return what a missing MW up and one down costs: the highest and minus the lowest price that the buyer accepts, EUR/MWh."""
    up, down = at[background_column(0) + c.LIMIT], at[background_column(1) + c.LIMIT]
    return max(0.0, min(up, product[s.PRICE_CAP])), max(0.0, -max(down, product[s.PRICE_FLOOR]))


@law
def add_local(n: int, a: int, areas: Any, curve: Any, margin: Any, priority: float, bids: Any, nodes: Any) -> int:
    """Append other people's local supply, as far as the area needs it; return the number of bids.

    What they would have supplied alone is in the drawn margins and needs above, so it moves the limits there.
    """
    for d in range(2):
        sign, base = 1.0 if d == 0 else -1.0, background_column(d)
        volume, reference, anchor, limit = margin[base + c.VOLUME], margin[base + c.REF], margin[base + c.ANCHOR], margin[
            base + c.LIMIT]  # fmt: skip
        drawn, need = margin[base + c.NEED], nodes[a, j.LOWER_MW] if d == 0 else -nodes[a, j.UPPER_MW]
        alone = sign * background_alone_mw(curve, sign, max(0.0, drawn), volume, reference, anchor, limit)
        above = areas[a, s.PARENT]
        while alone != 0.0 and above >= 0:
            shift_limits(nodes, above, alone)
            above = areas[above, s.PARENT]
        shift_limits(nodes, areas.shape[0], alone)
        if need > POWER_EPSILON_MW:
            n = add_steps(n, a, curve, sign, volume, reference, anchor, limit, 0.0, need, priority, bids)
    return n


@law
def shift_limits(nodes: Any, a: int, power_mw: float) -> None:
    """Move the limits of a node."""
    for column in (j.LOWER_MW, j.UPPER_MW, ASKED_LOWER_MW, ASKED_UPPER_MW):
        nodes[a, column] += power_mw


@law
def add_balancing(n: int, root: int, curve: Any, at: Any, priority: float, bids: Any) -> int:
    """Append other people's balancing supply; return the number of bids.

    What both directions need of each other is not netted: it was regulated apart when the prices were published.
    """
    up, down = background_column(0), background_column(1)
    regulated = min(at[up + c.NEED], at[down + c.NEED])
    for d in range(2):
        sign, base = 1.0 if d == 0 else -1.0, background_column(d)
        n = add_steps(n, root, curve, sign, at[base + c.VOLUME], at[base + c.REF], at[base + c.ANCHOR], at[base + c.LIMIT],
                      regulated, at[base + c.VOLUME] * curve[curve.shape[0] - 1, 0], priority, bids)  # fmt: skip
    return n


@law
def add_steps(
    n: int, area: int, curve: Any, sign: float, volume: float, reference: float, anchor: float, limit: float, skipped: float,
    most: float, priority: float, bids: Any,
) -> int:  # fmt: skip
    """Append the steps of a supply curve behind the first `skipped` MW, `most` MW of them, up to the limit price."""
    below = 0.0
    for k in range(curve.shape[0]):
        price, reached = step_price(reference, anchor, curve[k, 1]), curve[k, 0] * volume
        if sign * price > sign * limit:
            break
        power = min(reached, skipped + most) - max(below, skipped)
        if power > POWER_EPSILON_MW:
            write_bid(bids, n, area, sign, price, power)
            bids[n, j.BID_PRIORITY] = priority
            n += 1
        below = reached
    return n
