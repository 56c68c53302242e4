"""What happens at the gates: offers, clearings and the forwarding of unsold local bids.

Nothing here knows a design by name; the compiled gate table says who looks at which book when, seeing which ledgers.
"""

from __future__ import annotations

from typing import Any

from . import codes
from . import columns as c
from . import flows as f
from . import state as s
from .build import law
from .columns import market_column
from .lookahead import column, free_power, renew_sums
from .markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_KEY,
    OFFER_LEDGER,
    OFFER_MW,
    OFFER_PRIORITY,
    OFFER_ROW,
    accept,
    background_alone_mw,
    shifted_need,
    sort_offers,
)
from .settlement import overlap_mw
from .units import MTU_H, POWER_EPSILON_MW


@law
def round_down(quantity_mw: float, granularity_mw: float) -> float:
    """Return the largest multiple of the granularity that is not above the quantity (with a little room for rounding).

    >>> round_down(2.9999999999, 1.0), round_down(2.5, 1.0)
    (3.0, 2.0)
    """
    return int(quantity_mw / granularity_mw + 1e-9) * granularity_mw


@law
def take_offer(
    gate: Any, product: Any, rules: Any, params: Any, action: Any, state: Any, book: Any, sums: Any, plan: Any,
    flow: Any, tick: int,
) -> None:  # fmt: skip
    """Close one offer gate for one portfolio: permitted power x share, rounded, checked and written to the book.

    Every MW that is not taken is counted under a refusal code. The block of opposite sales needs consent: without it the
    balancing operator does not learn of the local sale. Args: one row of each matrix (see `stacking.state`).
    """
    ledger, lead, count, first_action = gate[s.LEDGER], gate[s.LEAD], gate[s.COUNT], gate[s.ACTION]
    if action[first_action] <= 0.0 and action[first_action + 1] <= 0.0:
        return
    hidden = gate[s.SEES_OFFERED]
    sold, pending, known = (
        gate[s.SEES_SOLD],
        gate[s.SEES_PENDING],
        s.FREE_LOCAL if ledger == c.LFM else s.FREE_BALANCING,
    )
    free_up, free_down = state[known], state[known + 1]
    if sold != s.ALL_LEDGERS or pending != s.ALL_LEDGERS or state[s.STALE] > 0.0:
        free_up, free_down, _, _ = free_power(params, state[s.CONTENT], book, sums, plan, tick, lead, count, sold, pending)
    energy, taken = count * MTU_H, False
    for d in range(2):
        wanted = action[first_action + d] * (free_up if d == 0 else free_down)
        if wanted <= POWER_EPSILON_MW or product[s.UP_OPEN + d] == 0.0:
            continue
        free = free_of_other_offers(book, plan, params, tick + lead, count, d, hidden)
        if wanted > free + POWER_EPSILON_MW:
            flow[f.REFUSED + codes.SOLD_ELSEWHERE] += (wanted - free) * energy
            wanted = free
        told = rules[s.BLOCK_BALANCING] > 0.0 and ledger == c.MFRR
        if told and sold_locally(book, sums, tick + lead, count, 1 - d, True):
            flow[f.REFUSED + codes.OPPOSITE_SALE] += wanted * energy
            continue
        quantity = round_down(wanted, product[s.GRANULARITY_MW])
        flow[f.REFUSED + codes.GRANULARITY_REST] += max(0.0, wanted - quantity) * energy
        if quantity < product[s.MIN_MW] - POWER_EPSILON_MW:
            flow[f.REFUSED + codes.BELOW_MINIMUM] += quantity * energy
            continue
        flow[f.OFFERED_LFM if ledger == c.LFM else f.OFFERED_MFRR] += quantity * energy
        taken = True
        for tau in range(tick + lead, tick + lead + count):
            slot = tau % s.BOOK_SLOTS
            book[slot, column(ledger, s.OFFERED, d)] = quantity
            book[slot, column(ledger, s.PENDING, d)] = quantity
            book[slot, column(ledger, s.PRICE, d)] = action[first_action + 2 + d]
    if taken:
        state[s.STALE] = 1.0
        for tau in range(tick + lead, tick + lead + count):
            renew_sums(params, book, sums, plan, tau)


@law
def free_of_other_offers(book: Any, plan: Any, params: Any, first: int, count: int, direction: int, hidden: int) -> float:
    """Return the power of a direction that was not offered in the ledgers of the mask for any MTU of the block, MW."""
    free = 2.0 * params[s.RATED_MW]
    if hidden == 0:
        return free
    sign = 1.0 if direction == 0 else -1.0
    for tau in range(first, first + count):
        headroom = params[s.RATED_MW] - sign * plan[tau % s.PLAN_SLOTS]
        for ledger in range(c.LEDGERS_W):
            if (hidden >> ledger) & 1:
                headroom -= book[tau % s.BOOK_SLOTS, column(ledger, s.OFFERED, direction)]
        free = min(free, headroom)
    return max(0.0, free)


@law
def sold_locally(book: Any, sums: Any, first: int, count: int, direction: int, shared_only: bool) -> bool:
    """Return whether the portfolio sold a direction locally for any MTU of the block (and consented to share that bid)."""
    for tau in range(first, first + count):
        slot = tau % s.BOOK_SLOTS
        shared = not shared_only or sums[s.CONSENTED, slot] > 0.0
        if shared and book[slot, column(c.LFM, s.KNOWN, direction)] > POWER_EPSILON_MW:
            return True
    return False


@law
def trade_intraday(
    rules: Any,
    params: Any,
    share: float,
    state: Any,
    book: Any,
    sums: Any,
    plan: Any,
    flow: Any,
    tick: int,
    lead: int,
    price: float,
) -> None:
    """Move the schedule of one MTU by a share of what is feasible; sales earn half a spread less, purchases cost it more."""
    if share == 0.0:
        return
    up, down, _, _ = free_power(params, state[s.CONTENT], book, sums, plan, tick, lead, 1, s.ALL_LEDGERS, s.ALL_LEDGERS)
    direction = 0 if share > 0.0 else 1
    volume = share * (up if direction == 0 else down)
    if abs(volume) <= POWER_EPSILON_MW:
        return
    if rules[s.BLOCK_INTRADAY] > 0.0 and sold_locally(book, sums, tick + lead, 1, 1 - direction, False):
        flow[f.REFUSED + codes.OPPOSITE_SALE] += abs(volume) * MTU_H
        return
    state[s.STALE] = 1.0
    plan[(tick + lead) % s.PLAN_SLOTS] += volume
    renew_sums(params, book, sums, plan, tick + lead)
    slot = (tick + lead) % s.BOOK_SLOTS
    sums[s.ID_MW, slot] += volume
    sums[s.ID_VALUE, slot] += volume * MTU_H * (price - (rules[s.ID_HALF_SPREAD] if direction == 0 else -rules[s.ID_HALF_SPREAD]))


@law
def gather_offers(book: Any, priority: Any, market: int, direction: int, slot: int, offers: Any) -> int:
    """List the pending offers of all portfolios for one market, direction and ring slot; return their number."""
    count = 0
    sign = 1.0 if direction == 0 else -1.0
    first, last = (c.LFM, c.LFM) if market == c.LFM else (c.MFRR, c.FORWARDED)
    for row in range(book.shape[0]):
        for ledger in range(first, last + 1):
            quantity = book[row, slot, column(ledger, s.PENDING, direction)]
            if quantity > POWER_EPSILON_MW:
                offers[count, OFFER_KEY] = sign * book[row, slot, column(ledger, s.PRICE, direction)]
                offers[count, OFFER_PRIORITY] = priority[row]
                offers[count, OFFER_MW] = quantity
                offers[count, OFFER_ROW] = row
                offers[count, OFFER_LEDGER] = ledger
                offers[count, OFFER_ACCEPTED] = 0.0
                count += 1
    return count


@law
def clear_market(
    market: int, first: int, count: int, curve: Any, series: Any, background_priority: float, priority: Any, params: Any,
    book: Any, plan: Any, world: Any, recent: Any, offers: Any, spare: Any, flow: Any, result: Any,
) -> None:  # fmt: skip
    """Clear one market for the delivery MTU `first` (or the block that starts there) in both directions.

    The merit order is one for all portfolios of the world and the background; accepted MW go to the book of their
    ledger, prices to the world ring. The balancing need is net of what the local market moved, once that is published.
    """
    slot = first % s.BOOK_SLOTS
    at = series[first]
    up, down = at[market_column(market, 0) + c.NEED], at[market_column(market, 1) + c.NEED]
    if market == c.MFRR:
        up, down = shifted_need(up, down, world[slot, s.SHIFT_KNOWN])
    shift, dearest, shown = 0.0, 0.0, 0
    for d in range(2):
        sign, need = (1.0, up) if d == 0 else (-1.0, down)
        base = market_column(market, d)
        if need <= POWER_EPSILON_MW:
            if market == c.MFRR:
                world[slot, s.CLEARED_UP + d] = at[base + c.ANCHOR]
            continue
        n = gather_offers(book, priority, market, d, slot, offers)
        volume, reference, anchor, limit = (
            at[base + c.VOLUME],
            at[base + c.REF],
            at[base + c.ANCHOR],
            at[base + c.LIMIT],
        )
        sort_offers(offers, spare, n)
        price, mine, others = accept(offers, n, curve, sign, need, volume, reference, anchor, limit, background_priority)
        energy = count * MTU_H
        if market == c.LFM:
            shift += sign * (mine + others - background_alone_mw(curve, sign, need, volume, reference, anchor, limit))
            if mine + others > POWER_EPSILON_MW:
                dearest = price if shown == 0 else max(dearest, price)
                shown += 1
            result[f.ACCEPTED_LFM_MWH] += mine * energy
            result[f.BACKGROUND_LFM_MWH] += others * energy
            result[f.NEED_LFM_MWH] += need * energy
        else:
            world[slot, s.CLEARED_UP + d] = price
            result[f.ACCEPTED_MFRR_MWH] += mine * energy
            result[f.BACKGROUND_MFRR_MWH] += others * energy
            result[f.NEED_MFRR_MWH] += need * energy
        book_sales(offers, n, d, first, count, params, book, plan, flow)
    if market == c.LFM:
        world[slot, s.LFM_PRICE] = dearest
        for tau in range(first, first + count):
            world[tau % s.BOOK_SLOTS, s.SHIFT] = shift


@law
def book_sales(offers: Any, n: int, direction: int, first: int, count: int, params: Any, book: Any, plan: Any, flow: Any) -> None:
    """Write accepted MW to the books and count what was thereby picked twice."""
    for i in range(n):
        accepted = offers[i, OFFER_ACCEPTED]
        if accepted <= POWER_EPSILON_MW:
            continue
        row, ledger = int(offers[i, OFFER_ROW]), int(offers[i, OFFER_LEDGER])
        for tau in range(first, first + count):
            slot = tau % s.BOOK_SLOTS
            position = plan[row, tau % s.PLAN_SLOTS]
            before = doubly_sold_mw(params[row], book[row], slot, position, direction)
            book[row, slot, column(ledger, s.SOLD, direction)] = accepted
            after = doubly_sold_mw(params[row], book[row], slot, position, direction)
            flow[row, f.DOUBLE_SELECTED] += (after - before) * MTU_H


@law
def doubly_sold_mw(params: Any, book: Any, slot: int, position: float, direction: int) -> float:
    """Return the MW of a direction that were selected by both operators for one MTU."""
    local = book[slot, column(c.LFM, s.SOLD, direction)]
    balancing = book[slot, column(c.MFRR, s.SOLD, direction)] + book[slot, column(c.FORWARDED, s.SOLD, direction)]
    if local == 0.0 or balancing == 0.0:
        return 0.0
    headroom = params[s.RATED_MW] - position if direction == 0 else params[s.RATED_MW] + position
    for ledger in range(c.LEDGERS_W):  # what is sold the other way makes room
        headroom += book[slot, column(ledger, s.SOLD, 1 - direction)]
    return overlap_mw(local, balancing, headroom)


@law
def publish(ledger: int, first: int, count: int, params: Any, book: Any, sums: Any, plan: Any) -> None:
    """Make the results of a ledger known to its owner: sold becomes known, nothing stays pending."""
    for tau in range(first, first + count):
        slot = tau % s.BOOK_SLOTS
        if book[slot, column(ledger, s.PENDING, 0)] + book[slot, column(ledger, s.PENDING, 1)] == 0.0:
            continue
        for d in range(2):
            book[slot, column(ledger, s.KNOWN, d)] = book[slot, column(ledger, s.SOLD, d)]
            book[slot, column(ledger, s.PENDING, d)] = 0.0
        renew_sums(params, book, sums, plan, tau)
