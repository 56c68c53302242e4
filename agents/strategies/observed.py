"""Reading the observation: the few numbers from which the shipped strategies decide, as float64 arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stacking import layout as at
from stacking.columns import FORECAST_HOURS, LFM_FORECAST_HOURS
from stacking.units import MTU_H, MTU_PER_HOUR

from .base import FloatArray, IntArray

BOOK_MTU = 12  # committed power is shown for t..t+11
BALANCING_LEAD, INTRADAY_LEAD, LOCAL_LEAD = 3, 4, 8  # MTU from now to the delivery that a gate decides on
SCHEDULE = at.BOOK + BOOK_MTU
SOLD_LOCAL = SCHEDULE + 24
LOCAL_HOUR = at.LOCAL_BLOCK_HOUR  # the block of a gate on the full hour lies in this hour from now, that of the next gate in 3


@dataclass(frozen=True)
class Seen:
    """What n rows see; (n,) where not said otherwise. MW, MWh, EUR/MWh."""

    quarter: IntArray  # MTU of the hour, 0..3
    hours_to_end: FloatArray
    price: FloatArray  # (n, 36) hourly day-ahead price, published or forecast, from the current hour on
    terminal_price: FloatArray
    need_mw: FloatArray  # (n, 8) forecast local need by hour from the current one, + = up
    limit: FloatArray  # (n, 8) forecast willingness to pay for it
    capacity_mwh: FloatArray
    content_mwh: FloatArray
    rated_mw: FloatArray
    one_way_frac: FloatArray  # square root of the round trip; the observation does not split it
    wear: FloatArray
    tariff: FloatArray
    committed_mw: FloatArray  # (n, 12) schedule plus known activations
    path_mwh: FloatArray  # (n, 13) content at the start of t..t+12 if what is committed happens
    pending_up_mwh: FloatArray  # stored energy that pending up offers would take if all were called
    pending_dn_mwh: FloatArray
    feasible_mw: FloatArray  # (n, 4) up, down at t+3; up, down at the local block
    tier_kind: FloatArray  # (n, 3) asset that is used first, second, third: 0 battery, 1 fleet, 2 load
    tier_cost: FloatArray  # (n, 2, 3) EUR/MWh of wear or compensation, up and down
    tier_mw: FloatArray  # (n, 4, 3) feasible by asset, in the order of feasible_mw


def look(observation: FloatArray) -> Seen:
    """Return the numbers of an observation (n, OBSERVATIONS_W) that the shipped strategies use."""
    o = observation.astype(np.float64)
    hours_to_end = o[:, at.HOURS_TO_END]
    eta = np.sqrt(np.minimum(np.maximum(o[:, at.ROUND_TRIP_FRAC], 0.05), 1.0))
    capacity = np.maximum(o[:, at.CAPACITY_MWH], 1e-6)
    content = np.minimum(o[:, at.CONTENT_MWH], capacity)
    committed = o[:, at.BOOK : at.BOOK + BOOK_MTU]
    path = content_path_mwh(committed, content, capacity, eta)
    # an episode ends at midnight, so the fraction of an hour that is left tells the quarter
    quarter = np.mod(np.rint(-MTU_PER_HOUR * hours_to_end), MTU_PER_HOUR)
    # the content with pending offers is shown for the full hour behind t+11, which belongs to the third hour from now
    behind = np.where(quarter > 0.0, MTU_PER_HOUR - quarter, 0.0)
    last = path[:, -1] - behind * drain_mwh(o[:, SCHEDULE + BOOK_MTU // MTU_PER_HOUR], eta)
    return Seen(
        quarter=quarter.astype(np.int64),
        hours_to_end=hours_to_end,
        price=o[:, at.DA : at.DA + FORECAST_HOURS],
        terminal_price=o[:, at.TERMINAL_PRICE_FORECAST],
        need_mw=o[:, at.LOCAL : at.LOCAL + LFM_FORECAST_HOURS],
        limit=o[:, at.LOCAL + LFM_FORECAST_HOURS : at.LOCAL + 2 * LFM_FORECAST_HOURS],
        capacity_mwh=capacity,
        content_mwh=content,
        rated_mw=o[:, at.RATED_MW],
        one_way_frac=eta,
        wear=o[:, at.COST_UP],
        tariff=o[:, at.COST_DN],
        committed_mw=committed,
        path_mwh=path,
        pending_up_mwh=np.minimum(np.maximum(last - o[:, at.MIN_CONTENT_FRAC] * capacity, 0.0), capacity),
        pending_dn_mwh=np.minimum(np.maximum(o[:, at.MAX_CONTENT_FRAC] * capacity - last, 0.0), capacity),
        feasible_mw=o[:, at.FEASIBLE_UP_MFRR : at.FEASIBLE_DN_LFM + 1],
        tier_kind=o[:, at.TIER_KIND : at.TIER_KIND + at.TIERS],
        tier_cost=o[:, at.TIER_COST_UP : at.TIER_COST_UP + 2 * at.TIERS].reshape(-1, 2, at.TIERS),
        tier_mw=o[:, at.TIER_UP_MFRR : at.TIER_UP_MFRR + 4 * at.TIERS].reshape(-1, 4, at.TIERS),
    )


def row_sum(x: FloatArray) -> FloatArray:
    """Return the sum of each row, (n,), added from left to right.

    NumPy leaves the order of `x.sum(axis=1)` open; a row has to give the same bits alone and in any batch.
    """
    return np.cumsum(x, axis=1)[:, -1]


def drain_mwh(power_mw: FloatArray, eta: FloatArray) -> FloatArray:
    """Return what one MTU takes from the store, MWh: power * h / eta when injecting, power * h * eta when charging."""
    return np.where(power_mw > 0.0, power_mw / eta, power_mw * eta) * MTU_H


def content_path_mwh(committed_mw: FloatArray, content_mwh: FloatArray, capacity_mwh: FloatArray, eta: FloatArray) -> FloatArray:
    """Return the content at the start of t..t+12 if what is committed happens, (n, 13) MWh, inside 0..capacity."""
    path = np.empty((len(content_mwh), BOOK_MTU + 1))
    path[:, 0] = content_mwh
    np.cumsum(drain_mwh(committed_mw, eta[:, None]), axis=1, out=path[:, 1:])
    path[:, 1:] = np.minimum(np.maximum(path[:, :1] - path[:, 1:], 0.0), capacity_mwh[:, None])
    return path


def sold_local_mw(observation: FloatArray, quarter: IntArray) -> FloatArray:
    """Return the known local sale at t+3, MW, + = up, (n,).

    The observation holds means w_k over t+4k..t+4k+3; local blocks are whole hours, so with q MTU of the current hour
    gone w_k = ((4 - q) s_k + q s_{k+1}) / 4, solved from the last known hour backwards (a gate sells two hours ahead).
    """
    w = observation[:, SOLD_LOCAL : SOLD_LOCAL + 3].astype(np.float64)
    q = quarter.astype(np.float64)
    last = MTU_PER_HOUR * w[:, 2] / (MTU_PER_HOUR - q)
    next_hour = (MTU_PER_HOUR * w[:, 1] - q * last) / (MTU_PER_HOUR - q)
    return np.where(quarter == 0, w[:, 0], next_hour)
