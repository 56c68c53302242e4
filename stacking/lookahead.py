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
from .units import MTU_PER_HOUR

FAR_MWH = 1e18  # no store is as large: stands for infinity before the first energy is summed


@law
def column(ledger: int, field: int, direction: int) -> int:
    """Return the book column of a ledger, field and direction."""
    return (ledger * s.LEDGER_FIELDS + field) * 2 + direction


@law
def renew_sums(params: Any, book: Any, sums: Any, plan: Any, tau: int) -> None:
    """Renew the sums over ledgers of one MTU after its schedule or any of its entries changed."""
    slot = tau % s.BOOK_SLOTS
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
    most, least = span_mw(params, book, sums, plan, slot, tau % s.PLAN_SLOTS, s.ALL_LEDGERS, s.ALL_LEDGERS)
    sums[s.DRAIN_HI, slot] = drain_mwh(most, params[s.INTO], params[s.OUT])
    sums[s.DRAIN_LO, slot] = drain_mwh(least, params[s.INTO], params[s.OUT])


@law
def ledger_mw(book: Any, slot: int, field: int, direction: int, ledgers: int) -> float:
    """Return the MW of a field and direction in one MTU, summed over the ledgers of a bit mask."""
    total = 0.0
    for ledger in range(c.LEDGERS_W):
        if (ledgers >> ledger) & 1:
            total += book[slot, column(ledger, field, direction)]
    return total


@law
def span_mw(params: Any, book: Any, sums: Any, plan: Any, slot: int, place: int, sold: int, pending: int) -> tuple[float, float]:
    """Return the highest and lowest power of one MTU: all visible pending up offers called and no down offer, and the opposite.

    Args:
        params: (PARAMS_W,) portfolio parameters.
        book: (BOOK_SLOTS, BOOK_W) commitments; sums: (SUMS_W, BOOK_SLOTS) their sums over ledgers.
        plan: (PLAN_W,) schedule.
        slot, place: the MTU in both rings.
        sold, pending: bit masks of the ledgers whose known sales and pending offers are visible.
    """
    power = plan[place]
    if sold == s.ALL_LEDGERS and pending == s.ALL_LEDGERS:
        power += sums[s.NET, slot]
        up, down = sums[s.UP_PENDING, slot], sums[s.DN_PENDING, slot]
    else:
        power += ledger_mw(book, slot, s.KNOWN, 0, sold) - ledger_mw(book, slot, s.KNOWN, 1, sold)
        up, down = ledger_mw(book, slot, s.PENDING, 0, pending), ledger_mw(book, slot, s.PENDING, 1, pending)
    return min(power + up, params[s.RATED_MW]), max(power - down, -params[s.RATED_MW])


@law
def free_power(
    params: Any,
    content: float,
    book: Any,
    sums: Any,
    plan: Any,
    tick: int,
    first: int,
    count: int,
    sold: int,
    pending: int,
) -> tuple[float, float, float, float]:
    """Return what a portfolio can still add in each of `count` MTU from tick + first on, looking over all its commitments.

    With the lowest content that the visible commitments can lead to, E_lo, and the largest energy D that they take from
    the start of the block to any later time: up-energy = E_lo - E_min - D; down-energy likewise with the highest content.
    The energy is shared equally over the block, so the result is always feasible, and exact where the schedule is constant.

    Returns:
        up MW, down MW (both >= 0), lowest and highest content at the full hour behind the window (MWh).
    """
    into, out = params[s.INTO], params[s.OUT]
    low, high, sum_hi, sum_lo = content, content, 0.0, 0.0
    up_energy, down_energy, up_room, down_room = FAR_MWH, FAR_MWH, FAR_MWH, FAR_MWH
    slot, place = tick % s.BOOK_SLOTS, tick % s.PLAN_SLOTS
    block_slot, block_place = slot, place
    everything = sold == s.ALL_LEDGERS and pending == s.ALL_LEDGERS
    reach = s.WINDOW + (MTU_PER_HOUR - (tick + s.WINDOW) % MTU_PER_HOUR) % MTU_PER_HOUR
    for j in range(reach):
        if j == first:
            low, high, sum_hi, sum_lo = low - sum_hi, high - sum_lo, 0.0, 0.0
            block_slot, block_place = slot, place
        if j >= s.WINDOW:  # beyond the window nothing but the schedule can be committed
            drain_hi = drain_mwh(plan[place], into, out)
            drain_lo = drain_hi
        elif everything:
            drain_hi, drain_lo = sums[s.DRAIN_HI, slot], sums[s.DRAIN_LO, slot]
        else:
            most, least = span_mw(params, book, sums, plan, slot, place, sold, pending)
            drain_hi, drain_lo = drain_mwh(most, into, out), drain_mwh(least, into, out)
        sum_hi += drain_hi
        sum_lo += drain_lo
        if j >= first + count - 1:
            up_room = min(up_room, low - params[s.MIN_MWH] - sum_hi)
            down_room = min(down_room, params[s.MAX_MWH] - high + sum_lo)
        elif j >= first:  # inside the block only the MTU so far have taken their part
            up_energy = min(up_energy, (low - params[s.MIN_MWH] - sum_hi) / (j - first + 1))
            down_energy = min(down_energy, (params[s.MAX_MWH] - high + sum_lo) / (j - first + 1))
        slot = slot + 1 if slot + 1 < s.BOOK_SLOTS else 0
        place = place + 1 if place + 1 < s.PLAN_SLOTS else 0
    hour = (tick + reach) // MTU_PER_HOUR % s.PLAN_HOURS
    up_room = min(up_room, low - params[s.MIN_MWH] - sum_hi - plan[s.DRAW + hour])
    down_room = min(down_room, params[s.MAX_MWH] - high + sum_lo + plan[s.FILL + hour])
    up_energy, down_energy = min(up_energy, up_room / count), min(down_energy, down_room / count)
    up, down = 2.0 * params[s.RATED_MW], 2.0 * params[s.RATED_MW]
    slot, place = block_slot, block_place
    for _ in range(count):
        most, least = span_mw(params, book, sums, plan, slot, place, sold, pending)
        height = power_for_drain_mw(drain_mwh(most, into, out) + up_energy, into, out)
        depth = power_for_drain_mw(drain_mwh(least, into, out) - down_energy, into, out)
        up = min(up, min(height, params[s.RATED_MW]) - most)
        down = min(down, least - max(depth, -params[s.RATED_MW]))
        slot = slot + 1 if slot + 1 < s.BOOK_SLOTS else 0
        place = place + 1 if place + 1 < s.PLAN_SLOTS else 0
    return max(0.0, up), max(0.0, down), low - sum_hi, high - sum_lo


@law
def renew_plan(params: Any, plan: Any, first: int, last: int) -> None:
    """Recompute DRAW and FILL of the hours that start in first..last from the schedule, backwards.

    Nothing is scheduled behind `last`, and the hours behind it hold zero since they were delivered.
    """
    draw, fill = 0.0, 0.0
    for back in range(last - first + 1):
        tau = last - back
        drain = drain_mwh(plan[tau % s.PLAN_SLOTS], params[s.INTO], params[s.OUT])
        draw = drain + max(0.0, draw)
        fill = drain + min(0.0, fill)
        if tau % MTU_PER_HOUR == 0:
            hour = tau // MTU_PER_HOUR % s.PLAN_HOURS
            plan[s.DRAW + hour], plan[s.FILL + hour] = draw, fill
