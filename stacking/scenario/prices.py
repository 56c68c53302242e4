"""Day-ahead prices: daily, weekly and yearly shape, autocorrelation, spikes and negative hours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .calendar import Clock
from .draws import autocorrelated
from .keys import ScenarioKey, stream
from .parameters import DayAhead

Floats = NDArray[np.float64]


def day_ahead(key: ScenarioKey, clock: Clock, p: DayAhead) -> tuple[Floats, Floats, Floats]:
    """Return hourly prices (H,), the score of the whole deviation (H,) and of its slow part (H,).

    price = floor(level * month * (1 + amplitude * hour - weekend) + scale * sinh(k z) / k + spike),
    z = slow and fast autocorrelated scores, one log-normal amplitude per local day.
    """
    random = stream(key, "day-ahead")
    slow = autocorrelated(random, clock.hours, p.slow_memory_h)
    fast = autocorrelated(random, clock.hours, p.fast_memory_h)
    score = np.sqrt(p.slow_share_frac) * slow + np.sqrt(1.0 - p.slow_share_frac) * fast
    days = random.standard_normal(clock.hours // 23 + 2)
    amplitude = np.exp(p.shape_spread * days - 0.5 * p.shape_spread**2)[clock.day]
    hour = np.array(p.hour_profile_eur_per_mwh)
    month = np.array(p.month_profile_eur_per_mwh)
    shape = 1.0 + amplitude * (hour / hour.mean() - 1.0)[clock.hour] - p.weekend_frac * (clock.weekend - 2.0 / 7.0)
    level = p.level_eur_per_mwh * (1.0 + p.month_strength_frac * (month / month.mean() - 1.0))[clock.month - 1]
    price = level * shape + p.scale_eur_per_mwh * np.sinh(p.tail * score) / p.tail
    return soft_floor(price, p) + _spikes(random, clock, p), score, slow


def soft_floor(price: Floats, p: DayAhead) -> Floats:
    """Return prices squeezed below a threshold: a - d (1 - exp((x - a) / d)) for x < a, bounded by a - d."""
    below = np.minimum(price - p.floor_from_eur_per_mwh, 0.0)
    return np.where(
        below < 0.0,
        p.floor_from_eur_per_mwh + p.floor_depth_eur_per_mwh * np.expm1(below / p.floor_depth_eur_per_mwh),
        price,
    )


def _spikes(random: np.random.Generator, clock: Clock, p: DayAhead) -> Floats:
    """Return rare exponential jumps that fade within hours; mornings and evenings only, where demand peaks."""
    shape = np.array(p.hour_profile_eur_per_mwh)
    starts = random.random(clock.hours) < 2.0 * p.spike_probability * (shape > np.median(shape))[clock.hour]
    height = np.minimum(random.exponential(p.spike_mean_eur_per_mwh, clock.hours), p.spike_cap_eur_per_mwh)
    out = np.zeros(clock.hours)
    for at in np.flatnonzero(starts):
        tail = np.arange(clock.hours - at)
        out[at:] = np.maximum(out[at:], height[at] * np.exp(-tail / p.spike_memory_h))
    return out
