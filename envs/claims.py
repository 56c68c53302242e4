"""What has been sold and bought and is not settled yet: the value by which the award-time reward runs ahead of the cash.

Plain Python; `stacking.build` compiles it.
"""

from __future__ import annotations

from typing import Any

from stacking import columns as c
from stacking import state as s
from stacking.build import law
from stacking.gates.passed import asked_column
from stacking.settlement import forwarded_price
from stacking.state import ahead, cell, column, early_cell, early_sold_mw, hour_cell
from stacking.units import MTU_H, MTU_PER_HOUR


@law
def traded_eur(ring: Any, slot: int, price: float) -> float:
    """Return what day-ahead and intraday trades of one MTU of the window will pay, beyond the reference schedule, EUR.

    (schedule of battery and fleet - intraday MW) x h x day-ahead price + value of the intraday trades.
    """
    scheduled = ahead(ring, s.BATTERY, s.SCHEDULED, slot) + ahead(ring, s.FLEET, s.SCHEDULED, slot)
    return (scheduled - cell(ring, slot, s.ID_MW)) * MTU_H * price + cell(ring, slot, s.ID_VALUE)


@law
def sold_eur(rules: Any, ready: float, ring: Any, world: Any, area_prices: Any, slot: int) -> float:
    """Return what local and balancing sales of one MTU will pay if they are delivered in full, EUR.

    Local sales as bid, balancing sales at the marginal price (joint procurement: the price of the area), forwarded ones by the
    rule of the design and less the fee, awarded availability at its rate (`ready`, EUR/MW/h).
    """
    total, fee = 0.0, 0.0 if rules[s.FEE_OF_TSO] > 0.0 else rules[s.FEE]
    for d in range(2):
        sign = 1.0 if d == 0 else -1.0
        local = cell(ring, slot, column(c.LFM, s.SOLD, d))
        own = cell(ring, slot, column(c.MFRR, s.SOLD, d))
        passed = cell(ring, slot, column(c.FORWARDED, s.SOLD, d))
        marginal = world[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot]
        price = area_prices[slot] if rules[s.BY_AREA] > 0.0 else marginal
        bid = cell(ring, slot, asked_column(rules, d))
        total += sign * local * cell(ring, slot, column(c.LFM, s.PRICE, d)) + sign * own * price
        total += sign * passed * forwarded_price(int(rules[s.FORWARD_PRICE]), bid, marginal, sign) - fee * passed
        if rules[s.AWARDS] > 0.0:
            total += ready * cell(ring, slot, column(c.LFM, s.OFFERED, d))
    return total * MTU_H


@law
def planned_eur(series: Any, ring: Any, early: Any, tick: int, length: int) -> float:
    """Return what the day-ahead plan and local sales of the day before will pay beyond the window, EUR."""
    total, first = 0.0, tick + s.WINDOW
    for hour in range(first // MTU_PER_HOUR, tick // MTU_PER_HOUR + s.PLAN_HOURS):
        local = 0.0
        if early.shape[0] > 0:
            for d in range(2):
                sold = early_cell(early, s.EARLY_SOLD + d, hour)
                local += (1.0 if d == 0 else -1.0) * sold * early_cell(early, s.EARLY_PRICE + d, hour)
        power = hour_cell(ring, s.PLAN_BATTERY, hour) - early_sold_mw(early, hour) + hour_cell(ring, s.PLAN_FLEET, hour)
        if power != 0.0 or local != 0.0:
            for tau in range(max(first, hour * MTU_PER_HOUR), min(length, (hour + 1) * MTU_PER_HOUR)):
                total += (power * series[tau, c.DA_PRICE] + local) * MTU_H
    return total


def claims(
    rules: Any, ready: float, params: Any, series: Any, length: Any, control: Any, ring: Any, early: Any, world: Any, prices: Any,
    rows: Any, out: Any,
) -> None:  # fmt: skip
    """Write what learners have sold and bought and is not settled yet, EUR; nothing at the start and at the end of an episode.

    Args:
        rules: (RULES_W,); ready: rate of awarded availability, EUR/MW/h; params: (portfolio, PARAMS_W).
        series, length: of the scenario library.
        control, ring, early, world, prices: state of the engine.
        rows: (learner,) portfolio of each.
        out: (world, learner), written.
    """
    for b in range(out.shape[0]):
        k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
        for i in range(rows.shape[0]):
            row = rows[i]
            area = int(params[row, s.AREA])
            home = prices.shape[1] - 1 if area < 0 else area
            total = 0.0
            for slot in range(s.PAST, s.SLOTS):
                tau = tick + slot - s.PAST
                if tau < length[k]:
                    total += traded_eur(ring[b, row], slot, series[k, tau, c.DA_PRICE])
                    total += sold_eur(rules, ready, ring[b, row], world[b], prices[b, home], slot)
            out[b, i] = total + planned_eur(series[k], ring[b, row], early[b, row], tick, length[k])
