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
from .build import law, prange, touch
from .delivery import deliver_row
from .gates.bidding import take_bids
from .gates.clearing import clearings
from .gates.matching import note_book
from .gates.pools import share_failure
from .observe import gate_of_kind, look, offer_gate
from .turning import begin, turn_row, turn_world

LINE = 64  # bytes that a cache loads at once
BLOCK = 16  # portfolios of a world that go through a phase together
TOGETHER = 32  # portfolios of small worlds that do
NEAR_MTU, FAR_MTU = 5, 8  # ahead: intraday and balancing gates, local gate


def advance(
    gates: Any, products: Any, curves: Any, rules: Any, rules_seen: Any, bounds: Any, areas: Any, params: Any,
    series: Any, local: Any, local_hourly: Any, hourly: Any, calendar: Any, scalars: Any, length: Any, draws: Any,
    sessions: Any, first_session: Any, fleets: Any, loads: Any, consumption: Any,
    control: Any, action: Any,
    state: Any, ring: Any, early: Any, chargers: Any, world: Any, prices: Any, history: Any,
    flow: Any, result: Any, reward: Any, observation: Any, mask: Any, feasible: Any, ended: Any,
    scratch: Any, offers: Any, spare: Any, before: Any, bids: Any, nodes: Any, pieces: Any, links: Any, lists: Any,
    fault: Any, chunk: Any,
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
        state, ring, early, chargers, world, prices, history: state, see `stacking.state`; changed.
        flow, result, reward, observation, mask, feasible, ended: results of the tick; written.
        scratch, offers, spare, before, bids, nodes, pieces, links, lists: memory, per chunk or (first axis 1) shared.
        fault: (world + 1, 2) portfolio and column of the first action out of bounds, else -1; written. The last row
            is set where any world has a fault (a sum over worlds would allocate in the parallel build).
        chunk: (1,) worlds that go through the phases together.
    """
    worlds, rows, size = control.shape[0], params.shape[0], chunk[0]
    first_bid, first_clearing = gates_before(gates, s.AUCTION), gates_before(gates, s.DAY_CLEAR)
    telling, bidding, clearing = gates[:first_bid], gates[first_bid:first_clearing], gates[first_clearing:]
    local_gate, balancing_gate = offer_gate(bidding, c.LFM), offer_gate(bidding, c.MFRR)
    day_gate, match_gate = gate_of_kind(bidding, s.DAY_OFFER), gate_of_kind(clearing, s.MATCH)
    for g in prange((worlds + size - 1) // size):
        begin_at, end = g * size, min(worlds, (g + 1) * size)
        home = begin_at // size if scratch.shape[0] > 1 else 0
        work = scratch[home]
        for b in range(begin_at, end):
            k, following = control[b, s.SCENARIO], b + size
            if rows <= BLOCK and following < worlds and control[following, s.TODO] != s.SKIP:  # there when it is its turn
                warm(ring[following], state[following], chargers[following], 0, rows)
                warm_results(flow[following], observation[following], action[following], world[following], prices[following])
                n, then = control[following, s.SCENARIO], max(0, control[following, s.CLOCK])
                warm_scenario(series[n], local[n], calendar[n], consumption[n], then)
            open_tick(control[b], length[k], action[b], mask[b], bounds, fault[b], flow[b], result[b], reward[b])
            if control[b, s.TODO] != s.SKIP:
                ended[b] = control[b, s.TODO] != s.RESTART and control[b, s.CLOCK] >= length[k]
            if fault[b, 0] >= 0 and control[b, s.TODO] == s.STEP:
                fault[worlds, 0] = 1
            if control[b, s.DOING] == s.RESTART:
                begin(params, series[k], draws[k], sessions, first_session[k], loads[k], fleets[k], state[b], ring[b],
                      early[b], chargers[b], world[b], prices[b], history[b])  # fmt: skip
                control[b, s.CLOCK] = -1
        for first in range(0, rows, BLOCK):
            for b in range(begin_at, end):
                k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
                if control[b, s.DOING] == s.STEP:
                    warm(ring[b], state[b], chargers[b], first + BLOCK, min(rows, first + 2 * BLOCK))
                    for r in range(first, min(rows, first + BLOCK)):
                        e, i = max(0, int(params[r, s.FLEET_ROW])), max(0, int(params[r, s.LOAD_ROW]))
                        take_bids(bidding, local_gate, balancing_gate, products, rules, params[r], action[b, r], series[k],
                                  hourly[k], calendar[k, tick], length[k], fleets[k, e], loads[k, i], state[b, r], feasible[b, r],
                                  ring[b, r], early[b, r], history[b, r], flow[b, r], tick, work)  # fmt: skip
        for b in range(begin_at, end):
            k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
            if control[b, s.DOING] == s.STEP:
                if match_gate >= 0:
                    note_book(clearing, ring[b], before[home])
                clearings(clearing, products, curves, rules, areas, params, series[k], local[k], local_hourly[k], scalars[k],
                          draws[k], calendar[k, tick], length[k], fleets[k], loads[k], state[b], ring[b], early[b], world[b],
                          prices[b], offers[home], spare[home], before[home], bids[home], nodes[home], pieces[home], links[home],
                          lists[home], flow[b], result[b], tick, work)  # fmt: skip
        for first in range(0, rows, BLOCK):
            for b in range(begin_at, end):
                k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
                if control[b, s.DOING] == s.STEP:
                    warm(ring[b], state[b], chargers[b], first + BLOCK, min(rows, first + 2 * BLOCK))
                    for r in range(first, min(rows, first + BLOCK)):
                        e, i = max(0, int(params[r, s.FLEET_ROW])), max(0, int(params[r, s.LOAD_ROW]))
                        deliver_row(products, rules, params[r], series[k, tick], calendar[k, tick], fleets[k, e], loads[k, i],
                                    consumption[k, i], state[b, r], ring[b, r], chargers[b], world[b], prices[b], history[b, r],
                                    flow[b, r], result[b], tick, work)  # fmt: skip
        for b in range(begin_at, end):
            k = control[b, s.SCENARIO]
            if control[b, s.DOING] == s.STEP and rules[s.SHARES_FAILURE] > 0.0:
                share_failure(params, flow[b])
            if control[b, s.DOING] != s.SKIP:
                control[b, s.CLOCK] += 1
                tick = control[b, s.CLOCK]
                ended[b] = tick == length[k]
                turn_world(telling, rules, series[k, max(0, tick - 1)], ring[b], world[b], prices[b], areas, result[b], tick)
        for first in range(0, rows, BLOCK):
            last = min(rows, first + BLOCK)
            for b in range(begin_at, end):
                k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
                if control[b, s.DOING] != s.SKIP:
                    warm(ring[b], state[b], chargers[b], first + BLOCK, min(rows, first + 2 * BLOCK))
                    for r in range(first, last):
                        reward[b, r] = turn_row(
                            telling, rules, params[r], scalars[k], sessions, first_session[k], state[b, r], ring[b, r],
                            early[b, r], chargers[b], history[b, r], flow[b, r], tick, length[k], work,
                        )  # fmt: skip
            for b in range(begin_at, end):
                k, tick = control[b, s.SCENARIO], control[b, s.CLOCK]
                if control[b, s.DOING] != s.SKIP:
                    look(bidding, local_gate, balancing_gate, day_gate, rules, rules_seen, params, series[k], local_hourly[k],
                         hourly[k], calendar[k], scalars[k], length[k], fleets[k], loads[k], control[b, s.DOING] == s.RESTART,
                         state[b], ring[b], world[b], prices[b], observation[b], mask[b], feasible[b], first, last, tick,
                         work)  # fmt: skip


@law
def gates_before(gates: Any, kind: int) -> int:
    """Return the number of gates of earlier kinds; gates stand in the order of a tick: telling, bidding, clearing."""
    count = 0
    for g in range(gates.shape[0]):
        count += 1 if gates[g, s.KIND] < kind else 0
    return count


@law
def warm(ring: Any, state: Any, chargers: Any, first: int, last: int) -> None:
    """Ask for the memory of the portfolios first..last-1 of a world while others are worked on: a quarter of the time."""
    for k in range(first * s.RING_W, last * s.RING_W, LINE // 4):
        touch(ring, k)
    for k in range(first * s.STATE_W, last * s.STATE_W, LINE // 8):
        touch(state, k)
    if first == 0:
        for k in range(0, min(BLOCK, chargers.shape[0]) * s.CHARGER_W, LINE // 4):
            touch(chargers, k)


@law
def warm_scenario(series: Any, local: Any, calendar: Any, consumption: Any, tick: int) -> None:
    """Ask for the memory of what a scenario holds for a tick and the MTU whose gates are near."""
    for k in range(tick * c.SERIES_W, (tick + NEAR_MTU) * c.SERIES_W, LINE // 8):
        touch(series, k)
    for k in range(tick * c.CALENDAR_W, (tick + 2) * c.CALENDAR_W, LINE // 8):
        touch(calendar, k)
    touch(local, (tick + FAR_MTU) * c.LOCAL_W)
    touch(consumption, tick)


@law
def warm_results(flow: Any, observation: Any, action: Any, world: Any, prices: Any) -> None:
    """Ask for the memory of the results of a world."""
    rows = flow.shape[0]
    for k in range(0, rows * v.OBSERVATIONS_W, LINE // 4):
        touch(observation, k)
    for k in range(0, rows * f.FLOWS_W, LINE // 8):
        touch(flow, k)
    for k in range(0, rows * v.ACTIONS_W, LINE // 8):
        touch(action, k)
    for k in range(0, s.EARLY_SHIFT, LINE // 8):
        touch(world, k)
    for k in range(0, s.EARLY_OTHERS, LINE // 8):
        touch(prices, k)


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
