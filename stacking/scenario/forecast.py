"""Forecasts of day-ahead prices: realised price plus an error drawn once per vintage, sharper with each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import columns as c
from .draws import autocorrelated
from .keys import ScenarioKey, stream
from .parameters import Forecast

Floats = NDArray[np.float64]

VINTAGES = (c.DA_TWO_DAYS, c.DA_MIDNIGHT, c.DA_NOON)
"""Columns of the day-ahead forecasts, earliest first."""


def draw_forecasts(key: ScenarioKey, da_hour: Floats, published: int, f: Forecast) -> Floats:
    """Return the hourly series of a scenario, (H, HOURLY_W).

    The error of a vintage is the error of the next one plus an independent part, so forecasts only get sharper:
    var(two days) > var(midnight) > var(noon), each autocorrelated over target hours.

    Args:
        key: names the random stream.
        da_hour: hourly day-ahead price (H,), NaN where the source has none (only after ``published``).
        published: hours whose price is published before the end of the scenario; later ones are only ever forecast.
        f: sizes of the errors.
    """
    hours = len(da_hour)
    out = np.zeros((hours, c.HOURLY_W))
    known = ~np.isnan(da_hour)
    # an hour that the source lacks is forecast by the same hour two days earlier, which was published by then
    base = da_hour.copy()
    for hour in np.flatnonzero(~known):
        base[hour] = base[hour - 48]
    out[:, c.DA_MEAN] = np.where(known, base, 0.0)
    scale = float(np.abs(da_hour[:published]).mean())
    random = stream(key, "day-ahead forecast")
    error, previous = np.zeros(hours), 0.0
    for vintage, share in sorted(zip(VINTAGES, f.da_error_frac, strict=True), key=lambda pair: pair[1]):
        step = np.sqrt(max(share * share - previous * previous, 0.0))
        error = error + scale * step * autocorrelated(random, hours, f.da_memory_h)
        out[:, vintage] = base + error
        previous = share
    return out
