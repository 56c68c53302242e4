"""What a portfolio sees at the start of a tick, and which decisions are open: filled by the kernel from known data only."""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import layout as v
from . import state as s
from .build import law, part
from .gates.early import day_gate_due, day_room_mw
from .lookahead import free_power, keep_feasible, known_mw, known_sale_mw, passed_mw
from .state import ahead, hour_cell, slot_of
from .units import MTU_PER_HOUR


@law
def hours_to_tell(calendar: Any, tick: int, length: int, on_the_hour: bool) -> int:
    """Return of how many full hours ahead the schedule may have changed since the last tick.

    It moves on the hour and after an auction; the next hour may have been traded an MTU ago.
    """
    if on_the_hour or tick >= length or calendar[tick - 1, c.DA_FIRST] >= 0:
        return 24
    return 2 if calendar[tick, c.QUARTER] == 1 else 1


@law
def offer_gate(gates: Any, ledger: int) -> int:
    """Return the number of the gate that takes offers for a ledger, -1 if there is none."""
    found = -1
    for g in range(gates.shape[0]):
        if gates[g, s.KIND] == s.OFFER and gates[g, s.LEDGER] == ledger:
            found = g
    return found


@law
def gate_of_kind(gates: Any, kind: int) -> int:
    """Return the number of the first gate of a kind, -1 if there is none."""
    for g in range(gates.shape[0]):
        if gates[g, s.KIND] == kind:
            return g
    return -1


@law
def observe_day_gate(p: Any, up_mw: float, down_mw: float, out: Any) -> None:
    """Fill what may be offered at a gate of the day before; it stands on the battery alone."""
    out[v.FEASIBLE_UP_LFM], out[v.FEASIBLE_DN_LFM] = up_mw, down_mw
    for rank in range(s.KINDS_W):
        if int(p[s.ORDER + rank]) == s.BATTERY:
            out[v.TIER_UP_LFM + rank], out[v.TIER_DN_LFM + rank] = up_mw, down_mw


@law
def copy_columns(source: Any, target: Any, first: int, last: int) -> None:
    """Copy the columns first..last-1 of a row (an assignment of slices would allocate)."""
    for k in range(first, last):
        target[k] = source[k]


@part
def look(
    gates: Any, local: int, balancing: int, day_gate: int, rules: Any, rules_seen: Any, params: Any, series: Any,
    local_hourly: Any, hourly: Any, calendar: Any, scalars: Any, length: int, fleets: Any, loads: Any, fresh: bool, state: Any,
    ring: Any, world: Any, prices: Any, observation: Any, mask: Any, feasible: Any, first: int, last: int, tick: int,
    work: Any,
) -> None:  # fmt: skip
    """Show the portfolios first..last-1 what is known at a tick; after the end nothing is open.

    gates: those at which one bids; local, balancing, day_gate: which of them take offers for these markets, -1 where none does.
    """
    day = calendar[min(tick, length - 1)]
    local_open = tick < length and local >= 0 and is_due(gates[max(0, local)], day, tick, length)
    day_open = tick < length and day_gate >= 0 and day_gate_due(gates[max(0, day_gate)], day, tick, length)
    on_the_hour = tick < length and (fresh or day[c.QUARTER] == 0)
    hours_told = hours_to_tell(calendar, tick, length, on_the_hour)
    for r in range(first, last):
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
            if on_the_hour or (day_gate >= 0 and tick < length):
                observe_area(local_hourly[a], tick // MTU_PER_HOUR, out)
            if day_open:
                first, last = (tick + day[c.DAY_LEFT]) // MTU_PER_HOUR, tick // MTU_PER_HOUR + day[c.NEXT_DAY_HOURS]
                observe_asked(local_hourly[a], first, last, out)
        if fresh:
            observe_constants(params[r], out)
        e, i = max(0, int(params[r, s.FLEET_ROW])), max(0, int(params[r, s.LOAD_ROW]))
        observe_portfolio(params[r], state[r], ring[r], fleets[e], loads[i], gates[max(0, balancing)], gates[max(0, local)],
                          local_open, hours_told, tick, day, out, feasible[r], work)  # fmt: skip
        if day_open:
            up, down = day_room_mw(params[r], state[r], ring[r], fleets[e], loads[i], tick, day, gates[day_gate, s.COUNT])
            observe_day_gate(params[r], up, down, out)


@law
def open_columns(gates: Any, rules: Any, day: Any, tick: int, length: int, mask: Any) -> None:
    """Write which action columns are open at a tick: a gate is open if it is due and its whole delivery lies ahead."""
    for k in range(mask.shape[0]):
        mask[k] = False
    if tick >= length:
        return
    for g in range(gates.shape[0]):
        kind, lead = gates[g, s.KIND], gates[g, s.LEAD]
        if kind == s.AUCTION and day[c.DA_FIRST] >= 0:
            mask[v.DA_VOLUME_FRAC] = mask[v.DA_MIN_SPREAD] = mask[v.DA_END_CONTENT_FRAC] = True
        elif kind == s.TRADE and tick + lead < length:
            mask[v.ID_POWER_FRAC] = True
        elif kind == s.OFFER and is_due(gates[g], day, tick, length):
            first = gates[g, s.ACTION]
            for k in range(first, first + 4):
                mask[k] = True
            if gates[g, s.LEDGER] == c.LFM and asks_now(rules, day, tick, lead):
                mask[v.CONSENT_UP] = mask[v.CONSENT_DN] = True
        elif kind == s.DAY_OFFER and day_gate_due(gates[g], day, tick, length):
            for k in range(v.LFM_OFFER, v.LFM_OFFER + 4):
                mask[k] = True
            if rules[s.HAS_FORWARD] > 0.0 and rules[s.NEEDS_CONSENT] > 0.0:
                mask[v.CONSENT_UP] = mask[v.CONSENT_DN] = True
        elif kind == s.REVOKE and is_due(gates[g], day, tick, length):
            mask[v.CONSENT_UP] = mask[v.CONSENT_DN] = True


@law
def asks_now(rules: Any, day: Any, tick: int, lead: int) -> bool:
    """Return whether a local gate asks for consent: each one, that of a local day's first block, or the first of the episode.

    The blocks of the day in which the episode begins count as a day of their own.
    """
    if rules[s.HAS_FORWARD] == 0.0 or rules[s.NEEDS_CONSENT] == 0.0:
        return False
    scope, first = rules[s.CONSENT_SCOPE], tick < MTU_PER_HOUR
    return scope == s.EACH_GATE or first or (scope == s.EACH_DAY and day[c.DAY_LEFT] == lead)


@law
def is_due(gate: Any, day: Any, tick: int, length: int) -> bool:
    """Return whether a gate acts at this tick: every tick or when its block starts an hour, for delivery inside the episode."""
    lead, count = gate[s.LEAD], gate[s.COUNT]
    if tick + lead < 0 or tick + lead + count > length:
        return False
    return gate[s.ALIGNED] == 0 or (day[c.QUARTER] + lead) % MTU_PER_HOUR == 0


@law
def observe_world(series: Any, scalars: Any, world: Any, rules_seen: Any, tick: int, length: int, out: Any) -> None:
    """Fill the columns that all portfolios of a world share and that may change every tick."""
    at = series[min(tick, length - 1)]
    out[v.TIME], out[v.TIME + 1] = at[c.HOUR_SIN], at[c.HOUR_COS]
    out[v.TIME + 2], out[v.TIME + 3] = at[c.YEAR_SIN], at[c.YEAR_COS]
    out[v.TIME + 4], out[v.TIME + 5] = at[c.WEEKEND], (length - tick) / length
    for k in range(3 * s.RECENT_MTU):
        out[v.BALANCING + k] = world[s.RECENT + k]
    out[v.BALANCING + 12] = series[min(tick + 3, length - 1), c.NEED_FORECAST]
    for k in range(rules_seen.shape[0]):
        out[v.RULE_FEE + k] = rules_seen[k]
    for k in range(4):
        out[v.FORWARDED_ALL + k] = world[s.TOLD + k]
    out[v.TERMINAL_PRICE_FORECAST] = scalars[c.TERMINAL_FORECAST]
    out[v.HOURS_TO_END] = (length - tick) / MTU_PER_HOUR


@law
def observe_prices(hourly: Any, day: Any, hour: int, out: Any) -> None:
    """Fill the day-ahead prices or forecasts; they change on full hours only.

    Args:
        hourly: (HOURLY_W, hour) series.
        day: (CALENDAR_W,) calendar of the tick.
        hour: the current hour since the first tick.
        out: (OBSERVATIONS_W,), written.
    """
    known, tomorrow, forecast = day[c.KNOWN_HOURS], day[c.NEXT_DAY_HOURS], day[c.NEXT_DAY_FORECAST]
    for k in range(c.FORECAST_HOURS):
        source = c.DA_MEAN if k < known else (forecast if k < tomorrow else c.DA_TWO_DAYS)
        out[v.DA + k] = hourly[source, hour + k]
    out[v.DA + c.FORECAST_HOURS] = min(known, c.FORECAST_HOURS)


@law
def observe_area(hourly: Any, hour: int, out: Any) -> None:
    """Fill the forecasts of the local market of an area; hourly: (LOCAL_HOURLY_W, hour)."""
    for k in range(c.LFM_FORECAST_HOURS):
        near = k < c.LFM_NEAR_HOURS
        out[v.LOCAL + k] = hourly[(c.LFM_NEED_NEAR if near else c.LFM_NEED_FAR) - c.LFM_NEED_FAR, hour + k]
        out[v.LOCAL + c.LFM_FORECAST_HOURS + k] = hourly[
            (c.LFM_LIMIT_NEAR if near else c.LFM_LIMIT_FAR) - c.LFM_NEED_FAR, hour + k
        ]


@law
def observe_asked(hourly: Any, first: int, last: int, out: Any) -> None:
    """Show the tightest hour that the DSO asks for at a gate of the day before, where the block of a gate is shown otherwise."""
    tightest = first
    for hour in range(first, last):
        if abs(hourly[c.LFM_NEED_FAR - c.LFM_NEED_FAR, hour]) > abs(hourly[c.LFM_NEED_FAR - c.LFM_NEED_FAR, tightest]):
            tightest = hour
    out[v.LOCAL + v.LOCAL_BLOCK_HOUR] = hourly[c.LFM_NEED_FAR - c.LFM_NEED_FAR, tightest]
    out[v.LOCAL + c.LFM_FORECAST_HOURS + v.LOCAL_BLOCK_HOUR] = hourly[c.LFM_LIMIT_FAR - c.LFM_NEED_FAR, tightest]


@law
def observe_portfolio(
    p: Any, state: Any, ring: Any, fleet: Any, load: Any, mfrr: Any, local: Any, local_open: bool, hours_told: int,
    tick: int, day: Any, out: Any, feasible: Any, work: Any,
) -> None:  # fmt: skip
    """Fill the columns of one portfolio: assets, commitments as known to it, consent."""
    capacity = p[s.CAPACITY_MWH]
    content, window = state[s.CONTENT], 1.0 / capacity if capacity > 0.0 else 0.0
    same = mfrr[s.LEAD] < day[c.DAY_LEFT]
    up, down, low, high = free_power(
        p,
        state,
        ring,
        fleet,
        load,
        tick,
        mfrr[s.LEAD],
        mfrr[s.COUNT],
        mfrr[s.KNOWN_MIN],
        1.0,
        1.0,
        mfrr[s.WHOLE] == 1,
        same,
        work,
    )
    out[v.STORED_FRAC], out[v.MIN_CONTENT_FRAC], out[v.MAX_CONTENT_FRAC] = content * window, low * window, high * window
    out[v.FEASIBLE_UP_MFRR], out[v.FEASIBLE_DN_MFRR] = up, down
    observe_tiers(p, work, v.TIER_UP_MFRR, True, out)
    keep_feasible(feasible, s.FEASIBLE_BALANCING, up, down, work)
    up, down = 0.0, 0.0
    if local_open:
        same = local[s.LEAD] < day[c.DAY_LEFT]
        up, down, low, high = free_power(
            p,
            state,
            ring,
            fleet,
            load,
            tick,
            local[s.LEAD],
            local[s.COUNT],
            local[s.KNOWN_MIN],
            1.0,
            1.0,
            local[s.WHOLE] == 1,
            same,
            work,
        )
        keep_feasible(feasible, s.FEASIBLE_LOCAL, up, down, work)
    out[v.FEASIBLE_UP_LFM], out[v.FEASIBLE_DN_LFM] = up, down
    observe_tiers(p, work, v.TIER_UP_LFM, local_open, out)
    out[v.CONTENT_MWH] = content
    out[v.EV_WANTED_MWH], out[v.EV_MUST_MW], out[v.EV_PLUGGED_MW] = state[s.WANTED_MWH], state[s.MUST_MW], state[s.PLUGGED_MW]
    out[v.LOAD_OWED_MWH], out[v.LOAD_RESTING_MTU] = state[s.OWED_MWH], state[s.RESTING]
    out[v.LOAD_STARTS_LEFT] = p[s.PER_DAY] - state[s.STARTED]
    out[v.CONSENT_NOW_UP], out[v.CONSENT_NOW_DN] = state[s.CONSENT_NOW], state[s.CONSENT_NOW + 1]
    observe_book(p, ring, out, work)
    hour, near = tick // MTU_PER_HOUR, min(hours_told, s.WINDOW // MTU_PER_HOUR)
    for k in range(1, near):
        out[v.BOOK + 12 + k] = ahead(ring, s.BATTERY, s.SCHEDULED, slot_of((hour + k) * MTU_PER_HOUR, tick))
    for k in range(max(near, 1), hours_told):
        out[v.BOOK + 12 + k] = hour_cell(ring, s.PLAN_BATTERY, hour + k)


@law
def observe_tiers(p: Any, work: Any, first: int, is_open: bool, out: Any) -> None:
    """Fill what is feasible by asset, cheapest first: three columns up, three down."""
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        out[first + rank] = work[s.ROOM + 2 * kind] if is_open else 0.0
        out[first + s.KINDS_W + rank] = work[s.ROOM + 2 * kind + 1] if is_open else 0.0


@law
def observe_constants(p: Any, out: Any) -> None:
    """Fill what does not change during an episode."""
    for rank in range(s.KINDS_W):
        kind = int(p[s.ORDER + rank])
        up, down = p[s.LOAD_COST], 0.0
        if kind == s.BATTERY:
            up, down = p[s.WEAR], p[s.TARIFF]
        elif kind == s.FLEET:
            up, down = p[s.DELAY], p[s.DELAY]
        out[v.TIER_KIND + rank], out[v.TIER_COST_UP + rank], out[v.TIER_COST_DN + rank] = kind, up, down
    out[v.COST_UP], out[v.COST_DN] = out[v.TIER_COST_UP], out[v.TIER_COST_DN]
    out[v.CAPACITY_MWH], out[v.RATED_MW] = p[s.CAPACITY_MWH], p[s.RATED_MW]
    out[v.ROUND_TRIP_FRAC] = p[s.CHARGE_FRAC] * p[s.DISCHARGE_FRAC]
    out[v.FLEET_RATED_MW], out[v.LOAD_FLEXIBLE_FRAC] = p[s.FLEET_MW], p[s.FLEX_FRAC]
    out[v.CONNECTION_MW] = p[s.CONNECTION_MW]


@law
def observe_book(p: Any, ring: Any, out: Any, work: Any) -> None:
    """Fill the committed power of the battery and, by hour, what of all assets is known to be sold."""
    for j in range(s.LANES):
        slot = j + s.PAST
        scheduled, total_mw = ahead(ring, s.BATTERY, s.SCHEDULED, slot), p[s.TOTAL_MW]
        sold_local, sold_balancing = known_sale_mw(ring, s.HI_LOCAL, slot), known_sale_mw(ring, s.HI_BALANCING, slot)
        battery = known_mw(ring, s.BATTERY, s.HI_LOCAL, slot) + known_mw(ring, s.BATTERY, s.HI_BALANCING, slot)
        total = sold_local + sold_balancing
        beyond = abs(total) - total_mw + (scheduled if total > 0.0 else -scheduled)
        work[s.SEEN_LOCAL + j], work[s.SEEN_BATTERY + j] = sold_local, scheduled + battery
        work[s.SEEN_DOUBLE + j] = max(0.0, beyond) if total != 0.0 else 0.0
    out[v.BOOK + 12] = ahead(ring, s.BATTERY, s.SCHEDULED, s.PAST)
    for hour in range(s.WINDOW // MTU_PER_HOUR):
        local, passed, double = 0.0, 0.0, 0.0
        for j in range(hour * MTU_PER_HOUR, (hour + 1) * MTU_PER_HOUR):
            out[v.BOOK + j] = work[s.SEEN_BATTERY + j]
            local += work[s.SEEN_LOCAL + j]
            passed += passed_mw(ring, j + s.PAST)
            double += work[s.SEEN_DOUBLE + j]
        out[v.BOOK + 36 + hour] = local / MTU_PER_HOUR
        out[v.BOOK + 39 + hour] = passed / MTU_PER_HOUR
        out[v.BOOK + 42 + hour] = double / MTU_PER_HOUR
