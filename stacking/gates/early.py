"""A local gate on the day before, ahead of the day-ahead market: all hours of the next day are offered and bought at once.

Stands for EACL-HU-01/02 of OneNet: offers until 06:00, result at 07:00, so that the day plan of noon knows what is sold; what
is not sold is free for the day plan, and goes to the balancing market as far as it is still there. The battery alone is offered:
cars and loads are not known so far ahead. One bid per direction stands for every hour, called in so many hours of a day at most.
"""

from __future__ import annotations

from typing import Any

from .. import codes
from .. import columns as c
from .. import flows as f
from .. import layout as v
from .. import state as s
from ..assets.battery import content_span_mwh, renew_reach
from ..build import law, part
from ..columns import background_column
from ..lookahead import set_ahead, set_cell
from ..markets.day_ahead import hour_column, set_plan
from ..markets.merit_order import (
    OFFER_ACCEPTED,
    OFFER_KEY,
    OFFER_LEDGER,
    OFFER_MW,
    OFFER_PRIORITY,
    OFFER_ROW,
    accept,
    background_alone_mw,
    sort_offers,
)
from ..state import column, early_cell, early_sold_mw, hour_cell, set_consent, set_early
from ..units import MTU_PER_HOUR, POWER_EPSILON_MW
from .local_need import told_margin_mw
from .quantity import tradable_mw


@law
def day_gate_due(gate: Any, day: Any, tick: int, length: int) -> bool:
    """Return whether the gate of the day before closes at a tick, for a next day that lies inside the episode."""
    at_hour = day[c.HOUR_OF_DAY] == gate[s.LEAD] and day[c.QUARTER] == 0
    return at_hour and tick + day[c.NEXT_DAY_HOURS] * MTU_PER_HOUR <= length


@law
def day_room_mw(
    p: Any, state: Any, ring: Any, fleet: Any, load: Any, tick: int, day: Any, most_hours: int
) -> tuple[float, float]:
    """Return what the battery can promise for so many hours of the next day, MW up and down, whatever is called until then."""
    first, last = tick + day[c.DAY_LEFT], tick + day[c.NEXT_DAY_HOURS] * MTU_PER_HOUR
    low, high = content_span_mwh(p, state, ring, tick, first)
    mtu, up, down = 1.0 * most_hours * MTU_PER_HOUR, p[s.RATED_MW], p[s.RATED_MW]
    if up <= 0.0:
        return 0.0, 0.0
    for hour in range(first // MTU_PER_HOUR, last // MTU_PER_HOUR):
        consumption = fleet[hour, c.AT_ONCE] if p[s.FLEET_ROW] >= 0.0 else 0.0
        consumption += load[hour] if p[s.LOAD_ROW] >= 0.0 else 0.0
        down = min(down, p[s.CONNECTION_MW] - consumption)
    up, down = min(up, (low - p[s.MIN_MWH]) / (mtu * p[s.OUT])), min(down, (p[s.MAX_MWH] - high) / (mtu * p[s.INTO]))
    return max(0.0, up), max(0.0, down)


@part
def take_day_offer(
    gate: Any, product: Any, rules: Any, p: Any, action: Any, state: Any, ring: Any, early: Any, fleet: Any, load: Any,
    flow: Any, tick: int, day: Any,
) -> None:  # fmt: skip
    """Close the gate of the day before for one portfolio: share x what it can promise, at one price, for every hour."""
    first, last = (tick + day[c.DAY_LEFT]) // MTU_PER_HOUR, tick // MTU_PER_HOUR + day[c.NEXT_DAY_HOURS]
    room = day_room_mw(p, state, ring, fleet, load, tick, day, gate[s.COUNT])
    for d in range(2):
        given = rules[s.NEEDS_CONSENT] == 0.0 or action[v.CONSENT_UP + d] >= 0.5
        state[s.CONSENT_NOW + d] = 1.0 if given and rules[s.HAS_FORWARD] > 0.0 else 0.0
        wanted, price = action[v.LFM_SHARE_UP + d] * (room[0] if d == 0 else room[1]), action[v.LFM_PRICE_UP + d]
        quantity, energy = 0.0, wanted * (last - first)
        if wanted > POWER_EPSILON_MW and product[s.UP_OPEN + d] > 0.0:
            quantity = tradable_mw(product, wanted)
            if price < product[s.PRICE_FLOOR] or price > product[s.PRICE_CAP]:
                quantity = 0.0
                flow[f.REFUSED + codes.PRICE_LIMIT] += energy
            elif quantity == 0.0:
                flow[f.REFUSED + codes.BELOW_MINIMUM] += energy
            else:
                flow[f.REFUSED + codes.GRANULARITY_REST] += max(0.0, wanted - quantity) * (last - first)
                flow[f.OFFERED_LFM] += quantity * (last - first)
        for hour in range(first, last):
            set_early(early, s.EARLY_OFFERED + d, hour, quantity)
            set_early(early, s.EARLY_PRICE + d, hour, price)
            set_early(early, s.EARLY_SOLD + d, hour, 0.0)
            set_early(early, s.EARLY_CONSENT + d, hour, state[s.CONSENT_NOW + d])
            set_early(early, s.EARLY_HOUR, hour, 1.0 * hour)


@part
def clear_day(
    gate: Any, tick: int, day: Any, curve: Any, areas: Any, local: Any, local_hourly: Any, background_priority: float,
    priority: Any, params: Any, ring: Any, early: Any, world: Any, prices: Any, offers: Any, spare: Any, flow: Any, result: Any,
    work: Any,
) -> None:  # fmt: skip
    """Clear the local markets of the next day, from leaves to root: the hours with the largest forecast need first.

    The DSO buys on its forecast, once. What is sold becomes part of the battery's schedule of physics, so that everything later
    keeps its energy; the position that is traded day-ahead does not hold it. Args: as in `stacking.gates.clearing.clear_local`.
    """
    first, last = (tick + day[c.DAY_LEFT]) // MTU_PER_HOUR, tick // MTU_PER_HOUR + day[c.NEXT_DAY_HOURS]
    for hour in range(first, last):
        world[s.EARLY_SHIFT + hour % s.PLAN_HOURS] = 0.0
    for a in range(areas.shape[0]):
        dearest = 0.0
        for d in range(2):
            sign, base = 1.0 if d == 0 else -1.0, background_column(d)
            for hour in range(first, last):
                at = local[a, hour * MTU_PER_HOUR]
                if at[base + c.NEED] > 0.0:  # the published balancing need holds what others would have done
                    alone = background_alone_mw(curve, sign, at[base + c.NEED], at[base + c.VOLUME], at[base + c.REF],
                                                at[base + c.ANCHOR], at[base + c.LIMIT])  # fmt: skip
                    world[s.EARLY_SHIFT + hour % s.PLAN_HOURS] -= sign * alone
                forecast = local_hourly[a, c.LFM_NEED_FAR - c.LFM_NEED_FAR, hour]
                beyond = 0.0
                for row in range(areas[a, s.FIRST_ROW], areas[a, s.LAST_ROW]):
                    beyond += early_sold_mw(early[row], hour)
                work[hour_column(hour - first, s.HOUR_PRICE)] = told_margin_mw(sign * forecast) - sign * beyond
                prices[a, s.EARLY_OTHERS + d * s.PLAN_HOURS + hour % s.PLAN_HOURS] = 0.0
            for _ in range(first, last):
                k = tightest_hour(work, last - first)
                need, hour = work[hour_column(k, s.HOUR_PRICE)], first + k
                if need <= POWER_EPSILON_MW:
                    break
                work[hour_column(k, s.HOUR_PRICE)] = 0.0
                n = list_day_offers(
                    early, priority, d, hour, first, last, gate[s.COUNT], areas[a, s.FIRST_ROW], areas[a, s.LAST_ROW], offers
                )
                sort_offers(offers, spare, n)
                at = local[a, hour * MTU_PER_HOUR]
                price, mine, others = accept(offers, n, curve, sign, need, at[base + c.VOLUME], at[base + c.REF],
                                             at[base + c.ANCHOR], at[base + c.LIMIT], background_priority, 0.0)  # fmt: skip
                dearest = max(dearest, price) if mine + others > POWER_EPSILON_MW else dearest
                for i in range(n):
                    row, sold = int(offers[i, OFFER_ROW]), s.EARLY_SOLD + d
                    set_early(early[row], sold, hour, early_cell(early[row], sold, hour) + offers[i, OFFER_ACCEPTED])
                prices[a, s.EARLY_OTHERS + d * s.PLAN_HOURS + hour % s.PLAN_HOURS] = others
                world[s.EARLY_SHIFT + hour % s.PLAN_HOURS] += sign * (mine + others)
                result[f.ACCEPTED_LFM_MWH] += mine
                result[f.BACKGROUND_LFM_MWH] += others
                result[f.NEED_LFM_MWH] += need
                result[f.UNSERVED_LFM_MWH] += max(0.0, need - mine - others)
        prices[a, s.AREA_RECENT] = dearest
    for row in range(params.shape[0]):
        for hour in range(first, last):
            set_plan(ring[row], s.PLAN_BATTERY, hour, early_sold_mw(early[row], hour))
        renew_reach(params[row], ring[row], tick // MTU_PER_HOUR, last - 1)


@law
def tightest_hour(work: Any, n: int) -> int:
    """Return the hour of the scratch table with the largest need."""
    best = 0
    for k in range(1, n):
        if work[hour_column(k, s.HOUR_PRICE)] > work[hour_column(best, s.HOUR_PRICE)]:
            best = k
    return best


@law
def list_day_offers(
    early: Any, priority: Any, direction: int, hour: int, first: int, last: int, most_hours: int, first_row: int, last_row: int,
    offers: Any,
) -> int:  # fmt: skip
    """List what is left of the offers for one hour of those who were not yet sold in as many hours as they may be."""
    n, sign = 0, 1.0 if direction == 0 else -1.0
    for row in range(first_row, last_row):
        left = early_cell(early[row], s.EARLY_OFFERED + direction, hour) - early_cell(early[row], s.EARLY_SOLD + direction, hour)
        if left <= POWER_EPSILON_MW or early_cell(early[row], s.EARLY_SOLD + 1 - direction, hour) > POWER_EPSILON_MW:
            continue
        called = 0
        for other in range(first, last):
            if other != hour and early_cell(early[row], s.EARLY_SOLD + direction, other) > POWER_EPSILON_MW:
                called += 1
        if called < most_hours:
            offers[n, OFFER_KEY] = sign * early_cell(early[row], s.EARLY_PRICE + direction, hour)
            offers[n, OFFER_PRIORITY], offers[n, OFFER_MW], offers[n, OFFER_ROW] = priority[row], left, row
            offers[n, OFFER_LEDGER], offers[n, OFFER_ACCEPTED] = c.LFM, 0.0
            n += 1
    return n


@law
def bring_day(ring: Any, early: Any, tau: int, slot: int) -> None:
    """Let offers and sales of the day before enter the book with their MTU; the schedule is what was planned beside them."""
    hour = tau // MTU_PER_HOUR
    sold = early_sold_mw(early, hour)
    set_ahead(ring, s.BATTERY, s.SCHEDULED, slot, hour_cell(ring, s.PLAN_BATTERY, hour) - sold)
    for d in range(2):
        for field, source in ((s.OFFERED, s.EARLY_OFFERED), (s.PRICE, s.EARLY_PRICE), (s.SOLD, s.EARLY_SOLD)):
            set_cell(ring, slot, column(c.LFM, field, d), early_cell(early, source + d, hour))
        set_consent(ring, slot, d, early_cell(early, s.EARLY_CONSENT + d, hour) > 0.0)
    hold_sold(ring, slot, sold)


@law
def hold_sold(ring: Any, slot: int, sold_mw: float) -> None:
    """Let the battery hold ready locally what is sold and nothing else."""
    set_ahead(ring, s.BATTERY, s.HI_LOCAL, slot, sold_mw)
    set_ahead(ring, s.BATTERY, s.LO_LOCAL, slot, sold_mw)


@law
def bring_shift(world: Any, prices: Any, tau: int) -> None:
    """Let what the local markets of the day before moved enter the world's window with their MTU; it has been published."""
    place, last = tau // MTU_PER_HOUR % s.PLAN_HOURS, s.SLOTS - 1
    world[s.SHIFT + last] = world[s.SHIFT_KNOWN + last] = world[s.EARLY_SHIFT + place]
    for a in range(prices.shape[0]):
        for d in range(2):
            prices[a, s.OTHERS + d * s.SLOTS + last] = prices[a, s.EARLY_OTHERS + d * s.PLAN_HOURS + place]


@law
def is_over(early: Any, hour: int) -> bool:
    """Return whether the cells of an hour that has passed may be emptied: not if they hold an hour of the next day already."""
    return early.shape[0] == 0 or early_cell(early, s.EARLY_HOUR, hour) <= hour


@law
def forget_early(early: Any, hour: int) -> None:
    """Empty the cells of an hour."""
    for field in range(s.EARLY_FIELDS):
        set_early(early, field, hour, 0.0)
