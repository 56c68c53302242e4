"""The law of a portfolio in all markets: day-ahead plan, local offer, balancing offer, intraday repair.

`rebid`, `overbook` and `stacked` are this law with different terms, so that a difference between their results is a
difference between the terms and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stacking import layout as at
from stacking.units import MTU_H, MTU_PER_HOUR

from .base import BoolArray, FloatArray, IntArray, PerRow, closed_action, finish, keep_word
from .observed import BALANCING_LEAD, INTRADAY_LEAD, LOCAL_HOUR, LOCAL_LEAD, Seen, look, row_sum
from .offers import (
    day_ahead_min_spread,
    down_worth,
    honest_balancing_shares,
    honest_local_shares,
    intraday_share,
    local_prices,
    offer_what_pays,
    up_cost,
)
from .value import CELLS, CURVES, content_value, content_worth_more_than, value_at

END_CONTENT_FRAC = 0.5  # content at the end of a planned day: room for both directions
LEAST_NEED_MW = 1e-6  # below it there is no need
PENDING_WEIGHT_FRAC = 0.5  # share of the pending offers that is expected to be called when content is valued


@dataclass(frozen=True)
class Terms:
    """What distinguishes the strategies that follow this law; a number holds for all rows, or there is one per row, (n,)."""

    da_volume_frac: PerRow  # share of the rated power planned day-ahead
    lfm_take_frac: PerRow  # share of (willingness to pay - cost) asked in the pay-as-bid market
    lfm_need_mw: PerRow  # forecast need from which power is offered locally
    mfrr_markup: PerRow  # EUR/MWh on top of the cost in the marginal market
    id_sell_margin: PerRow  # EUR/MWh that an intraday sale has to gain over day-ahead
    id_buy_margin: PerRow  # and an intraday purchase
    id_reserve_frac: PerRow  # share of the feasible power that an intraday trade leaves free
    premium_weight_frac: PerRow = 0.0  # weight of the recent balancing premium in the opportunity cost
    honest: bool = True  # offer only what can be delivered whatever the other market buys
    consent: bool = False


@dataclass(frozen=True)
class StackState:
    """What the law remembers: the value curves of this hour, and own local offers that may still be called."""

    hour: FloatArray  # (n,) full hours to the end for which the curves hold, -1 at first
    curves: FloatArray  # (n, CURVES, CELLS)
    start_mwh: FloatArray  # (n,) content at the first decision
    exposed_until: FloatArray  # (n, 2) hours to the end at which the last local offer up/down is over; inf if none
    coordinated: BoolArray  # (n,) the design shares local bids
    sells_locally: BoolArray  # (n,) there is a local gate


def start(n: int) -> StackState:
    """Return the state of n rows before their first decision."""
    none = np.zeros(n, bool)
    return StackState(np.full(n, -1.0), np.zeros((n, CURVES, CELLS)), np.zeros(n), np.full((n, 2), np.inf), none, none)


def decide(observation: FloatArray, mask: BoolArray, state: StackState, terms: Terms) -> tuple[FloatArray, StackState]:
    """Decide one tick for n rows; returns the action and the next state."""
    seen = look(observation)
    hour, curves, start_mwh = renew(seen, state, terms)
    coordinated = state.coordinated | mask[:, at.CONSENT_UP]
    sells_locally = state.sells_locally | mask[:, at.LFM_SHARE_UP]  # the first tick has a local gate if there is any
    sees_sales = observation[:, at.RULE_SEES_SALES] > 0.5
    exposed = seen.hours_to_end[:, None] > state.exposed_until
    action = closed_action(len(observation))
    action[:, at.DA_VOLUME_FRAC] = terms.da_volume_frac
    action[:, at.DA_MIN_SPREAD] = day_ahead_min_spread(seen)
    action[:, at.DA_END_CONTENT_FRAC] = END_CONTENT_FRAC
    action[:, at.ID_POWER_FRAC] = trade_intraday(seen, curves, terms)
    if mask[:, at.LFM_OFFER : at.LFM_OFFER + 4].any():  # one tick in four
        offer_locally(action, observation, seen, curves[:, 2], coordinated, sees_sales, terms)
        local = slice(at.LFM_OFFER, at.LFM_OFFER + 4)
        action[:, local] *= mask[:, local]  # rows whose local gate is closed offer nothing, as they would alone
    offer_balancing(action, observation, seen, curves, exposed, sees_sales, terms)
    kept = kept_for_local(seen, terms.lfm_need_mw) & sells_locally[:, None]
    action[:, at.MFRR_SHARE_UP : at.MFRR_SHARE_DN + 1] *= ~kept
    offer_what_pays(action, seen)
    if terms.consent:
        action[:, at.CONSENTS] = keep_word(observation, mask, worth_consent(seen, terms.lfm_need_mw))
    action = finish(action, mask)
    offered = action[:, at.LFM_SHARE_UP : at.LFM_SHARE_DN + 1] > 0.0
    block_end = seen.hours_to_end[:, None] - (LOCAL_LEAD + MTU_PER_HOUR) * MTU_H
    exposed_until = np.where(offered, block_end, state.exposed_until)
    return action, StackState(hour, curves, start_mwh, exposed_until, coordinated, sells_locally)


def trade_intraday(seen: Seen, curves: FloatArray, terms: Terms, shift: float = 0.0) -> FloatArray:
    """Return id_power_frac, (n,), at prices of t+4 that are `shift` EUR/MWh higher: it sells more then, and buys less."""
    wanted_mw = repair_mw(seen, curves[:, 1], terms.id_sell_margin - shift, terms.id_buy_margin + shift)
    return intraday_share(wanted_mw, seen, terms.id_reserve_frac)


def alternatives(observation: FloatArray, mask: BoolArray, state: StackState, terms: Terms, shift: float) -> FloatArray:
    """Return what `decide` would have decided at intraday prices lower and higher by `shift`, (n, 2, ACTIONS_W), NaN elsewhere.

    Args:
        observation, mask: of the tick that was decided.
        state: as it was returned then.
        terms: likewise.
        shift: EUR/MWh.
    """
    seen, out = look(observation), np.full((len(observation), 2, at.ACTIONS_W), np.nan)
    for k, sign in enumerate((-1.0, 1.0)):
        traded = trade_intraday(seen, state.curves, terms, sign * shift)
        out[:, k, at.ID_POWER_FRAC] = np.where(mask[:, at.ID_POWER_FRAC], traded, 0.0)
    return out


def renew(seen: Seen, state: StackState, terms: Terms) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return hour, value curves and start content, recomputed for the rows in which a new hour began."""
    hour = np.ceil(seen.hours_to_end)
    new = hour != state.hour
    if not new.any():
        return state.hour, state.curves, state.start_mwh
    start_mwh = np.where(state.hour < 0.0, seen.content_mwh, state.start_mwh)
    fresh = content_value(seen, start_mwh, terms.lfm_take_frac)
    return hour, np.where(new[:, None, None], fresh, state.curves), start_mwh


def expected_content(seen: Seen, mtu: int | IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the content at which up and down energy of an MTU is valued: committed path, some pending called."""
    path = seen.path_mwh[np.arange(len(seen.content_mwh)), mtu]
    return path - PENDING_WEIGHT_FRAC * seen.pending_up_mwh, path + PENDING_WEIGHT_FRAC * seen.pending_dn_mwh


def opportunity(
    seen: Seen, curve: FloatArray, mtu: int, feasible_mw: FloatArray, committed_mw: FloatArray, duration_h: float
) -> tuple[FloatArray, FloatArray]:
    """Return what an up MWh costs and a down MWh is worth, valued in the middle of the offered energy, EUR/MWh."""
    up_mwh, down_mwh = expected_content(seen, mtu)
    feasible_mw = np.minimum(feasible_mw, seen.rated_mw[:, None] * 2.0)  # what cars and loads add does not come from the store
    half = 0.5 * duration_h
    up_value = value_at(curve, up_mwh - half * feasible_mw[:, 0] / seen.one_way_frac, seen.capacity_mwh)
    down_value = value_at(curve, down_mwh + half * feasible_mw[:, 1] * seen.one_way_frac, seen.capacity_mwh)
    cost = up_cost(up_value, committed_mw, feasible_mw[:, 0], seen)
    return cost, down_worth(down_value, committed_mw, feasible_mw[:, 1], seen)


def premium(observation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean premium of the last published balancing prices over day-ahead, up and down, EUR/MWh >= 0."""
    recent = observation[:, at.BALANCING : at.BALANCING + 12].astype(np.float64).reshape(-1, 4, 3)
    day_ahead = observation[:, at.DA].astype(np.float64)[:, None]
    up = row_sum(np.maximum(recent[:, :, 1] - day_ahead, 0.0)) / 4.0
    return up, row_sum(np.maximum(day_ahead - recent[:, :, 2], 0.0)) / 4.0


def offer_locally(
    action: FloatArray,
    observation: FloatArray,
    seen: Seen,
    curve: FloatArray,
    coordinated: BoolArray,
    sees_sales: BoolArray,
    terms: Terms,
) -> None:
    """Write the local offer of the block t+8..t+11 in the direction of a forecast need (both at a threshold of 0)."""
    block = slice(LOCAL_LEAD, LOCAL_LEAD + MTU_PER_HOUR)
    feasible, committed = seen.feasible_mw[:, 2:4], row_sum(seen.committed_mw[:, block]) / MTU_PER_HOUR
    cost, worth = opportunity(seen, curve, LOCAL_LEAD, feasible, committed, 1.0)
    premium_up, premium_dn = premium(observation)
    # an unsold bid that is passed on competes at this price in the balancing market, so it carries the same mark-up
    extra = np.where(coordinated & terms.consent, terms.mfrr_markup, 0.0)
    cost = cost + terms.premium_weight_frac * premium_up + extra
    worth = worth - terms.premium_weight_frac * premium_dn - extra
    price_up, price_dn = local_prices(seen, cost, worth, terms.lfm_take_frac)
    need = seen.need_mw[:, LOCAL_HOUR]
    shares = honest_local_shares(observation, seen, sees_sales) if terms.honest else np.ones((len(need), 2))
    action[:, at.LFM_SHARE_UP] = np.where(need >= terms.lfm_need_mw, shares[:, 0], 0.0)
    action[:, at.LFM_SHARE_DN] = np.where(-need >= terms.lfm_need_mw, shares[:, 1], 0.0)
    action[:, at.LFM_PRICE_UP], action[:, at.LFM_PRICE_DN] = price_up, price_dn


def offer_balancing(
    action: FloatArray,
    observation: FloatArray,
    seen: Seen,
    curves: FloatArray,
    exposed: BoolArray,
    sees_sales: BoolArray,
    terms: Terms,
) -> None:
    """Write the balancing offer of MTU t+3: what the local market left, at opportunity cost plus a mark-up.

    The mark-up stands for what the value of content leaves out: later, dearer calls of the same energy, and the risk
    that it cannot be bought back at the day-ahead price.
    """
    # t+3 lies in hour 0 or 1; its energy is valued at the end of that hour
    curve = np.where((seen.quarter + BALANCING_LEAD < MTU_PER_HOUR)[:, None], curves[:, 0], curves[:, 1])
    feasible, committed = seen.feasible_mw[:, 0:2], seen.committed_mw[:, BALANCING_LEAD]
    cost, worth = opportunity(seen, curve, BALANCING_LEAD, feasible, committed, MTU_H)
    premium_up, premium_dn = premium(observation)
    shares = np.ones((len(cost), 2))
    if terms.honest:
        shares = honest_balancing_shares(observation, seen, exposed, sees_sales)
        # energy that is offered locally in this very tick is not in the observation yet
        shares[(action[:, at.LFM_SHARE_UP : at.LFM_SHARE_DN + 1] > 0.0) & ~sees_sales[:, None]] = 0.0
    action[:, at.MFRR_SHARE_UP : at.MFRR_SHARE_DN + 1] = shares
    action[:, at.MFRR_PRICE_UP] = cost + terms.mfrr_markup + terms.premium_weight_frac * premium_up
    action[:, at.MFRR_PRICE_DN] = worth - terms.mfrr_markup - terms.premium_weight_frac * premium_dn


def worth_consent(seen: Seen, threshold_mw: PerRow) -> BoolArray:
    """Return whether unsold local power is better passed on than kept, (n, 1): the same answer for both directions.

    A bid that was passed on holds its energy until its delivery, two hours ahead, so it is kept back while a local need
    is forecast for the two hours after the block: the DSO pays more than the TSO.
    """
    following = np.abs(seen.need_mw[:, LOCAL_HOUR + 1 : LOCAL_HOUR + 3])
    return np.max(following, axis=1, keepdims=True) < np.reshape(np.maximum(threshold_mw, LEAST_NEED_MW), (-1, 1))


def kept_for_local(seen: Seen, threshold_mw: PerRow) -> BoolArray:
    """Return the directions (n, 2: up, down) in which power is kept for the next local gate.

    A balancing offer made in the last three MTU before the gate is still pending, or just called, when it closes. With
    none there, what is permitted locally is what is feasible under every design, so the whole of it can be offered.
    """
    need, soon = seen.need_mw[:, LOCAL_HOUR + 1], seen.quarter > 0
    least = np.maximum(threshold_mw, LEAST_NEED_MW)
    return np.stack([soon & (need >= least), soon & (-need >= least)], axis=1)


def repair_mw(seen: Seen, curve: FloatArray, sell_margin: PerRow, buy_margin: PerRow) -> FloatArray:
    """Return the intraday trade of t+4, MW, + sells: sell what is worth less than its price, buy what is worth more.

    Content is taken at the end of the hour of t+4, so that what is already sold in it counts; each MWh has to gain
    its margin over the day-ahead price p. Selling x MW takes x h / eta from the store if it discharges, x h * eta if it
    only charges less (then at most the power charged now); buying mirrors it.
    """
    eta, price, committed = seen.one_way_frac, seen.price[:, 1], seen.committed_mw[:, INTRADAY_LEAD]
    content = seen.path_mwh[np.arange(len(price)), 2 * MTU_PER_HOUR - seen.quarter]
    charging, discharging = committed < 0.0, committed > 0.0
    room = 2.0 * seen.rated_mw
    sell_above = np.where(charging, (price - sell_margin + seen.tariff) / eta, (price - sell_margin - seen.wear) * eta)
    spare = np.maximum(0.0, content - content_worth_more_than(curve, sell_above, seen.capacity_mwh)) / MTU_H
    sell = np.where(charging, np.minimum(spare / eta, -committed), np.minimum(spare * eta, room))
    buy_below = np.where(discharging, (price + buy_margin - seen.wear) * eta, (price + buy_margin + seen.tariff) / eta)
    missing = np.maximum(0.0, content_worth_more_than(curve, buy_below, seen.capacity_mwh) - content) / MTU_H
    buy = np.where(discharging, np.minimum(missing * eta, committed), np.minimum(missing / eta, room))
    # a cell of the grid is the resolution: smaller wishes are rounding
    small = seen.capacity_mwh / CELLS / MTU_H
    return np.where(spare > small, sell, np.where(missing > small, -buy, 0.0))
