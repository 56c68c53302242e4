"""What happens at the gates: offers, trades, and the books of what was offered and sold.

Nothing here knows a design by name; the compiled gate table says who looks at which book when, seeing which ledgers.
"""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..lookahead import (
    add_ahead,
    fleet_consumption_mw,
    free_power,
    kept_feasible,
    known_sale_mw,
    position_mw,
    reserve,
    set_cell,
)
from ..markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_KEY,
    OFFER_LEDGER,
    OFFER_MW,
    OFFER_PRIORITY,
    OFFER_ROW,
)
from ..settlement import overlap_mw
from ..state import ahead, cell, column, consented, slot_of, wide
from ..units import MTU_H, MTU_PER_HOUR, POWER_EPSILON_MW
from .eligibility import is_member
from .passed import asked_column
from .quantity import tradable_mw


@part
def take_offer(
    gate: Any, product: Any, rules: Any, p: Any, action: Any, state: Any, feasible: Any, ring: Any, fleet: Any, load: Any,
    flow: Any, tick: int, same_day: bool, as_seen: bool, work: Any,
) -> None:  # fmt: skip
    """Close one offer gate for one portfolio: permitted power x share, rounded, checked and written to the book.

    Every MW that is not taken is counted under a refusal code. Where bids are forwarded, the block of opposite sales needs
    consent: without it the balancing operator does not learn of the local sale. Args: one row of each matrix; as_seen: whether
    nothing was traded or offered since the portfolio saw what is feasible at this gate.
    """
    ledger, lead, count, first_action = gate[s.LEDGER], gate[s.LEAD], gate[s.COUNT], gate[s.ACTION]
    if action[first_action] <= 0.0 and action[first_action + 1] <= 0.0:
        return
    if as_seen and gate[s.SEES_LOCAL] == 1 and gate[s.SEES_BALANCING] == 1:
        free_up, free_down = kept_feasible(feasible, s.FEASIBLE_LOCAL if ledger == c.LFM else s.FEASIBLE_BALANCING, work)
    else:
        free_up, free_down, _, _ = free_power(
            p, state, ring, fleet, load, tick, lead, count, gate[s.KNOWN_MIN], float(gate[s.SEES_LOCAL]),
            float(gate[s.SEES_BALANCING]), gate[s.WHOLE] == 1, same_day, work,
        )  # fmt: skip
    energy, field = count * MTU_H, s.HI_LOCAL if ledger == c.LFM else s.HI_BALANCING
    for d in range(2):
        wanted = action[first_action + d] * (free_up if d == 0 else free_down)
        if wanted <= POWER_EPSILON_MW or product[s.UP_OPEN + d] == 0.0:
            continue
        free = free_of_other_offers(ring, p, fleet, load, tick, lead, count, d, gate[s.REFUSES])
        if wanted > free + POWER_EPSILON_MW:
            flow[f.REFUSED + codes.SOLD_ELSEWHERE] += (wanted - free) * energy
            wanted = free
        told = rules[s.BLOCK_BALANCING] > 0.0 and ledger == c.MFRR
        if told and sold_locally(ring, lead + s.PAST, count, 1 - d, rules[s.HAS_FORWARD] > 0.0):
            flow[f.REFUSED + codes.OPPOSITE_SALE] += wanted * energy
            continue
        price = action[first_action + 2 + d]
        if price < product[s.PRICE_FLOOR] or price > product[s.PRICE_CAP]:
            flow[f.REFUSED + codes.PRICE_LIMIT] += wanted * energy
            continue
        if ledger == c.MFRR and not is_member(rules, p, False):
            flow[f.REFUSED + codes.NOT_MEMBER] += wanted * energy
            continue
        quantity = tradable_mw(product, wanted)
        if quantity == 0.0:
            flow[f.REFUSED + codes.BELOW_MINIMUM] += wanted * energy
            continue
        flow[f.REFUSED + codes.GRANULARITY_REST] += max(0.0, wanted - quantity) * energy
        flow[f.OFFERED_LFM if ledger == c.LFM else f.OFFERED_MFRR] += quantity * energy
        for slot in range(lead + s.PAST, lead + s.PAST + count):
            set_cell(ring, slot, column(ledger, s.OFFERED, d), quantity)
            set_cell(ring, slot, column(ledger, s.PRICE, d), price)
        reserve(p, ring, lead + s.PAST, count, field, d, quantity, work)


@law
def free_of_other_offers(
    ring: Any, p: Any, fleet: Any, load: Any, tick: int, lead: int, count: int, direction: int, hidden: int
) -> float:
    """Return the power of a direction that was not offered in the ledgers of the mask for any MTU of the block, MW."""
    free = 2.0 * p[s.TOTAL_MW]
    if hidden == 0:
        return free
    for tau in range(tick + lead, tick + lead + count):
        headroom = headroom_mw(p, ring, fleet, load, tau, slot_of(tau, tick), direction)
        for ledger in range(c.LEDGERS_W):
            if (hidden >> ledger) & 1:
                headroom -= cell(ring, slot_of(tau, tick), column(ledger, s.OFFERED, direction))
        free = min(free, headroom)
    return max(0.0, free)


@law
def headroom_mw(p: Any, ring: Any, fleet: Any, load: Any, tau: int, slot: int, direction: int) -> float:
    """Return the power between the schedule of one MTU and what the assets could do at most in a direction, MW."""
    scheduled = ahead(ring, s.BATTERY, s.SCHEDULED, slot)
    headroom = p[s.RATED_MW] - scheduled if direction == 0 else p[s.RATED_MW] + scheduled
    if p[s.FLEET_ROW] >= 0.0:
        used = fleet_consumption_mw(ring, fleet, tau, slot)
        headroom += used + wide(ring[s.LENDING]) if direction == 0 else max(0.0, p[s.FLEET_MW] - used)
    if p[s.LOAD_ROW] >= 0.0 and direction == 0:
        headroom += p[s.FLEX_FRAC] * load[tau // MTU_PER_HOUR]
    return headroom


@law
def sold_locally(ring: Any, first: int, count: int, direction: int, shared_only: bool) -> bool:
    """Return whether the portfolio sold a direction locally for any of the slots of a block (and consented to share it)."""
    sign = 1.0 if direction == 0 else -1.0
    for slot in range(first, first + count):
        shared = not shared_only or consented(ring, slot, direction)
        if shared and sign * known_sale_mw(ring, s.HI_LOCAL, slot) > POWER_EPSILON_MW:
            return True
    return False


@part
def trade_intraday(
    rules: Any, p: Any, share: float, state: Any, ring: Any, fleet: Any, load: Any, flow: Any, tick: int, lead: int,
    price: float, work: Any,
) -> None:  # fmt: skip
    """Move the schedule of one MTU by a share of what is feasible; sales earn half a spread less, purchases cost it more."""
    if share == 0.0:
        return
    up, down, _, _ = free_power(p, state, ring, fleet, load, tick, lead, 1, 0, 1.0, 1.0, False, True, work)
    direction = 0 if share > 0.0 else 1
    volume = share * (up if direction == 0 else down)
    if abs(volume) <= POWER_EPSILON_MW:
        return
    if rules[s.BLOCK_INTRADAY] > 0.0 and sold_locally(ring, lead + s.PAST, 1, 1 - direction, False):
        flow[f.REFUSED + codes.OPPOSITE_SALE] += abs(volume) * MTU_H
        return
    slot, left = lead + s.PAST, abs(volume)
    before = position_mw(p, ring, fleet, load, tick + lead, slot)
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        taken = min(left, work[s.ROOM + 2 * kind + direction])
        if taken > 0.0 and kind != s.LOAD:
            left -= taken
            add_ahead(ring, kind, s.SCHEDULED, slot, taken if direction == 0 else -taken)
    moved = position_mw(p, ring, fleet, load, tick + lead, slot) - before  # what single precision kept of it
    half_spread = rules[s.ID_HALF_SPREAD] if direction == 0 else -rules[s.ID_HALF_SPREAD]
    set_cell(ring, slot, s.ID_MW, cell(ring, slot, s.ID_MW) + moved)
    set_cell(ring, slot, s.ID_VALUE, cell(ring, slot, s.ID_VALUE) + moved * MTU_H * (price - half_spread))


@law
def gather_offers(
    rules: Any, ring: Any, priority: Any, market: int, direction: int, slot: int, first_row: int, last_row: int,
    shared_only: bool, offers: Any,
) -> int:  # fmt: skip
    """List what is not yet sold of the offers of some portfolios for one market, direction and ring slot; return their number.

    `shared_only`: local offers to whose sharing their owner consents.
    """
    count = 0
    sign = 1.0 if direction == 0 else -1.0
    first, last = (c.LFM, c.LFM) if market == c.LFM else (c.MFRR, c.FORWARDED)
    for row in range(first_row, last_row):
        if shared_only and not consented(ring[row], slot, direction):
            continue
        for ledger in range(first, last + 1):
            quantity = cell(ring[row], slot, column(ledger, s.OFFERED, direction))
            quantity -= cell(ring[row], slot, column(ledger, s.SOLD, direction))
            if market == c.LFM:
                quantity -= cell(ring[row], slot, column(c.FORWARDED, s.SOLD, direction))
            if quantity > POWER_EPSILON_MW:
                asked = asked_column(rules, direction) if ledger == c.FORWARDED else column(ledger, s.PRICE, direction)
                offers[count, OFFER_KEY] = sign * cell(ring[row], slot, asked)
                offers[count, OFFER_PRIORITY] = priority[row]
                offers[count, OFFER_MW] = quantity
                offers[count, OFFER_ROW] = row
                offers[count, OFFER_LEDGER] = ledger
                offers[count, OFFER_ACCEPTED] = 0.0
                count += 1
    return count


@law
def gather_local(rules: Any, ring: Any, priority: Any, area: Any, direction: int, slot: int, offers: Any) -> int:
    """List the unsold local offers that may serve the limit of an area; return their number.

    Where the DSO runs the local market, limits of the TSO are a receiving market, which needs the rule and consent.
    """
    foreign = area[s.OF_TSO] == 1 and rules[s.OWN_LIMITS] > 0.0
    if foreign and rules[s.REDISPATCH] == 0.0:
        return 0
    return gather_offers(rules, ring, priority, c.LFM, direction, slot, area[s.FIRST_ROW], area[s.LAST_ROW], foreign, offers)


@law
def beyond_mw(area: Any, params: Any, ring: Any, slot: int, count: int) -> float:
    """Return what the portfolios below a node inject beyond their reference schedule, with local sales, mean MW of a block."""
    beyond = 0.0
    for row in range(area[s.FIRST_ROW], area[s.LAST_ROW]):
        for place in range(slot, slot + count):
            beyond += ahead(ring[row], s.BATTERY, s.SCHEDULED, place)
            if params[row, s.FLEET_ROW] >= 0.0:
                beyond += ahead(ring[row], s.FLEET, s.SCHEDULED, place)
            beyond += cell(ring[row], place, column(c.LFM, s.SOLD, 0)) - cell(ring[row], place, column(c.LFM, s.SOLD, 1))
    return beyond / count


@law
def book_sales(
    offers: Any, n: int, direction: int, tick: int, first: int, count: int, params: Any, ring: Any, fleets: Any, loads: Any,
    flow: Any,
) -> None:  # fmt: skip
    """Write accepted MW to the books and count what was thereby picked twice."""
    for i in range(n):
        accepted = offers[i, OFFER_ACCEPTED]
        if accepted <= POWER_EPSILON_MW:
            continue
        row, ledger = int(offers[i, OFFER_ROW]), int(offers[i, OFFER_LEDGER])
        p = params[row]
        fleet, load = fleets[max(0, int(p[s.FLEET_ROW]))], loads[max(0, int(p[s.LOAD_ROW]))]
        for tau in range(first, first + count):
            slot = slot_of(tau, tick)
            sold = cell(ring[row], slot, column(ledger, s.SOLD, direction))
            before = doubly_sold_mw(p, ring[row], fleet, load, tau, slot, direction)
            set_cell(ring[row], slot, column(ledger, s.SOLD, direction), sold + accepted)
            after = doubly_sold_mw(p, ring[row], fleet, load, tau, slot, direction)
            flow[row, f.DOUBLE_SELECTED] += max(0.0, after - before) * MTU_H


@law
def doubly_sold_mw(p: Any, ring: Any, fleet: Any, load: Any, tau: int, slot: int, direction: int) -> float:
    """Return the MW of a direction that were selected by both operators for one MTU."""
    local = cell(ring, slot, column(c.LFM, s.SOLD, direction))
    balancing = cell(ring, slot, column(c.MFRR, s.SOLD, direction)) + cell(ring, slot, column(c.FORWARDED, s.SOLD, direction))
    if local == 0.0 or balancing == 0.0:
        return 0.0
    headroom = headroom_mw(p, ring, fleet, load, tau, slot, direction)
    for ledger in range(c.LEDGERS_W):  # what is sold the other way makes room
        headroom += cell(ring, slot, column(ledger, s.SOLD, 1 - direction))
    return overlap_mw(local, balancing, headroom)
