"""Laws of bidding: what a MWh costs, how much may honestly be offered, and how content is kept usable."""

from __future__ import annotations

import numpy as np

from stacking import layout as at
from stacking.units import MTU_H

from .base import BoolArray, FloatArray, PerRow
from .observed import (
    BALANCING_LEAD,
    INTRADAY_LEAD,
    LOCAL_HOUR,
    SCHEDULE,
    SOLD_LOCAL,
    Seen,
    row_sum,
    sold_local_mw,
)

UP, DN = 0, 1
NEXT_HOURS = slice(1, 5)  # hours whose mean price stands for "what I pay when I buy it back"
RECOVERY_H = 1.0  # time in which a single-market strategy steers back to its target content
NEED_MARGIN = 1.5  # local offers cover this multiple of the forecast need
DEADBAND_FRAC = 0.05  # deviation of the content that is not worth a trade


def up_cost(value: FloatArray, committed_mw: FloatArray, offered_mw: FloatArray, seen: Seen) -> FloatArray:
    """Return what one MWh of up-regulation costs at the grid, EUR/MWh, (n,).

    Discharging costs value / eta + wear; charging less costs value * eta - tariff. Which part of the offer only
    reduces charging follows from the committed power; the mean over the offer is exact if all of it is called.
    """
    eta = seen.one_way_frac
    less_charging = np.minimum(np.maximum(-committed_mw, 0.0), offered_mw) / np.maximum(offered_mw, 1e-9)
    return less_charging * (value * eta - seen.tariff) + (1.0 - less_charging) * (value / eta + seen.wear)


def down_worth(value: FloatArray, committed_mw: FloatArray, offered_mw: FloatArray, seen: Seen) -> FloatArray:
    """Return what one MWh of down-regulation is worth at the grid (the most to pay for it), EUR/MWh, (n,)."""
    eta = seen.one_way_frac
    less_discharging = np.minimum(np.maximum(committed_mw, 0.0), offered_mw) / np.maximum(offered_mw, 1e-9)
    return less_discharging * (value / eta + seen.wear) + (1.0 - less_discharging) * (value * eta - seen.tariff)


def replacement_prices(seen: Seen) -> tuple[FloatArray, FloatArray]:
    """Return the cost of an up MWh that is bought back, and the worth of a down MWh that is sold on, EUR/MWh.

    Both at the mean day-ahead price p of the next four hours: (p + tariff) / rt + wear and (p - wear) * rt - tariff.
    """
    price = row_sum(seen.price[:, NEXT_HOURS]) / (NEXT_HOURS.stop - NEXT_HOURS.start)
    round_trip = seen.one_way_frac * seen.one_way_frac
    return (price + seen.tariff) / round_trip + seen.wear, (price - seen.wear) * round_trip - seen.tariff


def day_ahead_min_spread(seen: Seen, margin: PerRow = 0.0) -> FloatArray:
    """Return the spread (sell price - buy price / rt) from which a cycle pays: wear + tariff / rt + margin."""
    return seen.wear + seen.tariff / (seen.one_way_frac * seen.one_way_frac) + margin


def local_prices(seen: Seen, cost: FloatArray, worth: FloatArray, take_frac: PerRow) -> tuple[FloatArray, FloatArray]:
    """Return pay-as-bid prices between own cost and the buyer's forecast willingness to pay (up, down), EUR/MWh.

    up = cost + take * max(0, limit - cost); down = worth - take * max(0, worth - limit), each only where the forecast
    need points that way; elsewhere the price is the cost, so that a bid that is passed on can compete.
    """
    need, limit = seen.need_mw[:, LOCAL_HOUR], seen.limit[:, LOCAL_HOUR]
    up = cost + np.where(need > 0.0, take_frac, 0.0) * np.maximum(0.0, limit - cost)
    down = worth - np.where(need < 0.0, take_frac, 0.0) * np.maximum(0.0, worth - limit)
    return up, down


def share_of(feasible_mw: FloatArray, permitted_mw: FloatArray) -> FloatArray:
    """Return min(1, feasible / permitted), 0 where nothing is feasible."""
    return np.where(feasible_mw > 1e-9, np.minimum(1.0, feasible_mw / np.maximum(permitted_mw, 1e-9)), 0.0)


def honest_balancing_shares(observation: FloatArray, seen: Seen, exposed: BoolArray, sees_sales: BoolArray) -> FloatArray:
    """Return the shares (n, 2: up, down) of the permitted power that can be delivered whatever happens locally.

    Offered = share x permitted, and what is permitted cannot be observed. It equals the feasible power where the gate
    sees own local sales (`sees_sales`) or where there is none to see (not `exposed`). In a blind design it is at most
    rated -+ schedule, so feasible / (rated -+ schedule) keeps the offer feasible; where the design does see the sale,
    this offers too little, never too much.
    """
    local = sold_local_mw(observation, seen.quarter)
    schedule = seen.committed_mw[:, BALANCING_LEAD] - local
    shares = np.empty((len(local), 2))
    for d, sign in ((UP, 1.0), (DN, -1.0)):
        feasible = seen.feasible_mw[:, d]
        blind = np.maximum(feasible, seen.rated_mw - sign * schedule)
        hidden = (exposed[:, d] | (sign * local > 1e-6)) & ~sees_sales
        shares[:, d] = share_of(feasible, np.where(hidden, blind, feasible))
    return shares


def honest_local_shares(observation: FloatArray, seen: Seen, sees_sales: BoolArray) -> FloatArray:
    """Return the shares (n, 2: up, down) of the permitted power of the local block that can be delivered.

    As above; a blind local gate does not see the energy of pending and just called balancing bids, so what is permitted
    is at most feasible + that energy / 1 h, and at most rated -+ schedule of the block. Where a need is forecast, no
    more than NEED_MARGIN times it is offered: what cannot be bought would only stand in the way of other sales.
    """
    # on the full hour the means of this hour are exact, and the local gate sees its own sales
    known = (observation[:, SCHEDULE] + observation[:, SOLD_LOCAL]).astype(np.float64)[:, None]
    called = (seen.committed_mw[:, :4] - known) * MTU_H
    schedule = seen.committed_mw[:, 8:12].min(axis=1), seen.committed_mw[:, 8:12].max(axis=1)
    shares = np.empty((len(called), 2))
    for d, sign, pending in ((UP, 1.0, seen.pending_up_mwh), (DN, -1.0, seen.pending_dn_mwh)):
        feasible = seen.feasible_mw[:, 2 + d]
        hidden = pending / seen.one_way_frac + row_sum(np.maximum(sign * called, 0.0))
        blind = np.minimum(feasible + hidden, np.maximum(feasible, seen.rated_mw - sign * schedule[d]))
        need = sign * seen.need_mw[:, LOCAL_HOUR]
        useful = np.where(need > 0.0, np.minimum(feasible, NEED_MARGIN * need), feasible)
        shares[:, d] = share_of(useful, np.where(sees_sales, feasible, blind))
    return shares


def intraday_share(wanted_mw: FloatArray, seen: Seen, reserve_frac: PerRow = 0.0) -> FloatArray:
    """Return id_power_frac for a wanted trade of t+4 (+ sells), -1..1, (n,).

    Feasible up at t+4 = feasible up at t+3 + committed at t+3 - committed at t+4, down the other way round: what is feasible is
    shown for t+3, and a full trade in it leaves nothing there, which says nothing about the quarter behind it. A share of at
    most 1 - `reserve_frac` is traded; what is left can be offered as balancing energy.
    """
    sells = wanted_mw > 0.0
    freed = seen.committed_mw[:, BALANCING_LEAD] - seen.committed_mw[:, INTRADAY_LEAD]
    feasible = np.where(sells, seen.feasible_mw[:, UP] + freed, seen.feasible_mw[:, DN] - freed)
    share = share_of(np.minimum(np.abs(wanted_mw), np.maximum(feasible, 0.0)), np.maximum(feasible, 0.0))
    return np.where(sells, 1.0, -1.0) * np.minimum(share, 1.0 - reserve_frac)


def towards_target_mw(seen: Seen, target_frac: PerRow) -> FloatArray:
    """Return the intraday trade that steers the content back to a target within RECOVERY_H, MW, + sells, (n,)."""
    gap = seen.path_mwh[:, INTRADAY_LEAD] - target_frac * seen.capacity_mwh
    gap = np.where(np.abs(gap) > DEADBAND_FRAC * seen.capacity_mwh, gap, 0.0)
    return np.where(gap > 0.0, gap * seen.one_way_frac, gap / seen.one_way_frac) / RECOVERY_H


def offer_what_pays(action: FloatArray, seen: Seen) -> None:
    """Cut the offers to the assets whose cost the price covers; a price below the cheapest of them rises to its cost.

    The law of a strategy prices the battery. A MWh that a fleet does not consume is bought back: price p of the next four
    hours + compensation; one that a load gives up costs its compensation. Down, a fleet saves p - compensation.
    """
    price = row_sum(seen.price[:, NEXT_HOURS]) / (NEXT_HOURS.stop - NEXT_HOURS.start)
    battery, fleet = seen.tier_kind == 0.0, seen.tier_kind == 1.0
    for first, feasible in ((at.MFRR_OFFER, 0), (at.LFM_OFFER, 2)):
        for d, sign in ((UP, 1.0), (DN, -1.0)):
            room = seen.tier_mw[:, feasible + d]
            cost = sign * np.where(fleet, price[:, None], 0.0) + seen.tier_cost[:, d]
            cost = np.where(room > 1e-9, np.where(battery, -np.inf, cost), np.inf)
            least = cost.min(axis=1)
            asked = sign * action[:, first + 2 + d]
            asked = np.where(np.isfinite(least), np.maximum(asked, least), asked)
            used = np.where(cost <= asked[:, None], room, 0.0)
            total = row_sum(room)
            action[:, first + d] *= np.where(total > 1e-9, np.minimum(1.0, row_sum(used) / np.maximum(total, 1e-9)), 0.0)
            action[:, first + 2 + d] = sign * asked
