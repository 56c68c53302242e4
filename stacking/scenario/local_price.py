"""The price at which a DSO buys from others: what the willingness to pay of a local price regime is calibrated by."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from .calendar import clock
from .keys import scenario_keys
from .local import SIGN, draw_local
from .parameters import Forecast, Local

Floats = NDArray[np.float64]

CURVE = ((0.25, 0.25), (0.5, 0.5), (0.75, 0.75), (1.0, 1.0))
"""Steps (share of the volume, share of the way from the cheapest to the dearest price) of the local products."""


def bought_from_others(background: Floats, sign: float, curve: tuple[tuple[float, float], ...] = CURVE) -> tuple[Floats, Floats]:
    """Return MW bought and EUR/h paid as bid, (H,) each, if nobody but the background offers.

    Args:
        background: (BACKGROUND_W, H) of one direction.
        sign: +1 up, -1 down.
        curve: steps of other people's supply.
    """
    need, volume, ref, anchor, limit = background
    bought, paid, reached = np.zeros_like(need), np.zeros_like(need), np.zeros_like(need)
    for volume_frac, price_frac in curve:
        price = anchor * price_frac + ref * (1.0 - price_frac)
        step = np.minimum(volume_frac * volume - reached, need - bought)
        taken = np.where(sign * price <= sign * limit, np.maximum(step, 0.0), 0.0)
        bought, paid, reached = bought + taken, paid + taken * price, volume_frac * volume
    return bought, paid


def mean_accepted_price(local: Local, forecast: Forecast, direction: int = c.UP, *, years: int = 50) -> tuple[float, float]:
    """Return the mean price of what a DSO buys from the default background (EUR/MWh) and the share of its need it gets."""
    asked = got = cost = 0.0
    for key in scenario_keys("train", years, seed=0, source="calibration of local prices"):
        series = draw_local(key, clock(dt.date(2025, 1, 1), 365, "Europe/Oslo"), None, local, forecast)
        bought, paid = bought_from_others(series.background[direction], SIGN[direction])
        asked, got, cost = asked + series.background[direction, c.NEED].sum(), got + bought.sum(), cost + paid.sum()
    return float(cost / got), float(got / asked)
