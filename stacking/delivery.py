"""Delivery and settlement of the MTU that starts now: physics first, then responsibility, then money."""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import flows as f
from . import state as s
from .assets.battery import battery_room, move_battery, terminal_value_eur
from .assets.fleet import cars_at_end, charge_fleet, fleet_consumption_mw
from .assets.load import run_load
from .build import law, part
from .columns import background_column
from .gates.offers import doubly_sold_mw
from .gates.passed import asked_column
from .lookahead import position_mw, split_order
from .settlement import (
    apart_shortfalls_mw,
    between,
    forwarded_price,
    imbalance_price,
    local_pay_eur,
    penalty_eur,
    shortfall_shares_mw,
)
from .state import ahead, cell, column, wide
from .units import MTU_H, MTU_PER_HOUR, POWER_EPSILON_MW


@law
def deliver_row(
    products: Any, rules: Any, p: Any, at: Any, day: Any, fleet: Any, load: Any, consumption: Any, state: Any, ring: Any,
    chargers: Any, world: Any, prices: Any, history: Any, flow: Any, result: Any, tick: int, work: Any,
) -> None:  # fmt: skip
    """Deliver and settle the MTU that starts now for one portfolio; at: (SERIES_W,) of the MTU, day: (CALENDAR_W,)."""
    local, balancing, shortfall, position = deliver(
        p, state, ring, chargers, fleet, load, consumption[tick], flow, tick, work
    )  # fmt: skip
    error = baseline_error_mw(rules, ring, history, position, day[c.HOUR_OF_DAY])
    settle(rules, products[c.LFM, s.THRESHOLD], p, state, ring, at, world, prices, flow, result,
           local, balancing, shortfall, position, error)  # fmt: skip
    if rules[s.AWARDS] > 0.0:
        pay_readiness(products[c.LFM, s.READY_EUR_PER_MW_H], ring, flow, result)
    if flow[f.ACTIVATED_LFM] + flow[f.ACTIVATED_MFRR] + flow[f.ACTIVATED_FORWARDED] > 0.0:
        count_double(p, ring, fleet, load, flow, tick, shortfall)
    if rules[s.BASELINE] >= s.BY_MEAN:
        remember(rules, history, state[s.POWER], flow[f.ACTIVATED_LFM], at[c.WEEKEND], day)
    if day[c.DAY_LEFT] == 1:
        state[s.STARTED] = 0.0


@part
def deliver(
    p: Any, state: Any, ring: Any, chargers: Any, fleet: Any, load: Any, consumption_mw: float, flow: Any, tick: int,
    work: Any,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Move the assets towards schedule + activations, each its own part of the order, as far as physics allows.

    What cars and load deviate from forecast and order (forecast errors, whole steps, charging that cannot wait, rebound) the
    battery makes up, as far as its own schedule and everything sold allow; the rest is imbalance.

    Args:
        p, state, ring: one row each.
        chargers: (charger, CHARGER_W) of the world.
        fleet, load: forecasts of the portfolio.
        consumption_mw: what the load would consume now.
        flow: (FLOWS_W,), written.
        tick: now.
        work: scratch.

    Returns:
        local order, balancing order, shortfall (wanted - metered) and schedule, MW, signed.
    """
    slot = s.PAST
    local = cell(ring, slot, column(c.LFM, s.SOLD, 0)) - cell(ring, slot, column(c.LFM, s.SOLD, 1))
    own = cell(ring, slot, column(c.MFRR, s.SOLD, 0)) - cell(ring, slot, column(c.MFRR, s.SOLD, 1))
    passed = cell(ring, slot, column(c.FORWARDED, s.SOLD, 0)) - cell(ring, slot, column(c.FORWARDED, s.SOLD, 1))
    position = position_mw(p, ring, fleet, load, tick, slot)
    split_order(p, ring, slot, s.HI_LOCAL, True, s.SHARE, work)
    split_order(p, ring, slot, s.HI_BALANCING, False, s.SHARE + s.KINDS_W, work)
    power, most = 0.0, p[s.CONNECTION_MW]
    if p[s.LOAD_ROW] >= 0.0:
        ordered = work[s.SHARE + s.LOAD] + work[s.SHARE + s.KINDS_W + s.LOAD]
        shed, recovered, started = run_load(p, state, consumption_mw, ordered)
        power = shed - recovered - consumption_mw
        flow[f.LOAD_SHED], flow[f.LOAD_RECOVERED], flow[f.LOAD_STARTS] = shed * MTU_H, recovered * MTU_H, started
        flow[f.CASH_LOAD] = -p[s.LOAD_COST] * shed * MTU_H
    if p[s.FLEET_ROW] >= 0.0:
        moved = work[s.SHARE + s.FLEET] + work[s.SHARE + s.KINDS_W + s.FLEET]
        asked = fleet_consumption_mw(ring, fleet, tick, slot) - moved
        charged = charge_fleet(p, state, chargers, tick, asked, most + power)
        power -= charged
        flow[f.EV_CHARGED], flow[f.EV_INJECTED] = max(0.0, charged) * MTU_H, max(0.0, -charged) * MTU_H
        flow[f.CASH_DELAY] = -p[s.DELAY] * abs(moved) * MTU_H - p[s.V2G_WEAR] * flow[f.EV_INJECTED]
    if p[s.RATED_MW] > 0.0:
        ordered = work[s.SHARE + s.BATTERY] + work[s.SHARE + s.KINDS_W + s.BATTERY]
        target = ahead(ring, s.BATTERY, s.SCHEDULED, slot) + ordered
        missing = position + local + own + passed - power - target
        if abs(missing) > POWER_EPSILON_MW:
            up, down, _, _ = battery_room(p, state[s.CONTENT], ring, tick, 0, 1, 1.0, 1.0, work)
            target += min(max(missing, -down), up)
        moved = move_battery(p, state, min(max(target, -most - power), most - power))
        power += moved
        flow[f.CHARGED], flow[f.DISCHARGED] = max(0.0, -moved) * MTU_H, max(0.0, moved) * MTU_H
    state[s.POWER] = power
    flow[f.POWER_MW], flow[f.POSITION_MW], flow[f.CONTENT_MWH] = power, position, state[s.CONTENT]
    flow[f.ACTIVATED_LFM] = ledger_energy_mwh(ring, slot, c.LFM)
    flow[f.ACTIVATED_MFRR] = ledger_energy_mwh(ring, slot, c.MFRR)
    flow[f.ACTIVATED_FORWARDED] = ledger_energy_mwh(ring, slot, c.FORWARDED)
    return local, own + passed, position + local + own + passed - power, position


@law
def ledger_energy_mwh(ring: Any, slot: int, ledger: int) -> float:
    """Return the energy ordered from a ledger in one MTU, both directions added, MWh."""
    return (cell(ring, slot, column(ledger, s.SOLD, 0)) + cell(ring, slot, column(ledger, s.SOLD, 1))) * MTU_H


@law
def count_double(p: Any, ring: Any, fleet: Any, load: Any, flow: Any, tick: int, shortfall_mw: float) -> None:
    """Count double activation and, apart from it, energy that was sold in sequence and is not there any more (after `settle`)."""
    double_up = doubly_sold_mw(p, ring, fleet, load, tick, s.PAST, 0)
    double_dn = doubly_sold_mw(p, ring, fleet, load, tick, s.PAST, 1)
    flow[f.DOUBLE_ACTIVATED] = (double_up + double_dn) * MTU_H
    explained = (double_up if shortfall_mw > 0.0 else double_dn) * MTU_H
    flow[f.DEPLETED] = max(0.0, flow[f.UNDELIVERED_LFM] + flow[f.UNDELIVERED_MFRR] - explained)


@law
def baseline_error_mw(rules: Any, ring: Any, history: Any, position: float, hour_of_day: int) -> float:
    """Return by how much the baseline of the local market lies above the schedule, MW (delivered = metered - baseline).

    Schedule: 0; nomination: the schedule as it was told at the local gate; mean: metered power of the same hour of five
    preceding working days, with or without the hours that had an activation (NODES, sthlmflex).
    """
    rule = int(rules[s.BASELINE])
    if rule == s.BY_SCHEDULE:
        return 0.0
    if rule == s.BY_NOMINATION:
        return wide(history[s.PAST]) - position
    total = 0.0
    for day in range(s.BASELINE_DAYS):
        total += wide(history[day * 24 + hour_of_day])
    return total / s.BASELINE_DAYS - position


@part
def settle(
    rules: Any, threshold: float, p: Any, state: Any, ring: Any, at: Any, world: Any, prices: Any, flow: Any, result: Any,
    local: float, balancing: float, shortfall: float, position: float, baseline_error: float,
) -> None:  # fmt: skip
    """Book every EUR of one portfolio and MTU.

    Imbalance = metered - schedule - position-corrected activations, at the imbalance price (DESIGN 7.2). Balancing
    activations are corrected by the ordered volume when the payment is kept, by the delivered volume otherwise.
    """
    slot = s.PAST
    short_local, short_balancing = 0.0, 0.0
    if rules[s.MEASURED_APART] > 0.0:
        delivered = local + balancing - shortfall
        short_local, short_balancing = apart_shortfalls_mw(delivered, local, balancing)
        twice = abs(local - short_local) + abs(balancing - short_balancing) - abs(delivered)
        flow[f.DOUBLE_PAID] = max(0.0, twice) * MTU_H
    elif shortfall != 0.0 and (local != 0.0 or balancing != 0.0):
        short_local, short_balancing = shortfall_shares_mw(shortfall, local, balancing, int(rules[s.DSO_SHARE]))
    short_local_mwh, short_balancing_mwh = short_local * MTU_H, short_balancing * MTU_H
    flow[f.UNDELIVERED_LFM], flow[f.UNDELIVERED_MFRR] = abs(short_local_mwh), abs(short_balancing_mwh)
    flow[f.CASH_DA] = (position - cell(ring, slot, s.ID_MW)) * MTU_H * at[c.DA_PRICE]
    flow[f.CASH_ID] = cell(ring, slot, s.ID_VALUE)
    local_mwh, balancing_mwh = local * MTU_H, balancing * MTU_H
    if flow[f.ACTIVATED_LFM] > 0.0:
        pay_local(threshold, ring, flow, slot, short_local_mwh, baseline_error * MTU_H)
    kept = rules[s.KEEP_PAYMENT] > 0.0
    if flow[f.ACTIVATED_MFRR] + flow[f.ACTIVATED_FORWARDED] > 0.0:
        unpaid = 0.0 if kept else short_balancing_mwh
        if rules[s.BY_AREA] > 0.0:
            pay_by_area(prices, int(p[s.AREA]), ring, flow, slot, unpaid)
        else:
            pay_balancing(rules, ring, world, flow, slot, unpaid)
            charge_fee(rules, flow, result)
    if kept and abs(short_balancing_mwh) > max(POWER_EPSILON_MW, rules[s.TOLERANCE_FRAC] * abs(balancing_mwh)):
        price = world[(s.CLEARED_UP if short_balancing_mwh > 0.0 else s.CLEARED_DN) + slot]
        if rules[s.BY_AREA] > 0.0:
            price = prices[area_row(prices, int(p[s.AREA])), slot]
        flow[f.CASH_TSO_PENALTY] = penalty_eur(rules[s.PENALTY], price, short_balancing_mwh)
    corrected = balancing_mwh if kept else balancing_mwh - short_balancing_mwh
    if rules[s.CORRECT_LFM] > 0.0:
        corrected += local_mwh
    imbalance = (state[s.POWER] - position) * MTU_H - corrected
    price = settled_imbalance_price(at, world, slot)
    flow[f.IMBALANCE] = abs(imbalance)
    flow[f.CASH_IMBALANCE] = imbalance * price
    flow[f.CASH_WEAR] = -p[s.WEAR] * flow[f.DISCHARGED]
    flow[f.CASH_TARIFF] = -p[s.TARIFF] * max(0.0, -state[s.POWER]) * MTU_H
    result[f.DSO_PAID_EUR] += flow[f.CASH_LFM]
    result[f.TSO_PAID_EUR] += flow[f.CASH_MFRR] + flow[f.CASH_FORWARDED] + flow[f.CASH_TSO_PENALTY] + flow[f.CASH_IMBALANCE]


@law
def settled_imbalance_price(at: Any, world: Any, slot: int) -> float:
    """Return the imbalance price of the MTU in a ring slot, EUR/MWh."""
    up, down = background_column(0) + c.ANCHOR, background_column(1) + c.ANCHOR
    return imbalance_price(
        at[c.IMBALANCE_PRICE], at[c.DOMINANT], world[s.CLEARED_UP + slot], at[up], world[s.CLEARED_DN + slot], at[down]
    )


@law
def pay_local(threshold: float, ring: Any, flow: Any, slot: int, undelivered_mwh: float, baseline_error_mwh: float) -> None:
    """Pay the local activations of one MTU as bid, each direction for itself; the shortfall belongs to its own direction.

    What counts as delivered is measured against the baseline: its error adds to or takes from every delivery.
    """
    for d in range(2):
        sign = 1.0 if d == 0 else -1.0
        ordered = sign * cell(ring, slot, column(c.LFM, s.SOLD, d)) * MTU_H
        if ordered != 0.0:
            delivered = between(ordered - between(undelivered_mwh, ordered) - baseline_error_mwh, ordered)
            flow[f.VALIDATED_LFM] += abs(delivered)
            flow[f.CASH_LFM] += local_pay_eur(cell(ring, slot, column(c.LFM, s.PRICE, d)), ordered, delivered, threshold)


@law
def pay_balancing(rules: Any, ring: Any, world: Any, flow: Any, slot: int, unpaid_mwh: float) -> None:
    """Pay own and forwarded balancing activations of one MTU."""
    for d in range(2):
        sign = 1.0 if d == 0 else -1.0
        marginal = world[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot]
        own = cell(ring, slot, column(c.MFRR, s.SOLD, d)) * MTU_H
        passed = cell(ring, slot, column(c.FORWARDED, s.SOLD, d)) * MTU_H
        ordered = sign * (own + passed)
        if ordered == 0.0:
            continue
        paid_share = 1.0 - between(unpaid_mwh, ordered) / ordered
        bid = cell(ring, slot, asked_column(rules, d))
        price = forwarded_price(int(rules[s.FORWARD_PRICE]), bid, marginal, sign)
        flow[f.CASH_MFRR] += sign * own * marginal * paid_share
        flow[f.CASH_FORWARDED] += sign * passed * price * paid_share


@law
def pay_readiness(rate_eur_per_mw_h: float, ring: Any, flow: Any, result: Any) -> None:
    """Pay the awarded MW of one MTU at the rate of the DSO, less what of a local order was not delivered."""
    slot = s.PAST
    awarded = (cell(ring, slot, column(c.LFM, s.OFFERED, 0)) + cell(ring, slot, column(c.LFM, s.OFFERED, 1))) * MTU_H
    flow[f.CASH_READY] = rate_eur_per_mw_h * max(0.0, awarded - flow[f.UNDELIVERED_LFM])
    result[f.DSO_PAID_EUR] += flow[f.CASH_READY]


@law
def charge_fee(rules: Any, flow: Any, result: Any) -> None:
    """Charge the fee of what was forwarded and ordered to the FSP, or to the TSO that bought it."""
    fee = rules[s.FEE] * flow[f.ACTIVATED_FORWARDED]
    if rules[s.FEE_OF_TSO] > 0.0:
        result[f.TSO_FEE_EUR] += fee
    else:
        flow[f.CASH_FEE] = -fee


@law
def area_row(prices: Any, area: int) -> int:
    """Return the row of an area's prices; a portfolio outside all areas stands at the root."""
    return prices.shape[0] - 1 if area < 0 else area


@law
def pay_by_area(prices: Any, area: int, ring: Any, flow: Any, slot: int, unpaid_mwh: float) -> None:
    """Pay jointly procured MW of one MTU the price of their area: the TSO that of the root, the DSO what lies above it."""
    system = prices[prices.shape[0] - 1, slot]
    premium = prices[area_row(prices, area), slot] - system
    for d in range(2):
        ordered = (1.0 if d == 0 else -1.0) * cell(ring, slot, column(c.MFRR, s.SOLD, d)) * MTU_H
        if ordered != 0.0:
            paid = ordered - between(unpaid_mwh, ordered)
            flow[f.CASH_MFRR] += paid * system
            flow[f.CASH_LFM] += paid * premium


@law
def settle_cars(p: Any, flow: Any, missing_mwh: float) -> None:
    """Book what drivers left without: missing energy at the price of unmet energy."""
    flow[f.EV_UNMET] = missing_mwh
    flow[f.CASH_UNMET] = -p[s.UNMET] * missing_mwh


@part
def settle_terminal(rules: Any, p: Any, state: Any, chargers: Any, flow: Any, price: float, tick: int) -> None:
    """Book the value of what is left when the episode ends: stored energy, cars that still want energy, rebound owed."""
    value = 0.0
    if p[s.CAPACITY_MWH] > 0.0:
        value += terminal_value_eur(
            state[s.START_CONTENT], state[s.CONTENT], price, p[s.WEAR], p[s.CHARGE_FRAC], p[s.DISCHARGE_FRAC]
        )
    if p[s.FLEET_ROW] >= 0.0:
        possible, lost = cars_at_end(p, chargers, tick)
        value -= price * possible + p[s.UNMET] * lost
    flow[f.CASH_TERMINAL] = rules[s.TERMINAL_FACTOR] * (value - price * state[s.OWED_MWH])


@law
def remember(rules: Any, history: Any, power_mw: float, activated_mwh: float, weekend: float, day: Any) -> None:
    """Add a metered MTU to the hours of today; at midnight a working day joins the five that make the baseline.

    With BY_QUIET_MEAN the hours of a day in which local energy was activated keep their last value without activation.
    """
    today = s.BASELINE_DAYS * 24
    at = today + day[c.HOUR_OF_DAY]
    if rules[s.BASELINE] == s.BY_QUIET_MEAN and activated_mwh > 0.0:
        history[at] = history[day[c.HOUR_OF_DAY]]
    elif day[c.QUARTER] == 0:
        history[at] = power_mw / MTU_PER_HOUR
    else:
        history[at] = wide(history[at]) + power_mw / MTU_PER_HOUR
    if day[c.DAY_LEFT] == 1 and weekend == 0.0:
        for k in range(today - 1, 23, -1):
            history[k] = history[k - 24]
        for k in range(24):
            history[k] = history[today + k]
