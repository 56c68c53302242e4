"""The step: one tick of every world, from the gates to the observation of the next tick (one kernel, one compilation).

A tick does, in order: publish what is due, close gates and take bids, clear what is due, deliver the MTU that starts
now, settle it. `advance` begins after the publication (its results are in the observation on which the bids rest) and
ends with the publication and observation of the next tick. Plain Python; `stacking.build` compiles it.
"""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import flows as f
from . import layout as v
from . import state as s
from .assets.battery import drain_mwh
from .build import law, prange
from .columns import market_column
from .coordination import clear_market, publish, take_offer, trade_intraday
from .delivery import count_double, deliver, settle, settle_terminal, settled_imbalance_price
from .forwarding import forward_unsold
from .lookahead import renew_plan, renew_sums, span_mw
from .markets.day_ahead import plan_day
from .observe import is_due, observe_hours, observe_portfolio, observe_world, open_columns
from .units import MTU_PER_HOUR


def advance(
    gates: Any, products: Any, curves: Any, rules: Any, rules_seen: Any, bounds: Any, params: Any,
    series: Any, hourly: Any, calendar: Any, scalars: Any, length: Any, start: Any, priority: Any,
    scenario: Any, clock: Any, home: Any, todo: Any, action: Any,
    state: Any, book: Any, sums: Any, plan: Any, world: Any, recent: Any,
    flow: Any, result: Any, reward: Any, observation: Any, mask: Any, ended: Any, scratch: Any, offers: Any, spare: Any,
    fault: Any,
) -> None:  # fmt: skip
    """Advance worlds by one tick, or start their scenario anew, in place.

    A world with an action out of bounds in an open column is left untouched and named in `fault`.

    Args:
        gates, products, curves, rules, rules_seen: the compiled design.
        bounds: (2, ACTIONS_W) lowest and highest action.
        params: (portfolio, PARAMS_W).
        series, calendar, scalars, length, start, priority: the scenario library; hourly: its hourly series, transposed.
        scenario, clock, home: (world,) scenario index, tick, index of its scratch memory.
        todo: (world,) SKIP, STEP, RESTART or IDLE.
        action: (world, portfolio, ACTIONS_W).
        state, book, sums, plan, world, recent: state, see `stacking.state`; changed.
        flow, result, reward, observation, mask, ended: results of the tick; written.
        scratch, offers, spare: memory, per world or (first axis 1) shared.
        fault: (world + 1, 2) portfolio and column of the first action out of bounds, else -1; written. The last row
            is set where any world has a fault (a sum over worlds would allocate in the parallel build).
    """
    for b in prange(clock.shape[0]):
        if todo[b] == s.SKIP:
            continue
        k, free = scenario[b], home[b]
        tick = clock[b]
        fault[b, 0] = fault[b, 1] = -1
        if todo[b] == s.STEP and tick < length[k] and not within_bounds(action[b], mask[b], bounds, fault[b]):
            fault[clock.shape[0], 0] = 1
            continue
        clear_results(flow[b], result[b], reward[b])
        ended[b] = todo[b] != s.RESTART and tick >= length[k]
        if todo[b] == s.IDLE or ended[b]:
            continue
        if todo[b] == s.RESTART:
            begin(params, series[k], start[k], state[b], book[b], sums[b], plan[b], world[b], recent[b])
            tick = -1
        else:
            day = calendar[k, tick]
            bids(gates, products, rules, params, action[b], series[k], hourly[k], day, length[k], state[b], book[b],
                 sums[b], plan[b],
                 scratch[free], flow[b], tick)  # fmt: skip
            clearings(gates, products, curves, rules, params, series[k], scalars[k], priority[k], day, length[k],
                      state[b], book[b], sums[b], plan[b], world[b], recent[b], offers[free], spare[free], flow[b],
                      result[b], tick)  # fmt: skip
            deliveries(products, rules, params, series[k], scalars[k], state[b], book[b], sums[b], plan[b], world[b], recent[b],
                       flow[b], result[b], reward[b], tick, tick + 1 == length[k])  # fmt: skip
            ended[b] = tick + 1 == length[k]
        clock[b] = tick + 1
        look(gates, rules, rules_seen, params, series[k], hourly[k], calendar[k], scalars[k], length[k], tick < 0,
             state[b], book[b], sums[b], plan[b], world[b], recent[b], observation[b], mask[b], tick + 1)  # fmt: skip


@law
def begin(params: Any, series: Any, start: Any, state: Any, book: Any, sums: Any, plan: Any, world: Any, recent: Any) -> None:
    """Clear the rings of a world and set the start contents of its scenario.

    What was cleared before the episode began has the published price; before the first delivery the day-ahead price
    stands for the balancing prices that an FSP remembers.
    """
    book[:] = 0.0
    sums[:] = 0.0
    plan[:] = 0.0
    world[:] = 0.0
    recent[:] = 0.0
    state[:] = 0.0
    for tau in range(min(s.BOOK_SLOTS - s.BOOK_PAST, series.shape[0])):
        for d in range(2):
            world[tau, s.CLEARED_UP + d] = series[tau, market_column(c.MFRR, d) + c.ANCHOR]
    for k in range(3 * s.RECENT_MTU):
        recent[k] = series[0, c.DA_PRICE]
    for r in range(params.shape[0]):
        window = params[r, s.MAX_MWH] - params[r, s.MIN_MWH]
        state[r, s.CONTENT] = params[r, s.MIN_MWH] + start[r] * window
        state[r, s.START_CONTENT] = state[r, s.CONTENT]


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
    state: Any, book: Any, sums: Any, plan: Any, scratch: Any, flow: Any, tick: int,
) -> None:  # fmt: skip
    """Close the gates that are due and take the bids of all portfolios."""
    for g in range(gates.shape[0]):
        kind, lead = gates[g, s.KIND], gates[g, s.LEAD]
        if kind == s.AUCTION and day[c.DA_FIRST] >= 0:
            for r in range(params.shape[0]):
                buy_day(params[r], book[r], sums[r], plan[r], scratch, hourly, day, state[r, s.CONTENT], action[r], tick)
                state[r, s.STALE] = 1.0
        elif kind == s.TRADE and tick + lead < length:
            price = series[tick + lead, c.DA_PRICE]
            for r in range(params.shape[0]):
                share = action[r, v.ID_POWER_FRAC]
                trade_intraday(rules, params[r], share, state[r], book[r], sums[r], plan[r], flow[r], tick, lead, price)
        elif kind == s.OFFER and is_due(gates[g], day, tick, length):
            for r in range(params.shape[0]):
                if gates[g, s.LEDGER] == c.LFM and rules[s.HAS_FORWARD] > 0.0:
                    state[r, s.CONSENT_NOW] = 1.0 if rules[s.NEEDS_CONSENT] == 0.0 or action[r, v.CONSENT] >= 0.5 else 0.0
                    for tau in range(tick + lead, tick + lead + gates[g, s.COUNT]):
                        sums[r, s.CONSENTED, tau % s.BOOK_SLOTS] = state[r, s.CONSENT_NOW]
                take_offer(gates[g], products[gates[g, s.MARKET]], rules, params[r], action[r], state[r],
                           book[r], sums[r], plan[r], flow[r], tick)  # fmt: skip


@law
def buy_day(
    params: Any, book: Any, sums: Any, plan: Any, scratch: Any, hourly: Any, day: Any, content: float, action: Any, tick: int
) -> None:
    """Plan and buy the next local day on the forecast of the gate; the schedule of the hours before it is kept.

    The plan is feasible from the lowest to the highest content that own commitments can lead to by the start of the day.
    """
    first, count = day[c.DA_FIRST], day[c.DA_COUNT]
    low, high = content, content
    for tau in range(tick, first):
        most = least = plan[tau % s.PLAN_SLOTS]
        if tau < tick + s.WINDOW:
            most, least = span_mw(params, book, sums, plan, tau % s.BOOK_SLOTS, tau % s.PLAN_SLOTS, s.ALL_LEDGERS, s.ALL_LEDGERS)
        low -= drain_mwh(most, params[s.INTO], params[s.OUT])
        high -= drain_mwh(least, params[s.INTO], params[s.OUT])
    plan_day(params, plan, scratch, hourly, day[c.NEXT_DAY_FORECAST], first, count, low, high,
             action[v.DA_VOLUME_FRAC], action[v.DA_MIN_SPREAD], action[v.DA_END_CONTENT_FRAC])  # fmt: skip
    renew_plan(params, plan, tick, first + count - 1)
    for tau in range(tick, tick + s.WINDOW):
        renew_sums(params, book, sums, plan, tau)


@law
def clearings(
    gates: Any, products: Any, curves: Any, rules: Any, params: Any, series: Any, scalars: Any, priority: Any, day: Any,
    length: int,
    state: Any, book: Any, sums: Any, plan: Any, world: Any, recent: Any, offers: Any, spare: Any, flow: Any,
    result: Any, tick: int,
) -> None:  # fmt: skip
    """Clear the books that are due, then pass unsold bids on."""
    for g in range(gates.shape[0]):
        kind = gates[g, s.KIND]
        if (kind == s.CLEAR or kind == s.FORWARD) and is_due(gates[g], day, tick, length):
            first, count, market = tick + gates[g, s.LEAD], gates[g, s.COUNT], gates[g, s.MARKET]
            if kind == s.CLEAR:
                clear_market(market, first, count, curves[market], series, scalars[c.BACKGROUND_PRIORITY], priority, params,
                             book, plan, world, recent, offers, spare, flow, result)  # fmt: skip
            else:
                forward_unsold(gates[g, s.LEDGER], gates[g, s.TARGET], first, count, products[market], rules,
                               params, priority, book, sums, plan, offers, spare, flow)  # fmt: skip


@law
def deliveries(
    products: Any, rules: Any, params: Any, series: Any, scalars: Any, state: Any, book: Any, sums: Any, plan: Any,
    world: Any, recent: Any,
    flow: Any, result: Any, reward: Any, tick: int, last: bool,
) -> None:  # fmt: skip
    """Deliver and settle the MTU that starts now for all portfolios; then free its ring slots."""
    at, slot = series[tick], tick % s.BOOK_SLOTS
    for r in range(params.shape[0]):
        local, balancing, shortfall, position = deliver(params[r], state[r], book[r], plan[r], flow[r], tick)
        ordered = flow[r, f.ACTIVATED_LFM] + flow[r, f.ACTIVATED_MFRR] + flow[r, f.ACTIVATED_FORWARDED]
        if ordered > 0.0 or shortfall != 0.0:
            count_double(params[r], book[r], flow[r], tick, position, shortfall)
        settle(rules, products[c.LFM, s.THRESHOLD], params[r], state[r], book[r], sums[r], at, world, flow[r], result,
               tick, local, balancing, shortfall, position)  # fmt: skip
        if last:
            settle_terminal(rules, params[r], state[r], flow[r], scalars[c.TERMINAL_PRICE])
        total = 0.0
        for k in range(f.CASH_W):
            total += flow[r, k]
        reward[r] = total
        state[r, s.CASH] += total
        plan[r, tick % s.PLAN_SLOTS] = 0.0
        hour = tick // MTU_PER_HOUR % s.PLAN_HOURS
        plan[r, s.DRAW + hour] = plan[r, s.FILL + hour] = 0.0
        book[r, (tick - s.BOOK_PAST) % s.BOOK_SLOTS] = 0.0
        for column in range(s.SUMS_W):
            sums[r, column, (tick - s.BOOK_PAST) % s.BOOK_SLOTS] = 0.0
        # the MTU that enters the window at the next tick holds nothing but the schedule
        entering = (tick + s.WINDOW) % s.BOOK_SLOTS
        drain = drain_mwh(plan[r, (tick + s.WINDOW) % s.PLAN_SLOTS], params[r, s.INTO], params[r, s.OUT])
        sums[r, s.DRAIN_HI, entering] = sums[r, s.DRAIN_LO, entering] = drain
    up, down, price = world[slot, s.CLEARED_UP], world[slot, s.CLEARED_DN], settled_imbalance_price(at, world, slot)
    result[f.PRICE_MFRR_UP], result[f.PRICE_MFRR_DN], result[f.PRICE_IMBALANCE], result[f.PRICE_DA] = (
        up,
        down,
        price,
        at[c.DA_PRICE],
    )
    for k in range(3 * s.RECENT_MTU - 1, 2, -1):
        recent[k] = recent[k - 3]
    recent[0], recent[1], recent[2] = price, up, down
    world[(tick - s.BOOK_PAST) % s.BOOK_SLOTS] = 0.0


@law
def copy_columns(source: Any, target: Any, first: int, last: int) -> None:
    """Copy the columns first..last-1 of a row (an assignment of slices would allocate)."""
    for k in range(first, last):
        target[k] = source[k]


@law
def look(
    gates: Any, rules: Any, rules_seen: Any, params: Any, series: Any, hourly: Any, calendar: Any, scalars: Any,
    length: int, fresh: bool,
    state: Any, book: Any, sums: Any, plan: Any, world: Any, recent: Any, observation: Any, mask: Any, tick: int,
) -> None:  # fmt: skip
    """Publish what is due at a tick and show it; after the end nothing is open."""
    day = calendar[min(tick, length - 1)]
    local, balancing, local_open = 0, 0, False
    for g in range(gates.shape[0]):
        kind, ledger = gates[g, s.KIND], gates[g, s.LEDGER]
        first, count = tick + gates[g, s.LEAD], gates[g, s.COUNT]
        if kind == s.PUBLISH and first >= 0 and (gates[g, s.ALIGNED] == 0 or first % 4 == 0):
            for r in range(params.shape[0]):
                publish(ledger, first, count, params[r], book[r], sums[r], plan[r])
            if ledger == c.LFM:
                recent[s.RECENT_LFM_PRICE] = world[first % s.BOOK_SLOTS, s.LFM_PRICE]
                for tau in range(first, first + count):
                    world[tau % s.BOOK_SLOTS, s.SHIFT_KNOWN] = world[tau % s.BOOK_SLOTS, s.SHIFT]
        elif kind == s.OFFER and ledger == c.LFM:
            local, local_open = g, tick < length and is_due(gates[g], day, tick, length)
        elif kind == s.OFFER and ledger == c.MFRR:
            balancing = g
    for r in range(params.shape[0]):
        if r == 0:
            observe_world(series, scalars, recent, rules_seen, tick, length, observation[0])
            if tick < length and (fresh or day[c.QUARTER] == 0):
                observe_hours(hourly, day, tick // MTU_PER_HOUR, observation[0])
            open_columns(gates, rules, day, tick, length, mask[0])
            if tick >= length:
                mask[0] = False
        else:
            copy_columns(observation[0], observation[r], 0, v.ASSET)
            copy_columns(observation[0], observation[r], v.RULES, v.OBSERVATIONS_W)
            copy_columns(mask[0], mask[r], 0, v.ACTIONS_W)
        observe_portfolio(params[r], state[r], book[r], sums[r], plan[r], gates[balancing], gates[local], local_open,
                          fresh or day[c.QUARTER] <= 1 or tick >= length, tick, observation[r])  # fmt: skip
