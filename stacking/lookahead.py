"""What a portfolio can still offer: the energy of all commitments, looking ahead.

The schedule may reach 148 MTU ahead, everything else at most WINDOW. The plan ring holds, per MTU, the largest and the
smallest energy that the schedule takes from then on, so that a look over the whole horizon costs WINDOW steps.
"""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import state as s
from .assets.battery import drain_mwh, power_for_drain_mw
from .build import law


@law
def column(ledger: int, field: int, direction: int) -> int:
    """Return the book column of a ledger, field and direction."""
    return (ledger * s.LEDGER_FIELDS + field) * 2 + direction


@law
def renew_sums(book: Any, sums: Any, slot: int) -> None:
    """Renew the sums over ledgers of one slot after any of its entries changed."""
    net, up, down = 0.0, 0.0, 0.0
    for ledger in range(c.LEDGERS_W):
        net += book[slot, column(ledger, s.KNOWN, 0)] - book[slot, column(ledger, s.KNOWN, 1)]
        up += book[slot, column(ledger, s.PENDING, 0)]
        down += book[slot, column(ledger, s.PENDING, 1)]
    sums[s.NET, slot], sums[s.UP_PENDING, slot], sums[s.DN_PENDING, slot] = net, up, down
    sums[s.NET_LOCAL, slot] = book[slot, column(c.LFM, s.KNOWN, 0)] - book[slot, column(c.LFM, s.KNOWN, 1)]
    known = book[slot, column(c.FORWARDED, s.KNOWN, 0)] - book[slot, column(c.FORWARDED, s.KNOWN, 1)]
    waiting = book[slot, column(c.FORWARDED, s.PENDING, 0)] - book[slot, column(c.FORWARDED, s.PENDING, 1)]
    sums[s.NET_PASSED, slot] = known + waiting


@law
def ledger_mw(book: Any, slot: int, field: int, direction: int, ledgers: int) -> float:
    """Return the MW of a field and direction in one MTU, summed over the ledgers of a bit mask."""
    total = 0.0
    for ledger in range(c.LEDGERS_W):
        if (ledgers >> ledger) & 1:
            total += book[slot, column(ledger, field, direction)]
    return total


@law
def look_ahead(params: Any, content: float, book: Any, sums: Any, plan: Any, ahead: Any, tick: int, sold: int, pending: int) -> None:
    """Fill `ahead` with power and content of the next WINDOW MTU as far as the given ledgers are visible.

    HI assumes that every visible pending up offer and no down offer is called, LO the opposite; CONTENT_LO/HI are the
    contents at the start of the MTU; DRAW_HI/FILL_LO the largest/smallest energy taken from the start of the MTU on.

    Args:
        params: (PARAMS_W,) portfolio parameters.
        content: MWh in the store now.
        book: (BOOK_SLOTS, BOOK_W) commitments.
        sums: (SUMS_W, BOOK_SLOTS) their sums over ledgers.
        plan: (PLAN_W, PLAN_SLOTS) schedule.
        ahead: (>= WINDOW, SCRATCH_W), written.
        tick: the MTU that starts now.
        sold, pending: bit masks of the ledgers whose known sales and pending offers are visible.
    """
    limit, into, out = params[s.RATED_MW], params[s.INTO], params[s.OUT]
    everything = sold == s.ALL_LEDGERS and pending == s.ALL_LEDGERS
    low, high = content, content
    slot, place = tick % s.BOOK_SLOTS, tick % s.PLAN_SLOTS
    for j in range(s.WINDOW):
        power = plan[s.POSITION, place]
        if everything:
            power += sums[s.NET, slot]
            up, down = sums[s.UP_PENDING, slot], sums[s.DN_PENDING, slot]
        else:
            power += ledger_mw(book, slot, s.KNOWN, 0, sold) - ledger_mw(book, slot, s.KNOWN, 1, sold)
            up, down = ledger_mw(book, slot, s.PENDING, 0, pending), ledger_mw(book, slot, s.PENDING, 1, pending)
        most, least = min(power + up, limit), max(power - down, -limit)
        ahead[j, s.HI], ahead[j, s.LO] = most, least
        ahead[j, s.CONTENT_LO], ahead[j, s.CONTENT_HI] = low, high
        ahead[j, s.DRAIN_HI], ahead[j, s.DRAIN_LO] = drain_mwh(most, into, out), drain_mwh(least, into, out)
        low -= ahead[j, s.DRAIN_HI]
        high -= ahead[j, s.DRAIN_LO]
        slot = slot + 1 if slot + 1 < s.BOOK_SLOTS else 0
        place = place + 1 if place + 1 < s.PLAN_SLOTS else 0
    draw, fill = plan[s.DRAW, place], plan[s.FILL, place]
    for back in range(s.WINDOW):
        j = s.WINDOW - 1 - back
        draw = ahead[j, s.DRAIN_HI] + max(0.0, draw)
        fill = ahead[j, s.DRAIN_LO] + min(0.0, fill)
        ahead[j, s.DRAW_HI], ahead[j, s.FILL_LO] = draw, fill


@law
def free_up_mw(params: Any, ahead: Any, first: int, count: int) -> float:
    """Return the up-regulation that the portfolio can add in each of `count` MTU from `first` on, MW >= 0.

    The energy left above the lowest later content is shared equally over the block, so the result is always feasible
    and exact where the schedule is constant over the block.
    """
    energy = ahead[first, s.CONTENT_LO] - params[s.MIN_MWH] - max(0.0, ahead[first, s.DRAW_HI])
    best = 2.0 * params[s.RATED_MW]
    for j in range(first, first + count):
        most = power_for_drain_mw(ahead[j, s.DRAIN_HI] + energy / count, params[s.INTO], params[s.OUT])
        best = min(best, min(most, params[s.RATED_MW]) - ahead[j, s.HI])
    return max(0.0, best)


@law
def free_down_mw(params: Any, ahead: Any, first: int, count: int) -> float:
    """Return the down-regulation that the portfolio can add in each of `count` MTU from `first` on, MW >= 0."""
    energy = params[s.MAX_MWH] - ahead[first, s.CONTENT_HI] + min(0.0, ahead[first, s.FILL_LO])
    best = 2.0 * params[s.RATED_MW]
    for j in range(first, first + count):
        least = power_for_drain_mw(ahead[j, s.DRAIN_LO] - energy / count, params[s.INTO], params[s.OUT])
        best = min(best, ahead[j, s.LO] - max(least, -params[s.RATED_MW]))
    return max(0.0, best)


@law
def renew_plan(params: Any, plan: Any, first: int, last: int) -> None:
    """Recompute DRAW and FILL of the MTU first..last from the schedule, backwards."""
    after = (last + 1) % s.PLAN_SLOTS
    draw, fill = plan[s.DRAW, after], plan[s.FILL, after]
    for back in range(last - first + 1):
        place = (last - back) % s.PLAN_SLOTS
        drain = drain_mwh(plan[s.POSITION, place], params[s.INTO], params[s.OUT])
        draw = drain + max(0.0, draw)
        fill = drain + min(0.0, fill)
        plan[s.DRAW, place], plan[s.FILL, place] = draw, fill
