"""The day plan: the one law by which every strategy turns three numbers into a day-ahead schedule.

Price-taking, hourly, on the forecast that the FSP has at the gate. The balance responsible party trades the schedule
within its own position, so no minimum or granularity applies to a single portfolio. Consumption is bought as forecast; what
is planned is the battery, and by how much charging of cars moves to cheaper hours.
"""

from __future__ import annotations

from typing import Any

from .. import columns as c
from .. import state as s
from ..assets.battery import drain_mwh
from ..build import law, part
from ..state import early_sold_mw, hour_cell
from ..units import MTU_PER_HOUR, POWER_EPSILON_MW

MAX_PAIRS = 64  # safety bound; each pair exhausts an hour or the store, so far fewer occur


@law
def hour_column(k: int, column: int) -> int:
    """Return the scratch position of a column of hour k of the day."""
    return s.HOURS + k * s.HOUR_W + column


@part
def plan_day(
    p: Any, ring: Any, early: Any, work: Any, forecast: Any, price_row: int, fleet: Any, load: Any, first: int, count: int,
    low_mwh: float, high_mwh: float, volume_frac: float, min_spread: float, end_frac: float,
) -> None:  # fmt: skip
    """Write the schedule of one day: move charging, then reach the end content and pair cheapest and dearest hours.

    Pairs are taken while sell price - buy price / round-trip efficiency >= min_spread, best first, as far as power,
    connection and content window allow, power and window scaled by volume_frac; the window shrinks from both ends, so that
    (1 - volume_frac) / 2 of it is left below and above for the markets of the day.

    Args:
        p, ring: one row each; the hours of the day are written.
        early: what was sold locally on the day before, (EARLY_W,) or (0,); it is delivered beside the schedule.
        work: scratch.
        forecast: (HOURLY_W, hour) prices of the scenario, EUR/MWh; price_row: which of them to read.
        fleet, load: forecasts of the portfolio.
        first, count: the MTU of the day (92, 96 or 100).
        low_mwh, high_mwh: lowest and highest content at its start that own commitments can lead to.
        volume_frac, min_spread, end_frac: the decision (LAYOUT, day-ahead columns).
    """
    n, start = count // MTU_PER_HOUR, first // MTU_PER_HOUR
    for k in range(n):
        work[hour_column(k, s.HOUR_PRICE)] = forecast[price_row, start + k]
    for k in range(n):
        set_plan(ring, s.PLAN_FLEET, start + k, 0.0)
        set_plan(ring, s.PLAN_BATTERY, start + k, early_sold_mw(early, start + k))
    if volume_frac <= 0.0:
        return
    if p[s.FLEET_ROW] >= 0.0:
        plan_fleet(ring, work, fleet, start, n, volume_frac, min_spread)
    if p[s.RATED_MW] * volume_frac > POWER_EPSILON_MW:
        plan_battery(p, ring, early, work, fleet, load, start, n, low_mwh, high_mwh, volume_frac, min_spread, end_frac)


@law
def set_plan(ring: Any, field: int, hour: int, power_mw: float) -> None:
    """Set a field of the hourly plan."""
    ring[s.PLAN + field * s.PLAN_HOURS + hour % s.PLAN_HOURS] = power_mw


@law
def plan_battery(
    p: Any, ring: Any, early: Any, work: Any, fleet: Any, load: Any, start: int, n: int, low_mwh: float, high_mwh: float,
    volume_frac: float, min_spread: float, end_frac: float,
) -> None:  # fmt: skip
    """Plan the battery on the hours of the scratch table; in hours that were sold on the day before it only adds to that."""
    limit = p[s.RATED_MW] * volume_frac
    begin = min(max(low_mwh, p[s.MIN_MWH]), p[s.MAX_MWH])
    top = p[s.MAX_MWH] - max(0.0, min(high_mwh, p[s.MAX_MWH]) - begin)  # room is counted from the highest content
    reserve = 0.5 * (1.0 - volume_frac) * (p[s.MAX_MWH] - p[s.MIN_MWH])
    content = begin
    for k in range(n):
        consumption, sold = 0.0, early_sold_mw(early, start + k)
        if p[s.FLEET_ROW] >= 0.0:
            consumption += fleet[start + k, c.AT_ONCE] - hour_cell(ring, s.PLAN_FLEET, start + k)
        if p[s.LOAD_ROW] >= 0.0:
            consumption += load[start + k]
        work[hour_column(k, s.HOUR_POWER)] = 0.0
        content -= MTU_PER_HOUR * drain_mwh(sold, p[s.INTO], p[s.OUT])
        work[hour_column(k, s.HOUR_CONTENT)] = content
        buy, sell = min(limit, p[s.CONNECTION_MW] - consumption), min(limit, p[s.CONNECTION_MW] + consumption)
        work[hour_column(k, s.HOUR_BUY)] = max(0.0, buy + sold) if sold <= 0.0 else 0.0
        work[hour_column(k, s.HOUR_SELL)] = max(0.0, sell - sold) if sold >= 0.0 else 0.0
        work[hour_column(k, s.HOUR_LOW)], work[hour_column(k, s.HOUR_HIGH)] = p[s.MIN_MWH] + reserve, top - reserve
    reach_end(p, work, n, top, end_frac * p[s.CAPACITY_MWH] - content)
    for _ in range(MAX_PAIRS):
        if not add_best_pair(work, n, p[s.CHARGE_FRAC], p[s.DISCHARGE_FRAC], min_spread):
            break
    for k in range(n):
        set_plan(ring, s.PLAN_BATTERY, start + k, work[hour_column(k, s.HOUR_POWER)] + early_sold_mw(early, start + k))


@law
def plan_fleet(ring: Any, work: Any, fleet: Any, start: int, n: int, volume_frac: float, min_spread: float) -> None:
    """Move forecast charging to cheaper hours, never before the cars come and never later than they can wait.

    The store is what is charged less than at once, between -(at once - latest) and 0, empty at the end of the day.
    """
    peak, waiting = 0.0, 0.0
    for k in range(n):
        peak = max(peak, max(fleet[start + k, c.AT_ONCE], fleet[start + k, c.LATEST]))
    for k in range(n):
        now, latest = fleet[start + k, c.AT_ONCE], fleet[start + k, c.LATEST]
        waiting = max(0.0, waiting + now - latest)
        work[hour_column(k, s.HOUR_POWER)] = work[hour_column(k, s.HOUR_CONTENT)] = work[hour_column(k, s.HOUR_HIGH)] = 0.0
        work[hour_column(k, s.HOUR_LOW)] = -waiting
        work[hour_column(k, s.HOUR_SELL)] = volume_frac * now
        work[hour_column(k, s.HOUR_BUY)] = peak - now
    work[hour_column(n - 1, s.HOUR_LOW)] = 0.0
    for _ in range(MAX_PAIRS):
        if not add_best_pair(work, n, 1.0, 1.0, min_spread):
            break
    for k in range(n):
        set_plan(ring, s.PLAN_FLEET, start + k, work[hour_column(k, s.HOUR_POWER)])


@law
def reach_end(p: Any, work: Any, n: int, top: float, change_mwh: float) -> None:
    """Buy in the cheapest or sell in the dearest hours until the content has changed by `change_mwh` (as far as possible)."""
    buying = change_mwh > 0.0
    lowest, highest = work[hour_column(0, s.HOUR_CONTENT)], work[hour_column(0, s.HOUR_CONTENT)]
    for k in range(n):
        lowest = min(lowest, work[hour_column(k, s.HOUR_CONTENT)])
        highest = max(highest, work[hour_column(k, s.HOUR_CONTENT)])
    left = max(min(change_mwh, max(0.0, top - highest)), min(0.0, p[s.MIN_MWH] - lowest))
    for _ in range(n):
        if abs(left) <= POWER_EPSILON_MW:
            break
        best = -1
        for k in range(n):
            price = work[hour_column(k, s.HOUR_PRICE)]
            if work[hour_column(k, s.HOUR_POWER)] == 0.0 and (
                best < 0
                or (price < work[hour_column(best, s.HOUR_PRICE)] if buying else price > work[hour_column(best, s.HOUR_PRICE)])
            ):
                best = k
        if best < 0:
            break
        if buying:
            moved = min(left, work[hour_column(best, s.HOUR_BUY)] * p[s.CHARGE_FRAC])
            work[hour_column(best, s.HOUR_POWER)] = -moved / p[s.CHARGE_FRAC]
        else:
            moved = max(left, -work[hour_column(best, s.HOUR_SELL)] / p[s.DISCHARGE_FRAC])
            work[hour_column(best, s.HOUR_POWER)] = -moved * p[s.DISCHARGE_FRAC]
        for k in range(best, n):
            work[hour_column(k, s.HOUR_CONTENT)] += moved
        left -= moved


@part
def add_best_pair(work: Any, n: int, charge_frac: float, discharge_frac: float, min_spread: float) -> bool:
    """Add the pair of hours with the largest spread that power and content limits allow; return whether there was one.

    One pass: for each hour the best earlier partner counts, forgotten where the store between them is full or empty.
    """
    round_trip = charge_frac * discharge_frac
    best_spread, best_buy, best_sell = min_spread, -1, -1
    cheap, dear = -1, -1  # best earlier hours to buy and to sell in
    for k in range(n):
        price = work[hour_column(k, s.HOUR_PRICE)]
        buy_mw, sell_mw = buy_room_mw(work, k), sell_room_mw(work, k)
        if sell_mw > POWER_EPSILON_MW and cheap >= 0:
            spread = price - work[hour_column(cheap, s.HOUR_PRICE)] / round_trip
            if spread > best_spread or (best_buy < 0 and spread >= best_spread):
                best_spread, best_buy, best_sell = spread, cheap, k
        if buy_mw > POWER_EPSILON_MW and dear >= 0:
            spread = work[hour_column(dear, s.HOUR_PRICE)] - price / round_trip
            if spread > best_spread or (best_buy < 0 and spread >= best_spread):
                best_spread, best_buy, best_sell = spread, k, dear
        if buy_mw > POWER_EPSILON_MW and (cheap < 0 or price < work[hour_column(cheap, s.HOUR_PRICE)]):
            cheap = k
        if sell_mw > POWER_EPSILON_MW and (dear < 0 or price > work[hour_column(dear, s.HOUR_PRICE)]):
            dear = k
        if work[hour_column(k, s.HOUR_HIGH)] - work[hour_column(k, s.HOUR_CONTENT)] <= POWER_EPSILON_MW:
            cheap = -1
        if work[hour_column(k, s.HOUR_CONTENT)] - work[hour_column(k, s.HOUR_LOW)] <= POWER_EPSILON_MW:
            dear = -1
    if best_buy < 0:
        return False
    sign = 1.0 if best_buy < best_sell else -1.0
    energy = min(buy_room_mw(work, best_buy) * charge_frac, sell_room_mw(work, best_sell) / discharge_frac)
    for k in range(min(best_buy, best_sell), max(best_buy, best_sell)):
        content = work[hour_column(k, s.HOUR_CONTENT)]
        room = work[hour_column(k, s.HOUR_HIGH)] - content if sign > 0.0 else content - work[hour_column(k, s.HOUR_LOW)]
        energy = min(energy, room)
    work[hour_column(best_buy, s.HOUR_POWER)] -= energy / charge_frac
    work[hour_column(best_sell, s.HOUR_POWER)] += energy * discharge_frac
    for k in range(min(best_buy, best_sell), max(best_buy, best_sell)):
        work[hour_column(k, s.HOUR_CONTENT)] += sign * energy
    return True


@law
def buy_room_mw(work: Any, k: int) -> float:
    """Return the power that can still be bought in an hour; none where something is sold."""
    power = work[hour_column(k, s.HOUR_POWER)]
    return 0.0 if power > 0.0 else work[hour_column(k, s.HOUR_BUY)] + power


@law
def sell_room_mw(work: Any, k: int) -> float:
    """Return the power that can still be sold in an hour; none where something is bought."""
    power = work[hour_column(k, s.HOUR_POWER)]
    return 0.0 if power < 0.0 else work[hour_column(k, s.HOUR_SELL)] - power
