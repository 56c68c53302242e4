"""The clearings of a tick: the books that are due, then what was not bought is passed on."""

from __future__ import annotations

from typing import Any

from .. import columns as c
from .. import flows as f
from .. import state as s
from ..build import law, part
from ..columns import background_column
from ..markets.merit_order import accept, background_alone_mw, shifted_need, sort_offers
from ..observe import is_due
from ..state import slot_of
from ..units import MTU_H, MTU_PER_HOUR, POWER_EPSILON_MW
from .again import forward_early
from .awarding import award
from .early import clear_day, day_gate_due
from .eligibility import strike_out
from .forwarding import fit_offers, forward_unsold
from .grid import buy_within_limits, count_violations
from .local_need import told_margin_mw
from .matching import match_book
from .offers import beyond_mw, book_sales, gather_local, gather_offers
from .procurement import procure_jointly
from .reselling import resell


@law
def clearings(
    gates: Any, products: Any, curves: Any, rules: Any, areas: Any, params: Any, series: Any, local: Any, local_hourly: Any,
    scalars: Any, draws: Any, day: Any, length: int, fleets: Any, loads: Any, state: Any, ring: Any, early: Any, world: Any,
    prices: Any, offers: Any, spare: Any, before: Any, bids: Any, nodes: Any, pieces: Any, links: Any, lists: Any, flow: Any,
    result: Any, tick: int, work: Any,
) -> None:  # fmt: skip
    """Clear the books that are due, and pass on what was not bought."""
    priority = draws[:, 1]
    for g in range(gates.shape[0]):
        kind = gates[g, s.KIND]
        if kind == s.DAY_CLEAR and day_gate_due(gates[g], day, tick, length):
            clear_day(gates[g], tick, day, curves[c.LFM], areas, local, local_hourly, scalars[c.BACKGROUND_PRIORITY],
                      priority, params, ring, early, world, prices, offers, spare, flow, result, work)  # fmt: skip
        if kind >= s.AWARD and is_due(gates[g], day, tick, length):
            first, count, market = tick + gates[g, s.LEAD], gates[g, s.COUNT], gates[g, s.MARKET]
            if kind == s.FORWARD:
                forward_unsold(gates[g, s.LEDGER], gates[g, s.TARGET], slot_of(first, tick), count, gates[g, s.KNOWN_MIN],
                               products[market], rules, params, priority, ring, offers, spare, flow, work)  # fmt: skip
            elif kind == s.RESELL:
                resell(tick, first, count, rules, series, params, ring, fleets, loads, flow, work)
            elif kind == s.DAY_FORWARD:
                same_day = gates[g, s.LEAD] < day[c.DAY_LEFT]
                forward_early(gates[g], tick, first, same_day, products[market], rules, params, priority, state, ring, fleets,
                              loads, offers, spare, flow, work)  # fmt: skip
            elif kind == s.AWARD:
                award(gates[g], tick, first, rules, curves[market], areas, local, local_hourly, scalars[c.BACKGROUND_PRIORITY],
                      priority, params, ring, offers, spare, flow)  # fmt: skip
            elif kind == s.JOINT:
                procure_jointly(tick, first, rules, products[market], curves, series[first], areas, local,
                                scalars[c.BACKGROUND_PRIORITY], priority, params, ring, fleets, loads, world, prices, offers,
                                spare, bids, nodes, pieces, links, lists, flow, result)  # fmt: skip
            elif kind == s.MATCH:
                match_book(gates[g], tick, first, rules, curves[market], series[first], areas, local,
                           scalars[c.BACKGROUND_PRIORITY], priority, params, ring, fleets, loads, world, prices, before, offers,
                           spare, nodes, flow, result, work)  # fmt: skip
            elif market == c.LFM:
                clear_local(gates[g], tick, first, rules, curves[market], mean_price(series, first, count), areas, local,
                            local_hourly, scalars[c.BACKGROUND_PRIORITY], priority, params, ring, fleets, loads, world, prices,
                            offers, spare, flow, result, work)  # fmt: skip
            else:
                if rules[s.VERIFIED_LATE] > 0.0:
                    strike_out(rules, products[market], slot_of(first, tick), params, ring, flow)
                clear_balancing(tick, first, rules, curves[market], series[first], areas, local, scalars[c.BACKGROUND_PRIORITY],
                                priority, params, ring, fleets, loads, world, prices, offers, spare, nodes, flow,
                                result)  # fmt: skip


@part
def clear_balancing(
    tick: int, first: int, rules: Any, curve: Any, at: Any, areas: Any, local: Any, background_priority: float, priority: Any,
    params: Any, ring: Any, fleets: Any, loads: Any, world: Any, prices: Any, offers: Any, spare: Any, rooms: Any, flow: Any,
    result: Any,
) -> None:  # fmt: skip
    """Clear the balancing market for one delivery MTU in both directions.

    The merit order is one for all portfolios of the world and the background; accepted MW go to the book of their
    ledger, prices to the world ring. The need is net of what the local markets moved, once that is published, and of what the
    TSO bought from a shared book.
    """
    slot, bought = slot_of(first, tick), 0.0
    moved = world[s.SHIFT_KNOWN + slot] + world[s.MATCHED + slot]
    up, down = shifted_need(at[background_column(0) + c.NEED], at[background_column(1) + c.NEED], moved)
    for d in range(2):
        need, base = up if d == 0 else down, background_column(d)
        cleared = (s.CLEARED_UP if d == 0 else s.CLEARED_DN) + slot
        if need <= POWER_EPSILON_MW:
            world[cleared] = at[base + c.ANCHOR]
            continue
        n = gather_offers(rules, ring, priority, c.MFRR, d, slot, 0, params.shape[0], False, offers)
        price, mine, others = buy_within_limits(
            rules, offers, spare, n, d, need, first, tick, curve, at, background_priority, areas, local, params, ring, prices,
            rooms, flow,
        )  # fmt: skip
        world[cleared] = price
        bought += mine
        result[f.ACCEPTED_MFRR_MWH] += mine * MTU_H
        result[f.BACKGROUND_MFRR_MWH] += others * MTU_H
        result[f.NEED_MFRR_MWH] += need * MTU_H
        result[f.UNSERVED_MFRR_MWH] += max(0.0, need - mine - others) * MTU_H
        book_sales(offers, n, d, tick, first, 1, params, ring, fleets, loads, flow)
    if bought + abs(world[s.MATCHED + slot]) > POWER_EPSILON_MW:
        count_violations(first, tick, areas, local, params, ring, prices, result)


@part
def clear_local(
    gate: Any, tick: int, first: int, rules: Any, curve: Any, da_price: float, areas: Any, local: Any, local_hourly: Any,
    background_priority: float, priority: Any, params: Any, ring: Any, fleets: Any, loads: Any, world: Any, prices: Any,
    offers: Any, spare: Any, flow: Any, result: Any, work: Any,
) -> None:  # fmt: skip
    """Clear every local market for a block or one MTU of it, from leaves to root, in both directions.

    A need is the drawn margin (background load - limit) less what the portfolios below inject beyond their reference
    schedule, and less what was bought further down or before; a bid that was not taken there stays for the markets above. Where
    the DSO runs the market, limits of the TSO are a receiving market (`redispatch`) that needs the owner's consent.

    Args:
        gate: (GATE_W,) of the clearing; tick: now; first: first delivery MTU.
        rules: (RULES_W,); curve: shape of other people's supply; da_price: of the block, EUR/MWh.
        areas: (area, AREAS_W); local: (area, mtu, 2 BACKGROUND_W) series; local_hourly: (area, LOCAL_HOURLY_W, hour) forecasts;
            prices: (area, AREA_W), written.
        others: as in `clear_balancing`.
    """
    count, again = gate[s.COUNT], gate[s.AGAIN] == 1
    slot, energy, total = slot_of(first, tick), count * MTU_H, 0.0
    for a in range(areas.shape[0]):
        at = local[a, first]
        beyond = beyond_mw(areas[a], params, ring, slot, count)
        dearest, shown = 0.0, 0
        for d in range(2):
            sign, base = 1.0 if d == 0 else -1.0, background_column(d)
            bought = prices[a, s.OTHERS + d * s.SLOTS + slot]
            margin = at[base + c.NEED]
            if gate[s.FORECAST] == 1:
                margin = told_margin_mw(sign * local_hourly[a, c.LFM_NEED_NEAR - c.LFM_NEED_FAR, first // MTU_PER_HOUR])
            need = margin - sign * beyond - bought
            volume, reference, anchor, limit = at[base + c.VOLUME], at[base + c.REF], at[base + c.ANCHOR], at[base + c.LIMIT]
            if not again and at[base + c.NEED] > 0.0:  # the published balancing need holds what others would have done
                total -= sign * background_alone_mw(curve, sign, at[base + c.NEED], volume, reference, anchor, limit)
            if need <= POWER_EPSILON_MW:
                continue
            n = gather_local(rules, ring, priority, areas[a], d, slot, offers)
            if gate[s.WHOLE] == 0:
                fit_offers(offers, n, params, ring, slot, d, gate[s.KNOWN_MIN], flow, work)
            sort_offers(offers, spare, n)
            price, mine, others = accept(
                offers, n, curve, sign, need, volume, reference, anchor, limit, background_priority, bought
            )  # fmt: skip
            total += sign * (mine + others)
            if rules[s.NEUTRAL] > 0.0:
                result[f.COUNTER_EUR] -= sign * (mine + others) * energy * (da_price - sign * rules[s.ID_HALF_SPREAD])
            if mine + others > POWER_EPSILON_MW:
                dearest = price if shown == 0 else max(dearest, price)
                shown += 1
            for place in range(slot, slot + count):
                prices[a, s.OTHERS + d * s.SLOTS + place] += others
            result[f.ACCEPTED_LFM_MWH] += mine * energy
            result[f.BACKGROUND_LFM_MWH] += others * energy
            result[f.NEED_LFM_MWH] += (need if gate[s.LAST] == 1 else mine + others) * energy
            if gate[s.LAST] == 1:
                result[f.UNSERVED_LFM_MWH] += max(0.0, need - mine - others) * energy
            book_sales(offers, n, d, tick, first, count, params, ring, fleets, loads, flow)
        if shown > 0 or not again:
            for place in range(slot, slot + count):
                prices[a, place] = dearest
    for place in range(slot, slot + count):
        if rules[s.NEUTRAL] == 0.0:
            world[s.SHIFT + place] = total + (world[s.SHIFT + place] if again else 0.0)


@law
def mean_price(series: Any, first: int, count: int) -> float:
    """Return the mean day-ahead price of a block, EUR/MWh."""
    total = 0.0
    for tau in range(first, first + count):
        total += series[tau, c.DA_PRICE]
    return total / count
