"""What a portfolio sees at the start of a tick, and which decisions are open: filled by the kernel from known data only."""

from __future__ import annotations

from typing import Any

from . import columns as c
from . import layout as v
from . import state as s
from .build import law
from .lookahead import free_power
from .units import MTU_PER_HOUR


@law
def open_columns(gates: Any, rules: Any, day: Any, tick: int, length: int, mask: Any) -> None:
    """Write which action columns are open at a tick: a gate is open if it is due and its whole delivery lies ahead."""
    for k in range(mask.shape[0]):
        mask[k] = False
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
            if gates[g, s.LEDGER] == c.LFM and rules[s.HAS_FORWARD] > 0.0 and rules[s.NEEDS_CONSENT] > 0.0:
                mask[v.CONSENT] = True


@law
def is_due(gate: Any, day: Any, tick: int, length: int) -> bool:
    """Return whether a gate acts at this tick: every tick or when its block starts an hour, for delivery inside the episode."""
    lead, count = gate[s.LEAD], gate[s.COUNT]
    if tick + lead < 0 or tick + lead + count > length:
        return False
    return gate[s.ALIGNED] == 0 or (day[c.QUARTER] + lead) % MTU_PER_HOUR == 0


@law
def observe_world(series: Any, scalars: Any, recent: Any, rules_seen: Any, tick: int, length: int, out: Any) -> None:
    """Fill the columns that all portfolios of a world share and that may change every tick."""
    now = min(tick, length - 1)
    at = series[now]
    out[v.TIME], out[v.TIME + 1] = at[c.HOUR_SIN], at[c.HOUR_COS]
    out[v.TIME + 2], out[v.TIME + 3] = at[c.YEAR_SIN], at[c.YEAR_COS]
    out[v.TIME + 4], out[v.TIME + 5] = at[c.WEEKEND], (length - tick) / length
    for k in range(3 * s.RECENT_MTU):
        out[v.BALANCING + k] = recent[k]
    out[v.BALANCING + 12] = series[min(tick + 3, length - 1), c.NEED_FORECAST]
    out[v.LOCAL + 2 * c.LFM_FORECAST_HOURS] = recent[s.RECENT_LFM_PRICE]
    for k in range(1, 8):
        out[v.RULES + k] = rules_seen[k]
    out[v.TERMINAL_PRICE_FORECAST] = scalars[c.TERMINAL_FORECAST]
    out[v.HOURS_TO_END] = (length - tick) / MTU_PER_HOUR


@law
def observe_hours(hourly: Any, day: Any, hour: int, out: Any) -> None:
    """Fill the hourly forecasts; they change on full hours only.

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
    for k in range(c.LFM_FORECAST_HOURS):
        near = k < c.LFM_NEAR_HOURS
        out[v.LOCAL + k] = hourly[c.LFM_NEED_NEAR if near else c.LFM_NEED_FAR, hour + k]
        out[v.LOCAL + c.LFM_FORECAST_HOURS + k] = hourly[c.LFM_LIMIT_NEAR if near else c.LFM_LIMIT_FAR, hour + k]


@law
def observe_portfolio(
    params: Any,
    state: Any,
    book: Any,
    sums: Any,
    plan: Any,
    mfrr: Any,
    local: Any,
    local_open: bool,
    whole_day: bool,
    tick: int,
    out: Any,
) -> None:
    """Fill the columns of one portfolio: assets, commitments as known to it, consent."""
    capacity = params[s.CAPACITY_MWH]
    content = state[s.CONTENT]
    up, down, low, high = free_power(
        params, content, book, sums, plan, tick, mfrr[s.LEAD], mfrr[s.COUNT], s.ALL_LEDGERS, s.ALL_LEDGERS
    )
    out[v.STORED_FRAC], out[v.MIN_CONTENT_FRAC], out[v.MAX_CONTENT_FRAC] = (
        content / capacity,
        low / capacity,
        high / capacity,
    )
    state[s.STALE] = 0.0
    state[s.FREE_BALANCING], state[s.FREE_BALANCING + 1] = up, down
    out[v.FEASIBLE_UP_MFRR], out[v.FEASIBLE_DN_MFRR] = up, down
    up, down = 0.0, 0.0
    if local_open:
        up, down, low, high = free_power(
            params, content, book, sums, plan, tick, local[s.LEAD], local[s.COUNT], s.ALL_LEDGERS, s.ALL_LEDGERS
        )
    state[s.FREE_LOCAL], state[s.FREE_LOCAL + 1] = up, down
    out[v.FEASIBLE_UP_LFM], out[v.FEASIBLE_DN_LFM] = up, down
    out[v.COST_UP], out[v.COST_DN] = params[s.WEAR], params[s.TARIFF]
    out[v.CAPACITY_MWH], out[v.RATED_MW] = capacity, params[s.RATED_MW]
    out[v.ROUND_TRIP_FRAC] = params[s.CHARGE_FRAC] * params[s.DISCHARGE_FRAC]
    out[v.CONTENT_MWH] = content
    out[v.RULE_CONSENT] = state[s.CONSENT_NOW]
    observe_book(params, sums, plan, tick, out)
    out[v.BOOK + 12] = plan[tick % s.PLAN_SLOTS]
    hours = 24 if whole_day else 2  # beyond the next full hour the schedule changes at day-ahead gates only
    place = (tick - tick % MTU_PER_HOUR) % s.PLAN_SLOTS
    for k in range(1, hours):
        place = place + MTU_PER_HOUR if place + MTU_PER_HOUR < s.PLAN_SLOTS else place + MTU_PER_HOUR - s.PLAN_SLOTS
        out[v.BOOK + 12 + k] = plan[place]


@law
def observe_book(params: Any, sums: Any, plan: Any, tick: int, out: Any) -> None:
    """Fill committed power and, by hour, what is known to be sold."""
    slot, place = tick % s.BOOK_SLOTS, tick % s.PLAN_SLOTS
    for hour in range(3):
        local, passed, double = 0.0, 0.0, 0.0
        for j in range(hour * MTU_PER_HOUR, (hour + 1) * MTU_PER_HOUR):
            position, total = plan[place], sums[s.NET, slot]
            out[v.BOOK + j] = position + total
            local += sums[s.NET_LOCAL, slot]
            passed += sums[s.NET_PASSED, slot]
            double += max(0.0, abs(total) - params[s.RATED_MW] + (position if total > 0.0 else -position))
            slot = slot + 1 if slot + 1 < s.BOOK_SLOTS else 0
            place = place + 1 if place + 1 < s.PLAN_SLOTS else 0
        out[v.BOOK + 36 + hour] = local / MTU_PER_HOUR
        out[v.BOOK + 39 + hour] = passed / MTU_PER_HOUR
        out[v.BOOK + 42 + hour] = double / MTU_PER_HOUR
