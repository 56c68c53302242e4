"""What stored energy is worth: the marginal value of each MWh in the battery, from day-ahead prices and forecasts.

Backward recursion over hours. With v(E) the value of one more stored MWh at content E at the end of an hour, buy price
b = (price + tariff) / eta and sell price s = (price - wear) * eta per stored MWh, at most B bought or S sold:

    v_before(E) = min(max(max(min(v(E), b), v(E + B)), s), v(E - S))      v(E > full) = -inf, v(E < empty) = +inf

which is the exact dual of the linear programme of one battery (the value function stays concave). A forecast local
need is one more buyer of its hour, at a share of its willingness to pay and for at most its MW. Positions that are sold
already do not enter: they can be traded back intraday at about the same price, so they are sunk.
"""

from __future__ import annotations

import numpy as np

from stacking.columns import FORECAST_HOURS, LFM_FORECAST_HOURS

from .base import FloatArray, IntArray, PerRow
from .observed import LOCAL_HOUR, Seen, row_sum

CELLS = 24
"""Steps of the content grid."""
CURVES = 3
"""Curves kept: value at the start of the hours 1, 2 and 3 from the current one."""


def content_value(seen: Seen, start_content_mwh: FloatArray, local_frac: PerRow) -> FloatArray:
    """Return the marginal value of stored energy at the start of hours 1..3 from now, EUR per stored MWh.

    Args:
        seen: what the rows see.
        start_content_mwh: (n,) content at the start of the episode, the kink of the terminal rule.
        local_frac: share of the forecast willingness to pay that a local sale is expected to earn.

    Returns:
        (n, CURVES, CELLS): hour, content cell from empty to full; non-increasing in the content.
    """
    n, eta = len(seen.content_mwh), seen.one_way_frac
    buy = (seen.price + seen.tariff[:, None]) / eta[:, None]
    # at negative prices burning energy would pay (s > b); one power per MTU cannot do both
    sell = np.minimum((seen.price - seen.wear[:, None]) * eta[:, None], buy)
    bought, sold = _shifts(seen, n)
    padded = np.empty((n, CELLS + 2))
    padded[:, CELLS], padded[:, CELLS + 1] = -np.inf, np.inf
    ends = np.ceil(seen.hours_to_end)
    value = _final_value(seen, start_content_mwh)
    curves = np.empty((n, CURVES, CELLS))
    for hour in range(FORECAST_HOURS - 1, 0, -1):
        padded[:, :CELLS] = value
        b, s = buy[:, hour, None], sell[:, hour, None]
        new = np.maximum(np.maximum(np.minimum(value, b), padded.take(bought)), s)
        np.minimum(new, padded.take(sold), out=new)
        if LOCAL_HOUR <= hour < LFM_FORECAST_HOURS:
            new = _with_local_need(seen, hour, new, local_frac, b[:, 0], s[:, 0])
        value = np.where((ends > hour)[:, None], new, value)
        if hour <= CURVES:
            curves[:, hour - 1] = value
    return curves


def value_at(curve: FloatArray, content_mwh: FloatArray, capacity_mwh: FloatArray) -> FloatArray:
    """Return the value of the last stored MWh at a content, (n,), from a curve (n, CELLS)."""
    cell = np.minimum(np.maximum(np.ceil(content_mwh / capacity_mwh * CELLS) - 1.0, 0.0), CELLS - 1.0).astype(np.int64)
    return curve[np.arange(len(cell)), cell]


def content_worth_more_than(curve: FloatArray, threshold: FloatArray, capacity_mwh: FloatArray) -> FloatArray:
    """Return the content up to which stored energy is worth more than a threshold, MWh, (n,)."""
    return np.sum(curve > threshold[:, None], axis=1) * (capacity_mwh / CELLS)


def _shifts(seen: Seen, n: int) -> tuple[IntArray, IntArray]:
    """Return flat indices into the padded curve of v(E + B) and v(E - S), each (n, CELLS)."""
    step = seen.capacity_mwh / CELLS
    buy_cells = np.minimum(np.rint(seen.rated_mw * seen.one_way_frac / step), CELLS).astype(np.int64)[:, None]
    sell_cells = np.minimum(np.rint(seen.rated_mw / seen.one_way_frac / step), CELLS).astype(np.int64)[:, None]
    cell = np.arange(CELLS)
    offset = np.arange(n)[:, None] * (CELLS + 2)
    bought = offset + np.minimum(cell + buy_cells, CELLS)
    sold = offset + np.where(cell >= sell_cells, cell - sell_cells, CELLS + 1)
    return bought, sold


def _with_local_need(
    seen: Seen, hour: int, value: FloatArray, local_frac: PerRow, buy: FloatArray, sell: FloatArray
) -> FloatArray:
    """Return the values (n, CELLS) with the option to serve the local need that is forecast for an hour."""
    n, eta, step = len(value), seen.one_way_frac, seen.capacity_mwh / CELLS
    need, price = seen.need_mw[:, hour], local_frac * seen.limit[:, hour]
    served = np.minimum(np.abs(need), seen.rated_mw)
    earned, paid = (price - seen.wear) * eta, (price + seen.tariff) / eta  # per stored MWh, up and down
    up, down = (need > 0.0) & (earned > sell), (need < 0.0) & (paid < buy)
    if not (up | down).any():
        return value
    padded = np.concatenate([value, np.full((n, 1), -np.inf), np.full((n, 1), np.inf)], axis=1)
    taken = np.minimum(np.rint(served / eta / step), CELLS).astype(np.int64)[:, None]
    filled = np.minimum(np.rint(served * eta / step), CELLS).astype(np.int64)[:, None]
    cell = np.arange(CELLS)
    after_up = np.take_along_axis(padded, np.where(cell >= taken, cell - taken, CELLS + 1), axis=1)
    after_down = np.take_along_axis(padded, np.minimum(cell + filled, CELLS), axis=1)
    with_up = np.minimum(np.maximum(value, earned[:, None]), after_up)
    with_down = np.maximum(np.minimum(value, paid[:, None]), after_down)
    return np.where(up[:, None], with_up, np.where(down[:, None], with_down, value))


def _final_value(seen: Seen, start_content_mwh: FloatArray) -> FloatArray:
    """Return the value at the horizon: the terminal rule if the episode ends by then, else the mean price.

    Below the reference content (at the start of the episode, else half full) a missing MWh costs price / eta, above it
    one earns max(0, price - wear) * eta.
    """
    inside = seen.hours_to_end <= FORECAST_HOURS
    price = np.where(inside, seen.terminal_price, np.maximum(row_sum(seen.price[:, 12:]) / (FORECAST_HOURS - 12), 0.0))
    reference = np.where(inside, start_content_mwh, 0.5 * seen.capacity_mwh)
    middle = (np.arange(CELLS) + 0.5) * (seen.capacity_mwh / CELLS)[:, None]
    missing = price / seen.one_way_frac
    spare = np.maximum(0.0, price - seen.wear) * seen.one_way_frac
    return np.where(middle < reference[:, None], missing[:, None], spare[:, None])
