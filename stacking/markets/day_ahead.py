"""The day plan: the one law by which every strategy turns three numbers into a day-ahead schedule.

Price-taking, hourly, on the forecast that the FSP has at the gate. The balance responsible party trades the schedule
within its own position, so no minimum or granularity applies to a single battery.
"""

from __future__ import annotations

from typing import Any

from .. import state as s
from ..build import law
from ..units import MTU_PER_HOUR, POWER_EPSILON_MW

MAX_PAIRS = 64  # safety bound; each pair exhausts an hour or the store, so far fewer occur


@law
def plan_day(
    params: Any, plan: Any, hours: Any, forecast: Any, column: int, first: int, count: int, low_mwh: float, high_mwh: float,
    volume_frac: float, min_spread: float, end_frac: float,
) -> None:  # fmt: skip
    """Write the schedule of one day: reach the end content, then pair cheapest and dearest hours.

    Pairs are taken while sell price - buy price / round-trip efficiency >= min_spread, best first, as far as the power
    and the content window allow, both scaled by volume_frac; the window shrinks from both ends, so that
    (1 - volume_frac) / 2 of it is left below and above for the markets of the day.

    Args:
        params: (PARAMS_W,) portfolio parameters.
        plan: (PLAN_W,) schedule, the positions of the day are written, MW.
        hours: (>= 25, SCRATCH_W) scratch.
        forecast: (HOURLY_W, hour) prices of the scenario, EUR/MWh.
        column: forecast column to read.
        first: tick of the first MTU of the day.
        count: MTU of the day (92, 96 or 100).
        low_mwh, high_mwh: lowest and highest content at its start that own commitments can lead to.
        volume_frac, min_spread, end_frac: the decision (LAYOUT, day-ahead columns).
    """
    n = count // MTU_PER_HOUR
    limit = params[s.RATED_MW] * volume_frac
    start = min(max(low_mwh, params[s.MIN_MWH]), params[s.MAX_MWH])
    top = params[s.MAX_MWH] - max(0.0, min(high_mwh, params[s.MAX_MWH]) - start)  # room is counted from the highest content
    for k in range(n):
        hours[k, s.HOUR_PRICE] = forecast[column, first // MTU_PER_HOUR + k]
        hours[k, s.HOUR_POWER] = 0.0
        hours[k, s.HOUR_CONTENT] = start
    if limit > POWER_EPSILON_MW:
        reach_end(params, hours, n, limit, top, end_frac * params[s.CAPACITY_MWH] - start)
        reserve = 0.5 * (1.0 - volume_frac) * (params[s.MAX_MWH] - params[s.MIN_MWH])
        low, high = params[s.MIN_MWH] + reserve, top - reserve
        for _ in range(MAX_PAIRS):
            if not add_best_pair(params, hours, n, limit, low, high, min_spread):
                break
    for i in range(count):
        plan[(first + i) % s.PLAN_SLOTS] = hours[i // MTU_PER_HOUR, s.HOUR_POWER]


@law
def reach_end(params: Any, hours: Any, n: int, limit: float, top: float, change_mwh: float) -> None:
    """Buy in the cheapest or sell in the dearest hours until the content has changed by `change_mwh` (as far as possible)."""
    buying = change_mwh > 0.0
    left = min(change_mwh, max(0.0, top - hours[0, s.HOUR_CONTENT]))
    left = max(left, params[s.MIN_MWH] - hours[0, s.HOUR_CONTENT])
    for _ in range(n):
        if abs(left) <= POWER_EPSILON_MW:
            break
        best = -1
        for k in range(n):
            price = hours[k, s.HOUR_PRICE]
            if hours[k, s.HOUR_POWER] == 0.0 and (
                best < 0 or (price < hours[best, s.HOUR_PRICE] if buying else price > hours[best, s.HOUR_PRICE])
            ):
                best = k
        if best < 0:
            break
        if buying:
            moved = min(left, limit * params[s.CHARGE_FRAC])
            hours[best, s.HOUR_POWER] = -moved / params[s.CHARGE_FRAC]
        else:
            moved = max(left, -limit / params[s.DISCHARGE_FRAC])
            hours[best, s.HOUR_POWER] = -moved * params[s.DISCHARGE_FRAC]
        for k in range(best, n):
            hours[k, s.HOUR_CONTENT] += moved
        left -= moved


@law
def add_best_pair(params: Any, hours: Any, n: int, limit: float, low: float, high: float, min_spread: float) -> bool:
    """Add the pair of hours with the largest spread that is feasible inside [low, high] MWh; return whether there was one."""
    round_trip = params[s.CHARGE_FRAC] * params[s.DISCHARGE_FRAC]
    best_spread, best_buy, best_sell, best_energy = min_spread, -1, -1, 0.0
    for first in range(n):
        highest, lowest = params[s.MIN_MWH], params[s.MAX_MWH]
        for second in range(first + 1, n):
            highest = max(highest, hours[second - 1, s.HOUR_CONTENT])
            lowest = min(lowest, hours[second - 1, s.HOUR_CONTENT])
            # buy first and sell later needs room above, sell first and buy back needs energy below
            for sells_first in range(2):
                buy = second if sells_first == 1 else first
                sell = first if sells_first == 1 else second
                spread = hours[sell, s.HOUR_PRICE] - hours[buy, s.HOUR_PRICE] / round_trip
                if spread < best_spread or (spread == best_spread and best_buy >= 0):
                    continue
                energy = lowest - low if sells_first == 1 else high - highest
                energy = min(energy, room_mwh(params, hours, buy, sell, limit))
                if energy > POWER_EPSILON_MW:
                    best_spread, best_buy, best_sell, best_energy = spread, buy, sell, energy
    if best_buy < 0:
        return False
    hours[best_buy, s.HOUR_POWER] -= best_energy / params[s.CHARGE_FRAC]
    hours[best_sell, s.HOUR_POWER] += best_energy * params[s.DISCHARGE_FRAC]
    for k in range(min(best_buy, best_sell), max(best_buy, best_sell)):
        hours[k, s.HOUR_CONTENT] += best_energy if best_buy < best_sell else -best_energy
    return True


@law
def room_mwh(params: Any, hours: Any, buy: int, sell: int, limit: float) -> float:
    """Return the energy in the store that the power limit still allows to move from one hour to another."""
    if hours[buy, s.HOUR_POWER] > 0.0 or hours[sell, s.HOUR_POWER] < 0.0:
        return 0.0
    charge = (limit + hours[buy, s.HOUR_POWER]) * params[s.CHARGE_FRAC]
    discharge = (limit - hours[sell, s.HOUR_POWER]) / params[s.DISCHARGE_FRAC]
    return max(0.0, min(charge, discharge))
