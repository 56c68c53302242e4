"""From one tick to the next: prices are remembered, cars come and go, accounts are written, results are published."""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import flows as f
from . import state as s
from .assets.fleet import change_cars, renew_envelope, unplug_all
from .build import law, part
from .columns import background_column
from .delivery import settle_cars, settle_terminal, settled_imbalance_price
from .gates.early import bring_day, bring_shift, forget_early, is_over
from .gates.passed import asked_column
from .lookahead import position_mw, publish_market
from .ring import forget_hour, move_rows, move_slots, take_plan
from .state import cell, column, slot_of
from .units import MTU_PER_HOUR, POWER_EPSILON_MW


@part
def begin(
    params: Any, series: Any, draws: Any, sessions: Any, first_session: Any, loads: Any, fleets: Any, state: Any, ring: Any,
    early: Any, chargers: Any, world: Any, prices: Any, history: Any,
) -> None:  # fmt: skip
    """Clear the rings of a world and set the start of its scenario.

    What was cleared before the episode began has the published price; before the first delivery the day-ahead price
    stands for the balancing prices that an FSP remembers. Consumption is on its reference schedule, also in the days before.
    """
    ring[:] = 0.0
    early[:] = 0.0
    world[:] = 0.0
    prices[:] = 0.0
    state[:] = 0.0
    for tau in range(min(s.SLOTS - s.PAST, series.shape[0])):
        for d in range(2):
            world[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot_of(tau, 0)] = series[tau, background_column(d) + c.ANCHOR]
    for k in range(3 * s.RECENT_MTU):
        world[s.RECENT + k] = series[0, c.DA_PRICE]
    for r in range(params.shape[0]):
        window = params[r, s.MAX_MWH] - params[r, s.MIN_MWH]
        state[r, s.CONTENT] = params[r, s.MIN_MWH] + draws[r, 0] * window
        state[r, s.START_CONTENT] = state[r, s.CONTENT]
        fleet, load = fleets[max(0, int(params[r, s.FLEET_ROW]))], loads[max(0, int(params[r, s.LOAD_ROW]))]
        if params[r, s.FLEET_ROW] >= 0.0:
            unplug_all(params[r], chargers, sessions, first_session)
        for k in range(history.shape[1]):  # the hours of the first day of the scenario stand for those before
            day_before = position_mw(params[r], ring[r], fleet, load, (12 + k % 24) % 24 * MTU_PER_HOUR, 0)
            history[r, k] = day_before if history.shape[1] == s.HISTORY_W else 0.0


@law
def is_published(gate: Any, tick: int) -> bool:
    """Return whether a gate publishes results at a tick."""
    first = tick + gate[s.LEAD]
    return gate[s.KIND] == s.PUBLISH and first >= 0 and (gate[s.ALIGNED] == 0 or first % MTU_PER_HOUR == 0)


@law
def turn_world(
    gates: Any, rules: Any, at: Any, ring: Any, world: Any, prices: Any, areas: Any, result: Any, tick: int
) -> None:  # fmt: skip
    """Turn the results of a world to a tick: remember prices of the MTU that was delivered, move slots, publish.

    The portfolios have not been turned yet.
    """
    if rules[s.TELLS_ALL] > 0.0:
        tell_forwarded(rules, ring, slot_of(tick + s.TOLD_MTU, tick - 1), world)
    if tick > 0:
        slot = s.PAST
        up, down, price = world[s.CLEARED_UP + slot], world[s.CLEARED_DN + slot], settled_imbalance_price(at, world, slot)
        result[f.PRICE_MFRR_UP], result[f.PRICE_MFRR_DN], result[f.PRICE_IMBALANCE] = up, down, price
        result[f.PRICE_DA] = at[c.DA_PRICE]
        for k in range(3 * s.RECENT_MTU - 1, 2, -1):
            world[s.RECENT + k] = world[s.RECENT + k - 3]
        world[s.RECENT], world[s.RECENT + 1], world[s.RECENT + 2] = price, up, down
        move_rows(world, s.SHIFT, s.WORLD_ROWS)
        for a in range(prices.shape[0]):
            move_rows(prices[a], 0, 1)
            move_rows(prices[a], s.OTHERS, 2)
        if rules[s.DAY_BEFORE] > 0.0:
            bring_shift(world, prices, tick + s.WINDOW - 1)
    for g in range(gates.shape[0]):
        first, count = tick + gates[g, s.LEAD], gates[g, s.COUNT]
        if gates[g, s.TELLS] == 1 and is_published(gates[g], tick):
            for a in range(areas.shape[0]):
                prices[a, s.AREA_RECENT] = prices[a, slot_of(first, tick)]
            for tau in range(first, first + count):
                world[s.SHIFT_KNOWN + slot_of(tau, tick)] = world[s.SHIFT + slot_of(tau, tick)]


@part
def turn_row(
    gates: Any, rules: Any, p: Any, scalars: Any, sessions: Any, first_session: Any, state: Any, ring: Any, early: Any,
    chargers: Any, history: Any, flow: Any, tick: int, length: int, work: Any,
) -> float:  # fmt: skip
    """Turn one portfolio to a tick: cars leave and arrive, the account is written, slots move, results are published.

    Returns:
        cash of the tick that ended, EUR.
    """
    if p[s.FLEET_ROW] >= 0.0:
        missing, gone, short = change_cars(p, chargers, sessions, first_session, tick)
        if tick > 0:
            flow[f.EV_LEFT_COUNT], flow[f.EV_SHORT_COUNT] = gone, short
            settle_cars(p, flow, missing)
        renew_envelope(p, state, ring, chargers, tick, work)
    if tick >= length:
        settle_terminal(rules, p, state, chargers, flow, scalars[c.TERMINAL_PRICE], tick)
    total = 0.0
    if tick > 0:
        for k in range(f.CASH_W):
            total += flow[k]
        state[s.CASH] += total
        # hours before now hold nothing; the MTU that enters the window holds nothing but the schedule
        if tick % MTU_PER_HOUR == 0 and is_over(early, tick // MTU_PER_HOUR - 1):
            forget_hour(ring, tick // MTU_PER_HOUR - 1)
            if early.shape[0] > 0:
                forget_early(early, tick // MTU_PER_HOUR - 1)
        move_slots(ring)
        if rules[s.BASELINE] == s.BY_NOMINATION:
            move_rows(history, 0, 1)
        take_plan(ring, tick + s.WINDOW - 1, s.SLOTS - 1)
        if early.shape[0] > 0:
            bring_day(ring, early, tick + s.WINDOW - 1, s.SLOTS - 1)
    publish_row(gates, p, ring, tick, work)
    return total


@law
def tell_forwarded(rules: Any, ring: Any, slot: int, world: Any) -> None:
    """Publish what was forwarded for one MTU: MW and best price (cheapest up, dearest down, 0 if none) by direction."""
    for d in range(2):
        sign, volume, best = 1.0 if d == 0 else -1.0, 0.0, 0.0
        for row in range(ring.shape[0]):
            q = cell(ring[row], slot, column(c.FORWARDED, s.OFFERED, d))
            if q > POWER_EPSILON_MW:
                price = cell(ring[row], slot, asked_column(rules, d))
                best = price if volume == 0.0 or sign * price < sign * best else best
                volume += q
        world[s.TOLD + d], world[s.TOLD + 2 + d] = volume, best


@law
def publish_row(gates: Any, p: Any, ring: Any, tick: int, work: Any) -> None:
    """Make known to one portfolio what is published at a tick."""
    for g in range(gates.shape[0]):
        first, count = tick + gates[g, s.LEAD], gates[g, s.COUNT]
        if is_published(gates[g], tick):
            is_local = gates[g, s.LEDGER] == c.LFM
            high = s.HI_LOCAL if is_local else s.HI_BALANCING
            for tau in range(first, first + count):
                publish_market(p, ring, slot_of(tau, tick), high, is_local, work)
