"""The step: one tick of every world, from the gates to the observation of the next tick (one kernel, one compilation).

A tick does, in order: publish what is due, close gates and take bids, clear what is due, deliver the MTU that starts
now, settle it. `advance` begins after the publication (its results are in the observation on which the bids rest) and
ends with the publication and observation of the next tick. Plain Python; `stacking.build` compiles it.

Worlds go through the phases in chunks: the code of one phase stays in the instruction cache while the rows of a chunk stay
in the data cache.
"""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import flows as f
from . import layout as v
from . import state as s
from .assets.battery import battery_span_mw, drain_mwh, renew_hours
from .assets.fleet import change_cars, renew_envelope, unplug_all
from .build import law, part, prange, touch
from .columns import market_column
from .coordination import clear_balancing, clear_local, take_offer, trade_intraday
from .delivery import baseline_error_mw, count_double, deliver, settle, settle_cars, settle_terminal, settled_imbalance_price
from .forwarding import forward_unsold
from .lookahead import position_mw, publish_market, set_ahead, set_cell
from .markets.day_ahead import plan_day
from .observe import (
    is_due,
    observe_area,
    observe_constants,
    observe_portfolio,
    observe_prices,
    observe_world,
    open_columns,
)
from .state import hour_cell, slot_of, wide
from .units import MTU_PER_HOUR

LINE = 64  # bytes that a cache loads at once


def advance(
    gates: Any, products: Any, curves: Any, rules: Any, rules_seen: Any, bounds: Any, areas: Any, params: Any,
    series: Any, local: Any, local_hourly: Any, hourly: Any, calendar: Any, scalars: Any, length: Any, draws: Any,
    sessions: Any, first_session: Any, fleets: Any, loads: Any, consumption: Any,
    control: Any, action: Any,
    state: Any, ring: Any, chargers: Any, world: Any, prices: Any, history: Any,
    flow: Any, result: Any, reward: Any, observation: Any, mask: Any, ended: Any,
    scratch: Any, offers: Any, spare: Any, fault: Any, chunk: Any,
) -> None:  # fmt: skip
    """Advance worlds by one tick, or start their scenario anew, in place.

    A world with an action out of bounds in an open column is left untouched and named in `fault`.

    Args:
        gates, products, curves, rules, rules_seen: the compiled design; areas: (area, AREAS_W) of the network.
        bounds: (2, ACTIONS_W) lowest and highest action.
        params: (portfolio, PARAMS_W).
        series, local, local_hourly, hourly, calendar, scalars, length, draws: the scenario library (hourly series transposed);
            draws: (scenario, portfolio, 2) start content and priority.
        sessions, first_session, fleets, loads, consumption: its sites.
        control: (world, CONTROL_W) scenario, tick and what to do.
        action: (world, portfolio, ACTIONS_W).
        state, ring, chargers, world, prices, history: state, see `stacking.state`; changed.
        flow, result, reward, observation, mask, ended: results of the tick; written.
        scratch, offers, spare: memory, per chunk or (first axis 1) shared.
        fault: (world + 1, 2) portfolio and column of the first action out of bounds, else -1; written. The last row
            is set where any world has a fault (a sum over worlds would allocate in the parallel build).
        chunk: (1,) worlds that go through the phases together.
    """
    worlds, size = control.shape[0], chunk[0]
    for g in prange((worlds + size - 1) // size):
        begin_at, end = g * size, min(worlds, (g + 1) * size)
        home = begin_at // size if scratch.shape[0] > 1 else 0
        work = scratch[home]
        for b in range(begin_at, end):
            k, following = control[b, s.SCENARIO], b + size
            if following < worlds:
                warm(ring[following], state[following], flow[following], observation[following], action[following],
                     world[following], chargers[following])  # fmt: skip
            open_tick(control[b], length[k], action[b], mask[b], bounds, fault[b], flow[b], result[b], reward[b])
            if control[b, s.TODO] != s.SKIP:
                ended[b] = control[b, s.TODO] != s.RESTART and control[b, s.CLOCK] >= length[k]
            if fault[b, 0] >= 0 and control[b, s.TODO] == s.STEP:
                fault[worlds, 0] = 1
            if control[b, s.DOING] == s.RESTART:
                begin(params, series[k], draws[k], sessions, first_session[k], loads[k], fleets[k], state[b], ring[b],
                      chargers[b], world[b], prices[b], history[b])  # fmt: skip
                control[b, s.CLOCK] = -1
        for b in range(begin_at, end):
            k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
            if control[b, s.DOING] == s.STEP:
                bids(gates, products, rules, params, action[b], series[k], hourly[k], calendar[k, tick], length[k], fleets[k],
                     loads[k], state[b], ring[b], flow[b], tick, work)  # fmt: skip
        for b in range(begin_at, end):
            k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
            if control[b, s.DOING] == s.STEP:
                clearings(gates, products, curves, rules, areas, params, series[k], local[k], scalars[k], draws[k],
                          calendar[k, tick], length[k], fleets[k], loads[k], ring[b], world[b], prices[b], offers[home],
                          spare[home], flow[b], result[b], tick, work)  # fmt: skip
        for b in range(begin_at, end):
            k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
            if control[b, s.DOING] == s.STEP:
                deliveries(products, rules, params, series[k], calendar[k, tick], fleets[k], loads[k], consumption[k], state[b],
                           ring[b], chargers[b], world[b], history[b], flow[b], result[b], tick, work)  # fmt: skip
                ended[b] = tick + 1 == length[k]
        for b in range(begin_at, end):
            k = control[b, s.SCENARIO]
            if control[b, s.DOING] != s.SKIP:
                control[b, s.CLOCK] += 1
                tick = control[b, s.CLOCK]
                turn(rules, params, scalars[k], sessions, first_session[k], state[b], ring[b], chargers[b], flow[b], reward[b],
                     tick, length[k], work)  # fmt: skip
                tell(gates, areas, params, ring[b], world[b], prices[b], tick, work)
        for b in range(begin_at, end):
            k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
            if control[b, s.DOING] != s.SKIP:
                look(gates, rules, rules_seen, areas, params, series[k], local_hourly[k], hourly[k], calendar[k], scalars[k],
                     length[k], fleets[k], loads[k], control[b, s.DOING] == s.RESTART, state[b], ring[b], world[b], prices[b],
                     observation[b], mask[b], tick, work)  # fmt: skip


@law
def warm(ring: Any, state: Any, flow: Any, observation: Any, action: Any, world: Any, chargers: Any) -> None:
    """Ask for the memory of a world of the next chunk while this one is worked on: a quarter of the time at 1,024 rows."""
    rows = state.shape[0]
    for k in range(0, rows * s.RING_W, LINE // 4):
        touch(ring, k)
    for k in range(0, rows * v.OBSERVATIONS_W, LINE // 4):
        touch(observation, k)
    for k in range(0, chargers.shape[0] * s.CHARGER_W, LINE // 4):
        touch(chargers, k)
    for k in range(0, rows * s.STATE_W, LINE // 8):
        touch(state, k)
    for k in range(0, rows * f.FLOWS_W, LINE // 8):
        touch(flow, k)
    for k in range(0, rows * v.ACTIONS_W, LINE // 8):
        touch(action, k)
    for k in range(0, s.WORLD_W, LINE // 8):
        touch(world, k)


@law
def open_tick(
    control: Any, length: int, action: Any, mask: Any, bounds: Any, fault: Any, flow: Any, result: Any, reward: Any
) -> None:
    """Decide what happens to a world in this call and forget the flows of its last tick."""
    todo = control[s.TODO]
    control[s.DOING] = s.SKIP
    if todo == s.SKIP:
        return
    fault[0] = fault[1] = -1
    if todo == s.STEP and control[s.CLOCK] < length and not within_bounds(action, mask, bounds, fault):
        return
    clear_results(flow, result, reward)
    if todo == s.RESTART:
        control[s.DOING] = s.RESTART
    elif todo == s.STEP and control[s.CLOCK] < length:
        control[s.DOING] = s.STEP


@part
def begin(
    params: Any, series: Any, draws: Any, sessions: Any, first_session: Any, loads: Any, fleets: Any, state: Any, ring: Any,
    chargers: Any, world: Any, prices: Any, history: Any,
) -> None:  # fmt: skip
    """Clear the rings of a world and set the start of its scenario.

    What was cleared before the episode began has the published price; before the first delivery the day-ahead price
    stands for the balancing prices that an FSP remembers. Consumption is on its reference schedule, also in the days before.
    """
    ring[:] = 0.0
    world[:] = 0.0
    prices[:] = 0.0
    state[:] = 0.0
    for tau in range(min(s.SLOTS - s.PAST, series.shape[0])):
        for d in range(2):
            world[(s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot_of(tau, 0)] = series[tau, market_column(c.MFRR, d) + c.ANCHOR]
    for k in range(3 * s.RECENT_MTU):
        world[s.RECENT + k] = series[0, c.DA_PRICE]
    for r in range(params.shape[0]):
        window = params[r, s.MAX_MWH] - params[r, s.MIN_MWH]
        state[r, s.CONTENT] = params[r, s.MIN_MWH] + draws[r, 0] * window
        state[r, s.START_CONTENT] = state[r, s.CONTENT]
        fleet, load = fleets[max(0, int(params[r, s.FLEET_ROW]))], loads[max(0, int(params[r, s.LOAD_ROW]))]
        if params[r, s.FLEET_ROW] >= 0.0:
            unplug_all(params[r], chargers, sessions, first_session)
        for hour in range(history.shape[1]):  # the hours of the first day of the scenario stand for those before
            history[r, hour] = position_mw(params[r], ring[r], fleet, load, (12 + hour % 24) % 24 * MTU_PER_HOUR, 0)


@law
def clear_results(flow: Any, result: Any, reward: Any) -> None:
    """Forget the flows of the last tick."""
    for r in range(flow.shape[0]):
        reward[r] = 0.0
        for k in range(f.FLOWS_W):
            flow[r, k] = 0.0
    for k in range(f.MARKET_W):
        result[k] = 0.0


@law
def within_bounds(action: Any, mask: Any, bounds: Any, fault: Any) -> bool:
    """Return whether all actions in open columns lie inside their bounds (NaN does not); name the first that does not."""
    for r in range(action.shape[0]):
        for k in range(v.ACTIONS_W):
            if mask[r, k] and not (bounds[0, k] <= action[r, k] <= bounds[1, k]):
                fault[0], fault[1] = r, k
                return False
    return True


@law
def bids(
    gates: Any, products: Any, rules: Any, params: Any, action: Any, series: Any, hourly: Any, day: Any, length: int,
    fleets: Any, loads: Any, state: Any, ring: Any, flow: Any, tick: int, work: Any,
) -> None:  # fmt: skip
    """Close the gates that are due and take the bids of all portfolios."""
    for g in range(gates.shape[0]):
        kind, lead, count = gates[g, s.KIND], gates[g, s.LEAD], gates[g, s.COUNT]
        if kind == s.AUCTION and day[c.DA_FIRST] >= 0:
            for r in range(params.shape[0]):
                fleet, load = fleets[max(0, int(params[r, s.FLEET_ROW]))], loads[max(0, int(params[r, s.LOAD_ROW]))]
                buy_day(params[r], state[r], ring[r], hourly, day, fleet, load, action[r], tick, work)
        elif kind == s.TRADE and tick + lead < length:
            price = series[tick + lead, c.DA_PRICE]
            for r in range(params.shape[0]):
                share = action[r, v.ID_POWER_FRAC]
                fleet, load = fleets[max(0, int(params[r, s.FLEET_ROW]))], loads[max(0, int(params[r, s.LOAD_ROW]))]
                trade_intraday(rules, params[r], share, state[r], ring[r], fleet, load, flow[r], tick, lead, price, work)
        elif kind == s.OFFER and is_due(gates[g], day, tick, length):
            for r in range(params.shape[0]):
                fleet, load = fleets[max(0, int(params[r, s.FLEET_ROW]))], loads[max(0, int(params[r, s.LOAD_ROW]))]
                if gates[g, s.LEDGER] == c.LFM:
                    note_local_gate(rules, params[r], action[r], state[r], ring[r], fleet, load, tick, lead, count)
                take_offer(gates[g], products[gates[g, s.MARKET]], rules, params[r], action[r], state[r], ring[r], fleet,
                           load, flow[r], tick, lead < day[c.DAY_LEFT], work)  # fmt: skip


@law
def note_local_gate(
    rules: Any, p: Any, action: Any, state: Any, ring: Any, fleet: Any, load: Any, tick: int, lead: int, count: int
) -> None:
    """Note consent and, where the baseline is nominated, the schedule as it is told at the local gate."""
    if rules[s.HAS_FORWARD] > 0.0:
        state[s.CONSENT_NOW] = 1.0 if rules[s.NEEDS_CONSENT] == 0.0 or action[v.CONSENT] >= 0.5 else 0.0
        for slot in range(lead + s.PAST, lead + s.PAST + count):
            set_cell(ring, slot, s.CONSENTED, state[s.CONSENT_NOW])
    if rules[s.BASELINE] == s.BY_NOMINATION:
        for tau in range(tick + lead, tick + lead + count):
            slot = slot_of(tau, tick)
            set_cell(ring, slot, s.NOMINATED, position_mw(p, ring, fleet, load, tau, slot))


@part
def buy_day(
    p: Any, state: Any, ring: Any, hourly: Any, day: Any, fleet: Any, load: Any, action: Any, tick: int, work: Any
) -> None:
    """Plan and buy the next local day on the forecast of the gate; the schedule of the hours before it is kept.

    The plan is feasible from the lowest to the highest content that own commitments can lead to by the start of the day.
    """
    first, count = day[c.DA_FIRST], day[c.DA_COUNT]
    low, high, into, out = state[s.CONTENT], state[s.CONTENT], p[s.INTO], p[s.OUT]
    for tau in range(tick, min(first, tick + s.WINDOW)):
        most, least = battery_span_mw(p, ring, slot_of(tau, tick), 1.0, 1.0)
        low -= drain_mwh(most, into, out)
        high -= drain_mwh(least, into, out)
    for tau in range(tick + s.WINDOW, first):
        drain = drain_mwh(hour_cell(ring, s.PLAN_BATTERY, tau // MTU_PER_HOUR), into, out)
        low, high = low - drain, high - drain
    plan_day(p, ring, work, hourly, day[c.NEXT_DAY_FORECAST], fleet, load, first, count, low, high,
             action[v.DA_VOLUME_FRAC], action[v.DA_MIN_SPREAD], action[v.DA_END_CONTENT_FRAC])  # fmt: skip
    renew_hours(p, ring, tick // MTU_PER_HOUR, (first + count - 1) // MTU_PER_HOUR)
    for tau in range(first, min(first + count, tick + s.WINDOW)):  # only if the day begins inside the window
        take_plan(ring, tau, slot_of(tau, tick))


@law
def take_plan(ring: Any, tau: int, slot: int) -> None:
    """Let the schedule of an MTU begin as it was planned for its hour."""
    hour = tau // MTU_PER_HOUR
    set_ahead(ring, s.BATTERY, s.SCHEDULED, slot, hour_cell(ring, s.PLAN_BATTERY, hour))
    set_ahead(ring, s.FLEET, s.SCHEDULED, slot, hour_cell(ring, s.PLAN_FLEET, hour))


@law
def clearings(
    gates: Any, products: Any, curves: Any, rules: Any, areas: Any, params: Any, series: Any, local: Any, scalars: Any,
    draws: Any, day: Any, length: int, fleets: Any, loads: Any, ring: Any, world: Any, prices: Any, offers: Any, spare: Any,
    flow: Any, result: Any, tick: int, work: Any,
) -> None:  # fmt: skip
    """Clear the books that are due, then pass unsold bids on."""
    priority = draws[:, 1]
    for g in range(gates.shape[0]):
        kind = gates[g, s.KIND]
        if (kind == s.CLEAR or kind == s.FORWARD) and is_due(gates[g], day, tick, length):
            first, count, market = tick + gates[g, s.LEAD], gates[g, s.COUNT], gates[g, s.MARKET]
            if kind == s.FORWARD:
                forward_unsold(gates[g, s.LEDGER], gates[g, s.TARGET], slot_of(first, tick), count, gates[g, s.KNOWN_MIN],
                               products[market], rules, params, priority, ring, offers, spare, flow, work)  # fmt: skip
            elif market == c.LFM:
                clear_local(tick, first, count, curves[market], areas, local, scalars[c.BACKGROUND_PRIORITY], priority, params,
                            ring, fleets, loads, world, prices, offers, spare, flow, result)  # fmt: skip
            else:
                clear_balancing(tick, first, curves[market], series[first], scalars[c.BACKGROUND_PRIORITY], priority, params,
                                ring, fleets, loads, world, offers, spare, flow, result)  # fmt: skip


@law
def deliveries(
    products: Any, rules: Any, params: Any, series: Any, day: Any, fleets: Any, loads: Any, consumption: Any, state: Any,
    ring: Any, chargers: Any, world: Any, history: Any, flow: Any, result: Any, tick: int, work: Any,
) -> None:  # fmt: skip
    """Deliver and settle the MTU that starts now for all portfolios."""
    at, slot = series[tick], s.PAST
    for r in range(params.shape[0]):
        p = params[r]
        e, i = max(0, int(p[s.FLEET_ROW])), max(0, int(p[s.LOAD_ROW]))
        local, balancing, shortfall, position = deliver(
            p, state[r], ring[r], chargers, fleets[e], loads[i], consumption[i, tick], flow[r], tick, work
        )
        error = baseline_error_mw(rules, ring[r], history[r], position, day[c.HOUR_OF_DAY])
        settle(rules, products[c.LFM, s.THRESHOLD], p, state[r], ring[r], at, world, flow[r], result,
               local, balancing, shortfall, position, error)  # fmt: skip
        if flow[r, f.ACTIVATED_LFM] + flow[r, f.ACTIVATED_MFRR] + flow[r, f.ACTIVATED_FORWARDED] > 0.0:
            count_double(p, ring[r], fleets[e], loads[i], flow[r], tick, shortfall)
        if rules[s.BASELINE] >= s.BY_MEAN:
            remember(rules, history[r], state[r, s.POWER], flow[r, f.ACTIVATED_LFM], at[c.WEEKEND], day)
        if day[c.DAY_LEFT] == 1:
            state[r, s.STARTED] = 0.0
    up, down, price = world[s.CLEARED_UP + slot], world[s.CLEARED_DN + slot], settled_imbalance_price(at, world, slot)
    result[f.PRICE_MFRR_UP], result[f.PRICE_MFRR_DN], result[f.PRICE_IMBALANCE], result[f.PRICE_DA] = (
        up,
        down,
        price,
        at[c.DA_PRICE],
    )
    for k in range(3 * s.RECENT_MTU - 1, 2, -1):
        world[s.RECENT + k] = world[s.RECENT + k - 3]
    world[s.RECENT], world[s.RECENT + 1], world[s.RECENT + 2] = price, up, down


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


@law
def turn(
    rules: Any, params: Any, scalars: Any, sessions: Any, first_session: Any, state: Any, ring: Any, chargers: Any, flow: Any,
    reward: Any, tick: int, length: int, work: Any,
) -> None:  # fmt: skip
    """Turn to the next MTU: cars leave and arrive, the account is written, ring slots change from past to future."""
    for r in range(params.shape[0]):
        p = params[r]
        if p[s.FLEET_ROW] >= 0.0:
            missing, gone, short = change_cars(p, chargers, sessions, first_session, tick)
            if tick > 0:
                flow[r, f.EV_LEFT_COUNT], flow[r, f.EV_SHORT_COUNT] = gone, short
                settle_cars(p, flow[r], missing)
            renew_envelope(p, state[r], ring[r], chargers, tick, work)
        if tick >= length:
            settle_terminal(rules, p, state[r], chargers, flow[r], scalars[c.TERMINAL_PRICE], tick)
        if tick > 0:
            total = 0.0
            for k in range(f.CASH_W):
                total += flow[r, k]
            reward[r] = total
            state[r, s.CASH] += total
            # hours before now hold nothing; the MTU that enters the window holds nothing but the schedule
            if tick % MTU_PER_HOUR == 0:
                for field in range(4):
                    ring[r, s.PLAN + field * s.PLAN_HOURS + (tick // MTU_PER_HOUR - 1) % s.PLAN_HOURS] = 0.0
            entering = tick + s.WINDOW - 1
            move_slots(ring[r])
            take_plan(ring[r], entering, s.SLOTS - 1)


@law
def move_slots(ring: Any) -> None:
    """Move all that lies ahead by one slot; the MTU that enters the window is empty."""
    for k in range(s.AHEAD, s.BOOK - 1):
        ring[k] = ring[k + 1]
    for column in range(s.AHEAD_COLS):
        ring[s.AHEAD + column * s.SLOTS + s.SLOTS - 1] = 0.0
    for k in range(s.BOOK, s.PLAN - s.BOOK_W):
        ring[k] = ring[k + s.BOOK_W]
    for k in range(s.PLAN - s.BOOK_W, s.PLAN):
        ring[k] = 0.0


@law
def move_row(row: Any, first: int) -> None:
    """Move SLOTS numbers from `first` on by one slot."""
    for k in range(first, first + s.SLOTS - 1):
        row[k] = row[k + 1]
    row[first + s.SLOTS - 1] = 0.0


@law
def tell(gates: Any, areas: Any, params: Any, ring: Any, world: Any, prices: Any, tick: int, work: Any) -> None:
    """Publish what is due at a tick; the slot that enters the window starts without results."""
    if tick > 0:
        for first_cell in (s.SHIFT, s.SHIFT_KNOWN, s.CLEARED_UP, s.CLEARED_DN):
            move_row(world, first_cell)
        for a in range(prices.shape[0]):
            move_row(prices[a], 0)
    for g in range(gates.shape[0]):
        first, count = tick + gates[g, s.LEAD], gates[g, s.COUNT]
        if gates[g, s.KIND] == s.PUBLISH and first >= 0 and (gates[g, s.ALIGNED] == 0 or first % MTU_PER_HOUR == 0):
            is_local = gates[g, s.LEDGER] == c.LFM
            high = s.HI_LOCAL if is_local else s.HI_BALANCING
            for r in range(params.shape[0]):
                for tau in range(first, first + count):
                    publish_market(params[r], ring[r], slot_of(tau, tick), high, is_local, work)
            if is_local:
                for a in range(areas.shape[0]):
                    prices[a, s.AREA_RECENT] = prices[a, slot_of(first, tick)]
                for tau in range(first, first + count):
                    world[s.SHIFT_KNOWN + slot_of(tau, tick)] = world[s.SHIFT + slot_of(tau, tick)]


@law
def copy_columns(source: Any, target: Any, first: int, last: int) -> None:
    """Copy the columns first..last-1 of a row (an assignment of slices would allocate)."""
    for k in range(first, last):
        target[k] = source[k]


@law
def look(
    gates: Any, rules: Any, rules_seen: Any, areas: Any, params: Any, series: Any, local_hourly: Any, hourly: Any,
    calendar: Any, scalars: Any, length: int, fleets: Any, loads: Any, fresh: bool, state: Any, ring: Any, world: Any,
    prices: Any, observation: Any, mask: Any, tick: int, work: Any,
) -> None:  # fmt: skip
    """Show what is known at a tick; after the end nothing is open."""
    day = calendar[min(tick, length - 1)]
    local, balancing, local_open = 0, 0, False
    for g in range(gates.shape[0]):
        if gates[g, s.KIND] == s.OFFER and gates[g, s.LEDGER] == c.LFM:
            local, local_open = g, tick < length and is_due(gates[g], day, tick, length)
        elif gates[g, s.KIND] == s.OFFER:
            balancing = g
    on_the_hour = tick < length and (fresh or day[c.QUARTER] == 0)
    # the schedule of full hours moves on the hour and after an auction; the next one may have been traded an MTU ago
    hours_told = 2 if day[c.QUARTER] == 1 else 1
    if on_the_hour or tick >= length or calendar[tick - 1, c.DA_FIRST] >= 0:
        hours_told = 24
    for r in range(params.shape[0]):
        a, out = int(params[r, s.AREA]), observation[r]
        if r == 0:
            observe_world(series, scalars, world, rules_seen, tick, length, out)
            if on_the_hour:
                observe_prices(hourly, day, tick // MTU_PER_HOUR, out)
            open_columns(gates, rules, day, tick, length, mask[0])
        else:
            copy_columns(observation[0], out, 0, v.LOCAL)
            copy_columns(observation[0], out, v.RULES, v.OBSERVATIONS_W)
            copy_columns(mask[0], mask[r], 0, v.ACTIONS_W)
        if a >= 0:
            out[v.LOCAL + 2 * c.LFM_FORECAST_HOURS] = prices[a, s.AREA_RECENT]
            if on_the_hour:
                observe_area(local_hourly[a], tick // MTU_PER_HOUR, out)
        if fresh:
            observe_constants(params[r], out)
        e, i = max(0, int(params[r, s.FLEET_ROW])), max(0, int(params[r, s.LOAD_ROW]))
        observe_portfolio(params[r], state[r], ring[r], fleets[e], loads[i], gates[balancing], gates[local], local_open,
                          hours_told, tick, day, out, work)  # fmt: skip
